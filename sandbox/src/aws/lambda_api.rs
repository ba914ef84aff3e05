//! Lambda's Invoke API, for a function that starts another one through the AWS SDK.

use super::lambda::{Failure, Lambda};
use super::{ACCOUNT, Callers, Unknown, caller, function_arn, json as answer};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

/// A synchronous payload is at most 6 MB.
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
/// An asynchronous payload is at most 1 MB.
const MAX_EVENT_PAYLOAD: usize = 1024 * 1024;

/// `POST /2015-03-31/functions/{name}/invocations`.
pub fn router(lambda: Lambda, callers: Callers) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::max(MAX_PAYLOAD))
        .with_state((lambda, callers))
}

fn error(status: StatusCode, kind: &'static str, body: &Value) -> Response {
    let mut response = answer(status, "application/json", body);
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    response
}

async fn invoke(
    State((lambda, callers)): State<(Lambda, Callers)>,
    Path(name): Path<String>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response {
    // A function may be named by its ARN, with or without a qualifier.
    let unqualified = name.strip_suffix(":$LATEST").unwrap_or(&name);
    let short = unqualified.rsplit(":function:").next().unwrap_or_default();
    let arn = function_arn(short);
    let caller = match caller(&callers, &headers) {
        Ok(caller) => caller,
        Err(Unknown::Unsigned) => {
            let body = json!({"message": "Missing Authentication Token"});
            return error(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", &body);
        }
        Err(Unknown::Key) => {
            let body = json!({"message": "The security token included in the request is invalid."});
            return error(StatusCode::FORBIDDEN, "UnrecognizedClientException", &body);
        }
    };
    if !caller.may_invoke.iter().any(|function| function == short) {
        let role = &caller.role;
        let message = format!(
            "User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{role} is not authorized to perform: \
             lambda:InvokeFunction on resource: {arn} because no identity-based policy allows the \
             lambda:InvokeFunction action"
        );
        return error(StatusCode::FORBIDDEN, "AccessDeniedException", &json!({ "Message": message }));
    }
    if !lambda.has(short) {
        let body = json!({"Type": "User", "Message": format!("Function not found: {arn}")});
        return error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &body);
    }
    let event = match payload.is_empty() {
        true => Ok(json!({})),
        false => serde_json::from_slice(&payload),
    };
    let Ok(event) = event else {
        let message = "Could not parse request body into json";
        let body = json!({"Type": "User", "message": message});
        return error(StatusCode::BAD_REQUEST, "InvalidRequestContentException", &body);
    };
    let kind = headers.get("x-amz-invocation-type").and_then(|kind| kind.to_str().ok());
    let mut response = match kind.unwrap_or("RequestResponse") {
        "Event" if payload.len() > MAX_EVENT_PAYLOAD => {
            let body = json!({"Type": "User", "message": "Request must be smaller than 1048576 bytes"});
            error(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", &body)
        }
        "Event" => match lambda.start(short, event) {
            Ok(_) => empty(StatusCode::ACCEPTED),
            Err(failure) => failed(&failure),
        },
        "DryRun" => empty(StatusCode::NO_CONTENT),
        "RequestResponse" => match lambda.invoke(short, event).await {
            Ok(result) => answer(StatusCode::OK, "application/json", &result),
            Err(failure) => failed(&failure),
        },
        other => {
            let message = format!(
                "1 validation error detected: Value '{other}' at 'invocationType' failed to satisfy \
                 constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
            );
            error(StatusCode::BAD_REQUEST, "ValidationException", &json!({ "message": message }))
        }
    };
    response.headers_mut().insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A failed invocation is a successful call: 200 and the failure as payload.
fn failed(failure: &Failure) -> Response {
    let mut response = answer(StatusCode::OK, "application/json", &failure.payload());
    response.headers_mut().insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    response
}
