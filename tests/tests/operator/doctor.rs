//! `ajar doctor`: one thing is broken at a time, and the finding names it.

use crate::secret::put;
use crate::tool::{NOBODY, Ran, Tool};
use ajar_tests::{ANA, BEA, Story};
use edge::clock::Clock;
use sandbox::azure;
use sandbox::host::wiring::{self, BOT_TOKEN, SIGNING_SECRET, World};
use sandbox::host::{Options, Sandbox};
use serde_json::{Value, json};

/// A sandbox whose secret was put as an operator puts it.
async fn place(policy: &str) -> (Sandbox, World, Tool) {
    let (sandbox, world) = wiring::start(Options::default(), policy).await.unwrap();
    let tool = Tool::new(&sandbox, &world);
    let ran = tool.run(&["secret"], &format!("{SIGNING_SECRET}\n{BOT_TOKEN}\n")).await;
    assert_eq!(ran.code, 0, "{}", ran.errors);
    (sandbox, world, tool)
}

async fn doctor(tool: &Tool) -> Ran {
    tool.run(&["doctor", "--json"], "").await
}

/// The findings that are wrong: each subject with what is said.
fn wrong(ran: &Ran) -> Vec<(String, String)> {
    in_state(ran, "wrong")
}

fn in_state(ran: &Ran, state: &str) -> Vec<(String, String)> {
    let found = ran.json();
    let all = found["findings"].as_array().unwrap().iter().filter(|one| one["state"] == state);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.inspect(|one| assert!(state != "wrong" || one["mend"].is_string(), "{one}"))
        .map(|one| (text(&one["subject"]), text(&one["said"])))
        .collect()
}

/// Exactly this is wrong.
#[track_caller]
fn only(ran: &Ran, subject: &str, said: &str) {
    let wrong = wrong(ran);
    let [(named, why)] = wrong.as_slice() else { panic!("{subject} alone: {wrong:?}") };
    assert!(named == subject && why.contains(said), "{named}: {why}");
    assert_eq!(ran.code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_with_a_new_installation() {
    let (_sandbox, _world, tool) = place(wiring::POLICY).await;
    let ran = doctor(&tool).await;
    assert_eq!(wrong(&ran), []);
    assert_eq!(ran.code, 0);
    let unknown = in_state(&ran, "unknown");
    let subjects: Vec<&str> = unknown.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(subjects, ["table: recovery", "Slack cards"], "{unknown:?}");
    let text = tool.run(&["doctor"], "").await.output;
    for part in [
        "ok       AWS credentials: arn:aws:sts::123456789012:assumed-role/ajar-operator/ajar-operator, region eu-central-1",
        "ok       Slack token: workspace Contoso (T0CONTOSO), app A0AJAR",
        "ok       function discover: starts and answers",
        "ok       command address: answers, and refuses what Slack has not signed",
        "unknown  table: recovery: not answered",
        "Nothing is known to be wrong; 2 could not be told.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains(SIGNING_SECRET) && !text.contains(BOT_TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_and_the_credentials() {
    let (_sandbox, _world, mut tool) = place(wiring::POLICY).await;
    let good = tool.config.clone();
    for (field, value, said) in [
        ("more", json!(1), "unknown field `more`"),
        ("installation", json!("A-b"), "`A-b` is not an installation name"),
        ("table", json!(""), "table is empty"),
        (
            "command_url",
            json!("http://ajar.example/slack/command"),
            "command_url is not an address that begins with https://",
        ),
    ] {
        tool.config[field] = value;
        only(&doctor(&tool).await, "configuration", said);
        tool.config = good.clone();
    }
    tool.variables.insert("AJAR_ARM_URL".to_owned(), "https://arm.example".to_owned());
    only(
        &doctor(&tool).await,
        "configuration",
        "AJAR_ARM_URL is https://arm.example, and only an address of this machine",
    );
    tool.variables.remove("AJAR_ARM_URL");

    tool.config["secret"] =
        json!("arn:aws:secretsmanager:eu-central-1:210987654321:secret:ajar/slack-a1B2c3");
    let found = wrong(&doctor(&tool).await);
    let said = "and the installation is in the account 210987654321";
    assert!(
        found.iter().any(|(subject, why)| subject == "AWS credentials" && why.contains(said)),
        "{found:?}"
    );
    tool.config = good;
    tool.variables.insert("AWS_ACCESS_KEY_ID".to_owned(), "AKIAUNKNOWN".to_owned());
    let found = wrong(&doctor(&tool).await);
    let said = "AWS does not take them (InvalidClientTokenId)";
    assert!(found.iter().any(|(subject, why)| subject == "AWS credentials" && why == said), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong() {
    let (_sandbox, _world, mut tool) = place(wiring::POLICY).await;
    tool.clock = Clock::with_offset_ms(600_000);
    let found = wrong(&doctor(&tool).await);
    let subjects: Vec<&str> = found.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(subjects, ["clock against AWS", "clock against Azure", "clock against Slack"]);
    assert!(found.iter().all(|(_, said)| said.starts_with("this machine is ") && said.ends_with(" s ahead")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_as_it_should_be() {
    use aws_sdk_dynamodb::types::{
        DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, StreamSpecification,
        TimeToLiveSpecification,
    };
    let (sandbox, _world, mut tool) = place(wiring::POLICY).await;
    let client = sandbox::aws::dynamodb::client(&sandbox.addresses().aws_url(), "operator");
    let protect = client.update_table().table_name("ajar").deletion_protection_enabled(false);
    protect.send().await.unwrap();
    only(&doctor(&tool).await, "table: deletion", "not protected");
    client.update_table().table_name("ajar").deletion_protection_enabled(true).send().await.unwrap();
    let off = TimeToLiveSpecification::builder().enabled(false).attribute_name("purge_at").build().unwrap();
    client.update_time_to_live().table_name("ajar").time_to_live_specification(off).send().await.unwrap();
    only(&doctor(&tool).await, "table: purging", "not by purge_at, so the table grows for ever");
    let on = TimeToLiveSpecification::builder().enabled(true).attribute_name("purge_at").build().unwrap();
    client.update_time_to_live().table_name("ajar").time_to_live_specification(on).send().await.unwrap();
    let gone = DeleteGlobalSecondaryIndexAction::builder().index_name("machine").build().unwrap();
    let gone = GlobalSecondaryIndexUpdate::builder().delete(gone).build();
    client.update_table().table_name("ajar").global_secondary_index_updates(gone).send().await.unwrap();
    only(&doctor(&tool).await, "table: indexes", "missing or not ready: machine");
    let off = StreamSpecification::builder().stream_enabled(false).build().unwrap();
    client.update_table().table_name("ajar").stream_specification(off).send().await.unwrap();
    let found = wrong(&doctor(&tool).await);
    assert!(
        found.iter().any(|(subject, said)| subject == "table: stream" && said.starts_with("off, so nothing"))
    );
    tool.config["table"] = json!("ajar-main");
    let found = wrong(&doctor(&tool).await);
    let said = "there is none of this name in this region";
    assert!(found.iter().any(|(subject, why)| subject == "table" && why == said), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_and_what_slack_says_of_it() {
    let (sandbox, _world, tool) = place(wiring::POLICY).await;
    let good = json!({"signing_secret": SIGNING_SECRET, "bot_token": BOT_TOKEN, "team_id": "T0CONTOSO", "app_id": "A0AJAR"});
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    put(&tool, &with("app_id", Value::Null)).await;
    only(&doctor(&tool).await, "secret", "it lacks the ids of workspace and app");
    put(&tool, &with("bot_token", Value::Null)).await;
    only(&doctor(&tool).await, "secret", "it lacks the bot token");
    put(&tool, &json!("hunter2")).await;
    let ran = doctor(&tool).await;
    only(&ran, "secret", "the secret is not a JSON object");
    assert!(!ran.output.contains("hunter2"));
    put(&tool, &with("bot_token", json!("xoxb-revoked"))).await;
    only(&doctor(&tool).await, "Slack token", "Slack does not take it (invalid_auth)");
    put(&tool, &with("team_id", json!("T0OTHER"))).await;
    only(
        &doctor(&tool).await,
        "Slack token",
        "it is of the workspace Contoso (T0CONTOSO), and the installation is for T0OTHER",
    );
    put(&tool, &with("app_id", json!("A0OTHER"))).await;
    only(&doctor(&tool).await, "Slack token", "it is of the app A0AJAR, and the installation is for A0OTHER");
    put(&tool, &good).await;
    let answer = json!({"ok": true, "team": "Contoso", "team_id": "T0CONTOSO", "bot_id": "B0AJAR"});
    let how = json!({"answer": {"status": 200, "headers": {"x-oauth-scopes": "commands,users:read"}, "body": answer}});
    let fault = json!({"part": "slack", "path": "auth.test", "how": how, "count": 1});
    let url = format!("{}/sandbox/faults", sandbox.addresses().page_url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(http.post(url).body(fault.to_string()).send().await.unwrap().status(), 200);
    only(&doctor(&tool).await, "Slack scopes", "missing: chat:write, usergroups:read");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_do_not_start() {
    let (_sandbox, _world, mut tool) = place(wiring::POLICY).await;
    tool.config["functions"]["revoke"] = json!("ajar-main-revoke");
    only(&doctor(&tool).await, "function revoke", "there is no function ajar-main-revoke in this region");
    tool.config["functions"]["revoke"] = json!("revoke");
    let (_sandbox, _world, tool) = place(wiring::POLICY).await;
    // Before their first start.
    put(&tool, &json!({"bot_token": BOT_TOKEN})).await;
    let found = wrong(&doctor(&tool).await);
    let subjects: Vec<&str> = found.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(subjects, ["secret", "function grant", "function notify", "command address"], "{found:?}");
    let why =
        "fails: AJAR_SECRET_ID: the secret is not {\"signing_secret\": \"…\", \"bot_token\": \"xoxb-…\"}";
    assert_eq!((&found[1].1, &found[2].1), (&why.to_owned(), &why.to_owned()));
    assert!(found[3].1.ends_with("answers 500 to a call without a signature, not 401"), "{found:?}");
    let (_sandbox, _world, mut tool) = place(wiring::POLICY).await;
    tool.config["command_url"] = json!(format!("{NOBODY}/slack/command"));
    only(&doctor(&tool).await, "command address", "/slack/command does not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_identities_in_azure() {
    let (_sandbox, world, tool) = place(wiring::POLICY).await;
    let delete = "Microsoft.Network/networkSecurityGroups/securityRules/delete";
    world.azure.set(|settings| settings.withheld.push(("revoke".to_owned(), delete.to_owned())));
    let scope = format!("/subscriptions/{}/resourceGroups/{}", azure::SUBSCRIPTION_ID, azure::RESOURCE_GROUP);
    only(&doctor(&tool).await, &format!("role of revoke on {scope}"), &format!("lacks {delete}"));
    world.azure.set(|settings| settings.withheld.clear());
    world.azure.federate("grant", false);
    only(&doctor(&tool).await, "identity of grant", "it trusts nobody, so the function gets no token");
    world.azure.federate("grant", true);
    let (config, mut tool) = (tool.config.clone(), tool);
    tool.config["azure"]["client_ids"]["revoke"] = json!("b1c6a3f0-52d7-4a57-9d0e-000000000000");
    only(
        &doctor(&tool).await,
        "identity of revoke",
        "its client id is b1c6a3f0-52d7-4a57-9d0e-7f6f0f1a2c03, and",
    );
    tool.config = config;
    tool.config["azure"]["tenant_id"] = json!("00000000-0000-4000-8000-000000000000");
    only(
        &doctor(&tool).await,
        "Azure login",
        "and the installation is in 00000000-0000-4000-8000-000000000000",
    );
    tool.config["azure"]["tenant_id"] = json!(azure::TENANT_ID);
    world.azure.set(|settings| settings.watcher_permitted = false);
    let ran = doctor(&tool).await;
    assert_eq!((ran.code, wrong(&ran)), (0, vec![]), "it can be done without");
    let unknown = in_state(&ran, "unknown");
    assert!(
        unknown.iter().any(|(subject, _)| subject.starts_with("Network Watcher for revoke on ")),
        "{unknown:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_lacks_an_action_lacks_it_in_azure_too() {
    let story = Story::begin().await;
    let write = "Microsoft.Network/networkSecurityGroups/securityRules/write";
    story.world.azure.set(|settings| settings.withheld.push(("grant".to_owned(), write.to_owned())));
    let id = story.asked(ANA, "VM2 3389 for 5m").await;
    story.click(BEA, &id, "approve").await;
    let history = story.history(&id).await;
    assert!(json!(history).to_string().contains("AuthorizationFailed"), "{history:?}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_somebody_else_keeps_deleting() {
    let story = Story::begin().await;
    let mut tool = Tool::new(story.sandbox(), &story.world);
    let id = story.asked(ANA, "VM2 3389 for 1h").await;
    story.click(BEA, &id, "approve").await;
    let ours = story.azure.rules_of_ours().await;
    let (group, rule) = &ours[0];
    story.azure.delete(group, rule["name"].as_str().unwrap()).await;
    story.advance(90).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    // The sandbox's clock was moved, those that it is compared with were not.
    tool.clock = Clock::system();
    let ran = tool.run(&["secret"], &format!("{SIGNING_SECRET}\n{BOT_TOKEN}\n")).await;
    assert_eq!(ran.code, 0, "{}", ran.errors);
    only(&doctor(&tool).await, "rules deleted by others", "1 grant(s) on the way through /subscriptions/");
    let text = tool.run(&["doctor"], "").await.output;
    for part in [
        "ignore_changes = [security_rule]",
        "azurerm_network_security_rule of its own",
        "the priorities 100 to 499, which are Ajar's",
        &format!("name = \"{group}\""),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_that_do_not_arrive_and_grants_that_do_not_shut() {
    let story = Story::begin().await;
    let mut tool = Tool::new(story.sandbox(), &story.world);
    let ran = tool.run(&["secret"], &format!("{SIGNING_SECRET}\n{BOT_TOKEN}\n")).await;
    assert_eq!(ran.code, 0, "{}", ran.errors);
    let how = json!({"answer": {"status": 503}});
    story.fault(json!({"part": "slack", "path": "chat.postMessage", "how": how, "count": 100_000})).await;
    let answer = story.ask(ANA, "VM2 3389 for 5m").await;
    let id = answer.rsplit_once("Ref ").unwrap().1.to_owned();
    story.settle().await;
    tool.clock = Clock::with_offset_ms(story.sandbox().clock().offset_ms() + 600_000);
    let found = wrong(&doctor(&tool).await);
    let said = format!("not up to date: {id}");
    assert!(found.iter().any(|(subject, why)| subject == "Slack cards" && *why == said), "{found:?}");
    story.no_faults().await;
    story.advance(120).await;
    story.click(BEA, &id, "approve").await;
    tool.clock = Clock::with_offset_ms(story.sandbox().clock().offset_ms() + 900_000);
    let found = wrong(&doctor(&tool).await);
    let said = format!("should be shut and are not: {id}");
    assert!(found.iter().any(|(subject, why)| subject == "grants" && *why == said), "{found:?}");
    story.to_next_end().await;
    story.finish().await;
}
