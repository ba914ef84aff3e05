//! What a refusal of Azure means for whoever asked: one table. `edge::arm` reads the answers, the
//! driver acts on what they mean.
//!
//! The codes are those of the management API's front door and of its network provider, as
//! Microsoft documents them and as public error reports quote them. An operation that was accepted and
//! ends badly is not here: its rule is read, compared, and written again if need be
//! ([`crate::drive::Standing`]).

/// What was asked of Azure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// To write a rule.
    Put,
    /// To delete a rule.
    Delete,
    /// To read something, also to follow a write.
    Get,
}

/// What is to be done about a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// The same again in a moment: something else is being done just now.
    Soon,
    /// The same again at the moment that Azure names; in a moment where it names none.
    AsNamed,
    /// The same again at the moment that Azure names, which is far; in a minute where it names none.
    Late,
    /// The same with another priority.
    OtherPriority,
    /// Whether it was done is not known: the group is read before anything else.
    Look,
    /// The same once more with a new token.
    NewToken,
    /// What was asked for is not there; to a delete that is success.
    Absent,
    /// A management lock forbids it, until somebody takes the lock off. A rule that cannot be deleted
    /// may still be turned into Deny.
    Locked,
    /// The same again would be refused again, until somebody does something about it.
    Human,
}

/// An answer of Azure that is not success.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The code of the error; empty where the answer cannot be read.
    pub code: String,
    /// The codes of its details.
    pub details: Vec<String>,
    /// How long Azure asks to wait, in seconds, where it says so.
    pub wait_seconds: Option<u64>,
}

/// When the same may be asked again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// After this many seconds, within the same drive; 0 is a moment.
    Within(u64),
    /// After this many seconds, by another drive.
    After(u64),
}

/// The longest that a drive waits for Azure, in seconds; what takes longer is another drive's.
const SOON_SECONDS: u64 = 5;

/// When Azure names no moment, and a moment would be too soon, in seconds.
const LATE_SECONDS: u64 = 60;

/// The longest that Azure is believed to mean, in seconds. Its quotas are counted over five minutes,
/// and 372 seconds were seen; whoever names more is not obeyed, because a port waits to be shut.
pub const LONGEST_SECONDS: u64 = 600;

/// One refusal and what it means for each verb.
struct Row {
    status: u16,
    code: &'static str,
    put: Outcome,
    delete: Outcome,
    get: Outcome,
}

const fn each(status: u16, code: &'static str, outcome: Outcome) -> Row {
    Row { status, code, put: outcome, delete: outcome, get: outcome }
}

const fn row(status: u16, code: &'static str, put: Outcome, delete: Outcome, get: Outcome) -> Row {
    Row { status, code, put, delete, get }
}

use Outcome::{Absent, AsNamed, Human, Late, Locked, Look, NewToken, OtherPriority, Soon};

/// The table. A more special row stands before a more general one.
const TABLE: &[Row] = &[
    // 400: the rule as it is. Only the priority can be chosen anew; the rest was checked when it was
    // asked for, so that such an answer is a mistake of ours.
    row(400, "SecurityRuleConflict", OtherPriority, Human, Human),
    each(400, "SecurityRuleCountLimitReached", Human),
    each(400, "SecurityRuleInvalidPriority", Human),
    each(400, "SecurityRuleInvalidPortRange", Human),
    each(400, "SecurityRuleParameterContainsInvalidPortRanges", Human),
    each(400, "SecurityRuleInvalidAddressPrefix", Human),
    each(400, "SecurityRuleParameterContainsUnsupportedValue", Human),
    each(400, "NumberOfApplicationSecurityGroupsReferencedInSecurityRuleLimitReached", Human),
    each(400, "InvalidRequestFormat", Human),
    each(400, "MissingApiVersionParameter", Human),
    // 401: the token.
    each(401, "ExpiredAuthenticationToken", NewToken),
    each(401, "InvalidAuthenticationToken", NewToken),
    each(401, "AuthenticationFailed", Human),
    each(401, "InvalidAuthenticationTokenAudience", Human),
    each(401, "InvalidAuthenticationTokenTenant", Human),
    // 403: rights and policies. Checked before existence: it says nothing about what is there.
    each(403, "AuthorizationFailed", Human),
    each(403, "LinkedAuthorizationFailed", Human),
    each(403, "RequestDisallowedByPolicy", Human),
    // 404: what is missing says what is gone. A subscription that cannot be seen may well be there.
    each(404, "SubscriptionNotFound", Human),
    row(404, "ResourceNotFound", Human, Absent, Absent),
    row(404, "ParentResourceNotFound", Human, Absent, Absent),
    row(404, "ResourceGroupNotFound", Human, Absent, Absent),
    row(404, "NotFound", Human, Absent, Absent),
    // 409, 412: others at work, and locks.
    each(409, "ScopeLocked", Locked),
    each(409, "AnotherOperationInProgress", Soon),
    each(412, "PreconditionFailed", Soon),
    // 429: from the network provider it is another operation at work, from the front door a quota.
    each(429, "RetryableErrorDueToAnotherOperation", Soon),
    each(429, "ReferencedResourceNotProvisioned", Soon),
    each(429, "RetryableError", Soon),
    each(429, "SubscriptionRequestsThrottled", AsNamed),
    each(429, "ResourceRequestsThrottled", Late),
    each(429, "RateLimiting", Late),
    // 5xx: whether it was done is not known.
    row(500, "InternalServerError", Look, Look, Soon),
];

impl Refusal {
    /// What the table says, by the error's own code or one of its details; `None` where it is not in
    /// the table.
    pub fn decided(&self, verb: Verb) -> Option<Outcome> {
        let is = |code: &str| self.code == code || self.details.iter().any(|detail| detail == code);
        let row = TABLE.iter().find(|row| row.status == self.status && is(row.code))?;
        Some(match verb {
            Verb::Put => row.put,
            Verb::Delete => row.delete,
            Verb::Get => row.get,
        })
    }

    /// What is to be done about it. What is not in the table is decided by its HTTP status; nothing
    /// unknown is ever taken for success, or for a proof that something is not there.
    pub fn outcome(&self, verb: Verb) -> Outcome {
        self.decided(verb).unwrap_or(match (self.status, verb) {
            (401, _) => NewToken,
            (409 | 412, _) => Soon,
            (429, _) => AsNamed,
            (408 | 500.., Verb::Get) => Soon,
            (408 | 500.., Verb::Put | Verb::Delete) => Look,
            _ => Human,
        })
    }

    /// When the same may be asked again, where an outcome says to ask the same again.
    pub fn again(&self, outcome: Outcome) -> Option<Again> {
        let named = self.wait_seconds.map(|seconds| seconds.clamp(1, LONGEST_SECONDS));
        match (outcome, named) {
            (Soon | AsNamed, None) => Some(Again::Within(0)),
            // An operation of somebody else ends when it ends; Azure only guesses.
            (Soon, Some(seconds)) => Some(Again::Within(seconds.min(SOON_SECONDS))),
            (AsNamed | Late, Some(seconds)) if seconds <= SOON_SECONDS => Some(Again::Within(seconds)),
            (AsNamed | Late, Some(seconds)) => Some(Again::After(seconds)),
            // A new token was refused too.
            (Late | NewToken, _) => Some(Again::After(LATE_SECONDS)),
            (OtherPriority | Look | Absent | Locked | Human, _) => None,
        }
    }

    /// The code to tell people and the log, never empty.
    pub fn told(&self) -> String {
        if self.code.is_empty() { format!("HTTP {}", self.status) } else { self.code.clone() }
    }
}

/// What is to be done when there is no token.
///
/// Microsoft's and AWS's codes may change; what is not known here is tried again, because a federated
/// credential takes minutes to be known everywhere (Microsoft: "Workload identity federation",
/// considerations). `status`: of Entra's or STS's answer.
pub fn without_token(status: u16, code: &str) -> Outcome {
    /// Entra: issuer, audience, subject (also in another case), signature, and who issued it are not
    /// those of the federated credential; the tenant or the client does not exist.
    const ENTRA: &[&str] =
        &["700211", "700212", "700213", "7002138", "700027", "700222", "5002738", "90002", "700016"];
    /// AWS: the account does not issue tokens, or this role may not have one.
    const STS: &[&str] =
        &["OutboundWebIdentityFederationDisabledException", "AccessDenied", "AccessDeniedException"];
    /// Entra does not yet know the credential; the assertion was too old when it arrived, and the next
    /// is made anew; AWS: the function's session is about to end, and a new one comes by itself.
    const PASSES: &[&str] = &["70021", "700024", "SessionDurationEscalationException"];
    match status {
        _ if PASSES.contains(&code) => Late,
        _ if ENTRA.contains(&code) || STS.contains(&code) || code == "JWTPayloadSizeExceededException" => {
            Human
        }
        400..=499 if status != 408 && status != 429 => Late,
        _ => Soon,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: &str, detail: &str, wait_seconds: Option<u64>) -> Refusal {
        let details = if detail.is_empty() { vec![] } else { vec![detail.to_owned()] };
        Refusal { status, code: code.to_owned(), details, wait_seconds }
    }

    #[test]
    fn each_row_is_there_once() {
        for (n, row) in TABLE.iter().enumerate() {
            let same = |other: &&Row| other.status == row.status && other.code == row.code;
            assert_eq!(TABLE[n..].iter().filter(same).count(), 1, "{} {}", row.status, row.code);
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_decided_by_its_status() {
        use Verb::{Delete, Get, Put};
        let cases = [
            (401, Put, NewToken),
            (404, Get, Human),
            (404, Delete, Human),
            (409, Delete, Soon),
            (429, Get, AsNamed),
            (408, Put, Look),
            (503, Delete, Look),
            (502, Get, Soon),
            (418, Put, Human),
            (302, Get, Human),
        ];
        for (status, verb, expected) in cases {
            let unknown = refusal(status, "", "", None);
            assert_eq!((unknown.decided(verb), unknown.outcome(verb)), (None, expected), "{status} {verb:?}");
        }
    }

    #[test]
    fn azure_is_obeyed_within_reason() {
        use Again::{After, Within};
        let cases = [
            (429, "RetryableError", None, Some(Within(0))),
            (429, "RetryableError", Some(12), Some(Within(5))),
            (409, "AnotherOperationInProgress", Some(10), Some(Within(5))),
            (429, "SubscriptionRequestsThrottled", Some(0), Some(Within(1))),
            (429, "SubscriptionRequestsThrottled", Some(5), Some(Within(5))),
            (429, "SubscriptionRequestsThrottled", Some(17), Some(After(17))),
            (429, "SubscriptionRequestsThrottled", None, Some(Within(0))),
            (429, "ResourceRequestsThrottled", Some(372), Some(After(372))),
            (429, "ResourceRequestsThrottled", Some(u64::MAX), Some(After(600))),
            (429, "ResourceRequestsThrottled", None, Some(After(60))),
            (401, "ExpiredAuthenticationToken", None, Some(After(60))),
            (403, "AuthorizationFailed", Some(3), None),
            (500, "InternalServerError", Some(3), None),
        ];
        for (status, code, wait, expected) in cases {
            let refusal = refusal(status, code, "", wait);
            assert_eq!(refusal.again(refusal.outcome(Verb::Put)), expected, "{status} {code} {wait:?}");
        }
    }

    #[test]
    fn a_detail_counts_like_the_code() {
        let other = refusal(429, "RetryableError", "RetryableErrorDueToAnotherOperation", Some(372));
        assert_eq!(other.outcome(Verb::Put), Soon);
        let wrapped = refusal(429, "Throttled", "ResourceRequestsThrottled", None);
        assert_eq!(wrapped.outcome(Verb::Delete), Late);
    }
}
