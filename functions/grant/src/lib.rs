//! The function `grant`: writes the temporary rule of what was approved. It alone writes rules, it
//! never deletes one, and nobody outside can reach it: the table's stream wakes it.

use access::drive::Role;
use access::lifecycle::{Record, State, Step, Tempo, next_step, wants_grant};
use access::order::Change;
use access::request::RequestId;
use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::DynamoDbEventResponse;
use edge::arm::Arm;
use edge::clock::{Awake, Clock};
use edge::config::{ConfigError, Environment};
use edge::drive::{Checker, Driver};
use edge::line::Lines;
use edge::secrets::{FRESH_SECONDS, SlackSecrets};
use edge::slack::Slack;
use edge::store::{Store, StoreError};
use edge::stream;
use lambda_runtime::{Error, LambdaEvent};
use std::time::Duration;

/// The longest that one record is driven within a batch, in seconds.
const DRIVE_SECONDS: u64 = 20;

/// How long a record is claimed, in seconds: longer than it is driven, shorter than the time after
/// which the minute's tick tells us again.
const CLAIM_SECONDS: u64 = 30;

/// What the function works with.
pub struct Deps {
    driver: Driver,
    secrets: SlackSecrets,
}

impl Deps {
    /// From the environment, with the secrets read.
    ///
    /// # Errors
    /// Missing or malformed configuration.
    pub async fn new(env: &Environment, clock: Clock) -> Result<Self, ConfigError> {
        let secrets = SlackSecrets::read(env, &clock).await?;
        let checker = Checker {
            app: secrets.app(env)?,
            policy: env.policy()?,
            slack: Slack::new(env, secrets.clone())?,
            secrets: secrets.clone(),
        };
        let driver = Driver {
            lines: Lines::new(clock.clone()),
            clock,
            store: Store::new(edge::aws::dynamodb(env)?, env.required("AJAR_TABLE")?.to_owned()),
            arm: Arm::new(env)?,
            installation: env.installation()?,
            tempo: Tempo { budget_seconds: DRIVE_SECONDS, ..Tempo::DEPLOYED },
            checker: Some(checker),
        };
        Ok(Self { driver, secrets })
    }
}

/// Drives the records of one batch of the stream, side by side.
///
/// # Errors
/// Never: what failed is reported by its sequence number, and comes again.
pub async fn handle(deps: &Deps, event: LambdaEvent<Event>) -> Result<DynamoDbEventResponse, Error> {
    let (event, context) = event.into_parts();
    let work = stream::requests(&event).into_iter().map(|(id, sequence_number)| {
        let invocation = context.request_id.clone();
        let at_work = deps.driver.clock.awake_now();
        async move {
            let driven = drive(deps, id, &invocation, &at_work).await;
            (sequence_number, driven.map_err(|error| (id, error)))
        }
    });
    let orders = stream::orders(&event).into_iter().map(|(id, sequence_number)| {
        let invocation = context.request_id.clone();
        let at_work = deps.driver.clock.awake_now();
        async move {
            let carried_out = carry_out(deps, id, &invocation, &at_work).await;
            (sequence_number, carried_out.map_err(|error| (id, error)))
        }
    });
    let mut failures = vec![];
    let (outcomes, of_orders, ()) = tokio::join!(
        futures::future::join_all(work),
        futures::future::join_all(orders),
        deps.secrets.renew(FRESH_SECONDS)
    );
    for (sequence_number, outcome) in outcomes.into_iter().chain(of_orders) {
        if let Err((id, error)) = outcome {
            tracing::error!(request = %id, error = %edge::report::chain(&error), "could not be driven");
            failures.push(sequence_number);
        }
    }
    Ok(stream::failed(failures))
}

/// Carries out an admin's order to write closing rules.
async fn carry_out(deps: &Deps, id: RequestId, invocation: &str, at_work: &Awake) -> Result<(), StoreError> {
    let Driver { store, checker, .. } = &deps.driver;
    let (Some(known), Some(checker)) = (store.order(id).await?, checker) else { return Ok(()) };
    if known.order.change != Change::Write || !known.order.is_at_work() {
        return Ok(());
    }
    deps.driver.carry_out(checker, known, invocation, at_work).await
}

async fn drive(deps: &Deps, id: RequestId, invocation: &str, at_work: &Awake) -> Result<(), StoreError> {
    let Driver { store, clock, tempo, .. } = &deps.driver;
    let Some(loaded) = store.read(id).await? else { return Ok(()) };
    let now = clock.now();
    let step = next_step(&loaded.record, now, tempo);
    // What is over before it was opened is ended by whoever hears of it.
    let over = matches!(step, Step::End(_)) && wants_grant(&loaded.record);
    // What Azure wants to be asked later is not claimed: the claim would outlast that moment.
    if !(step.is_for_grant() || over) || !store.claim(&loaded.record, now, CLAIM_SECONDS).await? {
        return Ok(());
    }
    let denies = matches!(loaded.record.state(), State::Closing(_) | State::Closed(_));
    let record = loaded.record.clone();
    let drive = async {
        deps.driver.drive(Role::Grant, loaded, invocation, at_work, None).await?;
        if denies { look_at_others(deps, &record, invocation, at_work).await } else { Ok(()) }
    };
    // The driver stops by itself; this is for a call that hangs. Taken up again by the tick.
    match tokio::time::timeout(Duration::from_secs(DRIVE_SECONDS + 5), drive).await {
        Ok(outcome) => outcome,
        Err(_) => {
            tracing::warn!(request = %id, "driven for too long; taken up again later");
            Ok(())
        }
    }
}

/// A rule that was turned into Deny may stand before the rule of another grant, where no number behind
/// was free. What that says to be open is compared with Azure at once.
async fn look_at_others(
    deps: &Deps,
    denied: &Record,
    invocation: &str,
    at_work: &Awake,
) -> Result<(), StoreError> {
    let Driver { store, .. } = &deps.driver;
    let groups: Vec<String> = planned_groups(denied).collect();
    for (_, other) in store.unsettled().await? {
        let beside = matches!(other.record.state(), State::Open(_))
            && planned_groups(&other.record).any(|group| groups.contains(&group));
        // From an index: read again before anything is done.
        if beside && let Some(other) = store.read(other.record.wish().id).await? {
            deps.driver.drive(Role::Grant, other, invocation, at_work, None).await?;
        }
    }
    Ok(())
}

/// The keys of the groups that hold, or may hold, a rule of this request.
fn planned_groups(record: &Record) -> impl Iterator<Item = String> {
    record.plan().into_iter().flat_map(|plan| plan.rules()).map(|planned| planned.nsg.key())
}
