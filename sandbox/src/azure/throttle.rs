//! How much anybody may ask of Azure: the management API's token buckets and the network provider's
//! windows. Both follow the sandbox's clock.
//!
//! Numbers: Microsoft's pages "Understand how Azure Resource Manager throttles requests" (250, 200 and
//! 200, refilled by 25, 10 and 10 a second; for the whole subscription 15 times that) and "Throttling
//! for Microsoft.Network" (1,000 writes and deletes, 10,000 reads in 5 minutes).

use super::error::ArmError;
use super::wire;
use axum::response::Response;
use std::collections::HashMap;

/// What kind of request: each has its own bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Read,
    Write,
    Delete,
}

impl Kind {
    /// A method's kind; what is posted counts as written.
    pub(super) fn of(method: &str) -> Self {
        match method {
            "GET" | "HEAD" => Self::Read,
            "DELETE" => Self::Delete,
            _ => Self::Write,
        }
    }

    /// As the headers and messages name it.
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }

    /// How many requests a bucket holds, and how many more come in a second.
    fn limits(self) -> (u64, u64) {
        match self {
            Self::Read => (250, 25),
            Self::Write | Self::Delete => (200, 10),
        }
    }
}

/// How much larger the bucket is that everybody in a subscription shares.
const EVERYBODY: u64 = 15;
/// The network provider counts for so long, in milliseconds.
const WINDOW_MS: u64 = 300_000;

/// A bucket; it counts in thousandths, so that a refill by the millisecond is exact.
struct Bucket {
    thousandths: u64,
    at_ms: u64,
}

impl Bucket {
    fn refill(&mut self, capacity: u64, per_second: u64, now_ms: u64) {
        let more = now_ms.saturating_sub(self.at_ms) * per_second;
        self.thousandths = (self.thousandths + more).min(capacity * 1000);
        self.at_ms = now_ms.max(self.at_ms);
    }
}

/// What the network provider has counted since `began_ms`.
#[derive(Default)]
struct Window {
    began_ms: u64,
    count: u64,
}

/// What is left to a caller, as the headers of an answer say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    kind: Kind,
    own: u64,
    everybody: u64,
}

impl Left {
    /// Says it in the headers.
    pub(super) fn tell(self, response: &mut Response) {
        let name = self.kind.name();
        for (whose, left) in [("", self.own), ("global-", self.everybody)] {
            let header = format!("x-ms-ratelimit-remaining-subscription-{whose}{name}s");
            wire::set(response, &header, &left.to_string());
        }
    }
}

/// All buckets and windows.
#[derive(Default)]
pub(super) struct Throttle {
    /// By the subscription and the caller's object id; the empty one is everybody's.
    buckets: HashMap<(String, String, Kind), Bucket>,
    /// By the subscription: reads, and everything else.
    windows: HashMap<(String, bool), Window>,
}

impl Throttle {
    /// Takes one request out of a principal's bucket and out of everybody's.
    ///
    /// # Errors
    /// 429 `SubscriptionRequestsThrottled` with `Retry-After`, in seconds.
    pub(super) fn admit(
        &mut self,
        subscription: &str,
        object_id: &str,
        kind: Kind,
        now_ms: u64,
    ) -> Result<Left, ArmError> {
        let (capacity, per_second) = kind.limits();
        let key = |whose: &str| (subscription.to_ascii_lowercase(), whose.to_owned(), kind);
        let own = self.filled(key(object_id), capacity, per_second, now_ms);
        let everybody = self.filled(key(""), capacity * EVERYBODY, per_second * EVERYBODY, now_ms);
        let short = (1000_u64.saturating_sub(own).div_ceil(per_second))
            .max(1000_u64.saturating_sub(everybody).div_ceil(per_second * EVERYBODY));
        if short > 0 {
            let seconds = short.div_ceil(1000);
            let message = format!(
                "Number of '{}' requests for subscription '{subscription}' actor '{object_id}' exceeded. Please try again after '{seconds}' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for additional information.",
                kind.name()
            );
            return Err(ArmError::gateway(429, "SubscriptionRequestsThrottled", message)
                .header("Retry-After", seconds.to_string()));
        }
        for whose in [object_id, ""] {
            if let Some(bucket) = self.buckets.get_mut(&key(whose)) {
                bucket.thousandths -= 1000;
            }
        }
        Ok(Left { kind, own: (own - 1000) / 1000, everybody: (everybody - 1000) / 1000 })
    }

    /// What a bucket holds now, in thousandths of a request; a new one is full.
    fn filled(&mut self, key: (String, String, Kind), capacity: u64, per_second: u64, now_ms: u64) -> u64 {
        let full = Bucket { thousandths: capacity * 1000, at_ms: now_ms };
        let bucket = self.buckets.entry(key).or_insert(full);
        bucket.refill(capacity, per_second, now_ms);
        bucket.thousandths
    }

    /// Counts one request to the network provider, for a whole subscription in the one region there is.
    ///
    /// # Errors
    /// 429 `ResourceRequestsThrottled` with `Retry-After`: the rest of the five minutes, in seconds.
    pub(super) fn count(
        &mut self,
        subscription: &str,
        action: &str,
        kind: Kind,
        now_ms: u64,
    ) -> Result<(), ArmError> {
        let reading = kind == Kind::Read;
        let most = if reading { 10_000 } else { 1_000 };
        let window = self.windows.entry((subscription.to_ascii_lowercase(), reading)).or_default();
        if now_ms.saturating_sub(window.began_ms) >= WINDOW_MS {
            *window = Window { began_ms: now_ms, count: 0 };
        }
        if window.count >= most {
            let seconds = (window.began_ms + WINDOW_MS).saturating_sub(now_ms).div_ceil(1000);
            let message = format!(
                "Number of requests for action '{action}' exceeded the limit of '{most}' for time interval '00:05:00'. Please try again after '{seconds}' seconds."
            );
            return Err(ArmError::gateway(429, "ResourceRequestsThrottled", message)
                .header("Retry-After", seconds.to_string()));
        }
        window.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests of a kind go through at this moment, and what the next one is told to wait.
    fn burst(throttle: &mut Throttle, who: &str, kind: Kind, now_ms: u64) -> (u64, String) {
        for count in 0.. {
            if let Err(error) = throttle.admit("s", who, kind, now_ms) {
                return (count, format!("{error:?}"));
            }
        }
        unreachable!("a bucket has a bottom")
    }

    #[test]
    fn a_bucket_empties_and_fills_by_the_second_for_each_principal_and_kind() {
        let mut throttle = Throttle::default();
        let (reads, error) = burst(&mut throttle, "grant", Kind::Read, 0);
        assert_eq!(reads, 250);
        assert!(
            error.contains("SubscriptionRequestsThrottled") && error.contains("after '1' seconds"),
            "{error}"
        );
        assert_eq!(burst(&mut throttle, "grant", Kind::Write, 0).0, 200);
        assert_eq!(burst(&mut throttle, "grant", Kind::Delete, 0).0, 200);
        assert_eq!(burst(&mut throttle, "revoke", Kind::Delete, 0).0, 200, "each has its own");
        assert_eq!(burst(&mut throttle, "grant", Kind::Read, 39).0, 0);
        assert_eq!(burst(&mut throttle, "grant", Kind::Read, 1_000).0, 25);
        assert_eq!(burst(&mut throttle, "grant", Kind::Write, 1_000).0, 10);
        assert_eq!(burst(&mut throttle, "grant", Kind::Read, 3_600_000).0, 250, "never more than it holds");
    }

    #[test]
    fn everybody_together_has_fifteen_times_as_much() {
        let mut throttle = Throttle::default();
        let all: u64 = (0..20).map(|who| burst(&mut throttle, &who.to_string(), Kind::Delete, 0).0).sum();
        assert_eq!(all, 3_000);
    }

    #[test]
    fn what_is_left_is_true() {
        let mut throttle = Throttle::default();
        let left = throttle.admit("s", "grant", Kind::Write, 0).unwrap();
        assert_eq!((left.own, left.everybody), (199, 2_999));
        let left = throttle.admit("s", "revoke", Kind::Write, 0).unwrap();
        assert_eq!((left.own, left.everybody), (199, 2_998));
        let left = throttle.admit("s", "grant", Kind::Write, 50).unwrap();
        assert_eq!(left.own, 198, "half a request has come back");
    }

    #[test]
    fn the_network_provider_counts_five_minutes_together() {
        let mut throttle = Throttle::default();
        for at in 0..1_000 {
            throttle.count("s", "a/write", [Kind::Write, Kind::Delete][at % 2], 1_000_000).unwrap();
        }
        let error = format!("{:?}", throttle.count("s", "a/write", Kind::Write, 1_001_000).unwrap_err());
        assert!(error.contains("ResourceRequestsThrottled") && error.contains("'299' seconds"), "{error}");
        throttle.count("s", "a/read", Kind::Read, 1_001_000).unwrap();
        throttle.count("s", "a/write", Kind::Write, 1_300_000).unwrap();
    }
}
