//! One log line per failure, as JSON, at the boundary where it is handled. Never logged: bodies,
//! headers, tokens, justifications, signed addresses.

use crate::config::ConfigError;

/// Sends log lines to standard output, where Lambda collects them. Called once by a function's main.
pub fn init() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_max_level(tracing::Level::INFO)
        .init();
}

/// An error and what caused it, on one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}

/// A text of somebody else's, without what a terminal would obey.
pub fn plain(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    line.trim().to_owned()
}

/// The one line about a configuration with which a function cannot start, and the error with which it
/// ends. Lambda is told first, so that whoever invokes it hears the reason instead of "exited".
pub async fn refuse_to_start(function: &str, error: &ConfigError) -> lambda_runtime::Error {
    let why = chain(error);
    tracing::error!(function, why, "cannot start");
    // Absent where the binary is started by hand: then there is nobody to tell.
    if let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API")
        && let Err(broken) = init_error(&api, &why).await
    {
        tracing::warn!(broken, "Lambda could not be told");
    }
    why.into()
}

/// `POST /runtime/init/error` (docs.aws.amazon.com, lambda/latest/dg/runtimes-api.html).
async fn init_error(api: &str, why: &str) -> Result<(), String> {
    const KIND: &str = "Runtime.Configuration";
    let client = crate::http::client(crate::http::Limits::DEPLOYED).map_err(|error| chain(&error))?;
    let body = serde_json::json!({"errorMessage": why, "errorType": KIND, "stackTrace": []});
    let post = client
        .post(format!("http://{api}/2018-06-01/runtime/init/error"))
        .header("lambda-runtime-function-error-type", KIND)
        .body(body.to_string());
    let answer = post.send().await.map_err(|error| chain(&error.without_url()))?;
    answer.error_for_status().map(|_| ()).map_err(|error| chain(&error.without_url()))
}
