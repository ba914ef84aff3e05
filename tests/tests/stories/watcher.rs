//! Azure's own check of a flow: what it adds to what the rules say, and what its silence takes away.

use ajar_tests::{ANA, BEA, Story};
use sandbox::azure::{Access, AdminRule};
use serde_json::{Value, json};

async fn approved(story: &Story, text: &str) -> String {
    let id = story.asked(ANA, text).await;
    story.click(BEA, &id, "approve").await;
    id
}

/// The next `count` answers of Network Watcher.
async fn next_answers(story: &Story, count: u32, answer: Value) {
    let fault = json!({"part": "arm", "method": "POST", "path": "ipFlowVerify",
        "how": {"answer": answer}, "count": count});
    story.fault(fault).await;
}

fn said(access: &str, rule: &str) -> Value {
    json!({"status": 200, "headers": {}, "body": {"access": access, "ruleName": rule}})
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_confirms_what_the_rules_say() {
    for polls in [0, 2] {
        let story = Story::begin().await;
        story.world.azure.set(|settings| settings.watcher_polls = polls);
        let id = approved(&story, "VM3 22 for 10m").await;
        let proof = format!(
            "Azure confirms: rule `jit-sandbox-{id}` in `Contoso-NSG` and `VM3-nsg`, decided by `jit-sandbox-{id}`."
        );
        let card = story.says(&id).await;
        assert!(card.starts_with("VM3 port 22 is open.") && card.contains(&proof), "{card}");
        assert!(story.told(ANA).await[0].contains(&proof), "the requester is told the same");
        story.to_next_end().await;
        let card = story.says(&id).await;
        assert!(card.contains(" shut. Its time is over. Shut at "), "{card}");
        assert!(card.contains("Azure confirms: `DenyAllInBound` decides."), "{card}");
        story.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_it_is_by_azures_rules_and_not_asked_again() {
    let story = Story::begin().await;
    story.world.azure.set(|settings| settings.watcher_permitted = false);
    let id = approved(&story, "VM3 22 for 10m").await;
    let card = story.says(&id).await;
    assert!(card.contains("By Azure's rules: rule `jit-sandbox-"), "{card}");
    story.to_next_end().await;
    let card = story.says(&id).await;
    assert!(card.contains("By Azure's rules: `DenyAllInBound` decides."), "{card}");
    // The right comes later; the functions' processes have been told no.
    story.world.azure.set(|settings| settings.watcher_permitted = true);
    let id = approved(&story, "VM3 22 for 10m because again").await;
    assert!(story.says(&id).await.contains("By Azure's rules: rule"), "{}", story.says(&id).await);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_watcher_or_an_answer_it_is_by_azures_rules() {
    let story = Story::begin().await;
    story.world.azure.set(|settings| settings.watcher = false);
    let id = approved(&story, "VM3 22 for 10m").await;
    assert!(story.says(&id).await.contains("By Azure's rules: rule"), "{}", story.says(&id).await);
    story.world.azure.set(|settings| settings.watcher = true);
    for answer in [
        json!({"status": 503, "headers": {}, "body": null}),
        json!({"status": 200, "headers": {}, "body": "no JSON"}),
        json!({"status": 202, "headers": {}, "body": null}),
        said("Perhaps", "securityRules/x"),
    ] {
        next_answers(&story, 1, answer).await;
        let id = approved(&story, "VM1 3389 for 10m").await;
        let card = story.says(&id).await;
        assert!(
            card.starts_with("VM1 port 3389 is open.") && card.contains("By Azure's rules: rule"),
            "{card}"
        );
        story.revoke(&id, BEA).await;
    }
    // Of two ports one is not answered for: it is not said that Azure confirms them.
    next_answers(&story, 1, json!({"status": 503, "headers": {}, "body": null})).await;
    let two = approved(&story, "VM1 3389,5985 for 10m").await;
    assert!(story.says(&two).await.contains("By Azure's rules: rule"), "{}", story.says(&two).await);
    story.revoke(&two, BEA).await;
    let both = approved(&story, "VM1 3389,5985 for 20m").await;
    assert!(story.says(&both).await.contains("Azure confirms: rule"), "{}", story.says(&both).await);
    story.revoke(&both, BEA).await;
    story.revoke(&id, BEA).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_prefix_azure_is_asked_about_its_first_address() {
    let policy =
        sandbox::host::wiring::POLICY.replace("source = \"203.0.113.7\"", "sources = [\"203.0.113.0/24\"]");
    let story = Story::begin_with(&policy).await;
    let id = approved(&story, "VM3 22 from 203.0.113.0/28 for 10m").await;
    let proof = "By Azure's rules, and Azure confirms it for `203.0.113.0`: rule `jit-sandbox-";
    assert!(story.says(&id).await.contains(proof), "{}", story.says(&id).await);
    story.to_next_end().await;
    let proof = "By Azure's rules, and Azure confirms it for `203.0.113.0`: `DenyAllInBound` decides.";
    assert!(story.says(&id).await.contains(proof), "{}", story.says(&id).await);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_rule_denies_what_the_groups_allow() {
    let story = Story::begin().await;
    let rule = AdminRule { name: "no-ssh".to_owned(), access: Access::Deny, port: 22 };
    story.world.azure.admin_rules(vec![rule]).await;
    let id = approved(&story, "VM3 22 for 1h").await;
    // It may be that what was written has not reached the packets yet: nobody is told that it is open.
    assert_eq!(story.status(&id).await, "OPENING");
    assert!(story.says(&id).await.starts_with("VM3 port 22: approved, opening."));
    story.advance(65).await;
    assert_eq!(story.status(&id).await, "OPENING");
    story.advance(65).await;
    let card = story.says(&id).await;
    let why = "Azure says that `no-ssh` denies the connection although our rule was in place: ask whoever runs the network.";
    assert!(card.contains(why) && card.contains("Azure confirms: `no-ssh` decides."), "{card}");
    assert!(story.told(ANA).await.iter().all(|text| !text.contains("is open")));
    assert!(story.azure.rules_of_ours().await.is_empty(), "what opens nothing is taken away");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_rule_keeps_open_what_the_groups_deny() {
    let story = Story::begin().await;
    let id = approved(&story, "VM3 22 for 10m").await;
    let rule = AdminRule { name: "always-ssh".to_owned(), access: Access::Allow, port: 22 };
    story.world.azure.admin_rules(vec![rule]).await;
    story.to_next_end().await;
    let card = story.says(&id).await;
    assert!(card.starts_with("VM3 port 22: the grant has ended. Its time is over."), "{card}");
    assert!(card.contains("still open by the rule `always-ssh`."), "{card}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_reached_the_packets_is_neither_open_nor_shut() {
    let story = Story::begin().await;
    next_answers(&story, 100, said("Deny", "defaultSecurityRules/DenyAllInBound")).await;
    let id = approved(&story, "VM3 22 for 10m").await;
    assert_eq!(story.status(&id).await, "OPENING");
    let etags = |rules: Vec<(String, Value)>| rules.into_iter().map(|(_, rule)| rule["etag"].clone());
    let before: Vec<Value> = etags(story.azure.rules_of_ours().await).collect();
    story.no_faults().await;
    story.advance(65).await;
    assert!(story.says(&id).await.contains("Azure confirms: rule"), "{}", story.says(&id).await);
    let after: Vec<Value> = etags(story.azure.rules_of_ours().await).collect();
    assert_eq!(before, after, "what stands is not written again");
    next_answers(&story, 100, said("Allow", &format!("securityRules/jit-sandbox-{id}"))).await;
    story.to_next_end().await;
    assert_eq!(story.status(&id).await, "CLOSING", "the rule is gone, and Azure says that it lets in");
    assert!(story.says(&id).await.starts_with("VM3 port 22: closing. Its time is over. Making sure"));
    story.no_faults().await;
    story.advance(65).await;
    let card = story.says(&id).await;
    assert!(card.contains("Azure confirms: `DenyAllInBound` decides."), "{card}");
    let history = story.history(&id).await;
    assert!(history.contains(&json!({"not_yet_shut": {"ends": ["standing", "standing"]}})), "{history:?}");
    story.finish().await;
}
