//! What is said to whoever clicked in vain.

use super::*;

/// Why a click changed nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClickRefusal {
    /// There is no such request.
    NoSuchRequest,
    /// The button shows other terms than the record has.
    OtherTerms,
    /// The requester clicked.
    OwnRequest,
    /// Somebody who may not decide.
    NotEntitled,
    /// A second yes.
    AlreadyApproved,
    /// Its time is over.
    Lapsed {
        /// When.
        at: Timestamp,
    },
    /// It is decided.
    Decided {
        /// What was decided, `approved` or `denied`; or how it ended.
        what: &'static str,
        /// By whom.
        by: Option<UserId>,
        /// When.
        at: Timestamp,
    },
    /// Somebody who may not open without approval.
    NoBreakGlass,
    /// Somebody who may not move this without approval.
    NoMove {
        /// Which request.
        request: RequestId,
    },
    /// Slack did not say who is in a user group.
    GroupsUnknown,
    /// Somebody whose clicks do not count.
    Frozen {
        /// Who.
        user: UserId,
        /// Since when.
        since: Timestamp,
    },
    /// The button is on a card of the request that a newer one has replaced.
    OldCard {
        /// Which request.
        request: RequestId,
    },
}

/// The sentence to somebody whose click changed nothing.
pub fn refused_click(why: &ClickRefusal, rule: Option<&Rule>) -> String {
    match why {
        ClickRefusal::NoSuchRequest => "This request does not exist any more. Nothing was changed.".to_owned(),
        ClickRefusal::OtherTerms => {
            "This card does not show what the request says now, so it cannot be decided from here. Nothing was changed.".to_owned()
        }
        ClickRefusal::OwnRequest => "You asked for this yourself; somebody else has to decide.".to_owned(),
        ClickRefusal::NotEntitled => {
            rule.map_or_else(
                || "No rule of the policy is about this machine any more, so nobody can decide on this request. Nothing was changed.".to_owned(),
                |rule| format!("You cannot decide on this request; {} can.", people(rule.approvers())),
            )
        }
        ClickRefusal::AlreadyApproved => "You have approved this already; it waits for somebody else.".to_owned(),
        ClickRefusal::Lapsed { at } => format!("Too late: this request lapsed at {}. Nothing was opened.", moment(*at)),
        ClickRefusal::Decided { what, by: Some(by), at } => {
            format!("Too late: {} {what} this at {}.", mention(by), moment(*at))
        }
        ClickRefusal::Decided { what, by: None, at } => format!("Too late: this request {what} at {}.", moment(*at)),
        ClickRefusal::NoBreakGlass => glass::not_allowed(rule),
        ClickRefusal::NoMove { request } => format!(
            "The policy does not let you move this without approval. Take it back with `/jit close` and its reference; then the same line asks for approval. Ref {request}"
        ),
        ClickRefusal::Frozen { user, since } => you_are_frozen(user, *since),
        ClickRefusal::GroupsUnknown => {
            "Slack did not say who may decide on this. Nothing was changed; click again in a minute.".to_owned()
        }
        // This stands where the card was, for everybody to read.
        ClickRefusal::OldCard { request } => format!(
            "This was an old card of a request. Its buttons did nothing any more, and nothing was changed; the request's newest card counts. Ref {request}"
        ),
    }
}
