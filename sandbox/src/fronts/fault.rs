//! What can happen to one call, in the words of the service that is called.

use super::call::Part;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use std::fmt;
use std::io;

/// What happens to a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FaultKind {
    /// The connection is reset before anything was done.
    Refused,
    /// 500, and nothing was done.
    Error500,
    /// Too many requests, without a word about when to come back.
    Throttled,
    /// Too many requests, and when to come back.
    ThrottledWithTime,
    /// No answer until the caller gives up, and nothing was done.
    Timeout,
    /// It was done, and the connection is cut before the answer.
    ReplyLost,
    /// 200 with a page of HTML of somebody else's, and nothing was done.
    Garbage,
    /// The process is killed as it makes the call: nothing was done.
    KilledBefore,
    /// The process is killed when it has made the call: it was done.
    KilledAfter,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::Error500,
        Self::Throttled,
        Self::ThrottledWithTime,
        Self::Timeout,
        Self::ReplyLost,
        Self::Garbage,
        Self::KilledBefore,
        Self::KilledAfter,
    ];
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Error500 => "500",
            Self::Throttled => "429",
            Self::ThrottledWithTime => "429-retry-after",
            Self::Timeout => "timeout",
            Self::ReplyLost => "reply-lost",
            Self::Garbage => "garbage",
            Self::KilledBefore => "killed-before",
            Self::KilledAfter => "killed-after",
        })
    }
}

/// A response that the server cannot send: its body fails before the first byte left, so that the
/// connection is closed and the caller learns nothing.
pub(super) fn cut() -> Response {
    let error = io::Error::new(io::ErrorKind::ConnectionReset, "cut by an ordered fault");
    Response::new(Body::from_stream(futures::stream::iter([Err::<Vec<u8>, _>(error)])))
}

/// What the part says instead of doing what it was asked for.
pub(super) fn answer(kind: FaultKind, part: Part) -> Response {
    match kind {
        FaultKind::Error500 => broken(part),
        FaultKind::Throttled => throttled(part),
        FaultKind::ThrottledWithTime => {
            let mut response = throttled(part);
            // AWS speaks of milliseconds in a header of its own; the others of seconds (RFC 9110).
            let (name, value) =
                if part.is_aws() { ("x-amz-retry-after", "20") } else { ("retry-after", "7") };
            response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            response
        }
        // A proxy's page, as captive portals and load balancers send it.
        _ => of(200, "text/html", "<html><body>Please stand by.</body></html>"),
    }
}

/// A failure of the service's own: for Azure as `shared/azure/errors.json` has it, for AWS as the common
/// errors of each service's API reference.
fn broken(part: Part) -> Response {
    match part {
        Part::Arm => of_json(
            500,
            &json!({"error": {"code": "InternalServerError", "message": "An error occurred.", "details": []}}),
        ),
        Part::Entra => of_json(500, &json!({"error": "server_error", "error_description": "AADSTS90033"})),
        Part::Dynamodb => of_aws(500, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
        Part::Secrets => of_aws(500, "InternalServiceError"),
        Part::S3 => of_s3(500, "InternalError"),
        Part::Lambda => of_aws(500, "ServiceException"),
        Part::Sts => of_sts(500, "InternalFailure"),
        Part::Slack => of_json(500, &json!({"ok": false, "error": "internal_error"})),
    }
}

/// Too many requests. AWS's JSON and query services say so with 400, everybody else with 429.
fn throttled(part: Part) -> Response {
    match part {
        Part::Arm => of_json(
            429,
            &json!({"error": {"code": "TooManyRequests", "message": "The request is being throttled."}}),
        ),
        Part::Entra => {
            of_json(429, &json!({"error": "temporarily_unavailable", "error_description": "AADSTS90055"}))
        }
        Part::Dynamodb => of_aws(400, "com.amazon.coral.availability#ThrottlingException"),
        Part::Secrets => of_aws(400, "ThrottlingException"),
        Part::S3 => of_s3(503, "SlowDown"),
        Part::Lambda => of_aws(429, "TooManyRequestsException"),
        Part::Sts => of_sts(400, "Throttling"),
        Part::Slack => of_json(429, &json!({"ok": false, "error": "ratelimited"})),
    }
}

fn of(status: u16, content_type: &'static str, body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn of_json(status: u16, body: &Value) -> Response {
    of(status, "application/json; charset=utf-8", &body.to_string())
}

/// AWS's JSON protocols; Lambda names the error in a header, the others in the body.
fn of_aws(status: u16, kind: &'static str) -> Response {
    let body = json!({"__type": kind, "message": "Rate exceeded or broken, as ordered."});
    let mut response = of(status, "application/x-amz-json-1.0", &body.to_string());
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    response
}

/// S3's errors.
fn of_s3(status: u16, code: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>As ordered.</Message></Error>");
    of(status, "application/xml", &body)
}

/// AWS's query protocol.
fn of_sts(status: u16, code: &str) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Receiver</Type><Code>{code}</Code><Message>As ordered.</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    of(status, "text/xml", &body)
}
