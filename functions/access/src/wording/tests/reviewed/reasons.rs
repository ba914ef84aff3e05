//! Why something was not opened, or ended: sentences that cards and messages have in them.

use super::samples::*;
use super::*;
use crate::machine::Power;

pub(super) fn failures() -> Vec<Failure> {
    every!(Failure {
        Failure::Evidence(_) => [Failure::Evidence(Unproven::TooOld)],
        Failure::Network(_) => [Failure::Network(NetworkFault::MachineGone)],
        Failure::Refused { .. } => [
            Failure::Refused { code: "SecurityRuleCountLimitReached".to_owned() },
            Failure::Refused { code: "AuthorizationFailed".to_owned() },
            Failure::Refused { code: "RequestDisallowedByPolicy".to_owned() },
            Failure::Refused { code: "ScopeLocked".to_owned() },
            Failure::Refused { code: "SubscriptionNotFound".to_owned() },
            Failure::Refused { code: "SecurityRuleConflict".to_owned() },
            Failure::Refused { code: "SecurityRuleInvalidPriority".to_owned() },
        ],
        Failure::NoAnswer => [Failure::NoAnswer],
        Failure::Throttled => [Failure::Throttled],
        Failure::LockedDown { .. } => [Failure::LockedDown { by: user("U0CHRIS") }],
        Failure::Overruled { .. } => [Failure::Overruled { by: "deny-all".to_owned() }],
        Failure::Contradicted { .. } => [Failure::Contradicted { by: "admin-deny".to_owned() }],
    })
}

pub(super) fn causes() -> Vec<Cause> {
    every!(Cause {
        Cause::Expired => [Cause::Expired],
        Cause::Revoked { .. } => [Cause::Revoked { by: ana() }],
        Cause::Disowned { .. } => [Cause::Disowned { by: bea() }],
        Cause::Moved { .. } => [Cause::Moved { by: ana(), to: "7F3K9-QXM2Q".parse().unwrap() }],
        Cause::Failed(_) => [Cause::Failed(Failure::NoAnswer)],
        Cause::Altered => [Cause::Altered],
        Cause::Vanished => [Cause::Vanished],
        Cause::Overruled { .. } => [Cause::Overruled { by: "deny-all".to_owned() }],
        Cause::MachineGone => [Cause::MachineGone],
        Cause::WayChanged => [Cause::WayChanged],
    })
}

pub(super) fn faults() -> Vec<NetworkFault> {
    every!(NetworkFault {
        NetworkFault::MachineGone => [NetworkFault::MachineGone],
        NetworkFault::AddressChanged => [NetworkFault::AddressChanged],
        NetworkFault::NotRunning { .. } => [
            NetworkFault::NotRunning { power: Power::Deallocated }, NetworkFault::NotRunning { power: Power::Stopped },
        ],
        NetworkFault::Unshielded => [NetworkFault::Unshielded],
        NetworkFault::GroupsChanged => [NetworkFault::GroupsChanged],
        NetworkFault::NoRoom { .. } => [NetworkFault::NoRoom { before: "deny-all".to_owned(), nsg: "Contoso-NSG".to_owned() }],
        NetworkFault::Fenced { .. } => [NetworkFault::Fenced { nsg: "VM3-nsg".to_owned(), only: "Contoso-NSG".to_owned() }],
    })
}

pub(super) fn unproven() -> Vec<Unproven> {
    let longest = crate::lease::Ttl::from_minutes(180).unwrap();
    let policy = NotAllowed::Duration { rule: "contoso".to_owned(), longest };
    every!(Unproven {
        Unproven::Signature => [Unproven::Signature],
        Unproven::Click(_) => [Unproven::Click(crate::click::ClickError::Body)],
        Unproven::NotApprove => [Unproven::NotApprove],
        Unproven::NotBreakGlass => [Unproven::NotBreakGlass],
        Unproven::NotMove => [Unproven::NotMove],
        Unproven::NothingMoved => [Unproven::NothingMoved],
        Unproven::OtherRange => [Unproven::OtherRange],
        Unproven::NotOpen => [Unproven::NotOpen],
        Unproven::Moved(_) => [Unproven::Moved(Box::new(Unproven::TooFew { got: 1, needed: 2 }))],
        Unproven::OtherRequest => [Unproven::OtherRequest],
        Unproven::OtherTerms => [Unproven::OtherTerms],
        Unproven::OtherPerson => [Unproven::OtherPerson],
        Unproven::NotEntitled { .. } => [Unproven::NotEntitled { user: bea() }],
        Unproven::Frozen { .. } => [Unproven::Frozen { user: bea() }],
        Unproven::OwnRequest => [Unproven::OwnRequest],
        Unproven::TooFew { .. } => [Unproven::TooFew { got: 1, needed: 2 }],
        Unproven::TooOld => [Unproven::TooOld],
        Unproven::EarlierTooOld => [Unproven::EarlierTooOld],
        Unproven::EndsTooLate => [Unproven::EndsTooLate],
        Unproven::Policy(_) => [Unproven::Policy(policy)],
    })
}

pub(super) fn fill(album: &mut Album) {
    let kind = |debug: String| debug.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
    for cause in causes() {
        album.words(&format!("it ends: {}", kind(format!("{cause:?}"))), &ended(&cause, Means::Approval));
    }
    for failure in failures() {
        let said = failure::failure(&failure, Means::Approval);
        album.words(&format!("it was not opened: {}", kind(format!("{failure:?}"))), &said);
    }
    for fault in faults() {
        let said = failure::network(&fault);
        album.words(&format!("the way to the machine: {}", kind(format!("{fault:?}"))), &said);
    }
    for unproven in unproven() {
        let said = failure::failure(&Failure::Evidence(unproven.clone()), Means::Approval);
        album.words(&format!("the clicks do not prove it: {}", kind(format!("{unproven:?}"))), &said);
    }
    let glass = failure::failure(&Failure::Evidence(Unproven::NotBreakGlass), Means::BreakGlass);
    album.words("the click on a break-glass does not prove it", &glass);
}
