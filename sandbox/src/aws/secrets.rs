//! Secrets Manager's `GetSecretValue`.

use super::{ACCOUNT, Callers, REGION, Unknown, caller, json as answer};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// AWS's JSON protocol 1.1.
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Far more than a call needs.
const MAX_BODY: usize = 64 * 1024;

/// The secrets by name, and who may read them. Clones share the values.
#[derive(Clone, Default)]
pub struct Secrets {
    values: Arc<Mutex<BTreeMap<String, String>>>,
    callers: Callers,
}

impl Secrets {
    /// These secret strings by name, and who may call.
    pub fn new(values: BTreeMap<String, String>, callers: Callers) -> Self {
        Self { values: Arc::new(Mutex::new(values)), callers }
    }

    /// The secret string of this name from now on.
    pub fn set(&self, name: &str, value: String) {
        self.values().insert(name.to_owned(), value);
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
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
        if target(headers) != "secretsmanager.GetSecretValue" {
            return refuse("UnknownOperationException", "");
        }
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(id) = request.get("SecretId").and_then(Value::as_str) else {
            return refuse("InvalidParameterException", "You must provide a value for SecretId.");
        };
        let name = self.name_of(id);
        let arn = arn(&name);
        if !caller.may_read.contains(&name) {
            let role = &caller.role;
            let message = format!(
                "User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{role} is not authorized to perform: \
                 secretsmanager:GetSecretValue on resource: {id} because no identity-based policy allows \
                 the secretsmanager:GetSecretValue action"
            );
            return refuse("AccessDeniedException", &message);
        }
        match self.values().get(&name) {
            Some(value) => {
                let body = json!({
                    "ARN": arn,
                    "Name": name,
                    "SecretString": value,
                    "VersionId": "00000000-0000-4000-8000-000000000001",
                    "VersionStages": ["AWSCURRENT"],
                });
                answer(StatusCode::OK, CONTENT_TYPE, &body)
            }
            None => refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
        }
    }

    /// A secret may be asked for by name or by ARN.
    fn name_of(&self, id: &str) -> String {
        self.values().keys().find(|name| arn(name) == id).cloned().unwrap_or_else(|| id.to_owned())
    }
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
