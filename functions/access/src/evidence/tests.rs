use super::*;
use crate::click::{ClickError, button_value};
use crate::lifecycle::{Parts, Record};
use crate::signature::{SigningKeys, SigningSecret};
use proptest::prelude::*;
use serde_json::{Value, json};

mod moving;

const POLICY: &str = r#"
channel = "C0JIT"
[[rules]]
name = "production"
machines = ["*"]
tags = { env = "prod*" }
requesters = ["*"]
approvers = ["U0CHRIS"]
ports = [22]
[[rules]]
name = "one"
machines = ["VM3"]
requesters = ["*"]
approvers = ["U0BEA", "U0CHRIS", "S0ONCALL"]
break_glass = ["U0ANA", "S0ONCALL"]
ports = [22, 3389]
[[rules]]
name = "two"
machines = ["VM2"]
requesters = ["*"]
approvers = ["U0BEA", "U0CHRIS"]
ports = [22]
approvals = 2
[[rules]]
name = "three"
machines = ["VM4"]
requesters = ["*"]
approvers = ["U0BEA"]
break_glass = ["U0ANA"]
ports = [22, 3389]
sources = ["203.0.113.0/24", "198.51.100.0/24"]
move_without_approval = true
"#;

/// When the deciding click was signed.
const CLICKED: u64 = 10_000;

fn secret() -> SigningSecret {
    SigningSecret::new("5a11d0b0c5e8f2a94f1d7c3b6e0a2d48")
}

/// An approved request, with these fields changed, and without clicks.
fn parts(set: &Value) -> Value {
    let name = set["machine"].as_str().unwrap_or("VM3");
    let resource_id =
        format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/{name}");
    let mut parts = json!({
        "id": "7F3K9-QXM2P", "hash": "0".repeat(64), "version": 2, "status": "APPROVED", "changed_at": CLICKED,
        "requester": "U0ANA", "protocol": "tcp", "ports": [22], "ttl_minutes": 30, "asked_at": CLICKED - 60,
        "lapses_at": CLICKED + 3540, "needed": 1, "source": "203.0.113.7", "approved_at": CLICKED,
        "expires_at": CLICKED + 1800, "approvals": [],
        "vm": {"name": name, "private_address": "10.0.0.6", "resource_id": resource_id},
    });
    for (field, value) in set.as_object().into_iter().flatten().filter(|(field, _)| *field != "machine") {
        parts[field] = value.clone();
    }
    parts
}

fn record(parts: Value) -> Record {
    Record::from_parts(serde_json::from_value::<Parts>(parts).unwrap()).unwrap()
}

/// The payload of a click on Approve for these terms.
fn payload(user: &str, parts: &Value) -> Value {
    let record = record(parts.clone());
    let ask = record.ask().unwrap();
    json!({
        "type": "block_actions", "team": {"id": "T0CONTOSO"}, "api_app_id": "A0AJAR", "user": {"id": user},
        "actions": [{"action_id": "approve", "value": button_value(ask.wish.id, &TermsDigest::of(ask))}],
    })
}

/// An approval by `by` that rests on this payload, signed at `at`.
fn approval(by: &str, payload: &Value, at: u64) -> Value {
    let body: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
    let signature = secret().sign(&at.to_string(), body.as_bytes());
    json!({"by": by, "at": at, "click": {"body": body, "timestamp": at.to_string(), "signature": signature}})
}

fn judged(parts: Value, now: u64) -> Result<(), Unproven> {
    judged_with(parts, now, &[])
}

/// Where Azure says that the machine has these tags.
fn judged_with(parts: Value, now: u64, tags: &[(&str, &str)]) -> Result<(), Unproven> {
    judged_record(&record(parts), &[], now, tags)
}

fn judged_record(
    record: &Record,
    moved: &[&Granted],
    now: u64,
    tags: &[(&str, &str)],
) -> Result<(), Unproven> {
    let policy = Policy::parse(POLICY).unwrap();
    let tags = || tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let app = App { team_id: "T0CONTOSO".to_owned(), app_id: "A0AJAR".to_owned() };
    let mut groups = Groups::default();
    groups.insert("S0ONCALL".to_owned(), ["U0DAN".parse().unwrap()].into());
    let (keys, tags) = (SigningKeys::new(secret(), vec![]), TagsNow::said(tags()));
    let judge = Judge { policy: &policy, tags: &tags, groups: &groups };
    let proven = super::proven(record.granted().unwrap(), moved, &keys, &app)?;
    proven.judge(&judge, Timestamp::from_unix(now))
}

/// Approved by these people at these times.
fn approved(set: &Value, by: &[(&str, u64)]) -> Value {
    let mut parts = parts(set);
    let approvals: Vec<Value> =
        by.iter().map(|(user, at)| approval(user, &payload(user, &parts), *at)).collect();
    parts["approvals"] = json!(approvals);
    parts
}

/// The one click of Bea, with this changed in its payload.
fn clicked(path: &str, value: Value) -> Value {
    let mut parts = parts(&json!({}));
    let mut payload = payload("U0BEA", &parts);
    *payload.pointer_mut(path).unwrap() = value;
    parts["approvals"] = json!([approval("U0BEA", &payload, CLICKED)]);
    parts
}

#[test]
fn good_clicks_prove() {
    assert_eq!(judged(approved(&json!({}), &[("U0BEA", CLICKED)]), CLICKED + 900), Ok(()));
    assert_eq!(judged(approved(&json!({}), &[("U0DAN", CLICKED)]), CLICKED), Ok(()), "of the user group");
    let two = json!({"machine": "VM2"});
    for clicks in
        [[("U0BEA", CLICKED - 3600), ("U0CHRIS", CLICKED)], [("U0CHRIS", CLICKED), ("U0BEA", CLICKED)]]
    {
        assert_eq!(judged(approved(&two, &clicks), CLICKED + 1), Ok(()));
    }
}

#[test]
fn the_tags_that_azure_says_choose_the_rule() {
    let by = |user: &str| approved(&json!({}), &[(user, CLICKED)]);
    let not_entitled = |user: &str| Err(Unproven::NotEntitled { user: user.parse().unwrap() });
    assert_eq!(judged_with(by("U0BEA"), CLICKED, &[("env", "test")]), Ok(()));
    assert_eq!(judged_with(by("U0BEA"), CLICKED, &[("Env", "production")]), not_entitled("U0BEA"));
    assert_eq!(judged_with(by("U0CHRIS"), CLICKED, &[("Env", "production")]), Ok(()));
}

/// A break-glass whose requester clicked on this button at that time.
fn broken(set: &Value, by: &str, action: &str, at: u64) -> Value {
    let mut all = json!({"break_glass": true, "justification": "the database is down"});
    all.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
    let mut parts = parts(&all);
    let mut payload = payload(by, &parts);
    payload["actions"][0]["action_id"] = json!(action);
    parts["approvals"] = json!([approval(by, &payload, at)]);
    parts
}

#[test]
fn a_break_glass_is_its_requesters_own_click() {
    let own = |set: Value| broken(&set, "U0ANA", "break_glass", CLICKED);
    assert_eq!(judged(own(json!({})), CLICKED + 900), Ok(()));
    let member = broken(&json!({"requester": "U0DAN"}), "U0DAN", "break_glass", CLICKED);
    assert_eq!(judged(member, CLICKED), Ok(()), "of the user group");
    let mut without_mark = own(json!({}));
    without_mark["break_glass"] = json!(false);
    let mut other_reason = own(json!({}));
    other_reason["justification"] = json!("patching");
    let mut none = own(json!({}));
    none["approvals"] = json!([]);
    let mut marked = approved(&json!({"justification": "patching"}), &[("U0BEA", CLICKED)]);
    marked["break_glass"] = json!(true);
    let rule = || "one".to_owned();
    let not_let = |rule: &str, user: &str| {
        Unproven::Policy(NotAllowed::BreakGlass { rule: rule.to_owned(), requester: user.parse().unwrap() })
    };
    let bea = |action: &str| broken(&json!({}), "U0BEA", action, CLICKED);
    let late = own(json!({"expires_at": CLICKED + 1801}));
    for (parts, after, expected) in [
        (without_mark, 0, Unproven::NotApprove),
        (broken(&json!({}), "U0ANA", "approve", CLICKED), 0, Unproven::NotBreakGlass),
        (bea("approve"), 0, Unproven::NotBreakGlass),
        (bea("break_glass"), 0, Unproven::OtherPerson),
        (marked, 0, Unproven::NotBreakGlass),
        (none, 0, Unproven::NotBreakGlass),
        (other_reason, 0, Unproven::OtherTerms),
        (
            own(json!({"justification": null})),
            0,
            Unproven::Policy(NotAllowed::Justification { rule: rule() }),
        ),
        (own(json!({"machine": "VM2"})), 0, not_let("two", "U0ANA")),
        (broken(&json!({"requester": "U0EVE"}), "U0EVE", "break_glass", CLICKED), 0, not_let("one", "U0EVE")),
        (own(json!({})), 901, Unproven::TooOld),
        (broken(&json!({}), "U0ANA", "break_glass", CLICKED + 301), 0, Unproven::TooOld),
        (late, 0, Unproven::EndsTooLate),
        (
            own(json!({"ports": [80]})),
            0,
            Unproven::Policy(NotAllowed::Port { rule: rule(), port: 80, offered: vec![22, 3389] }),
        ),
    ] {
        assert_eq!(judged(parts, CLICKED + after), Err(expected));
    }
}

#[test]
fn each_thing_that_is_not_proven_has_its_name() {
    let bea = |set: Value| approved(&set, &[("U0BEA", CLICKED)]);
    let two = |clicks: &[(&str, u64)]| approved(&json!({"machine": "VM2"}), clicks);
    let mut unsigned = bea(json!({}));
    unsigned["approvals"][0]["click"]["signature"] = json!(format!("v0={}", "0".repeat(64)));
    let mut redated = bea(json!({}));
    redated["approvals"][0]["click"]["timestamp"] = json!((CLICKED + 1).to_string());
    let mut renamed = bea(json!({}));
    renamed["approvals"][0]["by"] = json!("U0CHRIS");
    let digest = "0".repeat(64);
    let late = |set: Value| {
        let mut parts = bea(json!({}));
        parts["expires_at"] = set;
        parts
    };
    let eve = "U0EVE".parse().unwrap();
    for (parts, after, expected) in [
        (unsigned, 0, Unproven::Signature),
        (redated, 0, Unproven::Signature),
        (clicked("/team/id", json!("T0OTHER")), 0, Unproven::Click(ClickError::App)),
        (clicked("/type", json!("view_submission")), 0, Unproven::Click(ClickError::Kind)),
        (clicked("/actions/0/action_id", json!("deny")), 0, Unproven::NotApprove),
        (clicked("/actions/0/value", json!(format!("00000-00000.{digest}"))), 0, Unproven::OtherRequest),
        (clicked("/actions/0/value", json!(format!("7F3K9-QXM2P.{digest}"))), 0, Unproven::OtherTerms),
        (renamed, 0, Unproven::OtherPerson),
        (approved(&json!({}), &[("U0EVE", CLICKED)]), 0, Unproven::NotEntitled { user: eve }),
        (bea(json!({"requester": "U0BEA"})), 0, Unproven::OwnRequest),
        (parts(&json!({})), 0, Unproven::TooFew { got: 0, needed: 1 }),
        (two(&[("U0BEA", CLICKED)]), 0, Unproven::TooFew { got: 1, needed: 2 }),
        (two(&[("U0BEA", CLICKED - 1), ("U0BEA", CLICKED)]), 0, Unproven::TooFew { got: 1, needed: 2 }),
        (two(&[("U0BEA", CLICKED - 3601), ("U0CHRIS", CLICKED)]), 0, Unproven::EarlierTooOld),
        (bea(json!({})), 901, Unproven::TooOld),
        (approved(&json!({}), &[("U0BEA", CLICKED + 301)]), 0, Unproven::TooOld),
        (late(json!(CLICKED + 1801)), 0, Unproven::EndsTooLate),
    ] {
        assert_eq!(judged(parts, CLICKED + after), Err(expected));
    }
    let not_offered = judged(bea(json!({"ports": [80]})), CLICKED);
    assert!(
        matches!(not_offered, Err(Unproven::Policy(NotAllowed::Port { port: 80, .. }))),
        "{not_offered:?}"
    );
}

#[test]
fn no_term_can_be_changed_after_the_click() {
    let good = approved(&json!({}), &[("U0BEA", CLICKED)]);
    let other = "/subscriptions/s/resourceGroups/h/providers/Microsoft.Compute/virtualMachines/VM3";
    for (field, value) in [
        ("/id", json!("00000-00000")),
        ("/requester", json!("U0EVE")),
        ("/vm/resource_id", json!(other)),
        ("/vm/private_address", json!("10.0.0.7")),
        ("/protocol", json!("udp")),
        ("/ports", json!([3389])),
        ("/ports", json!([22, 3389])),
        ("/source", json!("198.51.100.9")),
        ("/source", json!("203.0.113.0/28")),
        ("/ttl_minutes", json!(31)),
        ("/expires_at", json!(CLICKED + 1801)),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(field).unwrap() = value;
        assert!(judged(changed, CLICKED).is_err(), "{field}");
    }
}

proptest! {
    #[test]
    fn no_byte_of_a_click_can_be_changed(field in 0..3usize, at in any::<prop::sample::Index>(), new in "[0-9a-z%]") {
        let mut parts = approved(&json!({}), &[("U0BEA", CLICKED)]);
        let name = ["body", "timestamp", "signature"][field];
        let place = &mut parts["approvals"][0]["click"][name];
        let mut text = place.as_str().unwrap().to_owned();
        let index = at.index(text.len());
        prop_assume!(text[index..=index] != new);
        text.replace_range(index..=index, &new);
        *place = json!(text);
        prop_assert_eq!(judged(parts, CLICKED), Err(Unproven::Signature));
    }
}
