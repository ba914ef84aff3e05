//! What is said around an end that somebody wants: the form by which a request is denied, and the answers to who ends a
//! grant early.

use super::*;
use crate::lifecycle::{Record, State};
use crate::request::{Justification, Malformed, TermsDigest};

/// The form by which a request is denied.
pub const DENY_FORM: &str = "deny";

/// Its one field: its block and its action.
pub const REASON: &str = "reason";

/// The form that asks an approver why they deny. It carries the value of the button that opened it.
pub fn deny_form(ask: &Ask) -> Value {
    let text = format!(
        "{} asks for {}. Your reason is shown on the card, and to them.",
        mention(&ask.wish.requester),
        terms(ask)
    );
    json!({
        "type": "modal",
        "callback_id": DENY_FORM,
        "private_metadata": crate::click::button_value(ask.wish.id, &TermsDigest::of(ask)),
        "title": plain("Deny the request"),
        "submit": plain("Deny"),
        "close": plain("Cancel"),
        "blocks": [section(&text), {
            "type": "input",
            "block_id": REASON,
            "label": plain("Why?"),
            "element": {
                "type": "plain_text_input",
                "action_id": REASON,
                "max_length": Justification::MAX_CHARS,
                "placeholder": plain("The audit runs until Friday"),
            },
        }],
    })
}

/// What is wrong with the reason, for Slack to show beside it.
pub fn reason_problem(why: &Malformed) -> Value {
    let text = match why {
        Malformed::JustificationEmpty => "Write why: whoever asked reads it.".to_owned(),
        other => format!("{}.", capital(&other.to_string())),
    };
    json!({"response_action": "errors", "errors": {REASON: text}})
}

/// To who has ended it, before it is shut.
pub fn ending(record: &Record) -> String {
    let wish = record.wish();
    match record.state() {
        State::Draft(_) | State::Pending(_) | State::Closed(_) => {
            format!("You have taken {} back. Nothing was opened. Ref {}", place(wish), wish.id)
        }
        _ => format!(
            "You have ended {}. It is being shut; its card says when it is. Ref {}",
            place(wish),
            wish.id
        ),
    }
}

/// Why nothing was ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotEnded {
    /// There is no such request, as far as this person may know.
    NoSuchRequest,
    /// Nothing of theirs, or that they may end, waits or is open on the machine.
    Nothing {
        /// The machine as it was named.
        machine: MachineQuery,
    },
    /// Several people's grants that this person may end.
    Several {
        /// Each with its requester and its reference.
        all: Vec<(UserId, crate::request::RequestId)>,
    },
    /// Somebody who may not end it.
    NotEntitled {
        /// Whose it is.
        requester: UserId,
    },
    /// It waits for a decision of this person, who wants to end it.
    Undecided,
    /// It is being shut already.
    AlreadyClosing,
    /// It is over.
    Over {
        /// Since when.
        at: Timestamp,
    },
}

/// The sentence to somebody who could end nothing.
pub fn not_ended(why: &NotEnded, rule: Option<&Rule>) -> String {
    match why {
        NotEnded::NoSuchRequest => {
            "There is no such request. Type `/jit close` with the machine, like `/jit close VM3 22`."
                .to_owned()
        }
        NotEnded::Nothing { machine } => format!(
            "Nothing that you could end waits or is open on `{machine}`. Only who asked for it, who could approve it and admins end a grant."
        ),
        NotEnded::Several { all } => {
            let each = all.iter().map(|(who, id)| format!("`/jit close {id}` for {}", mention(who)));
            format!(
                "Several people have it open, or about to be. Type {}.",
                listed(&each.collect::<Vec<_>>(), "or")
            )
        }
        NotEnded::NotEntitled { requester } => {
            let approvers = rule.map(Rule::approvers).unwrap_or_default();
            let all = [mention(requester)].into_iter().chain(approvers.iter().map(whose));
            let all: Vec<String> = all.chain(["admins".to_owned()]).collect();
            format!("You cannot end this; {} can.", listed(&all, "and"))
        }
        NotEnded::Undecided => "It waits for a decision. Press *Deny* on its card.".to_owned(),
        NotEnded::AlreadyClosing => "It is being shut already; its card says when it is.".to_owned(),
        NotEnded::Over { at } => format!("Too late: it has ended at {} already.", moment(*at)),
    }
}
