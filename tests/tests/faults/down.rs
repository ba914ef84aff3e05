//! Parts that do not answer, answer late, or refuse.

use ajar_tests::{ANA, BEA, CHRIS, Story};
use serde_json::{Value, json};

/// A part whose every call fails, until the faults are taken back.
fn down(part: &str) -> Value {
    let how = json!({"answer": {"status": 503, "body": {"ok": false, "error": "down"}}});
    json!({"part": part, "how": how, "count": 100_000})
}

async fn open(story: &Story, text: &str) -> String {
    let id = story.asked(ANA, text).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_is_down_from_the_approval_to_the_end() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    story.fault(down("slack")).await;
    story.click(BEA, &id, "approve").await;
    story.felt().await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"), "opening does not wait for Slack's cards");
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"), "and shutting neither");
    story.advance(60).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    assert!(story.says(&id).await.contains("waiting for approval"), "nobody was told yet");
    story.no_faults().await;
    story.advance(2 * 60).await;
    let card = story.says(&id).await;
    assert!(card.starts_with("VM3 port 22 was shut. Its time is over. Shut at "), "{card}");
    assert_eq!(story.told(ANA).await.len(), 1, "that it was open is not told any more");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_is_down_when_it_is_asked() {
    let story = Story::begin().await;
    story.fault(down("slack")).await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    story.advance(60).await;
    story.no_faults().await;
    story.advance(2 * 60).await;
    story.click(BEA, &id, "approve").await;
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_hears_late_is_told_as_past() {
    let story = Story::begin().await;
    let first = open(&story, "VM3 22 for 10m").await;
    let second = story.asked(BEA, "VM3 22 for 1h").await;
    story.fault(down("slack")).await;
    story.to_next_end().await;
    story.click(CHRIS, &second, "approve").await;
    story.felt().await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    story.advance(60).await;
    story.no_faults().await;
    story.advance(2 * 60).await;
    assert!(story.says(&first).await.starts_with("VM3 port 22 was shut."), "the second one is open now");
    assert!(story.says(&second).await.starts_with("VM3 port 22 is open."));
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_whose_answer_is_lost() {
    let story = Story::begin().await;
    story.fault(json!({"part": "slack", "path": "chat.postMessage", "how": "cut_after"})).await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    story.advance(2 * 60).await;
    story.click(BEA, &id, "approve").await;
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_without_an_answer() {
    for how in [json!("cut_before"), json!("cut_after"), json!({"answer": {"status": 500}})] {
        let story = Story::begin().await;
        story.fault(json!({"part": "arm", "method": "PUT", "how": how})).await;
        open(&story, "VM3 22 for 10m").await;
        assert_eq!(story.azure.rules_of_ours().await.len(), 2, "one in each group");
        story.to_next_end().await;
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_lands_after_all_was_over() {
    let mut story = Story::begin().await;
    story.expect_overlaps();
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    // The rule is written a second and a half later, three times over; nobody learns of it.
    let how = json!({"late": {"milliseconds": 1500}});
    story.fault(json!({"part": "arm", "method": "PUT", "how": how, "count": 3})).await;
    story.click(BEA, &id, "approve").await;
    let card = story.says(&id).await;
    assert!(card.contains("not opened. ") || card.contains(" shut. ") || card.contains("is open"), "{card}");
    // Until it has landed, by what Azure says.
    let rule = format!("jit-sandbox-{id}");
    while !story.world.azure.journal().iter().any(|entry| entry.rule == rule) {
        tokio::task::yield_now().await;
    }
    story.advance(2 * 60).await;
    story.advance(10 * 60).await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_refuses_the_rule() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22").await;
    let body = json!({"error": {"code": "AuthorizationFailed", "message": "No."}});
    let how = json!({"answer": {"status": 403, "body": body}});
    story.fault(json!({"part": "arm", "method": "PUT", "how": how})).await;
    story.click(BEA, &id, "approve").await;
    let card = story.says(&id).await;
    assert!(card.contains("Azure refused the rule (AuthorizationFailed)."), "{card}");
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operation_fails_at_first() {
    for status in ["Failed", "Canceled"] {
        let story = Story::begin().await;
        let how = json!({"operation_ends": {"status": status, "code": "InternalServerError"}});
        story.fault(json!({"part": "arm", "method": "PUT", "how": how})).await;
        open(&story, "VM3 22 for 10m").await;
        story.to_next_end().await;
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_is_busy_when_it_must_shut() {
    let story = Story::begin().await;
    open(&story, "VM3 22 for 10m").await;
    let body = json!({"error": {"code": "RetryableError", "message": "Later."}});
    let how = json!({"answer": {"status": 429, "body": body}});
    story.fault(json!({"part": "arm", "method": "DELETE", "how": how, "count": 3})).await;
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_is_down_at_the_end() {
    let story = Story::begin().await;
    let id = open(&story, "VM3 22 for 10m").await;
    story.fault(down("arm")).await;
    story.to_next_end().await;
    story.advance(4 * 60).await;
    assert_eq!(story.status(&id).await, "CLOSING");
    let card = story.says(&id).await;
    assert!(card.starts_with("VM3 port 22 should be shut and is not. It should have shut at "), "{card}");
    story.no_faults().await;
    story.advance(2 * 60).await;
    assert!(story.says(&id).await.contains("VM3 port 22 is shut. Its time is over."));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entra_is_down_for_a_while() {
    for part in ["entra", "sts"] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22 for 30m").await;
        story.fault(down(part)).await;
        story.click(BEA, &id, "approve").await;
        assert_eq!(story.status(&id).await, "APPROVED");
        story.advance(60).await;
        story.no_faults().await;
        story.advance(3 * 60).await;
        assert_eq!(story.status(&id).await, "OPEN");
        story.to_next_end().await;
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_loses_answers() {
    for operation in ["TransactWriteItems", "UpdateItem"] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        for how in ["cut_after", "cut_before"] {
            story.fault(json!({"part": "dynamodb", "method": operation, "how": how})).await;
        }
        story.click(BEA, &id, "approve").await;
        story.advance(3 * 60).await;
        assert_eq!(story.status(&id).await, "OPEN");
        for how in ["cut_after", "cut_before"] {
            story.fault(json!({"part": "dynamodb", "method": operation, "how": how})).await;
        }
        story.to_next_end().await;
        story.advance(2 * 60).await;
        story.finish().await;
    }
}
