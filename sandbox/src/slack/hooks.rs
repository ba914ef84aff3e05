//! `response_url`s: five uses within thirty minutes (docs.slack.dev,
//! interactivity/handling-user-interaction#message_responses).

use super::methods::{Content, Failure};
use super::serve::{Answer, Arguments};
use super::store::{Hook, Received, Store};
use super::{Inner, app_message, world};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

/// How often one may be used.
const USES: u32 = 5;
/// How long one lives.
const LIFETIME_MS: u64 = 30 * 60 * 1000;

/// A new `response_url`. `kind` is `commands` or `actions`, as in Slack's own addresses.
pub(super) fn new_hook(inner: &Inner, store: &mut Store, kind: &str, hook: Hook) -> String {
    let owner = if kind == "commands" { world::TEAM_ID } else { world::APP_ID };
    let path = format!("/{kind}/{owner}/{}/{}", store.next_number(), inner.unguessable(store, "hook"));
    let url = format!("{}{path}", inner.addresses().slack_url.trim_end_matches('/'));
    store.hooks.insert(path, hook);
    url
}

/// Carries out a post to a `response_url`.
pub(super) fn call(inner: &Inner, path: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
    let read = Arguments::read(headers, body);
    let store = &mut *inner.store();
    let before = store.hooks.get(path).cloned();
    let raw = match &read {
        Ok(arguments) => arguments.0.clone(),
        Err(_) => json!(String::from_utf8_lossy(body)),
    };
    let result = respond(inner, store, path, read);
    let (ts, error) = match &result {
        Ok(ts) => (Some(ts.as_str()), None),
        Err((_, failure)) => (None, Some(failure.error)),
    };
    let seen_by = before.as_ref().map(|hook| hook.user.as_str());
    let user = match ts {
        Some(ts) => store
            .messages
            .iter()
            .find(|message| message.ts == ts)
            .and_then(|message| message.visible_to.clone()),
        None => seen_by.map(str::to_owned),
    };
    let channel = before.as_ref().map(|hook| hook.channel.as_str());
    inner.record(
        store,
        &Received { method: "response_url", user: user.as_deref(), channel, ts, body: &raw, error },
    );
    inner.save(store);
    match result {
        Ok(_) => Answer::ok(json!("ok")),
        Err((status, failure)) => Answer { status, retry_after_s: None, body: failure.body() },
    }
}

type Refused = (StatusCode, Failure);

fn respond(
    inner: &Inner,
    store: &mut Store,
    path: &str,
    read: Result<Arguments, &'static str>,
) -> Result<String, Refused> {
    let gone = |error| (StatusCode::NOT_FOUND, Failure::new(error));
    let bad = |failure| (StatusCode::BAD_REQUEST, failure);
    let now_ms = inner.now_ms();
    let hook = store.hooks.get_mut(path).ok_or_else(|| gone("invalid_url"))?;
    if now_ms.saturating_sub(hook.made_at_ms) > LIFETIME_MS {
        return Err(gone("expired_url"));
    }
    if hook.uses >= USES {
        return Err(gone("used_url"));
    }
    hook.uses += 1;
    let hook = hook.clone();
    let arguments = read.map_err(|_| bad(Failure::new("invalid_payload")))?;
    // A slash command has no original: Slack posts a new message all the same
    // (slackapi/bolt-js#2287).
    if arguments.flag("delete_original") {
        let ts = hook.original.ok_or_else(|| gone("message_not_found"))?;
        original(store, &hook.channel, &ts).map_err(gone)?;
        store.messages.retain(|message| !(message.channel == hook.channel && message.ts == ts));
        return Ok(ts);
    }
    let content = Content::read(&arguments).map_err(bad)?;
    let content = content.required().map_err(bad)?;
    if let Some(ts) = hook.original.as_ref().filter(|_| arguments.flag("replace_original")) {
        let blocks = content.blocks.map(|blocks| inner.filled_in(store, blocks));
        let edited = store.next_ts(now_ms);
        let message = original(store, &hook.channel, ts).map_err(gone)?;
        message.replace(content.text.unwrap_or_default(), blocks, edited);
        return Ok(ts.clone());
    }
    let ephemeral = is_ephemeral(&arguments.0).map_err(|error| bad(Failure::new(error)))?;
    let visible_to = ephemeral.then_some(hook.user.as_str());
    let mut message =
        app_message(&hook.channel, content.text.unwrap_or_default(), content.blocks, visible_to);
    message.thread_ts = arguments.text("thread_ts");
    Ok(inner.post(store, message))
}

/// The app's own message that was clicked, if it is still there.
fn original<'a>(
    store: &'a mut Store,
    channel: &str,
    ts: &str,
) -> Result<&'a mut super::store::Message, &'static str> {
    let message = store.message_mut(channel, ts).ok_or("message_not_found")?;
    if message.author == world::BOT_USER_ID { Ok(message) } else { Err("cant_update_message") }
}

/// Whether an answer is for one person only, which it is unless it says otherwise.
///
/// # Errors
///
/// When `response_type` is not one of the two that exist.
pub(super) fn is_ephemeral(body: &Value) -> Result<bool, &'static str> {
    match body.get("response_type").map(Value::as_str) {
        None | Some(Some("ephemeral")) => Ok(true),
        Some(Some("in_channel")) => Ok(false),
        Some(_) => Err("invalid_response_type"),
    }
}
