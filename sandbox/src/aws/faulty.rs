//! Carries out a call the way an ordered fault says.

use crate::faults::How;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::stream;
use std::future::Future;
use std::io;
use std::time::Duration;

/// Carries out `call` as `how` says; as usual without an order.
pub(crate) async fn carry_out<F>(how: Option<How>, call: F) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    match how {
        None | Some(How::OperationEnds { .. }) => call.await,
        Some(How::Answer { status, headers, body }) => answer(status, &headers, &body),
        Some(How::CutBefore | How::CrashBefore { .. }) => cut(),
        Some(How::CutAfter | How::CrashAfter { .. }) => {
            call.await;
            cut()
        }
        Some(How::Late { milliseconds }) => {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                call.await;
            });
            cut()
        }
        Some(How::Slow { milliseconds }) => {
            let response = call.await;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            response
        }
    }
}

/// A response that the server cannot send: its body fails before the first byte left, so that the
/// connection is closed and the caller learns nothing.
fn cut() -> Response {
    let error = io::Error::new(io::ErrorKind::ConnectionReset, "cut by an ordered fault");
    Response::new(Body::from_stream(stream::iter([Err::<Vec<u8>, _>(error)])))
}

fn answer(
    status: u16,
    headers: &std::collections::BTreeMap<String, String>,
    body: &serde_json::Value,
) -> Response {
    let text = match body {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        json => json.to_string(),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
