//! Each limit of Block Kit: what is just allowed passes, one more is refused.

use crate::{CHANNEL, World, button, plain};
use serde_json::{Value, json};

fn long(characters: usize) -> String {
    // A character of three bytes: limits count characters.
    "€".repeat(characters)
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text })
}

fn repeated(count: usize, make: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(make).collect()
}

fn section(text: &Value) -> Value {
    json!({ "type": "section", "text": text })
}

fn actions(elements: &Value) -> Value {
    json!({ "type": "actions", "elements": elements })
}

fn with(mut element: Value, field: &str, value: Value) -> Value {
    element[field] = value;
    element
}

/// A button with this field.
fn having(field: &str, value: Value) -> Value {
    actions(&json!([with(button("a"), field, value)]))
}

fn dialog(title: usize, text: usize, yes: usize, no: usize) -> Value {
    having(
        "confirm",
        json!({ "title": plain(&long(title)), "text": plain(&long(text)), "confirm": plain(&long(yes)),
            "deny": plain(&long(no)) }),
    )
}

fn select(options: usize, text: usize, value: usize) -> Value {
    let options = repeated(options, |_| json!({ "text": plain(&long(text)), "value": long(value) }));
    actions(&json!([{ "type": "static_select", "action_id": "s", "options": options }]))
}

fn several(kind: &str, options: usize) -> Value {
    let options = repeated(options, |index| json!({ "text": plain("o"), "value": index.to_string() }));
    actions(&json!([{ "type": kind, "action_id": "s", "options": options }]))
}

#[tokio::test]
async fn blocks_within_the_limits_pass_and_beyond_are_refused_with_the_place() {
    let world = World::new().await;
    let divider = json!({ "type": "divider" });
    let named = |id: &str| json!({ "type": "divider", "block_id": id });
    // What passes, what does not, and what the refusal says.
    let cases: Vec<(Value, Value, &str)> = vec![
        (
            json!(repeated(50, |_| divider.clone())),
            json!(repeated(51, |_| divider.clone())),
            "no more than 50 items allowed [json-pointer:/blocks]",
        ),
        (
            json!([section(&mrkdwn(&long(3000)))]),
            json!([section(&mrkdwn(&long(3001)))]),
            "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            json!([section(&mrkdwn("x"))]),
            json!([section(&mrkdwn(""))]),
            "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            json!([section(&plain("x"))]),
            json!([{ "type": "section" }]),
            "missing required field: text [json-pointer:/blocks/0]",
        ),
        (
            json!([section(&plain("x"))]),
            json!([section(&json!({ "type": "html", "text": "x" }))]),
            "unsupported type: html [json-pointer:/blocks/0/text/type]",
        ),
        (
            json!([{ "type": "section", "fields": repeated(10, |_| plain("f")) }]),
            json!([{ "type": "section", "fields": repeated(11, |_| plain("f")) }]),
            "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
        ),
        (
            json!([{ "type": "section", "fields": [plain(&long(2000))] }]),
            json!([{ "type": "section", "fields": [plain(&long(2001))] }]),
            "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
        ),
        (
            json!([{ "type": "header", "text": plain(&long(150)) }]),
            json!([{ "type": "header", "text": plain(&long(151)) }]),
            "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            json!([{ "type": "header", "text": plain("h") }]),
            json!([{ "type": "header", "text": mrkdwn("h") }]),
            "must be one of the allowed values: plain_text [json-pointer:/blocks/0/text/type]",
        ),
        (
            json!([{ "type": "context", "elements": repeated(10, |_| plain("c")) }]),
            json!([{ "type": "context", "elements": repeated(11, |_| plain("c")) }]),
            "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
        ),
        (
            json!([{ "type": "context", "elements": [mrkdwn("c")] }]),
            json!([{ "type": "context", "elements": [] }]),
            "must have at least 1 items [json-pointer:/blocks/0/elements]",
        ),
        (
            json!([actions(&json!(repeated(25, |index| button(&index.to_string()))))]),
            json!([actions(&json!(repeated(26, |index| button(&index.to_string()))))]),
            "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
        ),
        (
            json!([having("text", plain(&long(75)))]),
            json!([having("text", plain(&long(76)))]),
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
        ),
        (
            json!([having("text", plain("t"))]),
            json!([having("text", mrkdwn("t"))]),
            "must be one of the allowed values: plain_text [json-pointer:/blocks/0/elements/0/text/type]",
        ),
        (
            json!([having("value", json!(long(2000)))]),
            json!([having("value", json!(long(2001)))]),
            "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
        ),
        (
            json!([having("url", json!(long(3000)))]),
            json!([having("url", json!(long(3001)))]),
            "must be less than 3001 characters [json-pointer:/blocks/0/elements/0/url]",
        ),
        (
            json!([having("accessibility_label", json!(long(75)))]),
            json!([having("accessibility_label", json!(long(76)))]),
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/accessibility_label]",
        ),
        (
            json!([having("style", json!("danger"))]),
            json!([having("style", json!("warning"))]),
            "must be one of the allowed values: primary, danger [json-pointer:/blocks/0/elements/0/style]",
        ),
        (
            json!([having("action_id", json!(long(255)))]),
            json!([having("action_id", json!(long(256)))]),
            "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
        ),
        (
            json!([actions(&json!([button("a"), button("b")]))]),
            json!([actions(&json!([button("a"), button("a")]))]),
            "action_id a already exists in this block [json-pointer:/blocks/0/elements/1/action_id]",
        ),
        // The same action_id in two blocks is fine.
        (
            json!([actions(&json!([button("a")])), actions(&json!([button("a")]))]),
            json!([having("colour", json!("red"))]),
            "invalid additional property: colour [json-pointer:/blocks/0/elements/0]",
        ),
        (
            json!([named(&long(255))]),
            json!([named(&long(256))]),
            "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
        ),
        (
            json!([named("a"), named("b")]),
            json!([named("a"), named("a")]),
            "block_id a already exists [json-pointer:/blocks/1/block_id]",
        ),
        (
            json!([dialog(100, 1, 1, 1)]),
            json!([dialog(101, 1, 1, 1)]),
            "must be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]",
        ),
        (
            json!([dialog(1, 300, 1, 1)]),
            json!([dialog(1, 301, 1, 1)]),
            "must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]",
        ),
        (
            json!([dialog(1, 1, 30, 1)]),
            json!([dialog(1, 1, 31, 1)]),
            "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/confirm/text]",
        ),
        (
            json!([dialog(1, 1, 1, 30)]),
            json!([dialog(1, 1, 1, 31)]),
            "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/deny/text]",
        ),
        (
            json!([divider]),
            json!([{ "type": "carousel" }]),
            "unsupported type: carousel [json-pointer:/blocks/0/type]",
        ),
        (json!([divider]), json!([{ "text": "x" }]), "missing required field: type [json-pointer:/blocks/0]"),
        (
            json!([having("value", json!("v"))]),
            json!([actions(&json!([{ "type": "slider" }]))]),
            "unsupported type: slider [json-pointer:/blocks/0/elements/0/type]",
        ),
        (
            json!([having("value", json!("v"))]),
            json!([actions(&json!([{ "type": "button" }]))]),
            "missing required field: text [json-pointer:/blocks/0/elements/0]",
        ),
        (
            json!([select(100, 1, 1)]),
            json!([select(101, 1, 1)]),
            "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]",
        ),
        (
            json!([select(1, 75, 1)]),
            json!([select(1, 76, 1)]),
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/options/0/text/text]",
        ),
        (
            json!([select(1, 1, 150)]),
            json!([select(1, 1, 151)]),
            "must be less than 151 characters [json-pointer:/blocks/0/elements/0/options/0/value]",
        ),
        (
            json!([several("overflow", 5)]),
            json!([several("overflow", 6)]),
            "no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]",
        ),
        (
            json!([several("radio_buttons", 10)]),
            json!([several("radio_buttons", 11)]),
            "no more than 10 items allowed [json-pointer:/blocks/0/elements/0/options]",
        ),
        (
            json!([{ "type": "markdown", "text": "x".repeat(12_000) }]),
            json!([{ "type": "markdown", "text": "x".repeat(6_000) }, { "type": "markdown", "text": "x".repeat(6_001) }]),
            "must be less than 12001 characters [json-pointer:/blocks]",
        ),
        (
            json!([{ "type": "image", "image_url": "https://a.example/a.png", "alt_text": "a" }]),
            json!([{ "type": "image", "image_url": "https://a.example/a.png" }]),
            "missing required field: alt_text [json-pointer:/blocks/0]",
        ),
    ];
    for (fine, broken, said) in cases {
        world.done("chat.postMessage", json!({ "channel": CHANNEL, "text": "t", "blocks": fine })).await;
        let got = world
            .call("chat.postMessage", json!({ "channel": CHANNEL, "text": "t", "blocks": broken }))
            .await;
        assert_eq!(got.error(), "invalid_blocks", "{said}");
        let messages = got.json()["response_metadata"]["messages"].clone();
        assert!(
            messages.as_array().unwrap().iter().any(|message| message == &json!(format!("[ERROR] {said}"))),
            "{said} is not in {messages}"
        );
    }
}

#[tokio::test]
async fn all_blocks_together_are_limited_too() {
    let world = World::new().await;
    let blocks = repeated(5, |_| section(&plain(&"x".repeat(2_700))));
    let body = json!({ "channel": CHANNEL, "text": "t", "blocks": blocks });
    assert_eq!(world.refused("chat.postMessage", body).await, "msg_blocks_too_long");
}

#[tokio::test]
async fn blocks_that_are_no_list_of_blocks_have_an_error_of_their_own() {
    let world = World::new().await;
    for blocks in [json!({ "type": "divider" }), json!("[{"), json!([1]), json!("7")] {
        let body = json!({ "channel": CHANNEL, "text": "t", "blocks": blocks });
        assert_eq!(world.refused("chat.postMessage", body).await, "invalid_blocks_format");
    }
    // As a form would carry them.
    let body = json!({ "channel": CHANNEL, "blocks": "[{\"type\":\"divider\"}]" });
    assert_eq!(world.done("chat.postMessage", body).await["message"]["blocks"][0]["type"], "divider");
}

fn modal() -> Value {
    json!({
        "type": "modal", "title": plain("Title"), "submit": plain("Send"),
        "blocks": [{ "type": "input", "block_id": "why", "label": plain("Why"),
            "element": { "type": "plain_text_input", "action_id": "text", "max_length": 300 } }],
    })
}

#[tokio::test]
async fn modals_have_limits_of_their_own() {
    let world = World::new().await;
    let dividers = |count| json!(repeated(count, |_| json!({ "type": "divider" })));
    let cases = [
        (
            with(modal(), "title", plain(&long(24))),
            with(modal(), "title", plain(&long(25))),
            "/view/title/text",
        ),
        (
            with(modal(), "submit", plain(&long(24))),
            with(modal(), "submit", plain(&long(25))),
            "/view/submit/text",
        ),
        (
            with(modal(), "close", plain(&long(24))),
            with(modal(), "close", plain(&long(25))),
            "/view/close/text",
        ),
        (
            with(modal(), "private_metadata", json!(long(3000))),
            with(modal(), "private_metadata", json!(long(3001))),
            "/view/private_metadata",
        ),
        (
            with(modal(), "callback_id", json!(long(255))),
            with(modal(), "callback_id", json!(long(256))),
            "/view/callback_id",
        ),
        (with(modal(), "blocks", dividers(100)), with(modal(), "blocks", dividers(101)), "/view/blocks"),
        (modal(), with(modal(), "submit", Value::Null), "missing required field: submit [json-pointer:/view"),
        (modal(), with(modal(), "type", json!("window")), "/view/type"),
    ];
    for (fine, broken, place) in cases.into_iter().chain(inputs()) {
        let trigger = world.slack.command("U0ANA", CHANNEL, "").await.unwrap().trigger_id;
        let got = world.call("views.open", json!({ "trigger_id": trigger, "view": broken })).await;
        assert_eq!(got.error(), "invalid_arguments", "{place}");
        assert!(got.text.contains(place), "{place} is not in {}", got.text);
        let opened = world.done("views.open", json!({ "trigger_id": trigger, "view": fine })).await;
        assert_eq!(opened["view"]["type"], "modal");
        assert_eq!(world.slack.state("U0ANA")["view"]["id"], opened["view"]["id"]);
    }
    let trigger = world.slack.command("U0ANA", CHANNEL, "").await.unwrap().trigger_id;
    let huge = with(modal(), "blocks", json!(repeated(90, |_| section(&plain(&"x".repeat(3000))))));
    let refused = world.refused("views.open", json!({ "trigger_id": trigger, "view": huge })).await;
    assert_eq!(refused, "view_too_large");
}

/// Modals with one element that is fine, and with one that is not.
fn inputs() -> Vec<(Value, Value, &'static str)> {
    let holding = |element: Value| {
        let mut view = modal();
        view["blocks"][0]["element"] = element;
        view
    };
    let option = |value: &str| json!({ "text": plain(value), "value": value });
    let options = json!([option("a"), option("b")]);
    let choosing = |kind: &str, field: &str, value: Value| {
        holding(with(json!({ "type": kind, "options": options }), field, value))
    };
    let initial = "/view/blocks/0/element/initial_option";
    let text = |field: &str, value: Value| holding(with(json!({ "type": "plain_text_input" }), field, value));
    let grouped = |value: &str| {
        let groups = json!([{ "label": plain("g"), "options": options }]);
        holding(json!({ "type": "static_select", "option_groups": groups, "initial_option": option(value) }))
    };
    let accessory = |kind: &str| {
        let mut view = modal();
        let several = json!({ "type": kind, "options": options });
        view["blocks"] = json!([{ "type": "actions", "elements": [several] }]);
        view
    };
    vec![
        (
            choosing("static_select", "initial_option", option("a")),
            choosing("static_select", "initial_option", option("c")),
            initial,
        ),
        (grouped("b"), grouped("c"), initial),
        (
            choosing("radio_buttons", "initial_option", option("b")),
            choosing("radio_buttons", "initial_options", json!([option("b")])),
            "invalid additional property: initial_options",
        ),
        (
            choosing("checkboxes", "initial_options", json!([option("a"), option("b")])),
            choosing("checkboxes", "initial_options", json!([option("a"), option("c")])),
            "/view/blocks/0/element/initial_options/1",
        ),
        (
            choosing("multi_static_select", "max_selected_items", json!(1)),
            choosing("multi_static_select", "max_selected_items", json!(0)),
            "/view/blocks/0/element/max_selected_items",
        ),
        (accessory("static_select"), accessory("multi_static_select"), "/view/blocks/0/elements/0/type"),
        (
            text("initial_value", json!(long(3000))),
            text("initial_value", json!(long(3001))),
            "/view/blocks/0/element/initial_value",
        ),
        (text("initial_value", json!("")), text("initial_value", json!(7)), "must be a string"),
        (text("max_length", json!(3000)), text("max_length", json!(3001)), "must be between 1 and 3000"),
        (text("min_length", json!(0)), text("min_length", json!(3001)), "must be between 0 and 3000"),
    ]
}

#[tokio::test]
async fn a_trigger_lives_three_seconds_and_works_once() {
    let world = World::new().await;
    let open = |trigger: String, view: Value| json!({ "trigger_id": trigger, "view": view });
    let trigger = world.slack.command("U0ANA", CHANNEL, "").await.unwrap().trigger_id;
    world.pass_ms(3_000);
    world.done("views.open", open(trigger.clone(), with(modal(), "external_id", json!("one")))).await;
    assert_eq!(world.refused("views.open", open(trigger, modal())).await, "exchanged_trigger_id");
    let late = world.slack.command("U0BEA", CHANNEL, "").await.unwrap().trigger_id;
    world.pass_ms(3_001);
    assert_eq!(world.refused("views.open", open(late, modal())).await, "expired_trigger_id");
    assert_eq!(world.refused("views.open", open("1.2.3".to_owned(), modal())).await, "invalid_trigger_id");
    let other = world.slack.command("U0BEA", CHANNEL, "").await.unwrap().trigger_id;
    let same = open(other, with(modal(), "external_id", json!("one")));
    assert_eq!(world.refused("views.open", same).await, "duplicate_external_id");
}
