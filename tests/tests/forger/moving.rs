//! A grant is moved without approval whose requester may not, or what is none any more.

use super::*;
use access::click::button_value;
use access::lifecycle::{Parts, Record};
use access::request::TermsDigest;
use sandbox::host::wiring::POLICY;

/// The policy lets a grant move within this network.
async fn begin() -> Story {
    let rule = "sources = [\"203.0.113.0/24\"]\nmove_without_approval = true\nsource = \"203.0.113.7\"";
    Story::begin_with(&POLICY.replace("source = \"203.0.113.7\"", rule)).await
}

/// An open grant of Ana's.
async fn open(story: &Story) -> String {
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN");
    id
}

/// A move that Ana has really clicked, and that `grant` has not opened yet: Azure did not answer.
async fn clicked(story: &Story, old: &str, to: &str) -> String {
    let id = story.asked(ANA, &format!("move {old} from {to}")).await;
    let how = json!({"answer": {"status": 503}});
    story.fault(json!({"part": "arm", "method": "GET", "path": "virtualMachines", "how": how})).await;
    story.click(ANA, &id, "move").await;
    assert_eq!(story.status(&id).await, "APPROVED");
    id
}

/// Writes the item, and expects that nothing is opened, for this reason.
async fn refused(story: &Story, id: &str, mut item: Item, name: &str, why: Value) {
    wake(&mut item);
    story.put_item(item).await;
    assert_eq!(rules_written(story, id), 0, "{name}");
    assert_eq!(closing_cause(story, id).await, unproven(why), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_moves_must_be_open_and_approved() {
    let story = begin().await;
    let old = open(&story).await;
    // The record of the old one is changed: the end, the clicks, the person.
    let good = story.item(&old).await;
    let later = number(story.now() + 7200);
    let eves = text("U0EVE");
    for (name, field, value, why) in [
        ("a later end", "expires_at", later, json!("nothing_moved")),
        ("another person", "requester", eves, json!("nothing_moved")),
        (
            "no clicks",
            "approvals",
            AttributeValue::L(vec![]),
            json!({"moved": {"too_few": {"got": 0, "needed": 1}}}),
        ),
    ] {
        let id = clicked(&story, &old, "203.0.113.99").await;
        let mut forged = good.clone();
        forged.insert(field.to_owned(), value);
        story.put_item(forged).await;
        let item = story.item(&id).await;
        refused(&story, &id, item, name, why).await;
        story.put_item(good.clone()).await;
    }
    // It is over, and the table says that it is open.
    let id = clicked(&story, &old, "203.0.113.99").await;
    story.revoke(&old, BEA).await;
    assert_eq!(story.status(&old).await, "CLOSED");
    let closed = story.item(&old).await;
    story.put_item(good).await;
    let item = story.item(&id).await;
    refused(&story, &id, item, "not open", json!("not_open")).await;
    story.put_item(closed).await;
    story.advance(31 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_turned_into_a_move() {
    let story = begin().await;
    let old = open(&story).await;
    let until = story.record(&old).await.granted().unwrap().expires_at();
    // Ana asks for more with a line, and clicks on a button that somebody shows who holds the bot's token.
    for (name, change, why) in [
        (
            "another port",
            (|parts: &mut Parts| parts.ports = access::command::parse_ports("3389").unwrap())
                as fn(&mut Parts),
            json!("nothing_moved"),
        ),
        (
            "a longer time",
            |parts: &mut Parts| parts.moves.as_mut().unwrap().until = parts.asked_at.plus(7200),
            json!("nothing_moved"),
        ),
        (
            "what never was",
            |parts: &mut Parts| parts.moves.as_mut().unwrap().grant = "7F3K9-QXM2P".parse().unwrap(),
            json!("nothing_moved"),
        ),
        (
            "a wider source",
            |parts: &mut Parts| parts.source = Some("203.0.113.0/24".parse().unwrap()),
            json!("other_range"),
        ),
    ] {
        let id = story.asked(ANA, "VM3 22 from 203.0.113.99 for 20m").await;
        let mut parts = story.record(&id).await.to_parts();
        let (grant, from) = (old.parse().unwrap(), "203.0.113.7".parse().unwrap());
        parts.moves = Some(access::request::Move { grant, from, until });
        parts.own_move = true;
        change(&mut parts);
        let record = Record::from_parts(parts.clone()).unwrap();
        let value = button_value(id.parse().unwrap(), &TermsDigest::of(record.ask().unwrap()));
        let click = story.signed_click_on(ANA, "move", &value);
        let mut item = story.item(&id).await;
        let moves = parts.moves.unwrap();
        let moves = [
            ("grant".to_owned(), text(&moves.grant.to_string())),
            ("from".to_owned(), text(&moves.from.to_string())),
            ("until".to_owned(), number(moves.until.unix())),
        ];
        let ports = parts.ports.as_slice().iter().map(|port| number(u64::from(*port)));
        item.insert("moves".to_owned(), AttributeValue::M(moves.into()));
        item.insert("own_move".to_owned(), AttributeValue::Bool(true));
        item.insert("ports".to_owned(), AttributeValue::L(ports.collect()));
        item.insert("source".to_owned(), text(&parts.source.unwrap().to_string()));
        decide(&story, &mut item, ANA, &click);
        refused(&story, &id, item, name, why).await;
    }
    story.advance(31 * 60).await;
    story.finish().await;
}
