//! The names of all error variants. A variant that is added to a type must be added here, or this
//! does not compile; what is here must come up in the table.

use access::address::NotSent;
use access::click::ClickError;
use access::command::CommandError;
use access::evidence::Unproven;
use access::lifecycle::{Cause, Corrupt, Failure, NetworkFault, NotNow};
use access::machine::Unfit;
use access::policy::NotAllowed;
use access::request::Malformed;
use access::signature::SignatureError;
use access::wording::ClickRefusal;
use edge::config::ConfigError;

pub(crate) trait Named {
    fn name(&self) -> &'static str;
}

macro_rules! variants {
    ($($type:ident { $($variant:ident),* $(,)? })*) => {
        pub(crate) const ALL: &[&str] =
            &[$($(concat!(stringify!($type), "::", stringify!($variant))),*),*];
        $(impl Named for $type {
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => concat!(stringify!($type), "::", stringify!($variant)),)*
                }
            }
        })*
    };
}

variants! {
    Malformed {
        RequestId, UserId, MachineName, ResourceId, Port, PortCount, Source, SourceUnusable,
        JustificationLength, JustificationEmpty, Installation,
    }
    CommandError {
        PortMissing, MachinesMissing, TooManyMachines, Malformed, Duration, Dangling, Unexpected, Reasonless, Twice,
        CloseWhat, MoveWhat, UnfreezeWhom, ReferenceMissing, Reference, WhyWhat,
    }
    SignatureError { Scheme, Timestamp, Window, Wrong }
    ClickError { Body, Kind, App, Button }
    NotAllowed {
        Machine, Requester, Port, Duration, Source, Justification, NotEnabled, BreakGlass, NobodyCouldApprove,
    }
    ClickRefusal {
        NoSuchRequest, OtherTerms, OwnRequest, NotEntitled, AlreadyApproved, Lapsed, Decided, NoBreakGlass, NoMove,
        GroupsUnknown, Frozen, OldCard,
    }
    NotSent {
        Unknown, Expired, Used, TakenBack, OtherSite, Unusable, OtherFamily, Outside, SameAddress, Changed,
        GroupsUnknown,
    }
    NotNow { State, OwnRequest, AlreadyApproved, Lapsed }
    Corrupt { Status, Lacks, Hash }
    ConfigError { Missing, Malformed, File, Policy, Secret, Http }
    Unproven {
        Signature, Click, NotApprove, NotBreakGlass, NotMove, NothingMoved, OtherRange, NotOpen, Moved, OtherRequest, OtherTerms, OtherPerson, NotEntitled, OwnRequest, TooFew,
        TooOld, EarlierTooOld, EndsTooLate, Policy, Frozen,
    }
    NetworkFault { MachineGone, AddressChanged, NotRunning, Unshielded, GroupsChanged, NoRoom, Fenced }
    Failure { Evidence, Network, Refused, NoAnswer, Throttled, LockedDown, Overruled, Contradicted }
    Cause { Expired, Revoked, Moved, Disowned, Failed, Altered, Vanished, MachineGone, WayChanged, Overruled }
    Unfit { Gone, Off, Unshielded, OtherFamily, NoAddress }
}
