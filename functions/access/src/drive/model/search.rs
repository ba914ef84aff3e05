//! Breadth first through every state, so that the first counter-example is a shortest one.

use super::events::successors;
use super::rules::{Broken, broken};
use super::settle::Rest;
use super::world::{Bounds, Design, Setting, World};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Write as _;

/// Two 64-bit hashes at once, which mix differently: one multiplies and shifts, one rotates.
#[derive(Clone)]
pub(super) struct Mix(u64, u64);

impl Default for Mix {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F)
    }
}

impl Mix {
    fn word(&mut self, word: u64) {
        let a = (self.0 ^ word).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        self.0 = a ^ (a >> 32);
        let b = self.1.wrapping_add(word).wrapping_mul(0x9FB2_1C65_1E98_DF25);
        self.1 = b.rotate_left(29) ^ (b >> 11);
    }

    pub(super) fn print(&self) -> u128 {
        let mut end = self.clone();
        end.word(0x51);
        end.word(0x52);
        u128::from(end.0) << 64 | u128::from(end.1)
    }
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.word(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        self.word(n);
    }
    fn write_usize(&mut self, n: usize) {
        self.word(n as u64);
    }
    fn write_isize(&mut self, n: isize) {
        self.word(n as u64);
    }
    fn write_u128(&mut self, n: u128) {
        self.word(n as u64);
        self.word((n >> 64) as u64);
    }
}

/// A fingerprint is its own hash.
#[derive(Default)]
pub(super) struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u128(&mut self, n: u128) {
        self.0 = n as u64;
    }
}

pub(super) type ByPrint<V> = HashMap<u128, V, BuildHasherDefault<Itself>>;

/// What an exploration found.
pub(super) enum Outcome {
    /// Every state is as it must be.
    Holds { states: usize, steps: usize, rests: usize, depth: usize },
    /// A shortest way to a state or step that must not be.
    Fails { states: usize, broken: Broken, trace: Vec<String> },
}

impl Outcome {
    pub(super) const fn states(&self) -> usize {
        match self {
            Self::Holds { states, .. } | Self::Fails { states, .. } => *states,
        }
    }

    pub(super) fn print(&self, bounds: &Bounds, design: &str) {
        let mut lines = vec![format!("\nmodel: {} ({design})", bounds.name)];
        match self {
            Self::Holds { states, steps, rests, depth } => {
                lines.push(format!(
                    "  {states} states, {steps} steps between them, at most {depth} from the first; \
                     {rests} more on the way to rest"
                ));
                lines.push(format!("  bounds: {bounds:?}"));
                lines.push("  all hold".to_owned());
            }
            Self::Fails { states, broken, trace } => {
                lines.push(format!("  counter-example among {states} states: {broken}"));
                let trace = (1..).zip(trace).map(|(n, line)| format!("  {n:3}. {line}"));
                lines.extend(trace);
            }
        }
        say(&lines.join("\n"));
    }
}

/// Prints, and adds it to the file `AJAR_MODEL_REPORT` where that is named: `cargo test` keeps what a test prints that
/// has passed.
pub(super) fn say(text: &str) {
    println!("{text}");
    if let Ok(path) = std::env::var("AJAR_MODEL_REPORT") {
        let mut report = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        // In one piece: two threads write here.
        report.write_all(format!("{text}\n").as_bytes()).unwrap();
    }
}

/// Visits everything within the bounds.
pub(super) fn explore(bounds: &Bounds, design: Design) -> Outcome {
    let setting = Setting::new(*bounds, design);
    let first = setting.first();
    let mut seen: ByPrint<u32> = HashMap::default();
    // For each state its fingerprint and the state it was first reached from.
    let mut parents: Vec<(u128, u32)> = vec![(first.print(), 0)];
    let mut rest = Rest::default();
    seen.insert(first.print(), 0);
    let mut queue = VecDeque::from([(0u32, 0usize, first)]);
    let (mut steps, mut depth) = (0, 0);
    while let Some((index, distance, world)) = queue.pop_front() {
        depth = distance;
        let fails = |broken, last: Option<String>, parents: &[(u128, u32)]| {
            let mut trace = trace(&setting, parents, index);
            trace.extend(last);
            Outcome::Fails { states: parents.len(), broken, trace }
        };
        if let Some(broken) = broken(&setting, &world) {
            return fails(broken, None, &parents);
        }
        if let Err((broken, way)) = rest.comes_to_rest(&setting, &world) {
            return fails(broken, Some(way), &parents);
        }
        let mut wrong = None;
        successors(&setting, &world, &mut |label, next| {
            steps += 1;
            match next {
                Ok(next) => {
                    let print = next.print();
                    if let Entry::Vacant(place) = seen.entry(print) {
                        let new = u32::try_from(parents.len()).unwrap();
                        place.insert(new);
                        parents.push((print, index));
                        queue.push_back((new, distance + 1, next));
                    }
                }
                Err(broken) => {
                    wrong.get_or_insert((broken, label()));
                }
            }
        });
        if let Some((broken, last)) = wrong {
            return fails(broken, Some(last), &parents);
        }
    }
    Outcome::Holds { states: parents.len(), steps, rests: rest.len(), depth }
}

/// The labels on the way to a state: the way is walked again by fingerprints.
fn trace(setting: &Setting, parents: &[(u128, u32)], mut index: u32) -> Vec<String> {
    let mut prints = vec![];
    while index != 0 {
        let (print, parent) = parents[index as usize];
        prints.push(print);
        index = parent;
    }
    let mut world: World = setting.first();
    let mut labels = vec![];
    for print in prints.into_iter().rev() {
        let mut next_world = None;
        successors(setting, &world, &mut |label, next| {
            if let Ok(next) = next
                && next_world.is_none()
                && next.print() == print
            {
                labels.push(format!("tick {}: {}", world.now, label()));
                next_world = Some(next);
            }
        });
        world = next_world.unwrap();
    }
    labels
}
