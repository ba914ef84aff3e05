//! The thread of a card: each step, who took it and when, in order and once.

use ajar_tests::deciding::reason_given;
use ajar_tests::{ANA, BEA, CHRIS, Story};
use sandbox::host::Stepped;
use sandbox::host::wiring::POLICY;
use serde_json::json;

const ASKED: &str = "<@U0ANA> asked for it.";
const APPROVED: &str = "<@U0BEA> approved it.";
const OPENED: &str = "Ajar saw its rule in place, and by Azure's rules it was open.";
const EXPIRED: &str = "Ajar began to shut it. The reason then: Its time is over.";
const OVER: &str = "It was over: Ajar saw that no rule of it was left in Azure.";

/// What each message says.
async fn messages(story: &Story, id: &str) -> Vec<Vec<String>> {
    let said = |lines: Vec<(u64, String)>| lines.into_iter().map(|(_, said)| said).collect();
    story.steps(id).await.into_iter().map(said).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_there_once_when_it_has_come_to_rest() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    assert_eq!(messages(&story, &id).await, [[""; 0]; 0], "its card says that it was asked");
    story.advance(90).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(messages(&story, &id).await, [[ASKED, APPROVED, OPENED]]);
    story.to_next_end().await;
    assert_eq!(messages(&story, &id).await, [vec![ASKED, APPROVED, OPENED], vec![EXPIRED, OVER]]);
    // Nothing is said of it when Ajar stops looking.
    story.advance(31 * 60).await;
    assert_eq!(story.history(&id).await.last(), Some(&json!("settled")));
    let steps: Vec<(u64, String)> = story.steps(&id).await.concat();
    assert_eq!(steps.len(), 5);
    let history = story.world.store.history(id.parse().unwrap()).await.unwrap();
    for (at, said) in &steps {
        let is_it = |line: &&edge::store::Line| {
            line.event.at.unix() == *at
                && access::wording::step_of(&line.event.kind, access::request::Means::Approval) == *said
        };
        assert_eq!(history.iter().filter(is_it).count(), 1, "{said} at {at}");
    }
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_approval_is_told_and_so_is_an_early_end() {
    let story = Story::begin_with(&POLICY.replace(
        "approvers = [\"U0BEA\", \"U0CHRIS\"]",
        "approvers = [\"U0BEA\", \"U0CHRIS\", \"U0EVE\"]\napprovals = 2",
    ))
    .await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    let first = [ASKED, "<@U0BEA> approved it, as number 1 of 2."];
    assert_eq!(messages(&story, &id).await, [first]);
    story.click(CHRIS, &id, "approve").await;
    let second = ["<@U0CHRIS> approved it, as number 2 of 2.", OPENED];
    assert_eq!(messages(&story, &id).await, [first, second]);
    story.click(CHRIS, &id, "end").await;
    let third = ["Ajar began to shut it. The reason then: <@U0CHRIS> ended it early.", OVER];
    assert_eq!(messages(&story, &id).await, [first, second, third]);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_opened_has_its_end_in_the_thread() {
    let story = Story::begin().await;
    let denied = story.asked(ANA, "VM3 22 for 30m").await;
    story.click_in_slack(BEA, &denied, "deny").await;
    story.world.slack.submit_view(BEA, &reason_given("not <!channel> now")).await.unwrap();
    story.settle().await;
    let said = "<@U0BEA> denied it: \u{201c}not &lt;!channel&gt; now\u{201d}. Nothing was opened.";
    assert_eq!(messages(&story, &denied).await, [[ASKED, said]]);
    let lapsed = story.asked(ANA, "VM3 22 for 30m").await;
    story.advance(61 * 60).await;
    let said = "It lapsed: nobody had decided in time. Nothing was opened.";
    assert_eq!(messages(&story, &lapsed).await, [[ASKED, said]]);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_twice_is_told_once() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let click = story.signed_click(BEA, &id, "approve").await;
    let both = futures::future::join(
        story.deliver("slack_interaction_url", &click),
        story.deliver("slack_interaction_url", &click),
    )
    .await;
    assert_eq!((both.0.0, both.1.0), (200, 200));
    story.settle().await;
    // The stream tells `notify` of the same change once more, and the tick comes by.
    let mut item = story.item(&id).await;
    item.insert("tell".to_owned(), aws_sdk_dynamodb::types::AttributeValue::S("notify".to_owned()));
    story.put_item(item).await;
    story.settle().await;
    story.advance(3 * 60).await;
    assert_eq!(messages(&story, &id).await, [[ASKED, APPROVED, OPENED]]);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_slack_was_down_every_step_is_there_in_order() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    let how = json!({"answer": {"status": 200, "body": {"ok": false, "error": "service_unavailable"}}});
    story.fault(json!({"part": "slack", "path": "chat.", "how": how, "count": 100_000})).await;
    story.click(BEA, &id, "approve").await;
    story.to_next_end().await;
    assert_eq!(story.status(&id).await, "CLOSED");
    // Long after Ajar has stopped looking for late rules.
    story.advance(40 * 60).await;
    assert_eq!(messages(&story, &id).await, [[""; 0]; 0]);
    story.no_faults().await;
    story.advance(2 * 60).await;
    assert_eq!(messages(&story, &id).await, [[ASKED, APPROVED, OPENED, EXPIRED, OVER]]);
    assert!(story.says(&id).await.starts_with("VM3 port 22 was shut."), "{}", story.says(&id).await);
    story.finish().await;
}

#[tokio::test]
async fn a_thread_that_slack_has_no_room_for_holds_up_nothing_and_is_told_later() {
    let policy = POLICY.replace("undecided =", "approvals = 2\nundecided =");
    let story = Story::begin_stepped(&policy, Stepped::default()).await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.advance(10).await;
    story.world.slack.limit_rates();
    // A card comes first, in the same second.
    story.asked(ANA, "VM2 3389 for 30m").await;
    story.click(BEA, &id, "approve").await;
    assert!(story.says(&id).await.contains("1 of 2 approvals so far."), "{}", story.says(&id).await);
    assert_eq!(story.told(BEA).await.len(), 1, "what she has approved");
    assert_eq!(messages(&story, &id).await, [[""; 0]; 0]);
    let updates = async || {
        let all = story.messages().await;
        all.iter().filter(|entry| entry["method"] == "chat.update").count()
    };
    let before = updates().await;
    story.advance(3 * 60).await;
    assert_eq!(messages(&story, &id).await, [[ASKED, "<@U0BEA> approved it, as number 1 of 2."]]);
    assert_eq!(updates().await, before, "the card was as it should be");
    story.advance(61 * 60).await;
    story.finish().await;
}
