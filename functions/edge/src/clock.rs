//! The clock that every function asks, and the only place where a function waits.

use access::lease::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Real time plus an offset. The offset is 0 for ever in a deployed function; the sandbox moves it
/// forward so that expiry can be watched.
#[derive(Clone)]
pub struct Clock {
    offset_ms: Arc<watch::Sender<u64>>,
    sleepers: Arc<Mutex<BTreeMap<u64, Timestamp>>>,
}

impl Clock {
    /// The real time.
    pub fn system() -> Self {
        Self::with_offset_ms(0)
    }

    /// Real time plus `offset_ms` milliseconds.
    pub fn with_offset_ms(offset_ms: u64) -> Self {
        Self { offset_ms: Arc::new(watch::channel(offset_ms).0), sleepers: Arc::default() }
    }

    /// Now, in whole seconds.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.now_ms() / 1000)
    }

    /// Now, in milliseconds since the Unix epoch.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now_ms(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(real.as_millis()).unwrap_or(u64::MAX) + *self.offset_ms.borrow()
    }

    /// Waits until `at`, also when the clock is moved there.
    pub async fn sleep_until(&self, at: Timestamp) {
        let mut offset = self.offset_ms.subscribe();
        let _asleep = Asleep::new(self, at);
        loop {
            offset.borrow_and_update();
            let left_ms = (at.unix() * 1000).saturating_sub(self.now_ms());
            if left_ms == 0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left_ms)) => {}
                _ = offset.changed() => {}
            }
        }
    }

    /// Moves the clock forward by `milliseconds` and wakes whoever waits for a moment that has come.
    pub fn advance_ms(&self, milliseconds: u64) {
        self.offset_ms.send_modify(|offset| *offset += milliseconds);
    }

    /// By how much this clock is ahead of real time, in milliseconds.
    pub fn offset_ms(&self) -> u64 {
        *self.offset_ms.borrow()
    }

    /// The moments that somebody waits for in [`Clock::sleep_until`], ascending.
    pub fn awaited(&self) -> Vec<Timestamp> {
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut moments: Vec<Timestamp> = sleepers.values().copied().collect();
        moments.sort_unstable();
        moments
    }
}

/// One entry of the list of sleepers, removed when the wait ends or is dropped.
struct Asleep<'a> {
    clock: &'a Clock,
    key: u64,
}

impl<'a> Asleep<'a> {
    fn new(clock: &'a Clock, at: Timestamp) -> Self {
        let mut sleepers = clock.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = sleepers.last_key_value().map_or(0, |(last, _)| last + 1);
        sleepers.insert(key, at);
        Self { clock, key }
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.clock.sleepers.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
