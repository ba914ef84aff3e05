//! The function `revoke`: shuts what is due. It alone deletes rules, and it never writes one. It runs
//! each minute, and at once when `notify` has seen a record go Closing.

use access::drive::{Role, Stopped};
use access::lease::Timestamp;
use access::lifecycle::{self, Record, State, Step, Tempo};
use access::request::RequestId;
use access::wording::reminder_at;
use edge::arm::Arm;
use edge::clock::{Awake, Clock};
use edge::config::{ConfigError, Environment};
use edge::drive::Driver;
use edge::glance::Glances;
use edge::line::Lines;
use edge::store::{Loaded, Store, StoreError, Wake};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::Value;

mod lockdown;
mod moving;
mod orders;
mod orphans;

/// A tick takes everything that is due within this, in seconds: the next tick may come late.
const AHEAD_SECONDS: u64 = 120;

/// From one tick to the next, in seconds.
const MINUTE_SECONDS: u64 = 60;

/// How long a record is claimed, in seconds.
const CLAIM_SECONDS: u64 = 30;

/// What the function works with.
pub struct Deps {
    driver: Driver,
    /// For what an order is judged by, which is made when there is one: nothing that is to be shut waits for Slack's secrets.
    env: Environment,
    /// Where rules that no record names are looked for.
    subscriptions: Vec<String>,
}

impl Deps {
    /// From the environment.
    ///
    /// # Errors
    /// Missing or malformed configuration.
    #[expect(
        clippy::unused_async,
        reason = "started like the other functions, which read their secrets first"
    )]
    pub async fn new(env: &Environment, clock: Clock) -> Result<Self, ConfigError> {
        let driver = Driver {
            lines: Lines::new(clock.clone()),
            clock,
            store: Store::new(edge::aws::dynamodb(env)?, env.required("AJAR_TABLE")?.to_owned()),
            arm: Arm::new(env)?,
            installation: env.installation()?,
            tempo: Tempo::DEPLOYED,
            checker: None,
        };
        Ok(Self { driver, env: env.clone(), subscriptions: env.subscriptions()? })
    }
}

/// One tick, or what `notify` asks for: to shut one request now, `{"request": "7F3K9-QXM2P"}`, or to carry out an admin's
/// order to remove closing rules, `{"order": "7F3K9-QXM2P"}`, or to end what is locked down, `{"lockdown": true}`, or to end
/// the grant that an open one has taken the place of, `{"moved_by": "7F3K9-QXM2P"}`.
///
/// # Errors
/// The table did not answer; the next tick tries again.
pub async fn handle(deps: &Deps, event: LambdaEvent<Value>) -> Result<(), Error> {
    let (event, context) = event.into_parts();
    let invocation = &context.request_id;
    let named = |what: &str| event.get(what).and_then(Value::as_str).map(str::parse::<RequestId>).transpose();
    let clock = &deps.driver.clock;
    if let Some(id) = named("request")? {
        shut(deps, id, invocation, &clock.awake_now(), None).await?;
    } else if let Some(id) = named("order")? {
        orders::carry_out(deps, id, invocation, &clock.awake_now()).await?;
    } else if let Some(id) = named("moved_by")? {
        moving::shut_moved(deps, id).await?;
    } else if event.get("lockdown").is_some() {
        lockdown::end_grants(deps, &deps.driver.store.lockdowns().await?).await?;
    } else {
        tick(deps, invocation).await?;
    }
    Ok(())
}

async fn tick(deps: &Deps, invocation: &str) -> Result<(), StoreError> {
    let Driver { clock, store, tempo, arm, .. } = &deps.driver;
    let now = clock.now();
    let watched = store.watched().await?;
    let unsettled = &watched.records;
    overdue(unsettled, now);
    let glances = &Glances::new(arm.clone(), clock.clone());
    // What is open is compared with Azure, to its last minute: a rule that somebody else has changed is
    // shut, one that somebody else has deleted is told. What is due now is compared as that.
    let open = unsettled
        .iter()
        .filter(|(due_at, loaded)| *due_at > now && matches!(loaded.record.state(), State::Open(_)));
    let comparing = open.cloned().map(|(_, loaded)| {
        let at_work = clock.awake_now();
        async move {
            let id = loaded.record.wish().id;
            let driven = deps.driver.drive(Role::Revoke, loaded, invocation, &at_work, Some(glances)).await;
            report(id, driven.map(|_| ()));
        }
    });
    let comparing: Vec<_> = comparing.collect();
    let soon = now.plus(AHEAD_SECONDS);
    let orphans = async {
        if let Err(error) = orphans::sweep(deps, unsettled, invocation).await {
            tracing::error!(error = %edge::report::chain(&error), "rules that no record answers for were not attended to");
        }
    };
    let closing = async {
        if let Err(error) = orders::attend(deps, &watched, glances, invocation).await {
            tracing::error!(error = %edge::report::chain(&error), "closing rules were not attended to");
        }
    };
    let locked = async {
        if let Some(known) = &watched.lockdowns
            && let Err(error) = lockdown::attend(deps, known).await
        {
            tracing::error!(error = %error, "a lockdown was not attended to");
        }
    };
    let moved = async {
        if let Err(error) = moving::attend(deps, unsettled).await {
            tracing::error!(error = %edge::report::chain(&error), "grants that have moved were not attended to");
        }
    };
    let when = |(due_at, loaded): &(Timestamp, Loaded)| {
        // A reminder puts a record off by a minute. What is put off further, and would be due by what the
        // record says, was put off by somebody else.
        let own = lifecycle::due_at(&loaded.record, tempo).filter(|_| *due_at > soon);
        (own.map_or(*due_at, |own| own.max(now).min(*due_at)), loaded.clone())
    };
    let due = unsettled.iter().map(when).filter(|(due_at, _)| *due_at <= soon);
    let next_tick = now.plus(MINUTE_SECONDS);
    let shutting = due.map(|(due_at, loaded)| async move {
        let (id, loaded) = (loaded.record.wish().id, &loaded);
        let mut due = Some(due_at);
        while let Some(due_at) = due {
            let awake = clock.sleep_until(due_at).await;
            // What is due together stands in line before the first one has begun.
            let expected = deps.driver.lines.expect(&loaded.record);
            let shut = shut(deps, id, invocation, &awake, Some(glances)).await;
            expected.over(store).await;
            // Azure may have named a moment before the next tick, a claim may end before it, and what was only to be told
            // of something may end before it.
            due = shut.as_ref().ok().copied().flatten().filter(|again| *again > due_at && *again < next_tick);
            report(id, shut.map(|_| ()));
        }
    });
    futures::join!(
        futures::future::join_all(shutting),
        futures::future::join_all(comparing),
        orphans,
        closing,
        locked,
        moved
    );
    Ok(())
}

/// One record that fails does not keep the others open.
fn report(id: RequestId, outcome: Result<(), StoreError>) {
    if let Err(error) = outcome {
        tracing::error!(request = %id, error = %edge::report::chain(&error), "could not be driven");
    }
}

/// How many grants should be shut and are not, and the age of the oldest: the numbers that matter most.
/// Logged at each tick, so that their absence is seen too.
fn overdue(unsettled: &[(Timestamp, Loaded)], now: Timestamp) {
    let since = unsettled.iter().filter_map(|(_, loaded)| loaded.record.overdue_since(now));
    let ages: Vec<u64> = since.map(|since| now.since(since)).collect();
    let oldest = ages.iter().max().copied().unwrap_or(0);
    tracing::info!(
        overdue_grants = ages.len(),
        overdue_grant_age_seconds = oldest,
        unsettled = unsettled.len(),
        "tick"
    );
}

/// Drives one record that is due now, then tells whoever has to do with what is left. Answers when it must be
/// looked at next, where something is left to do.
async fn shut(
    deps: &Deps,
    id: RequestId,
    invocation: &str,
    at_work: &Awake,
    glances: Option<&Glances>,
) -> Result<Option<Timestamp>, StoreError> {
    let Driver { clock, store, tempo, .. } = &deps.driver;
    let Some(loaded) = store.read(id).await? else { return Ok(None) };
    let now = clock.now();
    let step = lifecycle::next_step(&loaded.record, now, tempo);
    if is_ours(&step) {
        let claimed = store.claim(&loaded.record, now, CLAIM_SECONDS).await?;
        // An end waits for nobody: `grant` may have claimed what it is opening, and have crashed.
        if !claimed && !matches!(step, Step::End(_)) {
            // Whoever is at it may have crashed. What is to be shut does not wait for the next tick.
            let over = loaded.claimed_until.map(|until| until.plus(1));
            return Ok(over.filter(|_| matches!(loaded.record.state(), State::Closing(_))));
        }
        // A read that began before the record was read may lack the rule of a grant that has just opened.
        let glances = glances.filter(|_| matches!(loaded.record.state(), State::Closed(_)));
        let stopped = deps.driver.drive(Role::Revoke, loaded, invocation, at_work, glances).await?;
        if stopped == Stopped::Missing {
            return Ok(None);
        }
    }
    remind(deps, id).await
}

/// Whether a step is for this function. What is for `grant` is not claimed here either: the claim would
/// turn `grant` away, which [`remind`] is about to wake.
const fn is_ours(step: &Step) -> bool {
    match step {
        Step::Wait(_) | Step::Plan | Step::PutRules | Step::DenyRules => false,
        Step::Lapse | Step::End(_) | Step::Compare | Step::DeleteRules | Step::Sweep | Step::Settle => true,
    }
}

/// Touches a record that waits for another function, so that the stream tells that function again:
/// one that had no driver for a minute or waited for a moment that Azure named, and one of which nobody
/// was shown the latest, or not what time has brought. Answers when it must be looked at next.
async fn remind(deps: &Deps, id: RequestId) -> Result<Option<Timestamp>, StoreError> {
    let Driver { clock, store, tempo, .. } = &deps.driver;
    let Some(loaded) = store.read(id).await? else { return Ok(None) };
    let (record, now) = (&loaded.record, clock.now());
    let mut wakes = vec![];
    let idle = now >= record.changed_at().plus(tempo.idle_seconds);
    // A moment that Azure has named is waited for to the second.
    if lifecycle::next_step(record, now, tempo).is_for_grant() && (idle || record.delayed_until().is_some()) {
        wakes.push(Wake::Grant);
    }
    let reminder = reminder_at(record, &loaded.shown.told);
    let unshown = idle && loaded.shown.lacks(record);
    if unshown || reminder.is_some_and(|at| at <= now) {
        wakes.push(Wake::Notify);
    }
    if !wakes.is_empty() {
        store.touch(record, &wakes, Some(again_at(record, now, tempo)), now).await?;
    }
    Ok(match record.state() {
        State::Closed(_) => None,
        _ => lifecycle::due_at(record, tempo),
    })
}

/// In a minute, or at the lifecycle's own next moment or the grant's end if that comes first.
fn again_at(record: &Record, now: Timestamp, tempo: &Tempo) -> Timestamp {
    let end = record.granted().map(|granted| granted.expires_at());
    let moments = [lifecycle::due_at(record, tempo), end, Some(now.plus(tempo.idle_seconds))];
    moments.into_iter().flatten().filter(|at| *at > now).min().unwrap_or(now)
}
