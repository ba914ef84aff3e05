//! The minute: an EventBridge Scheduler schedule that invokes `revoke`, and DynamoDB's time to live.

use super::dynamodb::Dynamodb;
use super::lambda::{Failure, Lambda};
use super::{ACCOUNT, REGION, iso, uuid};
use access::lease::Timestamp;
use edge::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::watch;

/// The function that the schedule invokes.
const FUNCTION: &str = "revoke";

/// Fires at each whole minute of the sandbox's clock.
pub(crate) struct Schedule {
    clock: Clock,
    lambda: Lambda,
    dynamodb: Dynamodb,
    fired: watch::Sender<u64>,
}

impl Schedule {
    /// A schedule whose first tick is the next whole minute.
    pub(crate) fn new(clock: Clock, lambda: Lambda, dynamodb: Dynamodb) -> Self {
        let fired = watch::channel(clock.now().unix() / 60).0;
        Self { clock, lambda, dynamodb, fired }
    }

    /// The last minute that was dealt with, counted from the Unix epoch.
    pub(crate) fn fired(&self) -> watch::Receiver<u64> {
        self.fired.subscribe()
    }

    /// Fires until the task is dropped. A tick does not wait for the one before it, is not tried
    /// again, and minutes that nobody lived through (a laptop asleep) are not made up for.
    pub(crate) async fn run(self) {
        loop {
            let last = *self.fired.borrow();
            let _awake = self.clock.sleep_until(Timestamp::from_unix((last + 1) * 60)).await;
            let minute = self.clock.now().unix() / 60;
            if minute / 60 > last / 60
                && let Err(error) = self.dynamodb.purge(&self.clock).await
            {
                tracing::warn!(%error, "items past their time to live stay until the next hour");
            }
            match self.lambda.start(FUNCTION, event(Timestamp::from_unix(minute * 60))) {
                Ok(_) | Err(Failure::NoFunction(_)) => {}
                Err(failure) => tracing::warn!(%failure, "tick lost"),
            }
            self.fired.send_replace(minute);
        }
    }
}

/// The event of EventBridge Scheduler's Lambda target without an input of its own: `detail` is a
/// string, where an EventBridge rule would send an object.
pub fn event(at: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": uuid(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT,
        "time": iso(at),
        "region": REGION,
        "resources": [format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/ajar/{FUNCTION}")],
        "detail": "{}",
    })
}
