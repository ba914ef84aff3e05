//! Modals: what a view of the app's must be like, and how Slack keeps it (docs.slack.dev,
//! surfaces/modals, reference/views).

use super::form;
use super::methods::Failure;
use super::store::Store;
use super::{Inner, blocks, world};
use serde_json::{Value, json};

/// Most views of a modal, one over the other.
pub(super) const DEEPEST: usize = 3;
/// Biggest view, in bytes.
const VIEW_BYTES: usize = 250_000;

/// Where a view of the app's comes to stand.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// It opens a modal.
    First,
    /// Over this view.
    Over(&'a Value),
    /// Instead of this view, whose id it takes.
    InsteadOf(&'a Value),
}

/// Checks a view that the app gives; `instead_of` is the id of the view that it replaces.
///
/// # Errors
///
/// As `views.open` refuses it.
pub(super) fn check(store: &Store, view: &Value, instead_of: Option<&str>) -> Result<(), Failure> {
    if view.to_string().len() > VIEW_BYTES {
        return Err(Failure::new("view_too_large"));
    }
    let problems = blocks::view_problems(view);
    if !problems.is_empty() {
        return Err(Failure::because("invalid_arguments", problems));
    }
    let external_id = view["external_id"].as_str().unwrap_or_default();
    let mut others = store.modals.values().flatten().filter(|open| open["id"].as_str() != instead_of);
    if !external_id.is_empty() && others.any(|open| open["external_id"] == external_id) {
        return Err(Failure::new("duplicate_external_id"));
    }
    Ok(())
}

/// A view that was checked, as Slack shows it to the app from now on.
pub(super) fn shown(inner: &Inner, store: &mut Store, given: &Value, place: Place<'_>) -> Value {
    let mut shown = json!({
        "private_metadata": "", "callback_id": "", "external_id": "", "clear_on_close": false,
        "notify_on_close": false, "close": null, "submit": null,
    });
    if let (Some(shown), Some(given)) = (shown.as_object_mut(), given.as_object()) {
        shown.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let blocks = given["blocks"].as_array().cloned().unwrap_or_default();
    shown["blocks"] = json!(inner.filled_in(store, blocks));
    for text in ["title", "submit", "close"] {
        // A text object gets no id.
        blocks::fill_in(&mut shown[text], &mut String::new);
    }
    let (id, root, previous) = match place {
        Place::First => {
            let id = json!(format!("V0{:06}", store.next_number()));
            (id.clone(), id, Value::Null)
        }
        Place::Over(below) => {
            let id = json!(format!("V0{:06}", store.next_number()));
            (id, below["root_view_id"].clone(), below["id"].clone())
        }
        Place::InsteadOf(before) => {
            (before["id"].clone(), before["root_view_id"].clone(), before["previous_view_id"].clone())
        }
    };
    shown["id"] = id;
    shown["root_view_id"] = root;
    shown["previous_view_id"] = previous;
    shown["team_id"] = json!(world::TEAM_ID);
    shown["app_id"] = json!(world::APP_ID);
    shown["app_installed_team_id"] = json!(world::TEAM_ID);
    shown["bot_id"] = json!(world::BOT_ID);
    shown["hash"] = json!(format!("{}.{}", inner.now_ms() / 1000, &inner.unguessable(store, "view")[..8]));
    let entered = match place {
        Place::InsteadOf(before) => form::kept(before, &shown),
        Place::First | Place::Over(_) => json!({}),
    };
    shown["state"] = json!({ "values": entered });
    shown
}
