//! `response_url`s.

use crate::{CHANNEL, World, card};
use serde_json::{Value, json};

async fn command_url(world: &World) -> String {
    world.slack.command("U0ANA", CHANNEL, "VM3 22").await.unwrap().response_url
}

/// Posts a card and clicks it as this person: the card's `ts` and the click's `response_url`.
async fn clicked(world: &World, user: &str) -> (String, String) {
    let ts = world.done("chat.postMessage", card()).await["ts"].as_str().unwrap().to_owned();
    let click = world.slack.click(user, CHANNEL, &ts, "decide", "approve").await.unwrap();
    (ts, click.response_url)
}

#[tokio::test]
async fn five_uses() {
    let world = World::new().await;
    let url = command_url(&world).await;
    for _ in 0..5 {
        let got = world.respond(&url, json!({ "text": "hi" })).await;
        assert_eq!((got.status, got.text.as_str()), (200, "ok"));
    }
    let got = world.respond(&url, json!({ "text": "hi" })).await;
    assert_eq!((got.status, got.error().as_str()), (404, "used_url"));
    let refused = world.slack.messages().last().unwrap().clone();
    assert_eq!((&refused["ok"], &refused["method"]), (&json!(false), &json!("response_url")));
}

#[tokio::test]
async fn thirty_minutes() {
    let world = World::new().await;
    let url = command_url(&world).await;
    world.pass_ms(30 * 60 * 1000);
    assert_eq!(world.respond(&url, json!({ "text": "hi" })).await.status, 200);
    world.pass_ms(1);
    let got = world.respond(&url, json!({ "text": "hi" })).await;
    assert_eq!((got.status, got.error().as_str()), (404, "expired_url"));
    let guessed = format!("{}/commands/T0CONTOSO/1/guess", world.url);
    assert_eq!(world.respond(&guessed, json!({ "text": "hi" })).await.status, 404);
}

#[tokio::test]
async fn ephemeral_unless_it_says_otherwise() {
    let world = World::new().await;
    let url = command_url(&world).await;
    world.respond(&url, json!({ "text": "for Ana" })).await;
    assert!(world.seen("U0BEA", CHANNEL).is_empty());
    let ephemeral = world.slack.messages().last().unwrap().clone();
    assert_eq!((&ephemeral["user"], &ephemeral["body"]), (&json!("U0ANA"), &json!({ "text": "for Ana" })));
    world.respond(&url, json!({ "text": "for all", "response_type": "in_channel" })).await;
    assert_eq!(world.seen("U0BEA", CHANNEL)[0]["text"], "for all");
    assert_eq!(world.slack.messages().last().unwrap()["user"], Value::Null);
    let got = world.respond(&url, json!({ "text": "x", "response_type": "loud" })).await;
    assert_eq!((got.status, got.error().as_str()), (400, "invalid_response_type"));
    assert_eq!(world.respond(&url, json!({})).await.error(), "no_text");
    let broken = json!({ "blocks": [{ "type": "carousel" }] });
    let got = world.respond(&url, broken).await;
    assert_eq!((got.status, got.error().as_str()), (400, "invalid_blocks"));
}

#[tokio::test]
async fn a_commands_url_has_no_original() {
    let world = World::new().await;
    let url = command_url(&world).await;
    world.respond(&url, json!({ "text": "one" })).await;
    world.respond(&url, json!({ "text": "two", "replace_original": true })).await;
    let texts: Vec<Value> =
        world.seen("U0ANA", CHANNEL).iter().map(|message| message["text"].clone()).collect();
    assert_eq!(texts, ["/jit VM3 22", "one", "two"]);
    let got = world.respond(&url, json!({ "delete_original": true })).await;
    assert_eq!((got.status, got.error().as_str()), (404, "message_not_found"));
}

#[tokio::test]
async fn a_clicks_url_replaces_and_deletes_the_message_that_was_clicked() {
    let world = World::new().await;
    let (ts, url) = clicked(&world, "U0BEA").await;
    world.respond(&url, json!({ "text": "for Bea", "replace_original": false })).await;
    assert_eq!(world.seen("U0ANA", CHANNEL).len(), 1);
    assert_eq!(world.seen("U0BEA", CHANNEL).len(), 2);
    // As Slack's own example writes it: a string.
    world.respond(&url, json!({ "text": "decided", "replace_original": "true" })).await;
    let card = world.seen("U0ANA", CHANNEL)[0].clone();
    assert_eq!((&card["text"], &card["blocks"], &card["ts"]), (&json!("decided"), &Value::Null, &json!(ts)));
    world.respond(&url, json!({ "delete_original": "true" })).await;
    assert!(world.seen("U0ANA", CHANNEL).is_empty());
    let got = world.respond(&url, json!({ "text": "x", "replace_original": true })).await;
    assert_eq!((got.status, got.error().as_str()), (404, "message_not_found"));
}

#[tokio::test]
async fn an_ephemeral_original_stays_ephemeral() {
    let world = World::new().await;
    let mut body = card();
    body["user"] = json!("U0ANA");
    let posted = world.done("chat.postEphemeral", body).await;
    let ts = posted["message_ts"].as_str().unwrap();
    let click = world.slack.click("U0ANA", CHANNEL, ts, "decide", "approve").await.unwrap();
    let replace = json!({ "text": "done", "replace_original": true, "response_type": "in_channel" });
    assert_eq!(world.respond(&click.response_url, replace).await.status, 200);
    assert_eq!(world.seen("U0ANA", CHANNEL)[0]["text"], "done");
    assert!(world.seen("U0BEA", CHANNEL).is_empty());
}
