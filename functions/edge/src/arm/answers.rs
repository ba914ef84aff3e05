//! What Azure's answers mean: read here, decided in [`access::refusal`].

use super::NotSent;
use access::drive::Acted;
use access::refusal::{Again, Outcome, Refusal, Verb};
use azure_core::error::ErrorKind;
use azure_core::http::RawResponse;
use azure_core::http::headers::{HeaderName, Headers};
use serde::Deserialize;

#[derive(Deserialize, Default)]
struct ErrorBody {
    #[serde(default)]
    error: ErrorOf,
}

#[derive(Deserialize, Default)]
struct ErrorOf {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    details: Option<Vec<ErrorOf>>,
}

/// Reads an answer that is not success.
pub(super) fn refusal(answer: &RawResponse) -> Refusal {
    let body: ErrorBody = serde_json::from_slice(answer.body()).unwrap_or_default();
    let ErrorOf { code, message, details } = body.error;
    let details = details.unwrap_or_default();
    let messages = || std::iter::once(&message).chain(details.iter().map(|detail| &detail.message));
    let wait_seconds =
        named_by_headers(answer.headers()).or_else(|| messages().find_map(|text| named_in(text)));
    let details = details.into_iter().map(|detail| detail.code).collect();
    Refusal { status: u16::from(answer.status()), code, details, wait_seconds }
}

fn header<'a>(headers: &'a Headers, name: &'static str) -> Option<&'a str> {
    headers.get_optional_str(&HeaderName::from_static(name))
}

/// `Retry-After`, in seconds or as a moment (RFC 9110, 10.2.3); Resource Graph's own header, `hh:mm:ss`
/// (Microsoft: "Guidance for throttled requests in Azure Resource Graph").
fn named_by_headers(headers: &Headers) -> Option<u64> {
    let retry_after = header(headers, "retry-after").map(str::trim);
    let seconds = retry_after.and_then(|text| text.parse().ok());
    seconds.or_else(|| until(retry_after?, header(headers, "date")?)).or_else(|| {
        let mut parts = header(headers, "x-ms-user-quota-resets-after")?.splitn(3, ':');
        let mut part = || parts.next()?.trim().parse::<u64>().ok();
        Some(part()? * 3600 + part()? * 60 + part()?)
    })
}

/// From one moment to another, both as HTTP writes them: by Azure's clock alone, whatever ours says.
fn until(moment: &str, date: &str) -> Option<u64> {
    let [moment, date] = [moment, date]
        .map(|text| azure_core::time::parse_rfc7231(text.trim()).ok().map(|at| at.unix_timestamp()));
    u64::try_from((moment? - date?).max(0)).ok()
}

/// The seconds that a message names: `try again after '372' seconds`, `retried in 12 seconds`.
fn named_in(message: &str) -> Option<u64> {
    let (before, _) = message.split_once(" seconds")?;
    before.rsplit(' ').next()?.trim_matches('\'').parse().ok()
}

/// What Azure's support asks for.
pub(super) fn correlation_id(answer: &RawResponse) -> &str {
    header(answer.headers(), "x-ms-correlation-request-id").unwrap_or_default()
}

/// What became of a write. Logs a failure once.
pub(super) fn acted(answer: &Result<RawResponse, NotSent>, path: &str, verb: Verb) -> Acted {
    match answer {
        Err(NotSent::NoToken(why)) => {
            let refusal = Refusal { code: why.code.clone(), ..Refusal::default() };
            let acted = meaning(&refusal, why.outcome);
            tracing::warn!(?verb, path, code = %why.code, ?acted, "no token for Azure");
            acted
        }
        Err(NotSent::NoAnswer(error)) => {
            // Only where nothing can have been sent is it certain that nothing was done.
            let connected = !matches!(error.kind(), ErrorKind::Connection);
            let acted = if connected { Acted::Unknown } else { Acted::Busy { seconds: 0 } };
            tracing::warn!(?verb, path, error = %error, ?acted, "no answer from Azure");
            acted
        }
        Ok(answer) if answer.status().is_success() => Acted::Done,
        Ok(answer) => {
            let refusal = refusal(answer);
            let acted = meaning(&refusal, refusal.outcome(verb));
            let correlation_id = correlation_id(answer);
            tracing::warn!(?verb, path, status = refusal.status, arm_code = %refusal.code, correlation_id, ?acted, "Azure refused");
            acted
        }
    }
}

/// What an outcome is to the driver.
fn meaning(refusal: &Refusal, outcome: Outcome) -> Acted {
    match (outcome, refusal.again(outcome)) {
        (_, Some(Again::Within(seconds))) => Acted::Busy { seconds },
        (_, Some(Again::After(seconds))) => Acted::Later { seconds },
        (Outcome::Absent, _) => Acted::Done,
        (Outcome::OtherPriority, _) => Acted::Conflict,
        (Outcome::Locked, _) => Acted::Locked,
        (Outcome::Look, _) => Acted::Unknown,
        _ => Acted::Refused(refusal.told()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::SecurityGroup;
    use super::*;
    use access::nsg::Provisioning;
    use azure_core::http::StatusCode;
    use serde_json::{Value, json};
    use std::path::Path;

    fn answer(status: u16, headers: &[(&str, &str)], body: &Value, crlf: bool) -> RawResponse {
        let text = serde_json::to_string_pretty(body).unwrap();
        let text = if crlf { text.replace('\n', "\r\n") } else { body.to_string() };
        let mut all = Headers::new();
        for (name, value) in headers {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        RawResponse::from_bytes(StatusCode::from(status), all, text)
    }

    fn acted_on(status: u16, headers: &[(&str, &str)], body: &Value, verb: Verb) -> Acted {
        acted(&Ok(answer(status, headers, body, false)), "/rule", verb)
    }

    #[test]
    fn azure_names_a_time_in_many_ways() {
        let throttled =
            |message: &str| json!({"error": {"code": "ResourceRequestsThrottled", "message": message}});
        let now = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<u64>);
        let cases: &[Case<'_>] = &[
            (&[], "Please try again after '372' seconds.", Some(372)),
            (&[], "The call can be retried in 12 seconds.", Some(12)),
            (
                &[],
                "exceeded. Please try again after '0' seconds after additional tokens are available.",
                Some(0),
            ),
            (&[], "for time interval '00:05:00'. Please try again after 'a few' seconds.", None),
            (&[], "Slow down.", None),
            (&[("retry-after", "17")], "Please try again after '372' seconds.", Some(17)),
            (&[("retry-after", "0")], "", Some(0)),
            (&[("retry-after", "99999999999999999999999999")], "", None),
            (&[("retry-after", "18446744073709551615")], "", Some(u64::MAX)),
            (&[("retry-after", "-3")], "", None),
            (&[("retry-after", "soon")], "retried in 12 seconds", Some(12)),
            (&[now, ("retry-after", "Wed, 21 Oct 2015 07:28:40 GMT")], "", Some(40)),
            (&[now, ("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")], "", Some(0)),
            (&[("retry-after", "Wed, 21 Oct 2015 07:28:40 GMT")], "", None),
            (&[("x-ms-user-quota-resets-after", "00:01:05")], "", Some(65)),
            (&[("x-ms-user-quota-resets-after", "now")], "", None),
        ];
        for (headers, message, expected) in cases {
            let refusal = refusal(&answer(429, headers, &throttled(message), false));
            assert_eq!(refusal.wait_seconds, *expected, "{headers:?} {message}");
        }
    }

    #[test]
    fn each_refusal_has_its_meaning() {
        let refused = |code: &str| Acted::Refused(code.to_owned());
        let busy = |seconds| Acted::Busy { seconds };
        let later = |seconds| Acted::Later { seconds };
        let cases = [
            (400, "SecurityRuleConflict", Verb::Put, Acted::Conflict),
            (400, "SecurityRuleCountLimitReached", Verb::Put, refused("SecurityRuleCountLimitReached")),
            (403, "AuthorizationFailed", Verb::Delete, refused("AuthorizationFailed")),
            (404, "NotFound", Verb::Delete, Acted::Done),
            (404, "ResourceNotFound", Verb::Delete, Acted::Done),
            (404, "SubscriptionNotFound", Verb::Delete, refused("SubscriptionNotFound")),
            (404, "ResourceNotFound", Verb::Put, refused("ResourceNotFound")),
            (409, "ScopeLocked", Verb::Delete, Acted::Locked),
            (409, "AnotherOperationInProgress", Verb::Delete, busy(0)),
            (429, "RetryableError", Verb::Put, busy(0)),
            (429, "ResourceRequestsThrottled", Verb::Delete, later(60)),
            // The call path has asked once more with a new token by then.
            (401, "ExpiredAuthenticationToken", Verb::Put, later(60)),
            (401, "InvalidAuthenticationTokenTenant", Verb::Put, refused("InvalidAuthenticationTokenTenant")),
            (500, "InternalServerError", Verb::Put, Acted::Unknown),
        ];
        for (status, code, verb, expected) in cases {
            let body = json!({"error": {"code": code, "message": "A sentence."}});
            assert_eq!(acted_on(status, &[], &body, verb), expected, "{status} {code}");
        }
        for unreadable in
            [json!(null), json!("<html>"), json!({"error": null}), json!({"error": {"code": 7}})]
        {
            assert_eq!(acted_on(503, &[], &unreadable, Verb::Delete), Acted::Unknown);
            assert_eq!(acted_on(404, &[], &unreadable, Verb::Delete), refused("HTTP 404"));
        }
        let named = [("retry-after", "372")];
        assert_eq!(acted_on(429, &named, &json!(null), Verb::Delete), later(372));
    }

    /// Every error that is known of Azure has a decision of its own, for each verb, in both ways in
    /// which bodies are printed. What ends badly after it was accepted is seen by the rule's state.
    #[test]
    fn no_known_error_is_without_a_decision() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/azure/errors.json");
        let Ok(text) = std::fs::read_to_string(&file) else {
            assert!(std::env::var_os("CI").is_none(), "{} is not there", file.display());
            println!("skipped: {} is not there", file.display());
            return;
        };
        let known: Value = serde_json::from_str(&text).unwrap();
        let (mut decided, mut seen) = (0, 0);
        for entry in known["errors"].as_array().unwrap() {
            let name = entry["code"].as_str().unwrap();
            let status = u16::try_from(entry["http"].as_u64().unwrap()).unwrap();
            if let Some(state) = entry["body"]["status"].as_str() {
                assert_eq!(status, 200, "{name}");
                assert_eq!(provisioning(state), Provisioning::Failed, "{name}");
                seen += 1;
                continue;
            }
            let body = match &entry["body"] {
                Value::Null => json!({"error": {"code": name, "message": ""}}),
                body => body.clone(),
            };
            for crlf in [false, true] {
                let refusal = refusal(&answer(status, &[], &body, crlf));
                for verb in [Verb::Put, Verb::Delete, Verb::Get] {
                    assert!(refusal.decided(verb).is_some(), "{name}, {verb:?}: not decided");
                }
                assert_eq!(
                    refusal.details.is_empty(),
                    body["error"]["details"].as_array().is_none_or(Vec::is_empty)
                );
            }
            decided += 1;
        }
        assert!(decided >= 30 && seen >= 2, "only {decided} refusals and {seen} operations");
        let entra = known["entra"].as_array().unwrap();
        for entry in entra {
            let code = entry["aadsts"].as_u64().unwrap();
            // Two of them pass by themselves; the rest is for whoever has set it up.
            let expected = if [70021, 700_024].contains(&code) { Outcome::Late } else { Outcome::Human };
            assert_eq!(access::refusal::without_token(400, &code.to_string()), expected, "AADSTS{code}");
        }
        assert!(entra.len() >= 8, "only {} answers of Entra", entra.len());
        println!(
            "{decided} refusals, {seen} operations that end badly and {} answers of Entra, each decided",
            entra.len()
        );
    }

    /// How a rule in this state looks to the driver.
    fn provisioning(state: &str) -> Provisioning {
        let rule = json!({"name": "r", "properties": {"provisioningState": state, "protocol": "Tcp",
            "access": "Allow", "direction": "Inbound", "priority": 100}});
        let group: SecurityGroup =
            serde_json::from_value(json!({"properties": {"securityRules": [rule]}})).unwrap();
        group.inbound()[0].provisioning
    }
}
