//! Azure as other hands change it: locks, altered and deleted rules, missing groups.

use ajar_tests::{ANA, BEA, Story};
use serde_json::json;

const NSG: &str = sandbox::azure::NSG;

async fn open(story: &Story, text: &str) -> (String, String) {
    let id = story.asked(ANA, text).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    let rule = format!("jit-sandbox-{id}");
    (id, rule)
}

/// What the thread of the card says that other hands did: once, and the channel hears nothing.
async fn aside(story: &Story, id: &str) -> String {
    assert_eq!(story.channel_news().await, []);
    let steps = story.steps_said(id).await;
    let mut asides = steps.iter().filter(|step| step.ends_with(" Who still needs it asks again."));
    let (first, second) = (asides.next(), asides.next());
    assert_eq!((first.is_some(), second), (true, None), "once: {steps:?}");
    first.cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_forbids_to_delete() {
    let story = Story::begin().await;
    let (id, rule) = open(&story, "VM3 22 for 10m").await;
    story.azure.lock(NSG, true).await;
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"), "shut on time all the same");
    let rules = story.azure.rules_of_ours().await;
    assert_eq!((&rules[0].1["name"], &rules[0].1["properties"]["access"]), (&json!(rule), &json!("Deny")));
    let card = story.says(&id).await;
    assert!(card.starts_with("VM3 port 22: grant shut, rule not yet removed. Its time is over."), "{card}");
    story.advance(61 * 60).await;
    assert_eq!(story.status(&id).await, "CLOSING", "the lock still holds");
    story.azure.lock(NSG, false).await;
    story.advance(61 * 60).await;
    assert!(story.says(&id).await.contains(" shut. Its time is over. Shut at "));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_rule_takes_nothing_from_another_grant() {
    let story = Story::begin().await;
    let (first, _) = open(&story, "VM3 22 for 10m").await;
    let other = story.asked(BEA, "VM3 22 from 203.0.113.7 for 1h").await;
    story.click(ajar_tests::CHRIS, &other, "approve").await;
    story.azure.lock(NSG, true).await;
    story.to_next_end().await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"), "the other grant lets in until its own end");
    story.azure.lock(NSG, false).await;
    story.advance(62 * 60).await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
    assert_eq!(story.status(&first).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_altered_by_hand() {
    for (property, value) in [
        ("sourceAddressPrefix", json!("*")),
        ("priority", json!(140)),
        ("access", json!("Deny")),
        ("description", json!("mine")),
    ] {
        let story = Story::begin().await;
        let (id, rule) = open(&story, "VM3 22 for 1h").await;
        story.azure.alter(NSG, &rule, property, &value).await;
        story.advance(60).await;
        assert_eq!(story.status(&id).await, "CLOSED", "{property}");
        let card = story.says(&id).await;
        assert!(card.starts_with("VM3 port 22 is shut. Somebody else changed its rule in Azure."), "{card}");
        assert_eq!(story.azure.rules_of_ours().await, [], "it is not set right");
        let said = aside(&story, &id).await;
        assert!(
            said.starts_with(&format!("Somebody else changed the rule `{rule}` while VM3 port 22 was open.")),
            "{said}"
        );
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_deleted_by_hand() {
    let story = Story::begin().await;
    let (id, rule) = open(&story, "VM3 22 for 1h").await;
    story.azure.delete(NSG, &rule).await;
    story.advance(60).await;
    let card = story.says(&id).await;
    assert!(card.starts_with("VM3 port 22 is shut. Somebody else deleted its rule in Azure."), "{card}");
    assert!(story.told(ANA).await.pop().unwrap().contains("Somebody else deleted its rule in Azure."));
    let said = aside(&story, &id).await;
    assert!(
        said.starts_with(&format!("Somebody else deleted the rule `{rule}` while VM3 port 22 was open;")),
        "{said}"
    );
    story.advance(5 * 60).await;
    assert_eq!(story.azure.rules_of_ours().await, [], "it is not written again");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_shields_the_machine() {
    let story = Story::begin().await;
    story.world.azure.associate_subnet(None).await;
    story.world.azure.associate_nic("VM3-nic", None).await;
    let id = story.asked(ANA, "VM3 22").await;
    story.click(BEA, &id, "approve").await;
    let card = story.says(&id).await;
    assert!(
        card.starts_with("VM3 port 22: not opened. Nothing shields the machine: it is already open."),
        "{card}"
    );
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_rule_decides_before_ours() {
    let story = Story::begin().await;
    let deny = json!({"protocol": "*", "sourcePortRange": "*", "destinationPortRange": "*",
        "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "access": "Deny", "priority": 100,
        "direction": "Inbound"});
    story.azure.write(NSG, "nobody", &deny).await;
    let id = story.asked(ANA, "VM3 22").await;
    story.click(BEA, &id, "approve").await;
    let card = story.says(&id).await;
    assert!(
        card.contains("not opened. In `Contoso-NSG` no number is free before the rule `nobody`"),
        "{card}"
    );
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn still_open_by_a_rule_of_others() {
    let story = Story::begin().await;
    let (id, _) = open(&story, "VM3 22 for 10m").await;
    let allow = json!({"protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "22",
        "sourceAddressPrefix": "Internet", "destinationAddressPrefix": "*", "access": "Allow", "priority": 2000,
        "direction": "Inbound"});
    for group in [NSG, sandbox::azure::NIC_NSG] {
        story.azure.write(group, "everybody", &allow).await;
    }
    story.to_next_end().await;
    let card = story.says(&id).await;
    assert!(card.contains("VM3 port 22 is still open by the rule `everybody`."), "{card}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_was_open_to_everybody_already() {
    let story = Story::begin().await;
    let allow = json!({"protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "22",
        "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "access": "Allow", "priority": 2000,
        "direction": "Inbound"});
    story.azure.write(NSG, "allow-ssh", &allow).await;
    // One of two groups still stands in the way: that is no news.
    let (id, _) = open(&story, "VM3 22 for 10m").await;
    assert!(!story.says(&id).await.contains("already"), "{}", story.says(&id).await);
    story.to_next_end().await;
    story.azure.write("VM3-nsg", "allow-all", &allow).await;
    let (id, _) = open(&story, "VM3 22 for 10m because again").await;
    let warning = "Port 22 was open to everyone already, by rule `allow-ssh` in `Contoso-NSG` and rule `allow-all` in `VM3-nsg`: ask whoever runs the network to remove that.";
    assert!(story.says(&id).await.contains(warning), "{}", story.says(&id).await);
    assert!(story.told(ANA).await.pop().unwrap().contains(warning));
    story.to_next_end().await;
    let card = story.says(&id).await;
    assert!(card.contains("VM3 port 22 is still open by the rule `allow-ssh`."), "{card}");
    story.finish().await;
}
