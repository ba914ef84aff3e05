//! People decide: what a form asks for on the way, and the buttons of direct messages.

use crate::Story;
use crate::signed::{self, Signed};
use access::lease::Timestamp;
use edge::store::Store;
use sandbox::slack::world::{GROUP_ID, GROUP_MEMBERS};
use serde_json::{Value, json};

impl Story {
    /// The form that Deny opens, filled in with this reason, as Slack would sign it now.
    pub async fn signed_denial(&self, user: &str, id: &str, reason: &str) -> Signed {
        let view = json!({"callback_id": "deny", "private_metadata": self.button(id).await});
        self.sign(signed::submission(self.about(), user, &view, &reason_given(reason)))
    }

    /// Somebody denies a request in the form, and everything that follows is done.
    pub async fn deny(&self, user: &str, id: &str) {
        let signed = self.signed_denial(user, id, "not during the audit").await;
        let (status, body) = self.deliver("slack_interaction_url", &signed).await;
        assert_eq!((status, body.as_str()), (200, ""));
        self.settle().await;
    }

    /// Somebody presses a button of the last direct message to them that has one, as Slack would send it.
    pub async fn press_direct(&self, user: &str, action: &str) {
        let block_of = |entry: &Value| {
            let blocks = entry["body"]["blocks"].as_array()?;
            let found = blocks.iter().find(|block| block["elements"][0]["action_id"] == action)?;
            found["block_id"].as_str().map(str::to_owned)
        };
        let messages = self.messages().await.into_iter().rev();
        let mut mine = messages.filter(|entry| entry["body"]["channel"] == user && entry["ok"] == true);
        let found = mine.find_map(|entry| Some((block_of(&entry)?, entry)));
        let (block, entry) = found.unwrap_or_else(|| panic!("nobody wrote to {user} with {action}"));
        let (channel, ts) = (entry["channel"].as_str().unwrap(), entry["ts"].as_str().unwrap());
        let outcome = self.world.slack.click(user, channel, ts, &block, action).await.unwrap();
        assert_eq!((outcome.status, outcome.error), (Some(200), None));
        self.settle().await;
    }
}

/// What is filled in, as Slack sends it.
pub fn reason_given(reason: &str) -> Value {
    json!({"reason": {"reason": {"type": "plain_text_input", "value": reason}}})
}

/// What Slack said of its user group was an hour ago, and counts no more.
pub async fn age_groups(store: &Store, now: u64) {
    let members = GROUP_MEMBERS.map(|user| user.parse().unwrap()).into();
    store.put_group(GROUP_ID, &members, Timestamp::from_unix(now - 3600)).await.unwrap();
}
