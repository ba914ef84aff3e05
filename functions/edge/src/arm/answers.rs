//! What Azure's answers to a write mean.

use access::drive::Acted;
use azure_core::error::ErrorKind;
use azure_core::http::RawResponse;
use azure_core::http::headers::HeaderName;
use serde::Deserialize;

/// What a refusal says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Refused {
    /// The code of the error.
    pub(super) code: String,
    /// The codes of its details.
    pub(super) details: Vec<String>,
}

#[derive(Deserialize, Default)]
struct ErrorBody {
    #[serde(default)]
    error: ErrorOf,
}

#[derive(Deserialize, Default)]
struct ErrorOf {
    #[serde(default)]
    code: String,
    details: Option<Vec<ErrorOf>>,
}

/// Reads the error of an answer; an unreadable one has the code `unreadable`.
pub(super) fn refused(answer: &RawResponse) -> Refused {
    let body: ErrorBody = serde_json::from_slice(answer.body()).unwrap_or_default();
    let details = body.error.details.unwrap_or_default().into_iter().map(|detail| detail.code).collect();
    let code = if body.error.code.is_empty() { "unreadable".to_owned() } else { body.error.code };
    Refused { code, details }
}

/// What became of a write. Logs a refusal once, with what Azure's support asks for.
pub(super) fn acted(answer: &azure_core::Result<RawResponse>, path: &str, method: &'static str) -> Acted {
    match answer {
        Err(error) => {
            let acted = unanswered(error);
            tracing::warn!(method, path, error = %error, ?acted, "no answer from Azure");
            acted
        }
        Ok(answer) => {
            let status = u16::from(answer.status());
            if (200..300).contains(&status) {
                return Acted::Done;
            }
            let refused = refused(answer);
            let acted = meaning(status, &refused, method == "DELETE");
            let header = HeaderName::from_static("x-ms-correlation-request-id");
            let correlation = answer.headers().get_optional_str(&header).unwrap_or_default();
            tracing::warn!(method, path, status, arm_code = %refused.code, correlation_id = correlation, ?acted, "Azure refused");
            acted
        }
    }
}

/// A call that brought no HTTP answer. Only where nothing can have been sent is it certain that
/// nothing was done.
fn unanswered(error: &azure_core::Error) -> Acted {
    match error.kind() {
        ErrorKind::Connection | ErrorKind::Credential => Acted::Busy,
        _ => Acted::Unknown,
    }
}

/// The decided outcome of every refusal of a write.
fn meaning(status: u16, refused: &Refused, delete: bool) -> Acted {
    let has = |code: &str| refused.code == code || refused.details.iter().any(|detail| detail == code);
    match status {
        404 if delete => Acted::Done,
        400 if has("SecurityRuleConflict") => Acted::Conflict,
        409 if has("ScopeLocked") => Acted::Locked,
        // A token that has just expired, another operation in progress, too many requests: the same
        // again soon.
        401 | 409 | 412 | 429 => Acted::Busy,
        408 | 500.. => Acted::Unknown,
        _ => Acted::Refused(refused.code.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_meaning() {
        let cases = [
            (400, "SecurityRuleConflict", "", false, Acted::Conflict),
            (
                400,
                "SecurityRuleInvalidAddressPrefix",
                "",
                false,
                Acted::Refused("SecurityRuleInvalidAddressPrefix".into()),
            ),
            (403, "AuthorizationFailed", "", false, Acted::Refused("AuthorizationFailed".into())),
            (404, "NotFound", "", true, Acted::Done),
            (404, "ResourceNotFound", "", true, Acted::Done),
            (404, "ResourceNotFound", "", false, Acted::Refused("ResourceNotFound".into())),
            (409, "ScopeLocked", "", true, Acted::Locked),
            (409, "AnotherOperationInProgress", "", true, Acted::Busy),
            (429, "RetryableError", "RetryableErrorDueToAnotherOperation", false, Acted::Busy),
            (401, "ExpiredAuthenticationToken", "", false, Acted::Busy),
            (500, "InternalServerError", "", false, Acted::Unknown),
            (503, "unreadable", "", true, Acted::Unknown),
        ];
        for (status, code, detail, delete, expected) in cases {
            let refused = Refused { code: code.to_owned(), details: vec![detail.to_owned()] };
            assert_eq!(meaning(status, &refused, delete), expected, "{status} {code}");
        }
    }
}
