//! Rules about tags: the list says who can approve, and what Azure says when it is opened decides.

use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use serde_json::{Value, json};

/// What is tagged `env=prod` only Chris may approve; Bea may approve what is not.
async fn begin() -> Story {
    let common = "machines = [\"VM*\"]\nrequesters = [\"U0ANA\"]\nsource = \"203.0.113.7\"\nports = [22]\n";
    let policy = format!(
        "channel = \"C0JIT\"\n\n[[rules]]\nname = \"production\"\ntags = {{ env = \"prod\" }}\napprovers = [\"U0CHRIS\"]\n{common}\n\
         [[rules]]\nname = \"the rest\"\napprovers = [\"U0BEA\"]\n{common}"
    );
    Story::begin_with(&policy).await
}

/// The owner of the subscription tags VM3.
async fn tag(story: &Story, tags: Value) {
    let body = json!({"tags": tags});
    let (status, answer) =
        story.azure.call("PATCH", "Microsoft.Compute/virtualMachines/VM3", Some(&body)).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_says_who_can_approve() {
    let story = begin().await;
    tag(&story, json!({"Env": "prod", "owner": "ana"})).await;
    story.discover().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    assert!(story.says(&id).await.contains("<@U0CHRIS> can decide."), "{}", story.says(&id).await);
    for other in [BEA, EVE] {
        story.click_in_slack(other, &id, "approve").await;
        story.settle().await;
        let told = story.told(other).await.pop().unwrap();
        assert_eq!(told, "You cannot decide on this request; <@U0CHRIS> can.");
    }
    story.click(CHRIS, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    // A value is compared with case.
    tag(&story, json!({"env": "Prod"})).await;
    story.discover().await;
    let id = story.asked(ANA, "VM3 22 from 203.0.113.8 for 10m").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    story.advance(11 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_becomes_production_before_it_is_opened() {
    let story = begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    // The list does not know yet.
    tag(&story, json!({"env": "prod"})).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "CLOSED");
    let card = story.says(&id).await;
    assert!(
        card.starts_with(
            "VM3 port 22: not opened. The approval does not hold: <@U0BEA> may not approve this."
        ),
        "{card}"
    );
    assert!(story.azure.rules_of_ours().await.is_empty());
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_ceases_to_be_production_before_it_is_opened() {
    let story = begin().await;
    tag(&story, json!({"env": "prod"})).await;
    story.discover().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    tag(&story, json!({})).await;
    story.click(CHRIS, &id, "approve").await;
    let card = story.says(&id).await;
    assert!(card.contains("The approval does not hold: <@U0CHRIS> may not approve this."), "{card}");
    story.discover().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    story.to_next_end().await;
    story.finish().await;
}
