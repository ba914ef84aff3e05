//! Azure, Entra and STS say no, each in its own way.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::needless_pass_by_value, reason = "faults are written where they are ordered")]

use access::lifecycle::EventKind;
use ajar_tests::{ANA, BEA, Story};
use sandbox::azure::What;
use serde_json::{Value, json};

const CLIENT: &str = "203.0.113.7";

/// An answer of Azure that says no, to the next `count` calls with this method.
fn no(method: &str, (status, code, message): (u16, &str, &str), headers: Value, count: u32) -> Value {
    let body = json!({"error": {"code": code, "message": message, "details": []}});
    let how = json!({"answer": {"status": status, "headers": headers, "body": body}});
    json!({"part": "arm", "method": method, "path": "/networkSecurityGroups/", "how": how, "count": count})
}

const THROTTLED: (u16, &str, &str) = (
    429,
    "ResourceRequestsThrottled",
    "Number of requests exceeded the limit of '50' for time interval '00:05:00'. Please try again after '372' seconds.",
);
const QUOTA: (u16, &str, &str) = (429, "SubscriptionRequestsThrottled", "Number of requests exceeded.");

async fn open(story: &Story, text: &str) -> String {
    let id = story.asked(ANA, text).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_waits_until_azure_takes_it() {
    for method in ["PUT", "GET"] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM1 3389 for 30m").await;
        story.fault(no(method, THROTTLED, json!({}), 1)).await;
        story.click(BEA, &id, "approve").await;
        let record = story.record(&id).await;
        let until = record.delayed_until().expect("Azure has named a moment");
        assert_eq!(until.since(record.changed_at()), 372);
        let card = story.says(&id).await;
        assert!(
            card.starts_with("VM1 port 3389: approved, waiting for Azure. Approved. Azure takes no changes for now; tried again at "),
            "{card}"
        );
        story.advance(373).await;
        assert_eq!(story.status(&id).await, "OPEN", "at that moment");
        let journal = story.world.azure.journal();
        let written = journal.iter().find(|entry| entry.what == What::PutNew).unwrap();
        assert!(written.at_ms >= until.unix() * 1000, "nothing is tried before");
        story.to_next_end().await;
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_says_when_in_many_ways() {
    let soon =
        [json!({}), json!({"retry-after": "0"}), json!({"retry-after": "1"}), json!({"retry-after": "soon"})];
    for headers in soon {
        let story = Story::begin().await;
        story.fault(no("PUT", QUOTA, headers.clone(), 1)).await;
        let id = open(&story, "VM1 3389 for 10m").await;
        story.fault(no("DELETE", QUOTA, headers, 1)).await;
        story.to_next_end().await;
        assert_eq!(story.status(&id).await, "CLOSED", "within the same drive");
        story.finish().await;
    }
    let date =
        json!({"date": "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2015 07:28:40 GMT"});
    let later = [(json!({"retry-after": "17"}), 17), (date, 40), (json!({"retry-after": "31536000"}), 600)];
    for (headers, seconds) in later {
        let story = Story::begin().await;
        let id = open(&story, "VM1 3389 for 10m").await;
        // The tick and `notify` may both have it shut at once; after that Azure is itself again.
        story.fault(no("DELETE", QUOTA, headers, 2)).await;
        story.to_next_end().await;
        story.no_faults().await;
        story.advance(seconds + 1).await;
        assert!(!story.lets_in("VM1", 3389, CLIENT), "shut as early as Azure allows");
        let lines = story.world.store.history(id.parse().unwrap()).await.unwrap();
        let put_off = |line: &&edge::store::Line| matches!(line.event.kind, EventKind::NotYetShut { .. });
        let put_off = lines.iter().rfind(put_off).unwrap();
        let journal = story.world.azure.journal();
        let deleted = journal.iter().find(|entry| entry.what == What::DeleteAccepted).unwrap();
        let waited = (deleted.at_ms / 1000).saturating_sub(put_off.event.at.unix());
        assert!(waited >= seconds, "asked again after {waited} s, and not after {seconds}");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_that_azure_puts_off_says_when() {
    let story = Story::begin().await;
    let id = open(&story, "VM1 3389 for 10m").await;
    for again in [false, true] {
        story.fault(no("DELETE", THROTTLED, json!({}), 2)).await;
        if again {
            story.advance(373).await;
        } else {
            story.to_next_end().await;
        }
        story.no_faults().await;
        assert_eq!(story.status(&id).await, "CLOSING");
    }
    let card = story.says(&id).await;
    assert!(card.contains("may still be open. It should have shut at "), "nobody has looked since: {card}");
    assert!(card.contains(" Azure takes no changes for now; tried again at "), "{card}");
    story.advance(373).await;
    assert!(story.says(&id).await.contains("VM1 port 3389 is shut. Its time is over."));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_takes_nothing_before_the_end() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 5m").await;
    story.fault(no("PUT", THROTTLED, json!({}), 1)).await;
    story.click(BEA, &id, "approve").await;
    let card = story.says(&id).await;
    assert!(card.contains("Azure takes no changes before its time would be over."), "{card}");
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_must_do_is_said() {
    for (refusal, says) in [
        (
            (400, "SecurityRuleCountLimitReached", "Full."),
            "The security group is full: it holds 1,000 rules.",
        ),
        ((403, "LinkedAuthorizationFailed", "No."), "Ask an Azure admin to give Ajar its role"),
        ((403, "RequestDisallowedByPolicy", "No."), "A policy in Azure forbids such a rule."),
        ((409, "ScopeLocked", "Locked."), "A lock in Azure forbids to change the security group."),
        ((404, "SubscriptionNotFound", "No."), "Ajar does not see the subscription."),
        ((400, "SecurityRuleInvalidPortRange", "No."), "Show this to whoever installed Ajar."),
    ] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22").await;
        story.fault(no("PUT", refusal, json!({}), 1)).await;
        story.click(BEA, &id, "approve").await;
        let card = story.says(&id).await;
        assert!(card.contains(&format!("Azure refused the rule ({}). {says}", refusal.1)), "{card}");
        assert_eq!(story.status(&id).await, "CLOSED");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_cannot_be_seen_is_no_proof_that_the_rule_is_gone() {
    let story = Story::begin().await;
    let id = open(&story, "VM3 22 for 10m").await;
    let hidden = (404, "SubscriptionNotFound", "The subscription could not be found.");
    for method in ["GET", "DELETE"] {
        story.fault(no(method, hidden, json!({}), 1000)).await;
    }
    story.to_next_end().await;
    story.advance(130).await;
    assert_eq!(story.status(&id).await, "CLOSING", "{}", story.says(&id).await);
    assert!(story.lets_in("VM3", 22, CLIENT));
    story.no_faults().await;
    story.advance(61).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_fails_is_seen_by_the_state_of_its_rule() {
    for (status, code) in [
        ("Failed", "InternalServerError"),
        ("Failed", "AnotherOperationInProgress"),
        ("Canceled", "CanceledAndSupersededDueToAnotherOperation"),
    ] {
        let story = Story::begin().await;
        let how = json!({"operation_ends": {"status": status, "code": code}});
        story.fault(json!({"part": "arm", "method": "PUT", "how": how})).await;
        open(&story, "VM3 22 for 10m").await;
        story.fault(json!({"part": "arm", "method": "DELETE", "how": how})).await;
        story.to_next_end().await;
        assert!(!story.lets_in("VM3", 22, CLIENT));
        story.finish().await;
    }
}

/// Entra gives out a token that Azure does not take any more, once.
fn stale_token(story: &Story, function: &str) -> Value {
    let token = story.world.azure.token_of(function, 1_000_000_000).unwrap();
    let body =
        json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token});
    json!({"part": "entra", "method": "POST", "how": {"answer": {"status": 200, "body": body}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_azure_refuses_is_replaced() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    story.fault(stale_token(&story, "grant")).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "in the same drive");
    story.fault(stale_token(&story, "revoke")).await;
    story.to_next_end().await;
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_while_the_rule_is_followed() {
    let expired = (401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier.");
    for (method, opening) in [("PUT", true), ("GET", true), ("GET", false), ("DELETE", false)] {
        let story = Story::begin().await;
        if opening {
            story.fault(no(method, expired, json!({}), 1)).await;
        }
        let id = open(&story, "VM3 22 for 10m").await;
        if !opening {
            story.fault(no(method, expired, json!({}), 1)).await;
        }
        story.to_next_end().await;
        assert_eq!(story.status(&id).await, "CLOSED", "{method}");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tokens_that_azure_refuses_are_enough_for_one_drive() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    let expired = (401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier.");
    story.fault(no("PUT", expired, json!({}), 2)).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPENING");
    assert!(story.record(&id).await.delayed_until().is_some(), "not at once a third time");
    story.advance(61).await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_not_yet_known_everywhere() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    story.world.azure.federate("grant", false);
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "APPROVED");
    story.world.azure.federate("grant", true);
    story.advance(61).await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_is_not_accepted() {
    let entra = json!({"error": "invalid_client", "error_description": "AADSTS700213: No matching federated identity record found for presented assertion subject.",
        "error_codes": [700_213], "timestamp": "2026-01-01 00:00:00Z", "trace_id": "t", "correlation_id": "c"});
    let sts = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>OutboundWebIdentityFederationDisabledException</Code><Message>Disabled.</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    for (part, status, body, code) in [
        ("entra", 400, entra, "AADSTS700213"),
        ("sts", 403, json!(sts), "STS OutboundWebIdentityFederationDisabledException"),
    ] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        let how = json!({"answer": {"status": status, "body": body}});
        story.fault(json!({"part": part, "how": how, "count": 1000})).await;
        story.click(BEA, &id, "approve").await;
        let card = story.says(&id).await;
        let says = format!("Azure refused the rule ({code}). Show this to whoever installed Ajar.");
        assert!(card.contains(&says), "{card}");
        story.no_faults().await;
        story.advance(120).await;
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_several_lines_and_ids_in_capitals() {
    let story = Story::begin().await;
    story.world.azure.set(|settings| settings.crlf = true);
    let mut machine =
        story.world.store.machines().await.unwrap().into_iter().find(|one| one.name.as_str() == "VM3");
    if let Some(machine) = &mut machine {
        machine.resource_id = machine.resource_id.as_str().to_uppercase().parse().unwrap();
        story.world.store.put_machine(machine).await.unwrap();
    }
    let id = open(&story, "VM3 22 for 10m").await;
    let record = story.record(&id).await;
    let asked = record.wish().machine.resource_id.as_str();
    assert_eq!(machine.as_ref().map(|machine| machine.resource_id.as_str()), Some(asked));
    story.advance(90).await;
    assert!(story.lets_in("VM3", 22, CLIENT));
    assert_eq!(story.status(&id).await, "OPEN", "and stands as planned");
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, CLIENT));
    story.finish().await;
}
