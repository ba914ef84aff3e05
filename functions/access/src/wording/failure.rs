//! Why a grant was not opened, or ended, and what somebody has to do about it.

use super::*;

/// Why a grant was not opened.
pub(super) fn failure(why: &Failure, means: Means) -> String {
    match why {
        Failure::Evidence(unproven) => {
            let what = match means {
                Means::Approval => "approval",
                Means::BreakGlass => "break-glass",
                Means::OwnMove => "move",
            };
            format!("The {what} does not hold: {}.", evidence(unproven))
        }
        Failure::Network(fault) => network(fault),
        Failure::Refused { code } => {
            format!("Azure refused the rule ({}). {}", word(code), remedy(code))
        }
        Failure::NoAnswer => "Azure did not answer, three times in a row.".to_owned(),
        Failure::Throttled => {
            "Azure takes no changes before its time would be over. Ask again in ten minutes.".to_owned()
        }
        Failure::LockedDown { by } => {
            format!("{} has locked it down: nothing is opened until an admin lifts that.", mention(by))
        }
        Failure::Overruled { by } => format!("The rule `{}` decides before ours.", word(by)),
        Failure::Contradicted { by } => format!(
            "Azure says that `{}` denies the connection although our rule was in place: ask whoever runs the network.",
            word(by)
        ),
    }
}

/// What somebody has to do, so that Azure does not refuse again.
pub(super) fn remedy(code: &str) -> &'static str {
    match code {
        "SecurityRuleCountLimitReached" => {
            "The security group is full: it holds 1,000 rules. Ask its owner to delete some."
        }
        "AuthorizationFailed" | "LinkedAuthorizationFailed" => {
            "Ask an Azure admin to give Ajar its role on this security group."
        }
        "RequestDisallowedByPolicy" => {
            "A policy in Azure forbids such a rule. Ask an Azure admin for an exemption."
        }
        "ScopeLocked" => {
            "A lock in Azure forbids to change the security group. Ask its owner to take it off."
        }
        "SubscriptionNotFound" => {
            "Ajar does not see the subscription. Ask an Azure admin to give Ajar its role there."
        }
        "SecurityRuleConflict" => {
            "Somebody else writes rules to the security group just now. Ask again in a minute."
        }
        _ => "Show this to whoever installed Ajar.",
    }
}

pub(super) fn evidence(why: &Unproven) -> String {
    match why {
        Unproven::NotEntitled { user } => format!("{} may not approve this", mention(user)),
        Unproven::Frozen { user } => {
            format!("clicks of {} do not count until an admin lifts that", mention(user))
        }
        Unproven::Moved(why) => {
            format!("the grant that it moves was not rightly approved ({})", evidence(why))
        }
        other => escaped(&other.to_string()),
    }
}

pub(super) fn network(fault: &NetworkFault) -> String {
    match fault {
        NetworkFault::MachineGone => "The machine does not exist any more in Azure.".to_owned(),
        NetworkFault::AddressChanged => {
            "The machine's private address is not the one that was approved.".to_owned()
        }
        NetworkFault::NotRunning { power } => {
            format!("The machine is {}: start it in Azure, then ask again.", off(*power))
        }
        NetworkFault::Unshielded => "Nothing shields the machine: it is already open.".to_owned(),
        NetworkFault::GroupsChanged => "The security groups on the way have changed meanwhile.".to_owned(),
        NetworkFault::NoRoom { before, nsg } => {
            format!("In `{}` no number is free before the rule `{}`, which denies.", word(nsg), word(before))
        }
        NetworkFault::Fenced { nsg, only } => {
            format!(
                "The way to the machine leads through `{}`, and this installation may only touch `{}`.",
                word(nsg),
                word(only)
            )
        }
    }
}

/// Why a grant ended.
pub(super) fn ended(cause: &Cause, means: Means) -> String {
    match cause {
        Cause::Expired => "Its time is over.".to_owned(),
        Cause::Revoked { by } => format!("{} ended it early.", mention(by)),
        Cause::Moved { by, to } => format!("{} moved it to another address, with {to}.", mention(by)),
        Cause::Disowned { by } => {
            format!("{} says that the approval in their name is not theirs.", mention(by))
        }
        Cause::Failed(why) => failure(why, means),
        Cause::Altered => "Somebody else changed its rule in Azure.".to_owned(),
        Cause::Vanished => "Somebody else deleted its rule in Azure.".to_owned(),
        Cause::Overruled { by } => format!("The rule `{}` came before ours.", word(by)),
        Cause::MachineGone => network(&NetworkFault::MachineGone),
        Cause::WayChanged => "The way to the machine has changed meanwhile.".to_owned(),
    }
}
