//! What its requester has moved without approval.

use super::*;

/// When the requester clicks.
const MOVED: u64 = CLICKED + 600;

fn old(set: &Value) -> Value {
    let mut all = json!({"machine": "VM4"});
    all.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
    approved(&all, &[("U0BEA", CLICKED)])
}

/// What this person has moved with this button, where these fields are changed before the click.
fn new(set: &Value, by: &str, action: &str) -> Value {
    let mut all = json!({
        "machine": "VM4", "id": "9ABCD-EFGHJ", "own_move": true, "source": "203.0.113.99", "ttl_minutes": 20,
        "asked_at": MOVED - 60, "lapses_at": MOVED + 840, "approved_at": MOVED,
        "moves": {"grant": "7F3K9-QXM2P", "from": "203.0.113.7", "until": CLICKED + 1800},
    });
    all.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
    let mut parts = parts(&all);
    let mut payload = payload(by, &parts);
    payload["actions"][0]["action_id"] = json!(action);
    parts["approvals"] = json!([approval(by, &payload, MOVED)]);
    parts
}

fn own(set: &Value) -> Value {
    new(set, "U0ANA", "move")
}

fn changed(mut parts: Value, field: &str, value: Value) -> Value {
    parts[field] = value;
    parts
}

fn judged(new: Value, moved: Vec<Value>, now: u64) -> Result<(), Unproven> {
    let new = record(new);
    let moved: Vec<Record> = moved.into_iter().map(record).collect();
    let moved: Vec<&Granted> = moved.iter().map(|old| old.granted().unwrap()).collect();
    judged_record(&new, &moved, now, &[])
}

#[test]
fn it_is_its_requesters_own_click_and_what_others_have_approved() {
    assert_eq!(judged(own(&json!({})), vec![old(&json!({}))], MOVED + 900), Ok(()));
    // On and on, within the same range.
    let next = own(&json!({
        "id": "5ABCD-EFGHJ", "source": "203.0.113.50",
        "moves": {"grant": "9ABCD-EFGHJ", "from": "203.0.113.99", "until": CLICKED + 1800},
    }));
    assert_eq!(judged(next.clone(), vec![own(&json!({})), old(&json!({}))], MOVED), Ok(()));
    let without_root = Unproven::Moved(Box::new(Unproven::NothingMoved));
    assert_eq!(judged(next, vec![own(&json!({}))], MOVED), Err(without_root));
}

#[test]
fn each_thing_that_a_move_does_not_prove_has_its_name() {
    let of_old = |why: Unproven| Unproven::Moved(Box::new(why));
    let not_entitled = Unproven::NotEntitled { user: "U0EVE".parse().unwrap() };
    let by_eve = approved(&json!({"machine": "VM4"}), &[("U0EVE", CLICKED)]);
    let mut unsigned = old(&json!({}));
    unsigned["approvals"][0]["click"]["signature"] = json!(format!("v0={}", "0".repeat(64)));
    let glass = broken(&json!({"machine": "VM4"}), "U0ANA", "break_glass", CLICKED);
    let outside = |allowed: &str| {
        Unproven::Policy(NotAllowed::Source {
            rule: "three".to_owned(),
            source_prefix: allowed.parse().unwrap(),
            allowed: vec!["203.0.113.0/24".parse().unwrap(), "198.51.100.0/24".parse().unwrap()],
        })
    };
    let longer = json!({"grant": "7F3K9-QXM2P", "from": "203.0.113.7", "until": CLICKED + 3600});
    let none: fn() -> Vec<Value> = Vec::new;
    for (new, moved, expected) in [
        // The click.
        (new(&json!({}), "U0ANA", "approve"), vec![old(&json!({}))], Unproven::NotMove),
        (new(&json!({}), "U0ANA", "break_glass"), vec![old(&json!({}))], Unproven::NotMove),
        (new(&json!({}), "U0BEA", "move"), vec![old(&json!({}))], Unproven::OtherPerson),
        (changed(own(&json!({})), "approvals", json!([])), vec![old(&json!({}))], Unproven::NotMove),
        (
            changed(own(&json!({})), "source", json!("203.0.113.8")),
            vec![old(&json!({}))],
            Unproven::OtherTerms,
        ),
        (changed(own(&json!({})), "moves", longer.clone()), vec![old(&json!({}))], Unproven::OtherTerms),
        (changed(own(&json!({})), "own_move", json!(false)), none(), Unproven::NotApprove),
        // Where to.
        (own(&json!({"source": "198.51.100.9"})), vec![old(&json!({}))], Unproven::OtherRange),
        (own(&json!({"source": "203.0.113.0/28"})), vec![old(&json!({}))], Unproven::OtherRange),
        (own(&json!({"source": "192.0.2.1"})), vec![old(&json!({}))], outside("192.0.2.1")),
        (own(&json!({"machine": "VM3"})), vec![old(&json!({"machine": "VM3"}))], Unproven::OtherRange),
        // What it moves.
        (own(&json!({})), none(), Unproven::NothingMoved),
        (own(&json!({})), vec![old(&json!({"id": "5ABCD-EFGHJ"}))], Unproven::NothingMoved),
        (own(&json!({})), vec![old(&json!({"source": "203.0.113.8"}))], Unproven::NothingMoved),
        (own(&json!({})), vec![old(&json!({"requester": "U0DAN"}))], Unproven::NothingMoved),
        (own(&json!({})), vec![old(&json!({"ports": [3389]}))], Unproven::NothingMoved),
        (own(&json!({})), vec![old(&json!({"protocol": "udp"}))], Unproven::NothingMoved),
        (own(&json!({})), vec![old(&json!({"machine": "VM3"}))], Unproven::NothingMoved),
        (own(&json!({})), vec![glass], of_old(Unproven::NothingMoved)),
        // And whether that was approved, until then.
        (own(&json!({})), vec![by_eve], of_old(not_entitled)),
        (own(&json!({})), vec![unsigned], of_old(Unproven::Signature)),
        (
            own(&json!({})),
            vec![changed(old(&json!({})), "approvals", json!([]))],
            of_old(Unproven::TooFew { got: 0, needed: 1 }),
        ),
        (
            own(&json!({"moves": longer})),
            vec![changed(old(&json!({})), "expires_at", json!(CLICKED + 3600))],
            of_old(Unproven::EndsTooLate),
        ),
        (
            changed(own(&json!({})), "expires_at", json!(CLICKED + 1801)),
            vec![old(&json!({}))],
            Unproven::EndsTooLate,
        ),
    ] {
        assert_eq!(judged(new.clone(), moved, MOVED), Err(expected), "{new}");
    }
    assert_eq!(judged(own(&json!({})), vec![old(&json!({}))], MOVED + 901), Err(Unproven::TooOld));
}

/// Others approve what ends when the old one would have, and not later.
#[test]
fn an_approved_move_ends_no_later_than_what_it_moves() {
    let moves = json!({"grant": "5ABCD-EFGHJ", "from": "203.0.113.8", "until": CLICKED + 600});
    let approved_until = |end: u64| {
        let set = json!({"moves": moves.clone(), "expires_at": end});
        super::judged(approved(&set, &[("U0BEA", CLICKED)]), CLICKED)
    };
    assert_eq!(approved_until(CLICKED + 600), Ok(()));
    assert_eq!(approved_until(CLICKED + 601), Err(Unproven::EndsTooLate));
    let later = changed(approved(&json!({}), &[("U0BEA", CLICKED)]), "moves", moves);
    assert_eq!(super::judged(later, CLICKED), Err(Unproven::OtherTerms), "nobody clicked on a move");
}
