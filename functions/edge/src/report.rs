//! One log line per failure, as JSON, at the boundary where it is handled. Never logged: bodies,
//! headers, tokens, justifications, signed addresses.

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

/// The one line about a configuration with which a function cannot start, and the error that tells
/// Lambda so.
pub fn refuse_to_start(function: &str, error: &crate::config::ConfigError) -> lambda_runtime::Error {
    let why = chain(error);
    tracing::error!(function, why, "cannot start");
    why.into()
}
