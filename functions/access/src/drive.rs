//! What a driver does with a request, as a machine without I/O: it says which call to make, is told
//! the answer, and says the next. `edge::drive` makes the calls; the model check answers them with
//! every answer there is.
//!
//! Safety does not rest on there being one driver. It rests on the order of the calls here, on the
//! conditional write, and on the sweep.

use crate::lease::Timestamp;
use crate::lifecycle::{
    Cause, Change, Closed, Closing, Failure, NetworkFault, NotNow, Obstacle, OpenProof, Proof, Record,
    RuleEnd, State, Step, Tempo, next_step,
};

#[macro_use]
mod safety;

mod call;
mod confirm;
mod locking;
mod looking;
#[cfg(test)]
mod model;
mod outcome;
mod place;

use place::{At, Job, Then};
#[cfg(test)]
use safety::Safety;

pub use call::{
    Access, Acted, Answer, Call, Checked, Confirmation, Locked, Role, Sight, Standing, Stopped, Verdict,
    Written,
};

/// One driver at work on one request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Drive {
    role: Role,
    tempo: Tempo,
    record: Record,
    at: At,
    job: Job,
    /// Whether the evidence and the way were checked in this drive. Nothing is written to Azure
    /// without.
    checked: bool,
    /// Calls in a row that brought nothing.
    attempts: u8,
    /// Looks in a row that got no answer. They are counted for themselves: what was written before them may
    /// be under way, and giving up over a look gives the lock to whoever would cancel it.
    unanswered: u8,
    replans: u8,
    started_at: Timestamp,
    waiting_since: Option<Timestamp>,
    /// The rule whose group is this drive's to write to.
    holds: Option<usize>,
    /// It is written to without the lock: the patience of a delete was over.
    bare: bool,
    ends: Vec<RuleEnd>,
    /// What is in the way of shutting it, as far as this drive has met it.
    obstacle: Option<Obstacle>,
    verdicts: Vec<Option<Verdict>>,
    /// When Azure may be asked again about each rule, where it has said so in this drive.
    not_before: Vec<Option<Timestamp>>,
    /// What Azure's own check has said once every rule had its turn.
    said: Option<Confirmation>,
    /// What stands already as planned is not written again: the record was Opening before this drive.
    looks_first: bool,
    found: bool,
    swept: bool,
    /// The sweep began when late writes were over: what it sees gone stays gone.
    settles: bool,
    #[cfg(test)]
    safety: Safety,
}

impl Drive {
    /// A driver for this record, as it was read, and its first call.
    pub fn start(role: Role, record: Record, tempo: Tempo, now: Timestamp) -> (Self, Call) {
        let mut drive = Self::new(role, record, tempo, now);
        let call = drive.begin(now);
        (drive, call)
    }

    const fn new(role: Role, record: Record, tempo: Tempo, now: Timestamp) -> Self {
        Self {
            role,
            tempo,
            record,
            at: At::Stopped,
            job: Job::Compare,
            checked: false,
            attempts: 0,
            unanswered: 0,
            replans: 0,
            started_at: now,
            waiting_since: None,
            holds: None,
            bare: false,
            ends: vec![],
            obstacle: None,
            verdicts: vec![],
            not_before: vec![],
            said: None,
            looks_first: false,
            found: false,
            swept: false,
            settles: false,
            #[cfg(test)]
            safety: Safety::Whole,
        }
    }

    /// The record as the driver last knew it.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// The next call, given the answer to the last one. `now` is the clock at this moment; a call is
    /// made at once.
    pub fn step(&mut self, answer: Answer, now: Timestamp) -> Call {
        let at = std::mem::replace(&mut self.at, At::Stopped);
        match (at, answer) {
            (At::Reading, Answer::Record(Some(record))) => {
                // What was proved of one version is not proved of the next.
                self.checked &= record.version() == self.record.version();
                self.record = *record;
                self.begin(now)
            }
            (At::Reading, Answer::Record(None)) => self.stop(Stopped::Missing),
            (At::Writing, Answer::Written(Written::Stored)) => self.begin(now),
            (At::Writing, Answer::Written(Written::Lost)) => {
                // What is stored now has the version that this driver's change would have had.
                self.checked = false;
                self.unlock(Then::Reread, now)
            }
            (At::Checking, Answer::Checked(checked)) => self.checked(checked, now),
            (At::Locking(rule), Answer::Locked(held)) => self.locked(rule, held, now),
            (At::Rechecking(rule), Answer::Rechecked { version, held }) => {
                self.rechecked(rule, version, held, now)
            }
            (At::Acting(rule), Answer::Acted(acted)) => self.acted(rule, acted, now),
            (At::Looking(rule), Answer::Looked(sight)) => self.looked(rule, sight, now),
            (At::Barred(rule, obstacle), Answer::Looked(sight)) => self.barred(rule, obstacle, sight, now),
            (At::Peeking(rule), Answer::Looked(sight)) => self.peeked(rule, sight, now),
            (At::Confirming, Answer::Confirmed(said)) => self.confirmed(said, now),
            (At::Pausing(then), Answer::Done) => self.resume(*then, now),
            (At::Unlocking(then), Answer::Done) => self.unlocked(then, now),
            // A write of the record without an answer, or an answer to another question: what is true
            // is in the record, and the next trigger reads it.
            _ => self.stop(Stopped::Later),
        }
    }

    fn stop(&mut self, why: Stopped) -> Call {
        self.at = At::Stopped;
        Call::Stop(why)
    }

    fn read(&mut self) -> Call {
        self.at = At::Reading;
        Call::Read
    }

    fn write(&mut self, change: Result<Change, NotNow>) -> Call {
        // A change that the lifecycle does not allow means that this driver's picture is wrong.
        let Ok(change) = change else { return self.stop(Stopped::Later) };
        self.record = change.record.clone();
        self.at = At::Writing;
        Call::Write(Box::new(change))
    }

    fn out_of_time(&self, now: Timestamp) -> bool {
        now.since(self.started_at) >= self.tempo.budget_seconds
    }

    /// What `next_step` says, as far as this function may do it.
    fn begin(&mut self, now: Timestamp) -> Call {
        if self.out_of_time(now) {
            return self.stop(Stopped::Later);
        }
        let step = next_step(&self.record, now, &self.tempo);
        match (self.role, &step) {
            (_, Step::End(cause)) => self.write(self.record.end(cause.clone(), now)),
            (Role::Revoke, Step::Lapse) => self.write(self.record.lapse(now)),
            (Role::Grant, Step::Plan) => self.check(),
            (Role::Grant, Step::PutRules) if !self.checked => self.check(),
            (Role::Grant, Step::PutRules) => self.open(now),
            (Role::Grant, Step::DenyRules) => self.work(Job::Deny, now),
            // Nothing in Azure is changed by it: `grant` does so where it has just denied something.
            (_, Step::Compare) => self.work(Job::Compare, now),
            (Role::Revoke, Step::DeleteRules) => self.work(Job::Delete, now),
            (Role::Revoke, Step::Sweep | Step::Settle) if without!(self, NoSweep) => {
                self.write(self.record.settled(now))
            }
            (Role::Revoke, Step::Sweep | Step::Settle) if !self.swept => {
                self.swept = true;
                self.settles = step == Step::Settle;
                self.work(Job::Sweep, now)
            }
            _ => self.stop(Stopped::Idle),
        }
    }

    fn check(&mut self) -> Call {
        self.at = At::Checking;
        Call::Check
    }

    fn checked(&mut self, checked: Checked, now: Timestamp) -> Call {
        match (checked, self.record.state()) {
            (Checked::NoAnswer, _) => self.stop(Stopped::Later),
            (Checked::Later { seconds }, _) => self.delay(now.plus(seconds), now),
            (Checked::Refused(failure), _) => self.write(self.record.end(Cause::Failed(failure), now)),
            (Checked::Planned(plan), State::Approved(_)) => {
                self.checked = true;
                #[cfg(test)]
                if without!(self, NoIntent) {
                    self.record = model::planned_but_not_recorded(&self.record, plan, now);
                    return self.work(Job::Allow, now);
                }
                self.write(self.record.planned(plan, now))
            }
            (Checked::Planned(plan), State::Opening(_)) => {
                self.checked = true;
                let Some(planned) = self.record.plan().filter(|planned| planned.same_groups(&plan)) else {
                    let failure = Failure::Network(NetworkFault::GroupsChanged);
                    return self.write(self.record.end(Cause::Failed(failure), now));
                };
                // In its turn a drive changes only the rule that it is at: the others stand already.
                let plan = self.holds.map_or_else(|| plan.clone(), |rule| planned.moved(rule, &plan));
                if self.replans > 0 && *planned != plan {
                    return self.write(self.record.planned(plan, now));
                }
                self.looks_first = true;
                self.open(now)
            }
            _ => self.stop(Stopped::Later),
        }
    }

    /// Writes the rules; one that was placed anew in its turn at once, because the turn was kept and
    /// nobody of ours has taken the number meanwhile.
    fn open(&mut self, now: Timestamp) -> Call {
        match self.holds {
            Some(rule) => self.recheck(rule),
            None => self.work(Job::Allow, now),
        }
    }

    fn rules(&self) -> usize {
        self.record.plan().map_or(0, |plan| plan.rules().len())
    }

    fn work(&mut self, job: Job, now: Timestamp) -> Call {
        self.job = job;
        self.found = false;
        self.obstacle = None;
        self.ends = match self.record.state() {
            State::Closing(closing) => closing.ends().to_vec(),
            State::Closed(closed) if self.rules() == closed.late().len() => closed.late().to_vec(),
            _ => vec![RuleEnd::Standing; self.rules()],
        };
        self.verdicts = vec![None; self.rules()];
        self.not_before = vec![None; self.rules()];
        self.said = None;
        self.rule(0, now)
    }

    /// Begins with this rule, or with the first after it that needs work.
    fn rule(&mut self, from: usize, now: Timestamp) -> Call {
        self.attempts = 0;
        self.unanswered = 0;
        self.waiting_since = None;
        let needs_work = |rule: &usize| match self.job {
            Job::Deny => self.ends[*rule] == RuleEnd::Locked,
            Job::Allow | Job::Delete | Job::Compare | Job::Sweep => true,
        };
        match (from..self.rules()).find(needs_work) {
            Some(rule) if self.peeks(rule, now) => {
                self.at = At::Peeking(rule);
                Call::Look { rule }
            }
            Some(rule) => self.lock(rule),
            None => self.confirm(now),
        }
    }

    /// Whether a look decides what is to be done about a rule.
    fn peeks(&self, rule: usize, now: Timestamp) -> bool {
        match (self.job, self.ends[rule]) {
            (Job::Compare | Job::Sweep, _) => true,
            // It may have come back by a late write.
            (Job::Delete, RuleEnd::Gone) => true,
            (Job::Delete, RuleEnd::Denied) => self.watches(now),
            (Job::Delete, RuleEnd::Standing | RuleEnd::Locked) => self.waits_for_azure(now),
            // What stands as planned is not written again.
            (Job::Allow, _) => self.looks_first,
            (Job::Deny, _) => false,
        }
    }

    fn deletes(&self) -> bool {
        matches!(self.job, Job::Delete | Job::Sweep)
    }

    fn pause(&mut self, then: At) -> Call {
        self.pause_for(0, then)
    }

    fn pause_for(&mut self, seconds: u64, then: At) -> Call {
        self.at = At::Pausing(Box::new(then));
        Call::Pause(seconds)
    }

    fn resume(&mut self, then: At, now: Timestamp) -> Call {
        self.at = then;
        match &self.at {
            At::Locking(rule) => Call::Lock { rule: *rule, first: self.deletes() },
            At::Rechecking(rule) => Call::Recheck { rule: *rule },
            At::Looking(rule) | At::Barred(rule, _) | At::Peeking(rule) => Call::Look { rule: *rule },
            At::Confirming => self.confirm(now),
            _ => self.stop(Stopped::Later),
        }
    }

    fn act(&mut self, rule: usize) -> Call {
        self.unanswered = 0;
        self.at = At::Acting(rule);
        match self.job {
            Job::Allow => Call::Put { rule, access: Access::Allow },
            Job::Deny => Call::Put { rule, access: Access::Deny },
            Job::Delete | Job::Sweep | Job::Compare => Call::Delete { rule },
        }
    }

    fn look(&mut self, rule: usize) -> Call {
        self.at = At::Looking(rule);
        Call::Look { rule }
    }

    fn acted(&mut self, rule: usize, acted: Acted, now: Timestamp) -> Call {
        let acted = if acted == Acted::Unknown && without!(self, UnknownIsDone) {
            if self.deletes() {
                self.ends[rule] = RuleEnd::Gone;
            }
            return self.unlock(Then::Rule(rule + 1), now);
        } else {
            acted
        };
        match (self.job, acted) {
            (Job::Allow, Acted::Done) if without!(self, SayEarly) => self.unlock(Then::Rule(rule + 1), now),
            (_, Acted::Done) => self.look(rule),
            // Whatever a lost reply hides, the group shows. However often it was tried: what was sent may be
            // under way, and whoever gets the lock next would write beside it.
            (_, Acted::Unknown) => {
                self.attempts += 1;
                self.look(rule)
            }
            (_, Acted::Busy { .. }) if self.out_of_time(now) => {
                self.hindered(Obstacle::Unseen);
                self.unlock(Then::Stop, now)
            }
            (_, Acted::Busy { seconds }) => self.pause_for(seconds, At::Rechecking(rule)),
            (_, Acted::Later { seconds }) => self.put_off(rule, now.plus(seconds), now),
            (Job::Allow, Acted::Conflict) => {
                self.replan(Failure::Refused { code: "SecurityRuleConflict".to_owned() }, now)
            }
            (Job::Allow, Acted::Locked) => self
                .unlock(Then::End(Cause::Failed(Failure::Refused { code: "ScopeLocked".to_owned() })), now),
            (Job::Allow, Acted::Refused(code)) => {
                self.unlock(Then::End(Cause::Failed(Failure::Refused { code })), now)
            }
            (Job::Delete | Job::Sweep, Acted::Locked) => {
                if without!(self, GiveUp) {
                    self.ends[rule] = RuleEnd::Gone;
                    return self.unlock(Then::Rule(rule + 1), now);
                }
                self.refused(rule, Obstacle::Lock)
            }
            (Job::Delete | Job::Sweep, Acted::Refused(code)) => {
                self.refused(rule, Obstacle::Refused { code })
            }
            (_, Acted::Conflict | Acted::Locked | Acted::Refused(_)) => {
                self.unlock(Then::Rule(rule + 1), now)
            }
        }
    }

    /// A call brought nothing: again, as often as is allowed.
    fn in_vain(&mut self, rule: usize, now: Timestamp, again: fn(&mut Self, usize) -> Call) -> Call {
        if self.tries_again(now) { again(self, rule) } else { self.give_up(rule, now) }
    }

    fn tries_again(&mut self, now: Timestamp) -> bool {
        self.attempts += 1;
        self.attempts < self.tempo.attempts && !self.out_of_time(now)
    }

    fn looks_again(&mut self, now: Timestamp) -> bool {
        self.unanswered += 1;
        self.unanswered < self.tempo.attempts && !self.out_of_time(now)
    }

    /// The rule is left as it is: an opening is abandoned, a closing carries on at its next try.
    fn give_up(&mut self, rule: usize, now: Timestamp) -> Call {
        self.hindered(Obstacle::Unseen);
        match self.job {
            Job::Allow => self.unlock(Then::End(Cause::Failed(Failure::NoAnswer)), now),
            Job::Deny | Job::Delete | Job::Compare | Job::Sweep => self.unlock(Then::Rule(rule + 1), now),
        }
    }

    /// Azure wants to be asked later than this drive lasts. An opening waits for that moment, and so
    /// does this rule of a closing; its other rules are gone on with.
    fn put_off(&mut self, rule: usize, until: Timestamp, now: Timestamp) -> Call {
        self.not_before[rule] = Some(until);
        self.hindered(Obstacle::Unseen);
        let then = if self.job == Job::Allow { Then::Delay } else { Then::Rule(rule + 1) };
        self.unlock(then, now)
    }

    fn replan(&mut self, or_else: Failure, now: Timestamp) -> Call {
        self.replans += 1;
        if self.replans > self.tempo.attempts {
            return self.unlock(Then::End(Cause::Failed(or_else)), now);
        }
        // The turn is kept: a crowd of ours that is placed at once would else take the same number
        // again and again.
        self.check()
    }
}
