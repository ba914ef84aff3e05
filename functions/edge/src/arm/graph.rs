//! Azure Resource Graph: what there is in many subscriptions at once. It lags behind by seconds to
//! minutes, without a promise, so it only finds; whatever is done is done after a look at the group.

use super::*;
use crate::clock::{Awake, Clock};
use access::request::Installation;
use azure_core::http::headers::HeaderName;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Where Resource Graph answers, at no subscription, and the version of its API that our query was
/// written against.
const PATH: &str = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";
/// More pages than any installation fills, 1,000 rules each.
const MOST_PAGES: usize = 100;
/// The longest that is waited between two pages, in seconds: Azure counts queries by five seconds.
const LONGEST_PAUSE: u64 = 10;

/// A rule as Resource Graph lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The group that it is in.
    pub nsg: ResourceId,
    /// Its name.
    pub rule: String,
}

/// Why Resource Graph did not say what there is.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// Too many queries; it says when to come back.
    #[error("Resource Graph wants to be asked again in {seconds} s")]
    Throttled {
        /// In how many seconds.
        seconds: u64,
    },
    /// It does not take the query, or us.
    #[error("Resource Graph answered {status} {code}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Azure's error code.
        code: String,
    },
    /// No answer, or one that cannot be read, or that is not whole.
    #[error("no answer from Resource Graph: {0}")]
    NoAnswer(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    data: Vec<Row>,
    /// `"true"` or `"false"`, a string.
    result_truncated: String,
    #[serde(rename = "$skipToken")]
    skip_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    rule_name: String,
}

/// The query for all rules by a name of this installation. `mv-expand` has a limit of its own, which is
/// lower than the 1,000 rules that a group holds.
fn query(installation: &Installation) -> String {
    format!(
        "resources\n\
         | where type =~ 'microsoft.network/networksecuritygroups'\n\
         | mv-expand rule = properties.securityRules limit 2000\n\
         | extend ruleName = tostring(rule.name)\n\
         | where ruleName startswith 'jit-{installation}-'\n\
         | project id, ruleName\n\
         | order by id asc, ruleName asc"
    )
}

impl Arm {
    /// Every rule by a name of this installation, in all groups of these subscriptions that may be read.
    /// Between pages it may wait by `clock`, where whoever asks is at work.
    ///
    /// # Errors
    /// Resource Graph refused or did not answer, or not with all.
    pub async fn rules_of(
        &self,
        installation: &Installation,
        subscriptions: &[String],
        (clock, at_work): (&Clock, &Awake),
    ) -> Result<Vec<Listed>, GraphError> {
        let query = query(installation);
        let mut listed = vec![];
        let mut skip_token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut options = json!({"resultFormat": "objectArray", "$top": 1000});
            if let Some(token) = skip_token {
                options["$skipToken"] = json!(token);
            }
            let body = json!({"subscriptions": subscriptions, "query": query, "options": options});
            let (page, pause) = self.page(&body).await?;
            for row in page.data {
                let nsg = row.id.parse().map_err(|error| GraphError::NoAnswer(format!("{error}")))?;
                // Where only one group may be touched, others' rules are no business of ours.
                if self.fence.admits(std::slice::from_ref(&nsg)).is_ok() {
                    listed.push(Listed { nsg, rule: row.rule_name });
                }
            }
            skip_token = page.skip_token;
            if skip_token.is_none() {
                let whole = page.result_truncated != "true";
                return if whole {
                    Ok(listed)
                } else {
                    Err(GraphError::NoAnswer("not all was told".to_owned()))
                };
            }
            if pause > 0 {
                clock.pause(Duration::from_secs(pause.min(LONGEST_PAUSE)), at_work).await;
            }
        }
        Err(GraphError::NoAnswer(format!("more than {MOST_PAGES} pages")))
    }

    /// One page, and how many seconds to wait before the next one.
    async fn page(&self, body: &Value) -> Result<(Page, u64), GraphError> {
        let answer = self.send(Sent::Ask(PATH, body)).await;
        let answer = answer.map_err(|error| GraphError::NoAnswer(error.to_string()))?;
        let header = |name| answer.headers().get_optional_str(&HeaderName::from_static(name));
        let resets_after = header("x-ms-user-quota-resets-after").and_then(seconds);
        let status = u16::from(answer.status());
        if status == 200 {
            let page = serde_json::from_slice(answer.body())
                .map_err(|error| GraphError::NoAnswer(error.to_string()))?;
            let spent = header("x-ms-user-quota-remaining") == Some("0");
            return Ok((page, if spent { resets_after.unwrap_or(LONGEST_PAUSE) } else { 0 }));
        }
        let code = answers::refusal(&answer).told();
        Err(match status {
            429 => GraphError::Throttled { seconds: resets_after.unwrap_or(LONGEST_PAUSE) },
            408 | 500.. => GraphError::NoAnswer(format!("{status} {code}")),
            _ => GraphError::Refused { status, code },
        })
    }
}

/// `00:00:05`
fn seconds(text: &str) -> Option<u64> {
    let mut parts = text.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    Some(parts.next()?? * 3600 + parts.next()?? * 60 + parts.next()??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_resets_after_hours_minutes_and_seconds() {
        for (text, expected) in
            [("00:00:05", Some(5)), ("01:02:03", Some(3723)), ("5", None), ("", None), ("00:00:0x", None)]
        {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
