//! Moves the sandbox's clock, and waits until what became due has been done.

use super::data::Saved;
use crate::aws::lambda::Lambda;
use crate::aws::mapping::Progress;
use crate::aws::schedule::Fired;
use crate::fronts::Fronts;
use edge::clock::Clock;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// No invocation lasts longer than the longest timeout of a function, 180 s.
const LONGEST_WAIT: Duration = Duration::from_secs(190);
/// A batch that fails again and again is not waited for longer than this.
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// Whether a part of the sandbox has work under way that the functions' calls began.
pub type Busy = Arc<dyn Fn() -> bool + Send + Sync>;

/// The clock, and everything that moves when it does.
pub(crate) struct Time {
    pub(crate) clock: Clock,
    pub(crate) lambda: Lambda,
    pub(crate) mappings: Vec<Progress>,
    pub(crate) fired: Vec<Fired>,
    pub(crate) busy: Busy,
    pub(crate) saved: Saved,
    pub(crate) advancing: Mutex<()>,
    pub(crate) fronts: Option<Fronts>,
}

impl Time {
    /// Whether nothing more happens until somebody calls or the clock moves.
    fn is_settled(&self) -> bool {
        self.is_settled_but_for(|mapping| mapping.is_quiet())
    }

    fn is_settled_but_for(&self, quiet: impl Fn(&Progress) -> bool) -> bool {
        let now = self.clock.now();
        self.fired.iter().all(|schedule| schedule.is_up_to(now))
            && self.mappings.iter().all(quiet)
            && self.lambda.is_quiet()
            && !self.is_busy()
    }

    /// Whether somebody works, or is about to, without anybody's call. Where the clock stands, what a part
    /// has begun waits for it.
    fn is_busy(&self) -> bool {
        if self.clock.is_standing() {
            self.clock.awaited_ms().first().is_some_and(|first| *first <= self.clock.now_ms())
        } else {
            (self.busy)()
        }
    }

    /// Waits until every invocation has ended or waits for a later moment of the clock, and the
    /// stream has been handed over to its end.
    pub(crate) async fn settle(&self) {
        let begun = Instant::now();
        loop {
            let started = self.lambda.started();
            let settled = self.is_settled();
            tokio::time::sleep(Duration::from_millis(1)).await;
            // The second look is for an invocation that was just putting itself to sleep in several
            // places, one after the other.
            if settled && self.is_settled() && self.lambda.started() == started {
                if self.lambda.next_turn() {
                    continue;
                }
                return;
            }
            let only_retries = || self.is_settled_but_for(|at| at.is_quiet() || at.is_retrying());
            if begun.elapsed() > LONGEST_WAIT || (begun.elapsed() > LONGEST_RETRY && only_retries()) {
                tracing::warn!("the clock moves on although something is still being done");
                return;
            }
        }
    }

    /// Moves the clock forward to `target_ms` (Unix milliseconds) in steps: each whole minute and each
    /// moment that somebody waits for. After each step everything due is done before the next.
    /// A target that has passed is only settled.
    pub(crate) async fn advance_to(&self, target: impl FnOnce(u64) -> u64) -> Result<(), io::Error> {
        let _one_at_a_time = self.advancing.lock().await;
        self.settle().await;
        let target_ms = target(self.clock.now_ms());
        loop {
            let now_ms = self.clock.now_ms();
            if now_ms >= target_ms {
                return Ok(());
            }
            let minute_ms = (now_ms / 60_000 + 1) * 60_000;
            let awaited = self.clock.awaited_ms().into_iter();
            let awaited_ms = awaited.filter(|moment_ms| *moment_ms > now_ms).min();
            let next_ms = awaited_ms.unwrap_or(minute_ms).min(minute_ms).min(target_ms);
            let step_ms = next_ms - now_ms;
            // Saved first: a sandbox that is killed in between must not come back earlier than what
            // its table tells.
            self.saved.store(&(self.clock.offset_ms() + step_ms))?;
            if let Some(fronts) = &self.fronts {
                fronts.about_to_be(next_ms).await;
            }
            self.clock.advance_ms(step_ms);
            self.settle().await;
        }
    }
}
