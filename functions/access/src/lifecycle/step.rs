//! What is to be done now, and when somebody must look again.

use super::*;

/// The lengths of time that the lifecycle goes by, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tempo {
    /// Approved, Opening or Closing without a driver for this long: its function is told again.
    pub idle_seconds: u64,
    /// A closed request that was ever planned is compared with Azure for this long after its last change.
    pub sweep_seconds: u64,
    /// Between two tries to shut what is not shut.
    pub retry_seconds: u64,
    /// Between two tries to remove a rule that denies already.
    pub locked_retry_seconds: u64,
    /// After this long a delete goes without the lock.
    pub delete_patience_seconds: u64,
    /// For this long after a plan was recorded, that Azure's own check denies the flow may be because what
    /// was written has not reached the packets yet (testers saw up to 80 s).
    pub propagation_seconds: u64,
    /// The longest that one drive takes; what is not finished is taken up again.
    pub budget_seconds: u64,
    /// How often a call without an answer is repeated within one drive.
    pub attempts: u8,
}

impl Tempo {
    /// As deployed.
    pub const DEPLOYED: Self = Self {
        idle_seconds: 60,
        sweep_seconds: 30 * 60,
        retry_seconds: 60,
        locked_retry_seconds: 60 * 60,
        delete_patience_seconds: 20,
        propagation_seconds: 120,
        budget_seconds: 40,
        attempts: 3,
    };
}

/// What is to be done with a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// Nothing before this moment, or nothing at all.
    Wait(Option<Timestamp>),
    /// Close it: nobody decided in time.
    Lapse,
    /// Record that it must be shut.
    End(Cause),
    /// Check the evidence, look at the way to the machine, and record a plan.
    Plan,
    /// Write the planned rules and see them in place.
    PutRules,
    /// Compare the rules of an open grant with Azure.
    Compare,
    /// Delete the planned rules and see them gone.
    DeleteRules,
    /// Turn the rules that a lock protects into Deny.
    DenyRules,
    /// Look whether a rule of this closed request has appeared; delete it.
    Sweep,
    /// It was compared for long enough.
    Settle,
}

impl Step {
    /// Whether the function `grant` does this: it alone writes rules.
    pub const fn is_for_grant(&self) -> bool {
        matches!(self, Self::Plan | Self::PutRules | Self::DenyRules)
    }
}

/// The one place that decides what is next, for every function and every trigger.
pub fn next_step(record: &Record, now: Timestamp, tempo: &Tempo) -> Step {
    let over = |granted: &Granted| now >= granted.expires_at;
    match &record.state {
        State::Draft(Draft { wish, .. }) => lapse_or_wait(wish.lapses_at, now),
        State::Pending(pending) => lapse_or_wait(pending.ask.wish.lapses_at, now),
        State::Approved(Approved { granted, .. })
        | State::Opening(Opening { granted, .. })
        | State::Open(Open { granted, .. })
            if over(granted) =>
        {
            Step::End(Cause::Expired)
        }
        State::Approved(Approved { granted, retry_at: Some(at) })
        | State::Opening(Opening { granted, retry_at: Some(at), .. })
            if now < *at =>
        {
            Step::Wait(Some(granted.expires_at.min(*at)))
        }
        State::Approved(_) => Step::Plan,
        State::Opening(_) => Step::PutRules,
        State::Open(_) => Step::Compare,
        State::Closing(closing) => closing_step(closing, now),
        State::Closed(Closed { settled: true, .. } | Closed { plan: None, .. }) => Step::Wait(None),
        State::Closed(closed)
            if closed.late.contains(&RuleEnd::Locked)
                && now < record.changed_at.plus(tempo.retry_seconds) =>
        {
            Step::DenyRules
        }
        // From its last change on, not from its end: what was done about a late rule can be late too.
        State::Closed(_) if now < record.changed_at.plus(tempo.sweep_seconds) => Step::Sweep,
        State::Closed(_) => Step::Settle,
    }
}

fn lapse_or_wait(lapses_at: Timestamp, now: Timestamp) -> Step {
    if now >= lapses_at { Step::Lapse } else { Step::Wait(Some(lapses_at)) }
}

fn closing_step(closing: &Closing, now: Timestamp) -> Step {
    if now >= closing.retry_at {
        Step::DeleteRules
    } else if closing.ends.contains(&RuleEnd::Locked) {
        Step::DenyRules
    } else {
        Step::Wait(Some(closing.retry_at))
    }
}

/// When the minute's tick must look at the record again; `None` once nothing is left to do.
///
/// A grant that is being opened is looked at when it ends and, so that a lost or crashed driver is
/// replaced, when it has not changed for a while.
pub fn due_at(record: &Record, tempo: &Tempo) -> Option<Timestamp> {
    match &record.state {
        State::Draft(draft) => Some(draft.wish.lapses_at),
        State::Pending(pending) => Some(pending.ask.wish.lapses_at),
        State::Approved(Approved { granted, retry_at })
        | State::Opening(Opening { granted, retry_at, .. }) => {
            let again_at = retry_at.unwrap_or_else(|| record.changed_at.plus(tempo.idle_seconds));
            Some(granted.expires_at.min(again_at))
        }
        State::Open(open) => Some(open.granted.expires_at),
        State::Closing(closing) => Some(closing.retry_at),
        State::Closed(closed) => (!closed.settled && closed.plan.is_some()).then_some(closed.closed_at),
    }
}

/// Whether the function `grant` has something to do with the record as it is: it alone writes rules.
pub fn wants_grant(record: &Record) -> bool {
    match &record.state {
        State::Approved(_) | State::Opening(_) => true,
        State::Closing(closing) => closing.ends.contains(&RuleEnd::Locked),
        State::Closed(closed) => closed.late.contains(&RuleEnd::Locked),
        State::Draft(_) | State::Pending(_) | State::Open(_) => false,
    }
}
