//! Slack says no, in each way that has a decision of its own (`access::unsaid`).

use ajar_tests::{ANA, BEA, EVE, Story};
use serde_json::{Value, json};

/// Slack answers the next `count` calls of this method with this error.
fn no(method: &str, error: &str, count: u32) -> Value {
    let how = json!({"answer": {"status": 200, "body": {"ok": false, "error": error}}});
    json!({"part": "slack", "path": method, "how": how, "count": count})
}

/// How many messages the app has posted or tried to post by this method, and Slack has taken.
async fn taken(story: &Story, method: &str) -> usize {
    let messages = story.messages().await;
    messages.iter().filter(|entry| entry["method"] == method && entry["ok"] == true).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_does_not_take_as_it_was_made_is_said_as_a_text() {
    for error in ["invalid_blocks", "msg_blocks_too_long", "invalid_arguments"] {
        let story = Story::begin().await;
        story.fault(no("chat.postMessage", error, 1)).await;
        let id = story.asked(ANA, "VM3 22 for 10m because <!channel>").await;
        let messages = story.messages().await;
        let posted = messages.iter().find(|entry| entry["method"] == "chat.postMessage").unwrap();
        assert_eq!(posted["body"]["blocks"], Value::Null);
        let text = posted["body"]["text"].as_str().unwrap();
        assert!(text.starts_with("VM3 port 22: waiting for approval. "), "{text}");
        assert!(text.contains("Why: \u{201c}&lt;!channel&gt;\u{201d}."), "{text}");
        assert!(text.ends_with("it is shown as text, without buttons.)"), "{text}");
        story.advance(3_601).await;
        assert!(story.says(&id).await.starts_with("VM3 port 22: lapsed."), "and the next time whole");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_nobody_can_write_to_is_not_written_to_again_and_again() {
    for error in ["user_disabled", "channel_not_found", "messages_tab_disabled", "fatal_error"] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        // To Bea, that it was approved in her name, and to Ana.
        story.fault(no("chat.postMessage", error, 2)).await;
        story.click(BEA, &id, "approve").await;
        let updates = taken(&story, "chat.update").await;
        story.advance(3 * 60).await;
        assert!(story.says(&id).await.starts_with("VM3 port 22 is open."), "{error}");
        for user in [ANA, BEA] {
            assert_eq!(story.told(user).await, [""; 0], "{error}");
        }
        assert_eq!(taken(&story, "chat.update").await, updates, "{error}: nothing is left to be shown");
        story.to_next_end().await;
        assert_eq!(story.told(ANA).await.len(), 1, "how it ended is told anew");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_gone_is_posted_anew() {
    for error in ["message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        story.fault(no("chat.update", error, 1)).await;
        story.click(BEA, &id, "approve").await;
        assert!(story.says(&id).await.starts_with("VM3 port 22 is open."), "{error}");
        story.to_next_end().await;
        assert!(story.says(&id).await.starts_with("VM3 port 22 is shut."), "{error}");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_in_which_nobody_can_be_told_is_replaced_by_the_default_one() {
    for error in ["is_archived", "not_in_channel", "restricted_action_read_only_channel"] {
        let databases = "[[rules]]\nname = \"databases\"\nmachines = [\"VM3\"]\nrequesters = [\"U0ANA\"]\napprovers = [\"U0BEA\"]\nsource = \"203.0.113.7\"\nchannel = \"C0DATABASES\"\n\n[[rules]]";
        let policy = sandbox::host::wiring::POLICY.replacen("[[rules]]", databases, 1);
        let story = Story::begin_with(&policy).await;
        story.fault(no("chat.postMessage", error, 1)).await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        assert_eq!(story.card(&id).await["channel"], "C0JIT", "{error}");
        story.click(BEA, &id, "approve").await;
        assert!(story.says(&id).await.starts_with("VM3 port 22 is open."), "{error}");
        story.to_next_end().await;
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_to_set_right_is_tried_until_it_is() {
    for error in ["missing_scope", "team_access_not_granted", "service_unavailable", "an_error_of_tomorrow"] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        story.fault(no("chat.", error, 100_000)).await;
        story.click(BEA, &id, "approve").await;
        story.advance(3 * 60).await;
        assert!(story.says(&id).await.contains("waiting for approval"), "{error}");
        story.no_faults().await;
        story.advance(2 * 60).await;
        assert!(story.says(&id).await.starts_with("VM3 port 22 is open."), "{error}");
        assert_eq!(story.told(ANA).await.len(), 1, "{error}");
        story.to_next_end().await;
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_followed_from_where_slack_takes_answers() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("http://{}/latest/meta-data/", elsewhere.local_addr().unwrap());
    for status in [301, 302, 303, 307, 308] {
        let story = Story::begin().await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        let how = json!({"answer": {"status": status, "headers": {"location": location}}});
        story.fault(json!({"part": "slack", "path": "/actions/", "how": how})).await;
        story.click_in_slack(EVE, &id, "approve").await;
        story.settle().await;
        assert_eq!(story.told(EVE).await, Vec::<String>::new(), "Slack did not take it");
        let nobody = elsewhere.accept().unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock, "{status} was followed");
        // It is dropped: the next click is answered as ever.
        story.click_in_slack(EVE, &id, "approve").await;
        story.settle().await;
        assert_eq!(story.told(EVE).await.len(), 1, "{status}");
        story.deny(BEA, &id).await;
        story.finish().await;
    }
}
