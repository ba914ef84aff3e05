//! Whether all comes to rest from a state once nothing more goes wrong: the functions run only when
//! the tick or the stream would start them, and writes that float take effect at the last moment.

use super::super::*;
use super::calls::answers;
use super::events::may_tick;
use super::rules::{Broken, forgotten};
use super::search::{ByPrint, Mix};
use super::world::{Act, Left, Row, Setting, TEMPO, World};
use crate::lifecycle::due_at;
use std::hash::Hasher;

/// Longer than any way to rest takes.
const TICKS: u8 = 90;

/// The states from which all comes to rest, as far as they are known.
#[derive(Default)]
pub(super) struct Rest(ByPrint<()>);

/// A world that is left alone, and what has been started in this tick.
struct Calm {
    world: World,
    /// The record has changed, and the stream has not yet started `grant`.
    wake: [bool; 2],
    /// The tick has started `revoke`, and has told `grant` again.
    ticked: [bool; 2],
    touched: [bool; 2],
}

impl Rest {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// # Errors
    /// It does not; with the way there.
    pub(super) fn comes_to_rest(&mut self, setting: &Setting, world: &World) -> Result<(), (Broken, String)> {
        let left = Left { faults: 0, crashes: 0, losses: 0, refusals: 0, strangers: 0, locks: 0 };
        let world = World { left, ..world.clone() };
        let calm =
            || Calm { world: world.clone(), wake: [false; 2], ticked: [false; 2], touched: [false; 2] };
        self.run(setting, calm(), &mut |_| {}).map_err(|broken| {
            let mut way = vec![];
            let _ = Self::default().run(setting, calm(), &mut |label| way.push(label));
            let from = way.len().saturating_sub(40);
            (broken, format!("then left alone: ...\n         {}", way[from..].join("\n         ")))
        })
    }

    fn run(&mut self, setting: &Setting, mut calm: Calm, tell: &mut dyn FnMut(String)) -> Result<(), Broken> {
        let mut way = vec![];
        let end = calm.world.now.saturating_add(TICKS);
        while calm.world.now < end {
            let print = calm.print();
            if self.0.contains_key(&print) {
                self.0.extend(way.into_iter().map(|print| (print, ())));
                return Ok(());
            }
            way.push(print);
            if calm.is_shut(setting) {
                if calm.world.azure_lock {
                    calm.world.azure_lock = false;
                    tell("the lock CanNotDelete is taken off".to_owned());
                    continue;
                }
                if calm.is_at_rest(setting) {
                    self.0.extend(way.into_iter().map(|print| (print, ())));
                    return Ok(());
                }
            }
            calm.step(setting, tell)?;
        }
        Err(Broken::NoRest)
    }
}

impl Calm {
    fn print(&self) -> u128 {
        let mut mix = Mix::default();
        mix.write_u128(self.world.print());
        for flag in [self.wake, self.ticked, self.touched].concat() {
            mix.write_u8(flag.into());
        }
        mix.print()
    }

    fn idle(&self) -> bool {
        self.world.drivers.iter().all(Option::is_none) && self.world.floating.is_empty()
    }

    /// No rule of ours allows, and every record knows.
    fn is_shut(&self, setting: &Setting) -> bool {
        let allows = self
            .world
            .groups
            .iter()
            .flat_map(|group| group.rules)
            .any(|rule| rule.standing == Standing::Allow || rule.standing == Standing::Altered);
        let knows = |request| match &self.world.rows[request] {
            Row::NotYet | Row::Purged => true,
            Row::Here(record) => match record.value.state() {
                State::Closing(closing) => closing.is_shut(),
                State::Closed(_) => true,
                _ => false,
            },
        };
        self.idle() && !allows && (0..setting.bounds.requests).all(knows)
    }

    /// Nothing of ours is left, and nothing is due.
    fn is_at_rest(&self, setting: &Setting) -> bool {
        let there = self.world.groups.iter().flat_map(|group| group.rules);
        let due = |request| self.world.record(request).is_some_and(|record| !forgotten(record));
        self.idle()
            && there.into_iter().all(|rule| rule.standing == Standing::Absent)
            && !(0..setting.bounds.requests).any(due)
    }

    fn step(&mut self, setting: &Setting, tell: &mut dyn FnMut(String)) -> Result<(), Broken> {
        let pausing = |world: &World, slot: usize| {
            world.drivers[slot].as_ref().map(|driver| matches!(driver.value.call, Call::Pause(_)))
        };
        let working = (0..2).find(|slot| pausing(&self.world, *slot) == Some(false));
        let over = |slot: &usize| {
            self.world.drivers[*slot].as_ref().is_some_and(|driver| driver.value.since < self.world.now)
        };
        if let Some(slot) = working.or_else(|| (0..2).find(over)) {
            let mut next = None;
            answers(setting, &self.world, slot, &mut |label, world| {
                if next.is_none() {
                    tell(format!("tick {}: {}", self.world.now, label()));
                    next = Some(world);
                }
            });
            return next.map_or(Err(Broken::NoRest), |world| {
                self.becomes(world?);
                Ok(())
            });
        }
        if self.world.drivers.iter().all(Option::is_none) && self.trigger(setting, tell)? {
            return Ok(());
        }
        self.tick(tell);
        Ok(())
    }

    fn becomes(&mut self, world: World) {
        for request in [0, 1] {
            let version = |world: &World| world.record(request).map(Record::version);
            self.wake[request] |= version(&world) != version(&self.world);
        }
        self.world = world;
    }

    /// What the stream and the minute's tick start now. The stream starts `grant` for a record that
    /// has changed; the tick starts `revoke` for what is due, and tells `grant` again of what was left.
    fn trigger(&mut self, setting: &Setting, tell: &mut dyn FnMut(String)) -> Result<bool, Broken> {
        for request in 0..setting.bounds.requests {
            let Some(record) = self.world.record(request) else { continue };
            let now = self.world.time();
            let due = due_at(record, &TEMPO).is_some_and(|due| now >= due);
            let in_work =
                matches!(record.state(), State::Approved(_) | State::Opening(_) | State::Closing(_));
            let idle = in_work && now >= record.changed_at().plus(TEMPO.idle_seconds);
            let role = if std::mem::take(&mut self.wake[request]) {
                Role::Grant
            } else if due && !std::mem::replace(&mut self.ticked[request], true) {
                Role::Revoke
            } else if idle && !std::mem::replace(&mut self.touched[request], true) {
                Role::Grant
            } else {
                continue;
            };
            if let Some(world) = self.world.start(setting, 0, request, role) {
                tell(format!("tick {}: {role:?} starts on request {request}", self.world.now));
                self.becomes(world?);
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn tick(&mut self, tell: &mut dyn FnMut(String)) {
        while !may_tick(&self.world) && !self.world.floating.is_empty() {
            let now = self.world.now;
            let Some(n) = self.world.floating.iter().position(|floating| floating.until <= now) else {
                break;
            };
            let floating = self.world.floating.remove(n);
            if floating.act != Act::Delete || !self.world.azure_lock {
                let (group, name) = (floating.group.into(), floating.name);
                self.world.apply(group, name, floating.act, floating.overtaken);
            }
            tell(format!("tick {now}: the floating {:?} takes effect", floating.act));
        }
        self.world.now += 1;
        self.ticked = [false; 2];
        self.touched = [false; 2];
    }
}
