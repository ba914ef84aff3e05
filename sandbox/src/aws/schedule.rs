//! EventBridge Scheduler's schedules: the minute that invokes `revoke`, and the quarter of an hour that
//! invokes `discover`. With the minute comes DynamoDB's time to live.

use super::dynamodb::Dynamodb;
use super::lambda::{Failure, Lambda};
use super::{ACCOUNT, REGION, iso, uuid};
use access::lease::Timestamp;
use edge::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::watch;

/// Every so often, by the sandbox's clock.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// From when it counts, seconds since the Unix epoch.
    first: u64,
    /// In seconds.
    every: u64,
}

impl Rate {
    /// How many times it has come round by then.
    fn rounds(self, now: Timestamp) -> u64 {
        now.unix().saturating_sub(self.first) / self.every
    }

    fn moment(self, round: u64) -> Timestamp {
        Timestamp::from_unix(self.first + round * self.every)
    }
}

/// Invokes one function at a rate.
pub(crate) struct Schedule {
    function: &'static str,
    rate: Rate,
    clock: Clock,
    lambda: Lambda,
    /// Purged each hour.
    dynamodb: Option<Dynamodb>,
    fired: watch::Sender<u64>,
}

/// How far a schedule has come.
pub(crate) struct Fired {
    rate: Rate,
    fired: watch::Receiver<u64>,
}

impl Fired {
    /// Whether everything that was due by now was started.
    pub(crate) fn is_up_to(&self, now: Timestamp) -> bool {
        *self.fired.borrow() >= self.rate.rounds(now)
    }
}

impl Schedule {
    /// Invokes `revoke` at each whole minute, first at the next one.
    pub(crate) fn minute(clock: Clock, lambda: Lambda, dynamodb: Dynamodb) -> Self {
        let rate = Rate { first: 0, every: 60 };
        Self::new("revoke", rate, clock, lambda, Some(dynamodb))
    }

    /// Invokes `discover` every 15 minutes, first in 15 minutes: a schedule with a rate counts from when it
    /// was made (docs.aws.amazon.com, scheduler/latest/UserGuide/schedule-types.html).
    pub(crate) fn quarter(clock: Clock, lambda: Lambda) -> Self {
        let rate = Rate { first: clock.now().unix(), every: 15 * 60 };
        Self::new("discover", rate, clock, lambda, None)
    }

    fn new(
        function: &'static str,
        rate: Rate,
        clock: Clock,
        lambda: Lambda,
        dynamodb: Option<Dynamodb>,
    ) -> Self {
        let fired = watch::channel(rate.rounds(clock.now())).0;
        Self { function, rate, clock, lambda, dynamodb, fired }
    }

    /// How far it has come.
    pub(crate) fn fired(&self) -> Fired {
        Fired { rate: self.rate, fired: self.fired.subscribe() }
    }

    /// Fires until the task is dropped. A tick does not wait for the one before it, is not tried
    /// again, and rounds that nobody lived through (a laptop asleep) are not made up for.
    pub(crate) async fn run(self) {
        loop {
            let last = *self.fired.borrow();
            let _awake = self.clock.sleep_until(self.rate.moment(last + 1)).await;
            let round = self.rate.rounds(self.clock.now());
            let hour = |round| self.rate.moment(round).unix() / 3600;
            if let Some(dynamodb) = &self.dynamodb
                && hour(round) > hour(last)
                && let Err(error) = dynamodb.purge(&self.clock).await
            {
                tracing::warn!(%error, "items past their time to live stay until the next hour");
            }
            match self.lambda.start(self.function, event(self.function, self.rate.moment(round))) {
                Ok(_) | Err(Failure::NoFunction(_)) => {}
                Err(failure) => tracing::warn!(%failure, "tick lost"),
            }
            self.fired.send_replace(round);
        }
    }
}

/// The event of EventBridge Scheduler's Lambda target without an input of its own: `detail` is a
/// string, where an EventBridge rule would send an object.
pub fn event(function: &str, at: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": uuid(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT,
        "time": iso(at),
        "region": REGION,
        "resources": [format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/ajar/{function}")],
        "detail": "{}",
    })
}
