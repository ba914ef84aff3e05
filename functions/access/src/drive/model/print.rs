//! When two worlds are one state.
//!
//! Times count only as far as a decision can tell them apart: how long until something is over, or
//! since it began, up to the longest that is ever compared. So the clock has no end here, and yet
//! there are finitely many states. Versions count as older, the same, or one newer than the table's.
//! Left out is what no decision reads: why a request is closing, who approved it once it is
//! approved, when it was opened, how often closing was tried, the proof, and what a driver
//! remembers of work that it will begin anew.

use super::super::*;
use super::search::Mix;
use super::world::{Driver, Holder, Row, TEMPO, TICK, World};
use crate::lifecycle::{Plan, due_at};
use std::hash::{Hash, Hasher};

/// What can be told apart.
pub(super) trait Fingerprint {
    /// All but the times.
    fn timeless(&self, mix: &mut Mix);
    /// The times, as seen now. `locks`: whether a `CanNotDelete` lock was or may still be put on; without
    /// one nothing is turned into Deny, and for how long that is watched makes no difference.
    fn times(&self, now: Timestamp, locks: bool, mix: &mut Mix);
}

/// How long until a moment; 0 once it is reached.
fn until(moment: Timestamp, now: Timestamp, mix: &mut Mix) {
    mix.write_u64(moment.since(now) / TICK);
}

/// How long since a moment, at most so many seconds.
fn since(moment: Timestamp, now: Timestamp, most: u64, mix: &mut Mix) {
    mix.write_u64(now.since(moment).min(most) / TICK);
}

impl Fingerprint for Record {
    fn timeless(&self, mix: &mut Mix) {
        self.status().hash(mix);
        for rule in self.plan().map_or(&[][..], Plan::rules) {
            mix.write_u16(rule.priority);
        }
        match self.state() {
            State::Pending(_) => {
                // Who has approved, in whichever order.
                let mut by: Vec<_> = self.approvals().iter().map(|approval| approval.by.as_str()).collect();
                by.sort_unstable();
                by.hash(mix);
            }
            State::Closing(closing) => closing.ends().hash(mix),
            State::Closed(closed) => (closed.late(), due_at(self, &TEMPO).is_none()).hash(mix),
            State::Draft(_) | State::Approved(_) | State::Opening(_) | State::Open(_) => {}
        }
    }

    fn times(&self, now: Timestamp, locks: bool, mix: &mut Mix) {
        match self.state() {
            State::Draft(_) | State::Pending(_) => until(self.wish().lapses_at, now, mix),
            State::Approved(_) | State::Opening(_) | State::Open(_) => {
                if let Some(granted) = self.granted() {
                    until(granted.expires_at(), now, mix);
                }
                match self.delayed_until() {
                    Some(moment) => until(moment, now, mix),
                    None => mix.write_u8(97),
                }
                if let State::Opening(opening) = self.state() {
                    since(opening.planned_at(), now, TEMPO.propagation_seconds, mix);
                }
            }
            State::Closing(closing) => {
                if let Some(retry_at) = due_at(self, &TEMPO) {
                    until(retry_at, now, mix);
                }
                if locks {
                    until(closing.closing_at().plus(TEMPO.sweep_seconds), now, mix);
                }
            }
            State::Closed(closed) => {
                until(self.changed_at().plus(TEMPO.sweep_seconds), now, mix);
                if closed.late().contains(&RuleEnd::Locked) {
                    until(self.changed_at().plus(TEMPO.retry_seconds), now, mix);
                }
            }
        }
    }
}

impl Driver {
    /// Whether the work on the rules is over, and what is remembered of it will not be read.
    const fn begins_anew(&self) -> bool {
        let then = matches!(self.drive.at, At::Unlocking(Then::Reread | Then::End(_) | Then::Stop));
        // Who keeps the turn goes on with the rule that it is at.
        self.drive.holds.is_none()
            && (then || matches!(self.drive.at, At::Reading | At::Writing | At::Checking))
    }
}

impl Fingerprint for Driver {
    fn timeless(&self, mix: &mut Mix) {
        let drive = &self.drive;
        (self.request, &self.answer, self.name, self.overtaken).hash(mix);
        (
            drive.role,
            &drive.at,
            drive.checked,
            drive.replans,
            drive.holds,
            drive.bare,
            drive.swept,
            drive.settles,
        )
            .hash(mix);
        if !self.begins_anew() {
            (drive.job, drive.attempts, drive.looks_first).hash(mix);
            if matches!(drive.job, Job::Deny | Job::Delete | Job::Sweep) {
                (&drive.ends, drive.found).hash(mix);
            }
        }
        if drive.at != At::Reading {
            drive.record.timeless(mix);
        }
    }

    fn times(&self, now: Timestamp, locks: bool, mix: &mut Mix) {
        let drive = &self.drive;
        since(drive.started_at, now, TEMPO.budget_seconds, mix);
        if !self.begins_anew() {
            match drive.waiting_since {
                Some(waiting) => since(waiting, now, TEMPO.delete_patience_seconds, mix),
                None => mix.write_u8(99),
            }
            for not_before in &drive.not_before {
                match not_before {
                    Some(moment) => until(*moment, now, mix),
                    None => mix.write_u8(98),
                }
            }
        }
        if drive.at != At::Reading {
            drive.record.times(now, locks, mix);
        }
    }
}

impl World {
    fn driver_print(&self, slot: usize) -> u128 {
        let Some(driver) = &self.drivers[slot] else { return 0 };
        let mut mix = Mix::default();
        mix.write_u128(driver.print);
        driver.value.times(self.time(), self.locks, &mut mix);
        mix.write_u8(self.now - driver.value.since);
        let stored = self.record(driver.value.request.into()).map(Record::version);
        stored.map(|stored| driver.value.drive.record.version().cmp(&stored)).hash(&mut mix);
        mix.print()
    }

    /// One state for each pair of worlds that differ only in which driver has which slot.
    pub(super) fn print(&self) -> u128 {
        let prints = [self.driver_print(0), self.driver_print(1)];
        let swap = prints[0] > prints[1];
        let mut mix = Mix::default();
        for row in &self.rows {
            match row {
                Row::NotYet => mix.write_u8(0),
                Row::Purged => mix.write_u8(1),
                Row::Here(record) => {
                    mix.write_u128(record.print);
                    record.value.times(self.time(), self.locks, &mut mix);
                }
            }
        }
        for slot in [usize::from(swap), usize::from(!swap)] {
            mix.write_u128(prints[slot]);
        }
        for group in &self.groups {
            group.rules.hash(&mut mix);
            // A lock that is over is none.
            let lock =
                group.lock.filter(|(_, until)| self.now < *until).map(|(holder, until)| match holder {
                    Holder::Driver(slot) => (Holder::Driver(slot ^ u8::from(swap)), until - self.now),
                    Holder::Gone => (Holder::Gone, until - self.now),
                });
            let waits = group.delete_waits_until.and_then(|until| until.checked_sub(self.now));
            (lock, waits, group.overruled).hash(&mut mix);
        }
        for floating in &self.floating {
            super::world::Floating { until: floating.until - self.now, ..*floating }.hash(&mut mix);
        }
        (self.azure_lock, self.left, self.conflicts, self.names, self.touched).hash(&mut mix);
        mix.print()
    }
}
