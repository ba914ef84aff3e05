//! What Slack sends: fields, signatures, time-outs, and what the person is shown.

use crate::{CHANNEL, Reply, SECRET, START_MS, Sent, Setup, World, card};
use sandbox::slack::{NotPossible, world};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// HMAC-SHA256 by its definition (RFC 2104), independent of the crate that the simulator uses.
fn hmac(key: &[u8], text: &[u8]) -> String {
    let mut padded = [0u8; 64];
    padded[..key.len()].copy_from_slice(key);
    let pad = |byte: u8| padded.map(|key| key ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature that this request must carry.
pub(crate) fn signature(sent: &Sent) -> String {
    let timestamp = sent.headers["x-slack-request-timestamp"].to_str().unwrap();
    let signed = format!("v0:{timestamp}:{}", sent.body);
    format!("v0={}", hmac(SECRET.as_bytes(), signed.as_bytes()))
}

#[test]
fn the_independent_computation_is_hmac() {
    // RFC 4231, test case 2.
    let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(hmac(b"Jefe", b"what do ya want for nothing?"), known);
}

#[tokio::test]
async fn a_command_has_all_fields_and_a_good_signature() {
    let world = World::new().await;
    let text = "VM3 22 because <b> & 100% \"späť\"";
    let outcome = world.slack.command("U0ANA", CHANNEL, text).await.unwrap();
    assert_eq!((outcome.status, outcome.error), (Some(200), None));
    let sent = world.last_sent();
    assert_eq!(sent.path, "/command");
    assert_eq!(sent.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(sent.headers["x-slack-request-timestamp"], (START_MS / 1000).to_string());
    assert_eq!(sent.headers["x-slack-signature"], signature(&sent));
    let fields = sent.fields();
    for (name, value) in [
        ("team_id", world::TEAM_ID),
        ("team_domain", "contoso"),
        ("channel_id", CHANNEL),
        ("channel_name", "jit-access"),
        ("user_id", "U0ANA"),
        ("user_name", "ana"),
        ("command", "/jit"),
        ("text", text),
        ("api_app_id", world::APP_ID),
        ("is_enterprise_install", "false"),
        ("response_url", &outcome.response_url),
        ("trigger_id", &outcome.trigger_id),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert!(fields.contains_key("token"));
    assert!(!fields.contains_key("enterprise_id"), "the workspace is in no Enterprise org");
    assert!(outcome.response_url.starts_with(&format!("{}/commands/{}/", world.url, world::TEAM_ID)));
    let dm = world.slack.direct_messages("U0ANA").unwrap();
    world.slack.command("U0ANA", &dm, "").await.unwrap();
    assert_eq!(world.last_sent().fields()["channel_name"], "directmessage");
}

#[tokio::test]
async fn the_answer_to_a_command_is_shown() {
    let world = World::new().await;
    world.reply(Reply::Text(200, "plain *words*".to_owned()));
    let outcome = world.slack.command("U0ANA", CHANNEL, "x").await.unwrap();
    assert_eq!(outcome.shown.unwrap()["text"], "plain *words*");
    assert!(world.seen("U0BEA", CHANNEL).is_empty());
    let answer = json!({ "response_type": "in_channel", "blocks": [{ "type": "divider" }] });
    world.reply(Reply::Json(answer.clone()));
    world.slack.command("U0ANA", CHANNEL, "y").await.unwrap();
    let all = world.seen("U0BEA", CHANNEL);
    assert_eq!((&all[0]["text"], &all[1]["blocks"][0]["type"]), (&json!("/jit y"), &json!("divider")));
    let record = world.slack.messages();
    let (one, two) = (&record[0], &record[1]);
    assert_eq!((&one["method"], &one["user"]), (&json!("command_answer"), &json!("U0ANA")));
    assert_eq!((&two["body"], &two["user"], &two["ok"]), (&answer, &Value::Null, &json!(true)));
    for empty in [Reply::Text(200, String::new()), Reply::Json(json!({}))] {
        world.reply(empty);
        assert!(world.slack.command("U0ANA", CHANNEL, "z").await.unwrap().shown.is_none());
    }
    assert_eq!(world.slack.messages().len(), 2);
    world.reply(Reply::Json(json!({ "blocks": [{ "type": "carousel" }] })));
    let outcome = world.slack.command("U0ANA", CHANNEL, "z").await.unwrap();
    assert_eq!(outcome.error, Some("invalid_command_response"));
    assert_eq!(world.slack.messages()[2]["ok"], false);
}

#[tokio::test]
async fn a_failed_command_is_told_to_the_person() {
    let world = World::with(Setup { ack_within: Duration::from_millis(200), ..Setup::default() }).await;
    for (reply, error) in [
        (Reply::Text(500, "oops".to_owned()), "http_service_error"),
        (Reply::Text(401, String::new()), "http_client_error"),
        (Reply::Text(204, String::new()), "http_service_error"),
        (Reply::Never, "operation_timeout"),
    ] {
        world.reply(reply);
        let outcome = world.slack.command("U0ANA", CHANNEL, "VM3 22").await.unwrap();
        assert_eq!(outcome.error, Some(error));
        let told = world.seen("U0ANA", CHANNEL).last().unwrap().clone();
        assert_eq!(told["text"], format!("/jit failed with the error \"{error}\""));
        assert_eq!((&told["user"], &told["ephemeral"]), (&json!(world::SLACKBOT_ID), &json!(true)));
    }
    assert!(world.slack.messages().is_empty(), "Slackbot's words are not the app's");
    world.slack.set_addresses(sandbox::slack::Addresses {
        slack_url: world.url.clone(),
        command_url: "http://127.0.0.1:1/".to_owned(),
        interaction_url: "http://127.0.0.1:1/".to_owned(),
    });
    let outcome = world.slack.command("U0ANA", CHANNEL, "VM3 22").await.unwrap();
    assert_eq!((outcome.status, outcome.error), (None, Some("dispatch_failed")));
}

#[tokio::test]
async fn a_click_carries_the_message_and_the_value_that_slack_has() {
    let world = World::new().await;
    let posted = world.done("chat.postMessage", card()).await;
    let ts = posted["ts"].as_str().unwrap();
    let outcome = world.slack.click("U0BEA", CHANNEL, ts, "decide", "approve").await.unwrap();
    let sent = world.last_sent();
    assert_eq!(sent.path, "/interaction");
    assert_eq!(sent.headers["x-slack-signature"], signature(&sent));
    let fields = sent.fields();
    assert_eq!(fields.len(), 1);
    let payload: Value = serde_json::from_str(&fields["payload"]).unwrap();
    let action = &payload["actions"][0];
    assert_eq!(
        (&payload["type"], &payload["user"]["id"], &payload["team"]["id"], &payload["api_app_id"]),
        (&json!("block_actions"), &json!("U0BEA"), &json!(world::TEAM_ID), &json!(world::APP_ID))
    );
    assert_eq!((&payload["enterprise"], &payload["is_enterprise_install"]), (&Value::Null, &json!(false)));
    assert_eq!((&action["value"], &action["type"]), (&json!("7F3K9-QXM2P"), &json!("button")));
    assert_eq!((&action["block_id"], &action["action_id"]), (&json!("decide"), &json!("approve")));
    assert_eq!(
        payload["container"],
        json!({ "type": "message", "message_ts": ts, "channel_id": CHANNEL, "is_ephemeral": false })
    );
    assert_eq!(
        (&payload["message"]["ts"], &payload["message"]["blocks"]),
        (&json!(ts), &posted["message"]["blocks"])
    );
    assert_eq!(payload["response_url"], outcome.response_url.as_str());
    assert_eq!(payload["trigger_id"], outcome.trigger_id.as_str());
    let second = world.slack.click("U0BEA", CHANNEL, ts, "decide", "approve").await.unwrap();
    let again: Value = serde_json::from_str(&world.last_sent().fields()["payload"]).unwrap();
    assert_ne!(again["actions"][0]["action_ts"], action["action_ts"], "each click has its own moment");
    assert_ne!(second.trigger_id, outcome.trigger_id);
    world.reply(Reply::Text(500, String::new()));
    let failed = world.slack.click("U0BEA", CHANNEL, ts, "decide", "approve").await.unwrap();
    assert_eq!((failed.status, failed.error), (Some(500), Some("http_service_error")));
}

#[tokio::test]
async fn only_what_a_person_sees_can_be_clicked() {
    let world = World::new().await;
    let ts = world.done("chat.postMessage", card()).await["ts"].as_str().unwrap().to_owned();
    let click = async |user: &str, channel: &str, ts: &str, action: &str| {
        world.slack.click(user, channel, ts, "decide", action).await.err()
    };
    assert_eq!(click("U0NOBODY", CHANNEL, &ts, "approve").await, Some(NotPossible::NoSuchPerson));
    assert_eq!(click("U0BEA", "D0ANA", &ts, "approve").await, Some(NotPossible::NotInChannel));
    assert_eq!(click("U0BEA", CHANNEL, "1.000001", "approve").await, Some(NotPossible::NoSuchButton));
    assert_eq!(click("U0BEA", CHANNEL, &ts, "deny").await, Some(NotPossible::NoSuchButton));
    let mut body = card();
    body["user"] = json!("U0ANA");
    let hers = world.done("chat.postEphemeral", body).await["message_ts"].as_str().unwrap().to_owned();
    assert_eq!(click("U0BEA", CHANNEL, &hers, "approve").await, Some(NotPossible::NoSuchButton));
    assert_eq!(click("U0ANA", CHANNEL, &hers, "approve").await, None);
    let payload: Value = serde_json::from_str(&world.last_sent().fields()["payload"]).unwrap();
    assert_eq!((&payload["container"]["is_ephemeral"], payload.get("message")), (&json!(true), None));
    world.done("chat.update", json!({ "channel": CHANNEL, "ts": ts, "text": "decided" })).await;
    assert_eq!(click("U0BEA", CHANNEL, &ts, "approve").await, Some(NotPossible::NoSuchButton));
    assert_eq!(world.sent.lock().unwrap().len(), 1, "nothing else was sent");
    assert_eq!(world.slack.command("U0ANA", "C0NOWHERE", "x").await.err(), Some(NotPossible::NotInChannel));
}
