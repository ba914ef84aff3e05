//! Which of a request's cards counts, when more than one has been posted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ajar_tests::{ANA, BEA, CHRIS, Story};
use serde_json::{Value, json};

const OLD: &str = "This was an old card of a request. Its buttons did nothing any more, and nothing was changed; the request's newest card counts. Ref ";

/// The cards as they were posted, oldest first: where each is, and the value of its buttons.
async fn posted(story: &Story) -> Vec<(String, String)> {
    let messages = story.messages().await;
    let cards = messages.iter().filter(|entry| {
        entry["method"] == "chat.postMessage" && entry["body"]["blocks"][0]["type"] == "header"
    });
    let place = |entry: &Value| entry["ts"].as_str().unwrap().to_owned();
    let value = |entry: &Value| {
        let actions =
            entry["body"]["blocks"].as_array().unwrap().iter().find(|block| block["type"] == "actions");
        actions
            .map_or_else(String::new, |actions| actions["elements"][0]["value"].as_str().unwrap().to_owned())
    };
    cards.map(|entry| (place(entry), value(entry))).collect()
}

/// Somebody clicks a button that hangs in this message.
async fn click_on(story: &Story, user: &str, id: &str, ts: &str, action: &str) {
    let outcome = story.world.slack.click(user, "C0JIT", ts, &format!("decide-{id}"), action).await;
    let outcome = outcome.unwrap();
    assert_eq!((outcome.status, outcome.error), (Some(200), None));
    story.settle().await;
}

/// How many messages in the channel have buttons now.
fn with_buttons(story: &Story) -> usize {
    let state = story.world.slack.state(BEA);
    let channels = state["conversations"].as_array().unwrap();
    let channel = channels.iter().find(|channel| channel["id"] == "C0JIT").unwrap();
    let messages = channel["messages"].as_array().unwrap();
    let has_buttons = |message: &&Value| message["blocks"].to_string().contains("\"actions\"");
    messages.iter().filter(has_buttons).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_cards_only_the_newest_one_counts() {
    for how in [json!({"crash_after": {"function": "notify"}}), json!("cut_after")] {
        let story = Story::begin().await;
        story.fault(json!({"part": "slack", "path": "chat.postMessage", "how": how})).await;
        let id = story.asked(ANA, "VM3 22 for 10m").await;
        story.advance(2 * 60).await;
        let cards = posted(&story).await;
        let [(first, value), (second, newer)] = cards.as_slice() else { panic!("{how}: {cards:?}") };
        let terms = value.strip_suffix(".1").unwrap();
        assert_eq!(*newer, format!("{terms}.2"), "{how}: the same terms on another card");
        assert_eq!(with_buttons(&story), 2);
        click_on(&story, BEA, &id, first, "approve").await;
        assert_eq!(story.status(&id).await, "PENDING", "{how}: nothing was decided");
        assert_eq!(with_buttons(&story), 1, "{how}: the old card has none any more");
        let said = story.messages().await;
        let replaced = said.iter().rfind(|entry| entry["method"] == "response_url").unwrap();
        assert_eq!(
            (replaced["ts"].as_str(), &replaced["body"]["replace_original"]),
            (Some(first.as_str()), &json!(true))
        );
        assert_eq!(replaced["body"]["text"].as_str().unwrap(), format!("{OLD}{id}"));
        click_on(&story, CHRIS, &id, second, "approve").await;
        assert_eq!(story.status(&id).await, "OPEN", "{how}");
        assert_eq!(with_buttons(&story), 1, "to end it");
        story.to_next_end().await;
        assert!(story.says(&id).await.starts_with("VM3 port 22 is shut."));
        assert_eq!(posted(&story).await.len(), 2, "{how}");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_whose_address_was_lost_counts_until_there_is_another() {
    let story = Story::begin().await;
    story.fault(json!({"part": "slack", "path": "chat.postMessage", "how": "cut_after"})).await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    let cards = posted(&story).await;
    let [(first, _)] = cards.as_slice() else { panic!("{cards:?}") };
    click_on(&story, BEA, &id, first, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.advance(2 * 60).await;
    assert_eq!(posted(&story).await.len(), 2, "the newer one says that it is open");
    click_on(&story, CHRIS, &id, first, "approve").await;
    assert_eq!((story.status(&id).await, with_buttons(&story)), ("OPEN", 1), "the newest one has its own");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_before_cards_were_counted_counts_until_there_is_another() {
    let story = Story::begin().await;
    let (here, gone) = (story.asked(ANA, "VM3 22 for 10m").await, story.asked(ANA, "VM3 3389 for 10m").await);
    for id in [&here, &gone] {
        let mut item = story.item(id).await;
        assert!(item.remove("card").is_some());
        story.put_item(item).await;
    }
    let value = |id: &str| {
        let story = &story;
        let id = id.to_owned();
        async move { story.button(&id).await.strip_suffix(".1").unwrap().to_owned() }
    };
    let click = story.signed_click_on(BEA, "approve", &value(&here).await);
    assert_eq!(story.deliver("slack_interaction_url", &click).await.0, 200);
    story.settle().await;
    assert_eq!(story.status(&here).await, "OPEN");
    // The other one is deleted by somebody, and posted anew when the record changes.
    let mut item = story.item(&gone).await;
    item.remove("ts");
    item.remove("shown_version");
    item.insert("tell".to_owned(), aws_sdk_dynamodb::types::AttributeValue::S("notify".to_owned()));
    story.put_item(item).await;
    let old = value(&gone).await;
    let click = story.signed_click_on(BEA, "approve", &old);
    assert_eq!(story.deliver("slack_interaction_url", &click).await.0, 200);
    story.settle().await;
    assert_eq!(story.status(&gone).await, "PENDING", "now there is a card with a number");
    story.deny(BEA, &gone).await;
    story.to_next_end().await;
    story.finish().await;
}
