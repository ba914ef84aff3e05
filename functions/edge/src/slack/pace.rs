//! What one process knows of how much Slack takes just now: which calls it has refused until when, and whether it
//! answers at all. `notify` goes by it, so that nothing that it has to do waits for Slack.

use super::SlackError;
use crate::clock::Clock;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is waited for Slack in any minute altogether, in seconds: nothing that comes behind is later than that, and a
/// single message too many is said all the same.
const PATIENCE_SECONDS: u64 = 2;

/// What the patience is counted over, in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// How long Slack is left alone after it has let a call wait to its time limit, in seconds.
const SILENT_SECONDS: u64 = 30;

/// Clones share what is known.
#[derive(Clone)]
pub(super) struct Pace {
    clock: Clock,
    known: Arc<Mutex<Known>>,
    /// Whether this one waits at all.
    patient: bool,
}

/// All moments in milliseconds since the Unix epoch.
#[derive(Default)]
struct Known {
    /// By call: until when Slack refuses it.
    refused_until: BTreeMap<String, u64>,
    /// Until when nothing is asked.
    silent_until: u64,
    /// When it was waited, and for how many seconds.
    waited: VecDeque<(u64, u64)>,
}

impl Pace {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, known: Arc::default(), patient: true }
    }

    /// Knows the same, and leaves the patience to others.
    #[must_use]
    pub(super) fn without_patience(&self) -> Self {
        Self { patient: false, ..self.clone() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What Slack counts together: each method, and posting by channel (docs.slack.dev, apis/web-api/rate-limits).
    pub(super) fn counted_as(method: &str, body: &Value) -> String {
        match body["channel"].as_str().filter(|_| method == "chat.postMessage") {
            Some(channel) => format!("{method} {channel}"),
            None => method.to_owned(),
        }
    }

    /// What Slack would say of such a call now, where that is known without asking.
    pub(super) fn foreseen(&self, call: &str) -> Option<SlackError> {
        let now_ms = self.clock.now_ms();
        let known = self.known();
        let until = known.refused_until.get(call).copied().unwrap_or_default().max(known.silent_until);
        let wait_ms = until.saturating_sub(now_ms);
        (wait_ms > 0).then(|| SlackError::RateLimited(wait_ms.div_ceil(1_000)))
    }

    /// Remembers what Slack has said to a call.
    pub(super) fn learn<T>(&self, call: &str, answer: &Result<T, SlackError>) {
        let now_ms = self.clock.now_ms();
        let mut known = self.known();
        match answer {
            Err(SlackError::RateLimited(seconds)) => {
                known.refused_until.retain(|_, until| *until > now_ms);
                known.refused_until.insert(call.to_owned(), now_ms + seconds * 1_000);
            }
            Err(SlackError::Hung) => known.silent_until = now_ms + SILENT_SECONDS * 1_000,
            _ => {}
        }
    }

    /// Waits this many seconds, where there is patience left for it.
    pub(super) async fn wait(&self, seconds: u64) -> bool {
        if !self.patient {
            return false;
        }
        let now_ms = self.clock.now_ms();
        {
            let mut known = self.known();
            known.waited.retain(|(at_ms, _)| now_ms < at_ms + MINUTE_MS);
            let spent: u64 = known.waited.iter().map(|(_, seconds)| seconds).sum();
            if spent + seconds > PATIENCE_SECONDS {
                return false;
            }
            known.waited.push_back((now_ms, seconds));
        }
        drop(self.clock.wait(Duration::from_secs(seconds)).await);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::lease::Timestamp;
    use serde_json::json;

    fn pace() -> Pace {
        Pace::new(Clock::standing_at(Timestamp::from_unix(1_000)))
    }

    #[test]
    fn one_call_that_is_refused_does_not_stop_the_others() {
        let pace = pace();
        let post = |channel: &str| Pace::counted_as("chat.postMessage", &json!({"channel": channel}));
        let update = Pace::counted_as("chat.update", &json!({"channel": "C1"}));
        pace.learn(&post("C1"), &Err::<(), _>(SlackError::RateLimited(3)));
        assert_eq!(pace.foreseen(&post("C1")), Some(SlackError::RateLimited(3)));
        assert_eq!((pace.foreseen(&post("C2")), pace.foreseen(&update)), (None, None));
        pace.clock.advance_ms(2_001);
        assert_eq!(pace.foreseen(&post("C1")), Some(SlackError::RateLimited(1)));
        pace.clock.advance_ms(999);
        assert_eq!(pace.foreseen(&post("C1")), None);
    }

    #[test]
    fn a_slack_that_hangs_is_left_alone_for_a_while() {
        let pace = pace();
        pace.learn("chat.update", &Err::<(), _>(SlackError::NoAnswer));
        assert_eq!(pace.foreseen("chat.update"), None, "that cost no time");
        pace.learn("chat.update", &Err::<(), _>(SlackError::Hung));
        assert_eq!(pace.foreseen("users.info"), Some(SlackError::RateLimited(30)));
        pace.clock.advance_ms(30_000);
        assert_eq!(pace.foreseen("users.info"), None);
    }

    #[tokio::test]
    async fn patience_is_two_seconds_a_minute() {
        let pace = pace();
        assert!(!pace.wait(3).await);
        let (waiting, clock) = (pace.clone(), pace.clock.clone());
        let task =
            tokio::spawn(
                async move { (waiting.wait(1).await, waiting.wait(1).await, waiting.wait(1).await) },
            );
        for at_ms in [1_001_000, 1_002_000] {
            while clock.awaited_ms() != [at_ms] {
                tokio::task::yield_now().await;
            }
            clock.advance_ms(1_000);
        }
        assert_eq!(task.await.unwrap(), (true, true, false));
        clock.advance_ms(58_500);
        assert!(!pace.without_patience().wait(1).await);
        assert!(!pace.wait(2).await, "only one of the two seconds is a minute ago");
    }
}
