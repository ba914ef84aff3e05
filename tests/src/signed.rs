//! What Slack sends, made here: the tests sign by themselves, so that a mistake in the simulated
//! Slack and in the product cannot hide each other.

use crate::Story;
use hmac::{Hmac, KeyInit, Mac};
use sandbox::slack::CommandOutcome;
use serde_json::{Value, json};
use sha2::Sha256;

/// A signed request of Slack's.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The raw body.
    pub body: String,
    /// `X-Slack-Request-Timestamp`.
    pub timestamp: String,
    /// `X-Slack-Signature`.
    pub signature: String,
}

/// Signs a body (docs.slack.dev, authentication/verifying-requests-from-slack).
pub fn sign(secret: &str, at: u64, body: String) -> Signed {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(format!("v0:{at}:{body}").as_bytes());
    let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
    Signed { body, timestamp: at.to_string(), signature }
}

/// The body of a slash command.
pub fn command(about: &Value, user: &str, text: &str, trigger_id: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("team_id", about["team_id"].as_str().unwrap_or_default())
        .append_pair("channel_id", about["channel"].as_str().unwrap_or_default())
        .append_pair("user_id", user)
        .append_pair("command", "/jit")
        .append_pair("text", text)
        .append_pair("api_app_id", about["app_id"].as_str().unwrap_or_default())
        .append_pair("trigger_id", trigger_id)
        .finish()
}

impl Story {
    /// A click as Slack would sign it now, with an address where the clicker alone can be answered.
    pub async fn signed_click_with_answer(&self, user: &str, action: &str, value: &str) -> Signed {
        let channel = self.about()["channel"].as_str().unwrap_or_default();
        // A command that changes nothing: its address is as good.
        let command =
            self.world.slack.command(user, channel, "VM3 22 for 9h").await.expect("it can be typed");
        let mut payload = click_payload(self.about(), user, action, value);
        payload["response_url"] = json!(command.response_url);
        self.sign(form(&payload))
    }
}

/// A payload as the form that Slack sends.
fn form(payload: &Value) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
}

/// The body of a click on the button `action` with this value.
pub fn click(about: &Value, user: &str, action: &str, value: &str) -> String {
    form(&click_payload(about, user, action, value))
}

fn click_payload(about: &Value, user: &str, action: &str, value: &str) -> Value {
    json!({
        "type": "block_actions",
        "user": {"id": user, "team_id": about["team_id"]},
        "api_app_id": about["app_id"],
        "team": {"id": about["team_id"]},
        "enterprise": null,
        "channel": {"id": about["channel"]},
        "actions": [{"type": "button", "action_id": action, "block_id": "decide", "value": value}],
    })
}

/// The body of a click on the button under the machine list, with these values of ticked boxes. `command` is what Slack
/// sent with a slash command: what a form is opened with, and where an answer goes.
pub fn pressed(about: &Value, user: &str, command: &CommandOutcome, boxes: &[&str]) -> String {
    let options: Vec<Value> = boxes.iter().map(|value| json!({"value": value})).collect();
    let payload = json!({
        "type": "block_actions",
        "user": {"id": user, "team_id": about["team_id"]},
        "api_app_id": about["app_id"],
        "team": {"id": about["team_id"]},
        "enterprise": null,
        "trigger_id": command.trigger_id,
        "response_url": command.response_url,
        "state": {"values": {"recommended": {"recommended": {"type": "checkboxes", "selected_options": options}}}},
        "actions": [{"type": "button", "action_id": "enable_ticked", "block_id": "enable_ticked"}],
    });
    form(&payload)
}

/// The body of a form that is sent off: the view as it was opened, with what was filled in, by block.
pub fn submission(about: &Value, user: &str, view: &Value, values: &Value) -> String {
    let mut view = view.clone();
    view["state"] = json!({"values": values});
    let payload = json!({
        "type": "view_submission",
        "user": {"id": user, "team_id": about["team_id"]},
        "api_app_id": about["app_id"],
        "team": {"id": about["team_id"]},
        "enterprise": null,
        "view": view,
        "response_urls": [],
    });
    form(&payload)
}
