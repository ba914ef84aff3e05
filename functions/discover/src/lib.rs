//! The function `discover`: looks what machines there are, every 15 minutes and when `notify` asks it to. It
//! reads Azure and never writes to it. A machine that was deleted while a grant is open has that grant
//! ended, and so has one to which the way has changed; a question of somebody who named a machine that is not known is answered.
//! What is over is put into the archive.

use access::lease::Timestamp;
use access::lifecycle::{Cause, Record, State};
use access::machine::{Found, SeenMachine, count_behind, find};
use access::policy::{Policy, Subject};
use access::request::{Installation, ResourceId};
use access::wording::{self, LookedAgain};
use edge::archive::Archive;
use edge::arm::{Arm, ArmError};
use edge::clock::Clock;
use edge::config::{ConfigError, Environment};
use edge::secrets::SlackSecrets;
use edge::slack::Slack;
use edge::store::{Asked, Loaded, Look, Question, Reply, Store, StoreError, Stored};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::Value;
use std::collections::HashMap;

mod archive;
mod offer;
mod people;
mod why;

/// How many machines are written side by side.
const SIDE_BY_SIDE: usize = 16;

/// How long after a machine was missed its grants are still looked for, in seconds: one that `grant` was
/// just opening then would be overlooked otherwise.
const GRANTS_LOOKED_FOR_SECONDS: u64 = 86_400;

/// How long an answer may wait for `notify`, in seconds: for so long Slack takes it
/// (docs.slack.dev, "Handling user interaction", `response_url`).
const ANSWER_KEPT_SECONDS: u64 = 1800;

/// How often a grant is ended anew when its record has changed meanwhile.
const ROUNDS: usize = 5;

/// What the function works with.
pub struct Deps {
    clock: Clock,
    store: Store,
    arm: Arm,
    slack: Slack,
    policy: Policy,
    installation: Installation,
    /// None where nothing is archived, and nothing purged.
    archive: Option<Archive>,
    subscriptions: Vec<String>,
}

/// Why a look did not end well.
#[derive(Debug, thiserror::Error)]
enum NotLooked {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Arm(#[from] ArmError),
}

impl Deps {
    /// From the environment, with the secrets read.
    ///
    /// # Errors
    /// Missing or malformed configuration.
    pub async fn new(env: &Environment, clock: Clock) -> Result<Self, ConfigError> {
        let secrets = SlackSecrets::read(env, &clock).await?;
        Ok(Self {
            clock,
            store: Store::new(edge::aws::dynamodb(env)?, env.required("AJAR_TABLE")?.to_owned()),
            arm: Arm::new(env)?,
            slack: Slack::new(env, secrets)?,
            policy: env.policy()?,
            installation: env.installation()?,
            archive: Archive::new(env)?,
            subscriptions: env.subscriptions()?,
        })
    }
}

/// Looks through every subscription, or answers one question: `{"question": "ASK#…"}`.
///
/// # Errors
/// A subscription could not be looked through, what is over waits for the archive too long, or the table did not answer.
/// The next run tries again.
pub async fn handle(deps: &Deps, event: LambdaEvent<Value>) -> Result<(), Error> {
    if let Some(key) = event.payload.get("question").and_then(Value::as_str) {
        return Ok(answer(deps, key).await?);
    }
    let mut failed = vec![];
    for subscription in &deps.subscriptions {
        if let Err(error) = look(deps, subscription).await {
            let why = edge::report::chain(&error);
            tracing::error!(subscription, error = why, "could not be looked through");
            failed.push(format!("not looked through: {subscription} ({why})"));
        }
    }
    people::look(deps).await?;
    failed.extend(archive::all(deps).await?);
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ").into()) }
}

/// Looks through one subscription, and writes what is there and what is gone.
async fn look(deps: &Deps, subscription: &str) -> Result<(), NotLooked> {
    let now = deps.clock.now();
    let mut seen = match deps.arm.machines(subscription, now).await {
        Ok(seen) => seen,
        Err(error) => {
            // Nothing is known now: nothing is gone.
            let look = Look { looked_at: None, tried_at: now, machines: None };
            deps.store.put_look(subscription, &look).await?;
            return Err(error.into());
        }
    };
    count_behind(&mut seen);
    let before = deps.store.machines().await?;
    look_at_doors(deps, subscription, &mut seen, &before, now).await?;
    for machine in &seen {
        let known = before.iter().find(|known| known.resource_id == machine.resource_id);
        if known.is_some_and(|known| known.nics != machine.nics) {
            // First, so that a crash in between leaves it to the next run.
            end_grants(deps, machine, |record| way_changed(record, machine)).await?;
        }
    }
    for machines in seen.chunks(SIDE_BY_SIDE) {
        let writes: Vec<_> = machines.iter().map(|machine| deps.store.put_machine(machine)).collect();
        futures::future::try_join_all(writes).await?;
    }
    for known in before {
        let is_here = known.resource_id.subscription().eq_ignore_ascii_case(subscription);
        if is_here && !seen.iter().any(|machine| machine.resource_id == known.resource_id) {
            missed(deps, known, now).await?;
        }
    }
    let machines = u64::try_from(seen.len()).ok();
    tracing::info!(subscription, machines, "looked through");
    Ok(deps.store.put_look(subscription, &Look { looked_at: Some(now), tried_at: now, machines }).await?)
}

/// Adds to each machine which of its doors are open, and how it was used. Where the groups could not be read nothing is
/// known to be shut.
async fn look_at_doors(
    deps: &Deps,
    subscription: &str,
    seen: &mut [SeenMachine],
    before: &[SeenMachine],
    now: Timestamp,
) -> Result<(), StoreError> {
    let on_the_way = |machine: &SeenMachine| -> Vec<ResourceId> {
        let addresses = machine.addresses().into_iter();
        addresses.flat_map(|address| machine.groups(address)).cloned().collect()
    };
    let wanted = seen.iter().flat_map(on_the_way).collect();
    let groups = deps.arm.rules_of_groups(subscription, wanted).await.unwrap_or_else(|error| {
        tracing::warn!(subscription, error = %error, "the rules of its groups could not be read");
        HashMap::new()
    });
    for machine in seen {
        let known = before.iter().find(|known| known.resource_id == machine.resource_id);
        machine.enabled = known.and_then(|known| known.enabled.clone());
        machine.look_at_doors(&groups, &deps.installation);
        if machine.enabled.is_some() {
            machine.used = deps.store.used(machine, now).await?;
        }
    }
    Ok(())
}

/// A machine that we know was not in the list. A list may lack what is there; Azure is asked for this one.
async fn missed(deps: &Deps, machine: SeenMachine, now: Timestamp) -> Result<(), NotLooked> {
    if let Some(at) = machine.gone_at {
        if now.since(at) < GRANTS_LOOKED_FOR_SECONDS {
            end_grants(deps, &machine, machine_gone).await?;
        }
        return Ok(());
    }
    match deps.arm.has_machine(&machine.resource_id).await {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(error) => {
            tracing::warn!(machine = %machine.resource_id, error = %error, "whether it is gone is not known");
            return Ok(());
        }
    }
    tracing::info!(machine = %machine.resource_id, "gone");
    // First, so that a crash in between leaves it to the next run.
    end_grants(deps, &machine, machine_gone).await?;
    Ok(deps.store.put_machine(&SeenMachine { gone_at: Some(now), ..machine }).await?)
}

/// The address of a machine that is gone may soon be another machine's.
#[expect(clippy::unnecessary_wraps, reason = "one of the reasons of `end_grants`")]
const fn machine_gone(_: &Record) -> Option<Cause> {
    Some(Cause::MachineGone)
}

/// Whether the rules of a grant are not in the groups that are on the way now: then it may let nobody in, and
/// what is said of it is not proved any more.
fn way_changed(record: &Record, machine: &SeenMachine) -> Option<Cause> {
    let (ask, plan) = (record.ask()?, record.plan()?);
    let planned = plan.rules().iter().map(|rule| &rule.nsg);
    machine.way_differs(ask.wish.machine.private_address, planned).then_some(Cause::WayChanged)
}

/// Ends what is open on a machine, where there is a reason.
async fn end_grants(
    deps: &Deps,
    machine: &SeenMachine,
    why: impl Fn(&Record) -> Option<Cause>,
) -> Result<(), StoreError> {
    for open in deps.store.open_on(&machine.resource_id).await? {
        end_grant(deps, open, &why).await?;
    }
    Ok(())
}

async fn end_grant(
    deps: &Deps,
    indexed: Loaded,
    why: impl Fn(&Record) -> Option<Cause>,
) -> Result<(), StoreError> {
    let id = indexed.record.wish().id;
    for _ in 0..ROUNDS {
        let Some(loaded) = deps.store.read(id).await? else { return Ok(()) };
        if !matches!(loaded.record.state(), State::Open(_)) {
            return Ok(());
        }
        let Some(cause) = why(&loaded.record) else { return Ok(()) };
        let Ok(change) = loaded.record.end(cause.clone(), deps.clock.now()) else { return Ok(()) };
        if matches!(deps.store.write(&loaded, &change, false).await?, Stored::Yes(_)) {
            tracing::warn!(request = %id, ?cause, "ended");
            return Ok(());
        }
    }
    tracing::warn!(request = %id, "it is to be ended, but its record changes again and again");
    Ok(())
}

/// Looks again, unless somebody has since the question was asked, and says what there is.
async fn answer(deps: &Deps, key: &str) -> Result<(), StoreError> {
    match deps.store.asked(key).await? {
        None => return Ok(()),
        Some(Asked::Machine(question)) => {
            let all_looked = look_again(deps, question.asked_at).await?;
            let found = found(deps, &question, all_looked).await?;
            let text = wording::looked_again(&question.machine, &question.ports, &found);
            reply(deps, key, text, question.response_url).await?;
        }
        Some(Asked::Why(why)) => {
            let text = why::answer(deps, &why).await?;
            reply(deps, key, text, why.question.response_url).await?;
        }
        Some(Asked::Offer(asked)) => {
            look_again(deps, asked.asked_at).await?;
            offer::make(deps, key, &asked).await?;
        }
        Some(Asked::Groups(doubt)) => people::answer(deps, key, doubt).await?,
    }
    deps.store.answered(key).await.map(|_| ())
}

/// Has `notify` say the answer to a question.
async fn reply(deps: &Deps, key: &str, text: String, response_url: String) -> Result<(), StoreError> {
    let reply = Reply { text, response_url, replaces: false, said: false };
    let reply_key = key.replacen("ASK#", "REPLY#", 1);
    deps.store.put_reply(&reply_key, &reply, deps.clock.now().plus(ANSWER_KEPT_SECONDS)).await
}

/// Looks through each subscription that nobody has looked through since. Gives whether all of it could be looked through.
async fn look_again(deps: &Deps, since: Timestamp) -> Result<bool, StoreError> {
    let mut all_looked = true;
    for subscription in &deps.subscriptions {
        let last = deps.store.look(subscription).await?.and_then(|look| look.looked_at);
        if last.is_some_and(|at| at > since) {
            continue;
        }
        if let Err(error) = look(deps, subscription).await {
            tracing::error!(subscription, error = %edge::report::chain(&error), "could not be looked through");
            all_looked = false;
        }
    }
    Ok(all_looked)
}

/// What is to be said of the machine that was asked for.
async fn found(deps: &Deps, question: &Question, all_looked: bool) -> Result<LookedAgain, StoreError> {
    let machines = deps.store.machines().await?;
    let machine = match find(&machines, &question.machine) {
        Found::One(machine) => machine,
        // It may be where we could not look.
        _ if !all_looked => return Ok(LookedAgain::NoAnswer),
        Found::Several(spelled) => {
            let message = wording::ambiguous(&question.machine, &spelled, &question.ports);
            return Ok(LookedAgain::Unfit(message.text));
        }
        Found::Nothing { near } => {
            return Ok(LookedAgain::Unfit(wording::no_such_machine(&question.machine, &near, false).text));
        }
    };
    let rule = match deps.policy.rule_for(&Subject::seen(machine)) {
        Ok(rule) => rule,
        Err(why) => return Ok(LookedAgain::Unfit(wording::not_allowed(&why, None).text)),
    };
    let Some(source) = question.source.or(rule.source()) else {
        return Ok(if all_looked { LookedAgain::Fit } else { LookedAgain::NoAnswer });
    };
    Ok(match machine.reached_from(&source) {
        // What was unfit before and could not be looked at is not known to be so still.
        _ if !all_looked => LookedAgain::NoAnswer,
        Ok(_) => LookedAgain::Fit,
        Err(why) => LookedAgain::Unfit(wording::unfit(machine, &why, Some(&source), false).text),
    })
}
