//! What is said where it is about who is in a user group: Ajar goes by what Slack said a while ago, and asks anew where
//! that tells somebody no.

use super::Message;

/// No, by what Slack said of the groups a while ago; it is asked anew, and where it takes an answer later, a change is
/// told.
#[must_use]
pub fn doubted(no: &Message, answers: bool) -> Message {
    let then = if answers { "you are told here if that has changed" } else { "try again in half a minute" };
    Message::sentence(format!(
        "{} If somebody has just been added to a group that is named here: Slack is asked who is in it now; {then}.",
        no.text
    ))
}

/// It is not known who is in the groups that decide; Slack is asked.
pub fn groups_unread() -> Message {
    Message::sentence(
        "It is not known yet who is in the groups that the policy names. Nothing was recorded; Slack is being asked: type it again in a minute.",
    )
}

/// Slack was asked anew who is in the groups, and says otherwise than before.
pub fn groups_changed() -> String {
    "Slack was asked anew who is in the groups that the policy names, and that has changed. Try it again now."
        .to_owned()
}
