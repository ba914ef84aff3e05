//! What a look at a group means for what is being done.

use super::*;

impl Drive {
    pub(super) fn looked(&mut self, rule: usize, sight: Sight, now: Timestamp) -> Call {
        let (standing, verdict) = match self.seen(rule, sight, At::Looking, now) {
            Ok(seen) => seen,
            Err(call) => return call,
        };
        match (self.job, standing) {
            (Job::Allow, Standing::Allow) => match verdict {
                Verdict::Allowed { .. } => self.unlock(Then::Rule(rule + 1), now),
                Verdict::Denied { by } | Verdict::Unclear { by } => {
                    self.replan(Failure::Overruled { by }, now)
                }
            },
            (Job::Deny, Standing::Deny) => {
                self.ends[rule] = RuleEnd::Denied;
                self.unlock(Then::Rule(rule + 1), now)
            }
            (Job::Delete | Job::Sweep | Job::Deny, Standing::Absent) => {
                self.ends[rule] = RuleEnd::Gone;
                self.unlock(Then::Rule(rule + 1), now)
            }
            // Not what was written: written again, after the record and the clock were read again.
            _ => {
                self.hindered(Obstacle::Unfinished);
                self.in_vain(rule, now, Self::recheck)
            }
        }
    }

    /// The delete was refused: how the rule stands decides whether `grant` must deny it.
    pub(super) fn barred(&mut self, rule: usize, obstacle: Obstacle, sight: Sight, now: Timestamp) -> Call {
        let barred = |rule| At::Barred(rule, obstacle.clone());
        match self.seen(rule, sight, barred, now) {
            Ok((standing, _)) => {
                if standing != Standing::Absent {
                    self.hindered(obstacle);
                }
                self.ends[rule] = match standing {
                    Standing::Absent => RuleEnd::Gone,
                    Standing::Deny => RuleEnd::Denied,
                    Standing::Allow | Standing::Altered | Standing::Changing => RuleEnd::Locked,
                };
                self.unlock(Then::Rule(rule + 1), now)
            }
            Err(call) => call,
        }
    }

    /// What a look saw once nothing is in progress any more; else the call that comes first.
    fn seen(
        &mut self,
        rule: usize,
        sight: Sight,
        look: impl FnOnce(usize) -> At,
        now: Timestamp,
    ) -> Result<(Standing, Verdict), Call> {
        match sight {
            // What `grant` wrote may still be under way, and a delete would meet it: the lock is kept as long as
            // this drive lasts. A delete is not waited for so long: the next tick has it tried again.
            Sight::NoAnswer if self.may_be_writing() && !self.out_of_time(now) => Err(self.pause(look(rule))),
            Sight::NoAnswer if self.looks_again(now) => Err(self.pause(look(rule))),
            Sight::NoAnswer => Err(self.give_up(rule, now)),
            Sight::Later { seconds } if self.waits_in_turn(seconds, now) => {
                Err(self.pause_for(seconds, look(rule)))
            }
            Sight::Later { seconds } => Err(self.put_off(rule, now.plus(seconds), now)),
            Sight::Refused(code) if self.job == Job::Allow => {
                Err(self.unlock(Then::End(Cause::Failed(Failure::Refused { code })), now))
            }
            Sight::Refused(_) => {
                self.hindered(Obstacle::Unseen);
                Err(self.unlock(Then::Rule(rule + 1), now))
            }
            Sight::Seen { standing: Standing::Changing, .. } if self.out_of_time(now) => {
                self.hindered(Obstacle::Unfinished);
                Err(self.leave(now))
            }
            Sight::Seen { standing: Standing::Changing, .. } => Err(self.pause(look(rule))),
            Sight::Seen { standing, verdict } => {
                self.unanswered = 0;
                self.verdicts[rule] = Some(verdict.clone());
                Ok((standing, verdict))
            }
        }
    }

    fn may_be_writing(&self) -> bool {
        self.holds.is_some() && matches!(self.job, Job::Allow | Job::Deny)
    }

    /// Whether so short a time is waited for with the lock held: what was written may still be under way,
    /// and the next write of ours would cancel it. The lock is held for at least as long as a delete waits
    /// for it.
    fn waits_in_turn(&self, seconds: u64, now: Timestamp) -> bool {
        let left = self.tempo.budget_seconds.saturating_sub(now.since(self.started_at));
        self.holds.is_some() && seconds < left.min(self.tempo.delete_patience_seconds)
    }

    pub(super) fn peeked(&mut self, rule: usize, sight: Sight, now: Timestamp) -> Call {
        match (self.job, sight) {
            (
                Job::Allow,
                Sight::Seen { standing: Standing::Allow, verdict: verdict @ Verdict::Allowed { .. } },
            ) => {
                self.verdicts[rule] = Some(verdict);
                self.rule(rule + 1, now)
            }
            (Job::Allow, _) => self.lock(rule),
            (Job::Compare, Sight::Seen { standing: Standing::Absent, .. }) => {
                self.write(self.record.end(Cause::Vanished, now))
            }
            (Job::Compare, Sight::Seen { standing: Standing::Altered | Standing::Deny, .. }) => {
                self.write(self.record.end(Cause::Altered, now))
            }
            (
                Job::Compare,
                Sight::Seen {
                    standing: Standing::Allow,
                    verdict: Verdict::Denied { by } | Verdict::Unclear { by },
                },
            ) => self.write(self.record.end(Cause::Overruled { by }, now)),
            (Job::Sweep | Job::Delete, Sight::Seen { standing: Standing::Absent, verdict }) => {
                self.ends[rule] = RuleEnd::Gone;
                self.verdicts[rule] = Some(verdict);
                self.rule(rule + 1, now)
            }
            (Job::Delete, Sight::Seen { standing: Standing::Deny, .. })
                if self.ends[rule] == RuleEnd::Denied && self.watches(now) =>
            {
                self.rule(rule + 1, now)
            }
            (Job::Delete, Sight::Seen { standing: Standing::Changing, .. }) if self.waits_for_azure(now) => {
                self.hindered(Obstacle::Unfinished);
                if self.out_of_time(now) {
                    self.unlock(Then::Stop, now)
                } else {
                    self.pause(At::Peeking(rule))
                }
            }
            (Job::Sweep | Job::Delete, Sight::Seen { .. }) => {
                self.found = true;
                self.ends[rule] = RuleEnd::Standing;
                self.lock(rule)
            }
            (_, _) => self.rule(rule + 1, now),
        }
    }
}
