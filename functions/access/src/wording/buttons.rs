//! The buttons of a request's card and of messages about it.

use super::{Ask, place, plain};
use crate::click::{Action, button_value};
use crate::request::TermsDigest;
use serde_json::{Value, json};

/// A button about a request.
pub(super) fn button(ask: &Ask, action: Action, text: &str) -> Value {
    json!({
        "type": "button",
        "action_id": action.id(),
        "text": plain(text),
        "value": button_value(ask.wish.id, &TermsDigest::of(ask)),
        "accessibility_label": format!("{text} {}", place(&ask.wish)).chars().take(75).collect::<String>(),
    })
}

/// The buttons of who decides.
pub(super) fn deciding(ask: &Ask) -> Value {
    let mut approve = button(ask, Action::Approve, "Approve");
    approve["style"] = json!("primary");
    let mut deny = button(ask, Action::Deny, "Deny");
    deny["style"] = json!("danger");
    json!({"type": "actions", "block_id": format!("decide-{}", ask.wish.id), "elements": [approve, deny]})
}

/// The button by which a grant is ended early.
pub(super) fn ending(ask: &Ask) -> Value {
    let mut end = button(ask, Action::End, "End now");
    end["confirm"] = json!({
        "title": plain("End it now?"),
        "text": plain(&format!("The rule for {} is removed. Sessions that are open then are not cut.", place(&ask.wish))),
        "confirm": plain("End now"),
        "deny": plain("Keep it open"),
    });
    json!({"type": "actions", "block_id": format!("end-{}", ask.wish.id), "elements": [end]})
}
