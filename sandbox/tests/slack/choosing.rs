//! Check boxes of a message: what Slack keeps for each person, and what it sends.

use crate::{CHANNEL, Reply, World};
use sandbox::slack::{NotChosen, NotPossible, WhyNot};
use serde_json::{Value, json};

fn option(value: &str) -> Value {
    json!({ "text": { "type": "plain_text", "text": value.to_uppercase(), "emoji": true }, "value": value })
}

/// Boxes in a section, one of them ticked by the app, and a button.
fn blocks() -> Value {
    let boxes = json!({
        "type": "checkboxes", "action_id": "boxes", "options": [option("a"), option("b")],
        "initial_options": [option("b")],
    });
    let button =
        json!({ "type": "button", "action_id": "go", "text": { "type": "plain_text", "text": "Go" } });
    json!([
        { "type": "section", "block_id": "pick", "text": { "type": "mrkdwn", "text": "Pick" }, "accessory": boxes },
        { "type": "actions", "block_id": "act", "elements": [button] },
    ])
}

fn ticked(values: &[&str]) -> Value {
    json!({ "type": "checkboxes", "selected_options": values.iter().map(|one| option(one)).collect::<Vec<_>>() })
}

fn state(values: &[&str]) -> Value {
    json!({ "values": { "pick": { "boxes": ticked(values) } } })
}

/// A world in which the app has posted such a message: its `ts`.
async fn posted() -> (World, String) {
    let world = World::new().await;
    let body = json!({ "channel": CHANNEL, "text": "Pick", "blocks": blocks() });
    let posted = world.done("chat.postMessage", body).await;
    world.reply(Reply::Text(200, String::new()));
    (world, posted["ts"].as_str().unwrap().to_owned())
}

fn payload(world: &World) -> Value {
    serde_json::from_str(&world.last_sent().fields()["payload"]).unwrap()
}

#[tokio::test]
async fn a_click_tells_what_stands_in_the_message_for_this_person() {
    let (world, ts) = posted().await;
    world.slack.click("U0ANA", CHANNEL, &ts, "act", "go").await.unwrap();
    assert_eq!(payload(&world)["state"], state(&["b"]), "as the app has made it");

    let given = json!({ "selected_options": [{ "value": "a" }, { "value": "b" }] });
    let told = world.slack.choose("U0ANA", CHANNEL, &ts, "pick", "boxes", &given).await.unwrap();
    assert_eq!((told.status, told.error), (Some(200), None));
    let sent = payload(&world);
    assert_eq!((&sent["type"], &sent["user"]["id"]), (&json!("block_actions"), &json!("U0ANA")));
    assert_eq!(sent["state"], state(&["a", "b"]));
    let action = &sent["actions"][0];
    assert_eq!(action["selected_options"], ticked(&["a", "b"])["selected_options"]);
    assert_eq!([&action["type"], &action["block_id"], &action["action_id"]], ["checkboxes", "pick", "boxes"]);
    assert_eq!(sent["response_url"], told.response_url.as_str());

    world.slack.click("U0ANA", CHANNEL, &ts, "act", "go").await.unwrap();
    assert_eq!(payload(&world)["state"], state(&["a", "b"]));
    world.slack.click("U0BEA", CHANNEL, &ts, "act", "go").await.unwrap();
    assert_eq!(payload(&world)["state"], state(&["b"]), "what Ana has ticked is hers");
    assert_eq!(world.seen("U0ANA", CHANNEL)[0]["state"], state(&["a", "b"]));
    assert_eq!(world.seen("U0BEA", CHANNEL)[0].get("state"), None);
}

#[tokio::test]
async fn a_message_that_changes_forgets_what_was_ticked() {
    let (world, ts) = posted().await;
    world.slack.choose("U0ANA", CHANNEL, &ts, "pick", "boxes", &ticked(&[])).await.unwrap();
    world.slack.click("U0ANA", CHANNEL, &ts, "act", "go").await.unwrap();
    assert_eq!(payload(&world)["state"], state(&[]));
    let body = json!({ "channel": CHANNEL, "ts": ts, "text": "Pick", "blocks": blocks() });
    world.done("chat.update", body).await;
    world.slack.click("U0ANA", CHANNEL, &ts, "act", "go").await.unwrap();
    assert_eq!(payload(&world)["state"], state(&["b"]));
}

#[tokio::test]
async fn what_nobody_could_tick_is_refused_and_not_sent() {
    let (world, ts) = posted().await;
    let sent = world.sent.lock().unwrap().len();
    let refused = async |user: &str, block: &str, action: &str, given: Value| {
        world.slack.choose(user, CHANNEL, &ts, block, action, &given).await.unwrap_err()
    };
    let no_element = |action: &str| NotChosen::WhyNot(WhyNot::NoSuchElement(action.to_owned()));
    assert_eq!(refused("U0ANA", "pick", "go", ticked(&[])).await, no_element("go"));
    assert_eq!(refused("U0ANA", "act", "boxes", ticked(&[])).await, no_element("boxes"));
    let no_option = |value: &str| NotChosen::WhyNot(WhyNot::NoSuchOption(format!("\"{value}\"")));
    assert_eq!(refused("U0ANA", "pick", "boxes", ticked(&["c"])).await, no_option("c"));
    assert_eq!(refused("U0ANA", "pick", "boxes", ticked(&["a", "a"])).await, no_option("a"));
    let no_value = NotChosen::WhyNot(WhyNot::NoValue("checkboxes".to_owned()));
    assert_eq!(refused("U0ANA", "pick", "boxes", json!({ "value": "a" })).await, no_value);
    let nobody = NotChosen::NotPossible(NotPossible::NoSuchPerson);
    assert_eq!(refused("U0NOBODY", "pick", "boxes", ticked(&["a"])).await, nobody);
    assert_eq!(world.sent.lock().unwrap().len(), sent);
}

#[tokio::test]
async fn the_page_ticks_boxes() {
    let (world, ts) = posted().await;
    let post = async |body: &Value| {
        let url = format!("{}/page/choose", world.page);
        let request = world.client.post(url).header("content-type", "application/json");
        world.got(request.body(body.to_string())).await
    };
    let mut body = json!({
        "as": "U0ANA", "channel": CHANNEL, "ts": ts, "block_id": "pick", "action_id": "boxes", "state": ticked(&["a"]),
    });
    let done = post(&body).await;
    assert_eq!((done.status, done.json()), (200, json!({ "ok": true, "error": null })));
    assert_eq!(payload(&world)["state"], state(&["a"]));
    body["state"] = ticked(&["c"]);
    let refused = post(&body).await;
    assert_eq!((refused.status, &refused.json()["error"]), (409, &json!("\"c\" cannot be chosen here")));
    world.reply(Reply::Text(500, String::new()));
    body["state"] = ticked(&[]);
    assert_eq!(post(&body).await.json(), json!({ "ok": false, "error": "http_service_error" }));
}
