//! The clock that every function asks, and the only place where a function waits.

use access::lease::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task;

/// Real time plus an offset. The offset is 0 for ever in a deployed function; the sandbox moves it
/// forward so that expiry can be watched.
#[derive(Clone)]
pub struct Clock {
    offset_ms: Arc<watch::Sender<u64>>,
    sleepers: Arc<Mutex<BTreeMap<u64, Sleeper>>>,
    awake: Arc<AtomicUsize>,
}

/// Somebody in [`Clock::sleep_until`].
struct Sleeper {
    at: Timestamp,
    task: Option<task::Id>,
}

/// Whoever was woken by [`Clock::sleep_until`] keeps this while doing what it waited for, so that
/// the one who moves a clock forward can wait until that is done.
pub struct Awake(Arc<AtomicUsize>);

impl Awake {
    fn new(clock: &Clock) -> Self {
        clock.awake.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&clock.awake))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Clock {
    /// The real time.
    pub fn system() -> Self {
        Self::with_offset_ms(0)
    }

    /// Real time plus `offset_ms` milliseconds.
    pub fn with_offset_ms(offset_ms: u64) -> Self {
        Self {
            offset_ms: Arc::new(watch::channel(offset_ms).0),
            sleepers: Arc::default(),
            awake: Arc::default(),
        }
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

    /// Waits until `at`, also when the clock is moved there. Keep what it returns until the work
    /// that waited for this moment is done, and do that work in the task that waits.
    pub async fn sleep_until(&self, at: Timestamp) -> Awake {
        let mut offset = self.offset_ms.subscribe();
        let _asleep = Asleep::new(self, at);
        loop {
            offset.borrow_and_update();
            let left_ms = (at.unix() * 1000).saturating_sub(self.now_ms());
            if left_ms == 0 {
                return Awake::new(self);
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
        let mut moments: Vec<Timestamp> = sleepers.values().map(|sleeper| sleeper.at).collect();
        moments.sort_unstable();
        moments
    }

    /// Whether this task waits in [`Clock::sleep_until`] for a moment that has not come.
    pub fn is_asleep(&self, task: task::Id) -> bool {
        let now_ms = self.now_ms();
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.values().any(|sleeper| sleeper.task == Some(task) && sleeper.at.unix() * 1000 > now_ms)
    }

    /// How many [`Awake`]s are held: how much of what waited for a moment is being done now.
    pub fn awake(&self) -> usize {
        self.awake.load(Ordering::SeqCst)
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
        sleepers.insert(key, Sleeper { at, task: task::try_id() });
        Self { clock, key }
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.clock.sleepers.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_moves_the_clock_sees_who_waits_and_who_works() {
        let clock = Clock::with_offset_ms(5);
        let at = clock.now().plus(3600);
        let (woken, done) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
        let (sleeper, wakes, ends) = (clock.clone(), Arc::clone(&woken), Arc::clone(&done));
        let task = tokio::spawn(async move {
            let _awake = sleeper.sleep_until(at).await;
            wakes.notify_one();
            ends.notified().await;
        });
        while !clock.is_asleep(task.id()) {
            task::yield_now().await;
        }
        assert_eq!((clock.awaited(), clock.awake()), (vec![at], 0));
        clock.advance_ms(3_600_000);
        assert!(!clock.is_asleep(task.id()), "its moment has come, though it has not run yet");
        woken.notified().await;
        assert_eq!((clock.awaited(), clock.awake()), (vec![], 1));
        done.notify_one();
        task.await.unwrap();
        assert_eq!(clock.awake(), 0);
    }
}
