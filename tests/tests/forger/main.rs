//! Somebody writes the table who does not have Slack's signing secret. No rule may follow, and the
//! history must say why.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod approved;
mod glass;
mod hidden;
mod later;
mod lockdown;
mod moving;
mod orders;
mod tags;

use ajar_tests::signed::Signed;
use ajar_tests::{ANA, BEA, Item, Story};
use aws_sdk_dynamodb::types::AttributeValue;
use sandbox::azure::What;
use serde_json::{Value, json};

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A part of an item: map keys and list places.
fn at<'a>(item: &'a mut Item, path: &[&str]) -> &'a mut AttributeValue {
    let (first, rest) = path.split_first().unwrap();
    let mut value = item.get_mut(*first).unwrap_or_else(|| panic!("the item has {first}"));
    for step in rest {
        value = match value {
            AttributeValue::M(map) => map.get_mut(*step).unwrap(),
            AttributeValue::L(list) => &mut list[step.parse::<usize>().unwrap()],
            other => panic!("{other:?} has no {step}"),
        };
    }
    value
}

/// As the functions would be woken by it, and not claimed by anybody.
fn wake(item: &mut Item) {
    item.insert("wake".to_owned(), text("grant"));
    item.remove("claimed_until");
    item.remove("claimed_version");
}

/// A request that Bea has really approved, and that `grant` has not opened yet: Azure did not answer.
async fn approved(story: &Story, words: &str) -> String {
    let id = story.asked(ANA, words).await;
    let how = json!({"answer": {"status": 503}});
    story.fault(json!({"part": "arm", "method": "GET", "path": "virtualMachines", "how": how})).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "APPROVED");
    id
}

/// How often a rule of this request was written that was not there: opening VM3 writes one in each of its
/// two groups.
fn rules_written(story: &Story, id: &str) -> usize {
    let rule = format!("jit-sandbox-{id}");
    let journal = story.world.azure.journal();
    journal.iter().filter(|entry| entry.what == What::PutNew && entry.rule == rule).count()
}

/// Why the history says that the request was closed.
async fn closing_cause(story: &Story, id: &str) -> Value {
    let history = story.history(id).await;
    let closing = history.iter().rev().find_map(|event| event["closing"]["cause"].as_object().cloned());
    closing.map(Value::Object).unwrap_or_else(|| panic!("the history of {id} says no cause: {history:?}"))
}

fn unproven(why: impl Into<Value>) -> Value {
    let why = why.into();
    json!({"failed": {"evidence": why}})
}

/// Makes an item look as if this click by this person had decided it just now.
fn decide(story: &Story, item: &mut Item, by: &str, click: &Signed) {
    let click = [
        ("body".to_owned(), text(&click.body)),
        ("timestamp".to_owned(), text(&click.timestamp)),
        ("signature".to_owned(), text(&click.signature)),
    ];
    let approval = [
        ("by".to_owned(), text(by)),
        ("at".to_owned(), number(story.now())),
        ("click".to_owned(), AttributeValue::M(click.into())),
    ];
    item.insert("approvals".to_owned(), AttributeValue::L(vec![AttributeValue::M(approval.into())]));
    item.insert("status".to_owned(), text("APPROVED"));
    item.insert("approved_at".to_owned(), number(story.now()));
    item.insert("expires_at".to_owned(), number(story.now() + 60));
}
