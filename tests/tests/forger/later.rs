//! What is over, or open, is changed.

use super::*;
use ajar_tests::CHRIS;

/// Makes a closed record look approved.
fn as_approved(item: &mut Item, expires_at: u64, approved_at: u64) {
    for name in [
        "closure",
        "closed_at",
        "plan",
        "planned_at",
        "opened_at",
        "cause",
        "closing_at",
        "ends",
        "tries",
        "retry_at",
        "proof",
        "settled",
    ] {
        item.remove(name);
    }
    item.insert("status".to_owned(), text("APPROVED"));
    item.insert("expires_at".to_owned(), number(expires_at));
    item.insert("approved_at".to_owned(), number(approved_at));
    wake(item);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_request_is_set_to_approved() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let deny = story.signed_click(BEA, &id, "deny").await;
    story.deny(BEA, &id).await;
    let now = story.now();
    let denied = story.item(&id).await;
    let mut bare = denied.clone();
    as_approved(&mut bare, now + 1700, now);
    story.put_item(bare).await;
    assert_eq!(closing_cause(&story, &id).await, unproven(json!({"too_few": {"got": 0, "needed": 1}})));
    // The click on Deny as if it were a yes: on a second request, the history tells one story each.
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let own = story.signed_click(BEA, &id, "deny").await;
    assert_ne!(own.body, deny.body);
    story.deny(BEA, &id).await;
    let mut item = story.item(&id).await;
    let click = [("body", own.body), ("timestamp", own.timestamp), ("signature", own.signature)];
    let click = click.map(|(name, value)| (name.to_owned(), text(&value))).into();
    let approval = [
        ("by".to_owned(), text(BEA)),
        ("at".to_owned(), number(now)),
        ("click".to_owned(), AttributeValue::M(click)),
    ];
    item.insert("approvals".to_owned(), AttributeValue::L(vec![AttributeValue::M(approval.into())]));
    as_approved(&mut item, now + 1700, now);
    story.put_item(item).await;
    assert_eq!(closing_cause(&story, &id).await, unproven(json!("not_approve")));
    assert_eq!(rules_written(&story, &id), 0);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_grant_is_set_to_approved() {
    let mut story = Story::begin().await;
    // That it was open once is what the forger took out of the record.
    story.forgive("Nothing was opened.");
    let id = story.asked(ANA, "VM3 22 for 5m").await;
    story.click(BEA, &id, "approve").await;
    let end = story.now() + 300;
    story.to_next_end().await;
    assert_eq!((story.status(&id).await, rules_written(&story, &id)), ("CLOSED", 2));
    // Within 15 minutes of the click the clicks are good, but not for longer than they say.
    let mut item = story.item(&id).await;
    as_approved(&mut item, story.now() + 600, end - 300);
    story.put_item(item).await;
    assert_eq!(closing_cause(&story, &id).await, unproven(json!("ends_too_late")));
    assert_eq!(rules_written(&story, &id), 2, "the first time only");
    // With its true end, which has passed.
    let mut item = story.item(&id).await;
    let true_end = end.min(story.now());
    as_approved(&mut item, true_end, end - 300);
    story.put_item(item).await;
    assert_eq!(rules_written(&story, &id), 2);
    story.advance(2 * 60).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    assert_eq!(rules_written(&story, &id), 2);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_is_set_to_approved() {
    let mut story = Story::begin().await;
    // That it was open once is what the forger took out of the record.
    story.forgive("Nothing was opened.");
    let id = story.asked(ANA, "VM3 22 for 1h").await;
    let now = story.now();
    story.click(BEA, &id, "approve").await;
    story.advance(16 * 60).await;
    story.revoke(&id, CHRIS).await;
    assert_eq!(rules_written(&story, &id), 2);
    let mut item = story.item(&id).await;
    as_approved(&mut item, now + 3600, now);
    story.put_item(item).await;
    assert_eq!(closing_cause(&story, &id).await, unproven(json!("too_old")));
    assert_eq!(rules_written(&story, &id), 2, "the click is older than 15 minutes");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_open_grant_is_moved() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    story.click(BEA, &id, "approve").await;
    let end = story.now() + 600;
    let mut item = story.item(&id).await;
    for name in ["expires_at", "due_at"] {
        item.insert(name.to_owned(), number(end + 86_400));
    }
    story.put_item(item).await;
    story.advance(60).await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"), "what the rule itself says of its end decides");
    assert!(story.now() < end);
    let history = story.history(&id).await;
    assert!(history.contains(&json!({"closing": {"cause": "altered"}})), "{history:?}");
    assert_eq!(rules_written(&story, &id), 2);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_grant_is_set_back_with_a_later_end() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    story.click(BEA, &id, "approve").await;
    let mut item = story.item(&id).await;
    item.insert("status".to_owned(), text("OPENING"));
    item.insert("expires_at".to_owned(), number(story.now() + 3600));
    wake(&mut item);
    story.put_item(item).await;
    assert_eq!(closing_cause(&story, &id).await, unproven(json!("ends_too_late")));
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
    story.finish().await;
}
