//! What an app's answers do to a modal that was submitted, and what it hears when one is closed.

use crate::modals::{both, kept, machines, modal, text, with};
use crate::sent::signature;
use crate::{Reply, Setup, World, plain};
use sandbox::slack::world;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::oneshot;

#[tokio::test]
async fn errors_keep_the_modal_and_what_was_entered() {
    let world = World::new().await;
    world.open("U0ANA", modal()).await;
    let errors = json!({ "machines": "VM1 is gone", "time": "too long" });
    let answer = json!({ "response_action": "errors", "errors": errors });
    world.reply(Reply::Json(answer.clone()));
    let entered = both(machines(&["VM1"]), text("why", "four"));
    let outcome = world.slack.submit_view("U0ANA", &entered).await.unwrap();
    assert_eq!((outcome.status, outcome.error, json!(outcome.errors)), (Some(200), None, errors));
    assert_eq!(outcome.view.unwrap(), world.view("U0ANA"));
    let record = world.slack.messages();
    let last = record.last().unwrap();
    assert_eq!(
        (&last["method"], &last["user"], &last["ok"]),
        (&json!("view_answer"), &json!("U0ANA"), &json!(true))
    );
    assert_eq!(last["body"], answer);
    // The person changes one thing; the rest is as it was left.
    world.reply(Reply::Text(200, String::new()));
    world.slack.submit_view("U0ANA", &machines(&["VM2"])).await.unwrap();
    let values = world.last_payload()["view"]["state"]["values"].clone();
    assert_eq!(values["machines"]["machines_action"]["selected_options"], json!([kept("VM2")]));
    assert_eq!(values["why"]["why_action"]["value"], "four");
    assert_eq!(world.slack.messages().len(), record.len(), "an empty answer says nothing");
}

#[tokio::test]
async fn a_view_is_updated_in_its_place() {
    let world = World::new().await;
    let opened = world.open("U0ANA", with(modal(), "external_id", json!("mine"))).await;
    let mut next = with(modal(), "title", plain("Again"));
    next["external_id"] = json!("mine");
    next["blocks"][2]["block_id"] = json!("until");
    world.reply(Reply::Json(json!({ "response_action": "update", "view": next })));
    world.pass_ms(1_000);
    let outcome = world.slack.submit_view("U0ANA", &machines(&["VM1"])).await.unwrap();
    assert_eq!(outcome.error, None);
    let view = world.view("U0ANA");
    assert_eq!(outcome.view.as_ref(), Some(&view));
    assert_eq!((&view["id"], &view["title"]["text"]), (&opened["id"], &json!("Again")));
    assert_ne!(view["hash"], opened["hash"]);
    // What is in elements that are still there stays; the block that is new starts anew.
    let values = &view["state"]["values"];
    assert_eq!(values["machines"]["machines_action"]["selected_options"], json!([kept("VM1")]));
    assert_eq!((values.get("time"), values.get("until")), (None, None));
    world.reply(Reply::Text(200, String::new()));
    world.slack.submit_view("U0ANA", &json!({})).await.unwrap();
    let values = world.last_payload()["view"]["state"]["values"].clone();
    assert_eq!(values["machines"]["machines_action"]["selected_options"], json!([kept("VM1")]));
    assert_eq!(values["until"]["time_action"]["selected_option"], kept("1h"));
}

#[tokio::test]
async fn views_are_pushed_three_deep_and_come_back_as_they_were_left() {
    let world = World::new().await;
    let first = world.open("U0ANA", modal()).await;
    world.reply(Reply::Json(
        json!({ "response_action": "push", "view": with(modal(), "title", plain("Two")) }),
    ));
    let submit = async || world.slack.submit_view("U0ANA", &machines(&["VM1"])).await.unwrap();
    let second = submit().await.view.unwrap();
    assert_eq!((&second["root_view_id"], &second["previous_view_id"]), (&first["id"], &first["id"]));
    assert_eq!((&second["state"]["values"], &second["title"]["text"]), (&json!({}), &json!("Two")));
    let third = submit().await.view.unwrap();
    assert_eq!((&third["root_view_id"], &third["previous_view_id"]), (&first["id"], &second["id"]));
    let outcome = submit().await;
    assert_eq!((outcome.error, &outcome.view.unwrap()["id"]), (Some("push_limit_reached"), &third["id"]));
    // Closing takes away the one in front; an empty answer does the same.
    let below = world.slack.close_view("U0ANA").await.unwrap().view.unwrap();
    assert_eq!(below["id"], second["id"]);
    world.reply(Reply::Text(200, String::new()));
    let below = submit().await.view.unwrap();
    assert_eq!(below["id"], first["id"]);
    assert_eq!(
        below["state"]["values"]["machines"]["machines_action"]["selected_options"],
        json!([kept("VM1")])
    );
    assert!(submit().await.view.is_none());
}

#[tokio::test]
async fn clear_closes_all_views() {
    let world = World::new().await;
    world.open("U0ANA", with(modal(), "notify_on_close", json!(true))).await;
    world.reply(Reply::Json(json!({ "response_action": "push", "view": modal() })));
    world.slack.submit_view("U0ANA", &machines(&["VM1"])).await.unwrap();
    world.reply(Reply::Json(json!({ "response_action": "clear" })));
    let outcome = world.slack.submit_view("U0ANA", &machines(&["VM1"])).await.unwrap();
    assert_eq!((outcome.error, outcome.view), (None, None));
    assert_eq!(world.last_payload()["type"], "view_submission", "the app knows that it closed them");
}

#[tokio::test]
async fn any_other_answer_is_trouble_and_the_modal_stays() {
    let world = World::with(Setup { ack_within: Duration::from_millis(200), ..Setup::default() }).await;
    let taken = with(modal(), "external_id", json!("taken"));
    world.open("U0BEA", taken.clone()).await;
    let opened = world.open("U0ANA", modal()).await;
    let answer = |action: &str, name: &str, value: Value| {
        Reply::Json(json!({ "response_action": action, name: value }))
    };
    let invalid = "invalid_view_response";
    let huge = with(modal(), "private_metadata", json!("x".repeat(250_000)));
    for (reply, error) in [
        (Reply::Text(500, String::new()), "http_service_error"),
        (Reply::Text(403, String::new()), "http_client_error"),
        (Reply::Text(204, String::new()), "http_service_error"),
        (Reply::Never, "operation_timeout"),
        (Reply::Text(200, "ok".to_owned()), invalid),
        (Reply::Text(200, json!({ "response_action": "clear" }).to_string()), invalid),
        (Reply::Json(json!({})), invalid),
        (Reply::Json(json!([])), invalid),
        (answer("close", "view", modal()), invalid),
        (answer("errors", "errors", json!({})), invalid),
        (answer("errors", "errors", Value::Null), invalid),
        (answer("errors", "errors", json!({ "nowhere": "x" })), invalid),
        (answer("errors", "errors", json!({ "machines": "x", "intro": "no input block" })), invalid),
        (answer("errors", "errors", json!({ "machines": 7 })), invalid),
        (answer("update", "views", modal()), "invalid_arguments"),
        (answer("update", "view", with(modal(), "title", plain(&"x".repeat(25)))), "invalid_arguments"),
        (answer("push", "view", with(modal(), "blocks", json!([]))), "invalid_arguments"),
        (answer("update", "view", huge), "view_too_large"),
        (answer("push", "view", taken), "duplicate_external_id"),
    ] {
        world.reply(reply);
        let outcome = world.slack.submit_view("U0ANA", &machines(&["VM1"])).await.unwrap();
        assert_eq!((outcome.error, outcome.errors.len()), (Some(error), 0));
        let view = world.view("U0ANA");
        assert_eq!((&view["id"], &view["hash"]), (&opened["id"], &opened["hash"]), "{error}");
        assert_eq!(view["title"]["text"], "Ask");
    }
    let record = world.slack.messages();
    let last = record.last().unwrap();
    assert_eq!((&last["ok"], &last["error"]), (&json!(false), &json!("duplicate_external_id")));
    world.slack.set_addresses(sandbox::slack::Addresses {
        interaction_url: "http://127.0.0.1:1/".to_owned(),
        ..sandbox::slack::Addresses::default()
    });
    let outcome = world.slack.submit_view("U0ANA", &machines(&["VM1"])).await.unwrap();
    assert_eq!((outcome.status, outcome.error), (None, Some("dispatch_failed")));
}

#[tokio::test]
async fn an_answer_to_a_modal_that_is_gone_changes_nothing() {
    let world = World::with(Setup { ack_within: Duration::from_secs(60), ..Setup::default() }).await;
    world.open("U0ANA", modal()).await;
    world.reply(Reply::Json(json!({ "response_action": "update", "view": modal() })));
    // The app answers only after the person has closed the modal and opened another one.
    let ((arrived, has_arrived), (gate, held)) = (oneshot::channel(), oneshot::channel());
    *world.held.lock().unwrap() = Some((arrived, held));
    let slack = world.slack.clone();
    let submitting = tokio::spawn(async move { slack.submit_view("U0ANA", &machines(&["VM1"])).await });
    has_arrived.await.unwrap();
    world.slack.close_view("U0ANA").await.unwrap();
    let other = world.open("U0ANA", with(modal(), "title", plain("Other"))).await;
    gate.send(()).unwrap();
    let outcome = submitting.await.unwrap().unwrap();
    assert_eq!((outcome.error, outcome.view.as_ref()), (None, Some(&other)));
    assert_eq!(world.view("U0ANA"), other);
}

#[tokio::test]
async fn closing_is_told_only_where_the_view_asks_for_it() {
    let world = World::new().await;
    world.open("U0ANA", modal()).await;
    let before = world.count();
    let outcome = world.slack.close_view("U0ANA").await.unwrap();
    assert_eq!((outcome.notified, outcome.status, outcome.error), (false, None, None));
    assert_eq!((world.count(), world.view("U0ANA")), (before, Value::Null));
    let opened = world.open("U0ANA", with(modal(), "notify_on_close", json!(true))).await;
    let outcome = world.slack.close_view("U0ANA").await.unwrap();
    assert_eq!((outcome.notified, outcome.status, outcome.error), (true, Some(200), None));
    let sent = world.last_sent();
    assert_eq!(
        (sent.path.as_str(), sent.headers["x-slack-signature"].to_str().unwrap()),
        ("/interaction", signature(&sent).as_str())
    );
    assert_eq!(
        world.last_payload(),
        json!({
            "type": "view_closed",
            "team": { "id": world::TEAM_ID, "domain": "contoso" },
            "user": { "id": "U0ANA", "username": "ana", "name": "ana", "team_id": world::TEAM_ID },
            "api_app_id": world::APP_ID,
            "token": "deprecated-verification-token",
            "view": opened,
            "is_cleared": false,
            "is_enterprise_install": false,
            "enterprise": null,
        })
    );
    // It is closed whatever the app says to it.
    world.open("U0ANA", with(modal(), "notify_on_close", json!(true))).await;
    world.reply(Reply::Text(500, String::new()));
    let outcome = world.slack.close_view("U0ANA").await.unwrap();
    assert_eq!((outcome.status, outcome.error), (Some(500), Some("http_service_error")));
    assert_eq!(world.view("U0ANA"), Value::Null);
}

#[tokio::test]
async fn a_view_may_close_all_that_are_below_it() {
    let world = World::new().await;
    world.open("U0ANA", modal()).await;
    let mut last = with(modal(), "clear_on_close", json!(true));
    last["notify_on_close"] = json!(true);
    world.reply(Reply::Json(json!({ "response_action": "push", "view": last })));
    world.slack.submit_view("U0ANA", &machines(&["VM1"])).await.unwrap();
    world.reply(Reply::Text(200, String::new()));
    let outcome = world.slack.close_view("U0ANA").await.unwrap();
    assert_eq!((outcome.view, world.view("U0ANA")), (None, Value::Null));
    let payload = world.last_payload();
    assert_eq!((&payload["is_cleared"], &payload["view"]["clear_on_close"]), (&json!(true), &json!(true)));
}
