//! Records that Slack had no room for: each gets a moment of its own, at which the tick has it shown. All of them together
//! are so far apart as Slack lets messages into one channel and updates be made, so that a crowd is shown one after the
//! other and not sent away again and again.

use super::Deps;
use access::lease::Timestamp;
use access::request::RequestId;
use access::unsaid::Unsaid;
use edge::slack::SlackError;
use edge::store::StoreError;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// From one record to the next, in milliseconds: Slack takes one message a second in a channel and 50 updates a minute
/// (docs.slack.dev, apis/web-api/rate-limits).
const APART_MS: u64 = 1_250;

/// The earliest place, in seconds from now: a tick must have listed the record before.
const EARLIEST_SECONDS: u64 = 60;

/// The longest that Slack is believed to mean, in seconds: its tiers are counted over a minute, and nobody is to wait
/// behind a record that is far away.
const LONGEST_SECONDS: u64 = 120;

/// The longest that a card is waited with that may have been posted, in seconds.
const LONGEST_UNSURE_SECONDS: u64 = 300;

/// The places that this process has given away. What another has given is not known, and need not be: who comes too
/// early is sent away once more.
#[derive(Default)]
pub(crate) struct Queue(Mutex<Places>);

#[derive(Default)]
struct Places {
    last_ms: u64,
    /// The last place behind all of them.
    behind_ms: u64,
    taken: BTreeMap<RequestId, Timestamp>,
}

impl Queue {
    /// The moment of a record that Slack wants to hear of only after this many seconds. Who has a place keeps it.
    fn place(&self, id: RequestId, now: Timestamp, seconds: u64) -> Timestamp {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.taken.retain(|_, at| *at > now);
        if let Some(at) = places.taken.get(&id).filter(|at| **at >= now.plus(seconds.min(LONGEST_SECONDS))) {
            return *at;
        }
        let earliest_ms = now.plus(seconds.clamp(EARLIEST_SECONDS, LONGEST_SECONDS)).unix() * 1_000;
        places.last_ms = earliest_ms.max(places.last_ms + APART_MS);
        let at = Timestamp::from_unix(places.last_ms.div_ceil(1_000));
        places.taken.insert(id, at);
        at
    }

    /// Whether somebody has a place in it.
    pub(crate) fn is_waited_in(&self, now: Timestamp) -> bool {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.taken.values().any(|at| *at > now)
    }

    /// A moment behind everybody who has a place, for what is less urgent than any card. It is no place: who comes in
    /// between goes first.
    pub(crate) fn behind(&self, now: Timestamp, seconds: u64) -> Timestamp {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest_ms = now.plus(seconds.clamp(EARLIEST_SECONDS, LONGEST_SECONDS)).unix() * 1_000;
        places.behind_ms = earliest_ms.max(places.last_ms.max(places.behind_ms) + APART_MS);
        Timestamp::from_unix(places.behind_ms.div_ceil(1_000))
    }
}

/// How long after a card may have been posted it is posted anew, in seconds: longer with each time, up to
/// [`LONGEST_UNSURE_SECONDS`], so that a Slack that does what it is asked for and does not say so shows few of them.
const fn unsure(card: u64) -> u64 {
    let doubled = if card > 3 { LONGEST_UNSURE_SECONDS } else { EARLIEST_SECONDS << card.saturating_sub(1) };
    if doubled < LONGEST_UNSURE_SECONDS { doubled } else { LONGEST_UNSURE_SECONDS }
}

/// Has the tick take up a record when Slack has room for it, or when a card that may have been posted is to be posted
/// anew; else it does when nobody has shown it for a minute.
pub(crate) async fn leave(deps: &Deps, id: RequestId, error: &SlackError) -> Result<(), StoreError> {
    let Some(loaded) = deps.store.read(id).await? else { return Ok(()) };
    let now = deps.clock.now();
    let at = match error {
        SlackError::RateLimited(seconds) => deps.queue.place(id, now, *seconds),
        other if other.outcome() == Unsaid::MaybeSaid && loaded.shown.ts.is_none() => {
            now.plus(unsure(loaded.shown.card))
        }
        _ => return Ok(()),
    };
    deps.store.put_off(&loaded.record, at).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_may_be_there_is_waited_with_longer_each_time() {
        assert_eq!([0, 1, 2, 3, 4, 5, 100].map(unsure), [60, 60, 120, 240, 300, 300, 300]);
    }

    #[test]
    fn steps_stand_behind_all_cards_and_take_no_place_from_one() {
        let queue = Queue::default();
        let id = |n: u8| format!("00000-0000{n}").parse::<RequestId>().unwrap();
        let now = Timestamp::from_unix(1_000);
        assert!(!queue.is_waited_in(now));
        assert_eq!([1, 1].map(|seconds| queue.behind(now, seconds).unix()), [1_060, 1_062]);
        assert!(!queue.is_waited_in(now), "steps are not waited for");
        let cards: Vec<u64> = (0..3).map(|n| queue.place(id(n), now, 1).unix()).collect();
        assert_eq!(cards, [1_060, 1_062, 1_063], "as if there were no steps");
        assert_eq!(queue.behind(now, 1).unix(), 1_064);
        assert_eq!(queue.behind(now, 90).unix(), 1_090);
    }

    #[test]
    fn each_has_a_place_of_its_own_and_keeps_it() {
        let queue = Queue::default();
        let id = |n: u8| format!("00000-0000{n}").parse::<RequestId>().unwrap();
        let now = Timestamp::from_unix(1_000);
        let places: Vec<u64> = (0..5).map(|n| queue.place(id(n), now, 1).unix()).collect();
        assert_eq!(places, [1_060, 1_062, 1_063, 1_064, 1_065]);
        assert_eq!(queue.place(id(2), now.plus(3), 1).unix(), 1_063, "it has its place");
        assert_eq!(queue.place(id(0), now.plus(3), 58).unix(), 1_067, "too early for Slack now");
        assert_eq!(queue.place(id(5), now.plus(3), 400).unix(), 1_123);
        assert!(queue.is_waited_in(now.plus(122)) && !queue.is_waited_in(now.plus(500)));
        assert_eq!(queue.place(id(1), now.plus(500), 1).unix(), 1_560, "the queue is empty again");
    }
}
