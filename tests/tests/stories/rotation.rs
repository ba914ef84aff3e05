//! Slack's secrets change while people ask and decide.

use ajar_tests::{ANA, BEA, CHRIS, Story, signed};
use sandbox::host::wiring::{BOT_TOKEN, POLICY, SECRET_ID, SIGNING_SECRET};
use serde_json::{Value, json};

const NEW: &str = "0f0e0d0c0b0a09080706050403020100";

/// Slack signs with another secret from now on, and the operator has put it in.
fn rotate(story: &Story) {
    let retired = json!([{"signing_secret": SIGNING_SECRET, "retired_at": story.now()}]);
    let secret = json!({"signing_secret": NEW, "bot_token": BOT_TOKEN, "retired": retired});
    story.world.secrets.set(SECRET_ID, secret.to_string());
}

/// A click that Slack signs with this secret now: the status of the answer.
async fn click(story: &Story, secret: &str, user: &str, id: &str) -> u16 {
    let body = story.signed_click(user, id, "approve").await.body;
    let (status, _) = story.deliver("slack_interaction_url", &signed::sign(secret, story.now(), body)).await;
    story.settle().await;
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_waits_for_a_second_one_outlives_its_signing_secret() {
    const APPROVERS: &str = "approvers = [\"U0BEA\", \"U0CHRIS\"]";
    let two = POLICY.replacen(APPROVERS, &format!("{APPROVERS}\napprovals = 2"), 1);
    let story = Story::begin_with(&two).await;
    let id = story.asked(ANA, "VM3 22 for 30m because patching").await;
    assert_eq!(click(&story, SIGNING_SECRET, BEA, &id).await, 200);
    assert_eq!(story.status(&id).await, "PENDING");
    story.advance(60).await;
    rotate(&story);
    story.advance(60).await;
    assert_eq!(click(&story, NEW, CHRIS, &id).await, 200, "what is signed anew is known at once");
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    let keys: Vec<Value> =
        story.record(&id).await.approvals().iter().map(|one| json!(one.click.key)).collect();
    assert_ne!(keys[0], keys[1]);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_secret_signs_nothing_any_more() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m because patching").await;
    rotate(&story);
    // Whoever asks for anything renews what is known, in five minutes at the latest.
    story.advance(301).await;
    assert_eq!(story.deliver("slack_command_url", &story.command(BEA, "help")).await.0, 200);
    assert_eq!(click(&story, SIGNING_SECRET, BEA, &id).await, 401);
    assert_eq!(story.status(&id).await, "PENDING");
    assert_eq!(click(&story, "neither", BEA, &id).await, 401);
    assert_eq!(click(&story, NEW, BEA, &id).await, 200);
    assert_eq!(story.status(&id).await, "OPEN");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_bot_token_is_taken_when_slack_refuses_the_old_one() {
    let story = Story::begin().await;
    let first = story.asked(ANA, "VM3 22 for 30m because patching").await;
    assert!(story.says(&first).await.starts_with("VM3 port 22: waiting"));
    let secret = json!({"signing_secret": SIGNING_SECRET, "bot_token": "xoxb-1-1-renewed"});
    story.world.secrets.set(SECRET_ID, secret.to_string());
    story.world.slack.set_bot_token("xoxb-1-1-renewed");
    // Secrets are read again no more often than each half minute.
    story.advance(31).await;
    story.click(BEA, &first, "approve").await;
    assert!(story.says(&first).await.starts_with("VM3 port 22 is open."));
    story.to_next_end().await;
    story.finish().await;
}
