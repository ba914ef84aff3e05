//! `ajar requests`, `ajar history` and `ajar export`.

use crate::secret::put;
use crate::tool::Tool;
use ajar_tests::{ANA, BEA, Story};
use aws_sdk_dynamodb::types::AttributeValue;
use sandbox::host::wiring::{BOT_TOKEN, POLICY, SIGNING_SECRET};
use serde_json::{Value, json};

async fn begin() -> (Story, Tool) {
    begin_with(POLICY).await
}

async fn begin_with(policy: &str) -> (Story, Tool) {
    let story = Story::begin_with(policy).await;
    let tool = Tool::new(story.sandbox(), &story.world);
    let ran = tool.run(&["secret"], &format!("{SIGNING_SECRET}\n{BOT_TOKEN}\n")).await;
    assert_eq!(ran.code, 0, "{}", ran.errors);
    (story, tool)
}

fn ids(listed: &Value) -> Vec<&str> {
    listed.as_array().unwrap().iter().map(|row| row["request"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_listed_by_what_they_wait_for() {
    let (story, tool) = begin().await;
    let open = story.asked(ANA, "VM3 22 for 1h because patching").await;
    story.click(BEA, &open, "approve").await;
    // What is asked in one second is in no order.
    story.advance(1).await;
    let waiting = story.asked(ANA, "VM2 3389 for 5m").await;
    let denied = story.asked(BEA, "VM3 22 for 5m").await;
    story.deny("U0CHRIS", &denied).await;
    let list = async |arguments: &[&str]| {
        let ran = tool.run(&[&["requests", "--json"], arguments].concat(), "").await;
        assert_eq!(ran.code, 0, "{}", ran.errors);
        ran.json()
    };
    assert_eq!(ids(&list(&[]).await), [open.as_str(), &waiting]);
    assert_eq!(ids(&list(&["--open"]).await), [open.as_str()]);
    assert_eq!(ids(&list(&["--waiting"]).await), [waiting.as_str()]);
    assert_eq!(ids(&list(&["--all"]).await).len(), 3);
    assert_eq!(ids(&list(&["--all", "--person", BEA]).await), [denied.as_str()]);
    assert_eq!(ids(&list(&["--machine", "vm2"]).await), [waiting.as_str()]);
    let rows = list(&["--open"]).await;
    assert_eq!(
        (&rows[0]["status"], &rows[0]["ports"], &rows[0]["approved_by"]),
        (&json!("OPEN"), &json!("22"), &json!([BEA]))
    );
    let text = tool.run(&["requests"], "").await.output;
    assert!(text.starts_with("REQUEST") && text.contains(&open) && text.contains("VM2 3389"), "{text}");
    let wrong = tool.run(&["requests", "--open", "--all"], "").await;
    assert!(wrong.code == 2 && wrong.errors.contains("cannot be used with"), "{}", wrong.errors);
    story.deny(BEA, &waiting).await;
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_whole_and_each_click_is_verified() {
    let (story, tool) = begin().await;
    let id = story.asked(ANA, "VM3 22 for 5m because patching").await;
    story.click_in_slack(BEA, &id, "approve").await;
    story.settle().await;
    let typed = id.to_lowercase().replace('-', "");
    let ran = tool.run(&["history", &typed], "").await;
    assert_eq!(ran.code, 0, "{}{}", ran.output, ran.errors);
    for part in [
        "The history is whole: each line follows the one before.",
        "  U0BEA approved, signed ",
        "verified: Slack signed it on exactly these terms (key ",
        "Reason        patching",
    ] {
        assert!(ran.output.contains(part), "{part}: {}", ran.output);
    }
    let exported = tool.run(&["export"], "").await;
    let line: Value = serde_json::from_str(exported.output.trim()).unwrap();
    let json = tool.run(&["history", &id, "--json"], "").await.json();
    assert_eq!(line, json, "an export is the same cut");
    assert_eq!((&json["chain"], &json["record"]["status"]), (&json!("whole"), &json!("OPEN")));
    assert_eq!(json["record"]["approvals"][0]["payload"]["user"]["id"], BEA);
    let kept = story.item(&id).await;
    assert!(format!("{kept:?}").contains("response_url"), "there is something to cut");
    for secret in ["\"token\"", "response_url", "trigger_id", "v0=", SIGNING_SECRET, BOT_TOKEN] {
        assert!(!exported.output.contains(secret) && !ran.output.contains(secret), "{secret}");
    }
    put(&tool, &json!({"bot_token": BOT_TOKEN})).await;
    let blind = tool.run(&["history", &id], "").await;
    assert!(blind.output.contains("not verifiable: the secret holds no signing secret"), "{}", blind.output);
    assert_eq!(blind.code, 0, "what is not known is not wrong");
    // With keys that nobody may read the secret with.

    let mut poor = Tool::new(story.sandbox(), &story.world);
    poor.variables.insert("AWS_ACCESS_KEY_ID".to_owned(), "AKIANOBODY".to_owned());
    let poor = poor.run(&["history", &id], "").await;
    assert!(
        poor.code == 0 && poor.output.contains("cannot be read (UnrecognizedClientException)"),
        "{}",
        poor.output
    );
    let none = tool.run(&["history", "00000-00000"], "").await;
    assert!(none.code == 4 && none.errors.contains("there is no request 00000-00000 in the table"));
    let bad = tool.run(&["history", "nonsense"], "").await;
    assert!(bad.code == 2 && bad.errors.contains("`nonsense` is not a request id"), "{}", bad.errors);
    story.to_next_end().await;
    story.finish().await;
}

/// Changes one attribute of an item of the request, past the product.
async fn tamper(story: &Story, id: &str, sk: &str, attribute: &str, value: AttributeValue) {
    let pk = format!("REQUEST#{id}");
    let items = story.items().await;
    let is = |item: &&ajar_tests::Item| {
        item["pk"].as_s().is_ok_and(|it| *it == pk) && item["sk"].as_s().is_ok_and(|it| it == sk)
    };
    let mut item = items.iter().find(is).unwrap().clone();
    item.insert(attribute.to_owned(), value);
    story.put_item(item).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_glass_is_named_and_its_click_verified() {
    let (story, tool) =
        begin_with(&POLICY.replace("approvers =", "break_glass = [\"U0ANA\"]\napprovers =")).await;
    let id = story.asked(ANA, "VM3 22 for 5m break-glass because the database is down").await;
    story.click(ANA, &id, "break_glass").await;
    assert_eq!(story.status(&id).await, "OPEN");
    let listed = tool.run(&["requests", "--json"], "").await.json();
    assert_eq!((&listed[0]["break_glass"], &listed[0]["approved_by"]), (&json!(true), &json!([])));
    let text = tool.run(&["requests"], "").await.output;
    assert!(text.contains("nobody: break-glass"), "{text}");
    let history = async || {
        let ran = tool.run(&["history", &id], "").await;
        (ran.code, ran.output)
    };
    let (code, text) = history().await;
    for part in [
        "By            BREAK-GLASS: its requester alone, without approval",
        "Reason        the database is down",
        "  U0ANA went past approval (break-glass), signed ",
        "verified: Slack signed it on exactly these terms (key ",
    ] {
        assert!(code == 0 && text.contains(part), "{part}: {text}");
    }
    let whole = story.item(&id).await;
    for (attribute, value, said) in [
        (
            "justification",
            AttributeValue::S("patching".to_owned()),
            "the terms are not those that were approved",
        ),
        ("break_glass", AttributeValue::Bool(false), "a click did not approve"),
    ] {
        tamper(&story, &id, "RECORD", attribute, value).await;
        let (code, text) = history().await;
        assert!(code == 1 && text.contains(&format!("PROVES NOTHING: {said}")), "{text}");
        story.put_item(whole.clone()).await;
    }
    let rules = tool.run(&["rules"], "").await.output;
    assert!(rules.contains("break-glass: the database is down"), "{rules}");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_is_noticed() {
    let (story, tool) = begin().await;
    let id = story.asked(ANA, "VM3 22 for 5m because patching").await;
    story.click(BEA, &id, "approve").await;
    story.to_next_end().await;
    let whole = story.items().await;
    let again = async |story: &Story| {
        for item in &whole {
            story.put_item(item.clone()).await;
        }
    };
    let history = async || {
        let ran = tool.run(&["history", &id], "").await;
        (ran.code, ran.output)
    };
    assert_eq!(history().await.0, 0);

    tamper(&story, &id, "EVENT#000002", "version", AttributeValue::N("7".to_owned())).await;
    let (code, text) = history().await;
    assert!(code == 1 && text.contains("THE HISTORY IS BROKEN at line 7"), "{text}");
    assert!(text.contains("<- DOES NOT HOLD"), "{text}");
    assert_eq!(tool.run(&["export"], "").await.code, 1);

    again(&story).await;
    tamper(&story, &id, "RECORD", "history_hash", AttributeValue::S("00".repeat(32))).await;
    let (code, text) = history().await;
    assert!(code == 1 && text.contains("THE HISTORY ENDS EARLY"), "{text}");

    again(&story).await;
    tamper(&story, &id, "RECORD", "source", AttributeValue::S("198.51.100.9".to_owned())).await;
    let (code, text) = history().await;
    assert!(
        code == 1 && text.contains("PROVES NOTHING: the terms are not those that were approved"),
        "{text}"
    );

    again(&story).await;
    assert_eq!(history().await.0, 0);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_begins_at_a_date() {
    let (story, tool) = begin().await;
    let id = story.asked(ANA, "VM3 22 for 5m").await;
    story.deny(BEA, &id).await;
    let today = access::lease::Timestamp::from_unix(story.now()).to_string();
    let tomorrow = access::lease::Timestamp::from_unix(story.now() + 86_400).to_string();
    let lines = async |since: &str| {
        let ran = tool.run(&["export", "--since", since], "").await;
        assert_eq!(ran.code, 0, "{}", ran.errors);
        ran.output.lines().filter(|line| !line.is_empty()).count()
    };
    assert_eq!((lines(&today[..10]).await, lines(&tomorrow[..10]).await), (1, 0));
    let bad = tool.run(&["export", "--since", "yesterday"], "").await;
    assert!(bad.code == 2 && bad.errors.contains("`yesterday` is not a date; write one like 2026-03-12"));
    story.finish().await;
}
