//! The Web API's methods, their errors, the record, ordered failures and restarts.

use crate::{CHANNEL, START_MS, Setup, TOKEN, World, card, plain};
use sandbox::faults::{Fault, How, Part};
use sandbox::slack::world;
use serde_json::{Value, json};
use std::time::Duration;

fn say(channel: &str, text: &str) -> Value {
    json!({ "channel": channel, "text": text })
}

#[tokio::test]
async fn who_may_call() {
    let world = World::new().await;
    let url = format!("{}/api/auth.test", world.url);
    let no_token = world.got(world.client.post(&url)).await;
    assert_eq!((no_token.status, no_token.error().as_str()), (200, "not_authed"));
    for (token, error) in
        [("xoxb-other", "invalid_auth"), ("xoxp-user", "not_allowed_token_type"), (TOKEN, "none")]
    {
        assert_eq!(world.got(world.client.post(&url).bearer_auth(token)).await.error(), error);
    }
    // A form may carry the token, JSON may not.
    let form = |body: String| {
        world.client.post(&url).header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    assert_eq!(world.got(form(format!("token={TOKEN}"))).await.error(), "none");
    let json_body = json!({ "token": TOKEN }).to_string();
    let in_json = world.client.post(&url).header("content-type", "application/json").body(json_body);
    assert_eq!(world.got(in_json).await.error(), "not_authed");
    let me = world.done("auth.test", json!({})).await;
    assert_eq!((&me["team_id"], &me["user_id"]), (&json!(world::TEAM_ID), &json!(world::BOT_USER_ID)));
    assert_eq!(world.got(world.client.get(&url).bearer_auth(TOKEN)).await.status, 405);
    assert!(!json!(world.slack.messages()).to_string().contains(TOKEN), "the token is not on record");
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let world = World::with(Setup { scopes: vec!["commands".to_owned()], ..Setup::default() }).await;
    let cases = [
        ("chat.postMessage", say(CHANNEL, "x"), "chat:write"),
        ("chat.update", say(CHANNEL, "x"), "chat:write"),
        ("chat.postEphemeral", say(CHANNEL, "x"), "chat:write"),
        ("usergroups.users.list", json!({ "usergroup": "S0ONCALL" }), "usergroups:read"),
        ("users.info", json!({ "user": "U0ANA" }), "users:read"),
        ("conversations.open", json!({ "users": "U0ANA" }), "im:write"),
        ("conversations.open", json!({ "users": "U0ANA,U0BEA" }), "mpim:write"),
    ];
    for (method, body, needed) in cases {
        let got = world.call(method, body).await;
        assert_eq!(got.error(), "missing_scope");
        assert_eq!((&got.json()["needed"], &got.json()["provided"]), (&json!(needed), &json!("commands")));
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let world = World::new().await;
    let url = format!("{}/api/chat.postMessage", world.url);
    let cases = [
        (Some("application/json"), "{", "invalid_json"),
        (Some("application/json"), "[]", "json_not_object"),
        (Some("text/plain"), "x", "invalid_post_type"),
        (None, "x", "missing_post_type"),
    ];
    for (kind, body, error) in cases {
        let mut request = world.client.post(&url).bearer_auth(TOKEN).body(body);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        assert_eq!(world.got(request).await.error(), error);
    }
    assert_eq!(world.refused("chat.meMessage", json!({})).await, "unknown_method");
}

#[tokio::test]
async fn where_a_message_can_go() {
    let world = World::new().await;
    for (channel, error) in [
        ("C0NOWHERE", "channel_not_found"),
        ("U0NOBODY", "channel_not_found"),
        ("#nowhere", "channel_not_found"),
        ("C0ARCHIVE", "is_archived"),
        ("C0GENERAL", "not_in_channel"),
    ] {
        assert_eq!(world.refused("chat.postMessage", say(channel, "x")).await, error, "{channel}");
    }
    assert_eq!(world.done("chat.postMessage", say("#jit-access", "x")).await["channel"], CHANNEL);
    let to_ana = world.done("chat.postMessage", say("U0ANA", "hello")).await;
    assert_eq!(to_ana["channel"], "D0ANA");
    let opened = world.done("conversations.open", json!({ "users": "U0ANA" })).await;
    assert_eq!(opened["channel"]["id"], "D0ANA");
    assert_eq!(world.seen("U0ANA", "D0ANA")[0]["text"], "hello");
    assert!(world.seen("U0BEA", "D0ANA").is_empty(), "direct messages are nobody else's");
    let public = ["chat:write", "chat:write.public"].map(str::to_owned).to_vec();
    let world = World::with(Setup { scopes: public, ..Setup::default() }).await;
    world.done("chat.postMessage", say("C0GENERAL", "x")).await;
}

#[tokio::test]
async fn what_a_message_needs() {
    let world = World::new().await;
    assert_eq!(world.refused("chat.postMessage", json!({ "text": "x" })).await, "invalid_arguments");
    assert_eq!(world.refused("chat.postMessage", json!({ "channel": CHANNEL })).await, "no_text");
    let both = json!({ "channel": CHANNEL, "text": "x", "markdown_text": "y" });
    assert_eq!(world.refused("chat.postMessage", both).await, "markdown_text_conflict");
    let long = json!({ "channel": CHANNEL, "markdown_text": "x".repeat(12_001) });
    assert_eq!(world.refused("chat.postMessage", long).await, "msg_too_long");
    let cut = world.done("chat.postMessage", say(CHANNEL, &"x".repeat(40_001))).await;
    assert_eq!(cut["message"]["text"].as_str().unwrap().len(), 40_000);
    // What the app leaves out, Slack fills in.
    let mut bare = card();
    bare["blocks"][1].as_object_mut().unwrap().remove("block_id");
    let posted = world.done("chat.postMessage", bare).await;
    let blocks = &posted["message"]["blocks"];
    assert_eq!(blocks[0]["text"]["emoji"], true);
    assert_ne!(blocks[0]["block_id"], blocks[1]["block_id"]);
}

#[tokio::test]
async fn updates_change_what_they_name() {
    let world = World::new().await;
    let posted = world.done("chat.postMessage", card()).await;
    let ts = posted["ts"].as_str().unwrap().to_owned();
    let update = |text: Option<&str>, blocks: Option<Value>| json!({ "channel": CHANNEL, "ts": ts, "text": text, "blocks": blocks });
    // Slack advises a new block_id and takes the old one.
    let again = json!([{ "type": "actions", "block_id": "decide", "elements": [crate::button("approve")] }]);
    let changed = world.done("chat.update", update(None, Some(again))).await;
    assert_eq!((&changed["text"], &changed["ts"]), (&json!("VM3 22 for Ana"), &json!(ts)), "the text stays");
    let changed = world.done("chat.update", update(Some("over"), None)).await;
    assert_eq!(changed["message"]["blocks"], Value::Null, "text without blocks takes the blocks away");
    assert_eq!(world.seen("U0BEA", CHANNEL).len(), 1);
    assert_eq!(world.seen("U0BEA", CHANNEL)[0]["text"], "over");
    world.done("chat.update", update(Some(&"x".repeat(4_000)), None)).await;
    let error = world.refused("chat.update", update(Some(&"x".repeat(4_001)), None)).await;
    assert_eq!(error, "msg_too_long");
    assert_eq!(world.refused("chat.update", update(None, None)).await, "no_text");
    let elsewhere = json!({ "channel": CHANNEL, "ts": "1.000001", "text": "x" });
    assert_eq!(world.refused("chat.update", elsewhere).await, "message_not_found");
    let by_user = json!({ "channel": "U0ANA", "ts": ts, "text": "x" });
    assert_eq!(world.refused("chat.update", by_user).await, "channel_not_found");
    world.slack.say("U0BEA", CHANNEL, "mine & <mine>").unwrap();
    let bea = world.seen("U0ANA", CHANNEL).last().unwrap().clone();
    assert_eq!(bea["text"], "mine &amp; &lt;mine&gt;");
    let hers = json!({ "channel": CHANNEL, "ts": bea["ts"], "text": "x" });
    assert_eq!(world.refused("chat.update", hers).await, "cant_update_message");
}

#[tokio::test]
async fn an_ephemeral_message_is_seen_by_one_person_and_cannot_be_updated() {
    let world = World::new().await;
    let body = json!({ "channel": CHANNEL, "user": "U0ANA", "text": "only you" });
    let posted = world.done("chat.postEphemeral", body).await;
    assert_eq!(world.seen("U0ANA", CHANNEL)[0]["ephemeral"], true);
    assert!(world.seen("U0BEA", CHANNEL).is_empty());
    let update = json!({ "channel": CHANNEL, "ts": posted["message_ts"], "text": "x" });
    assert_eq!(world.refused("chat.update", update).await, "message_not_found");
    let stranger = json!({ "channel": CHANNEL, "user": "U0NOBODY", "text": "x" });
    assert_eq!(world.refused("chat.postEphemeral", stranger).await, "user_not_in_channel");
    assert_eq!(world.refused("chat.postEphemeral", say(CHANNEL, "x")).await, "invalid_arguments");
    let empty = json!({ "channel": CHANNEL, "user": "U0ANA" });
    assert_eq!(world.refused("chat.postEphemeral", empty).await, "no_text");
}

#[tokio::test]
async fn people_and_groups() {
    let world = World::new().await;
    let group = world.done("usergroups.users.list", json!({ "usergroup": "S0ONCALL" })).await;
    assert_eq!(group["users"], json!(["U0BEA", "U0CHRIS"]));
    let unknown = json!({ "usergroup": "S0NOBODY" });
    assert_eq!(world.refused("usergroups.users.list", unknown).await, "no_such_subteam");
    let ana = world.done("users.info", json!({ "user": "U0ANA" })).await;
    assert_eq!(ana["user"]["real_name"], "Ana");
    assert_eq!(ana["user"]["profile"]["email"], Value::Null, "users:read.email was not given");
    assert_eq!(world.refused("users.info", json!({ "user": "U0NOBODY" })).await, "user_not_found");
    for (body, error) in [
        (json!({}), "users_list_not_supplied"),
        (json!({ "users": "U0NOBODY" }), "user_not_found"),
        (json!({ "channel": "D0NOBODY" }), "channel_not_found"),
    ] {
        assert_eq!(world.refused("conversations.open", body).await, error);
    }
    let scopes = ["im:write", "mpim:write"].map(str::to_owned).to_vec();
    let world = World::with(Setup { scopes, ..Setup::default() }).await;
    let nine = vec!["U0ANA"; 9];
    assert_eq!(world.refused("conversations.open", json!({ "users": nine })).await, "too_many_users");
    let one = world.done("conversations.open", json!({ "users": "U0ANA,U0BEA" })).await;
    let other = world.done("conversations.open", json!({ "users": ["U0BEA", "U0ANA"] })).await;
    assert_eq!(one["channel"]["id"], other["channel"]["id"]);
}

#[tokio::test]
async fn asking_too_much_is_refused_when_slack_s_limits_hold() {
    let world = World::new().await;
    world.slack.limit_rates();
    world.done("chat.postMessage", say(CHANNEL, "one")).await;
    let got = world.call("chat.postMessage", say(CHANNEL, "two")).await;
    assert_eq!((got.status, got.error().as_str()), (429, "ratelimited"));
    assert_eq!(got.headers["retry-after"], "1");
    world.done("chat.postMessage", say("U0ANA", "elsewhere")).await;
    world.pass_ms(1_000);
    world.done("chat.postMessage", say(CHANNEL, "two")).await;
    let members = || json!({ "usergroup": "S0ONCALL" });
    for _ in 0..20 {
        world.done("usergroups.users.list", members()).await;
    }
    let got = world.call("usergroups.users.list", members()).await;
    assert_eq!(
        (got.status, got.error().as_str(), got.headers["retry-after"].to_str().unwrap()),
        (429, "ratelimited", "60")
    );
    world.done("users.info", json!({ "user": "U0ANA" })).await;
    world.pass_ms(60_000);
    world.done("usergroups.users.list", members()).await;
}

#[tokio::test]
async fn everything_is_on_record_with_the_network_of_that_instant() {
    let world = World::new().await;
    let sent = card();
    let posted = world.done("chat.postMessage", sent.clone()).await;
    world.pass_ms(1_500);
    world.refused("chat.postMessage", say("C0NOWHERE", "x")).await;
    world.done("chat.postEphemeral", json!({ "channel": CHANNEL, "user": "U0ANA", "text": "y" })).await;
    world.done("users.info", json!({ "user": "U0ANA" })).await;
    let record = world.slack.messages();
    assert_eq!(record.len(), 3, "what nobody sees is not on record");
    let at = START_MS as f64 / 1000.0;
    assert_eq!(
        record[0],
        json!({ "seq": 1, "at": at, "method": "chat.postMessage", "user": null, "channel": CHANNEL,
            "ts": posted["ts"], "body": sent, "ok": true, "error": null, "network": { "look": 0 } })
    );
    assert_eq!((&record[1]["ok"], &record[1]["error"]), (&json!(false), &json!("channel_not_found")));
    assert_eq!((&record[1]["at"], &record[1]["network"]), (&json!(at + 1.5), &json!({ "look": 1 })));
    assert_eq!((&record[2]["user"], &record[2]["seq"]), (&json!("U0ANA"), &json!(3)));
}

#[tokio::test]
async fn ordered_failures_happen() {
    let world = World::new().await;
    let order = |how: How| {
        let path = Some("chat.postMessage".to_owned());
        world.faults.order(Fault { part: Part::Slack, method: Some("POST".to_owned()), path, how, count: 1 });
    };
    let headers = [("Retry-After".to_owned(), "30".to_owned())].into();
    let body = json!({ "ok": false, "error": "ratelimited" });
    order(How::Answer { status: 429, headers, body });
    // Another method is not touched by it.
    world.done("auth.test", json!({})).await;
    let got = world.call("chat.postMessage", say(CHANNEL, "x")).await;
    assert_eq!((got.status, got.error().as_str()), (429, "ratelimited"));
    assert_eq!(got.headers["retry-after"], "30");
    order(How::CutBefore);
    assert!(world.api_request("chat.postMessage", &say(CHANNEL, "x")).send().await.is_err());
    assert!(world.seen("U0ANA", CHANNEL).is_empty(), "not carried out");
    order(How::CutAfter);
    assert!(world.api_request("chat.postMessage", &say(CHANNEL, "x")).send().await.is_err());
    assert_eq!(world.seen("U0ANA", CHANNEL).len(), 1, "carried out, and nobody told");
    order(How::Slow { milliseconds: 1 });
    world.done("chat.postMessage", say(CHANNEL, "y")).await;
    assert_eq!(world.seen("U0ANA", CHANNEL).len(), 2);
    order(How::Late { milliseconds: 1 });
    assert!(world.api_request("chat.postMessage", &say(CHANNEL, "z")).send().await.is_err());
    let carried_out = async {
        while world.seen("U0ANA", CHANNEL).len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), carried_out).await.unwrap();
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    let directory = std::env::temp_dir().join(format!("ajar-slack-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let setup = || Setup { data_dir: Some(directory.clone()), ..Setup::default() };
    let first = World::with(setup()).await;
    let ts = first.done("chat.postMessage", card()).await["ts"].clone();
    first.reply(crate::Reply::Json(json!({ "text": "asked" })));
    let command = first.slack.command("U0ANA", CHANNEL, "VM3 22").await.unwrap();
    let path = command.response_url.strip_prefix(&first.url).unwrap().to_owned();
    let (seen, record) = (first.slack.state("U0ANA"), first.slack.messages());
    let second = World::with(setup()).await;
    assert_eq!((second.slack.state("U0ANA"), second.slack.messages()), (seen, record));
    second.done("chat.update", json!({ "channel": CHANNEL, "ts": ts, "text": "over" })).await;
    let answered = second.respond(&format!("{}{path}", second.url), json!({ "text": "still here" })).await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    let again = second.slack.command("U0ANA", CHANNEL, "VM3 22").await.unwrap();
    assert_ne!(again.trigger_id, command.trigger_id);
    std::fs::write(directory.join("slack.json"), "{").unwrap();
    let broken = sandbox::slack::Slack::new(sandbox::slack::Options {
        now_ms: std::sync::Arc::new(|| START_MS),
        faults: second.faults.clone(),
        signing_secret: String::new(),
        bot_token: String::new(),
        scopes: Vec::new(),
        data_dir: Some(directory.clone()),
        snapshot: std::sync::Arc::new(|| plain("")),
        ack_within: Duration::from_secs(3),
    });
    assert!(broken.is_err(), "what cannot be read is said, not thrown away");
    std::fs::remove_dir_all(&directory).unwrap();
}
