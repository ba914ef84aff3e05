//! A crowd, and a Slack that takes no more than its rate limits say.

use access::lifecycle::EventKind;
use ajar_tests::{ANA, BEA, CHRIS, Story};
use serde_json::Value;
use std::collections::BTreeMap;

/// How long the cards may take, in seconds.
const FIVE_MINUTES: u64 = 300;

/// The cards of each request that were posted, by the request's id.
async fn cards(story: &Story) -> BTreeMap<String, usize> {
    let mut cards = BTreeMap::new();
    let posted = |entry: &&Value| {
        entry["method"] == "chat.postMessage"
            && entry["ok"] == true
            && entry["body"]["blocks"][0]["type"] == "header"
    };
    for entry in story.messages().await.iter().filter(posted) {
        let text = entry["body"]["text"].as_str().unwrap_or_default();
        *cards.entry(text.rsplit(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    cards
}

/// By how many seconds the grant that was shut latest was late.
async fn latest(story: &Story, ids: &[String]) -> u64 {
    let mut latest = 0;
    for id in ids {
        let lines = story.world.store.history(id.parse().unwrap()).await.unwrap();
        let closing = lines.iter().find(|line| matches!(line.event.kind, EventKind::Closing { .. }));
        let ends = story.record(id).await.granted().unwrap().expires_at();
        latest = latest.max(closing.unwrap().event.at.since(ends));
    }
    latest
}

#[tokio::test]
async fn a_hundred_requests_at_once() {
    let story = Story::begin_in_steps().await;
    let early = story.asked(CHRIS, "VM3 22 for 5m").await;
    story.click(BEA, &early, "approve").await;
    story.advance(3 * 60).await;
    story.world.slack.limit_rates();

    let mut ids = vec![];
    for n in 0..100 {
        let answer = story.ask(ANA, &format!("VM{} 3389 from 203.0.113.{} for 5m", n % 4 + 1, n + 100)).await;
        ids.push(answer.rsplit_once("Ref ").unwrap().1.to_owned());
    }
    // A grant ends while the crowd is being shown.
    story.advance(FIVE_MINUTES).await;
    assert!(latest(&story, std::slice::from_ref(&early)).await <= 2);
    assert!(story.says(&early).await.starts_with("VM3 port 22 "), "{}", story.says(&early).await);
    let posted = cards(&story).await;
    for id in &ids {
        assert_eq!(posted.get(id), Some(&1), "one card of {id}");
        assert!(story.says(id).await.contains(": waiting for approval."), "{}", story.says(id).await);
    }

    let (opened, denied) = ids.split_at(10);
    for id in opened {
        story.click(BEA, id, "approve").await;
    }
    for id in denied {
        story.deny(CHRIS, id).await;
    }
    story.advance(FIVE_MINUTES - 60).await;
    for id in opened {
        let card = story.says(id).await;
        assert!(card.contains("port 3389 is open."), "{card}");
    }
    for id in denied {
        let card = story.says(id).await;
        assert!(card.contains("port 3389: denied."), "{card}");
    }
    story.advance(FIVE_MINUTES).await;
    assert!(latest(&story, opened).await <= 2, "{} s late", latest(&story, opened).await);
    for id in opened {
        let card = story.says(id).await;
        assert!(card.contains("port 3389 was shut.") || card.contains("port 3389 is shut."), "{card}");
    }
    assert!(cards(&story).await.values().all(|count| *count == 1), "none is doubled");
    // The threads have each step once; they come behind the cards.
    story.advance(FIVE_MINUTES).await;
    for (ids, lines) in [(opened, 5), (denied, 2)] {
        for id in ids {
            let steps = story.steps_said(id).await;
            assert_eq!(steps.len(), lines, "{id}: {steps:?}");
        }
    }
    // Each requester heard once how it ended, and what Slack refused was not said twice.
    let told = story.messages().await;
    let told = told.iter().filter(|entry| entry["body"]["channel"] == ANA && entry["ok"] == true);
    let mut told: Vec<&str> = told.filter_map(|entry| entry["body"]["text"].as_str()).collect();
    let all = told.len();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), all, "nothing was said twice");
    story.finish().await;
}
