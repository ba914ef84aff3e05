//! What goes over the wire: replies, broken connections, and faults that are ordered for a call.

use super::record;
use crate::faults::{Faults, How, Part};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Requests larger than this are cut; a network security group with 1,000 rules is about 1 MB.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// A request, read whole.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// The value of a header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A query parameter, by its name without case.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    /// The fields of a form body, in order.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// `http://` and the address that the caller used for this server.
    pub(super) fn base_url(&self) -> String {
        format!("http://{}", self.header("host").unwrap_or("127.0.0.1"))
    }
}

/// How the asynchronous operation of a write shall end, when a fault says so.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, Serialize)]
pub(super) struct Ending {
    pub(super) status: String,
    pub(super) code: String,
}

/// Reads the request, carries it out as the ordered fault says, and answers.
///
/// The work runs in a task of its own: a server finishes what it has begun when its caller hangs up.
pub(super) async fn serve<F, R>(faults: &Faults, part: Part, request: Request, carry_out: F) -> Response
where
    F: FnOnce(Call, Option<Ending>) -> R + Send + 'static,
    R: Future<Output = Response> + Send + 'static,
{
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else { return cut() };
    let call = Call { method: head.method, uri: head.uri, headers: head.headers, body };
    let how = faults.take(part, call.method.as_str(), call.uri.path());
    if let (Part::Arm, Some(how), Some(recorder)) = (part, &how, record::recorder())
        && matches!(how, How::Answer { .. } | How::CutBefore | How::CrashBefore { .. })
    {
        recorder.lost(&call, how);
    }
    match how {
        None => run(carry_out(call, None)).await,
        Some(How::Answer { status, headers, body }) => ordered(status, &headers, &body),
        Some(How::CutBefore | How::CrashBefore { .. }) => cut(),
        Some(How::CutAfter | How::CrashAfter { .. }) => {
            run(carry_out(call, None)).await;
            cut()
        }
        Some(How::Late { milliseconds }) => {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                carry_out(call, None).await;
            });
            cut()
        }
        Some(How::Slow { milliseconds }) => {
            let response = run(carry_out(call, None)).await;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            response
        }
        Some(How::OperationEnds { status, code }) => {
            run(carry_out(call, Some(Ending { status, code }))).await
        }
    }
}

async fn run<R>(work: R) -> Response
where
    R: Future<Output = Response> + Send + 'static,
{
    tokio::spawn(work).await.unwrap_or_else(|_| cut())
}

/// A broken connection: not one byte of an answer. hyper asks for the first piece of the body before it
/// flushes the head, and drops the connection when that fails.
pub(super) fn cut() -> Response {
    let broken = futures::stream::once(async {
        Err::<Bytes, _>(std::io::Error::new(
            std::io::ErrorKind::ConnectionReset,
            "the connection was cut on order",
        ))
    });
    Response::new(Body::from_stream(broken))
}

fn ordered(
    status: u16,
    headers: &std::collections::BTreeMap<String, String>,
    body: &serde_json::Value,
) -> Response {
    let mut response = match body {
        serde_json::Value::Null => Response::new(Body::empty()),
        serde_json::Value::String(text) => Response::new(Body::from(text.clone())),
        json => {
            let mut response = Response::new(Body::from(json.to_string()));
            set(&mut response, "content-type", "application/json; charset=utf-8");
            response
        }
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        set(&mut response, name, value);
    }
    response
}

/// Sets a header; one that HTTP forbids is left out.
pub(super) fn set(response: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}

/// A JSON answer; `crlf` prints it over several lines, as ARM did until about 2022.
pub(super) fn json(status: u16, body: &impl Serialize, crlf: bool) -> Response {
    let text = if crlf {
        serde_json::to_string_pretty(body).map(|text| text.replace('\n', "\r\n"))
    } else {
        serde_json::to_string(body)
    };
    let mut response = Response::new(Body::from(text.unwrap_or_default()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut response, "content-type", "application/json; charset=utf-8");
    response
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// `count` random bytes.
pub(super) fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        tracing::error!("the operating system gave no random bytes");
    }
    bytes
}

/// A random GUID, version 4.
pub(super) fn guid() -> String {
    let mut bytes = random(16);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// The machine's own time in milliseconds since the Unix epoch: tokens are timed by it, because the
/// libraries that hold them do so too, whatever the sandbox's clock says.
#[expect(clippy::disallowed_methods, reason = "libraries time tokens by the machine's clock")]
pub(super) fn wall_ms() -> u64 {
    let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(real.as_millis()).unwrap_or(u64::MAX)
}

/// A moment in UTC, split up.
pub(super) struct Moment {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: u64,
    pub(super) minute: u64,
    pub(super) second: u64,
}

impl Moment {
    /// From seconds since the Unix epoch (Howard Hinnant's days-to-civil).
    pub(super) fn from_unix(seconds: u64) -> Self {
        let days = i64::try_from(seconds / 86_400).unwrap_or_default() + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * shifted + 2) / 5 + 1,
            hour: seconds % 86_400 / 3_600,
            minute: seconds % 3_600 / 60,
            second: seconds % 60,
        }
    }

    /// `2022-10-27 23:39:22Z` with a space, or `2022-10-27T23:39:22Z` with a `T`.
    pub(super) fn iso(&self, separator: char) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        format!("{year}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}Z")
    }

    /// `11/24/2025 11:31:00 PM`, as ARM writes times in messages.
    pub(super) fn american(&self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        let half = if *hour < 12 { "AM" } else { "PM" };
        let mut text = format!("{month}/{day}/{year} ");
        let _ = write!(text, "{}:{minute:02}:{second:02} {half}", (hour + 11) % 12 + 1);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_azure_writes_them() {
        let leap = Moment::from_unix(1_709_251_199);
        assert_eq!(leap.iso(' '), "2024-02-29 23:59:59Z");
        assert_eq!(leap.american(), "2/29/2024 11:59:59 PM");
        assert_eq!(Moment::from_unix(0).iso('T'), "1970-01-01T00:00:00Z");
        assert_eq!(Moment::from_unix(1_764_000_000).iso('T'), "2025-11-24T16:00:00Z");
        assert_eq!(Moment::from_unix(0).american(), "1/1/1970 12:00:00 AM");
    }
}
