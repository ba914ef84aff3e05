//! A person ticks, unticks or chooses something in a message: Slack keeps it for this person, and tells the app of each
//! change (docs.slack.dev, reference/interaction-payloads/block_actions-payload).

use super::form;
use super::outgoing::{ClickOutcome, NotPossible};
use super::{Slack, WhyNot};
use serde_json::{Value, json};

/// Why nothing was chosen; nothing was sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotChosen {
    /// There is nothing here that this person could change.
    #[error(transparent)]
    NotPossible(#[from] NotPossible),
    /// The element does not hold this.
    #[error(transparent)]
    WhyNot(#[from] WhyNot),
}

impl Slack {
    /// Somebody changes check boxes, radio buttons or a select of a message that the person sees. `given` is what is
    /// chosen then, as `state.values` has it; an option is found by its `value`. Every later click on a button of this
    /// message sends it, too. Returns when the app has answered or the time is over.
    ///
    /// # Errors
    ///
    /// When the person could not choose that in Slack.
    pub async fn choose(
        &self,
        user: &str,
        channel: &str,
        message_ts: &str,
        block_id: &str,
        action_id: &str,
        given: &Value,
    ) -> Result<ClickOutcome, NotChosen> {
        let sending = {
            let mut store = self.0.store();
            let mut place = self.place(&store, user, channel, message_ts)?;
            let view = place.message.as_view_of(user);
            let state = form::chosen(&view, block_id, action_id, given)?;
            let mut values = form::values(&view);
            values[block_id][action_id] = state.clone();
            place.message.entered.insert(user.to_owned(), values);
            if let Some(message) = store.message_mut(channel, message_ts) {
                message.entered.clone_from(&place.message.entered);
            }
            let mut action = state;
            action["action_id"] = json!(action_id);
            action["block_id"] = json!(block_id);
            self.block_action(&mut store, place, action)
        };
        Ok(self.act(sending).await)
    }
}
