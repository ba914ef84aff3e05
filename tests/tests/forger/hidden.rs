//! An open grant is hidden from what looks at it each minute.

use super::*;

/// VM2 3389 is open for ten minutes; Resource Graph has heard of its rule.
async fn open(story: &Story) -> String {
    let id = story.asked(ANA, "VM2 3389 for 10m").await;
    story.click(BEA, &id, "approve").await;
    story.advance(6 * 60).await;
    assert!(story.lets_in("VM2", 3389, "203.0.113.7"));
    id
}

async fn delete(story: &Story, id: &str) {
    let key = |value: &str| text(value);
    let delete = story.table().delete_item().table_name("ajar");
    delete.key("pk", key(&format!("REQUEST#{id}"))).key("sk", key("RECORD")).send().await.unwrap();
    story.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_record_is_deleted() {
    let story = Story::begin().await;
    let id = open(&story).await;
    delete(&story, &id).await;
    story.advance(2 * 60).await;
    let news = story.channel_news().await;
    let found = format!(
        "The rule `jit-sandbox-{id}` in `Contoso-NSG` was found, and none of Ajar's requests answers for it."
    );
    assert!(news[0].0.starts_with(&found), "{news:?}");
    story.advance(3 * 60).await;
    assert!(!story.lets_in("VM2", 3389, "203.0.113.7"), "it ends when it was to end");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_record_is_taken_out_of_the_index() {
    for names in [vec!["due_shard", "due_at"], vec!["due_shard"], vec!["due_at"]] {
        let story = Story::begin().await;
        let id = open(&story).await;
        let mut item = story.item(&id).await;
        names.iter().for_each(|name| {
            item.remove(*name);
        });
        story.put_item(item).await;
        story.advance(5 * 60).await;
        assert!(!story.lets_in("VM2", 3389, "203.0.113.7"), "it ends when it was to end: {names:?}");
        assert_eq!(story.status(&id).await, "CLOSED");
        let news = story.channel_news().await;
        let [(said, false)] = news.as_slice() else { panic!("{news:?}") };
        assert!(said.starts_with("Somebody has taken the request of the rule "), "{said}");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_record_is_put_off() {
    let story = Story::begin().await;
    let id = open(&story).await;
    // What is closing is not compared each minute, so that only its own moment counts.
    let refusal = json!({"answer": {"status": 503}});
    let fault = |method: &str| json!({"part": "arm", "method": method, "path": "securityRules", "how": refusal, "count": 100_000});
    story.fault(fault("DELETE")).await;
    story.to_next_end().await;
    assert_eq!(story.status(&id).await, "CLOSING");
    let mut item = story.item(&id).await;
    item.insert("due_at".to_owned(), number(story.now() + 86_400));
    story.put_item(item).await;
    story.no_faults().await;
    story.advance(2 * 60).await;
    assert!(!story.lets_in("VM2", 3389, "203.0.113.7"));
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_record_names_another_group_or_cannot_be_read() {
    for forged in ["group", "status"] {
        let mut story = Story::begin().await;
        // That it is shut is what the forged record leads to.
        story.forgive("Somebody else deleted its rule in Azure.");
        let id = open(&story).await;
        let mut item = story.item(&id).await;
        if forged == "group" {
            let nsg = text(
                "/subscriptions/8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60/resourceGroups/Contoso-IaaS/providers/Microsoft.Network/networkSecurityGroups/VM3-nsg",
            );
            *at(&mut item, &["plan", "0", "nsg"]) = nsg;
        } else {
            item.insert("status".to_owned(), text("PAUSED"));
        }
        story.put_item(item.clone()).await;
        story.advance(5 * 60).await;
        assert!(!story.lets_in("VM2", 3389, "203.0.113.7"), "{forged}: it ends when it was to end");
        let news = story.channel_news().await;
        let found = format!("The rule `jit-sandbox-{id}` in `Contoso-NSG` was found");
        assert!(news.iter().any(|(said, _)| said.starts_with(&found)), "{news:?}");
        if forged == "status" {
            delete(&story, &id).await;
        }
        story.finish().await;
    }
}
