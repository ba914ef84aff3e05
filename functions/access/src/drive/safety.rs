//! The safety rules that can be taken away, in the model check only.

/// A safety rule of the design that lives here, taken away: the model check does so, one at a time,
/// to see that it would notice. There is no such switch outside of it.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Safety {
    /// All hold.
    Whole,
    /// Rule 1 taken away: the rule is written before the plan is recorded.
    NoIntent,
    /// Rule 3 taken away: no answer counts as done.
    UnknownIsDone,
    /// Rule 4 taken away: the clock and the record are not read again before a PUT.
    NoRecheck,
    /// Rule 5 taken away: closed requests are not compared with Azure.
    NoSweep,
    /// Rule 6 taken away: no lock.
    NoLock,
    /// Rule 6 taken away in part: the lock is given back while Azure is at what was written under it.
    LockGivenBack,
    /// Rule 8 taken away: a refused delete ends it.
    GiveUp,
    /// Rule 9 taken away: open is said without having seen the rules.
    SayEarly,
}

/// Whether a safety rule was taken away.
#[cfg(test)]
macro_rules! without {
    ($drive:expr, $rule:ident) => {
        $drive.safety == Safety::$rule
    };
}
/// Outside the model check none ever is.
#[cfg(not(test))]
macro_rules! without {
    ($drive:expr, $rule:ident) => {
        false
    };
}
