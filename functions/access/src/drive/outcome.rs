//! What is recorded once every rule had its turn.

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
        let settling = now < closing.closing_at().plus(self.tempo.sweep_seconds);
        if !news && (self.job == Job::Deny || shut && settling) {
            return None;
        }
        let hourly = shut && !settling;
        let wait = if hourly { self.tempo.locked_retry_seconds } else { self.tempo.retry_seconds };
        Some(self.record.tried(self.ends.clone(), self.retry_at(now.plus(wait)), now))
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
