//! A click in Slack: the body of an interaction, read only after its signature was checked.

use crate::request::{Means, RequestId, ResourceId, TermsDigest, UserId};
use crate::signature::Verified;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The buttons of our messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Approve.
    Approve,
    /// Deny.
    Deny,
    /// Open without approval.
    BreakGlass,
    /// Move a grant without approval.
    Move,
    /// Write the closing rules of an order.
    WriteClosing,
    /// Remove the closing rules of an order.
    RemoveClosing,
    /// End a grant early.
    End,
    /// Say that an approval in one's name is not one's own.
    NotMe,
    /// Ask once more for the same.
    AskAgain,
}

impl Action {
    /// As Slack knows it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::BreakGlass => "break_glass",
            Self::Move => "move",
            Self::WriteClosing => "write_closing",
            Self::RemoveClosing => "remove_closing",
            Self::End => "end",
            Self::NotMe => "not_me",
            Self::AskAgain => "ask_again",
        }
    }

    /// What the request must be opened by for this button to be about it; `None` where it is about an order, or about
    /// any request.
    pub const fn means(self) -> Option<Means> {
        match self {
            Self::Approve | Self::Deny => Some(Means::Approval),
            Self::BreakGlass => Some(Means::BreakGlass),
            Self::Move => Some(Means::OwnMove),
            Self::WriteClosing | Self::RemoveClosing | Self::End | Self::NotMe | Self::AskAgain => None,
        }
    }

    fn of(id: &str) -> Option<Self> {
        let all = [
            Self::Approve,
            Self::Deny,
            Self::BreakGlass,
            Self::Move,
            Self::WriteClosing,
            Self::RemoveClosing,
            Self::End,
            Self::NotMe,
            Self::AskAgain,
        ];
        all.into_iter().find(|action| action.id() == id)
    }
}

/// Whose app this is: requests for another are not ours, however well signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct App {
    /// The workspace (`T…`) or, for an app installed in an organisation, the enterprise (`E…`).
    pub team_id: String,
    /// The app (`A…`).
    pub app_id: String,
}

/// What was clicked, by whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Click {
    /// The clicker, by Slack's word.
    pub user: UserId,
    /// Which button.
    pub action: Action,
    /// The request, or the order, that the button is about.
    pub request: RequestId,
    /// The terms that the clicker saw.
    pub terms: String,
    /// Which of the request's cards the button is on, counted from 1; `None` where it is on none of them, or on one that
    /// was posted before cards were counted.
    pub card: Option<u64>,
    /// Where a sentence to the clicker alone can be sent, for 30 minutes.
    pub response_url: Option<String>,
    /// What opens a form for the clicker, for three seconds.
    pub trigger_id: Option<String>,
}

/// Why a signed body is not a click on one of our buttons.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ClickError {
    /// Not a form in UTF-8 with a `payload` in JSON.
    #[error("the body is not a form with a JSON payload")]
    Body,
    /// Another kind of interaction.
    #[error("the interaction is not a click on a button")]
    Kind,
    /// For another workspace or app.
    #[error("the click is for another workspace or app")]
    App,
    /// Not one of our buttons.
    #[error("the button is not one of ours")]
    Button,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    team: Option<Named>,
    enterprise: Option<Named>,
    user: Option<Named>,
    api_app_id: Option<String>,
    response_url: Option<String>,
    #[serde(default)]
    actions: Vec<PayloadAction>,
    view: Option<PayloadView>,
    trigger_id: Option<String>,
    #[serde(default)]
    state: Value,
}

#[derive(Deserialize)]
struct PayloadView {
    #[serde(default)]
    callback_id: String,
    #[serde(default)]
    private_metadata: String,
    #[serde(default)]
    state: PayloadState,
}

#[derive(Deserialize, Default)]
struct PayloadState {
    /// By block and then by action.
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct PayloadAction {
    action_id: String,
    value: Option<String>,
}

impl Payload {
    fn of(verified: &Verified<'_>, app: &App) -> Result<Self, ClickError> {
        // What was signed is kept as text; other bytes would not be the same when they are judged again.
        let body = std::str::from_utf8(verified.body()).map_err(|_| ClickError::Body)?;
        let payload = form_urlencoded::parse(body.as_bytes())
            .find_map(|(key, value)| (key == "payload").then_some(value))
            .ok_or(ClickError::Body)?;
        let payload: Self = serde_json::from_str(&payload).map_err(|_| ClickError::Body)?;
        let ours =
            [&payload.team, &payload.enterprise].into_iter().flatten().any(|named| named.id == app.team_id);
        if !ours || payload.api_app_id.as_deref() != Some(&app.app_id) {
            return Err(ClickError::App);
        }
        Ok(payload)
    }
}

/// The value of a button: the request's id and the digest of its terms.
pub fn button_value(request: RequestId, terms: &TermsDigest) -> String {
    format!("{request}.{}", terms.as_str())
}

/// The value of a button on a request's card: also which of its cards that is.
pub(crate) fn value_on_card(value: &str, card: u64) -> String {
    format!("{value}.{card}")
}

/// What a button's value says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ButtonValue {
    /// The request, or the order, that the button is about.
    pub request: RequestId,
    /// The digest of the terms that it shows.
    pub terms: String,
    /// Which of the request's cards it is on, where it is on one.
    pub card: Option<u64>,
}

impl ButtonValue {
    /// Reads a value; `None` where it is none of ours.
    pub fn parse(value: &str) -> Option<Self> {
        let (request, shown) = value.split_once('.')?;
        let (terms, card) = match shown.split_once('.') {
            None => (shown, None),
            Some((terms, number)) => {
                // As we write it, and in no other way.
                let card = number.parse::<u64>().ok().filter(|card| card.to_string() == number);
                (terms, Some(card?))
            }
        };
        Some(Self { request: request.parse().ok()?, terms: terms.to_owned(), card })
    }
}

impl Click {
    /// Reads a signed body.
    ///
    /// # Errors
    /// Not a click on one of our buttons.
    pub fn parse(verified: &Verified<'_>, app: &App) -> Result<Self, ClickError> {
        let payload = Payload::of(verified, app)?;
        if payload.kind != "block_actions" {
            return Err(ClickError::Kind);
        }
        let [action] = payload.actions.as_slice() else { return Err(ClickError::Button) };
        let user = payload.user.and_then(|user| user.id.parse().ok()).ok_or(ClickError::Body)?;
        let ButtonValue { request, terms, card } =
            action.value.as_deref().and_then(ButtonValue::parse).ok_or(ClickError::Button)?;
        Ok(Self {
            user,
            action: Action::of(&action.action_id).ok_or(ClickError::Button)?,
            request,
            terms,
            card,
            response_url: payload.response_url,
            trigger_id: payload.trigger_id,
        })
    }
}

/// The check boxes under the list of machines: their block and their action.
pub const BOXES: &str = "recommended";

/// The button below these boxes: its block and its action.
pub const ENABLE_TICKED: &str = "enable_ticked";

/// The value of a machine's check box: as long for each machine, whatever Azure lets it be called, and another one for
/// each.
pub fn box_of(machine: &ResourceId) -> String {
    hex::encode(Sha256::digest(machine.key()))
}

/// What somebody did with the check boxes under the list of machines. It only leads to a form, and the form that is sent
/// off is what counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ticking {
    /// A box was ticked or unticked: Slack tells of each (docs.slack.dev, "Block actions payload").
    Box,
    /// The button was pressed.
    Pressed(Ticked),
}

/// The machines that were ticked when the button was pressed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticked {
    /// Who, by Slack's word.
    pub user: UserId,
    /// The values of the ticked boxes.
    pub boxes: Vec<String>,
    /// What opens a form for this person.
    pub trigger_id: String,
    /// Where a sentence to this person alone can be sent, for 30 minutes.
    pub response_url: Option<String>,
}

impl Ticking {
    /// Reads a signed body.
    ///
    /// # Errors
    /// Something else was done.
    pub fn parse(verified: &Verified<'_>, app: &App) -> Result<Self, ClickError> {
        let payload = Payload::of(verified, app)?;
        if payload.kind != "block_actions" {
            return Err(ClickError::Kind);
        }
        match payload.actions.as_slice() {
            [action] if action.action_id == BOXES => return Ok(Self::Box),
            [action] if action.action_id == ENABLE_TICKED => {}
            _ => return Err(ClickError::Button),
        }
        let user = payload.user.and_then(|user| user.id.parse().ok()).ok_or(ClickError::Body)?;
        let boxes = ticked(&payload.state["values"][BOXES][BOXES]).into_iter().map(str::to_owned).collect();
        let trigger_id = payload.trigger_id.ok_or(ClickError::Body)?;
        Ok(Self::Pressed(Ticked { user, boxes, trigger_id, response_url: payload.response_url }))
    }
}

/// The values of the ticked ones of check boxes.
fn ticked(boxes: &Value) -> Vec<&str> {
    let options = boxes["selected_options"].as_array();
    options.into_iter().flatten().filter_map(|option| option["value"].as_str()).collect()
}

/// A form that somebody has filled in and sent off (docs.slack.dev, "View submission payload").
#[derive(Clone, PartialEq, Debug)]
pub struct Submission {
    /// Who, by Slack's word.
    pub user: UserId,
    /// Which form.
    pub form: String,
    /// What we have put into it for ourselves.
    pub metadata: String,
    values: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Submission {
    /// Reads a signed body.
    ///
    /// # Errors
    /// Not a form of ours.
    pub fn parse(verified: &Verified<'_>, app: &App) -> Result<Self, ClickError> {
        let payload = Payload::of(verified, app)?;
        let (true, Some(view)) = (payload.kind == "view_submission", payload.view) else {
            return Err(ClickError::Kind);
        };
        let user = payload.user.and_then(|user| user.id.parse().ok()).ok_or(ClickError::Body)?;
        let (form, metadata) = (view.callback_id, view.private_metadata);
        Ok(Self { user, form, metadata, values: view.state.values })
    }

    /// What was written into the field of this name; empty where nothing was.
    pub fn text(&self, field: &str) -> &str {
        self.value(field)["value"].as_str().unwrap_or_default()
    }

    /// The values of the boxes of this name that were ticked.
    pub fn ticked(&self, field: &str) -> Vec<&str> {
        ticked(self.value(field))
    }

    /// The value of what was chosen in the field of this name; `None` where nothing was, or it is no list.
    pub fn chosen(&self, field: &str) -> Option<&str> {
        self.value(field)["selected_option"]["value"].as_str()
    }

    fn value(&self, field: &str) -> &Value {
        self.values.get(field).and_then(|block| block.get(field)).unwrap_or(&Value::Null)
    }
}

/// What travels in a payload and is not for whoever reads it later (docs.slack.dev, "Block actions payload"): the
/// verification token of the app, where sentences to the clicker can be sent, and what opens a view for the clicker.
const SECRETS: [&str; 4] = ["token", "response_url", "response_urls", "trigger_id"];

/// The payload of a signed body without the secrets in it, for people and exports; null where it has none.
pub fn readable(body: &str) -> Value {
    let payload = form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == "payload");
    let mut payload = payload.and_then(|(_, value)| serde_json::from_str(&value).ok()).unwrap_or_default();
    cut(&mut payload);
    payload
}

fn cut(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !SECRETS.contains(&name.as_str()));
            fields.values_mut().for_each(cut);
        }
        Value::Array(items) => items.iter_mut().for_each(cut),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
