//! Azure's own check, asked before it is recorded that a grant is open or shut.
//!
//! What it says of a flow can lag behind what was written, and it knows rules that no group shows. So a
//! contradiction is asked again for a while, and never leads to what the rules alone would say.

use super::*;

impl Drive {
    /// Every rule had its turn. What would be recorded as open or shut is first confirmed.
    pub(super) fn confirm(&mut self, now: Timestamp) -> Call {
        let expected = match (self.job, self.record.state()) {
            (Job::Allow, State::Opening(_)) => Access::Allow,
            (Job::Delete, State::Closing(_)) if self.all_gone() && self.rules() > 0 => Access::Deny,
            _ => return self.finished(now),
        };
        self.at = At::Confirming;
        Call::Confirm { expected }
    }

    pub(super) fn confirmed(&mut self, said: Confirmation, now: Timestamp) -> Call {
        match (self.record.state(), &said) {
            (State::Opening(opening), Confirmation::Contradicts { by, .. }) => {
                let failure = Failure::Contradicted { by: by.clone() };
                if now.since(opening.planned_at()) >= self.tempo.propagation_seconds {
                    return self.write(self.record.end(Cause::Failed(failure), now));
                }
                if self.tries_again(now) { self.pause(At::Confirming) } else { self.stop(Stopped::Later) }
            }
            // Our rule is gone from the group and lets packets pass still: it is not shut.
            (State::Closing(closing), Confirmation::Contradicts { ours: true, .. }) => {
                let ends = vec![RuleEnd::Standing; closing.ends().len()];
                if self.tries_again(now) {
                    return self.pause(At::Confirming);
                }
                self.write(self.record.tried(ends, now.plus(self.tempo.retry_seconds), now))
            }
            _ => {
                self.said = Some(said);
                self.finished(now)
            }
        }
    }

    /// Whether Azure has said what the rules say.
    pub(super) const fn is_confirmed(&self) -> bool {
        matches!(self.said, Some(Confirmation::Agrees { .. }))
    }

    /// What is proved at the end, given what the rules say. Azure's word goes before them, because it knows
    /// more; of a prefix it was asked about one address, and then its yes proves nothing for the others.
    pub(super) fn weighed(&self, by_rules: Proof) -> Proof {
        let single = self.record.ask().is_some_and(|ask| ask.source.is_single());
        match (&self.said, by_rules) {
            (Some(Confirmation::Contradicts { by, .. }), Proof::Shut { .. } | Proof::Unclear) => {
                Proof::StillOpen { by: by.clone() }
            }
            (Some(Confirmation::Agrees { by }), _) if single => {
                Proof::Shut { by: by.clone(), confirmed: true }
            }
            (Some(Confirmation::Agrees { .. }), Proof::Shut { by, .. }) => {
                Proof::Shut { by, confirmed: true }
            }
            (_, by_rules) => by_rules,
        }
    }
}
