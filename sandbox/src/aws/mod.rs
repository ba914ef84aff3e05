//! The AWS side of the sandbox: DynamoDB with its stream, Lambda with its triggers, Secrets Manager, S3.

pub mod dynamodb;
mod faulty;
pub mod http_api;
pub mod lambda;
pub mod lambda_api;
pub mod mapping;
pub mod pattern;
mod records;
pub mod runtime_api;
pub mod s3;
pub mod schedule;
pub mod secrets;
pub mod stream;
mod turns;

use access::lease::Timestamp;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use dynamodb::Dynamodb;
use edge::clock::Clock;
use lambda::Lambda;
use s3::Bucket;
use secrets::Secrets;
use serde_json::Value;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// The AWS account of the sandbox.
pub const ACCOUNT: &str = "123456789012";
/// The AWS region of the sandbox.
pub const REGION: &str = "eu-central-1";

/// Somebody who may call Lambda, Secrets Manager and S3, known by an access key id.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The role whose session calls, without path, as AWS names it in a refusal.
    pub role: String,
    /// The functions it may invoke.
    pub may_invoke: Vec<String>,
    /// The secrets it may read.
    pub may_read: Vec<String>,
    /// Whether it may also look at all functions, and write the secrets it may read.
    pub operates: bool,
    /// The buckets it may put objects into.
    pub may_put: Vec<String>,
    /// What it signs with; only S3 looks at it.
    pub secret_access_key: String,
}

/// Who may call, by access key id.
pub type Callers = BTreeMap<String, Caller>;

/// Why a caller is turned away before what it asks for is looked at.
enum Unknown {
    /// No `Authorization` header that AWS would read.
    Unsigned,
    /// An access key that does not exist.
    Key,
}

/// Who calls: the owner of the access key id in the credential scope of a Signature Version 4 header.
/// AWS's own clients sign right, so the signature is recomputed for S3 only, which we call without one.
fn caller<'a>(callers: &'a Callers, headers: &HeaderMap) -> Result<&'a Caller, Unknown> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let scope = header.and_then(|value| value.strip_prefix("AWS4-HMAC-SHA256 ")?.split("Credential=").nth(1));
    let key = scope.and_then(|scope| scope.split('/').next()).ok_or(Unknown::Unsigned)?;
    callers.get(key).ok_or(Unknown::Key)
}

/// One address for all of AWS: Lambda and S3 are known by path, Secrets Manager by target; the rest is DynamoDB's.
pub(crate) fn router(
    dynamodb: &Dynamodb,
    lambda: Lambda,
    callers: Callers,
    secrets: Secrets,
    archive: Bucket,
    clock: Clock,
) -> Router {
    let others = Others { dynamodb: dynamodb.clone(), secrets, archive, callers: callers.clone(), clock };
    let router = Router::new().fallback(by_target).with_state(Arc::new(others));
    router.merge(lambda_api::router(lambda, callers))
}

struct Others {
    dynamodb: Dynamodb,
    secrets: Secrets,
    archive: Bucket,
    callers: Callers,
    clock: Clock,
}

async fn by_target(State(others): State<Arc<Others>>, request: Request) -> Response {
    if Secrets::is_called(request.headers()) {
        others.secrets.call(request).await
    } else if Bucket::is_called(&request) {
        others.archive.call(&others.callers, &others.clock, request).await
    } else {
        others.dynamodb.call(request).await
    }
}

/// A JSON answer of this content type.
pub(crate) fn json(status: StatusCode, content_type: &'static str, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A random identifier in the shape of a version 4 UUID, as AWS gives to requests and events.
pub(crate) fn uuid() -> String {
    let random = || RandomState::new().hash_one(0);
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        0x8000 | low >> 48 & 0x3fff,
        low & 0xffff_ffff_ffff
    )
}

/// A moment as AWS writes it: `2026-03-12T19:03:00Z`.
fn iso(at: Timestamp) -> String {
    at.to_string().replacen(' ', "T", 1).replace(" UTC", "Z")
}

/// The ARN of a function.
pub(crate) fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}
