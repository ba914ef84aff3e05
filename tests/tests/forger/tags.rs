//! What the table says of a machine's tags is changed, so that a weaker rule seems to decide.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_made_to_look_untagged() {
    // What is tagged wants two approvals, all else one.
    let strict = "[[rules]]\nname = \"strict\"\nmachines = [\"VM*\"]\ntags = { env = \"prod\" }\nrequesters = [\"U0ANA\"]\napprovers = [\"U0BEA\", \"U0CHRIS\"]\napprovals = 2\nsource = \"203.0.113.7\"\n\n[[rules]]";
    let policy = sandbox::host::wiring::POLICY.replacen("[[rules]]", strict, 1);
    let story = Story::begin_with(&policy).await;
    let body = json!({"tags": {"env": "prod"}});
    let path = "Microsoft.Compute/virtualMachines/VM3";
    assert_eq!(story.azure.call("PATCH", path, Some(&body)).await.0, 200);
    story.discover().await;
    let machines = story.world.store.machines().await.unwrap();
    let mut forged = machines.into_iter().find(|machine| machine.name.as_str() == "VM3").unwrap();
    assert!(!forged.tags.is_empty(), "{forged:?}");
    forged.tags = access::machine::Tags::default();
    story.world.store.put_machine(&forged).await.unwrap();
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(rules_written(&story, &id), 0);
    assert_eq!(closing_cause(&story, &id).await, unproven(json!({"too_few": {"got": 1, "needed": 2}})));
    // Nor does a tag count that somebody adds to the record.
    let id = story.asked(ANA, "VM3 22 for 20m").await;
    let mut item = story.item(&id).await;
    if let AttributeValue::M(vm) = at(&mut item, &["vm"]) {
        vm.insert("tags".to_owned(), AttributeValue::M([("env".to_owned(), text("test"))].into()));
    }
    story.put_item(item).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(rules_written(&story, &id), 0);
    assert_eq!(closing_cause(&story, &id).await, unproven(json!({"too_few": {"got": 1, "needed": 2}})));
    story.finish().await;
}
