//! The message in the channel about an admin's order: a projection of it, as the card is of a record.

use super::saying::{self, Changed};
use super::{Deps, NotShown, ROUNDS, start};
use access::order::Change;
use access::request::RequestId;
use access::wording::{self, Message};
use edge::slack::Posted;
use edge::store::{KnownOrder, Shown};
use serde_json::json;

/// Has an ordered removal begun, and brings the message up to the order.
pub(crate) async fn attend(deps: &Deps, id: RequestId) -> Result<(), NotShown> {
    for round in 0..ROUNDS {
        let Some(known) = deps.store.order(id).await? else { return Ok(()) };
        if round == 0 && known.order.change == Change::Remove && known.order.is_at_work() {
            // Before anything is said. Where this fails the tick carries it out.
            start(deps, &deps.revoke_function, &json!({"order": id.to_string()})).await;
        }
        if known.shown.shown_version >= known.version {
            return Ok(());
        }
        let message = wording::order(&known.order, &deps.installation, deps.clock.now());
        let mut shown = show(deps, &known, &message).await?;
        shown.shown_version = known.version;
        if deps.store.order_shown(&known, &shown, true).await? {
            return Ok(());
        }
    }
    Ok(())
}

async fn show(deps: &Deps, known: &KnownOrder, message: &Message) -> Result<Shown, NotShown> {
    let mut shown = known.shown.clone();
    if let (Some(channel), Some(ts)) = (&shown.channel, &shown.ts) {
        let at = Posted { channel: channel.clone(), ts: ts.clone() };
        // Somebody deleted it, or Slack takes no more edits: a new one.
        if saying::changed(deps, &at, message).await? == Changed::Yes {
            return Ok(shown);
        }
    }
    let posted = deps.slack.post(deps.policy.channel(), message).await?;
    shown.channel = Some(posted.channel);
    shown.ts = Some(posted.ts);
    // At once: a second message is worse than a stale one.
    deps.store.order_shown(known, &shown, false).await?;
    Ok(shown)
}
