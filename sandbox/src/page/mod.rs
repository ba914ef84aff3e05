//! The sandbox's page: a small chat beside the network, for a browser on the same machine.
//!
//! The chat shows the very Block Kit JSON that Slack received. The page is served to loopback names
//! only and changes nothing for other sites ([`same_site_only`]).

mod guard;

pub use guard::same_site_only;

use crate::slack::{NotSubmitted, NowMs, Slack, people, world};
use access::machine::{SeenMachine, Standing};
use access::wording;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use edge::store::Store;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the page shows.
#[derive(Clone)]
pub struct PageState {
    /// The chat.
    pub slack: Slack,
    /// The network as it is now: `{"nsgs": [...], "machines": [...]}`. A rule may carry `ends_at`
    /// (Unix seconds); without it the page looks for a time in the rule's description.
    pub network: Arc<dyn Fn() -> Value + Send + Sync>,
    /// What `/jit vms` says of each machine.
    pub listed: Listed,
    /// The sandbox's clock.
    pub now_ms: NowMs,
}

/// What `/jit vms` says of machines, by [`ResourceId::key`](access::request::ResourceId::key):
/// `{"standing": "configured", "says": "…"}`; none while the table does not answer.
pub type Listed = Arc<dyn Fn() -> BoxFuture<'static, BTreeMap<String, Value>> + Send + Sync>;

/// Reads it from this table.
pub fn listed(store: Store) -> Listed {
    Arc::new(move || {
        let store = store.clone();
        async move {
            let machines = store.machines().await.unwrap_or_else(|error| {
                tracing::warn!(error = %error, "the machine list was not read for the page");
                Vec::new()
            });
            let there = machines.iter().filter(|machine| machine.gone_at.is_none());
            there.map(|machine| (machine.resource_id.key(), badge(machine))).collect()
        }
        .boxed()
    })
}

fn badge(machine: &SeenMachine) -> Value {
    let standing = match machine.standing() {
        Standing::Configured(_) => "configured",
        Standing::Recommended => "recommended",
        Standing::Unsupported(_) => "unsupported",
    };
    json!({ "standing": standing, "says": wording::badge(machine) })
}

/// The page's routes: `/`, its files, `GET /page/state?as=<user>`, `POST /page/command`,
/// `POST /page/click`, `POST /page/choose`, `POST /page/view/submit` and `POST /page/view/close`. The clock's controls call `POST /sandbox/clock`, which the host serves.
pub fn router(state: PageState) -> Router {
    Router::new()
        .route("/", get(|| file("text/html; charset=utf-8", include_str!("index.html"))))
        .route("/page.css", get(|| file("text/css; charset=utf-8", include_str!("page.css"))))
        .route("/page.js", get(|| file(JAVASCRIPT, include_str!("page.js"))))
        .route("/blocks.js", get(|| file(JAVASCRIPT, include_str!("blocks.js"))))
        .route("/elements.js", get(|| file(JAVASCRIPT, include_str!("elements.js"))))
        .route("/modal.js", get(|| file(JAVASCRIPT, include_str!("modal.js"))))
        .route("/mrkdwn.js", get(|| file(JAVASCRIPT, include_str!("mrkdwn.js"))))
        .route("/network.js", get(|| file(JAVASCRIPT, include_str!("network.js"))))
        .route("/icon.svg", get(|| file("image/svg+xml", include_str!("icon.svg"))))
        .route("/page/state", get(show_state))
        .route("/page/command", post(command))
        .route("/page/click", post(click))
        .route("/page/choose", post(choose))
        .route("/page/view/submit", post(submit_view))
        .route("/page/view/close", post(close_view))
        .with_state(state)
        .layer(axum::middleware::from_fn(same_site_only))
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Nothing from elsewhere is loaded, and nobody puts the page in a frame.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

fn file(kind: &'static str, text: &'static str) -> std::future::Ready<Response> {
    std::future::ready(respond(StatusCode::OK, kind, Body::from(text)))
}

fn respond(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    response
}

fn answer(status: StatusCode, body: &Value) -> Response {
    respond(status, "application/json; charset=utf-8", Body::from(body.to_string()))
}

fn refuse(status: StatusCode, why: &str) -> Response {
    answer(status, &json!({ "ok": false, "error": why }))
}

/// `GET /page/state?as=U0ANA`: the clock, the people, what this person sees, the network.
async fn show_state(State(page): State<PageState>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let viewer = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "as");
    let viewer = viewer.map(|(_, value)| value.into_owned()).unwrap_or_default();
    // Opened here, so that a person can write to Ajar before Ajar writes first.
    let Some(own) = page.slack.direct_messages(&viewer) else {
        return refuse(StatusCode::NOT_FOUND, "nobody with this id is in the workspace");
    };
    let network = tokio::task::spawn_blocking({
        let network = page.network.clone();
        move || network()
    });
    let Ok(mut network) = network.await else {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "the network could not be read");
    };
    let listed = (page.listed)().await;
    for machine in network["machines"].as_array_mut().into_iter().flatten() {
        let key = machine["resource_id"].as_str().unwrap_or_default().to_ascii_lowercase();
        machine["listed"] = listed.get(&key).cloned().unwrap_or_default();
    }
    answer(
        StatusCode::OK,
        &json!({
            "now_ms": (page.now_ms)(),
            "people": people(),
            "app": { "id": world::BOT_USER_ID, "name": "Ajar" },
            "groups": [{ "id": world::GROUP_ID, "handle": "oncall" }],
            "as": viewer,
            "own_messages": own,
            "chat": page.slack.state(&viewer),
            "network": network,
        }),
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    r#as: String,
    channel: String,
    text: String,
}

/// `POST /page/command`: the person sends what stands in the composer, a command or a message.
async fn command(State(page): State<PageState>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let typed: Typed = match read(&headers, &body) {
        Ok(typed) => typed,
        Err((status, why)) => return refuse(status, &why),
    };
    let text = typed.text.trim();
    if text.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, "there is nothing to send");
    }
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if word != world::COMMAND {
        if word.starts_with('/') {
            let why = format!("{word} is not a command here. Try {}.", world::COMMAND);
            return refuse(StatusCode::BAD_REQUEST, &why);
        }
        return match page.slack.say(&typed.r#as, &typed.channel, text) {
            Ok(()) => answer(StatusCode::OK, &json!({ "ok": true })),
            Err(why) => refuse(StatusCode::CONFLICT, &why.to_string()),
        };
    }
    match page.slack.command(&typed.r#as, &typed.channel, rest).await {
        Ok(outcome) => {
            answer(StatusCode::OK, &json!({ "ok": outcome.error.is_none(), "error": outcome.error }))
        }
        Err(why) => refuse(StatusCode::CONFLICT, &why.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clicked {
    r#as: String,
    channel: String,
    ts: String,
    block_id: String,
    action_id: String,
}

/// `POST /page/click`: the person clicks a button of a message.
async fn click(State(page): State<PageState>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let clicked: Clicked = match read(&headers, &body) {
        Ok(clicked) => clicked,
        Err((status, why)) => return refuse(status, &why),
    };
    let Clicked { r#as, channel, ts, block_id, action_id } = &clicked;
    match page.slack.click(r#as, channel, ts, block_id, action_id).await {
        Ok(outcome) => {
            answer(StatusCode::OK, &json!({ "ok": outcome.error.is_none(), "error": outcome.error }))
        }
        Err(why) => refuse(StatusCode::CONFLICT, &why.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    r#as: String,
    channel: String,
    ts: String,
    block_id: String,
    action_id: String,
    /// As in `state.values`: what is chosen now.
    state: Value,
}

/// `POST /page/choose`: the person ticks or unticks a box of a message.
async fn choose(State(page): State<PageState>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let chosen: Chosen = match read(&headers, &body) {
        Ok(chosen) => chosen,
        Err((status, why)) => return refuse(status, &why),
    };
    let Chosen { r#as, channel, ts, block_id, action_id, state } = &chosen;
    match page.slack.choose(r#as, channel, ts, block_id, action_id, state).await {
        Ok(outcome) => {
            answer(StatusCode::OK, &json!({ "ok": outcome.error.is_none(), "error": outcome.error }))
        }
        Err(why) => refuse(StatusCode::CONFLICT, &why.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submitted {
    r#as: String,
    /// As `state.values`: what the person has changed.
    values: BTreeMap<String, BTreeMap<String, Value>>,
}

/// `POST /page/view/submit`: the person submits the modal. What is wrong with what was entered, by
/// Slack's own rules or the app's, comes back as `errors`: a text for each block.
async fn submit_view(State(page): State<PageState>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let Submitted { r#as, values } = match read(&headers, &body) {
        Ok(submitted) => submitted,
        Err((status, why)) => return refuse(status, &why),
    };
    let (error, errors) = match page.slack.submit_view(&r#as, &json!(values)).await {
        Ok(outcome) => (outcome.error, outcome.errors),
        Err(NotSubmitted::NotPossible(why)) => return refuse(StatusCode::CONFLICT, &why.to_string()),
        Err(NotSubmitted::Fields(problems)) => {
            let errors = problems.into_iter().map(|problem| (problem.block_id, problem.why.to_string()));
            (None, errors.collect())
        }
    };
    let ok = error.is_none() && errors.is_empty();
    answer(StatusCode::OK, &json!({ "ok": ok, "error": error, "errors": errors }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Closed {
    r#as: String,
}

/// `POST /page/view/close`: the person closes the view in front.
async fn close_view(State(page): State<PageState>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let closed: Closed = match read(&headers, &body) {
        Ok(closed) => closed,
        Err((status, why)) => return refuse(status, &why),
    };
    match page.slack.close_view(&closed.r#as).await {
        Ok(_) => answer(StatusCode::OK, &json!({ "ok": true, "error": null })),
        Err(why) => refuse(StatusCode::CONFLICT, &why.to_string()),
    }
}

/// Reads a JSON body. Another content type is refused because a form of another site can send it
/// without asking the browser's permission.
fn read<T: serde::de::DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, (StatusCode, String)> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}
