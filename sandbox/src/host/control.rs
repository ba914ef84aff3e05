//! What drives the sandbox from outside: `/sandbox.json`, messages, clock and faults.

use super::time::Time;
use super::{Addresses, CLIENTS};
use crate::aws::dynamodb::Dynamodb;
use crate::aws::json as answer;
use crate::aws::mapping::DeadLetters;
use crate::faults::{Fault, Faults, How, Part};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The clock moves at most 7 days at once.
const LONGEST_ADVANCE_SECONDS: u64 = 7 * 86_400;

/// Answers a question about a part as JSON.
pub type Tell = Arc<dyn Fn() -> Value + Send + Sync>;

pub(super) struct Control {
    pub(super) time: Arc<Time>,
    pub(super) faults: Faults,
    pub(super) dynamodb: Dynamodb,
    pub(super) dead_letters: DeadLetters,
    pub(super) addresses: Addresses,
    pub(super) info: Tell,
    pub(super) messages: Tell,
    pub(super) orders: Router,
    pub(super) real_azure: bool,
}

impl Control {
    pub(super) fn router(mut self) -> Router {
        let orders = std::mem::take(&mut self.orders);
        Router::new()
            .route("/sandbox.json", get(sandbox_json))
            .route("/sandbox/messages", get(messages))
            .route("/sandbox/dead-letters", get(dead_letters))
            .route("/sandbox/clock", post(move_clock))
            .route("/sandbox/faults", post(order_fault).delete(clear_faults))
            .with_state(Arc::new(self))
            .merge(orders)
            .layer(middleware::from_fn(only_from_here))
    }
}

fn ok(body: &Value) -> Response {
    answer(StatusCode::OK, "application/json", body)
}

fn refuse(status: StatusCode, sentence: impl std::fmt::Display) -> Response {
    answer(status, "application/json", &json!({"error": sentence.to_string()}))
}

/// A page of the Internet that a browser on this machine shows must not drive the sandbox: neither
/// under a name of its own that resolves to loopback, nor by a form.
async fn only_from_here(request: Request, next: Next) -> Response {
    let header = |headers: &HeaderMap, name| {
        headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned())
    };
    let host = header(request.headers(), header::HOST);
    let origin = header(request.headers(), header::ORIGIN);
    let host_is_local = host.is_none_or(|host| is_loopback(&host));
    let origin_is_local =
        origin.is_none_or(|origin| origin.split_once("://").is_some_and(|(_, host)| is_loopback(host)));
    if host_is_local && origin_is_local {
        next.run(request).await
    } else {
        refuse(
            StatusCode::FORBIDDEN,
            "The sandbox is driven only from this machine, as 127.0.0.1 or localhost.",
        )
    }
}

/// Whether `host[:port]` names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].contains(&name)
}

async fn sandbox_json(State(control): State<Arc<Control>>) -> Response {
    let clients: BTreeMap<_, _> = CLIENTS.into_iter().collect();
    let mut body = json!({
        "clients": clients,
        "now": control.time.clock.now(),
        "slack_command_url": format!("{}/slack/command", control.addresses.page_url()),
        "slack_interaction_url": format!("{}/slack/interaction", control.addresses.page_url()),
        "arm_url": control.addresses.arm_url(),
        "slack_api_url": control.addresses.slack_api_url(),
        "entra_url": control.addresses.entra_url(),
        "sts_url": control.addresses.entra_url(),
        "dynamodb_url": control.addresses.aws_url(),
        "table": control.dynamodb.table(),
    });
    if let (Some(body), Value::Object(parts)) = (body.as_object_mut(), (control.info)()) {
        body.extend(parts);
    }
    ok(&body)
}

async fn messages(State(control): State<Arc<Control>>) -> Response {
    ok(&(control.messages)())
}

async fn dead_letters(State(control): State<Arc<Control>>) -> Response {
    ok(&json!(control.dead_letters.all()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    advance_seconds: Option<u64>,
    to_next_end: Option<bool>,
}

async fn move_clock(State(control): State<Arc<Control>>, body: Bytes) -> Response {
    const REAL: &str = "Azure is the real one here, and its minutes are real: the clock cannot be moved. Ctrl-C shuts what is open.";
    if control.real_azure {
        return refuse(StatusCode::CONFLICT, REAL);
    }
    const USAGE: &str =
        "Send {\"advance_seconds\": 60} with 1 to 604800 seconds, or {\"to_next_end\": true}.";
    let seconds = match serde_json::from_slice(&body) {
        Ok(Move { advance_seconds: Some(seconds), to_next_end: None })
            if (1..=LONGEST_ADVANCE_SECONDS).contains(&seconds) =>
        {
            Some(seconds)
        }
        Ok(Move { advance_seconds: None, to_next_end: Some(true) }) => None,
        _ => return refuse(StatusCode::BAD_REQUEST, USAGE),
    };
    // A task of its own: the clock must not stop half-way when the caller goes away.
    let moved = tokio::spawn(async move {
        let time = &control.time;
        match seconds {
            Some(seconds) => time.advance_to(|now_ms| now_ms + seconds * 1000).await.map_err(failed)?,
            None => {
                let end = control.dynamodb.next_end(&time.clock).await.map_err(failed)?;
                let Some(end) = end else {
                    let sentence = "Nothing is open that will end.";
                    return Err(refuse(StatusCode::CONFLICT, sentence));
                };
                time.advance_to(|_| (end + 1) * 1000).await.map_err(failed)?;
            }
        }
        Ok(ok(&json!({"now": time.clock.now()})))
    });
    match moved.await {
        Ok(Ok(response) | Err(response)) => response,
        Err(error) => failed(error),
    }
}

fn failed(error: impl std::fmt::Display) -> Response {
    refuse(StatusCode::INTERNAL_SERVER_ERROR, error)
}

async fn order_fault(State(control): State<Arc<Control>>, body: Bytes) -> Response {
    let fault: Fault = match serde_json::from_slice(&body) {
        Ok(fault) => fault,
        Err(error) => {
            let sentence = format!(
                "This is not a fault: {error}. Send one like {{\"part\": \"arm\", \"how\": \"cut_before\"}}."
            );
            return refuse(StatusCode::BAD_REQUEST, sentence);
        }
    };
    if fault.count == 0 {
        return refuse(StatusCode::BAD_REQUEST, "count must be 1 or more; leave it out for one call.");
    }
    if let How::Answer { status, .. } = fault.how
        && !(200..=599).contains(&status)
    {
        return refuse(StatusCode::BAD_REQUEST, "status must be from 200 to 599.");
    }
    if matches!(fault.how, How::OperationEnds { .. }) && fault.part != Part::Arm {
        return refuse(StatusCode::BAD_REQUEST, "Only arm has operations that end.");
    }
    if control.real_azure && !matches!(fault.part, Part::Slack | Part::Dynamodb) {
        let sentence = "Azure is the real one here: only slack and dynamodb can be told to fail.";
        return refuse(StatusCode::CONFLICT, sentence);
    }
    let ordered = ok(&json!({"ordered": fault}));
    control.faults.order(fault);
    ordered
}

async fn clear_faults(State(control): State<Arc<Control>>) -> Response {
    control.faults.clear();
    ok(&json!({"ordered": null}))
}
