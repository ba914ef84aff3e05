//! What was approved is changed before `grant` opens it.

use super::*;
use ajar_tests::{CHRIS, EVE};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_changed_opens() {
    let story = Story::begin().await;
    let id = approved(&story, "VM3 22 for 30m").await;
    let mut item = story.item(&id).await;
    wake(&mut item);
    story.put_item(item).await;
    assert_eq!(story.status(&id).await, "OPEN");
    assert_eq!(rules_written(&story, &id), 2, "one in each group");
    story.to_next_end().await;
    story.finish().await;
}

/// Forges one field of an approved record after the other, and expects this cause in the history.
async fn forged(cases: Vec<(&str, Vec<&str>, AttributeValue, Value)>) {
    let story = Story::begin().await;
    for (name, path, value, expected) in cases {
        let id = approved(&story, "VM3 22 for 30m").await;
        let mut item = story.item(&id).await;
        let field = at(&mut item, &path);
        assert_ne!(*field, value, "{name}: a change");
        *field = value;
        wake(&mut item);
        story.put_item(item).await;
        assert_eq!(rules_written(&story, &id), 0, "{name}");
        assert_eq!(closing_cause(&story, &id).await, expected, "{name}");
        assert_eq!(story.status(&id).await, "CLOSED", "{name}");
    }
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signed_field_changed() {
    let other_terms = || unproven(json!("other_terms"));
    let vm4 = "/subscriptions/8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60/resourceGroups/Contoso-IaaS/providers/Microsoft.Compute/virtualMachines/VM4";
    forged(vec![
        ("requester", vec!["requester"], text(CHRIS), other_terms()),
        ("requester is the approver", vec!["requester"], text(BEA), other_terms()),
        ("machine", vec!["vm", "resource_id"], text(vm4), other_terms()),
        ("private address", vec!["vm", "private_address"], text("10.0.0.7"), other_terms()),
        ("ports", vec!["ports"], AttributeValue::L(vec![number(3389)]), other_terms()),
        ("one more port", vec!["ports"], AttributeValue::L(vec![number(22), number(3389)]), other_terms()),
        ("protocol", vec!["protocol"], text("udp"), other_terms()),
        ("source", vec!["source"], text("198.51.100.9"), other_terms()),
        ("wider source", vec!["source"], text("203.0.113.0/24"), other_terms()),
        ("duration", vec!["ttl_minutes"], number(31), other_terms()),
        ("approver", vec!["approvals", "0", "by"], text(CHRIS), unproven(json!("other_person"))),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_moved() {
    let story = Story::begin().await;
    let id = approved(&story, "VM3 22 for 30m").await;
    let mut item = story.item(&id).await;
    item.insert("expires_at".to_owned(), number(story.now() + 3600));
    wake(&mut item);
    story.put_item(item).await;
    assert_eq!(rules_written(&story, &id), 0);
    assert_eq!(closing_cause(&story, &id).await, unproven(json!("ends_too_late")));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_under_the_name_of_another() {
    // The rule for VM3 wants two approvals, that for all others one.
    let strict = "[[rules]]\nname = \"strict\"\nmachines = [\"VM3\"]\nrequesters = [\"U0ANA\"]\napprovers = [\"U0BEA\", \"U0CHRIS\"]\napprovals = 2\nsource = \"203.0.113.7\"\n\n[[rules]]";
    let policy = sandbox::host::wiring::POLICY.replacen("[[rules]]", strict, 1);
    let story = Story::begin_with(&policy).await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "PENDING");
    let mut item = story.item(&id).await;
    let now = story.now();
    for (name, value) in
        [("status", text("APPROVED")), ("approved_at", number(now)), ("expires_at", number(now + 1700))]
    {
        item.insert(name.to_owned(), value);
    }
    wake(&mut item);
    let mut renamed = item.clone();
    *at(&mut renamed, &["vm", "name"]) = text("VM4");
    story.put_item(renamed).await;
    assert_eq!(rules_written(&story, &id), 0);
    assert_eq!(closing_cause(&story, &id).await, unproven(json!("other_terms")));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_that_do_not_approve_this() {
    let story = Story::begin().await;
    let other = story.asked(ANA, "VM1 3389 for 30m").await;
    // What each click would look like in the table, by whom, and what the history must say of it.
    let not_entitled = json!({"not_entitled": {"user": EVE}});
    let old = story.now() - 16 * 60;
    for (name, by, expected) in [
        ("another request's click", BEA, json!("other_request")),
        ("a click of somebody not entitled", EVE, not_entitled),
        ("the requester's own click", ANA, json!("own_request")),
        ("a click on Deny", BEA, json!("not_approve")),
        ("an old click", BEA, json!("too_old")),
        ("a click whose signature is wrong", BEA, json!("signature")),
        ("a click whose timestamp was made younger", BEA, json!("signature")),
        ("no click", BEA, json!({"too_few": {"got": 0, "needed": 1}})),
    ] {
        let id = approved(&story, "VM3 22 for 30m").await;
        let mut click = match name {
            "another request's click" => story.signed_click(BEA, &other, "approve").await,
            "a click on Deny" => story.signed_click(BEA, &id, "deny").await,
            "an old click" | "a click whose timestamp was made younger" => {
                story.signed_click_at(BEA, &id, "approve", old).await
            }
            _ => story.signed_click(by, &id, "approve").await,
        };
        match name {
            "a click whose signature is wrong" => click.signature = format!("v0={}", "0".repeat(64)),
            "a click whose timestamp was made younger" => click.timestamp = story.now().to_string(),
            _ => {}
        }
        let mut item = story.item(&id).await;
        *at(&mut item, &["approvals", "0", "by"]) = text(by);
        for (field, value) in
            [("body", &click.body), ("timestamp", &click.timestamp), ("signature", &click.signature)]
        {
            *at(&mut item, &["approvals", "0", "click", field]) = text(value);
        }
        if name == "no click" {
            item.insert("approvals".to_owned(), AttributeValue::L(vec![]));
        }
        wake(&mut item);
        story.put_item(item).await;
        assert_eq!(rules_written(&story, &id), 0, "{name}");
        assert_eq!(closing_cause(&story, &id).await, unproven(expected), "{name}");
    }
    story.deny(BEA, &other).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_click_counted_twice() {
    let policy = sandbox::host::wiring::POLICY.replace("approvers =", "approvals = 2\napprovers =");
    let story = Story::begin_with(&policy).await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    let mut item = story.item(&id).await;
    let now = story.now();
    let approval = at(&mut item, &["approvals", "0"]).clone();
    let twice = AttributeValue::L(vec![approval.clone(), approval]);
    for (name, value) in [
        ("approvals", twice),
        ("status", text("APPROVED")),
        ("approved_at", number(now)),
        ("expires_at", number(now + 1700)),
    ] {
        item.insert(name.to_owned(), value);
    }
    wake(&mut item);
    story.put_item(item).await;
    assert_eq!(rules_written(&story, &id), 0);
    assert_eq!(closing_cause(&story, &id).await, unproven(json!({"too_few": {"got": 1, "needed": 2}})));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_another_group() {
    let story = Story::begin().await;
    story.world.azure.add_nsg("Other-NSG");
    let id = approved(&story, "VM3 22 for 30m").await;
    let mut item = story.item(&id).await;
    let nsg = "/subscriptions/8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60/resourceGroups/Contoso-IaaS/providers/Microsoft.Network/networkSecurityGroups/Other-NSG";
    let rule = [("nsg".to_owned(), text(nsg)), ("priority".to_owned(), number(300))].into();
    item.insert("plan".to_owned(), AttributeValue::L(vec![AttributeValue::M(rule)]));
    item.insert("status".to_owned(), text("OPENING"));
    wake(&mut item);
    story.put_item(item).await;
    assert_eq!(rules_written(&story, &id), 0);
    assert_eq!(closing_cause(&story, &id).await, json!({"failed": {"network": "groups_changed"}}));
    story.finish().await;
}

/// What is no record is not driven: the failure is logged, tried again, and becomes a dead letter.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_stays_shut() {
    let mut story = Story::begin().await;
    story.expect_dead_letters();
    let id = approved(&story, "VM3 22 for 5m").await;
    let item = story.item(&id).await;
    let mut unreadable = item.clone();
    wake(&mut unreadable);
    // Opening without a plan.
    unreadable.insert("status".to_owned(), text("OPENING"));
    story.put_item(unreadable).await;
    assert_eq!(rules_written(&story, &id), 0);
    let letters = story.dead_letters().await;
    assert!(letters[0]["requestContext"]["functionArn"].as_str().unwrap().ends_with(":grant"), "{letters}");
    // The record as it was, after its end: it closes without ever having been open.
    story.advance(6 * 60).await;
    story.put_item(item).await;
    story.advance(2 * 60).await;
    assert_eq!(rules_written(&story, &id), 0);
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}
