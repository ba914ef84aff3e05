//! The fault matrix: each story, each outgoing call of it, each fault; enumerated, and the same each time.
//!
//! A story is told once without faults, and its calls are written down. Then it is told once for each call
//! and each fault, with exactly that fault; time passes, the stream is delivered again, the minute's tick
//! runs until nothing is left to do. Whatever the fault: every port is shut within 60 s of its end, nobody
//! was told anything untrue, the history tells what happened, and nobody holds a lock. A planned fault
//! whose call does not come fails the run: the matrix must not shrink unseen.
//!
//! `AJAR_MATRIX=singles` runs all of them that are not the same as another, with the outages of whole services
//! and an even sample of the pairs of faults near each other; `AJAR_MATRIX=pairs` runs every error of DynamoDB's
//! and every pair as well, which takes a night. Without it a few are run, so that `cargo test` stays quick. Which
//! are run depends on nothing but the list. `AJAR_MATRIX_ONLY` runs what begins with it, and prints the calls of
//! what fails: `AJAR_MATRIX_ONLY="expired/grant/arm/PUT networkSecurityGroups/securityRules r1/1/reply-lost"`.

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

/// Without an order of `AJAR_MATRIX`, one run of so many. It shares no factor with the number of faults, so
/// that each of them comes up as often as the others.
const SAMPLED: usize = 1259;
/// How many pairs are run with the singles: a sample of those that a night has time for.
const PAIRS_BESIDE: usize = 150;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// How many tellings go on at once: a call that hangs is waited for.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get) * 5
}

/// What became of a run, and what is wrong with it.
struct Outcome {
    run: Run,
    wrong: Vec<String>,
    /// Of a run without a fault, and of one that failed: what was called.
    calls: Vec<Called>,
    /// Of a run with one fault: the second faults that may come after it.
    pairs: Vec<Run>,
}

/// Runs one, in a thread of its own: one that cannot go on does not end the others, and what it does side by
/// side happens in the same order each time.
async fn carry_out(run: Run) -> Outcome {
    let Run { tale, orders, outage } = run.clone();
    let told = tokio::task::spawn_blocking(move || {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(tell(tale, &orders, outage.as_ref())),
            Err(error) => panic!("no runtime: {error}"),
        }
    });
    let told = told.await;
    match told {
        Ok(Told { mut calls, unfired, mut wrong }) => {
            wrong.extend(unfired.iter().map(|order| format!("{} was not reached", order.call)));
            let pairs = if wrong.is_empty() { plan::pairs(&run, &calls) } else { vec![] };
            if !run.orders.is_empty() && wrong.is_empty() {
                calls = vec![];
            }
            Outcome { run, wrong, calls, pairs }
        }
        Err(panic) => {
            let why = match panic.try_into_panic() {
                Ok(why) => why.downcast::<String>().map_or_else(|_| "it panicked".to_owned(), |why| *why),
                Err(cancelled) => cancelled.to_string(),
            };
            Outcome { run, wrong: vec![format!("it could not be told: {why}")], calls: vec![], pairs: vec![] }
        }
    }
}

/// Runs all of these, and prints each that fails as it does.
async fn carry_out_all(runs: impl IntoIterator<Item = Run>) -> Vec<Outcome> {
    let mut outcomes = vec![];
    let mut going = futures::stream::iter(runs).map(carry_out).buffer_unordered(at_once());
    let begun = Instant::now();
    while let Some(outcome) = going.next().await {
        if !outcome.wrong.is_empty() {
            println!("FAILED {}\n    {}", outcome.run, outcome.wrong.join("\n    "));
            if !variable("AJAR_MATRIX_ONLY").is_empty() {
                println!("{}", plan::listed(&outcome.calls));
            }
        }
        outcomes.push(outcome);
        if outcomes.len().is_multiple_of(1000) {
            println!("{} in {} s", outcomes.len(), begun.elapsed().as_secs());
        }
    }
    outcomes
}

/// The calls of each story, and all of the first one.
struct Baselines {
    calls: Vec<Calls>,
    first: Vec<Called>,
}

/// Tells each story without faults: it must end well. Told `twice`, it must make the same calls.
async fn baselines(twice: bool, problems: &mut String) -> Baselines {
    let times = if twice { 2 } else { 1 };
    let outcomes = carry_out_all(Tale::ALL.iter().flat_map(|tale| vec![Run::whole(*tale); times])).await;
    let mut all = vec![];
    let mut first_calls = vec![];
    let mut seen = plan::Seen::default();
    for tale in Tale::ALL {
        let mut told = outcomes.iter().filter(|outcome| outcome.run.tale == tale);
        let Some(first) = told.next() else { continue };
        let second = told.next().unwrap_or(first);
        if !first.wrong.is_empty() || !second.wrong.is_empty() {
            let _ = writeln!(problems, "{} fails without a fault", tale.name());
        }
        let different = first.calls.iter().zip(&second.calls).find(|(one, other)| one != other);
        if different.is_some() || first.calls.len() != second.calls.len() {
            let _ = writeln!(problems, "{} is not the same twice: {different:?}", tale.name());
        }
        let before = (tale != Tale::Expired && tale.policy() == Tale::Expired.policy())
            .then_some(first_calls.as_slice());
        all.push(Calls::of(tale, &first.calls, before, &mut seen));
        if tale == Tale::Expired {
            first_calls.clone_from(&first.calls);
        }
    }
    Baselines { calls: all, first: first_calls }
}

/// Of these runs one of so many, or those that are asked for by name.
fn some(runs: Vec<Run>, one_of: usize, only: &str) -> Vec<Run> {
    if only.is_empty() {
        runs.into_iter().step_by(one_of.max(1)).collect()
    } else {
        runs.into_iter().filter(|run| run.to_string().starts_with(only)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_call() {
    let begun = Instant::now();
    let (mode, only) = (variable("AJAR_MATRIX"), variable("AJAR_MATRIX_ONLY"));
    let mut problems = String::new();
    let whole = matches!(mode.as_str(), "singles" | "pairs");
    let Baselines { calls, first } = baselines(whole, &mut problems).await;
    assert!(problems.is_empty(), "{problems}");
    let every = mode == "pairs" || !only.is_empty();
    println!("{}", plan::table(&calls, every));

    let singles: Vec<Run> = calls.iter().flat_map(|calls| calls.singles(every)).collect();
    let planned = singles.len();
    let chosen = some(singles, if whole { 1 } else { SAMPLED }, &only);
    let mut outcomes = carry_out_all(chosen).await;
    println!("singles: {} of {planned} run in {} s", outcomes.len(), begun.elapsed().as_secs());

    let outages = plan::outages(&first);
    let planned = outages.len();
    let chosen = some(outages, if whole { 1 } else { planned }, &only);
    let failed_services = carry_out_all(chosen).await;
    println!("outages: {} of {planned} run, {} s in all", failed_services.len(), begun.elapsed().as_secs());

    let pairs: Vec<Run> =
        outcomes.iter_mut().flat_map(|outcome| std::mem::take(&mut outcome.pairs)).collect();
    let planned = pairs.len();
    let chosen = match mode.as_str() {
        "pairs" => pairs,
        "singles" => some(pairs, planned / PAIRS_BESIDE, &only),
        _ => vec![],
    };
    let paired = carry_out_all(chosen).await;
    println!("pairs: {} of {planned} run, {} s in all", paired.len(), begun.elapsed().as_secs());

    let all = || outcomes.iter().chain(&failed_services).chain(&paired);
    assert!(all().next().is_some(), "AJAR_MATRIX_ONLY={only} names no run");
    let failed: Vec<String> = all()
        .filter(|outcome| !outcome.wrong.is_empty())
        .map(|outcome| format!("{}: {}", outcome.run, outcome.wrong.join("; ")))
        .collect();
    assert!(failed.is_empty(), "{} runs failed:\n{}", failed.len(), failed.join("\n"));
}
