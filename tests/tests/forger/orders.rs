//! Whoever writes the table makes an order to write or to remove closing rules, or changes one. No rule may follow.

use super::*;
use ajar_tests::enabling::{Form, SUGGESTED};
use ajar_tests::signed::Signed;
use ajar_tests::{CHRIS, EVE};

const SSH: Form<'_> = Form { ports: &[22], ..SUGGESTED };

/// VM1's SSH is open to everybody, and an admin was offered to shut it: the order's id.
async fn offered(story: &Story) -> String {
    let everybody = json!({
        "priority": 1010, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "22",
    });
    if story.azure.rules().await.iter().all(|(_, rule)| rule["name"] != "allow-ssh") {
        story.azure.write("Contoso-NSG", "allow-ssh", &everybody).await;
    }
    let said = story.enable(CHRIS, "VM1", SSH).await;
    said.rsplit_once("Ref ").unwrap().1.to_owned()
}

async fn item_of(story: &Story, id: &str) -> Item {
    let items = story.items().await;
    let key = text(&format!("ORDER#{id}"));
    items.into_iter().find(|item| item["pk"] == key).unwrap()
}

/// As an order that was clicked looks in the table.
fn yes(by: &str, at: u64, click: &Signed) -> AttributeValue {
    let click = [
        ("body", text(&click.body)),
        ("timestamp", text(&click.timestamp)),
        ("signature", text(&click.signature)),
    ];
    let map = |pairs: &[(&str, AttributeValue)]| {
        AttributeValue::M(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    map(&[("by", text(by)), ("at", number(at)), ("click", map(&click))])
}

/// Writes a forged order as the functions would be woken by it: what became of its first rule.
async fn put(story: &Story, id: &str, mut item: Item) -> Value {
    item.insert("outcomes".to_owned(), AttributeValue::L(vec![text("waiting")]));
    item.insert("tell".to_owned(), text("notify"));
    wake(&mut item);
    story.put_item(item).await;
    let known = story.world.store.order(id.parse().unwrap()).await.unwrap().unwrap();
    serde_json::to_value(&known.order.outcomes[0]).unwrap()
}

fn unproven_order(why: impl Into<Value>) -> Value {
    let why = why.into();
    json!({"unproven": {"why": why}})
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_no_admin_has_clicked_write_nothing() {
    let story = Story::begin().await;
    let vm4 = "/subscriptions/8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60/resourceGroups/Contoso-IaaS/providers/Microsoft.Compute/virtualMachines/VM4";
    let vm3_nsg = "/subscriptions/8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60/resourceGroups/Contoso-IaaS/providers/Microsoft.Network/networkSecurityGroups/VM3-nsg";
    let other_terms = || unproven_order(json!("other_terms"));
    let http = AttributeValue::L(vec![number(80)]);
    for (name, by, path, value, expected) in [
        ("another machine", CHRIS, vec!["rules", "0", "machine"], text(vm4), other_terms()),
        ("another name", CHRIS, vec!["rules", "0", "name"], text("VM4"), other_terms()),
        ("another address", CHRIS, vec!["rules", "0", "address"], text("10.0.0.7"), other_terms()),
        ("another group", CHRIS, vec!["rules", "0", "nsg"], text(vm3_nsg), other_terms()),
        ("the website's port", CHRIS, vec!["rules", "0", "ports"], http, other_terms()),
        ("another protocol", CHRIS, vec!["rules", "0", "protocol"], text("udp"), other_terms()),
        ("another person", CHRIS, vec!["yes", "by"], text(BEA), unproven_order(json!("other_person"))),
        (
            "a person who is no admin",
            EVE,
            vec!["yes", "by"],
            text(EVE),
            unproven_order(json!({"not_entitled": {"user": EVE}})),
        ),
        (
            "a wrong signature",
            CHRIS,
            vec!["yes", "click", "signature"],
            text(&format!("v0={}", "0".repeat(64))),
            unproven_order(json!("signature")),
        ),
        (
            "a younger timestamp",
            CHRIS,
            vec!["yes", "click", "timestamp"],
            text(&(story.now() + 200).to_string()),
            unproven_order(json!("signature")),
        ),
    ] {
        let id = offered(&story).await;
        let click = story.signed_order(by).await;
        let mut item = item_of(&story, &id).await;
        item.insert("yes".to_owned(), yes(by, story.now(), &click));
        *at(&mut item, &path) = value;
        assert_eq!(put(&story, &id, item).await, expected, "{name}");
        assert_eq!(story.azure.closing_rules().await, [], "{name}");
    }
    // The same without a change is what an admin ordered.
    let id = offered(&story).await;
    let click = story.signed_order(CHRIS).await;
    let mut item = item_of(&story, &id).await;
    item.insert("yes".to_owned(), yes(CHRIS, story.now(), &click));
    assert_eq!(put(&story, &id, item.clone()).await["shut"]["priority"], 999);
    assert_eq!(story.azure.closing_rules().await.len(), 1);
    // Brought back later it writes nothing.
    let (group, rule) = story.azure.closing_rules().await.remove(0);
    story.advance(15 * 60 + 1).await;
    story.azure.delete(&group, rule["name"].as_str().unwrap()).await;
    assert_eq!(put(&story, &id, item).await, unproven_order(json!("too_old")));
    assert_eq!(story.azure.closing_rules().await, []);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_rules_are_not_removed_by_an_order_that_no_admin_has_clicked() {
    let story = Story::begin().await;
    let id = offered(&story).await;
    let to_write = story.signed_order(CHRIS).await;
    story.order(CHRIS).await;
    assert_eq!(story.azure.closing_rules().await.len(), 1);
    // The click that ordered them is turned into one to remove them.
    let mut item = item_of(&story, &id).await;
    item.insert("change".to_owned(), text("remove"));
    item.insert("yes".to_owned(), yes(CHRIS, story.now(), &to_write));
    assert_eq!(put(&story, &id, item.clone()).await, unproven_order(json!("not_approve")));
    // And one that nobody has clicked.
    item.remove("yes");
    assert_eq!(put(&story, &id, item).await, json!("waiting"));
    story.advance(120).await;
    assert_eq!(story.azure.closing_rules().await.len(), 1);
    assert!(!story.lets_in("VM1", 22, "203.0.113.7"));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_twice_is_done_once() {
    let story = Story::begin().await;
    offered(&story).await;
    assert_eq!(story.type_in_slack(CHRIS, "enable VM1").await, "");
    let view = story.form(CHRIS);
    story.world.slack.close_view(CHRIS).await.unwrap();
    story.advance(1).await;
    let form = story.signed_form(CHRIS, &view, &SSH.values());
    for _ in 0..2 {
        assert_eq!(story.deliver("slack_interaction_url", &form).await, (200, String::new()));
        story.settle().await;
    }
    let orders = |items: &[Item]| items.iter().filter(|item| item["sk"] == text("ORDER")).count();
    assert_eq!(orders(&story.items().await), 2, "that of the form before, and this one once");
    let click = story.signed_order(CHRIS).await;
    for _ in 0..2 {
        assert_eq!(story.deliver("slack_interaction_url", &click).await, (200, String::new()));
        story.settle().await;
    }
    assert_eq!(story.azure.closing_rules().await.len(), 1);
    // After the machine was disabled and its rule removed, the old click brings nothing back.
    story.disable(CHRIS, "VM1").await;
    story.order(CHRIS).await;
    assert_eq!(story.azure.closing_rules().await, []);
    assert_eq!(story.deliver("slack_interaction_url", &click).await, (200, String::new()));
    story.settle().await;
    assert_eq!(story.azure.closing_rules().await, []);
    // A form that somebody made up, or that comes from somebody who is no admin, enables nothing.
    let (status, _) =
        story.deliver("slack_interaction_url", &Signed { signature: "v0=0".to_owned(), ..form }).await;
    assert_eq!(status, 401);
    let (status, answer) =
        story.deliver("slack_interaction_url", &story.signed_form(EVE, &view, &SSH.values())).await;
    assert!(status == 200 && answer.contains("Only admins can do this"), "{answer}");
    let machines = story.world.store.machines().await.unwrap();
    assert!(machines.iter().all(|machine| machine.enabled.is_none()));
    story.finish().await;
}
