//! The clock that every function asks, and the only place where a function waits.

use access::lease::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task;

/// Real time plus an offset. The offset is 0 for ever in a deployed function; the sandbox moves it
/// forward so that expiry can be watched. A clock that stands moves only when it is moved: then what
/// happens does not depend on how fast a machine is.
#[derive(Clone)]
pub struct Clock {
    /// Where a standing clock began, milliseconds since the Unix epoch.
    stands_at_ms: Option<u64>,
    offset_ms: Arc<watch::Sender<u64>>,
    sleepers: Arc<Mutex<BTreeMap<u64, Sleeper>>>,
    awake: Arc<AtomicUsize>,
}

/// Somebody who waits for a moment of this clock.
struct Sleeper {
    at_ms: u64,
    task: Option<task::Id>,
}

/// Whoever was woken by [`Clock::sleep_until`] keeps this while doing what it waited for, so that
/// the one who moves a clock forward can wait until that is done. Whoever does several things side by
/// side in one task keeps one for each of them.
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
        Self::new(None, offset_ms)
    }

    /// A clock that moves only when it is moved, and begins at this moment.
    pub fn standing_at(at: Timestamp) -> Self {
        Self::new(Some(at.unix() * 1000), 0)
    }

    fn new(stands_at_ms: Option<u64>, offset_ms: u64) -> Self {
        Self {
            stands_at_ms,
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
    pub fn now_ms(&self) -> u64 {
        self.stands_at_ms.unwrap_or_else(real_ms) + *self.offset_ms.borrow()
    }

    /// Whether it moves only when it is moved.
    pub const fn is_standing(&self) -> bool {
        self.stands_at_ms.is_some()
    }

    /// Waits until `at`, also when the clock is moved there. Keep what it returns until the work
    /// that waited for this moment is done, and do that work in the task that waits.
    pub async fn sleep_until(&self, at: Timestamp) -> Awake {
        self.wait_for(at.unix() * 1000).await
    }

    /// Waits this long, in real time; where the clock stands, until it is moved so far. Keep what it
    /// returns as that of [`Clock::sleep_until`].
    pub async fn wait(&self, length: Duration) -> Awake {
        if self.is_standing() {
            self.wait_for(self.now_ms() + u64::try_from(length.as_millis()).unwrap_or(u64::MAX)).await
        } else {
            tokio::time::sleep(length).await;
            self.awake_now()
        }
    }

    /// As [`Clock::wait`], for somebody who is at work already and goes on with it afterwards.
    pub async fn pause(&self, length: Duration, at_work: &Awake) {
        self.pause_unless(length, std::future::pending::<()>(), at_work).await;
    }

    /// As [`Clock::pause`], unless `other` comes first. Whoever brings that about is awake until it has come:
    /// it hands over an [`Awake`].
    pub(crate) async fn pause_unless<T>(
        &self,
        length: Duration,
        other: impl Future<Output = T>,
        at_work: &Awake,
    ) -> Option<T> {
        let rest = self.is_standing().then(|| Rest::of(at_work));
        tokio::select! {
            biased;
            came = other => {
                drop(rest);
                Some(came)
            }
            awake = self.wait(length) => {
                drop(rest);
                drop(awake);
                None
            }
        }
    }

    /// Several things side by side, for somebody who is at work and waits for all of them. Each is given an
    /// [`Awake`] of its own, and gives it back when it is done.
    pub async fn side_by_side<W, T, F: Future<Output = (T, Awake)>>(
        &self,
        works: impl Iterator<Item = W>,
        work: impl Fn(W, Awake) -> F,
        at_work: &Awake,
    ) -> Vec<T> {
        let begun: Vec<F> = works.map(|each| work(each, self.awake_now())).collect();
        let rest = Rest::of(at_work);
        let done = futures::future::join_all(begun).await;
        // Before those who have done it rest, so that there is always somebody awake.
        drop(rest);
        done.into_iter().map(|(done, _)| done).collect()
    }

    async fn wait_for(&self, at_ms: u64) -> Awake {
        let mut offset = self.offset_ms.subscribe();
        let asleep = Asleep::new(self, at_ms);
        loop {
            offset.borrow_and_update();
            let left_ms = asleep.at_ms.saturating_sub(self.now_ms());
            if left_ms == 0 {
                return self.awake_now();
            }
            if self.is_standing() {
                let _ = offset.changed().await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left_ms)) => {}
                _ = offset.changed() => {}
            }
        }
    }

    /// For somebody who begins to work: see [`Awake`].
    pub fn awake_now(&self) -> Awake {
        Awake::new(self)
    }

    /// Moves the clock forward by `milliseconds` and wakes whoever waits for a moment that has come.
    pub fn advance_ms(&self, milliseconds: u64) {
        self.offset_ms.send_modify(|offset| *offset += milliseconds);
    }

    /// By how much this clock was moved, in milliseconds.
    pub fn offset_ms(&self) -> u64 {
        *self.offset_ms.borrow()
    }

    /// By how much this clock is ahead of real time, in milliseconds; less than 0 where it is behind.
    pub fn ahead_ms(&self) -> i64 {
        let ms = |at_ms: u64| i64::try_from(at_ms).unwrap_or(i64::MAX);
        ms(self.now_ms()) - ms(real_ms())
    }

    /// The moments that somebody waits for, in milliseconds since the Unix epoch, ascending.
    pub fn awaited_ms(&self) -> Vec<u64> {
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut moments: Vec<u64> = sleepers.values().map(|sleeper| sleeper.at_ms).collect();
        moments.sort_unstable();
        moments
    }

    /// Whether this task waits for a moment that has not come.
    pub fn is_asleep(&self, task: task::Id) -> bool {
        let now_ms = self.now_ms();
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.values().any(|sleeper| sleeper.task == Some(task) && sleeper.at_ms > now_ms)
    }

    /// How many [`Awake`]s are held: how much of what waited for a moment is being done now.
    pub fn awake(&self) -> usize {
        self.awake.load(Ordering::SeqCst)
    }
}

/// Now by the system's clock, in milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn real_ms() -> u64 {
    let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(real.as_millis()).unwrap_or(u64::MAX)
}

/// Somebody at work pauses: not counted as awake meanwhile, nor when the pause is cut short.
struct Rest<'a>(&'a Awake);

impl<'a> Rest<'a> {
    fn of(awake: &'a Awake) -> Self {
        awake.0.fetch_sub(1, Ordering::SeqCst);
        Self(awake)
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// One entry of the list of sleepers, removed when the wait ends or is dropped.
struct Asleep<'a> {
    clock: &'a Clock,
    key: u64,
    at_ms: u64,
}

impl<'a> Asleep<'a> {
    fn new(clock: &'a Clock, mut at_ms: u64) -> Self {
        let mut sleepers = clock.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        // Who moves a standing clock wakes one after the other, so that the order is always the same.
        while clock.is_standing()
            && at_ms > clock.now_ms()
            && sleepers.values().any(|sleeper| sleeper.at_ms == at_ms)
        {
            at_ms += 1;
        }
        let key = sleepers.last_key_value().map_or(0, |(last, _)| last + 1);
        sleepers.insert(key, Sleeper { at_ms, task: task::try_id() });
        Self { clock, key, at_ms }
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
        assert_eq!((clock.awaited_ms(), clock.awake()), (vec![at.unix() * 1000], 0));
        clock.advance_ms(3_600_000);
        assert!(!clock.is_asleep(task.id()), "its moment has come, though it has not run yet");
        woken.notified().await;
        assert_eq!((clock.awaited_ms(), clock.awake()), (vec![], 1));
        done.notify_one();
        task.await.unwrap();
        assert_eq!(clock.awake(), 0);
    }
    #[tokio::test]
    async fn a_standing_clock_moves_only_when_it_is_moved() {
        let clock = Clock::standing_at(Timestamp::from_unix(1_000));
        assert_eq!((clock.now_ms(), clock.is_standing()), (1_000_000, true));
        let waiter = clock.clone();
        let task = tokio::spawn(async move {
            let awake = waiter.sleep_until(Timestamp::from_unix(1_001)).await;
            waiter.pause(Duration::from_secs(2), &awake).await;
            waiter.now().unix()
        });
        let second = clock.clone();
        let beside = tokio::spawn(async move { drop(second.wait(Duration::from_secs(1)).await) });
        while clock.awaited_ms().len() < 2 {
            task::yield_now().await;
        }
        assert_eq!(clock.awaited_ms(), [1_001_000, 1_001_001], "one after the other");
        clock.advance_ms(1_001);
        beside.await.unwrap();
        while clock.awaited_ms() != [1_003_001] {
            task::yield_now().await;
        }
        assert_eq!(clock.awake(), 0, "who pauses is not at work");
        clock.advance_ms(2_000);
        assert_eq!(task.await.unwrap(), 1_003);
        assert_eq!(clock.awake(), 0);
    }
}
