//! Where a driver is, and what it is at.

use crate::lifecycle::{Cause, Obstacle};

/// Where the driver is: which answer it waits for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum At {
    Reading,
    Writing,
    Checking,
    Locking(usize),
    Rechecking(usize),
    Acting(usize),
    Looking(usize),
    /// A look at a rule that Azure refuses to delete.
    Barred(usize, Obstacle),
    /// A look before anything is written: compare and sweep begin so.
    Peeking(usize),
    /// Azure's own check is asked.
    Confirming,
    Pausing(Box<Self>),
    Unlocking(Then),
    Stopped,
}

/// What comes after the lock was given back, or left.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Then {
    Rule(usize),
    Reread,
    End(Cause),
    Delay,
    Stop,
    LockAgain(usize),
}

/// What is being done to every rule in turn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Job {
    Allow,
    Deny,
    Delete,
    Compare,
    Sweep,
}
