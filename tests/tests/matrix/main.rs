//! The fault matrix: each story, each outgoing call of it, each fault; enumerated, and the same each time.
//!
//! A story is told once without faults, and its calls are written down. Then it is told once for each call
//! and each fault, with exactly that fault; time passes, the stream is delivered again, the minute's tick
//! runs until nothing is left to do. Whatever the fault: every port is shut within 60 s of its end, nobody
//! was told anything untrue, the history tells what happened, and nobody holds a lock. A planned fault
//! whose call does not come fails the run: the matrix must not shrink unseen.
//!
//! `AJAR_MATRIX=singles` runs all of it, `AJAR_MATRIX=pairs` two faults near each other as well. Both take
//! hours; `AJAR_MATRIX=gate` runs an even sample of the singles, and without it a few are run, so that
//! `cargo test` stays quick. Which are run depends on nothing but the list. `AJAR_MATRIX_ONLY` runs what
//! begins with it:
//! `AJAR_MATRIX_ONLY="expired/grant/arm/PUT networkSecurityGroups/securityRules/1/reply-lost"`.

#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

mod plan;
mod tale;
mod telling;

use futures::StreamExt;
use plan::{Calls, Run};
use sandbox::fronts::Called;
use std::fmt::Write as _;
use std::time::Instant;
use tale::Tale;
use telling::{Told, tell};

/// Without an order of `AJAR_MATRIX`, one run of so many.
const SAMPLED: usize = 1259;
/// In the gate, one run of so many: what it has time for. It shares no factor with the number of faults, so
/// that each of them comes up as often as the others.
const IN_THE_GATE: usize = 31;
/// How many pairs are run with the singles: a sample of those that a night has time for.
const PAIRS_BESIDE: usize = 150;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// How many tellings go on at once: much of a telling is waiting.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get) * 3
}

/// What became of a run, and what is wrong with it.
struct Outcome {
    run: Run,
    wrong: Vec<String>,
    calls: Vec<Called>,
}

/// Runs one, in a task of its own, so that one that cannot go on does not end the others.
async fn carry_out(run: Run) -> Outcome {
    let (tale, orders) = (run.tale, run.orders.clone());
    let told = tokio::spawn(async move { tell(tale, &orders).await }).await;
    match told {
        Ok(Told { calls, unfired, mut wrong }) => {
            wrong.extend(unfired.iter().map(|order| format!("{} was not reached", order.call)));
            Outcome { run, wrong, calls }
        }
        Err(panic) => {
            let why = match panic.try_into_panic() {
                Ok(why) => why.downcast::<String>().map_or_else(|_| "it panicked".to_owned(), |why| *why),
                Err(cancelled) => cancelled.to_string(),
            };
            Outcome { run, wrong: vec![format!("it could not be told: {why}")], calls: vec![] }
        }
    }
}

/// Runs all of these, and prints each that fails as it does.
async fn carry_out_all(runs: Vec<Run>) -> Vec<Outcome> {
    let mut outcomes = vec![];
    let mut going = futures::stream::iter(runs).map(carry_out).buffer_unordered(at_once());
    while let Some(outcome) = going.next().await {
        if !outcome.wrong.is_empty() {
            println!("FAILED {}\n    {}", outcome.run, outcome.wrong.join("\n    "));
        }
        outcomes.push(outcome);
    }
    outcomes
}

/// Tells each story without faults: it must end well. Told `twice`, it must make the same calls.
async fn baselines(twice: bool, problems: &mut String) -> Vec<Calls> {
    let times = if twice { 2 } else { 1 };
    let told = Tale::ALL.iter().flat_map(|tale| vec![*tale; times]);
    let outcomes = carry_out_all(told.map(|tale| Run { tale, orders: vec![] }).collect()).await;
    let mut all = vec![];
    let mut first_calls = vec![];
    for tale in Tale::ALL {
        let mut told = outcomes.iter().filter(|outcome| outcome.run.tale == tale);
        let Some(first) = told.next() else { continue };
        let second = told.next().unwrap_or(first);
        if !first.wrong.is_empty() || !second.wrong.is_empty() {
            let _ = writeln!(problems, "{} fails without a fault", tale.name());
        }
        // Where a tick does several things side by side, their order is the network's.
        let sorted = |outcome: &Outcome| {
            let mut names: Vec<String> = outcome.calls.iter().map(|called| called.id.to_string()).collect();
            names.sort();
            names
        };
        let (one, other) = (sorted(first), sorted(second));
        let only: Vec<&String> = one
            .iter()
            .filter(|name| !other.contains(name))
            .chain(other.iter().filter(|name| !one.contains(name)))
            .collect();
        if !only.is_empty() {
            let _ = writeln!(problems, "{} is not the same twice: {only:?}", tale.name());
        }
        let before = (tale != Tale::Expired && tale.policy() == Tale::Expired.policy())
            .then_some(first_calls.as_slice());
        all.push(Calls::of(tale, &first.calls, before));
        if tale == Tale::Expired {
            first_calls.clone_from(&first.calls);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_call() {
    let begun = Instant::now();
    let (mode, only) = (variable("AJAR_MATRIX"), variable("AJAR_MATRIX_ONLY"));
    let mut problems = String::new();
    let calls = baselines(!mode.is_empty(), &mut problems).await;
    assert!(problems.is_empty(), "{problems}");
    println!("{}", plan::table(&calls));

    let singles: Vec<Run> = calls.iter().flat_map(Calls::singles).collect();
    let planned = singles.len();
    let chosen: Vec<Run> = match (only.as_str(), mode.as_str()) {
        ("", "singles" | "pairs") => singles,
        ("", "gate") => singles.into_iter().step_by(IN_THE_GATE).collect(),
        ("", _) => singles.into_iter().step_by(SAMPLED).collect(),
        (only, _) => singles.into_iter().filter(|run| run.to_string().starts_with(only)).collect(),
    };
    assert!(!chosen.is_empty(), "AJAR_MATRIX_ONLY={only} names no run");
    let outcomes = carry_out_all(chosen).await;
    println!("singles: {} of {planned} run in {} s", outcomes.len(), begun.elapsed().as_secs());

    let first_faults = outcomes.iter().filter(|outcome| outcome.wrong.is_empty());
    let pairs: Vec<Run> =
        first_faults.flat_map(|outcome| plan::pairs(&outcome.run, &outcome.calls)).collect();
    let of_pairs = pairs.len();
    let chosen = match (only.as_str(), mode.as_str()) {
        ("", "pairs") => pairs,
        ("", "singles") => pairs.into_iter().step_by((of_pairs / PAIRS_BESIDE).max(1)).collect(),
        _ => vec![],
    };
    let paired = carry_out_all(chosen).await;
    println!("pairs: {} of {of_pairs} run, {} s in all", paired.len(), begun.elapsed().as_secs());

    let failed: Vec<String> = outcomes
        .iter()
        .chain(&paired)
        .filter(|outcome| !outcome.wrong.is_empty())
        .map(|outcome| format!("{}: {}", outcome.run, outcome.wrong.join("; ")))
        .collect();
    assert!(failed.is_empty(), "{} runs failed:\n{}", failed.len(), failed.join("\n"));
}
