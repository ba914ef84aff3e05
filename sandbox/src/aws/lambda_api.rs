//! Lambda's Invoke API, for a function that starts another one through the AWS SDK, and what an operator asks of a
//! function's configuration.

use super::lambda::{Failure, Lambda};
use super::{ACCOUNT, Callers, Unknown, caller, function_arn, json as answer};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

/// A synchronous payload is at most 6 MB.
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
/// An asynchronous payload is at most 1 MB.
const MAX_EVENT_PAYLOAD: usize = 1024 * 1024;

/// `POST /2015-03-31/functions/{name}/invocations` and `GET /2015-03-31/functions/{name}/configuration`.
pub fn router(lambda: Lambda, callers: Callers) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .route("/2015-03-31/functions/{name}/configuration", get(configuration))
        .layer(DefaultBodyLimit::max(MAX_PAYLOAD))
        .with_state((lambda, callers))
}

fn error(status: StatusCode, kind: &'static str, body: &Value) -> Response {
    let mut response = answer(status, "application/json", body);
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    response
}

/// The function's name and ARN, where the caller may do this; a function may be named by its ARN, with or without a qualifier.
fn admit(
    callers: &Callers,
    headers: &HeaderMap,
    name: &str,
    action: &str,
) -> Result<(String, String), Box<Response>> {
    let unqualified = name.strip_suffix(":$LATEST").unwrap_or(name);
    let short = unqualified.rsplit(":function:").next().unwrap_or_default();
    let arn = function_arn(short);
    let refused = |kind, message: &str| {
        Box::new(error(StatusCode::FORBIDDEN, kind, &json!({ "message": message, "Message": message })))
    };
    let caller = caller(callers, headers).map_err(|unknown| match unknown {
        Unknown::Unsigned => refused("MissingAuthenticationTokenException", "Missing Authentication Token"),
        Unknown::Key => {
            refused("UnrecognizedClientException", "The security token included in the request is invalid.")
        }
    })?;
    let may = match action {
        "InvokeFunction" => caller.may_invoke.iter().any(|function| function == short),
        _ => caller.operates,
    };
    if !may {
        let role = &caller.role;
        let message = format!(
            "User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{role} is not authorized to perform: \
             lambda:{action} on resource: {arn} because no identity-based policy allows the \
             lambda:{action} action"
        );
        return Err(refused("AccessDeniedException", &message));
    }
    Ok((short.to_owned(), arn))
}

fn no_such_function(arn: &str) -> Response {
    let body = json!({"Type": "User", "Message": format!("Function not found: {arn}")});
    error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &body)
}

async fn configuration(
    State((lambda, callers)): State<(Lambda, Callers)>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (short, arn) = match admit(&callers, &headers, &name, "GetFunctionConfiguration") {
        Ok(named) => named,
        Err(refusal) => return *refusal,
    };
    if !lambda.has(&short) {
        return no_such_function(&arn);
    }
    let body = json!({
        "FunctionName": short, "FunctionArn": arn, "Runtime": "provided.al2023", "Handler": "bootstrap",
        "Role": format!("arn:aws:iam::{ACCOUNT}:role/ajar/ajar-{short}"),
        "State": "Active", "LastUpdateStatus": "Successful", "PackageType": "Zip", "Version": "$LATEST",
    });
    answer(StatusCode::OK, "application/json", &body)
}

async fn invoke(
    State((lambda, callers)): State<(Lambda, Callers)>,
    Path(name): Path<String>,
    headers: HeaderMap,
    payload: Bytes,
) -> Response {
    let (short, arn) = match admit(&callers, &headers, &name, "InvokeFunction") {
        Ok(named) => named,
        Err(refusal) => return *refusal,
    };
    let short = short.as_str();
    if !lambda.has(short) {
        return no_such_function(&arn);
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
