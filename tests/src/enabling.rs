//! Admins enable and disable machines, and order closing rules.

use crate::Story;
use crate::signed::{self, Signed};
use sandbox::slack::SubmitOutcome;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What an admin fills in: ticked ports, sources, longest duration, lines.
#[derive(Clone, Copy, Debug)]
pub struct Form<'f> {
    /// The suggested ports that are ticked.
    pub ports: &'f [u16],
    /// Where people may come from.
    pub sources: &'f str,
    /// For how long at most.
    pub longest: &'f str,
    /// Further ports.
    pub lines: &'f str,
}

/// The suggested ports, for three hours.
pub const SUGGESTED: Form<'_> =
    Form { ports: &[22, 3389, 5985, 5986], sources: "", longest: "3h", lines: "" };

impl Form<'_> {
    /// As Slack sends it.
    pub fn values(&self) -> Value {
        let options: Vec<Value> = self.ports.iter().map(|port| json!({"value": port.to_string()})).collect();
        json!({
            "ports": {"ports": {"selected_options": options}},
            "sources": {"sources": {"value": self.sources}},
            "longest": {"longest": {"value": self.longest}},
            "lines": {"lines": {"value": self.lines}},
        })
    }
}

impl Story {
    /// The form that is open for somebody in the simulated Slack.
    pub fn form(&self, user: &str) -> Value {
        self.world.slack.state(user)["view"].clone()
    }

    /// A form as Slack would sign it now.
    pub fn signed_form(&self, user: &str, view: &Value, values: &Value) -> Signed {
        self.sign(signed::submission(self.about(), user, view, values))
    }

    /// Somebody types a command that opens a form in the simulated Slack, fills it in and sends it off: what became of it;
    /// everything that follows is done.
    pub async fn fill_in(&self, user: &str, command: &str, values: &Value) -> SubmitOutcome {
        let said = self.type_in_slack(user, command).await;
        assert_eq!(said, "", "instead of a form");
        assert_eq!(self.form(user)["type"], "modal", "no form for {command}");
        let sent = self.world.slack.submit_view(user, values).await.unwrap();
        assert_eq!((sent.status, sent.error), (Some(200), None));
        self.settle().await;
        sent
    }

    /// An admin enables machines with this form: the text of the message in the channel.
    pub async fn enable(&self, admin: &str, machines: &str, form: Form<'_>) -> String {
        let sent = self.fill_in(admin, &format!("enable {machines}"), &form.values()).await;
        assert_eq!((sent.errors, sent.view), (BTreeMap::new(), None), "the form closes");
        self.order_says().await
    }

    /// An admin disables machines: the text of the message in the channel.
    pub async fn disable(&self, admin: &str, machines: &str) -> String {
        let sent = self.fill_in(admin, &format!("disable {machines}"), &json!({})).await;
        assert_eq!(sent.view, None, "the form closes");
        self.order_says().await
    }

    /// What the simulated Slack shows somebody who types `/jit vms`.
    pub async fn list_in_slack(&self, user: &str) -> Value {
        let channel = self.about()["channel"].as_str().unwrap_or_default();
        let outcome = self.world.slack.command(user, channel, "vms").await.unwrap();
        assert_eq!(outcome.error, None);
        outcome.shown.expect("a list")
    }

    /// The machines of a list that have check boxes, each with its option's value.
    pub fn boxes(list: &Value) -> Vec<(String, String)> {
        let blocks = list["blocks"].as_array().cloned().unwrap_or_default();
        let block = blocks.into_iter().find(|block| block["block_id"] == "recommended").unwrap_or_default();
        let options = block["accessory"]["options"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        options.iter().map(|option| (text(&option["text"]["text"]), text(&option["value"]))).collect()
    }

    /// Somebody ticks exactly these machines of a list in the simulated Slack.
    pub async fn tick(&self, user: &str, list: &Value, machines: &[&str]) {
        let mut options = vec![];
        for (name, value) in Self::boxes(list) {
            if machines.contains(&name.as_str()) {
                options.push(json!({"value": value}));
            }
        }
        assert_eq!(options.len(), machines.len(), "each has a box");
        let chosen = json!({"type": "checkboxes", "selected_options": options});
        let channel = self.about()["channel"].as_str().unwrap_or_default();
        let ts = list["ts"].as_str().unwrap_or_default();
        let told = self.world.slack.choose(user, channel, ts, "recommended", "recommended", &chosen).await;
        let told = told.unwrap();
        assert_eq!((told.status, told.error), (Some(200), None));
    }

    /// Somebody presses the button under the boxes of a list in the simulated Slack, and everything that follows is done.
    pub async fn press(&self, user: &str, list: &Value) {
        let channel = self.about()["channel"].as_str().unwrap_or_default();
        let ts = list["ts"].as_str().unwrap_or_default();
        let pressed =
            self.world.slack.click(user, channel, ts, "enable_ticked", "enable_ticked").await.unwrap();
        assert_eq!((pressed.status, pressed.error), (Some(200), None));
        self.settle().await;
    }

    /// A press of that button with these values of boxes, as Slack would sign it now: what the person is told.
    pub async fn press_with(&self, user: &str, boxes: &[&str]) -> Option<String> {
        let before = self.told(user).await.len();
        let channel = self.about()["channel"].as_str().unwrap_or_default();
        // A command that changes nothing: a form is opened with what Slack sends with it, and answers go there.
        let command = self.world.slack.command(user, channel, "VM3 22 for 9h").await.unwrap();
        let signed = self.sign(signed::pressed(self.about(), user, &command, boxes));
        let (status, body) = self.deliver("slack_interaction_url", &signed).await;
        assert_eq!((status, body.as_str()), (200, ""));
        self.settle().await;
        self.told(user).await.split_off(before).pop()
    }

    /// The message about the last order, as Slack has received it last.
    async fn order_entry(&self) -> Value {
        let is_order = |entry: &Value| {
            let text = entry["body"]["text"].as_str().unwrap_or_default();
            ["JIT enabled: ", "JIT disabled: ", "A closing rule is missing: "]
                .iter()
                .any(|start| text.starts_with(start))
        };
        self.messages().await.into_iter().rev().find(is_order).expect("a message about an order")
    }

    /// What the message about the last order says.
    pub async fn order_says(&self) -> String {
        self.order_entry().await["body"]["text"].as_str().unwrap_or_default().to_owned()
    }

    /// The button of the last order: its action and value; `None` where it has none.
    pub async fn order_button(&self) -> Option<(String, String)> {
        let entry = self.order_entry().await;
        let blocks = entry["body"]["blocks"].as_array()?.clone();
        let actions = blocks.into_iter().find(|block| block["type"] == "actions")?;
        let button = &actions["elements"][0];
        Some((button["action_id"].as_str()?.to_owned(), button["value"].as_str()?.to_owned()))
    }

    /// A click on the button of the last order, as Slack would sign it now.
    pub async fn signed_order(&self, user: &str) -> Signed {
        let (action, value) = self.order_button().await.expect("the order has a button");
        self.sign(signed::click(self.about(), user, &action, &value))
    }

    /// Somebody clicks the button of the last order, and everything that follows is done: what the message says then.
    pub async fn order(&self, user: &str) -> String {
        let signed = self.signed_order(user).await;
        let (status, body) = self.deliver("slack_interaction_url", &signed).await;
        assert_eq!((status, body.as_str()), (200, ""));
        self.settle().await;
        self.order_says().await
    }
}
