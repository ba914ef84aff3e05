//! Slack is gone for hours, or hangs: ports do not notice, and afterwards every card is right.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use access::lifecycle::EventKind;
use ajar_tests::{ANA, BEA, CHRIS, Story};
use sandbox::fronts::{Fronts, Outage, Part, Service};
use sandbox::host::{Stepped, wiring};
use serde_json::json;

const MINUTE: u64 = 60;

/// How many seconds after its end a grant began to be shut.
async fn lateness(story: &Story, id: &str) -> u64 {
    let lines = story.world.store.history(id.parse().unwrap()).await.unwrap();
    let closing = lines.iter().find(|line| matches!(line.event.kind, EventKind::Closing { .. }));
    let record = story.record(id).await;
    let ends = record.granted().unwrap().expires_at();
    closing.unwrap().event.at.since(ends)
}

#[tokio::test]
async fn slack_is_gone_for_two_hours() {
    let fronts = Fronts::default();
    let from_ms = (Stepped::BEGINS.unix() + 10 * MINUTE) * 1000;
    for function in ["request", "grant", "revoke", "notify", "discover"] {
        let (function, until_ms) = (function.to_owned(), from_ms + 120 * MINUTE * 1000);
        fronts.fail(Outage { function, service: Service::Slack, from_ms, until_ms });
    }
    let story =
        Story::begin_stepped(wiring::POLICY, Stepped { fronts: fronts.clone(), ..Stepped::default() }).await;
    // One that ends meanwhile, one that is approved meanwhile, one that nobody decides, and one that was denied.
    let ends = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &ends, "approve").await;
    let approved = story.asked(ANA, "VM1 3389 for 1h").await;
    let lapses = story.asked(ANA, "VM2 3389 for 1h").await;
    story.advance(9 * MINUTE).await;
    assert_eq!(story.status(&ends).await, "OPEN");
    assert!(story.says(&ends).await.starts_with("VM3 port 22 is open."));

    story.advance(2 * MINUTE).await;
    let told_before = story.messages().await.len();
    // What is decided now is decided on cards that hang there; what is asked for now has none.
    story.click(BEA, &approved, "approve").await;
    let unseen = story.ask(CHRIS, "VM4 5985 from 203.0.113.7 for 1h").await;
    let unseen = unseen.rsplit_once("Ref ").unwrap().1.to_owned();
    story.advance(2 * MINUTE).await;
    assert_eq!(story.status(&approved).await, "OPEN", "it opens without Slack");
    story.felt().await;
    assert!(story.lets_in("VM1", 3389, "203.0.113.7"));
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    story.advance(18 * MINUTE).await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"), "and it is shut without Slack");
    assert!(story.lets_in("VM1", 3389, "203.0.113.7"));
    story.advance(50 * MINUTE).await;
    assert!(!story.lets_in("VM1", 3389, "203.0.113.7"));
    let waiting = story.ask(BEA, "VM4 3389 from 203.0.113.7 for 30m").await;
    let waiting = waiting.rsplit_once("Ref ").unwrap().1.to_owned();
    story.advance(45 * MINUTE).await;
    let commands = story.messages().await.iter().filter(|entry| entry["method"] == "command_answer").count();
    assert_eq!(story.messages().await.len(), told_before + commands - 3, "nobody was told anything");
    for id in [&ends, &approved] {
        assert_eq!((story.status(id).await, lateness(&story, id).await), ("CLOSED", 0), "to the second");
    }

    // It is back.
    story.advance(7 * MINUTE).await;
    for (id, says) in [
        (&ends, "VM3 port 22 was shut. Its time is over."),
        (&approved, "VM1 port 3389 was shut. Its time is over."),
        (&lapses, "VM2 port 3389: lapsed."),
        (&unseen, "VM4 port 5985: lapsed."),
        (&waiting, "VM4 port 3389: waiting for approval."),
    ] {
        let card = story.says(id).await;
        assert!(card.starts_with(says), "{card}");
    }
    let messages = story.messages().await;
    for id in [&unseen, &waiting] {
        let is_card = |entry: &&serde_json::Value| {
            entry["method"] == "chat.postMessage"
                && entry["channel"] == "C0JIT"
                && entry["body"]["thread_ts"].is_null()
                && entry["body"]["text"].as_str().is_some_and(|text| text.ends_with(id.as_str()))
        };
        assert_eq!(messages.iter().filter(is_card).count(), 1, "one card");
    }
    story.click(CHRIS, &waiting, "approve").await;
    story.advance(MINUTE).await;
    assert_eq!(story.status(&waiting).await, "OPEN");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test]
async fn a_slack_that_hangs_holds_nothing_up() {
    let fronts = Fronts::default();
    let limits_percent = [("notify".to_owned(), 15)].into();
    let stepped = Stepped { fronts: fronts.clone(), limits_percent, ..Stepped::default() };
    let story = Story::begin_stepped(wiring::POLICY, stepped).await;
    let ends = story.asked(ANA, "VM3 22 for 5m").await;
    story.click(BEA, &ends, "approve").await;
    story.advance(MINUTE).await;
    assert_eq!(story.status(&ends).await, "OPEN");
    // Every call takes longer than a call may.
    let hangs =
        json!({"part": "slack", "path": "chat.", "how": {"slow": {"milliseconds": 4_000}}, "count": 100_000});
    story.fault(hangs).await;
    let begun = story.now();
    let calls = || {
        fronts
            .calls()
            .into_iter()
            .filter(|call| call.id.function == "notify" && call.id.part == Part::Slack)
            .count()
    };
    let before = calls();
    let mut ids = vec![];
    for port in [22, 3389, 5985, 5986] {
        for machine in ["VM1", "VM2", "VM4"] {
            let answer = story.ask(CHRIS, &format!("{machine} {port} from 203.0.113.7 for 5m")).await;
            ids.push(answer.rsplit_once("Ref ").unwrap().1.to_owned());
        }
    }
    story.to_next_end().await;
    story.advance(3).await;
    assert_eq!((story.status(&ends).await, lateness(&story, &ends).await), ("CLOSED", 0));
    let minutes = (story.now() - begun).div_ceil(MINUTE);
    let hung = calls() - before;
    assert!(hung as u64 <= 2 * minutes + 1, "{hung} calls in {minutes} minutes");
    story.no_faults().await;
    story.advance(6 * MINUTE).await;
    assert!(story.says(&ends).await.starts_with("VM3 port 22 was shut."));
    for id in &ids {
        assert!(story.says(id).await.contains(": waiting for approval."));
        story.deny(BEA, id).await;
    }
    story.finish().await;
}
