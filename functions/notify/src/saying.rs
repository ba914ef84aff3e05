//! Saying something in Slack, with a decided outcome for each of its errors ([`access::unsaid`]). What is left here as
//! an error is tried again by the tick.

use super::Deps;
use access::request::UserId;
use access::unsaid::Unsaid;
use access::wording::Message;
use edge::slack::{Posted, Slack, SlackError};

/// What became of a message that was to be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Changed {
    /// It was.
    Yes,
    /// It is gone, or cannot be changed any more.
    Lost,
    /// Nobody can be told anything where it is.
    NobodyThere,
}

/// Changes a message of ours.
pub(crate) async fn changed(deps: &Deps, at: &Posted, message: &Message) -> Result<Changed, SlackError> {
    let Err(error) = deps.slack.update(at, message).await else { return Ok(Changed::Yes) };
    match error.outcome() {
        Unsaid::Lost => Ok(Changed::Lost),
        Unsaid::Nobody => {
            tracing::error!(channel = at.channel, error = %error, "nobody can be told anything there");
            Ok(Changed::NobodyThere)
        }
        // The same change twice is one.
        Unsaid::Later | Unsaid::MaybeSaid | Unsaid::Ours | Unsaid::Setup | Unsaid::TooLate => Err(error),
    }
}

/// Posts into a channel; where nobody can be told anything there, into the policy's own.
pub(crate) async fn in_channel(deps: &Deps, channel: &str, message: &Message) -> Result<Posted, SlackError> {
    let posted = deps.slack.post(channel, message).await;
    let fallback = deps.policy.channel();
    match &posted {
        Err(error) if error.outcome() == Unsaid::Nobody && channel != fallback => {
            tracing::error!(channel, error = %error, "nobody can be told anything there; the default channel is told");
            deps.slack.post(fallback, message).await
        }
        _ => posted,
    }
}

/// As [`in_channel`], for what has no buttons: Slack may have posted it without knowing, and then it is taken as said.
pub(crate) async fn told_in_channel(deps: &Deps, channel: &str, message: &Message) -> Result<(), SlackError> {
    said(in_channel(deps, channel, message).await.map(drop))
}

/// Posts into a thread by this client; where its first message is gone, or nobody can be told anything there, into the
/// channel.
pub(crate) async fn in_thread(
    deps: &Deps,
    slack: &Slack,
    of: &Posted,
    message: &Message,
) -> Result<(), SlackError> {
    let replied = slack.reply(of, message).await;
    match replied.as_ref().map_err(SlackError::outcome) {
        Err(Unsaid::Lost | Unsaid::Nobody) => told_in_channel(deps, &of.channel, message).await,
        _ => said(replied),
    }
}

/// Tells a person directly. Whom Slack lets nobody write to is not told, which is logged: it would be refused again.
pub(crate) async fn to_person(deps: &Deps, user: &UserId, message: &Message) -> Result<(), SlackError> {
    match deps.slack.post(user.as_str(), message).await {
        Err(error) if error.outcome() == Unsaid::Nobody => {
            tracing::warn!(%user, error = %error, "cannot be told anything directly");
            Ok(())
        }
        posted => said(posted.map(drop)),
    }
}

/// Slack's own word that something of it may have been done is taken for that it was said. Where Slack was silent it
/// mostly was not, and who hears it twice has lost nothing: it is said again.
fn said(posted: Result<(), SlackError>) -> Result<(), SlackError> {
    match posted {
        Err(error @ SlackError::Refused(_)) if error.outcome() == Unsaid::MaybeSaid => {
            tracing::warn!(error = %error, "taken as said");
            Ok(())
        }
        posted => posted,
    }
}

/// Something was left for the tick: an error where somebody has to do something about it.
pub(crate) fn left(what: &str, error: &SlackError) {
    match error.outcome() {
        Unsaid::Ours | Unsaid::Setup | Unsaid::Nobody => {
            tracing::error!(what, error = %error, "cannot be shown in Slack until that is set right");
        }
        Unsaid::Later | Unsaid::MaybeSaid | Unsaid::Lost | Unsaid::TooLate => {
            tracing::warn!(what, error = %error, "not shown in Slack yet");
        }
    }
}
