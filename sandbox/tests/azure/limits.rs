//! How much Azure lets somebody ask for, and what its policies forbid.

use crate::lab::{Lab, rule};
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let lab = Lab::start().await;
    for left in (0..250).rev() {
        let answer = lab.arm_as("grant", "GET", &Lab::nsg(), None).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["x-ms-ratelimit-remaining-subscription-reads"], left.to_string());
    }
    let refused = lab.arm_as("grant", "GET", &Lab::nsg(), None).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "SubscriptionRequestsThrottled"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.headers["x-ms-failure-cause"], "gateway");
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("after '1' seconds"));

    let body = rule(&json!({}));
    assert_eq!(lab.arm_as("grant", "PUT", &Lab::rule("r"), Some(&body)).await.status, 201, "writes go on");
    let other = lab.arm_as("revoke", "GET", &Lab::nsg(), None).await;
    assert_eq!(other.headers["x-ms-ratelimit-remaining-subscription-reads"], "249");
    assert_eq!(other.headers["x-ms-ratelimit-remaining-subscription-global-reads"], "3499");
    let gone = lab.arm_as("revoke", "DELETE", &Lab::rule("r"), None).await;
    assert_eq!(gone.headers["x-ms-ratelimit-remaining-subscription-deletes"], "199");

    lab.clock.fetch_add(1_000, Ordering::SeqCst);
    let again = lab.arm_as("grant", "GET", &Lab::nsg(), None).await;
    assert_eq!(
        (again.status, again.headers["x-ms-ratelimit-remaining-subscription-reads"].as_str()),
        (200, "24")
    );
    lab.stop().await;
}

#[tokio::test]
async fn the_owner_is_throttled_like_anybody_unless_a_test_says_otherwise() {
    let lab = Lab::with(None, |settings| settings.owner_throttled = true).await;
    let first = lab.get(&Lab::nsg()).await;
    assert_eq!(first.headers["x-ms-ratelimit-remaining-subscription-reads"], "249");
    assert_eq!(lab.get(&Lab::nsg()).await.headers["x-ms-ratelimit-remaining-subscription-reads"], "248");
    lab.stop().await;
}

#[tokio::test]
async fn a_policy_forbids_to_allow_and_nothing_else() {
    let lab = Lab::start().await;
    assert_eq!(lab.put_rule("before", &json!({"priority": 300})).await.status, 201);
    lab.azure.set(|settings| settings.policy_denies_allow = true);
    let refused = lab.arm_as("grant", "PUT", &Lab::rule("r"), Some(&rule(&json!({})))).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "RequestDisallowedByPolicy"));
    let error = &refused.json()["error"];
    assert_eq!(
        (&error["target"], &error["additionalInfo"][0]["type"]),
        (&json!("r"), &json!("PolicyViolation"))
    );
    assert!(error.get("details").is_none(), "the front door refused");
    let deny = rule(&json!({"access": "Deny", "priority": 300}));
    assert_eq!(lab.arm_as("grant", "PUT", &Lab::rule("before"), Some(&deny)).await.status, 200);
    assert_eq!(lab.arm_as("revoke", "DELETE", &Lab::rule("before"), None).await.status, 202);
    lab.stop().await;
}
