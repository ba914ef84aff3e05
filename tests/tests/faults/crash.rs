//! A function's process dies in the middle of its work. Whoever comes next carries on from the record.

use ajar_tests::{ANA, BEA, Story};
use sandbox::azure::What;
use serde_json::json;

/// How often `grant` has written a rule that was not there, and one that was.
fn puts(story: &Story) -> (usize, usize) {
    let journal = story.world.azure.journal();
    let count = |what| journal.iter().filter(|entry| entry.what == what && entry.by == "grant").count();
    (count(What::PutNew), count(What::PutChanged))
}

#[tokio::test(flavor = "multi_thread")]
async fn grant_dies_before_its_put() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let how = json!({"crash_before": {"function": "grant"}});
    story.fault(json!({"part": "arm", "method": "PUT", "path": "securityRules", "how": how})).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPENING", "the intent is recorded, and nothing more");
    assert_eq!(puts(&story), (0, 0));
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
    story.advance(3 * 60).await;
    assert_eq!(story.status(&id).await, "OPEN", "another invocation carries on");
    assert_eq!(puts(&story), (2, 0), "one in each group");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test]
async fn grant_dies_after_its_put() {
    let story = Story::begin_in_steps().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let how = json!({"crash_after": {"function": "grant"}});
    story.fault(json!({"part": "arm", "method": "PUT", "path": "securityRules", "how": how})).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPENING");
    assert_eq!(puts(&story), (1, 0), "Azure has heard of it");
    assert!(story.says(&id).await.contains("approved, opening"), "and nobody says that it is open");
    // The dead one's lock ends after half a minute.
    story.advance(3 * 60).await;
    assert_eq!(story.status(&id).await, "OPEN", "whoever comes next carries on");
    assert_eq!(
        puts(&story),
        (2, 0),
        "what stands as planned is not written again, only the one in the other group"
    );
    assert_eq!(story.azure.rules_of_ours().await.len(), 2);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grant_dies_after_its_put_and_never_comes_back() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 5m").await;
    let how = json!({"crash_after": {"function": "grant"}});
    story
        .fault(json!({"part": "arm", "method": "PUT", "path": "securityRules", "how": how, "count": 100}))
        .await;
    story.click(BEA, &id, "approve").await;
    // Whoever takes it up again asks for the machine first.
    let how = json!({"crash_before": {"function": "grant"}});
    story
        .fault(
            json!({"part": "arm", "method": "GET", "path": "virtualMachines/VM3", "how": how, "count": 100}),
        )
        .await;
    story.advance(2 * 60).await;
    assert_eq!(story.status(&id).await, "OPENING");
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"), "shut on time without it");
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grant_dies_before_it_records_its_plan() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let how = json!({"crash_before": {"function": "grant"}});
    story.fault(json!({"part": "arm", "method": "GET", "path": "networkSecurityGroups", "how": how})).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "APPROVED");
    story.advance(3 * 60).await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_dies_around_its_delete() {
    for how in ["crash_before", "crash_after"] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        story.click(BEA, &id, "approve").await;
        let how = json!({how: {"function": "revoke"}});
        story.fault(json!({"part": "arm", "method": "DELETE", "how": how})).await;
        story.to_next_end().await;
        story.advance(2 * 60).await;
        assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
        assert_eq!(story.status(&id).await, "CLOSED");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notify_dies_while_it_posts() {
    for (how, method) in [
        ("crash_before", "chat.update"),
        ("crash_after", "chat.update"),
        ("crash_before", "chat.postMessage"),
    ] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        let how = json!({how: {"function": "notify"}});
        story.fault(json!({"part": "slack", "path": method, "how": how})).await;
        story.click(BEA, &id, "approve").await;
        story.advance(2 * 60).await;
        assert!(story.says(&id).await.starts_with("VM3 port 22 is open."));
        story.to_next_end().await;
        assert!(story.says(&id).await.starts_with("VM3 port 22 is shut."));
        story.finish().await;
    }
}
