//! How long it takes until packets meet a rule that Azure says is in force.
//!
//! Azure publishes no bound. Testers saw connections fail for up to 80 seconds after an operation had
//! succeeded, so a rule that allows comes late here, by a seeded number of seconds of the sandbox's
//! clock. A rule that denies, and the removal of one, count from the end of the operation: an opening
//! that comes late is what has to be survived, and whether something is shut is judged by Azure's rules.

use super::core::{Core, State};
use super::journal::What;
use super::rules::Access;
use super::world::{Nsg, Rule};
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Waits until the sandbox's clock reads at least this, in milliseconds since the Unix epoch.
pub type Wait = Arc<dyn Fn(u64) -> BoxFuture<'static, ()> + Send + Sync>;

/// By what a flow is judged.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// By the rules that Azure says are in force.
    Rules,
    /// By the rules that packets meet at a moment of the sandbox's clock, milliseconds.
    Packets(u64),
}

/// Draws how late a rule is, one number after the other, and knows which moments are waited for.
#[derive(Default)]
pub(super) struct Lateness {
    drawn: AtomicU64,
    /// Milliseconds.
    awaited: Mutex<BTreeSet<u64>>,
}

impl Lateness {
    /// The next delay in seconds, from 0 to `most` (SplitMix64).
    fn draw(&self, seed: u64, most: u64) -> u64 {
        let nth = self.drawn.fetch_add(1, Ordering::SeqCst) + 1;
        let mut mixed = seed.wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % (most + 1)
    }

    fn awaited(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a group's rules into force. One that allows and is not as it was reaches the packets later.
pub(super) fn enforce(core: &Core, nsg: &mut Nsg, rules: Vec<Rule>) {
    let before = std::mem::replace(&mut nsg.enforced, rules);
    let settings = core.settings();
    let mut late = std::mem::take(&mut nsg.late);
    for rule in &nsg.enforced {
        let key = rule.name.to_ascii_lowercase();
        let same =
            |one: &Rule| one.name.eq_ignore_ascii_case(&rule.name) && one.properties == rule.properties;
        if before.iter().any(same) {
            if let Some(from_ms) = late.remove(&key) {
                nsg.late.insert(key, from_ms);
            }
        } else if rule.properties.access == Access::Allow && settings.allow_late_by_seconds > 0 {
            let seconds = core.lateness.draw(settings.seed, settings.allow_late_by_seconds);
            if seconds > 0 {
                nsg.late.insert(key, (core.now() / 1000 + seconds) * 1000);
            }
        }
    }
}

/// Lets the ports follow when a group's late rules reach the packets: once for each moment, however many
/// rules come then. An operation ends only when the ports have followed it, and would wait behind the others.
pub(super) fn watch(core: &Arc<Core>, nsg: &str) {
    let moments: Vec<u64> = core
        .read(|state| state.world.nsg(nsg).map(|nsg| nsg.late.values().copied().collect()))
        .unwrap_or_default();
    for from_ms in moments {
        if !core.lateness.awaited().insert(from_ms) {
            continue;
        }
        let (wait, core) = ((core.wait)(from_ms), Arc::downgrade(core));
        tokio::spawn(async move {
            wait.await;
            let Some(core) = core.upgrade() else { return };
            core.lateness.awaited().remove(&from_ms);
            // What is told as reached must be so: the ports first.
            core.sync_ports().await;
            core.change(|state| arrive(state, core.now()));
        });
    }
}

/// As [`watch`], for all groups: after a restart.
pub(super) fn resume(core: &Arc<Core>) {
    let groups: Vec<String> =
        core.read(|state| state.world.nsgs.iter().map(|nsg| nsg.name.clone()).collect());
    groups.iter().for_each(|nsg| watch(core, nsg));
}

/// Notes the rules that have reached the packets.
fn arrive(state: &mut State, now_ms: u64) {
    let State { world, journal, .. } = state;
    for nsg in &mut world.nsgs {
        let Nsg { name, late, enforced, .. } = nsg;
        late.retain(|key, from_ms| {
            let arrived = *from_ms <= now_ms;
            if let Some(rule) = enforced.iter().find(|rule| arrived && rule.name.eq_ignore_ascii_case(key)) {
                journal.add(now_ms, name, &rule.name, What::Reached, "", Some(&rule.properties));
            }
            !arrived
        });
    }
}

/// The moments of the sandbox's clock, milliseconds, at which rules are to reach the packets.
pub(super) fn awaited(state: &State) -> impl Iterator<Item = u64> {
    state.world.nsgs.iter().flat_map(|nsg| nsg.late.values().copied())
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::super::world::NSG;
    use super::*;
    use crate::faults::Faults;

    #[tokio::test]
    async fn the_ports_follow_once_for_each_moment() {
        let (now, settings) = (Arc::new(|| 0), Settings::default());
        let waits = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&waits);
        let wait: Wait = Arc::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::pending())
        });
        let core = Arc::new(Core::open((now, wait), Faults::default(), settings, None).unwrap());
        let late = |rule: &str, from_ms| {
            core.change(|state| state.world.nsg_mut(NSG).unwrap().late.insert(rule.to_owned(), from_ms));
        };
        late("one", 1_000);
        late("two", 1_000);
        watch(&core, NSG);
        late("three", 2_000);
        watch(&core, NSG);
        assert_eq!(waits.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn delays_follow_from_the_seed_and_fill_their_range() {
        let draw = |seed| {
            let lateness = Lateness::default();
            (0..2_000).map(|_| lateness.draw(seed, 80)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let drawn = draw(3);
        assert!(
            (0..=80).all(|seconds| drawn.contains(&seconds)) && drawn.iter().all(|seconds| *seconds <= 80)
        );
    }
}
