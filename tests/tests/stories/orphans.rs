//! Rules by a name of ours that no record answers for. Resource Graph is up to five minutes behind.

use ajar_tests::{ANA, BEA, Story};
use serde_json::{Value, json};

const NSG: &str = sandbox::azure::NSG;
const FROM: &str = "203.0.113.7";
const NAME: &str = "jit-sandbox-7F3K9-QXM2P";
/// Longer than Resource Graph is behind, and a tick.
const FOUND_SECONDS: u64 = 6 * 60;

/// A rule for VM2 3389 that says this of itself.
fn rule(description: &str) -> Value {
    json!({"protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "3389", "sourceAddressPrefix": FROM,
        "destinationAddressPrefix": "10.0.0.5", "access": "Allow", "priority": 300, "direction": "Inbound",
        "description": description})
}

fn until(story: &Story, seconds: u64) -> String {
    let end = access::lease::Timestamp::from_unix(story.now() + seconds);
    format!("Ajar 7F3K9-QXM2P for U0OPS, until {end}, approved by U0ADMIN")
}

async fn names(story: &Story) -> Vec<Value> {
    story.azure.rules_of_ours().await.into_iter().map(|(_, rule)| rule["name"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_rule_is_told_of_at_once_and_shut_at_the_end_that_it_says() {
    let story = Story::begin().await;
    let end = story.now() + 20 * 60;
    story.azure.write(NSG, NAME, &rule(&until(&story, 20 * 60))).await;
    story.advance(FOUND_SECONDS).await;
    assert!(story.lets_in("VM2", 3389, FROM));
    let news = story.channel_news().await;
    let [(found, false)] = news.as_slice() else { panic!("once, in the channel: {news:?}") };
    let expected = format!(
        "The rule `{NAME}` in `{NSG}` was found, and none of Ajar's requests answers for it. By what it says it ends at "
    );
    assert!(found.starts_with(&expected), "{found}");
    story.advance(end - 10 - story.now()).await;
    assert!(story.lets_in("VM2", 3389, FROM), "until its end");
    assert_eq!(story.channel_news().await.len(), 1, "not each minute");
    story.advance(12).await;
    assert!(!story.lets_in("VM2", 3389, FROM), "and not longer");
    let news = story.channel_news().await;
    let [_, (over, false)] = news.as_slice() else { panic!("{news:?}") };
    assert!(
        over.starts_with(&format!(
            "The rule `{NAME}` in `{NSG}`, which none of Ajar's requests answers for, was gone by "
        )),
        "{over}"
    );
    // Resource Graph still lists it for a while: that is no news.
    story.advance(10 * 60).await;
    assert_eq!(story.channel_news().await.len(), 2);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_says_no_end_is_shut_at_once() {
    for description in ["", "mine", "Ajar, until the end of time, or so"] {
        let story = Story::begin().await;
        story.azure.write(NSG, NAME, &rule(description)).await;
        story.advance(FOUND_SECONDS).await;
        assert_eq!(names(&story).await, [] as [Value; 0], "{description}");
        let news = story.channel_news().await;
        assert!(news.last().unwrap().0.contains(" was gone by "), "{news:?}");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_written_anew_prolongs_nothing() {
    let story = Story::begin().await;
    story.azure.write(NSG, NAME, &rule(&until(&story, 10 * 60))).await;
    story.advance(FOUND_SECONDS).await;
    assert_eq!(story.channel_news().await.len(), 1);
    story.azure.alter(NSG, NAME, "description", &json!(until(&story, 3600))).await;
    story.advance(5 * 60).await;
    assert!(!story.lets_in("VM2", 3389, FROM));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_our_exact_names_are_touched() {
    let story = Story::begin().await;
    let others = [
        "jit-sandbox-shut-7F3K9-QXM2P",
        "jit-other-7F3K9-QXM2P",
        "jit-sandbox2-7F3K9-QXM2P",
        "jit-sandbox-7f3k9-qxm2p",
        "jit-sandbox-7F3K9-QXM2P-2",
        "SecurityCenter-JITRule-1-a",
    ];
    for (number, name) in (200..).zip(others) {
        let mut properties = rule("");
        properties["priority"] = json!(number);
        story.azure.write(NSG, name, &properties).await;
    }
    story.advance(FOUND_SECONDS).await;
    let left = story.azure.rules().await;
    for name in others {
        assert!(left.iter().any(|(_, rule)| rule["name"] == name), "{name}");
    }
    assert_eq!(story.channel_news().await, []);
    for name in others {
        story.azure.delete(NSG, name).await;
    }
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_record_answers_for_is_no_orphan() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 1h").await;
    story.click(BEA, &id, "approve").await;
    story.advance(30 * 60).await;
    assert_eq!(story.status(&id).await, "OPEN");
    assert_eq!(story.channel_news().await, []);
    story.to_next_end().await;
    story.advance(FOUND_SECONDS).await;
    assert_eq!(story.channel_news().await, [], "what Resource Graph still lists is gone");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_lands_when_nobody_looks_any_more() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM2 3389 for 5m").await;
    story.click(BEA, &id, "approve").await;
    let name = format!("jit-sandbox-{id}");
    let (_, written) = story.azure.rules_of_ours().await.remove(0);
    story.to_next_end().await;
    story.advance(40 * 60).await;
    assert!(story.history(&id).await.contains(&json!("settled")));
    // The same write again, by whatever brought it.
    story.azure.write(NSG, &name, &written["properties"]).await;
    assert_eq!(names(&story).await, [json!(name)]);
    story.advance(FOUND_SECONDS).await;
    assert_eq!(names(&story).await, [] as [Value; 0]);
    assert!(!story.lets_in("VM2", 3389, FROM));
    let news = story.channel_news().await;
    assert!(
        news[0].0.contains("By what it says it has ended at ") || news[0].0.contains(" was gone by "),
        "{news:?}"
    );
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_that_azure_refuses_to_remove() {
    let story = Story::begin().await;
    story.azure.write(NSG, NAME, &rule("mine")).await;
    story.azure.lock(NSG, true).await;
    story.advance(FOUND_SECONDS + 5 * 60).await;
    let news = story.channel_news().await;
    let [(found, _), (stuck, _)] = news.as_slice() else { panic!("each once: {news:?}") };
    assert!(found.contains("It says no end that can be believed; Ajar removes it now."), "{found}");
    let expected = "should be gone and is not: Azure refuses to remove it (ScopeLocked). Whoever may change `Contoso-NSG` can delete it there by hand.";
    assert!(stuck.contains(expected), "{stuck}");
    story.azure.lock(NSG, false).await;
    story.advance(2 * 60).await;
    assert!(!story.lets_in("VM2", 3389, FROM));
    assert!(story.channel_news().await[2].0.contains(" was gone by "));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resource_graph_does_not_answer_for_a_while() {
    let story = Story::begin().await;
    let how = json!({"answer": {"status": 429, "headers": {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:05"},
        "body": {"error": {"code": "RateLimiting", "message": "Later."}}}});
    story.fault(json!({"part": "arm", "path": "ResourceGraph", "how": how, "count": 100_000})).await;
    story.azure.write(NSG, NAME, &rule(&until(&story, 60 * 60))).await;
    let id = story.asked(ANA, "VM3 22 for 5m").await;
    story.click(BEA, &id, "approve").await;
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, FROM), "shutting does not wait for it");
    story.advance(FOUND_SECONDS).await;
    assert_eq!(story.channel_news().await, []);
    story.no_faults().await;
    story.advance(60).await;
    assert_eq!(story.channel_news().await.len(), 1);
    story.azure.delete(NSG, NAME).await;
    story.advance(60).await;
    assert!(story.channel_news().await[1].0.contains(" was gone by "), "by somebody's hand");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_is_down_when_one_is_found() {
    let story = Story::begin().await;
    let how = json!({"answer": {"status": 503}});
    story.fault(json!({"part": "slack", "how": how, "count": 100_000})).await;
    story.azure.write(NSG, NAME, &rule("")).await;
    story.advance(FOUND_SECONDS).await;
    assert!(!story.lets_in("VM2", 3389, FROM), "nothing waits for Slack");
    story.no_faults().await;
    story.advance(2 * 60).await;
    let news = story.channel_news().await;
    assert!(news.last().unwrap().0.contains(" was gone by "), "{news:?}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_page() {
    let story = Story::begin().await;
    story.world.azure.set(|settings| (settings.graph_page, settings.provisioning_ms) = (2, 0));
    let names = ["00000-00001", "00000-00002", "00000-00003", "00000-00004", "00000-00005"];
    let described: Vec<(String, Value)> = (200..)
        .zip(names)
        .map(|(number, id)| {
            let mut properties = rule("");
            properties["priority"] = json!(number);
            (format!("jit-sandbox-{id}"), properties)
        })
        .collect();
    // More rules than `mv-expand` takes unless it is told to, before those that are looked for.
    let before = (1000..1200).map(|number| {
        let mut properties = rule("");
        properties["priority"] = json!(number);
        (format!("a{number}"), properties)
    });
    story.azure.write_group(NSG, &before.chain(described).collect::<Vec<_>>()).await;
    story.advance(FOUND_SECONDS).await;
    assert_eq!(story.azure.rules_of_ours().await, []);
    story.finish().await;
}
