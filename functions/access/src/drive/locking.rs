//! One writer per group: the lock, and what is read again just before a write.

use super::*;

impl Drive {
    pub(super) fn lock(&mut self, rule: usize) -> Call {
        if without!(self, NoLock) {
            return self.recheck(rule);
        }
        self.at = At::Locking(rule);
        Call::Lock { rule, first: self.deletes() }
    }

    pub(super) fn locked(&mut self, rule: usize, locked: Locked, now: Timestamp) -> Call {
        self.bare = false;
        match locked {
            Locked::Held => {
                self.holds = Some(rule);
                return self.recheck(rule);
            }
            // What is in front is shut first; that does not count as this one's time.
            Locked::InLine if self.deletes() => self.started_at = now,
            Locked::InLine => {}
            Locked::Elsewhere { since } => {
                let since = since.min(*self.waiting_since.get_or_insert(since));
                if self.deletes() && now.since(since) >= self.tempo.delete_patience_seconds {
                    // Shutting late is worse than a write that Azure cancels: the look afterwards tells.
                    self.holds = Some(rule);
                    self.bare = true;
                    return self.recheck(rule);
                }
            }
        }
        if self.out_of_time(now) {
            return self.stop(Stopped::Later);
        }
        self.pause(At::Locking(rule))
    }

    pub(super) fn recheck(&mut self, rule: usize) -> Call {
        self.at = At::Rechecking(rule);
        Call::Recheck { rule }
    }

    pub(super) fn rechecked(&mut self, rule: usize, version: u64, held: bool, now: Timestamp) -> Call {
        if without!(self, NoRecheck) && !self.deletes() {
            return self.act(rule);
        }
        if version != self.record.version() {
            return self.unlock(Then::Reread, now);
        }
        if self.holds == Some(rule) && !held && !self.bare {
            self.holds = None;
            return self.unlocked(Then::LockAgain(rule), now);
        }
        let over = self.record.granted().is_none_or(|granted| now >= granted.expires_at());
        if self.job == Job::Allow && over {
            return self.unlock(Then::End(Cause::Expired), now);
        }
        self.act(rule)
    }

    pub(super) fn unlock(&mut self, then: Then, now: Timestamp) -> Call {
        let Some(rule) = self.holds.take() else { return self.unlocked(then, now) };
        self.at = At::Unlocking(then);
        Call::Unlock { rule }
    }

    /// The time of this drive is over, and Azure is still at what was written.
    pub(super) fn leave(&mut self, now: Timestamp) -> Call {
        if without!(self, LockGivenBack) {
            return self.unlock(Then::Stop, now);
        }
        let Some(rule) = self.holds.take() else { return self.unlocked(Then::Stop, now) };
        self.at = At::Unlocking(Then::Stop);
        Call::Leave { rule }
    }

    pub(super) fn unlocked(&mut self, then: Then, now: Timestamp) -> Call {
        match then {
            Then::Rule(rule) => self.rule(rule, now),
            Then::Reread => self.read(),
            Then::End(cause) => self.write(self.record.end(cause, now)),
            Then::Delay => self.delay(self.not_before.iter().flatten().copied().max().unwrap_or(now), now),
            Then::LockAgain(rule) => self.lock(rule),
            Then::Stop => self.out_of_time_at_work(now),
        }
    }

    /// An opening waits until then; one that would be over by then is given up.
    pub(super) fn delay(&mut self, until: Timestamp, now: Timestamp) -> Call {
        if self.record.granted().is_some_and(|granted| until >= granted.expires_at()) {
            return self.write(self.record.end(Cause::Failed(Failure::Throttled), now));
        }
        self.write(self.record.delayed(until, now))
    }
}
