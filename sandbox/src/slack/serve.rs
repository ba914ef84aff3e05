//! The HTTP side of the simulator: reading bodies, ordered failures, answers.

use super::{Slack, hooks, methods};
use crate::faults::{How, Part};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// More than any message or view: the biggest thing Slack takes is a view of 250 kB.
const BODY_LIMIT: usize = 1_000_000;

/// What a call is answered with.
pub(super) struct Answer {
    pub status: StatusCode,
    pub retry_after_s: Option<u64>,
    pub body: Value,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, retry_after_s: None, body }
    }
}

pub(super) fn router(slack: &Slack) -> Router {
    Router::new().fallback(handle).with_state(slack.clone())
}

async fn handle(State(slack): State<Slack>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return answer(Answer {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            retry_after_s: None,
            body: json!({ "ok": false, "error": "request_entity_too_large" }),
        });
    };
    let path = parts.uri.path().to_owned();
    let fault = slack.0.options.faults.take(Part::Slack, parts.method.as_str(), &path);
    let scopes = path.starts_with("/api/").then(|| slack.0.options.scopes.join(","));
    let answer = |given: Answer| with_scopes(answer(given), scopes.as_deref());
    let carry_out = move || dispatch(&slack, &parts.method, &path, &parts.headers, &body);
    match fault {
        // Only ARM has asynchronous operations.
        None | Some(How::OperationEnds { .. }) => answer(carry_out()),
        Some(How::Answer { status, headers, body }) => ordered(status, &headers, &body),
        Some(How::CutBefore | How::CrashBefore { .. }) => cut(),
        Some(How::CutAfter | How::CrashAfter { .. }) => {
            carry_out();
            cut()
        }
        Some(How::Late { milliseconds }) => {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                carry_out();
            });
            cut()
        }
        Some(How::Slow { milliseconds }) => {
            let result = carry_out();
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            answer(result)
        }
    }
}

/// Each answer of the Web API says what the token may do.
fn with_scopes(mut response: Response, scopes: Option<&str>) -> Response {
    if let Some(scopes) = scopes.and_then(|scopes| HeaderValue::from_str(scopes).ok()) {
        response.headers_mut().insert("x-oauth-scopes", scopes);
    }
    response
}

/// Ends the connection without an answer: the server drops a connection whose handler unwinds. This
/// way of unwinding prints nothing.
fn cut() -> ! {
    std::panic::resume_unwind(Box::new("the connection is cut, as ordered"))
}

fn dispatch(
    slack: &Slack,
    method: &axum::http::Method,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let not_found = Answer {
        status: StatusCode::NOT_FOUND,
        retry_after_s: None,
        body: json!("no such page in this Slack"),
    };
    if let Some(name) = path.strip_prefix("/api/") {
        if method != axum::http::Method::POST {
            return Answer { status: StatusCode::METHOD_NOT_ALLOWED, ..not_found };
        }
        return methods::call(&slack.0, name, headers, body);
    }
    if path.starts_with("/commands/") || path.starts_with("/actions/") {
        if method != axum::http::Method::POST {
            return Answer { status: StatusCode::METHOD_NOT_ALLOWED, ..not_found };
        }
        return hooks::call(&slack.0, path, headers, body);
    }
    not_found
}

fn answer(answer: Answer) -> Response {
    // The answer to a response_url is the bare word `ok`; everything else is JSON.
    let (kind, body) = match answer.body {
        Value::String(text) => ("text/html", text),
        json => ("application/json; charset=utf-8", json.to_string()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = answer.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = answer.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn ordered(status: u16, headers: &std::collections::BTreeMap<String, String>, body: &Value) -> Response {
    let mut response = answer(Answer {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        retry_after_s: None,
        body: if body.is_null() { json!("") } else { body.clone() },
    });
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The arguments of a call.
pub(super) struct Arguments(pub Value);

impl Arguments {
    /// Reads the body as its content type says.
    ///
    /// # Errors
    ///
    /// Slack's name for what is wrong with it (docs.slack.dev, apis/web-api).
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, &'static str> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/json" if body.is_empty() => Ok(Self(json!({}))),
            "application/json" => match serde_json::from_slice(body) {
                Ok(Value::Object(arguments)) => Ok(Self(Value::Object(arguments))),
                Ok(_) => Err("json_not_object"),
                Err(_) => Err("invalid_json"),
            },
            "application/x-www-form-urlencoded" => {
                let pairs = form_urlencoded::parse(body);
                Ok(Self(Value::Object(
                    pairs.map(|(name, value)| (name.into_owned(), json!(value))).collect::<Map<_, _>>(),
                )))
            }
            "" if body.is_empty() => Ok(Self(json!({}))),
            "" => Err("missing_post_type"),
            _ => Err("invalid_post_type"),
        }
    }

    /// A string; absent and empty are the same, as everywhere in Slack's API. A number is taken as
    /// its digits.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A flag: `true`, `"true"` or `1`.
    pub(super) fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text == "true" || text == "1",
            Some(Value::Number(number)) => number.as_u64() == Some(1),
            _ => false,
        }
    }

    /// A value that a form carries as JSON text; `Err` when that text is not JSON.
    pub(super) fn json(&self, name: &str) -> Result<Option<Value>, ()> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(drop),
            Some(value) => Ok(Some(value.clone())),
        }
    }
}
