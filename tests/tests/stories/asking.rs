//! What is asked for in a form.

use ajar_tests::{ANA, BEA, Story};
use sandbox::slack::SubmitOutcome;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is filled in, as Slack sends it.
fn filled(ports: &[u16], source: &str, duration: &str, reason: &str) -> Value {
    let ports: Vec<Value> = ports.iter().map(|port| json!({"value": port.to_string()})).collect();
    json!({
        "ports": {"ports": {"selected_options": ports}},
        "source": {"source": {"value": source}},
        "duration": {"duration": {"value": duration}},
        "reason": {"reason": {"value": reason}},
    })
}

/// Opens the form of `/jit VM3` and sends it off.
async fn send(story: &Story, values: &Value) -> SubmitOutcome {
    assert_eq!(story.type_in_slack(ANA, "vm3").await, "", "instead of a form");
    let sent = story.world.slack.submit_view(ANA, values).await.unwrap();
    assert_eq!((sent.status, sent.error), (Some(200), None));
    story.settle().await;
    sent
}

fn text_of(view: &Value) -> &str {
    view["blocks"][0]["text"]["text"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_chosen_then_what_on_it() {
    let story = Story::begin().await;
    assert_eq!(story.type_in_slack(ANA, "").await, "");
    let form = story.form(ANA);
    let options = form["blocks"][0]["element"]["options"].as_array().unwrap();
    let names: Vec<&str> = options.iter().map(|option| option["text"]["text"].as_str().unwrap()).collect();
    assert_eq!(names, ["VM1", "VM2", "VM3", "VM4"]);
    let chosen = json!({"machine": {"machine": {"selected_option": {"value": options[2]["value"]}}}});
    let next = story.world.slack.submit_view(ANA, &chosen).await.unwrap();
    let form = next.view.unwrap();
    assert_eq!(text_of(&form), "`VM3` in `Contoso-IaaS`. <@U0BEA> or <@U0CHRIS> can approve it.",);
    let values = filled(&[22], "203.0.113.7", "30m", "patching & <!channel>");
    let sent = story.world.slack.submit_view(ANA, &values).await.unwrap();
    story.settle().await;
    let view = sent.view.unwrap();
    let said = text_of(&view);
    assert!(
        said.starts_with("You asked for VM3 port 22 from 203.0.113.7 for 30 minutes. <@U0BEA> or <@U0CHRIS> can approve it."),
        "{said}"
    );
    let id = said.rsplit_once("Ref ").unwrap().1;
    assert!(story.says(id).await.contains("Why: \u{201c}patching &amp; &lt;!channel&gt;\u{201d}."));
    story.click(BEA, id, "approve").await;
    assert_eq!(story.status(id).await, "OPEN");
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_twice_is_one_request() {
    let story = Story::begin().await;
    let values = filled(&[22], "203.0.113.7", "30m", "patching");
    let sent = send(&story, &values).await;
    let first = text_of(&sent.view.unwrap()).to_owned();
    let again = text_of(&send(&story, &values).await.view.unwrap()).to_owned();
    assert!(again.starts_with("You asked for VM3 port 22 already"), "{again}");
    let id = |said: &str| said.rsplit_once("Ref ").unwrap().1.to_owned();
    assert_eq!(id(&first), id(&again));
    assert_eq!(story.requests().await.len(), 1);
    story.deny(BEA, &id(&first)).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_at_its_field_and_nothing_is_lost() {
    let story = Story::begin().await;
    for (values, field, why) in [
        (
            filled(&[22], "here", "30m", "x"),
            "source",
            "here is not an address; write one like 203.0.113.7 or 203.0.113.0/28.",
        ),
        (
            filled(&[22], "127.0.0.1", "30m", "x"),
            "source",
            "127.0.0.1 cannot be where you come from; write the address that the Internet sees, like 203.0.113.7.",
        ),
        (
            filled(&[22], "203.0.113.7", "soon", "x"),
            "duration",
            "Write a duration between 1 minute and 24 hours, like 30m, 2h or 1h30m.",
        ),
    ] {
        let sent = send(&story, &values).await;
        assert_eq!(sent.errors, BTreeMap::from([(field.to_owned(), why.to_owned())]));
        assert_eq!(sent.view.unwrap()["callback_id"], "ask", "the form stays");
        drop(story.world.slack.close_view(ANA).await.unwrap());
    }
    // What the policy does not let is said above the form, which is there again below.
    let sent = send(&story, &filled(&[22], "203.0.113.7", "24h", "x")).await;
    let view = sent.view.unwrap();
    assert!(text_of(&view).starts_with("That is longer than allowed; the longest here is "), "{view}");
    let below = story.world.slack.close_view(ANA).await.unwrap();
    assert_eq!(below.view.unwrap()["callback_id"], "ask");
    assert!(story.requests().await.is_empty());
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_about_a_machine_that_is_not_there() {
    let story = Story::begin().await;
    let said = story.type_in_slack(ANA, "VM33").await;
    assert_eq!(
        said,
        "There is no machine `VM33` here. Did you mean VM3? Ask an admin whether Ajar knows its subscription."
    );
    // It is deleted while the form is open.
    assert_eq!(story.type_in_slack(ANA, "VM3").await, "");
    assert!(story.world.azure.delete_machine("VM3").await);
    story.discover().await;
    let sent = story.world.slack.submit_view(ANA, &filled(&[22], "203.0.113.7", "30m", "x")).await.unwrap();
    let view = sent.view.unwrap();
    assert!(text_of(&view).starts_with("VM3 does not exist any more in Azure; that was seen at "), "{view}");
    // Forms that nobody was given: about no machine, about another one, with ports that are none.
    let values = filled(&[22], "203.0.113.7", "30m", "x");
    for metadata in
        ["", "VM3", "/subscriptions/x/resourceGroups/y/providers/Microsoft.Compute/virtualMachines/z"]
    {
        let view = json!({"callback_id": "ask", "private_metadata": metadata});
        let forged = story.signed_form(ANA, &view, &values);
        let (status, body) = story.deliver("slack_interaction_url", &forged).await;
        assert_eq!(status, 200);
        assert!(body.is_empty() || body.contains("There is no machine `x/y/z` here."), "{metadata}: {body}");
    }
    let view = json!({"callback_id": "choose_machine", "private_metadata": ""});
    let forged = story.signed_form(ANA, &view, &json!({"machine": {"machine": {"value": "<!channel>"}}}));
    let (_, body) = story.deliver("slack_interaction_url", &forged).await;
    assert!(
        body.contains("&lt;!channel&gt; is not the name of a machine")
            || body.contains("<!channel> is not the name of a machine"),
        "{body}"
    );
    assert!(story.requests().await.is_empty());
    story.finish().await;
}
