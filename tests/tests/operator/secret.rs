//! `ajar secret`.

use crate::tool::Tool;
use ajar_tests::{ANA, BEA, Story};
use sandbox::host::wiring::{BOT_TOKEN, SIGNING_SECRET};
use serde_json::{Value, json};

const OTHER: &str = "0123456789abcdef0123456789abcdef";

/// What is stored, as a function reads it.
async fn stored(tool: &Tool) -> Value {
    let answer = call(tool, "GetSecretValue", json!({})).await;
    serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap()
}

/// A call of Secrets Manager's, as the operator.
pub(crate) async fn call(tool: &Tool, operation: &str, more: Value) -> Value {
    let mut body = more;
    body["SecretId"] = tool.config["secret"].clone();
    let key = &tool.variables["AWS_ACCESS_KEY_ID"];
    let scope =
        format!("AWS4-HMAC-SHA256 Credential={key}/20260312/eu-central-1/secretsmanager/aws4_request");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = http.post(&tool.variables["AWS_ENDPOINT_URL_SECRETS_MANAGER"]);
    let call =
        call.header("x-amz-target", format!("secretsmanager.{operation}")).header("authorization", scope);
    let answer = call.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// Puts a secret past the tool.
pub(crate) async fn put(tool: &Tool, value: &Value) {
    call(tool, "PutSecretValue", json!({"SecretString": value.to_string()})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_time_both_are_asked_for_and_slack_says_whose_they_are() {
    let story = Story::begin().await;
    let tool = Tool::new(story.sandbox(), &story.world);
    put(&tool, &json!({})).await;
    let ran = tool.run(&["secret"], &format!("{SIGNING_SECRET}\n{BOT_TOKEN}\n")).await;
    assert_eq!(ran.code, 0, "{}", ran.errors);
    assert!(ran.output.starts_with("The token is of Slack's workspace Contoso (T0CONTOSO), app A0AJAR.\nThe signing secret is put (key "), "{}", ran.output);
    let expected = json!({"signing_secret": SIGNING_SECRET, "bot_token": BOT_TOKEN, "team_id": "T0CONTOSO", "app_id": "A0AJAR"});
    assert_eq!(stored(&tool).await, expected);
    for secret in [SIGNING_SECRET, BOT_TOKEN] {
        assert!(!ran.output.contains(secret) && !ran.errors.contains(secret));
    }
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_signing_secret_retires_the_one_before() {
    let story = Story::begin().await;
    let tool = Tool::new(story.sandbox(), &story.world);
    let same = tool.run(&["secret", "--json"], &format!("{SIGNING_SECRET}\n{BOT_TOKEN}\n")).await;
    assert_eq!((same.code, &same.json()["signing_secret"]), (0, &json!("kept")), "{}", same.errors);
    assert_eq!(stored(&tool).await["retired"], Value::Null);
    let now = story.now();
    let other = tool.run(&["secret", "--json"], &format!("{OTHER}\n{BOT_TOKEN}\n")).await.json();
    assert_eq!((&other["signing_secret"], &other["key_before"]), (&json!("new"), &same.json()["key"]));
    let held = stored(&tool).await;
    assert_eq!(held["signing_secret"], OTHER);
    let retired = held["retired"].as_array().unwrap();
    assert_eq!((retired.len(), &retired[0]["signing_secret"]), (1, &json!(SIGNING_SECRET)));
    assert!(retired[0]["retired_at"].as_u64().unwrap() >= now);
    let token = tool.run(&["secret", "--bot-token-only"], &format!("{BOT_TOKEN}\n")).await;
    assert_eq!(token.code, 0, "{}", token.errors);
    assert_eq!(stored(&tool).await, held, "the token alone changes nothing else");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_right_is_not_put() {
    let story = Story::begin().await;
    let tool = Tool::new(story.sandbox(), &story.world);
    let before = stored(&tool).await;
    let upper = SIGNING_SECRET.to_uppercase();
    for (typed, arguments, code, why) in [
        (
            format!("{upper}\n{BOT_TOKEN}\n"),
            vec!["secret"],
            2,
            "that is not a signing secret: it has 32 digits",
        ),
        (
            format!("{SIGNING_SECRET}\nxoxp-1\n"),
            vec!["secret"],
            2,
            "that is not a bot token: it begins with xoxb-",
        ),
        (String::new(), vec!["secret"], 2, "that is not a signing secret"),
        (
            format!("{SIGNING_SECRET}\nxoxb-other\n"),
            vec!["secret"],
            2,
            "Slack does not take this token (invalid_auth): copy the Bot User OAuth Token",
        ),
    ] {
        let ran = tool.run(&arguments, &typed).await;
        assert_eq!(ran.code, code, "{}", ran.errors);
        assert!(ran.errors.starts_with(&format!("ajar: {why}")), "{}", ran.errors);
        assert!(typed.lines().all(|line| !ran.errors.contains(line)), "{}", ran.errors);
    }
    assert_eq!(stored(&tool).await, before);
    let grant = story.world.azure.identities().iter().find(|one| one.function == "grant").unwrap().clone();
    let mut poor = Tool::new(story.sandbox(), &story.world);
    poor.variables.insert("AWS_ACCESS_KEY_ID".to_owned(), grant.access_key_id);
    let ran = poor.run(&["secret"], &format!("{OTHER}\n{BOT_TOKEN}\n")).await;
    assert!(
        ran.code == 3 && ran.errors.contains("cannot be written (AccessDeniedException)"),
        "{}",
        ran.errors
    );
    assert_eq!(stored(&tool).await, before);
    put(&tool, &json!({})).await;
    let ran = tool.run(&["secret", "--bot-token-only"], BOT_TOKEN).await;
    assert_eq!(ran.code, 2);
    assert!(
        ran.errors.contains("there is no signing secret yet: run `ajar secret` without"),
        "{}",
        ran.errors
    );
    put(&tool, &json!({"signing_secret": OTHER, "app_id": "A0OTHER"})).await;
    let ran = tool.run(&["secret", "--bot-token-only"], BOT_TOKEN).await;
    let why = "the token is of the app A0AJAR, and the signing secret is that of A0OTHER";
    assert!(ran.code == 2 && ran.errors.contains(why), "{}", ran.errors);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_from_before_a_rotation_stays_verified() {
    let story = Story::begin().await;
    let tool = Tool::new(story.sandbox(), &story.world);
    let first = tool.run(&["secret", "--json"], &format!("{SIGNING_SECRET}\n{BOT_TOKEN}\n")).await.json();
    let id = story.asked(ANA, "VM3 22 for 5m").await;
    story.click(BEA, &id, "approve").await;
    // The sandbox's Slack goes on signing with the first one.
    let other = tool.run(&["secret", "--json"], &format!("{OTHER}\n{BOT_TOKEN}\n")).await.json();
    assert_ne!(first["key"], other["key"]);
    let history = tool.run(&["history", &id, "--json"], "").await;
    assert_eq!(history.code, 0, "{}", history.errors);
    assert_eq!(history.json()["clicks"][0]["verdict"], json!({"verified": {"key": first["key"]}}));
    let back = tool.run(&["secret"], &format!("{SIGNING_SECRET}\n{BOT_TOKEN}\n")).await;
    assert_eq!(back.code, 0, "{}", back.errors);
    story.to_next_end().await;
    story.finish().await;
}
