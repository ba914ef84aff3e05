//! How a request ends.

use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn approved_and_expired() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m because patching").await;
    assert!(story.says(&id).await.starts_with("VM3 port 22: waiting for approval."));
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
    story.click(BEA, &id, "approve").await;
    assert!(story.says(&id).await.starts_with("VM3 port 22 is open."));
    story.felt().await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    assert!(!story.lets_in("VM3", 22, "198.51.100.9"), "nobody else is let in");
    assert!(!story.lets_in("VM1", 3389, "203.0.113.7"), "nothing else is opened");
    story.advance(28 * 60).await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"), "it is open to its end");
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"), "it shuts within two seconds of its end");
    assert!(story.says(&id).await.starts_with("VM3 port 22 is shut. Its time is over."));
    let told = story.told(ANA).await;
    let begins = ["VM3 port 22 is open.", "VM3 port 22 shuts at ", "VM3 port 22 is shut."];
    assert!(told.iter().zip(begins).all(|(told, begins)| told.starts_with(begins)), "{told:?}");
    assert_eq!(told.len(), begins.len());
    story.advance(31 * 60).await;
    let history = story.history(&id).await;
    let kinds: Vec<&str> = history.iter().map(kind).collect();
    assert_eq!(kinds, ["asked", "approved", "planned", "opened", "closing", "closed", "settled"]);
    story.finish().await;
}

fn kind(event: &serde_json::Value) -> &str {
    event.as_str().unwrap_or_else(|| event.as_object().unwrap().keys().next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn denied() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM1 3389").await;
    story.deny(CHRIS, &id).await;
    assert!(story.says(&id).await.starts_with("VM1 port 3389: denied. <@U0CHRIS> denied it at "));
    assert_eq!(
        story.history(&id).await[1],
        json!({"closed": {"closure": {"denied": {"by": CHRIS, "reason": "not during the audit"}}}})
    );
    // Too late, and the card has no buttons any more.
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_decides() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22").await;
    story.advance(59 * 60).await;
    assert_eq!(story.status(&id).await, "PENDING");
    story.advance(2 * 60).await;
    assert!(story.says(&id).await.starts_with("VM3 port 22: lapsed. Nobody decided by "));
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_early_through_the_record() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 1h").await;
    story.click(BEA, &id, "approve").await;
    story.advance(10 * 60).await;
    story.felt().await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    story.revoke(&id, CHRIS).await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"), "nobody had to wait for a tick");
    assert!(story.says(&id).await.starts_with("VM3 port 22 is shut. <@U0CHRIS> ended it early."));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_approve() {
    let policy = sandbox::host::wiring::POLICY.replace(
        "approvers = [\"U0BEA\", \"U0CHRIS\"]",
        "approvers = [\"U0BEA\", \"U0CHRIS\", \"U0EVE\"]\napprovals = 2",
    );
    let story = Story::begin_with(&policy).await;
    let id = story.asked(ANA, "VM3 22").await;
    story.click(BEA, &id, "approve").await;
    assert!(story.says(&id).await.contains(" 1 of 2 approvals so far."));
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "PENDING", "one person counts once");
    story.click(ANA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "PENDING", "nobody approves their own request");
    story.advance(20 * 60).await;
    story.click(EVE, &id, "approve").await;
    story.felt().await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    assert_eq!(story.record(&id).await.approvals().len(), 2);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_decide_does_not() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22").await;
    for (user, expected) in
        [(EVE, "You cannot decide on this request; "), (ANA, "You asked for this yourself; ")]
    {
        for action in ["approve", "deny"] {
            story.click_in_slack(user, &id, action).await;
            story.settle().await;
            assert_eq!(story.status(&id).await, "PENDING");
            assert!(story.told(user).await.pop().unwrap().starts_with(expected));
        }
    }
    story.advance(61 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_a_grant() {
    let story = Story::begin_on_disk().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let waiting = story.asked(ANA, "VM1 3389").await;
    story.click(BEA, &id, "approve").await;
    story.advance(60).await;
    let story = story.restart().await;
    story.felt().await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"), "Azure does not restart with us");
    assert_eq!(story.status(&id).await, "OPEN");
    story.deny(BEA, &waiting).await;
    story.advance(27 * 60).await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    let story = story.restart().await;
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
    assert!(story.says(&id).await.starts_with("VM3 port 22 is shut. Its time is over."));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_s_own_channel_shows_its_requests() {
    let databases = "[[rules]]\nname = \"databases\"\nmachines = [\"VM3\"]\nrequesters = [\"U0ANA\"]\napprovers = [\"U0BEA\"]\nsource = \"203.0.113.7\"\nchannel = \"C0DATABASES\"\n\n[[rules]]";
    let story = Story::begin_with(&sandbox::host::wiring::POLICY.replacen("[[rules]]", databases, 1)).await;
    for (text, channel) in [("VM3 22 for 5m", "C0DATABASES"), ("VM1 3389 for 5m", "C0JIT")] {
        let id = story.asked(ANA, text).await;
        story.click(BEA, &id, "approve").await;
        assert_eq!(story.status(&id).await, "OPEN");
        let shown = story.world.store.read(id.parse().unwrap()).await.unwrap().unwrap().shown;
        assert_eq!(shown.channel.as_deref(), Some(channel), "{text}");
    }
    story.advance(6 * 60).await;
    story.finish().await;
}
