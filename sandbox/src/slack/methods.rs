//! The methods of the Web API (docs.slack.dev, reference/methods): HTTP 200 also for failures, which
//! `ok` and `error` tell.

use super::serve::{Answer, Arguments};
use super::store::{Message, Received, Store};
use super::world::{self, Kind};
use super::{Inner, app_message, blocks, views};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// Longest `text` of `chat.update`.
const UPDATE_TEXT: usize = 4_000;
/// Where `chat.postMessage` cuts `text`.
const TEXT_CUT: usize = 40_000;
/// Longest `markdown_text`.
const MARKDOWN_TEXT: usize = 12_000;
/// All blocks of a message together, as JSON. Not documented; measured by users of Slack
/// (slackapi/bolt-js#2509: refused from about 13,200 characters).
const BLOCKS_TOGETHER: usize = 13_200;
/// How long a `trigger_id` lives.
const TRIGGER_LIFETIME_MS: u64 = 3_000;

/// Why a call is refused.
pub(super) struct Failure {
    /// Slack's name for it.
    pub error: &'static str,
    messages: Vec<String>,
    scopes: Option<(String, String)>,
    retry_after_s: Option<u64>,
}

impl Failure {
    pub(super) fn new(error: &'static str) -> Self {
        Self { error, messages: Vec::new(), scopes: None, retry_after_s: None }
    }

    pub(super) fn because(error: &'static str, messages: Vec<String>) -> Self {
        Self { messages, ..Self::new(error) }
    }

    fn missing(argument: &str) -> Self {
        Self::because("invalid_arguments", vec![format!("[ERROR] missing required field: {argument}")])
    }

    /// The answer's body.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({ "ok": false, "error": self.error });
        if !self.messages.is_empty() {
            body["response_metadata"] = json!({ "messages": self.messages });
        }
        if self.error == "invalid_blocks" {
            body["errors"] = json!(self.messages);
        }
        if let Some((needed, provided)) = &self.scopes {
            body["needed"] = json!(needed);
            body["provided"] = json!(provided);
        }
        body
    }
}

/// What a successful call did, for the answer and the record.
struct Done {
    body: Value,
    channel: Option<String>,
    ts: Option<String>,
}

impl Done {
    fn only(body: Value) -> Self {
        Self { body, channel: None, ts: None }
    }
}

/// What a message says.
pub(super) struct Content {
    pub text: Option<String>,
    pub blocks: Option<Vec<Value>>,
}

impl Content {
    /// Reads and checks `text`, `markdown_text` and `blocks`.
    pub(super) fn read(arguments: &Arguments) -> Result<Self, Failure> {
        let text = arguments.text("text");
        let blocks = match arguments.json("blocks") {
            Ok(None) => None,
            Ok(Some(Value::Array(blocks))) if blocks.is_empty() => None,
            Ok(Some(Value::Array(blocks))) if blocks.iter().all(Value::is_object) => Some(blocks),
            Ok(Some(_)) | Err(()) => return Err(Failure::new("invalid_blocks_format")),
        };
        if let Some(markdown) = arguments.text("markdown_text") {
            if text.is_some() || blocks.is_some() {
                return Err(Failure::new("markdown_text_conflict"));
            }
            if markdown.chars().count() > MARKDOWN_TEXT {
                return Err(Failure::new("msg_too_long"));
            }
            let block = json!({ "type": "markdown", "text": markdown });
            return Ok(Self { text: Some(markdown), blocks: Some(vec![block]) });
        }
        let problems = blocks::message_problems(blocks.as_deref().unwrap_or_default());
        if !problems.is_empty() {
            return Err(Failure::because("invalid_blocks", problems));
        }
        Ok(Self { text, blocks })
    }

    /// There must be something to show.
    pub(super) fn required(self) -> Result<Self, Failure> {
        if self.text.is_none() && self.blocks.is_none() { Err(Failure::new("no_text")) } else { Ok(self) }
    }

    /// As [`Content::required`], and short enough for the `chat.*` methods.
    fn postable(self) -> Result<Self, Failure> {
        let together = self.blocks.as_ref().map_or(0, |blocks| json!(blocks).to_string().chars().count());
        if together > BLOCKS_TOGETHER {
            return Err(Failure::new("msg_blocks_too_long"));
        }
        self.required()
    }
}

/// Carries out a call and records it if it is one that people see, or that was refused.
pub(super) fn call(inner: &Inner, method: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
    let read = Arguments::read(headers, body);
    let arguments = match &read {
        Ok(arguments) => arguments.0.clone(),
        Err(_) => json!(String::from_utf8_lossy(body)),
    };
    let store = &mut *inner.store();
    let result = match read {
        Ok(arguments) => authorised(inner, method, headers, &arguments)
            .and_then(|()| limited(inner, store, method, &arguments))
            .and_then(|()| carry_out(inner, store, method, &arguments)),
        Err(error) => Err(Failure::new(error)),
    };
    let seen = method.starts_with("chat.") || method == "views.open";
    if seen || result.is_err() {
        let mut body = arguments;
        // A token may also come as an argument of a form; nobody is to read it from the record.
        if let Some(body) = body.as_object_mut() {
            body.remove("token");
        }
        let named = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let (channel, ts, error) = match &result {
            Ok(done) => (done.channel.clone().or(named("channel")), done.ts.clone(), None),
            Err(failure) => (named("channel"), named("ts"), Some(failure.error)),
        };
        let user = if method == "chat.postEphemeral" { named("user") } else { None };
        let received = Received {
            method,
            user: user.as_deref(),
            channel: channel.as_deref(),
            ts: ts.as_deref(),
            body: &body,
            error,
        };
        inner.record(store, &received);
    }
    inner.save(store);
    match result {
        Ok(done) => Answer::ok(done.body),
        Err(failure) if failure.retry_after_s.is_some() => Answer {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after_s: failure.retry_after_s,
            body: failure.body(),
        },
        Err(failure) => Answer::ok(failure.body()),
    }
}

/// Whether the app may ask for that now.
fn limited(inner: &Inner, store: &mut Store, method: &str, arguments: &Arguments) -> Result<(), Failure> {
    if !inner.limited.load(Ordering::SeqCst) {
        return Ok(());
    }
    let channel = arguments.text("channel");
    let asked = store.asked.take(method, channel.as_deref(), inner.now_ms());
    asked.map_err(|seconds| Failure { retry_after_s: Some(seconds), ..Failure::new("ratelimited") })
}

fn carry_out(inner: &Inner, store: &mut Store, method: &str, arguments: &Arguments) -> Result<Done, Failure> {
    match method {
        "chat.postMessage" => post_message(inner, store, arguments),
        "chat.update" => update(inner, store, arguments),
        "chat.postEphemeral" => post_ephemeral(inner, store, arguments),
        "conversations.open" => open_conversation(inner, store, arguments),
        "usergroups.users.list" => group_members(arguments),
        "users.info" => user_info(inner, arguments),
        "auth.test" => Ok(auth_test()),
        "bots.info" => bot_info(arguments),
        "views.open" => open_view(inner, store, arguments),
        _ => Err(Failure::new("unknown_method")),
    }
}

/// Who calls, and whether the app may call this.
fn authorised(
    inner: &Inner,
    method: &str,
    headers: &HeaderMap,
    arguments: &Arguments,
) -> Result<(), Failure> {
    let form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = match header.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(token) => Some(token.to_owned()),
        // Only a form may carry the token.
        None => arguments.text("token").filter(|_| form),
    };
    let token = token.ok_or_else(|| Failure::new("not_authed"))?;
    if token.starts_with("xoxp-") || token.starts_with("xapp-") {
        return Err(Failure::new("not_allowed_token_type"));
    }
    if token != *inner.bot_token.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(Failure::new("invalid_auth"));
    }
    let needed = match method {
        "chat.postMessage" | "chat.update" | "chat.postEphemeral" => "chat:write",
        "usergroups.users.list" => "usergroups:read",
        "users.info" | "bots.info" => "users:read",
        "conversations.open" if recipients(arguments).len() > 1 => "mpim:write",
        "conversations.open" => "im:write",
        _ => return Ok(()),
    };
    if has_scope(inner, needed) {
        return Ok(());
    }
    let scopes = Some((needed.to_owned(), inner.options.scopes.join(",")));
    Err(Failure { scopes, ..Failure::new("missing_scope") })
}

fn has_scope(inner: &Inner, scope: &str) -> bool {
    inner.options.scopes.iter().any(|given| given == scope)
}

/// Where the app wants to write: a channel's id or `#name`, or a person, whose direct messages are
/// opened by it.
fn destination(inner: &Inner, store: &mut Store, arguments: &Arguments) -> Result<String, Failure> {
    let wanted = arguments.text("channel").ok_or_else(|| Failure::missing("channel"))?;
    if world::person(&wanted).is_some() {
        return Ok(store.dm(&wanted));
    }
    let by_name = |name: &str| {
        store.conversations.iter().find(|(_, known)| known.kind == Kind::Public && known.name == name)
    };
    let (id, known) = match wanted.strip_prefix('#') {
        Some(name) => by_name(name),
        None => store.conversations.get_key_value(&wanted),
    }
    .ok_or_else(|| Failure::new("channel_not_found"))?;
    if known.archived {
        return Err(Failure::new("is_archived"));
    }
    if !known.has_app && !has_scope(inner, "chat:write.public") {
        return Err(Failure::new("not_in_channel"));
    }
    Ok(id.clone())
}

fn post_message(inner: &Inner, store: &mut Store, arguments: &Arguments) -> Result<Done, Failure> {
    let channel = destination(inner, store, arguments)?;
    let content = Content::read(arguments)?.postable()?;
    let text = content.text.unwrap_or_default().chars().take(TEXT_CUT).collect();
    let mut message = app_message(&channel, text, content.blocks, None);
    message.thread_ts = arguments.text("thread_ts");
    let ts = inner.post(store, message);
    let shown = store.message_mut(&channel, &ts).map(|message| message.as_slack_shows_it());
    Ok(Done {
        body: json!({ "ok": true, "channel": channel, "ts": ts, "message": shown }),
        channel: Some(channel),
        ts: Some(ts),
    })
}

/// Own messages that are not ephemeral. Text without blocks takes the blocks away, blocks without
/// text leave the text.
fn update(inner: &Inner, store: &mut Store, arguments: &Arguments) -> Result<Done, Failure> {
    let channel = arguments.text("channel").ok_or_else(|| Failure::missing("channel"))?;
    let ts = arguments.text("ts").ok_or_else(|| Failure::missing("ts"))?;
    if !store.conversations.contains_key(&channel) {
        return Err(Failure::new("channel_not_found"));
    }
    let content = Content::read(arguments)?;
    if content.text.as_ref().is_some_and(|text| text.chars().count() > UPDATE_TEXT) {
        return Err(Failure::new("msg_too_long"));
    }
    let content = content.postable()?;
    let author = store
        .message_mut(&channel, &ts)
        .filter(|message| message.visible_to.is_none())
        .map(|message| message.author.clone())
        .ok_or_else(|| Failure::new("message_not_found"))?;
    if author != world::BOT_USER_ID {
        return Err(Failure::new("cant_update_message"));
    }
    let blocks = content.blocks.map(|blocks| inner.filled_in(store, blocks));
    let edited = store.next_ts(inner.now_ms());
    let shown = store.message_mut(&channel, &ts).map(|message| {
        message.replace(content.text.unwrap_or_else(|| message.text.clone()), blocks, edited);
        message.as_slack_shows_it()
    });
    let shown = shown.unwrap_or_default();
    Ok(Done {
        body: json!({ "ok": true, "channel": channel, "ts": ts, "text": shown["text"], "message": shown }),
        channel: Some(channel),
        ts: Some(ts),
    })
}

fn post_ephemeral(inner: &Inner, store: &mut Store, arguments: &Arguments) -> Result<Done, Failure> {
    let channel = destination(inner, store, arguments)?;
    let user = arguments.text("user").ok_or_else(|| Failure::missing("user"))?;
    if !store.is_member(&channel, &user) {
        return Err(Failure::new("user_not_in_channel"));
    }
    let content = Content::read(arguments)?.postable()?;
    let message: Message =
        app_message(&channel, content.text.unwrap_or_default(), content.blocks, Some(&user));
    let ts = inner.post(store, message);
    Ok(Done { body: json!({ "ok": true, "message_ts": ts }), channel: Some(channel), ts: Some(ts) })
}

/// The people named by `users`: a list, or separated by commas.
fn recipients(arguments: &Arguments) -> Vec<String> {
    match arguments.0.get("users") {
        Some(Value::Array(users)) => users.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => {
            let users = arguments.text("users").unwrap_or_default();
            users.split(',').map(str::trim).filter(|user| !user.is_empty()).map(str::to_owned).collect()
        }
    }
}

fn open_conversation(inner: &Inner, store: &mut Store, arguments: &Arguments) -> Result<Done, Failure> {
    let users = recipients(arguments);
    if users.is_empty() {
        let channel = arguments.text("channel").ok_or_else(|| Failure::new("users_list_not_supplied"))?;
        let known =
            store.conversations.get(&channel).filter(|known| known.kind != Kind::Public && known.has_app);
        known.ok_or_else(|| Failure::new("channel_not_found"))?;
        return Ok(Done::only(json!({ "ok": true, "channel": { "id": channel } })));
    }
    if users.len() > 8 {
        return Err(Failure::new("too_many_users"));
    }
    if users.iter().any(|user| world::person(user).is_none()) {
        return Err(Failure::new("user_not_found"));
    }
    let id = match users.as_slice() {
        [user] => store.dm(user),
        several => store.group_dm(several),
    };
    let mut channel = json!({ "id": id });
    if arguments.flag("return_im") {
        channel["is_im"] = json!(users.len() == 1);
        channel["created"] = json!(inner.now_ms() / 1000);
    }
    Ok(Done::only(json!({ "ok": true, "channel": channel })))
}

fn group_members(arguments: &Arguments) -> Result<Done, Failure> {
    let group = arguments.text("usergroup").ok_or_else(|| Failure::missing("usergroup"))?;
    if group != world::GROUP_ID {
        return Err(Failure::new("no_such_subteam"));
    }
    Ok(Done::only(json!({ "ok": true, "users": world::GROUP_MEMBERS })))
}

fn user_info(inner: &Inner, arguments: &Arguments) -> Result<Done, Failure> {
    let user = arguments.text("user").ok_or_else(|| Failure::missing("user"))?;
    let person = world::person(&user).ok_or_else(|| Failure::new("user_not_found"))?;
    let user = world::user_object(person, has_scope(inner, "users:read.email"));
    Ok(Done::only(json!({ "ok": true, "user": user })))
}

fn auth_test() -> Done {
    Done::only(json!({
        "ok": true, "url": format!("https://{}.slack.com/", world::TEAM_DOMAIN), "team": "Contoso",
        "user": "ajar", "team_id": world::TEAM_ID, "user_id": world::BOT_USER_ID, "bot_id": world::BOT_ID,
        "is_enterprise_install": false,
    }))
}

fn bot_info(arguments: &Arguments) -> Result<Done, Failure> {
    if arguments.text("bot").is_some_and(|bot| bot != world::BOT_ID) {
        return Err(Failure::new("bot_not_found"));
    }
    Ok(Done::only(json!({ "ok": true, "bot": { "id": world::BOT_ID, "deleted": false, "name": "ajar",
        "app_id": world::APP_ID, "user_id": world::BOT_USER_ID, "icons": {} } })))
}

fn open_view(inner: &Inner, store: &mut Store, arguments: &Arguments) -> Result<Done, Failure> {
    let trigger_id = arguments.text("trigger_id").ok_or_else(|| Failure::missing("trigger_id"))?;
    let view = arguments.json("view").ok().flatten().ok_or_else(|| Failure::missing("view"))?;
    let trigger = store.triggers.get(&trigger_id).ok_or_else(|| Failure::new("invalid_trigger_id"))?;
    if trigger.used {
        return Err(Failure::new("exchanged_trigger_id"));
    }
    if inner.now_ms().saturating_sub(trigger.sent_at_ms) > TRIGGER_LIFETIME_MS {
        return Err(Failure::new("expired_trigger_id"));
    }
    let user = trigger.user.clone();
    views::check(store, &view, None)?;
    if let Some(trigger) = store.triggers.get_mut(&trigger_id) {
        trigger.used = true;
    }
    let shown = views::shown(inner, store, &view, views::Place::First);
    store.modals.insert(user, vec![shown.clone()]);
    Ok(Done::only(json!({ "ok": true, "view": shown })))
}
