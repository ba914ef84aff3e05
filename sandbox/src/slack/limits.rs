//! How much Slack lets an app ask for (docs.slack.dev, apis/web-api/rate-limits): each method so often a minute by its
//! tier, and a message a second into one channel. Whoever asks for more is answered with 429 and when to come back; other
//! methods and other channels go on.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// From one message in a channel to the next, in milliseconds: "1 per second per channel".
const POSTING_MS: u64 = 1_000;

/// The messages of an app in a workspace, a minute: "several hundred".
const POSTED: usize = 300;

/// What the tiers are counted over, in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// How often a method may be called in a minute (the pages of the methods; java-slack-sdk's MethodsRateLimits).
const fn tier(method: &str) -> usize {
    match method.as_bytes() {
        b"usergroups.users.list" => 20,
        b"chat.update" | b"conversations.open" | b"bots.info" => 50,
        b"chat.postMessage" => POSTED,
        _ => 100,
    }
}

/// What an app has asked for in the last minute, by method, and when it has posted in which channel.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    calls: BTreeMap<String, VecDeque<u64>>,
    posted_at_ms: BTreeMap<String, u64>,
}

impl Asked {
    /// Counts a call, into this channel where it posts.
    ///
    /// # Errors
    /// It is one too many: after how many seconds it is not.
    pub(super) fn take(&mut self, method: &str, channel: Option<&str>, now_ms: u64) -> Result<(), u64> {
        let calls = self.calls.entry(method.to_owned()).or_default();
        calls.retain(|at_ms| now_ms < at_ms + MINUTE_MS);
        let free = calls.front().filter(|_| calls.len() >= tier(method)).map(|oldest| oldest + MINUTE_MS);
        let posts = channel.filter(|_| method == "chat.postMessage");
        let quiet = posts.and_then(|channel| self.posted_at_ms.get(channel)).map(|at_ms| at_ms + POSTING_MS);
        let wait_ms = free.max(quiet).unwrap_or_default().saturating_sub(now_ms);
        if wait_ms > 0 {
            return Err(wait_ms.div_ceil(1_000));
        }
        calls.push_back(now_ms);
        if let Some(channel) = posts {
            self.posted_at_ms.insert(channel.to_owned(), now_ms);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_takes_a_message_a_second_and_the_others_go_on() {
        let mut asked = Asked::default();
        let mut post = |channel, now_ms| asked.take("chat.postMessage", Some(channel), now_ms);
        assert_eq!(post("C1", 5_000), Ok(()));
        assert_eq!(post("C1", 5_999), Err(1));
        assert_eq!(post("C2", 5_999), Ok(()), "another channel");
        assert_eq!(post("C1", 6_000), Ok(()), "who was refused is not counted");
        assert_eq!(asked.take("chat.update", Some("C1"), 6_000), Ok(()), "another method");
    }

    #[test]
    fn a_method_is_called_as_often_a_minute_as_its_tier_says() {
        let mut asked = Asked::default();
        for at in 0..50 {
            assert_eq!(asked.take("chat.update", Some("C1"), at * 100), Ok(()), "{at}");
        }
        assert_eq!(asked.take("chat.update", Some("C1"), 5_000), Err(55));
        assert_eq!(asked.take("users.info", None, 5_000), Ok(()));
        assert_eq!(asked.take("chat.update", Some("C1"), 60_000), Ok(()), "the oldest is a minute old");
        assert_eq!(asked.take("chat.update", Some("C1"), 60_000), Err(1));
    }
}
