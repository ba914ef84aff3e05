//! The thread of a card: each step of its request, in messages that hold whatever was not told there yet. A card is worth
//! more than its thread: steps are told last, nothing waits for Slack because of them, and while cards wait for its rate
//! limits they stand behind all of those.

use super::{Deps, saying};
use access::lease::Timestamp;
use access::lifecycle::Event;
use access::wording;
use edge::slack::{Posted, SlackError};
use edge::store::{Line, Loaded, Shown};

/// Where Slack has no room and does not say until when, in seconds.
const SHORTLY: u64 = 1;

/// Tells the steps that the thread has not heard, of this history, up to the record as it was read with it. What was told is
/// noted in `shown`, and stored with it: a process that is killed in between tells the same steps once more. `Some`: not
/// now, but at this moment.
pub(super) async fn tell(
    deps: &Deps,
    loaded: &Loaded,
    history: &[Line],
    shown: &mut Shown,
) -> Option<Timestamp> {
    let (Some(channel), Some(ts)) = (shown.channel.clone(), shown.ts.clone()) else { return None };
    let record = &loaded.record;
    let untold = history.iter().filter(|line| line.version > shown.steps_version);
    let untold: Vec<Event> =
        untold.filter(|line| line.version <= record.version()).map(|line| line.event.clone()).collect();
    if let Some(message) = wording::thread(record, &untold, &deps.installation) {
        let (id, now) = (record.wish().id, deps.clock.now());
        if deps.queue.is_waited_in(now) {
            return Some(deps.queue.behind(now, SHORTLY));
        }
        let hurried = deps.slack.without_patience();
        match saying::in_thread(deps, &hurried, &Posted { channel, ts }, &message).await {
            Ok(()) => {}
            Err(SlackError::RateLimited(seconds)) => return Some(deps.queue.behind(now, seconds)),
            // The tick has them told later; the card is as it should be.
            Err(error) => {
                saying::left(&format!("the steps of {id}"), &error);
                return None;
            }
        }
    }
    shown.steps_version = record.version();
    None
}
