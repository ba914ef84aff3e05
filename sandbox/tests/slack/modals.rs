//! Modals: what a person submits, and what Slack itself refuses.

use crate::sent::signature;
use crate::{CHANNEL, Reply, World, plain};
use sandbox::slack::{FieldProblem, NotPossible, NotSubmitted, WhyNot, world};
use serde_json::{Value, json};

pub(crate) fn option(value: &str) -> Value {
    json!({ "text": plain(value), "value": value })
}

fn input(block_id: &str, element: Value) -> Value {
    let mut element = element;
    element["action_id"] = json!(format!("{block_id}_action"));
    json!({ "type": "input", "block_id": block_id, "label": plain(block_id), "element": element })
}

/// A required list of machines, a time with an initial value, an optional text.
pub(crate) fn modal() -> Value {
    let mut why = input("why", json!({ "type": "plain_text_input", "min_length": 3, "max_length": 8 }));
    why["optional"] = json!(true);
    json!({
        "type": "modal", "callback_id": "ask", "private_metadata": "{\"from\":\"C0JIT\"}",
        "title": plain("Ask"), "submit": plain("Send"), "close": plain("Leave"),
        "blocks": [
            { "type": "section", "block_id": "intro", "text": plain("What do you need?") },
            input("machines", json!({ "type": "checkboxes", "options": [option("VM1"), option("VM2")] })),
            input("time", json!({
                "type": "static_select", "options": [option("30m"), option("1h")], "initial_option": option("1h"),
            })),
            why,
        ],
    })
}

pub(crate) fn with(mut view: Value, field: &str, value: Value) -> Value {
    view[field] = value;
    view
}

/// The option as Slack keeps and sends it.
pub(crate) fn kept(value: &str) -> Value {
    json!({ "text": { "type": "plain_text", "text": value, "emoji": true }, "value": value })
}

pub(crate) fn machines(values: &[&str]) -> Value {
    let chosen: Vec<Value> = values.iter().map(|value| option(value)).collect();
    json!({ "machines": { "machines_action": { "type": "checkboxes", "selected_options": chosen } } })
}

pub(crate) fn text(block_id: &str, text: &str) -> Value {
    json!({ block_id: { format!("{block_id}_action"): { "type": "plain_text_input", "value": text } } })
}

pub(crate) fn both(one: Value, other: Value) -> Value {
    let (mut all, Value::Object(other)) = (one, other) else { return Value::Null };
    all.as_object_mut().unwrap().extend(other);
    all
}

impl World {
    /// Opens a modal for this person, as an app does that answers a command.
    pub(crate) async fn open(&self, user: &str, view: Value) -> Value {
        self.reply(Reply::Text(200, String::new()));
        let trigger = self.slack.command(user, CHANNEL, "").await.unwrap().trigger_id;
        self.done("views.open", json!({ "trigger_id": trigger, "view": view })).await["view"].clone()
    }

    pub(crate) fn view(&self, viewer: &str) -> Value {
        self.slack.state(viewer)["view"].clone()
    }

    pub(crate) fn last_payload(&self) -> Value {
        serde_json::from_str(&self.last_sent().fields()["payload"]).unwrap()
    }

    pub(crate) fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// What Slack itself says is wrong; nothing is sent then.
    async fn problems(&self, user: &str, values: Value) -> Vec<(String, WhyNot)> {
        let before = self.count();
        let refused = self.slack.submit_view(user, &values).await.unwrap_err();
        assert_eq!(self.count(), before, "nothing was sent");
        let NotSubmitted::Fields(problems) = refused else { return Vec::new() };
        problems.into_iter().map(|FieldProblem { block_id, why }| (block_id, why)).collect()
    }
}

#[tokio::test]
async fn a_submission_has_all_fields_and_a_good_signature() {
    let world = World::new().await;
    let opened = world.open("U0ANA", modal()).await;
    let entered = both(machines(&["VM2"]), text("why", "a <b> ü"));
    let outcome = world.slack.submit_view("U0ANA", &entered).await.unwrap();
    assert_eq!((outcome.status, outcome.error, outcome.errors.len()), (Some(200), None, 0));
    let sent = world.last_sent();
    assert_eq!(sent.path, "/interaction");
    assert_eq!(sent.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(sent.headers["x-slack-signature"], signature(&sent));
    assert_eq!(sent.fields().len(), 1);
    let block = |index: usize| opened["blocks"][index].clone();
    let id = opened["id"].clone();
    let expected = json!({
        "type": "view_submission",
        "team": { "id": world::TEAM_ID, "domain": "contoso" },
        "user": { "id": "U0ANA", "username": "ana", "name": "ana", "team_id": world::TEAM_ID },
        "api_app_id": world::APP_ID,
        "token": "deprecated-verification-token",
        "trigger_id": outcome.trigger_id,
        "view": {
            "id": id, "team_id": world::TEAM_ID, "type": "modal",
            "blocks": [block(0), block(1), block(2), block(3)],
            "private_metadata": "{\"from\":\"C0JIT\"}", "callback_id": "ask",
            "state": { "values": {
                "machines": { "machines_action": { "type": "checkboxes", "selected_options": [kept("VM2")] } },
                "time": { "time_action": { "type": "static_select", "selected_option": kept("1h") } },
                "why": { "why_action": { "type": "plain_text_input", "value": "a <b> ü" } },
            } },
            "hash": opened["hash"],
            "title": { "type": "plain_text", "text": "Ask", "emoji": true },
            "clear_on_close": false, "notify_on_close": false,
            "close": { "type": "plain_text", "text": "Leave", "emoji": true },
            "submit": { "type": "plain_text", "text": "Send", "emoji": true },
            "previous_view_id": null, "root_view_id": id, "app_id": world::APP_ID, "external_id": "",
            "app_installed_team_id": world::TEAM_ID, "bot_id": world::BOT_ID,
        },
        "response_urls": [],
        "is_enterprise_install": false,
        "enterprise": null,
    });
    assert_eq!(world.last_payload(), expected);
    assert_eq!((&block(1)["optional"], &block(3)["optional"]), (&json!(false), &json!(true)));
    assert_eq!(block(1)["dispatch_action"], false);
    let on_enter = json!({ "trigger_actions_on": ["on_enter_pressed"] });
    assert_eq!(block(3)["element"]["dispatch_action_config"], on_enter);
    assert_eq!((outcome.view, world.view("U0ANA")), (None, Value::Null), "an empty answer closes it");
    let again = world.slack.submit_view("U0ANA", &entered).await.unwrap_err();
    assert_eq!(again, NotSubmitted::NotPossible(NotPossible::NoView));
}

#[tokio::test]
async fn what_slack_sends_is_what_its_example_has() {
    let world = World::new().await;
    let opened = world.open("U0ANA", modal()).await;
    world.slack.submit_view("U0ANA", &machines(&["VM1"])).await.unwrap();
    let payload = world.last_payload();
    // docs.slack.dev, reference/interaction-payloads/view-interactions-payload: the fields of the example.
    for field in ["type", "team", "user", "view"] {
        assert!(!payload[field].is_null(), "{field}");
    }
    for field in
        ["id", "type", "title", "submit", "blocks", "private_metadata", "callback_id", "state", "hash"]
    {
        assert!(!payload["view"][field].is_null(), "view.{field}");
    }
    let hash = opened["hash"].as_str().unwrap();
    let (seconds, rest) = hash.split_once('.').unwrap();
    assert!(seconds.parse::<u64>().is_ok() && rest.len() == 8, "{hash}");
    // A view_submission brings a trigger, with which another modal can be opened.
    let open = json!({ "trigger_id": payload["trigger_id"], "view": modal() });
    world.done("views.open", open).await;
    assert!(!world.view("U0ANA").is_null());
}

#[tokio::test]
async fn elements_that_nobody_touched_are_sent_as_they_were_made() {
    let world = World::new().await;
    let options = json!([option("a"), option("b")]);
    let rest = |kind: &str| json!({ "type": kind, "options": options });
    let groups = json!([{ "label": plain("one"), "options": [option("a")] },
        { "label": plain("two"), "options": [option("b")] }]);
    let mut blocks = vec![
        input("text", json!({ "type": "plain_text_input" })),
        input("filled", json!({ "type": "plain_text_input", "initial_value": "before" })),
        input("blank", json!({ "type": "plain_text_input", "initial_value": "" })),
        input("radio", rest("radio_buttons")),
        input("select", rest("static_select")),
        input("boxes", rest("checkboxes")),
        input("several", rest("multi_static_select")),
        input(
            "grouped",
            json!({ "type": "static_select", "option_groups": groups, "initial_option": option("b") }),
        ),
        input("ticked", with(rest("checkboxes"), "initial_options", json!([option("b")]))),
        input("on", with(rest("radio_buttons"), "initial_option", option("a"))),
        input("person", json!({ "type": "users_select" })),
        input("day", json!({ "type": "datepicker", "initial_date": "2026-11-26" })),
    ];
    for block in &mut blocks {
        block["optional"] = json!(true);
    }
    // Since 2020 elements outside of input blocks count as well; a button has no state.
    blocks.push(json!({ "type": "section", "block_id": "beside", "text": plain("t"),
        "accessory": with(rest("static_select"), "action_id", json!("pick")) }));
    blocks.push(json!({ "type": "actions", "block_id": "below",
        "elements": [crate::button("go"), with(rest("checkboxes"), "action_id", json!("tick"))] }));
    world.open("U0ANA", with(modal(), "blocks", json!(blocks))).await;
    world.slack.submit_view("U0ANA", &json!({})).await.unwrap();
    let state = |kind: &str, name: &str, value: Value| json!({ "type": kind, name: value });
    assert_eq!(
        world.last_payload()["view"]["state"]["values"],
        json!({
            "text": { "text_action": state("plain_text_input", "value", Value::Null) },
            "filled": { "filled_action": state("plain_text_input", "value", json!("before")) },
            "blank": { "blank_action": state("plain_text_input", "value", Value::Null) },
            "radio": { "radio_action": state("radio_buttons", "selected_option", Value::Null) },
            "select": { "select_action": state("static_select", "selected_option", Value::Null) },
            "boxes": { "boxes_action": state("checkboxes", "selected_options", json!([])) },
            "several": { "several_action": state("multi_static_select", "selected_options", json!([])) },
            "grouped": { "grouped_action": state("static_select", "selected_option", kept("b")) },
            "ticked": { "ticked_action": state("checkboxes", "selected_options", json!([kept("b")])) },
            "on": { "on_action": state("radio_buttons", "selected_option", kept("a")) },
            "person": { "person_action": state("users_select", "selected_user", Value::Null) },
            "day": { "day_action": state("datepicker", "selected_date", json!("2026-11-26")) },
            "beside": { "pick": state("static_select", "selected_option", Value::Null) },
            "below": { "tick": state("checkboxes", "selected_options", json!([])) },
        })
    );
}

#[tokio::test]
async fn a_person_can_take_an_initial_value_away() {
    let world = World::new().await;
    let mut view = modal();
    for index in [1, 2] {
        view["blocks"][index]["optional"] = json!(true);
    }
    view["blocks"][1]["element"]["initial_options"] = json!([option("VM1")]);
    view["blocks"][3]["element"]["initial_value"] = json!("because");
    world.open("U0ANA", view).await;
    let select = json!({ "time": { "time_action": { "type": "static_select", "selected_option": null } } });
    let entered = both(both(machines(&[]), text("why", "")), select);
    world.slack.submit_view("U0ANA", &entered).await.unwrap();
    let values = world.last_payload()["view"]["state"]["values"].clone();
    assert_eq!(values["machines"]["machines_action"]["selected_options"], json!([]));
    assert_eq!(values["time"]["time_action"]["selected_option"], Value::Null);
    assert_eq!(values["why"]["why_action"]["value"], Value::Null);
}

#[tokio::test]
async fn slack_itself_refuses_what_is_missing_or_of_a_wrong_length() {
    let world = World::new().await;
    world.open("U0ANA", modal()).await;
    let refused = async |values: Value| world.problems("U0ANA", values).await;
    let of = |block_id: &str, why: WhyNot| vec![(block_id.to_owned(), why)];
    assert_eq!(refused(json!({})).await, of("machines", WhyNot::Empty));
    assert_eq!(refused(machines(&[])).await, of("machines", WhyNot::Empty));
    let why = |given: &str| both(machines(&["VM1"]), text("why", given));
    assert_eq!(refused(why("ab")).await, of("why", WhyNot::TooShort(3)));
    assert_eq!(refused(why("ninechars")).await, of("why", WhyNot::TooLong(8)));
    // Characters are counted, and all blocks are told at once.
    let two = refused(text("why", "üü")).await;
    let expected = [("machines".to_owned(), WhyNot::Empty), ("why".to_owned(), WhyNot::TooShort(3))];
    assert_eq!(two, expected);
    assert_eq!(world.view("U0ANA")["state"]["values"], json!({}), "nothing was submitted");
    let error = world.slack.submit_view("U0ANA", &json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "machines: Please complete this required field.");
    for fine in ["", "abc", "üüüüüüüü"] {
        world.open("U0ANA", modal()).await;
        world.slack.submit_view("U0ANA", &why(fine)).await.unwrap();
    }
    let long = input("why", json!({ "type": "plain_text_input", "multiline": true }));
    let several = json!({ "type": "multi_static_select", "options": [option("a"), option("b")], "max_selected_items": 1 });
    world.open("U0ANA", with(modal(), "blocks", json!([long, input("several", several)]))).await;
    let chosen =
        json!({ "several": { "several_action": { "selected_options": [option("a"), option("b")] } } });
    let all = both(text("why", &"x".repeat(3001)), chosen);
    let expected = [("why".to_owned(), WhyNot::TooLong(3000)), ("several".to_owned(), WhyNot::TooMany(1))];
    assert_eq!(refused(all).await, expected);
}

#[tokio::test]
async fn nobody_can_enter_what_the_modal_does_not_offer() {
    let world = World::new().await;
    let mut view = modal();
    let blocks = view["blocks"].as_array_mut().unwrap();
    blocks.push(json!({ "type": "input", "block_id": "day", "label": plain("day"), "optional": true,
        "element": { "type": "datepicker", "action_id": "day_action" } }));
    blocks.push(json!({ "type": "section", "block_id": "beside", "text": plain("t"), "accessory":
        { "type": "static_select", "action_id": "pick", "options": [option("a")] } }));
    let mut told = input("told", json!({ "type": "plain_text_input", "initial_value": "x" }));
    told["dispatch_action"] = json!(true);
    blocks.push(told);
    world.open("U0ANA", view).await;
    let refused = async |block_id: &str, action_id: &str, state: Value| {
        let values = both(machines(&["VM1"]), json!({ block_id: { action_id: state } }));
        let problems = world.problems("U0ANA", values).await;
        assert_eq!((problems.len(), problems[0].0.as_str()), (1, block_id), "{problems:?}");
        problems[0].1.clone()
    };
    let quoted = |value: &str| WhyNot::NoSuchOption(format!("\"{value}\""));
    let chosen = |values: &[&str]| machines(values)["machines"]["machines_action"].clone();
    assert_eq!(refused("machines", "machines_action", chosen(&["VM9"])).await, quoted("VM9"));
    assert_eq!(refused("machines", "machines_action", chosen(&["VM1", "VM1"])).await, quoted("VM1"));
    let one = json!({ "selected_option": option("2h") });
    assert_eq!(refused("time", "time_action", one).await, quoted("2h"));
    let unknown = WhyNot::NoSuchElement("other".to_owned());
    assert_eq!(refused("time", "other", json!({ "value": "x" })).await, unknown);
    assert_eq!(refused("nowhere", "other", json!({ "value": "x" })).await, unknown);
    let text = WhyNot::NoValue("plain_text_input".to_owned());
    for state in [
        json!({ "value": 7 }),
        json!({ "value": "two\nlines" }),
        json!({ "selected_option": null }),
        json!({ "type": "checkboxes", "value": "four" }),
    ] {
        assert_eq!(refused("why", "why_action", state).await, text);
    }
    let boxes = WhyNot::NoValue("checkboxes".to_owned());
    assert_eq!(refused("machines", "machines_action", json!({ "selected_options": null })).await, boxes);
    assert_eq!(refused("machines", "machines_action", json!({ "selected_options": ["VM1"] })).await, boxes);
    let cannot = |kind: &str| WhyNot::CannotFillIn(kind.to_owned());
    let day = json!({ "selected_date": "2026-11-26" });
    assert_eq!(refused("day", "day_action", day).await, cannot("datepicker"));
    let pick = json!({ "selected_option": option("a") });
    assert_eq!(refused("beside", "pick", pick).await, cannot("static_select"));
    assert_eq!(refused("told", "told_action", json!({ "value": "y" })).await, cannot("plain_text_input"));
    let needed = input("day", json!({ "type": "datepicker" }));
    world.open("U0ANA", with(modal(), "blocks", json!([needed]))).await;
    let needed = world.problems("U0ANA", json!({})).await;
    assert_eq!(needed, [("day".to_owned(), cannot("datepicker"))]);
}

#[tokio::test]
async fn only_ones_own_open_modal_can_be_submitted_or_closed() {
    let world = World::new().await;
    world.open("U0ANA", modal()).await;
    let before = world.count();
    let not = |why: NotPossible| Some(NotSubmitted::NotPossible(why));
    let submit = async |user: &str| world.slack.submit_view(user, &machines(&["VM1"])).await.err();
    assert_eq!(submit("U0BEA").await, not(NotPossible::NoView));
    assert_eq!(submit("U0NOBODY").await, not(NotPossible::NoSuchPerson));
    assert_eq!(world.slack.close_view("U0BEA").await.err(), Some(NotPossible::NoView));
    assert_eq!(world.slack.close_view("U0NOBODY").await.err(), Some(NotPossible::NoSuchPerson));
    assert_eq!(world.view("U0BEA"), Value::Null);
    let mut told = json!({ "type": "modal", "title": plain("Done") });
    told["blocks"] = json!([{ "type": "divider" }]);
    world.open("U0BEA", told).await;
    assert_eq!(submit("U0BEA").await, not(NotPossible::NoSubmit));
    world.slack.set_addresses(sandbox::slack::Addresses::default());
    assert_eq!(submit("U0ANA").await, not(NotPossible::NoAddress));
    assert_eq!(world.slack.close_view("U0ANA").await.err(), Some(NotPossible::NoAddress));
    // Opening the second modal took a command.
    assert_eq!(world.count(), before + 1);
    assert!(!world.view("U0ANA").is_null());
}
