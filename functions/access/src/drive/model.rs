//! The model check: the shipped decisions ([`Drive`], `next_step`, the changes of a [`Record`]) in
//! every situation that a small world can get into. Nothing of them is copied here.
//!
//! **What is modelled** (`world`, `calls`, `events`). One table with conditional writes, in which a
//! record may not exist yet, exist, or have been purged. One or two network security groups, whose
//! rules are known by name. A lock row per group with holder and end; a delete that waits goes
//! before every PUT. Two slots for drivers: a trigger may start either function on any request in a
//! free slot at any moment, so doubled, useless and late triggers are all there. A write to Azure is
//! sent, and takes effect at some later moment, then is answered; its answer may be lost before or
//! after it took effect; it may take effect ticks later, or never; it may be accepted and take effect
//! later or never; it may be cancelled by another write to the same group. Azure refuses a write
//! (busy, priority taken, locked, anything else); Slack or Azure refuses the check, does not answer
//! it, or names other groups. Somebody else alters or deletes our rule, or overrules it. A
//! `CanNotDelete` lock comes and goes. A driver crashes between any two calls and during a write.
//! People: the source becomes known, one or two approvals, a denial, a cancellation, an early end, at
//! any moment. The clock ticks at any moment at which no call would have to wait longer than its
//! time-out.
//!
//! **Bounds.** How often each kind of fault may happen, alone and together, how many requests and groups:
//! `Bounds`, printed with the number of states. Time, triggers and the number of drives are not bounded:
//! states are told apart only by what a decision can tell apart (`print`), and that makes them finite.
//! Within the bounds every order of events is visited. The lengths of time (`world::TEMPO`) are a few
//! ticks: they keep the order that the deployed ones have where it matters (a lock outlasts a call; a sweep
//! outlasts a late write and the call before it).
//!
//! **What is not modelled.** What a call reads and the step of the driver that follows from it are one
//! event. Nothing is lost by that for Azure: a driver that is late after it looked is the same as one
//! whose next call is late, which is modelled (a write in flight takes effect any time until its
//! time-out, and `LATE` ticks after it was sent when its driver is gone). A read of the table that gets no
//! answer ends the drive, and is the same as a crash. The two slots are interchangeable; worlds that
//! differ only in their order are one state. Evidence, evaluation and placing of rules have their own
//! tests: here a check only answers.
//!
//! **What must hold** (`rules`): see [`rules::Broken`]. That all comes to rest is checked from every
//! state: faults end, writes that float land at the last moment they can, functions run only when the
//! tick or the stream would start them, and a state must be reached where nothing of ours is left in Azure
//! and nothing is due, before and after the `CanNotDelete` lock goes (`settle`).
//!
//! A state is known by a fingerprint of 128 bits: two 64-bit hashes that mix differently. With ten million
//! states the chance that any two share one is below 10^-24.

use super::*;

mod calls;
mod events;
mod print;
mod rules;
mod search;
mod settle;
mod world;

use crate::lifecycle::Plan;
use search::{Outcome, explore, say};
use std::sync::Mutex;
use world::{Begin, Bounds, Design};

/// Without rule 1: what the driver would have recorded, under the version that is still the table's.
pub(super) fn planned_but_not_recorded(record: &Record, plan: Plan, now: Timestamp) -> Record {
    let mut parts = record.planned(plan, now).unwrap().record.to_parts();
    parts.version = record.version();
    Record::from_parts(parts).unwrap()
}

/// Nothing goes wrong but what Azure and people do by right.
const NO_FAULT: Bounds = Bounds {
    name: "",
    begin: Begin::Approved,
    requests: 1,
    groups: 1,
    slots: 2,
    faults: 0,
    crashes: 0,
    losses: 0,
    refusals: 0,
    strangers: 0,
    locks: 0,
};
const WHOLE_LIFE: Bounds =
    Bounds { name: "from the first moment, two groups", begin: Begin::Asked, groups: 2, ..NO_FAULT };
const LOCK: Bounds = Bounds { name: "a lock in Azure comes and goes", locks: 1, ..NO_FAULT };
const FAULT: Bounds = Bounds {
    name: "one fault of any kind",
    faults: 1,
    crashes: 1,
    losses: 1,
    refusals: 1,
    strangers: 1,
    ..NO_FAULT
};
const CRASH: Bounds =
    Bounds { name: "a driver crashes, two groups", groups: 2, faults: 1, crashes: 1, ..NO_FAULT };
const LOSS: Bounds = Bounds {
    name: "an answer is lost or a write late, two groups",
    groups: 2,
    faults: 1,
    losses: 1,
    ..NO_FAULT
};
const BESIDE_OPEN: Bounds = Bounds {
    name: "one open and one approved request for the same flow",
    begin: Begin::FirstOpen,
    requests: 2,
    ..NO_FAULT
};
const BESIDE_LOCKED: Bounds = Bounds {
    name: "one open request, and one for the same flow whose rule a lock keeps",
    begin: Begin::FirstLocked,
    requests: 2,
    slots: 1,
    ..NO_FAULT
};
/// Explores these sets in two threads: some take a minute.
fn holds(list: &[Bounds]) {
    let left = Mutex::new(list.iter());
    let explore_some = || {
        let next = || left.lock().unwrap().next();
        let explored = std::iter::from_fn(next).map(|bounds| {
            let outcome = explore(bounds, Design::WHOLE);
            outcome.print(bounds, "whole");
            assert!(matches!(outcome, Outcome::Holds { .. }), "a counter-example, printed above");
            outcome.states()
        });
        explored.sum::<usize>()
    };
    let states: usize = std::thread::scope(|scope| {
        let beside = scope.spawn(explore_some);
        explore_some() + beside.join().unwrap()
    });
    say(&format!("\nmodel: {states} states in all"));
}

#[test]
fn the_shipped_decisions_are_safe_and_come_to_rest() {
    // The longest first, so that both threads end at about the same time.
    holds(&[LOSS, FAULT, CRASH, BESIDE_OPEN, LOCK, WHOLE_LIFE, BESIDE_LOCKED]);
}

#[test]
fn every_safety_rule_is_needed() {
    let whole = Design::WHOLE;
    let without = |safety| Design { safety, ..whole };
    let list = [
        ("1 intent first", without(Safety::NoIntent), FAULT),
        ("2 same name, same rule", Design { new_name_each_time: true, ..whole }, FAULT),
        ("3 three answers", without(Safety::UnknownIsDone), FAULT),
        ("4 one winner: compare-and-swap", Design { no_compare_and_swap: true, ..whole }, FAULT),
        ("4 one winner: the clock is read again", without(Safety::NoRecheck), FAULT),
        ("5 compare with reality", without(Safety::NoSweep), FAULT),
        ("6 one writer per group", without(Safety::NoLock), FAULT),
        ("6 a write under way keeps the lock", without(Safety::LockGivenBack), FAULT),
        ("7 one rule per request and group", Design { name_of_the_flow: true, ..whole }, BESIDE_OPEN),
        ("8 closing never gives up", without(Safety::GiveUp), LOCK),
        ("8 the denying rule is moved behind", Design { deny_stays_in_front: true, ..whole }, BESIDE_LOCKED),
        ("9 only what is true now", without(Safety::SayEarly), FAULT),
    ];
    let mut missed = vec![];
    for (rule, design, bounds) in list {
        let outcome = explore(&bounds, design);
        outcome.print(&bounds, &format!("without rule {rule}"));
        if matches!(outcome, Outcome::Holds { .. }) {
            missed.push(rule);
        }
    }
    assert!(missed.is_empty(), "taking these away changes nothing: {missed:?}");
}
