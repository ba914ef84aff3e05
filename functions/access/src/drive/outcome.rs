//! What is recorded once every rule had its turn, and what is in the way.

use super::*;
use crate::nsg;

impl Drive {
    /// Every rule had its turn.
    pub(super) fn finished(&mut self, now: Timestamp) -> Call {
        match (self.job, self.record.state()) {
            (Job::Allow, _) => self.write(self.record.opened(self.open_proof(), now)),
            (Job::Deny | Job::Delete, State::Closing(closing)) => match self.closing_tried(closing, now) {
                Some(change) => self.write(change),
                None => self.stop(Stopped::Later),
            },
            (Job::Deny | Job::Sweep, State::Closed(closed)) => match self.closed_swept(closed, now) {
                Some(change) => self.write(change),
                None => self.stop(Stopped::Idle),
            },
            _ => self.stop(Stopped::Idle),
        }
    }

    /// Azure refuses to delete the rule. What it protects is not what was recorded of it: nothing may be
    /// there, or a late write may have undone a Deny.
    pub(super) fn refused(&mut self, rule: usize, obstacle: Obstacle) -> Call {
        self.ends[rule] = RuleEnd::Locked;
        self.at = At::Barred(rule, obstacle);
        Call::Look { rule }
    }

    /// Keeps what is in the way; what was seen tells more than what was not.
    pub(super) fn hindered(&mut self, obstacle: Obstacle) {
        if self.obstacle.is_none() || obstacle.was_seen() {
            self.obstacle = Some(obstacle);
        }
    }

    /// Whether a rule that denies is only watched, because a late write may still undo that. Its removal
    /// is tried afterwards: where Azure refuses it, many such rules must not keep the group's lock busy.
    pub(super) fn watches(&self, now: Timestamp) -> bool {
        let State::Closing(closing) = self.record.state() else { return false };
        now < closing.closing_at().plus(self.tempo.sweep_seconds)
    }

    /// Whether Azure had not finished at the last try, and is given time: the same call again would
    /// cancel what it is at.
    pub(super) fn waits_for_azure(&self, now: Timestamp) -> bool {
        let State::Closing(closing) = self.record.state() else { return false };
        let patience = closing.closing_at().plus(self.tempo.unfinished_patience_seconds);
        closing.obstacle() == Some(&Obstacle::Unfinished) && now < patience
    }

    /// The time of this drive is over, and a rule is not done with. Of a closing that is recorded: people
    /// must hear that it is late.
    pub(super) fn out_of_time_at_work(&mut self, now: Timestamp) -> Call {
        if self.job != Job::Delete || !matches!(self.record.state(), State::Closing(_)) {
            return self.stop(Stopped::Later);
        }
        let retry_at = self.retry_at(now.plus(self.tempo.retry_seconds));
        self.write(self.record.tried(self.ends.clone(), self.obstacle.clone(), retry_at, now))
    }

    pub(super) fn all_gone(&self) -> bool {
        self.ends.iter().all(|end| *end == RuleEnd::Gone)
    }

    /// What is to be recorded of a try to shut it.
    fn closing_tried(&self, closing: &Closing, now: Timestamp) -> Option<Result<Change, NotNow>> {
        if self.all_gone() {
            return Some(self.record.gone(&self.ends, self.proof(), now));
        }
        let news = closing.ends() != self.ends;
        let shut = self.ends.iter().all(|end| matches!(end, RuleEnd::Denied | RuleEnd::Gone));
        // As long as a late write may undo a Deny, it is looked at with every tick: the record stays due.
        let settling = self.watches(now);
        if !news && (self.job == Job::Deny || shut && settling) {
            return None;
        }
        let hourly = shut && !settling;
        let wait = if hourly { self.tempo.locked_retry_seconds } else { self.tempo.retry_seconds };
        // What `grant` met is not what keeps the rule from being removed.
        let obstacle = if self.job == Job::Deny { closing.obstacle() } else { self.obstacle.as_ref() };
        let retry_at = self.retry_at(now.plus(wait));
        // `grant` has met the locked rules only: the others are tried again when that was to be.
        let sooner = (self.job == Job::Deny && !shut).then(|| closing.retry_at().max(now));
        let retry_at = sooner.map_or(retry_at, |sooner| sooner.min(retry_at));
        Some(self.record.tried(self.ends.clone(), obstacle.cloned(), retry_at, now))
    }

    /// When to try again: for each rule that is still there when Azure allows, else `usually`; the
    /// first of these moments.
    fn retry_at(&self, usually: Timestamp) -> Timestamp {
        let left = self.ends.iter().zip(&self.not_before).filter(|(end, _)| **end != RuleEnd::Gone);
        left.map(|(_, not_before)| not_before.unwrap_or(usually)).min().unwrap_or(usually)
    }

    /// What is to be recorded of a sweep, or of what `grant` did about a late rule.
    fn closed_swept(&self, closed: &Closed, now: Timestamp) -> Option<Result<Change, NotNow>> {
        if self.all_gone() {
            if self.found || !closed.late().is_empty() {
                return Some(self.record.late_rule_removed(now));
            }
            return self.settles.then(|| self.record.settled(now));
        }
        let locked = self.ends.contains(&RuleEnd::Locked);
        let news = closed.late() != self.ends && (locked || self.ends.contains(&RuleEnd::Denied));
        // Recorded again for as long as `grant` has not turned it into Deny: the change tells it again.
        let again = locked && self.job == Job::Sweep;
        (news || again).then(|| self.record.late_rule_locked(self.ends.clone(), now))
    }

    /// What the groups with our rules in place say of the flow.
    fn open_proof(&self) -> OpenProof {
        let by = |verdict: &Option<Verdict>| match verdict {
            Some(Verdict::Allowed { by }) => by.clone(),
            // Reached only where a safety rule was taken away: nothing was seen.
            _ => String::new(),
        };
        OpenProof { decided_by: self.verdicts.iter().map(by).collect(), confirmed: self.is_confirmed() }
    }

    /// What the groups, seen without our rules, say of the flow: it needs one that denies.
    fn proof(&self) -> Option<Proof> {
        if self.verdicts.is_empty() {
            return None;
        }
        let unseen = Verdict::Unclear { by: String::new() };
        let seen = self.verdicts.iter().map(|verdict| verdict.as_ref().unwrap_or(&unseen));
        let by_rules = match nsg::together(seen)? {
            Verdict::Denied { by } => Proof::Shut { by: by.clone(), confirmed: false },
            Verdict::Allowed { by } => Proof::StillOpen { by: by.clone() },
            Verdict::Unclear { .. } => Proof::Unclear,
        };
        Some(self.weighed(by_rules))
    }
}
