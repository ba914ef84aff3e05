//! One log line per failure, as JSON, at the boundary where it is handled. Never logged: bodies,
//! headers, tokens, justifications, signed addresses.

use crate::config::ConfigError;
use access::build::Build;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What this was built from. The commit is that of a release; who builds by hand has none.
pub const BUILD: Build = Build { version: env!("CARGO_PKG_VERSION"), commit: option_env!("AJAR_COMMIT") };

/// Sends log lines to standard output, where Lambda collects them. Called once by a function's main.
pub fn init() {
    tracing_subscriber::fmt()
        .fmt_fields(JsonFields::new())
        .event_format(Stamped(Format::default().json().flatten_event(true).with_current_span(false)))
        .with_max_level(tracing::Level::INFO)
        .init();
}

/// JSON lines that say first which build wrote them.
struct Stamped(Format<Json>);

impl<S, N> FormatEvent<S, N> for Stamped
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let Build { version, commit } = BUILD;
        let fields = line.strip_prefix('{').unwrap_or(&line);
        write!(writer, r#"{{"version":"{version}","commit":"{}",{fields}"#, commit.unwrap_or_default())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_line_says_which_build_wrote_it() {
        let lines = Lines::default();
        let (kept, format) = (lines.clone(), Format::default().json().flatten_event(true));
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .event_format(Stamped(format.with_current_span(false)))
            .with_writer(move || kept.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(request = "7F3K9-QXM2P", "driven");
            tracing::warn!("a \"quoted\" word");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let read: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.len(), 2, "{text}");
        for line in &read {
            assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
            assert_eq!(line["commit"], option_env!("AJAR_COMMIT").unwrap_or_default());
        }
        assert_eq!(read[0]["request"], "7F3K9-QXM2P");
        assert_eq!(read[1]["message"], "a \"quoted\" word");
    }
}
