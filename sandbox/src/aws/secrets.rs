//! Secrets Manager's `GetSecretValue` and `PutSecretValue`.

use super::{ACCOUNT, Callers, REGION, Unknown, caller, json as answer};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// AWS's JSON protocol 1.1.
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Far more than a call needs.
const MAX_BODY: usize = 64 * 1024;

/// The secrets by name, and who may read them. Clones share them.
#[derive(Clone, Default)]
pub struct Secrets {
    values: Arc<Mutex<BTreeMap<String, Secret>>>,
    callers: Callers,
}

/// The current version of a secret.
#[derive(Clone, Default)]
struct Secret {
    text: String,
    version: u32,
    created_at: u64,
}

impl Secret {
    fn version_id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.version)
    }
}

impl Secrets {
    /// These secret strings by name, for these callers.
    pub fn new(values: BTreeMap<String, String>, callers: Callers) -> Self {
        let secrets = Self { values: Arc::default(), callers };
        values.into_iter().for_each(|(name, text)| secrets.set(&name, text));
        secrets
    }

    /// The current value of a secret.
    pub fn value(&self, name: &str) -> Option<String> {
        self.held().get(name).map(|secret| secret.text.clone())
    }

    /// The secret string of this name from now on.
    pub fn set(&self, name: &str, value: String) {
        put(self.held().entry(name.to_owned()).or_default(), value);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call is for Secrets Manager, by its `X-Amz-Target`.
    pub fn is_called(headers: &HeaderMap) -> bool {
        target(headers).starts_with("secretsmanager.")
    }

    /// Answers a call of AWS's JSON protocol.
    pub async fn call(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        match axum::body::to_bytes(body, MAX_BODY).await {
            Ok(body) => self.answer(&head.headers, &body),
            Err(_) => refuse("SerializationException", ""),
        }
    }

    fn answer(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        let caller = match caller(&self.callers, headers) {
            Ok(caller) => caller,
            Err(Unknown::Unsigned) => {
                return refuse("MissingAuthenticationTokenException", "Missing Authentication Token");
            }
            Err(Unknown::Key) => {
                let message = "The security token included in the request is invalid.";
                return refuse("UnrecognizedClientException", message);
            }
        };
        let operation = match target(headers) {
            "secretsmanager.GetSecretValue" => "GetSecretValue",
            "secretsmanager.PutSecretValue" => "PutSecretValue",
            _ => return refuse("UnknownOperationException", ""),
        };
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(id) = request.get("SecretId").and_then(Value::as_str) else {
            return refuse("InvalidParameterException", "You must provide a value for SecretId.");
        };
        let mut held = self.held();
        // A secret may be asked for by name or by ARN.
        let name = held.keys().find(|name| arn(name) == id).map_or(id, String::as_str).to_owned();
        let may = caller.may_read.contains(&name) && (operation == "GetSecretValue" || caller.operates);
        if !may {
            let role = &caller.role;
            let message = format!(
                "User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{role} is not authorized to perform: \
                 secretsmanager:{operation} on resource: {id} because no identity-based policy allows \
                 the secretsmanager:{operation} action"
            );
            return refuse("AccessDeniedException", &message);
        }
        let Some(secret) = held.get_mut(&name) else {
            return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
        };
        if operation == "PutSecretValue" {
            let Some(text) = request.get("SecretString").and_then(Value::as_str) else {
                let message = "You must provide either SecretString or SecretBinary.";
                return refuse("InvalidParameterException", message);
            };
            put(secret, text.to_owned());
        }
        let mut body = json!({
            "ARN": arn(&name), "Name": name, "VersionId": secret.version_id(), "VersionStages": ["AWSCURRENT"],
        });
        if operation == "GetSecretValue" {
            body["SecretString"] = json!(secret.text);
            body["CreatedDate"] = json!(secret.created_at);
        }
        answer(StatusCode::OK, CONTENT_TYPE, &body)
    }
}

/// Makes a new version.
fn put(secret: &mut Secret, text: String) {
    *secret = Secret { text, version: secret.version + 1, created_at: real_seconds() };
}

/// When a version was made is told by AWS's clock, whatever the sandbox's says.
#[expect(clippy::disallowed_methods, reason = "AWS's clock is the real one")]
fn real_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The ARN of a secret; AWS appends six characters of its own.
fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-a1B2c3")
}

fn target(headers: &HeaderMap) -> &str {
    headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refuse(kind: &str, message: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, CONTENT_TYPE, &json!({"__type": kind, "Message": message}))
}
