//! What is said of an approval that somebody may not have given: to the approver, and to everybody once they say that it
//! is not theirs.

use super::*;
use crate::click::Action;
use crate::frozen::Frozen;
use crate::lifecycle::{Approval, Record};

/// What an approver is told directly, once for each request; `None` where nothing was approved in their name. True
/// whenever it is read.
pub fn approved_by_you(record: &Record, approval: &Approval) -> Option<Message> {
    let ask = record.ask().filter(|ask| ask.wish.means == Means::Approval)?;
    let wish = &ask.wish;
    let mut message = Message::sentence(format!(
        "You approved {} for {} at {}. If that was not you, press *Not me*: what it opened is shut, everybody is told, and your clicks do not count until an admin lifts that. Ref {}",
        terms(ask),
        mention(&wish.requester),
        moment(approval.at),
        wish.id
    ));
    let mut button = buttons::button(ask, Action::NotMe, "Not me");
    button["style"] = json!("danger");
    button["confirm"] = json!({
        "title": plain("Was it not you?"),
        "text": plain("What it opened is shut at once, everybody is told, and your clicks do not count until an admin lifts that."),
        "confirm": plain("It was not me"),
        "deny": plain("Cancel"),
    });
    message.blocks.push(json!({
        "type": "actions", "block_id": format!("not-me-{}", wish.id), "elements": [button],
    }));
    Some(message)
}

/// To who has said that an approval in their name is not theirs.
pub fn disowned() -> String {
    "Ajar shuts what was opened with it, and tells everybody. Your clicks do not count until an admin lifts that. Change your Slack password and end your other sessions now.".to_owned()
}

/// To who says of a request that they did not approve it, and nobody has approved it in their name.
pub fn nothing_disowned() -> String {
    "Nobody has approved this in your name. Nothing was changed.".to_owned()
}

/// What the channel is to be told next of somebody whose clicks do not count; `None` where it knows all.
pub fn frozen(one: &Frozen, told: &[LockdownTold], admins: &[Who]) -> Option<(LockdownTold, Message)> {
    let who = mention(&one.user);
    let (news, text) = match &one.lifted {
        None if !told.contains(&LockdownTold::Begun) => {
            let admins =
                if admins.is_empty() { String::new() } else { format!(" Admins: {}.", people(admins)) };
            (
                LockdownTold::Begun,
                format!(
                    "*Not me*: {who} said at {} that the approval in their name of what {} asked for on {} is not theirs. Ajar shuts whatever it opened; its card says when that is shut. Clicks of {who} do not count until an admin types `/jit unfreeze {}`. Somebody may be using their Slack account, or know the secret that Slack signs with: find out now.{admins}",
                    moment(one.at),
                    mention(&one.requester),
                    one.machine,
                    one.user
                ),
            )
        }
        Some((by, at)) if !told.contains(&LockdownTold::Lifted) => (
            LockdownTold::Lifted,
            format!(
                "{} has lifted at {} that clicks of {who} do not count, as it was since {}.",
                mention(by),
                moment(*at),
                moment(one.at)
            ),
        ),
        None | Some(_) => return None,
    };
    Some((news, Message::sentence(format!("{text} Ref {}", one.request))))
}

/// To the admin who has lifted it.
pub fn thawed(user: &UserId) -> Message {
    Message::sentence(format!("Clicks of {} count again. The channel is told.", mention(user)))
}

/// To an admin: there is nothing to lift.
pub fn not_frozen(user: &UserId) -> Message {
    Message::sentence(format!("Clicks of {} count already.", mention(user)))
}

/// To somebody whose clicks do not count: what they want is not done.
pub fn you_are_frozen(user: &UserId, since: Timestamp) -> String {
    format!(
        "Your clicks do not count since {}, because an approval in your name was not yours. Nothing was changed; ask an admin to type `/jit unfreeze {user}`.",
        moment(since)
    )
}
