//! A break-glass is made of what is none, or of another one.

use super::*;
use access::click::button_value;
use access::lifecycle::{Parts, Record};
use access::request::{Justification, TermsDigest};
use ajar_tests::CHRIS;
use ajar_tests::signed::Signed;
use sandbox::host::wiring::POLICY;

const WORDS: &str = "VM3 22 for 30m break-glass because the database is down";

/// Where these may open without approval, as the policy's file writes them.
async fn begin(who: &str) -> Story {
    Story::begin_with(&POLICY.replace("approvers =", &format!("break_glass = [{who}]\napprovers ="))).await
}

/// A break-glass that Ana has really pressed, and that `grant` has not opened yet: Azure did not answer.
async fn pressed(story: &Story) -> String {
    let id = story.asked(ANA, WORDS).await;
    let how = json!({"answer": {"status": 503}});
    story.fault(json!({"part": "arm", "method": "GET", "path": "virtualMachines", "how": how})).await;
    story.click(ANA, &id, "break_glass").await;
    assert_eq!(story.status(&id).await, "APPROVED");
    id
}

/// Writes the item, and expects that nothing is opened, for this reason.
async fn refused(story: &Story, id: &str, mut item: Item, name: &str, why: Value) {
    wake(&mut item);
    story.put_item(item).await;
    assert_eq!(rules_written(story, id), 0, "{name}");
    assert_eq!(closing_cause(story, id).await, unproven(why), "{name}");
    assert_eq!(story.status(id).await, "CLOSED", "{name}");
}

fn glass(item: &mut Item) {
    item.insert("break_glass".to_owned(), AttributeValue::Bool(true));
}

/// A click on a break-glass button that was made for the terms of a record as `change` makes it: whoever holds
/// the bot's token can show such a button, and Slack signs the click.
async fn click_on(story: &Story, id: &str, by: &str, change: impl FnOnce(&mut Parts)) -> (Record, Signed) {
    let mut parts = story.record(id).await.to_parts();
    change(&mut parts);
    let record = Record::from_parts(parts).unwrap();
    let value = button_value(id.parse().unwrap(), &TermsDigest::of(record.ask().unwrap()));
    let click = story.signed_click_on(by, "break_glass", &value);
    (record, click)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_changed_opens() {
    let story = begin("\"U0ANA\"").await;
    let id = pressed(&story).await;
    let mut item = story.item(&id).await;
    wake(&mut item);
    story.put_item(item).await;
    assert_eq!(story.status(&id).await, "OPEN");
    assert_eq!(rules_written(&story, &id), 2, "one in each group");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_approval_is_turned_into_one() {
    let story = begin("\"U0ANA\"").await;
    let words = "VM3 22 for 30m because the database is down";
    for (action, marked, expected) in [
        // The requester's own click on Approve, which `request` has refused.
        ("approve", true, "not_break_glass"),
        ("approve", false, "own_request"),
        // A button that nobody has shown, on the terms of the request.
        ("break_glass", true, "other_terms"),
        ("break_glass", false, "not_approve"),
    ] {
        let id = story.asked(ANA, words).await;
        let click = story.signed_click(ANA, &id, action).await;
        let mut item = story.item(&id).await;
        decide(&story, &mut item, ANA, &click);
        if marked {
            glass(&mut item);
        }
        refused(&story, &id, item, &format!("{action}, marked: {marked}"), json!(expected)).await;
    }
    // What a colleague has approved is not the requester's alone.
    let id = approved(&story, words).await;
    let mut item = story.item(&id).await;
    glass(&mut item);
    refused(&story, &id, item, "approved by another", json!("not_break_glass")).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_breaks_the_glass_of_somebody_else() {
    let story = begin("\"U0ANA\", \"U0BEA\"").await;
    // As an approval of a request that wants one.
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let click = story.signed_click(BEA, &id, "break_glass").await;
    let mut item = story.item(&id).await;
    decide(&story, &mut item, BEA, &click);
    refused(&story, &id, item, "as an approval", json!("not_approve")).await;
    // Or of Ana's break-glass, with either button.
    for (action, expected) in [("break_glass", "other_person"), ("approve", "not_break_glass")] {
        let id = story.asked(ANA, WORDS).await;
        let click = story.signed_click(BEA, &id, action).await;
        let mut item = story.item(&id).await;
        decide(&story, &mut item, BEA, &click);
        refused(&story, &id, item, action, json!(expected)).await;
    }
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_is_used_again() {
    let story = begin("\"U0ANA\"").await;
    let first = pressed(&story).await;
    let used = story.signed_click(ANA, &first, "break_glass").await;
    let other = story.asked(ANA, "VM3 3389 for 30m break-glass because the database is down").await;
    let mut item = story.item(&other).await;
    decide(&story, &mut item, ANA, &used);
    refused(&story, &other, item, "on another request", json!("other_request")).await;
    let mut item = story.item(&first).await;
    item.remove("break_glass");
    refused(&story, &first, item, "as if it were no break-glass", json!("not_approve")).await;
    let later = json!("other_terms");
    for (name, field, value) in [
        ("a longer time", "ttl_minutes", number(120)),
        ("another port", "ports", AttributeValue::L(vec![number(3389)])),
        ("another source", "source", text("198.51.100.9")),
        ("another reason", "justification", text("patching")),
    ] {
        let id = pressed(&story).await;
        let mut item = story.item(&id).await;
        item.insert(field.to_owned(), value);
        refused(&story, &id, item, name, later.clone()).await;
    }
    let id = pressed(&story).await;
    let mut item = story.item(&id).await;
    item.remove("justification");
    refused(&story, &id, item, "no reason any more", later).await;
    let id = pressed(&story).await;
    let mut item = story.item(&id).await;
    let click = at(&mut item, &["approvals", "0"]).clone();
    item.insert("approvals".to_owned(), AttributeValue::L(vec![click.clone(), click]));
    refused(&story, &id, item, "twice", json!("not_break_glass")).await;
    let id = pressed(&story).await;
    let mut item = story.item(&id).await;
    item.insert("expires_at".to_owned(), number(story.now() + 3600));
    refused(&story, &id, item, "a later end", json!("ends_too_late")).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_does_not_let() {
    let named = begin("\"U0ANA\"").await;
    let nobody = Story::begin().await;
    let not_let =
        |requester: &str| json!({"policy": {"break_glass": {"rule": "contoso", "requester": requester}}});
    // An old click, somebody who is not named, no reason, and a policy that names nobody.
    let id = named.asked(ANA, WORDS).await;
    let old = named.signed_click_at(ANA, &id, "break_glass", named.now() - 16 * 60).await;
    let mut item = named.item(&id).await;
    decide(&named, &mut item, ANA, &old);
    refused(&named, &id, item, "an old click", json!("too_old")).await;

    let id = named.asked(ANA, WORDS).await;
    let (_, click) = click_on(&named, &id, CHRIS, |parts| parts.requester = CHRIS.parse().unwrap()).await;
    let mut item = named.item(&id).await;
    item.insert("requester".to_owned(), text(CHRIS));
    decide(&named, &mut item, CHRIS, &click);
    refused(&named, &id, item, "not named", not_let(CHRIS)).await;

    let id = named.asked(ANA, WORDS).await;
    let (record, click) = click_on(&named, &id, ANA, |parts| parts.justification = None).await;
    assert_eq!(record.wish().justification, None::<Justification>);
    let mut item = named.item(&id).await;
    item.remove("justification");
    decide(&named, &mut item, ANA, &click);
    let reasonless = json!({"policy": {"justification": {"rule": "contoso"}}});
    refused(&named, &id, item, "no reason", reasonless).await;
    named.finish().await;

    let id = nobody.asked(ANA, "VM3 22 for 30m because the database is down").await;
    let (_, click) = click_on(&nobody, &id, ANA, |parts| parts.break_glass = true).await;
    let mut item = nobody.item(&id).await;
    glass(&mut item);
    decide(&nobody, &mut item, ANA, &click);
    refused(&nobody, &id, item, "the policy names nobody", not_let(ANA)).await;
    nobody.finish().await;
}
