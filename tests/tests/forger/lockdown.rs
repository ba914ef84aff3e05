//! Whoever writes the table locks something down. Nothing that is open is ended by it.

use super::*;
use ajar_tests::CHRIS;
use ajar_tests::signed::Signed;

fn map(pairs: &[(&str, AttributeValue)]) -> AttributeValue {
    AttributeValue::M(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// The item of the lockdowns, with one by this command. Nobody is told of it, so that the tick finds it.
fn item(by: &str, pattern: &str, at: u64, command: &Signed) -> Item {
    let command = map(&[
        ("body", text(&command.body)),
        ("timestamp", text(&command.timestamp)),
        ("signature", text(&command.signature)),
    ]);
    let one = map(&[
        ("id", text("7F3K9-QXM2P")),
        ("pattern", text(pattern)),
        ("by", text(by)),
        ("at", number(at)),
        ("command", command),
    ]);
    [
        ("pk", text("LOCKDOWN")),
        ("sk", text("LOCKDOWN")),
        ("all", AttributeValue::L(vec![one])),
        ("version", number(1)),
        ("due_shard", text("0")),
        ("due_at", number(at)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_admin_has_typed_ends_nothing() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 2h").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN");
    let now = story.now();
    let narrow = story.command(CHRIS, "lockdown db*");
    let by_bea = story.command(BEA, "lockdown");
    let right = story.command(CHRIS, "lockdown");
    let unsigned = Signed { signature: format!("v0={}", "0".repeat(64)), ..right.clone() };
    for (name, by, command) in [
        ("another pattern", CHRIS, &narrow),
        ("no admin", BEA, &by_bea),
        ("an admin's name on another's command", CHRIS, &by_bea),
        ("not signed", CHRIS, &unsigned),
    ] {
        story.put_item(item(by, "*", now, command)).await;
        story.advance(61).await;
        assert_eq!(story.status(&id).await, "OPEN", "{name}");
    }
    // An old one, made young again.
    story.advance(15 * 60).await;
    story.put_item(item(CHRIS, "*", story.now(), &right)).await;
    story.advance(61).await;
    assert_eq!(story.status(&id).await, "OPEN", "an old command");
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    // And one that an admin has typed now: the tick carries out what nobody was told of.
    story.put_item(item(CHRIS, "*", story.now(), &story.command(CHRIS, "lockdown"))).await;
    story.advance(61).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_delivered_again_after_it_was_lifted_locks_nothing_down() {
    let story = Story::begin().await;
    let command = story.command(CHRIS, "lockdown");
    story.ask_signed(CHRIS, &command).await;
    story.settle().await;
    story.ask(CHRIS, "lift").await;
    story.settle().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.ask_signed(CHRIS, &command).await;
    story.settle().await;
    story.advance(61).await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.to_next_end().await;
    story.finish().await;
}
