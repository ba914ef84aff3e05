//! Why a grant is not opened, why it ends, and how far its end has come.

use crate::request::{Justification, RequestId, UserId};
use serde::{Deserialize, Serialize};

/// Why a grant could not be opened.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The signed clicks do not cover what the record says.
    Evidence(crate::evidence::Unproven),
    /// The machine or the way to it is not as it was when the request was made.
    Network(NetworkFault),
    /// Azure refused the rule.
    Refused {
        /// Azure's error code.
        code: String,
    },
    /// Azure did not answer, three times.
    NoAnswer,
    /// Azure takes no changes before the grant would be over.
    Throttled,
    /// An admin has locked it down.
    LockedDown {
        /// Who.
        by: crate::request::UserId,
    },
    /// The rule stands but another one decides.
    Overruled {
        /// The rule that decides.
        by: String,
    },
    /// By the groups' rules it was open, and Azure's own check said otherwise for too long.
    Contradicted {
        /// The rule that decides: one that no group shows, or whatever has not yet reached the packets.
        by: String,
    },
}

/// What is wrong with the way to the machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkFault {
    /// The machine does not exist any more.
    MachineGone,
    /// The private address is not the one that was approved.
    AddressChanged,
    /// The machine does not run: nobody could connect.
    NotRunning {
        /// Stopped or deallocated.
        power: crate::machine::Power,
    },
    /// No network security group shields the machine: it is open already.
    Unshielded,
    /// The groups on the way are not those that were planned.
    GroupsChanged,
    /// No free priority before the rule that denies.
    NoRoom {
        /// The rule in the way.
        before: String,
        /// The network security group.
        nsg: String,
    },
    /// The way leads through a group that this installation may not touch.
    Fenced {
        /// That group.
        nsg: String,
        /// The one that it may touch.
        only: String,
    },
}

/// Why a grant is being closed.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The lease is over.
    Expired,
    /// Somebody ended it.
    Revoked {
        /// Who.
        by: UserId,
    },
    /// Its requester has moved it to another address: the other grant is open.
    Moved {
        /// Who.
        by: UserId,
        /// The other grant.
        to: RequestId,
    },
    /// Somebody says that an approval in their name is not theirs.
    Disowned {
        /// Who.
        by: UserId,
    },
    /// It could not be opened.
    Failed(Failure),
    /// The rule was changed by somebody else.
    Altered,
    /// The rule was deleted by somebody else.
    Vanished,
    /// It was open; then another rule came before ours and decides.
    Overruled {
        /// The rule that decides.
        by: String,
    },
    /// The machine was deleted.
    MachineGone,
    /// While it was open, a group came on the way to the machine or left it, or the machine's address moved.
    WayChanged,
}

/// How a request ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closure {
    /// Nobody decided in time.
    Lapsed,
    /// The requester took it back.
    Cancelled,
    /// An approver said no.
    Denied {
        /// Who.
        by: UserId,
        /// Why, in their words; absent where an admin took away what was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Justification>,
    },
    /// Somebody says that an approval in their name is not theirs, before enough had approved.
    Disowned {
        /// Who.
        by: UserId,
    },
    /// It was granted and has ended.
    Ended(Cause),
}

/// How far the end of one planned rule has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleEnd {
    /// It may still let somebody in.
    Standing,
    /// It may still let somebody in, and Azure refuses to delete it, because of a lock or otherwise:
    /// `grant` must turn it into Deny.
    Locked,
    /// It denies. Shut, but not yet removed.
    Denied,
    /// It was seen gone.
    Gone,
}

/// What kept a try to shut a grant from its end. Who can act depends on it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// A lock in Azure forbids it; the rule was seen.
    Lock,
    /// Azure refuses it; the rule was seen.
    Refused {
        /// Azure's error code.
        code: String,
    },
    /// Azure takes the call and does not finish it.
    Unfinished,
    /// Azure gives no answer that tells how the rule stands.
    Unseen,
}

impl Obstacle {
    /// Whether the rule was seen all the same, so that it may be said that it stands.
    pub const fn was_seen(&self) -> bool {
        matches!(self, Self::Lock | Self::Refused { .. })
    }
}

/// What the evaluated rules say of the flow at the end: shut, or open by a rule that is not ours.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// At least one group on the way denies the flow.
    Shut {
        /// The rule that decides.
        by: String,
        /// Whether Azure's own check has said the same. Records of earlier versions do not say.
        #[serde(default)]
        confirmed: bool,
    },
    /// Every group on the way allows it without us.
    StillOpen {
        /// The rule that allows.
        by: String,
    },
    /// No rule of ours is left, but whether the rest denies could not be told.
    Unclear,
}

/// What showed that a grant is open: in each group the evaluated rules let the flow pass.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct OpenProof {
    /// The rule that decides in each planned rule's group, in their order. Empty in records of earlier
    /// versions, which did not keep it.
    pub decided_by: Vec<String>,
    /// Whether Azure's own check has said the same; of a prefix it was asked about the first address.
    pub confirmed: bool,
}
