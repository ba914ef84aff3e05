//! The function `notify`: tells people. What Slack shows is a projection of the record: an event of
//! the stream only wakes, the record is read just before each call, and what it says then is told. It
//! asks `revoke` to start before anything is said. Slack being down never fails a batch and never
//! keeps a port open.

use access::lifecycle::State;
use access::policy::{Policy, Subject};
use access::request::{Installation, RequestId};
use access::wording::{self, Alarm, Message, Told};
use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::DynamoDbEventResponse;
use aws_sdk_lambda::types::InvocationType;
use edge::clock::Clock;
use edge::config::{ConfigError, Environment};
use edge::secrets::SlackSecrets;
use edge::slack::{Posted, Slack, SlackError};
use edge::store::{Loaded, Shown, Store, StoreError};
use edge::stream;
use lambda_runtime::{Error, LambdaEvent};
use saying::Changed;
use serde_json::json;

mod approvers;
mod glass;
mod lockdown;
mod orders;
mod queue;
mod reminders;
mod saying;
mod thread;

/// How often a record is shown anew when it has changed while it was being shown.
const ROUNDS: usize = 5;

/// What the function works with.
pub struct Deps {
    clock: Clock,
    store: Store,
    slack: Slack,
    queue: queue::Queue,
    policy: Policy,
    installation: Installation,
    lambda: aws_sdk_lambda::Client,
    revoke_function: String,
    discover_function: String,
}

/// Why something was not shown.
#[derive(Debug, thiserror::Error)]
enum NotShown {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Slack(#[from] SlackError),
}

impl Deps {
    /// From the environment, with the secrets read.
    ///
    /// # Errors
    /// Missing or malformed configuration.
    pub async fn new(env: &Environment, clock: Clock) -> Result<Self, ConfigError> {
        let secrets = SlackSecrets::read(env, &clock).await?;
        Ok(Self {
            slack: Slack::new(env, secrets)?.paced(clock.clone()),
            queue: queue::Queue::default(),
            clock,
            store: Store::new(edge::aws::dynamodb(env)?, env.required("AJAR_TABLE")?.to_owned()),
            policy: env.policy()?,
            installation: env.installation()?,
            lambda: edge::aws::lambda(env)?,
            revoke_function: env.required("AJAR_REVOKE_FUNCTION")?.to_owned(),
            discover_function: env.required("AJAR_DISCOVER_FUNCTION")?.to_owned(),
        })
    }
}

/// Tells of the records and sentences of one batch of the stream.
///
/// # Errors
/// Never: what the table did not answer for is reported by its sequence number, and comes again.
pub async fn handle(deps: &Deps, event: LambdaEvent<Event>) -> Result<DynamoDbEventResponse, Error> {
    let event = event.payload;
    let requests = stream::requests(&event);
    let mut failures = vec![];
    // Shutting first: nothing that people are told may delay it.
    for (id, sequence_number) in &requests {
        if let Err(error) = start_revoke(deps, *id).await {
            tracing::error!(request = %id, error = %edge::report::chain(&error), "could not be read");
            failures.push(sequence_number.clone());
        }
    }
    for key in stream::questions(&event) {
        // One that is not answered can be asked again; a batch is not held up for it.
        start(deps, &deps.discover_function, &json!({"question": key})).await;
    }
    for (id, sequence_number) in requests {
        match show(deps, id).await {
            Ok(()) => {}
            // It stays in the index `due`, and the tick has it shown later.
            Err(NotShown::Slack(error)) => {
                saying::left(&format!("request {id}"), &error);
                if let Err(error) = queue::leave(deps, id, &error).await {
                    tracing::error!(request = %id, error = %edge::report::chain(&error), "not put off");
                    failures.push(sequence_number);
                }
            }
            Err(NotShown::Store(error)) => {
                tracing::error!(request = %id, error = %edge::report::chain(&error), "not shown");
                failures.push(sequence_number);
            }
        }
    }
    if let Some(sequence_number) = stream::lockdowns(&event) {
        match lockdown::attend(deps).await {
            Ok(()) => {}
            // The tick has it told later.
            Err(NotShown::Slack(error)) => saying::left("a lockdown", &error),
            Err(NotShown::Store(error)) => {
                tracing::error!(error = %edge::report::chain(&error), "the lockdowns were not read");
                failures.push(sequence_number);
            }
        }
    }
    for (id, sequence_number) in stream::orders(&event) {
        match orders::attend(deps, id).await {
            Ok(()) => {}
            // The tick has it shown later.
            Err(NotShown::Slack(error)) => saying::left(&format!("order {id}"), &error),
            Err(NotShown::Store(error)) => {
                tracing::error!(order = %id, error = %edge::report::chain(&error), "an order was not shown");
                failures.push(sequence_number);
            }
        }
    }
    for (key, sequence_number) in stream::replies(&event) {
        if let Err(error) = reply(deps, &key).await {
            tracing::error!(error = %edge::report::chain(&error), "a sentence was not read");
            failures.push(sequence_number);
        }
    }
    for (key, sequence_number) in stream::orphans(&event) {
        match tell_of_orphan(deps, &key).await {
            Ok(()) => {}
            // The tick has it told later.
            Err(NotShown::Slack(error)) => saying::left("an orphan", &error),
            Err(NotShown::Store(error)) => {
                tracing::error!(error = %edge::report::chain(&error), "an orphan was not read");
                failures.push(sequence_number);
            }
        }
    }
    Ok(stream::failed(failures))
}

/// Asks `revoke` to start at once where a record must be shut, or one that it has taken the place of.
async fn start_revoke(deps: &Deps, id: RequestId) -> Result<(), StoreError> {
    let Some(loaded) = deps.store.read(id).await? else { return Ok(()) };
    if loaded.record.has_moved().is_some() {
        start(deps, &deps.revoke_function, &json!({"moved_by": id.to_string()})).await;
    }
    let State::Closing(closing) = loaded.record.state() else { return Ok(()) };
    if closing.tries() > 0 {
        // It was begun; its next try has its time.
        return Ok(());
    }
    // Where this fails the minute's tick shuts it all the same.
    start(deps, &deps.revoke_function, &json!({"request": id.to_string()})).await;
    Ok(())
}

/// Starts a function and does not wait for it.
async fn start(deps: &Deps, function: &str, event: &serde_json::Value) {
    let invoke = deps.lambda.invoke().function_name(function).invocation_type(InvocationType::Event);
    if let Err(error) = invoke.payload(event.to_string().into_bytes().into()).send().await {
        let code =
            aws_sdk_lambda::error::ProvideErrorMetadata::code(&error).unwrap_or("no answer").to_owned();
        tracing::warn!(function, %event, code, "could not be started");
    }
}

/// Brings the card and the direct messages of a request up to its record.
async fn show(deps: &Deps, id: RequestId) -> Result<(), NotShown> {
    for _ in 0..ROUNDS {
        let Some(loaded) = deps.store.read(id).await? else { return Ok(()) };
        let reminded = reminders::is_due(&loaded, deps.clock.now());
        let is_new = loaded.shown.shown_version < loaded.record.version();
        let has_steps = wording::steps_wait(&loaded.record, loaded.shown.steps_version);
        if !is_new && !reminded && !has_steps {
            return Ok(());
        }
        let mut shown = loaded.shown.clone();
        // When a record settles nothing changes that people see. Its card says "is shut", and by then
        // another grant may be open.
        if (is_new || reminded) && !is_told_to_its_end(&loaded) {
            show_card(deps, &loaded, &mut shown).await?;
        }
        shown.shown_version = loaded.record.version();
        // Sending the card took a while: what a person is told is read again.
        let again = if has_steps {
            deps.store.read_with_history(id).await?.map(|(now, history)| (now, Some(history)))
        } else {
            deps.store.read(id).await?.map(|now| (now, None))
        };
        let Some((now, history)) = again else { return Ok(()) };
        if now.record.version() != loaded.record.version() {
            continue;
        }
        tell_channel(deps, &now, &mut shown).await?;
        approvers::tell(deps, &now, &mut shown).await?;
        tell_requester(deps, &now, &mut shown).await?;
        reminders::tell(deps, &now, &mut shown).await?;
        glass::tell(deps, &now, &mut shown).await?;
        let put_off = match &history {
            Some(history) => thread::tell(deps, &now, history, &mut shown).await,
            None => None,
        };
        if deps.store.shown(&now.record, &shown, true).await? {
            if let Some(at) = put_off {
                deps.store.put_off(&now.record, at).await?;
            }
            return Ok(());
        }
        if shown.steps_version != loaded.shown.steps_version {
            // It has changed meanwhile; what was told in the thread was told all the same.
            deps.store.shown(&now.record, &shown, false).await?;
        }
    }
    Ok(())
}

/// Whether the card shows how the request ended, for good: the requester is told so only after the card.
fn is_told_to_its_end(loaded: &Loaded) -> bool {
    matches!(loaded.record.state(), State::Closed(closed) if closed.is_settled())
        && loaded.shown.told.contains(&Told::End)
}

async fn show_card(deps: &Deps, loaded: &Loaded, shown: &mut Shown) -> Result<(), NotShown> {
    let record = &loaded.record;
    let machine = &record.wish().machine;
    // Only what waits says who can decide, and on what.
    let (seen, rule) = match record.state() {
        State::Pending(_) => {
            let seen = deps.store.machine(&machine.resource_id).await?;
            let subject = Subject::of(machine, seen.as_ref().map(|seen| &seen.tags));
            let rule = deps.policy.rule_for(&subject).ok();
            (seen, rule)
        }
        _ => (None, None),
    };
    let card = wording::card(record, rule, seen.as_ref(), &deps.installation, deps.clock.now());
    let Some(card) = card else { return Ok(()) };
    let numbered = card.clone().numbered(shown.card);
    if let (Some(channel), Some(ts)) = (&shown.channel, &shown.ts) {
        let at = Posted { channel: channel.clone(), ts: ts.clone() };
        match saying::changed(deps, &at, &numbered).await? {
            Changed::Yes => return Ok(()),
            // Somebody deleted it, or Slack takes no more edits: a new one where it was.
            Changed::Lost => {}
            Changed::NobodyThere => shown.channel = None,
        }
    }
    post_card(deps, loaded, shown, card).await
}

async fn post_card(deps: &Deps, loaded: &Loaded, shown: &mut Shown, card: Message) -> Result<(), NotShown> {
    // A card that was lost is posted again where it was.
    let channel = match &shown.channel {
        Some(channel) => channel.clone(),
        None => {
            let rule = deps.store.listed_rule(&deps.policy, &loaded.record.wish().machine).await?;
            deps.policy.channel_for(rule).to_owned()
        }
    };
    // First: whatever becomes of this posting, no other card's buttons count from now on.
    deps.store.number_card(&loaded.record, shown).await?;
    let posted = saying::in_channel(deps, &channel, &card.numbered(shown.card)).await?;
    shown.channel = Some(posted.channel);
    shown.ts = Some(posted.ts);
    // At once: a second card is worse than a stale one.
    deps.store.shown(&loaded.record, shown, false).await?;
    Ok(())
}

/// The channel that the card is in.
fn channel_of<'d>(deps: &'d Deps, shown: &'d Shown) -> &'d str {
    shown.channel.as_deref().unwrap_or(deps.policy.channel())
}

/// The channel hears in a message of its own that a grant should be shut and is not, and that it is shut
/// at last: a card that changes is not noticed.
async fn tell_channel(deps: &Deps, loaded: &Loaded, shown: &mut Shown) -> Result<(), NotShown> {
    let record = &loaded.record;
    let was_told = shown.told.contains(&Told::Overdue);
    let message = match wording::alarm(record, &deps.installation, deps.clock.now()) {
        Some(Alarm::Overdue(message)) if !was_told => message,
        Some(Alarm::Over(message)) if was_told => message,
        _ => return Ok(()),
    };
    saying::told_in_channel(deps, channel_of(deps, shown), &message).await?;
    if was_told {
        // Should it ever be late again, that is news.
        shown.told.retain(|told| *told != Told::Overdue);
    } else {
        shown.told.push(Told::Overdue);
    }
    deps.store.shown(record, shown, false).await?;
    Ok(())
}

/// Says something in the thread of the card, once.
async fn reply_once(
    deps: &Deps,
    loaded: &Loaded,
    shown: &mut Shown,
    told: Told,
    message: &Message,
) -> Result<(), NotShown> {
    let (Some(channel), Some(ts)) = (shown.channel.clone(), shown.ts.clone()) else { return Ok(()) };
    if shown.told.contains(&told) {
        return Ok(());
    }
    saying::in_thread(deps, &deps.slack, &Posted { channel, ts }, message).await?;
    shown.told.push(told);
    deps.store.shown(&loaded.record, shown, false).await?;
    Ok(())
}

/// The requester hears directly when it is open and how it ended, each once.
async fn tell_requester(deps: &Deps, loaded: &Loaded, shown: &mut Shown) -> Result<(), NotShown> {
    let record = &loaded.record;
    let now = deps.clock.now();
    let told = |seen| wording::direct(record, seen, &deps.installation, now);
    let Some((what, message)) = told(None).filter(|(what, _)| !shown.told.contains(what)) else {
        return Ok(());
    };
    // How one gets in hangs on the machine.
    let seen = match what {
        Told::Open => deps.store.machine(&record.wish().machine.resource_id).await?,
        _ => None,
    };
    let message = told(seen.as_ref()).map_or(message, |(_, message)| message);
    saying::to_person(deps, &record.wish().requester, &message).await?;
    shown.told.push(what);
    deps.store.shown(record, shown, false).await?;
    Ok(())
}

/// Tells the channel of a rule that no record answers for, each thing once.
async fn tell_of_orphan(deps: &Deps, key: &str) -> Result<(), NotShown> {
    let Some(known) = deps.store.orphan(key).await?.filter(|known| known.untold) else { return Ok(()) };
    let mut told = known.told.clone();
    while let Some((what, message)) =
        wording::orphan(&known.orphan, &told, &deps.installation, deps.clock.now())
    {
        saying::told_in_channel(deps, deps.policy.channel(), &message).await?;
        told.push(what);
        deps.store.orphan_told(&known, &told, false).await?;
    }
    deps.store.orphan_told(&known, &told, true).await?;
    Ok(())
}

/// Says a sentence to the one person it is for, or in place of what was clicked on. What Slack does not take is dropped: it is about a
/// click that changed nothing, and its address lasts for half an hour.
async fn reply(deps: &Deps, key: &str) -> Result<(), StoreError> {
    let Some(reply) = deps.store.reply(key).await?.filter(|reply| !reply.said) else { return Ok(()) };
    if let Err(error) = deps.slack.respond(&reply.response_url, &reply.text, reply.replaces).await {
        tracing::warn!(error = %error, "a sentence was not said");
    }
    deps.store.said(key).await.map(|_| ())
}
