//! Slack, or the network, delivers the same again: side by side, and a minute later. Nothing is done twice.

use ajar_tests::enabling::SUGGESTED;
use ajar_tests::signed::Signed;
use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use sandbox::azure::What;
use sandbox::host::wiring::POLICY;
use serde_json::{Value, json};

/// Delivers the same three times: twice side by side, and once more than a minute later.
async fn three_times(story: &Story, to: &str, signed: &Signed) {
    let both = futures::future::join(story.deliver(to, signed), story.deliver(to, signed)).await;
    assert_eq!((both.0.0, both.1.0), (200, 200), "{both:?}");
    story.settle().await;
    story.advance(61).await;
    let (status, body) = story.deliver(to, signed).await;
    assert_eq!(status, 200, "{body}");
    story.settle().await;
}

/// How many of the messages that Slack took by this method begin like this.
async fn said(story: &Story, method: &str, begins: &str) -> usize {
    let messages = story.messages().await;
    let is_it = |entry: &&Value| {
        let text = entry["body"]["text"].as_str().unwrap_or_default();
        entry["method"] == method && entry["ok"] == true && text.starts_with(begins)
    };
    messages.iter().filter(is_it).count()
}

/// How often something is in a request's history.
async fn in_history(story: &Story, id: &str, kind: &str) -> usize {
    let history = story.history(id).await;
    history.iter().filter(|event| **event == json!(kind) || event.get(kind).is_some()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command() {
    let story = Story::begin().await;
    three_times(&story, "slack_command_url", &story.command(ANA, "VM3 22 for 10m")).await;
    let requests = story.requests().await;
    let [id] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(said(&story, "chat.postMessage", "VM3 port 22: waiting for approval.").await, 1, "one card");
    assert_eq!(in_history(&story, id, "asked").await, 1);
    story.deny(BEA, id).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    let click = story.signed_click(BEA, &id, "approve").await;
    three_times(&story, "slack_interaction_url", &click).await;
    assert_eq!(
        (story.record(&id).await.approvals().len(), in_history(&story, &id, "approved").await),
        (1, 1)
    );
    let journal = story.world.azure.journal();
    assert_eq!(
        journal.iter().filter(|entry| entry.what == What::PutNew && entry.by == "grant").count(),
        2,
        "one in each group"
    );
    assert_eq!(story.told(ANA).await.len(), 1, "{:?}", story.told(ANA).await);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    let click = story.signed_denial(BEA, &id, "not during the audit").await;
    three_times(&story, "slack_interaction_url", &click).await;
    assert_eq!((story.status(&id).await, in_history(&story, &id, "closed").await), ("CLOSED", 1));
    assert_eq!(said(&story, "chat.update", "VM3 port 22: denied.").await, 1);
    assert_eq!(story.told(ANA).await.len(), 1, "{:?}", story.told(ANA).await);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_glass() {
    let policy = POLICY.replace("approvers =", "break_glass = [\"U0ANA\"]\napprovers =");
    let story = Story::begin_with(&policy).await;
    let answer = story.ask(ANA, "VM3 22 for 10m break-glass because the database is down").await;
    let id = answer.rsplit_once("Ref ").expect("recorded").1.to_owned();
    story.settle().await;
    let click = story.signed_click(ANA, &id, "break_glass").await;
    three_times(&story, "slack_interaction_url", &click).await;
    assert_eq!((story.status(&id).await, story.record(&id).await.approvals().len()), ("OPEN", 1));
    for passed_by in [BEA, CHRIS] {
        assert_eq!(story.told(passed_by).await.len(), 1, "{:?}", story.told(passed_by).await);
    }
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_that_is_refused() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 10m").await;
    let value = story.button(&id).await;
    let click = story.signed_click_with_answer(EVE, "approve", &value).await;
    let before = story.told(EVE).await.len();
    three_times(&story, "slack_interaction_url", &click).await;
    let told = story.told(EVE).await.split_off(before);
    assert_eq!(told, ["You cannot decide on this request; <@U0BEA> or <@U0CHRIS> can."], "told once");
    story.deny(BEA, &id).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_and_the_click_on_its_offer() {
    let story = Story::begin().await;
    let allow = json!({
        "priority": 1010, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "sourceAddressPrefix": "*",
        "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "22",
    });
    story.azure.write("Contoso-NSG", "allow-ssh", &allow).await;
    story.discover().await;
    assert_eq!(story.type_in_slack(CHRIS, "enable VM1").await, "");
    let form = story.signed_form(CHRIS, &story.form(CHRIS), &SUGGESTED.values());
    three_times(&story, "slack_interaction_url", &form).await;
    assert_eq!(said(&story, "chat.postMessage", "JIT enabled: VM1.").await, 1, "one offer");
    let order = story.signed_order(CHRIS).await;
    three_times(&story, "slack_interaction_url", &order).await;
    assert_eq!(story.azure.closing_rules().await.len(), 1);
    let journal = story.world.azure.journal();
    let writes = journal
        .iter()
        .filter(|entry| entry.rule.starts_with("jit-sandbox-shut-") && entry.what == What::PutNew);
    assert_eq!(writes.count(), 1, "written once");
    assert_eq!(said(&story, "chat.postMessage", "JIT enabled: VM1.").await, 1);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockdown_and_its_lifting() {
    let story = Story::begin().await;
    three_times(&story, "slack_command_url", &story.command(CHRIS, "lockdown VM3")).await;
    assert_eq!(said(&story, "chat.postMessage", "*Lockdown*: ").await, 1);
    three_times(&story, "slack_command_url", &story.command(CHRIS, "lift VM3")).await;
    assert_eq!(said(&story, "chat.postMessage", "*Lockdown lifted*: ").await, 1);
    story.finish().await;
}
