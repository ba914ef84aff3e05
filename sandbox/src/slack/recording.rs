//! Writes down what the app says to Slack and what Slack signs, so that Slack's own SDK can be held against it afterwards.
//!
//! With `AJAR_RECORD_SLACK=DIR` each message, view and answer becomes a line of JSON in `DIR/<process id>.jsonl`, once for
//! each process, with where it was said: a method of the Web API, `response_url`, `command_answer` or `interaction_answer`.
//! It is written down as it was received, whatever is answered then, also where a fault takes it. Tokens and `trigger_id`s
//! are left out. Of each kind of request that Slack signs some are written down whole, with the sandbox's signing secret.
//!
//! A sandbox on the real Azure is not recorded: what its secret signs opens a real port.

use super::serve::Arguments;
use crate::recording::{Lines, parsed};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Where to write; nothing is recorded without it.
const VARIABLE: &str = "AJAR_RECORD_SLACK";
/// So many signed requests of each kind are written down by one process.
const SIGNED_OF_A_KIND: u32 = 25;
/// Longest body that is looked at: what the door takes.
const LONGEST: usize = 10 * 1024 * 1024;

/// A process's recording.
struct Recorder {
    lines: Lines,
    said: Mutex<HashSet<u64>>,
    signed: Mutex<BTreeMap<String, u32>>,
}

/// This process's recording, if one was asked for.
fn recorder() -> Option<&'static Recorder> {
    static RECORDER: OnceLock<Option<Recorder>> = OnceLock::new();
    let open = || {
        let lines = Lines::asked_for(VARIABLE)?;
        Some(Recorder { lines, said: Mutex::default(), signed: Mutex::default() })
    };
    RECORDER.get_or_init(open).as_ref()
}

/// Slack's Web API and its `response_url`s: what the app sends them is recorded.
pub(crate) fn web_api(routes: Router) -> Router {
    let Some(recorder) = recorder() else { return routes };
    routes.layer(from_fn(async move |request: Request, next: Next| {
        let Ok((request, body)) = read(request).await else { return too_large() };
        if let Some(place) = place(request.uri().path()) {
            recorder.said(place, &argued(request.headers(), &body));
        }
        next.run(request).await
    }))
}

/// The app's request URLs: what Slack has signed with this secret, and what the app answers, is recorded.
pub(crate) fn door(routes: Router, secret: &'static str) -> Router {
    let Some(recorder) = recorder() else { return routes };
    routes.layer(from_fn(async move |request: Request, next: Next| {
        let place = match request.uri().path() {
            "/slack/command" => "command_answer",
            "/slack/interaction" => "interaction_answer",
            _ => return next.run(request).await,
        };
        let Ok((request, body)) = read(request).await else { return too_large() };
        recorder.signed(secret, request.headers(), &body);
        let (head, body) = next.run(request).await.into_parts();
        let Ok(body) = axum::body::to_bytes(body, LONGEST).await else { return too_large() };
        if head.status == StatusCode::OK && !body.is_empty() {
            recorder.said(place, &parsed(&body));
        }
        Response::from_parts(head, Body::from(body))
    }))
}

/// Where this is said; `None` where nothing is that people could see.
fn place(path: &str) -> Option<&str> {
    let method =
        path.strip_prefix("/api/").filter(|name| name.starts_with("chat.") || name.starts_with("views."));
    let hook = path.starts_with("/commands/") || path.starts_with("/actions/");
    method.or_else(|| hook.then_some("response_url"))
}

/// The request as it was, and its body.
async fn read(request: Request) -> Result<(Request, Bytes), axum::Error> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LONGEST).await?;
    Ok((Request::from_parts(head, Body::from(body.clone())), body))
}

fn too_large() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}

/// The arguments of a call, without what is secret, and what a form carries as JSON text as JSON.
fn argued(headers: &HeaderMap, body: &[u8]) -> Value {
    let Ok(mut arguments) = Arguments::read(headers, body) else { return parsed(body) };
    for name in ["blocks", "view"] {
        if let Ok(Some(value)) = arguments.json(name) {
            arguments.0[name] = value;
        }
    }
    if let Some(members) = arguments.0.as_object_mut() {
        members.retain(|name, _| name != "token" && name != "trigger_id");
    }
    arguments.0
}

impl Recorder {
    fn said(&self, place: &str, body: &Value) {
        let line = json!({ "said": place, "body": body });
        let mut hasher = DefaultHasher::new();
        line.to_string().hash(&mut hasher);
        let new = self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(hasher.finish());
        if new {
            self.lines.write(&line);
        }
    }

    /// What the simulated Slack itself has sent. What tests sign by themselves comes from another client.
    fn signed(&self, secret: &str, headers: &HeaderMap, body: &[u8]) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let by_slack = text(header::USER_AGENT.as_str()).is_some_and(|agent| agent.starts_with("Slackbot"));
        let kind = kind(body);
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        let times = signed.entry(kind.clone()).or_default();
        if !by_slack || *times == SIGNED_OF_A_KIND {
            return;
        }
        *times += 1;
        self.lines.write(&json!({
            "signed": kind, "secret": secret, "timestamp": text("x-slack-request-timestamp"),
            "signature": text("x-slack-signature"), "body": String::from_utf8_lossy(body),
        }));
    }
}

/// What Slack sends: `command`, or the type of an interaction.
fn kind(body: &[u8]) -> String {
    let payload = form_urlencoded::parse(body).find(|(name, _)| name == "payload");
    let kind = payload.map(|(_, text)| parsed(text.as_bytes())["type"].as_str().map(str::to_owned));
    kind.map_or_else(|| "command".to_owned(), |kind| kind.unwrap_or_else(|| "unknown".to_owned()))
}
