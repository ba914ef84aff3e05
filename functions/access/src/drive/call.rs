//! What a driver asks for, and what it may be answered.

use crate::lease::Timestamp;
use crate::lifecycle::{Change, Failure, Plan, Record};

/// Which function drives. `grant` writes rules and never deletes; `revoke` deletes and never writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// The function `grant`.
    Grant,
    /// The function `revoke`.
    Revoke,
}

/// How our rule shall stand in a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// It lets the approved flow pass.
    Allow,
    /// It denies it: the way to shut a rule that a lock protects. The caller moves it behind every
    /// rule of ours that allows.
    Deny,
}

/// A call that the driver wants made. `rule` counts the planned rules from 0.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Call {
    /// Read the record again.
    Read,
    /// Write the change, on the condition that the record still has the version before it.
    Write(Box<Change>),
    /// Check the evidence, ask Azure for the machine and the way to it, and place the rules.
    Check,
    /// Take the lock of the rule's group. `first` asks to be let in before every waiting PUT.
    Lock {
        /// Which planned rule.
        rule: usize,
        /// For a delete.
        first: bool,
    },
    /// Read the record's version and whether the lock is still held, just before a write.
    Recheck {
        /// Which planned rule.
        rule: usize,
    },
    /// Give the lock back.
    Unlock {
        /// Which planned rule.
        rule: usize,
    },
    /// Go without giving the lock back: Azure is still at what was written, and whoever wrote next would
    /// cancel it. The lock ends by itself.
    Leave {
        /// Which planned rule.
        rule: usize,
    },
    /// Write the rule.
    Put {
        /// Which planned rule.
        rule: usize,
        /// How it shall stand.
        access: Access,
    },
    /// Delete the rule.
    Delete {
        /// Which planned rule.
        rule: usize,
    },
    /// Read the group: how the rule stands, and what the rules say of the flow.
    Look {
        /// Which planned rule.
        rule: usize,
    },
    /// Ask Azure's own check what becomes of the approved flow.
    Confirm {
        /// What the rules say: Allow once ours are in place, Deny once they are gone.
        expected: Access,
    },
    /// Wait so many seconds, then go on; 0 is a moment.
    Pause(u64),
    /// Nothing more to do now.
    Stop(Stopped),
}

/// Why a driver stopped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stopped {
    /// Nothing is to be done before the record's next moment, or by this function.
    Idle,
    /// Not finished; the next trigger carries on.
    Later,
    /// The record does not exist.
    Missing,
}

/// The answer to a call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Answer {
    /// To [`Call::Read`].
    Record(Option<Box<Record>>),
    /// To [`Call::Write`].
    Written(Written),
    /// To [`Call::Check`].
    Checked(Checked),
    /// To [`Call::Lock`].
    Locked(Locked),
    /// To [`Call::Recheck`].
    Rechecked {
        /// The record's version now.
        version: u64,
        /// Whether the lock is still held for long enough.
        held: bool,
    },
    /// To [`Call::Put`] and [`Call::Delete`].
    Acted(Acted),
    /// To [`Call::Look`].
    Looked(Sight),
    /// To [`Call::Confirm`].
    Confirmed(Confirmation),
    /// To [`Call::Unlock`], [`Call::Leave`] and [`Call::Pause`].
    Done,
}

/// Whether a group's lock is held now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Locked {
    /// It is.
    Held,
    /// Not yet: deletes go on in this group one after the other, or another drive of this process
    /// writes, and this one's turn comes. None of them waits for another for long.
    InLine,
    /// A writer elsewhere holds it.
    Elsewhere {
        /// Since when this process waits for it.
        since: Timestamp,
    },
}

/// What became of a conditional write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Written {
    /// It is stored.
    Stored,
    /// Somebody else has written since.
    Lost,
    /// No answer.
    Unknown,
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Checked {
    /// All is proved, and these rules would open the way.
    Planned(Plan),
    /// It must not be opened.
    Refused(Failure),
    /// Slack or Azure did not answer.
    NoAnswer,
    /// Azure wants to be asked later.
    Later {
        /// In how many seconds.
        seconds: u64,
    },
}

/// The three answers to a write in Azure: done, refused (in several ways), unknown.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Acted {
    /// Accepted; a delete of an absent rule too.
    Done,
    /// Not done: the same again within this drive.
    Busy {
        /// In how many seconds; 0 is a moment.
        seconds: u64,
    },
    /// Not done: the same again, but not within this drive.
    Later {
        /// In how many seconds.
        seconds: u64,
    },
    /// Another rule has this priority.
    Conflict,
    /// A lock forbids it.
    Locked,
    /// Refused, and the same again would be refused again.
    Refused(String),
    /// No answer: it may or may not have been carried out, or be carried out later.
    Unknown,
}

/// How our rule stands, as the group says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Standing {
    /// There is none.
    Absent,
    /// An operation on it has not ended.
    Changing,
    /// As planned, in force.
    Allow,
    /// Turned into Deny, in force.
    Deny,
    /// Not as planned: somebody else has changed it, or the write failed.
    Altered,
}

/// What the evaluated rules of one group say of the approved flow.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// It passes.
    Allowed {
        /// The rule that decides.
        by: String,
    },
    /// None of it passes.
    Denied {
        /// The rule that decides.
        by: String,
    },
    /// Some of it passes, or it depends on what the rules do not say.
    Unclear {
        /// The rule that leaves it open.
        by: String,
    },
}

/// What a look at a group saw.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Sight {
    /// The group answered.
    Seen {
        /// How our rule stands.
        standing: Standing,
        /// What the rules say of the flow.
        verdict: Verdict,
    },
    /// No answer.
    NoAnswer,
    /// Azure wants to be asked later.
    Later {
        /// In how many seconds.
        seconds: u64,
    },
    /// Azure refuses to show it, until somebody does something about it.
    Refused(String),
}

/// What Azure's own check says of the approved flow.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Confirmation {
    /// Nothing: it is not permitted, there is none, or it did not answer for every port.
    NotSaid,
    /// The same as is expected, for every port.
    Agrees {
        /// The rule that decides.
        by: String,
    },
    /// Otherwise than is expected, for some port.
    Contradicts {
        /// The rule that decides.
        by: String,
        /// Whether that is our rule: then what was written has not yet reached the packets.
        ours: bool,
    },
}
