//! What time alone brings: that nobody has decided yet, and that a grant ends soon; and asking once more.

use ajar_tests::{ANA, BEA, CHRIS, Story};
use sandbox::faults::{Fault, How, Part};
use serde_json::json;
use std::collections::BTreeMap;

const FROM: &str = "203.0.113.7";

async fn reminders(story: &Story) -> Vec<String> {
    let news = story.channel_news().await;
    let in_thread = |(text, in_thread): &(String, bool)| *in_thread && text.contains(" still waits for ");
    news.into_iter().filter(in_thread).map(|(text, _)| text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn undecided_it_is_told_once_at_half_time_and_asked_again_when_it_has_lapsed() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.advance(29 * 60).await;
    assert_eq!(reminders(&story).await, [""; 0]);
    story.advance(2 * 60).await;
    let told = reminders(&story).await;
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(
        told.starts_with(
            "<@U0ANA> still waits for VM3 port 22 from 203.0.113.7 for 30 minutes. <@U0BEA> or <@U0CHRIS> can decide."
        ),
        "{told}"
    );
    story.advance(31 * 60).await;
    assert_eq!(reminders(&story).await.len(), 1);
    assert!(story.says(&id).await.starts_with("VM3 port 22: lapsed."));

    let card = story.card(&id).await;
    let (channel, ts) = (card["channel"].as_str().unwrap(), card["ts"].as_str().unwrap());
    let block = format!("again-{id}");
    story.world.slack.click(BEA, channel, ts, &block, "ask_again").await.unwrap();
    story.settle().await;
    let told = story.told(BEA).await.pop().unwrap();
    assert_eq!(told, "Only <@U0ANA> can ask for this again. Type `/jit VM3 22` for yourself.");
    // However often it is pressed, it is one request.
    for _ in 0..2 {
        story.world.slack.click(ANA, channel, ts, &block, "ask_again").await.unwrap();
        story.settle().await;
    }
    assert_eq!(story.requests().await.len(), 2);
    let told = story.told(ANA).await;
    let [.., first, second] = told.as_slice() else { panic!("{told:?}") };
    assert!(first.starts_with("You asked for VM3 port 22 from 203.0.113.7 for 30 minutes."), "{first}");
    assert!(second.contains("that request waits for a decision."), "{second}");
    let again = first.rsplit_once("Ref ").unwrap().1;
    assert!(second.ends_with(again), "{second}");
    assert_ne!(again, id);
    story.click(BEA, again, "approve").await;
    assert_eq!(story.status(again).await, "OPEN");
    story.to_next_end().await;
    story.world.slack.click(ANA, channel, ts, &block, "ask_again").await.unwrap();
    story.settle().await;
    let told = story.told(ANA).await.pop().unwrap();
    assert_eq!(told, format!("You have asked for VM3 port 22 again already. Ref {again}"));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_end_its_requester_is_told_and_can_ask_for_more() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    let soon = async || {
        let told = story.told(ANA).await;
        told.into_iter().filter(|text| text.starts_with("VM3 port 22 shuts at ")).collect::<Vec<_>>()
    };
    story.advance(19 * 60).await;
    assert_eq!(soon().await, [""; 0]);
    story.advance(90).await;
    assert_eq!(soon().await.len(), 1);

    story.press_direct(ANA, "ask_again").await;
    let told = story.told(ANA).await.pop().unwrap();
    let (said, more) = told.rsplit_once("Ref ").unwrap();
    assert!(said.starts_with("You asked for VM3 port 22 from 203.0.113.7 for 30 minutes."), "{told}");
    assert_ne!(more, id);
    story.click(CHRIS, more, "approve").await;
    story.to_next_end().await;
    assert_eq!((story.status(&id).await, story.status(more).await), ("CLOSED", "OPEN"));
    story.felt().await;
    assert!(story.lets_in("VM3", 22, FROM), "the new grant lets in when the old one has ended");
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, FROM));
    assert_eq!(soon().await.len(), 2, "each grant once");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_grant_is_not_told_of_twice() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 5m").await;
    story.click(BEA, &id, "approve").await;
    story.to_next_end().await;
    let told = story.told(ANA).await;
    assert!(told.iter().all(|text| !text.contains(" shuts at ")), "{told:?}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_does_not_take_at_its_time_is_told_later() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let how = How::Answer {
        status: 200,
        headers: BTreeMap::new(),
        body: json!({"ok": false, "error": "internal_error"}),
    };
    let path = Some("chat.postMessage".to_owned());
    story.sandbox().faults().order(Fault { part: Part::Slack, method: None, path, how, count: 2 });
    story.advance(31 * 60).await;
    story.advance(3 * 60).await;
    assert_eq!(reminders(&story).await.len(), 1);
    story.deny(BEA, &id).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_went_past_approval_is_not_told_of_a_button_that_is_not_there() {
    let policy =
        sandbox::host::wiring::POLICY.replace("approvers =", "break_glass = [\"U0ANA\"]\napprovers =");
    let story = Story::begin_with(&policy).await;
    let id = story.asked(ANA, "VM3 22 for 30m break-glass because the database is down").await;
    story.click(ANA, &id, "break_glass").await;
    story.advance(21 * 60).await;
    let messages = story.messages().await;
    let soon = messages
        .iter()
        .find(|entry| {
            entry["body"]["text"].as_str().is_some_and(|text| text.starts_with("VM3 port 22 shuts at "))
        })
        .unwrap();
    let text = soon["body"]["text"].as_str().unwrap();
    assert!(text.contains("If you need it longer, type the line again. Ref "), "{text}");
    assert_eq!(soon["body"]["blocks"].as_array().unwrap().len(), 1, "no button");
    story.to_next_end().await;
    story.finish().await;
}
