//! One writer per network security group within one process: the drives that are to write to a group
//! stand in line, and hand the group's lock on to each other instead of giving it back.
//!
//! Between processes the lock row orders the writers ([`crate::store::Lock`]).

use crate::clock::{Awake, Clock};
use crate::store::{Lease, Store};
use access::lease::Timestamp;
use access::lifecycle::Record;
use access::request::ResourceId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest that a drive waits in line before it looks at its time again.
const PATIENCE: Duration = Duration::from_secs(2);

/// The lines of all groups. Clones are the same lines.
#[derive(Clone)]
pub struct Lines {
    clock: Clock,
    groups: Arc<Mutex<HashMap<String, Line>>>,
    tickets: Arc<std::sync::atomic::AtomicU64>,
}

#[derive(Default)]
struct Line {
    /// In their order; it is the first one's turn.
    waiting: VecDeque<Waiting>,
    /// How many drives were announced, so that the lock is not given back just before they come.
    expected: usize,
    /// The lock, while this process holds it.
    lease: Option<Lease>,
    /// Since when this process waits for the lock.
    since: Option<Timestamp>,
}

/// One who stands in line.
struct Waiting {
    ticket: u64,
    /// How it hears that its turn has come, while it waits for that.
    turn: Option<oneshot::Sender<Awake>>,
}

impl Line {
    fn is_turn_of(&self, ticket: u64) -> bool {
        self.waiting.front().is_some_and(|first| first.ticket == ticket)
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.expected == 0 && self.lease.is_none()
    }
}

impl Lines {
    /// Lines in which nobody stands; who does waits by this clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock, groups: Arc::default(), tickets: Arc::default() }
    }

    fn with<T>(&self, nsg: &ResourceId, look: impl FnOnce(&mut Line) -> T) -> T {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let key = nsg.key();
        let line = groups.entry(key.clone()).or_default();
        let seen = look(line);
        if line.is_empty() {
            groups.remove(&key);
        }
        seen
    }

    /// A place in any line, for one drive.
    pub(crate) fn place(&self) -> Place {
        let ticket = self.tickets.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Place { lines: self.clone(), ticket, at: None }
    }

    /// Announces that a record's groups are to be written to, before it is so far: the lock is then
    /// handed on from one drive to the next. End it with [`Expected::over`].
    pub fn expect(&self, record: &Record) -> Expected {
        let rules = record.plan().map(|plan| plan.rules().to_vec()).unwrap_or_default();
        let groups: Vec<ResourceId> = rules.into_iter().map(|rule| rule.nsg).collect();
        for nsg in &groups {
            self.with(nsg, |line| line.expected += 1);
        }
        Expected { lines: self.clone(), groups }
    }
}

/// A drive that was announced.
pub struct Expected {
    lines: Lines,
    groups: Vec<ResourceId>,
}

impl Expected {
    /// It has been, or does not come. Whoever is the last gives the lock back.
    pub async fn over(mut self, store: &Store) {
        for nsg in std::mem::take(&mut self.groups) {
            let lease = self.lines.with(&nsg, |line| {
                line.expected -= 1;
                if line.expected == 0 && line.waiting.is_empty() { line.lease.take() } else { None }
            });
            give_back(store, &nsg, lease).await;
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        // Not ended but broken off: a lock that is still held ends by itself.
        for nsg in &self.groups {
            self.lines.with(nsg, |line| {
                line.expected -= 1;
                if line.expected == 0 && line.waiting.is_empty() {
                    line.lease = None;
                }
            });
        }
    }
}

/// One drive's place: in no line, or in that of one group.
pub(crate) struct Place {
    lines: Lines,
    ticket: u64,
    at: Option<ResourceId>,
}

impl Place {
    /// Stands in this group's line, and waits a little for its turn. Whether it has come.
    pub(crate) async fn turn(&mut self, nsg: &ResourceId, at_work: &Awake) -> bool {
        if self.at.as_ref() != Some(nsg) {
            if let Some(other) = self.at.replace(nsg.clone()) {
                self.step_out(&other);
            }
            let waiting = Waiting { ticket: self.ticket, turn: None };
            self.lines.with(nsg, |line| line.waiting.push_back(waiting));
        }
        let (tell, turn) = oneshot::channel();
        let waits = self.lines.with(nsg, |line| {
            if line.is_turn_of(self.ticket) {
                return false;
            }
            let mine = line.waiting.iter_mut().find(|waiting| waiting.ticket == self.ticket);
            mine.map(|mine| mine.turn = Some(tell)).is_some()
        });
        if waits {
            self.lines.clock.pause_unless(PATIENCE, turn, at_work).await;
        }
        self.lines.with(nsg, |line| line.is_turn_of(self.ticket))
    }

    /// The lock that this process holds, while it is this drive's turn.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let lease = |line: &mut Line| line.lease.clone().filter(|_| line.is_turn_of(self.ticket));
        self.lines.with(self.at.as_ref()?, lease)
    }

    /// Whose turn it is: keeps what came of the lock.
    pub(crate) fn keep(&self, lease: Option<Lease>) {
        let Some(nsg) = &self.at else { return };
        self.lines.with(nsg, |line| {
            if lease.is_some() {
                line.since = None;
            }
            line.lease = lease;
        });
    }

    /// Whose turn it is: since when this process waits for the lock, from now on at the latest.
    pub(crate) fn waits_since(&self, now: Timestamp) -> Timestamp {
        self.at.as_ref().map_or(now, |nsg| self.lines.with(nsg, |line| *line.since.get_or_insert(now)))
    }

    /// Leaves the line. The lock is handed on to whoever comes next, or given back.
    pub(crate) async fn leave(&mut self, store: &Store) {
        let Some(nsg) = self.at.clone() else { return };
        let lease = self.lines.with(&nsg, |line| {
            let has_turn = line.is_turn_of(self.ticket);
            let last = line.expected == 0 && line.waiting.len() == 1;
            if has_turn && last { line.lease.take() } else { None }
        });
        // Given back before anybody's turn comes, so that nobody takes it in vain.
        give_back(store, &nsg, lease).await;
        self.at = None;
        self.step_out(&nsg);
    }

    fn step_out(&self, nsg: &ResourceId) {
        self.lines.with(nsg, |line| {
            line.waiting.retain(|waiting| waiting.ticket != self.ticket);
            if let Some(tell) = line.waiting.front_mut().and_then(|first| first.turn.take()) {
                // Where it has gone on by itself meanwhile, it looks whose turn it is.
                let _ = tell.send(self.lines.clock.awake_now());
            }
        });
    }

    /// Leaves the line where Azure may still be at what was written in this turn, which the next write
    /// would cancel. Nobody of this process takes the lock over, and it is not given back: its lease ends
    /// by itself.
    pub(crate) fn abandon(&mut self) {
        let Some(nsg) = self.at.take() else { return };
        self.lines.with(&nsg, |line| {
            if line.is_turn_of(self.ticket) {
                line.lease = None;
            }
        });
        self.step_out(&nsg);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Broken off in its turn: a call of it may still be under way.
        self.abandon();
    }
}

async fn give_back(store: &Store, nsg: &ResourceId, lease: Option<Lease>) {
    let Some(lease) = lease else { return };
    if let Err(error) = store.lock(nsg).give_back(&lease).await {
        // The lease ends by itself.
        tracing::warn!(error = %error, "a lock was not given back");
    }
}
