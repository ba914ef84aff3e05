use super::*;
use crate::signature::{SigningSecret, verify_at_any_time};
use proptest::prelude::*;
use serde_json::json;

const VALUE: &str = "7F3K9-QXM2P.0123abc";

fn parse(body: &[u8]) -> Result<Click, ClickError> {
    let secret = SigningSecret::new("s");
    let signature = secret.sign("1", body);
    let verified = verify_at_any_time(&secret, "1", &signature, body).unwrap();
    let app = App { team_id: "T0CONTOSO".to_owned(), app_id: "A0AJAR".to_owned() };
    Click::parse(&verified, &app)
}

fn of(payload: &Value) -> Result<Click, ClickError> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    parse(form.append_pair("payload", &payload.to_string()).finish().as_bytes())
}

/// As Slack sends a click on a button of a message in a channel.
fn message() -> Value {
    json!({
        "type": "block_actions", "api_app_id": "A0AJAR", "trigger_id": "1.2.3", "token": "deprecated",
        "user": {"id": "U0BEA", "username": "bea", "team_id": "T0CONTOSO"},
        "team": {"id": "T0CONTOSO", "domain": "contoso"}, "enterprise": null, "is_enterprise_install": false,
        "container": {"type": "message", "message_ts": "1.2", "channel_id": "C0JIT", "is_ephemeral": false},
        "channel": {"id": "C0JIT", "name": "jit-access"}, "message": {"ts": "1.2", "text": "…"},
        "state": {"values": {}}, "response_url": "https://hooks.slack.com/actions/T/1/x",
        "actions": [{
            "type": "button", "action_id": "deny", "block_id": "decide", "value": VALUE, "action_ts": "1.3",
            "text": {"type": "plain_text", "text": "Deny", "emoji": false},
        }],
    })
}

#[test]
fn a_click_on_a_message() {
    let click = of(&message()).unwrap();
    assert_eq!(click.user.as_str(), "U0BEA");
    assert_eq!(click.action, Action::Deny);
    assert_eq!(click.request.to_string(), "7F3K9-QXM2P");
    assert_eq!(click.terms, "0123abc");
    assert_eq!(click.response_url.as_deref(), Some("https://hooks.slack.com/actions/T/1/x"));
}

#[test]
fn a_value_tells_on_which_card_the_button_is_and_one_of_before_does_not() {
    let read = |value: &str| {
        let mut payload = message();
        payload["actions"][0]["value"] = json!(value);
        of(&payload).map(|click| (click.terms, click.card))
    };
    assert_eq!(read(VALUE), Ok(("0123abc".to_owned(), None)));
    assert_eq!(read(&value_on_card(VALUE, 12)), Ok(("0123abc".to_owned(), Some(12))));
    for value in [
        "7F3K9-QXM2P.0123abc.",
        "7F3K9-QXM2P.0123abc.01",
        "7F3K9-QXM2P.0123abc.-1",
        "7F3K9-QXM2P.0123abc.1.2",
    ] {
        assert_eq!(read(value), Err(ClickError::Button), "{value}");
    }
}

#[test]
fn an_app_that_an_organisation_installed() {
    let mut payload = message();
    payload["team"] = Value::Null;
    payload["enterprise"] = json!({"id": "T0CONTOSO", "name": "Contoso"});
    payload["user"] = json!({"id": "W0BEA", "team_id": "E0CONTOSO"});
    assert_eq!(of(&payload).unwrap().user.as_str(), "W0BEA");
    payload["enterprise"] = json!({"id": "E0OTHER"});
    assert_eq!(of(&payload), Err(ClickError::App));
}

#[test]
fn what_people_read_lacks_the_secrets_and_nothing_else() {
    let mut payload = message();
    payload["container"]["response_urls"] = json!([{"response_url": "https://hooks.slack.com/x"}]);
    let mut form = form_urlencoded::Serializer::new(String::new());
    let body = form.append_pair("payload", &payload.to_string()).finish();
    let mut expected = message();
    for secret in ["token", "response_url", "trigger_id"] {
        expected.as_object_mut().unwrap().remove(secret).unwrap();
    }
    assert_eq!(readable(&body), expected);
    for none in ["", "payload=", "payload=junk", "text=VM3"] {
        assert_eq!(readable(none), Value::Null, "{none}");
    }
}

#[test]
fn boxes_and_their_button() {
    let ticking = |payload: &Value| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let body = form.append_pair("payload", &payload.to_string()).finish();
        let secret = SigningSecret::new("s");
        let signature = secret.sign("1", body.as_bytes());
        let verified = verify_at_any_time(&secret, "1", &signature, body.as_bytes()).unwrap();
        let app = App { team_id: "T0CONTOSO".to_owned(), app_id: "A0AJAR".to_owned() };
        Ticking::parse(&verified, &app)
    };
    assert_eq!(ticking(&message()), Err(ClickError::Button), "another button");
    let mut payload = message();
    payload["actions"] =
        json!([{"type": "checkboxes", "action_id": BOXES, "block_id": BOXES, "selected_options": []}]);
    assert_eq!(ticking(&payload), Ok(Ticking::Box));
    assert_eq!(of(&payload), Err(ClickError::Button));
    payload["actions"] = json!([{"type": "button", "action_id": ENABLE_TICKED, "block_id": ENABLE_TICKED}]);
    let pressed = |boxes: &[&str]| {
        Ok(Ticking::Pressed(Ticked {
            user: "U0BEA".parse().unwrap(),
            boxes: boxes.iter().map(|one| (*one).to_owned()).collect(),
            trigger_id: "1.2.3".to_owned(),
            response_url: Some("https://hooks.slack.com/actions/T/1/x".to_owned()),
        }))
    };
    for nothing in [
        json!(null),
        json!({}),
        json!({"values": []}),
        json!({"values": {BOXES: {BOXES: {"selected_options": 1}}}}),
    ] {
        payload["state"] = nothing;
        assert_eq!(ticking(&payload), pressed(&[]));
    }
    payload["state"]["values"] =
        json!({BOXES: {BOXES: {"selected_options": [{"value": "a"}, {}, {"value": "b"}]}}});
    assert_eq!(ticking(&payload), pressed(&["a", "b"]));
    payload["api_app_id"] = json!("A0OTHER");
    assert_eq!(ticking(&payload), Err(ClickError::App));
    let one: ResourceId = "/subscriptions/S/resourceGroups/g/x/VM1".parse().unwrap();
    let same: ResourceId = "/subscriptions/s/resourcegroups/G/x/vm1".parse().unwrap();
    assert_eq!((box_of(&one), box_of(&one).len()), (box_of(&same), 64));
}

#[test]
fn bytes_that_are_not_text_are_no_click() {
    let mut body = b"junk=\xFF&payload=".to_vec();
    body.extend(form_urlencoded::byte_serialize(message().to_string().as_bytes()).flat_map(str::bytes));
    assert_eq!(parse(&body), Err(ClickError::Body));
    body[5] = b'x';
    assert!(parse(&body).is_ok());
}

proptest! {
    #[test]
    fn junk_is_no_click(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(parse(&body), Err(ClickError::Body));
    }

    #[test]
    fn only_our_values_are_read(value in "\\PC{0,40}|7F3K9-QXM2P\\.[0-9a-f]{1,4}(\\.[0-9+]{0,3}){0,2}") {
        let mut payload = message();
        payload["actions"][0]["value"] = json!(value);
        match of(&payload) {
            Ok(click) => {
                let read = format!("{}.{}", click.request, click.terms);
                prop_assert_eq!(click.card.map_or(read.clone(), |card| value_on_card(&read, card)), value);
            }
            Err(why) => prop_assert_eq!(why, ClickError::Button),
        }
    }
}
