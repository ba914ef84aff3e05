//! The card of a request, in every state in which it can be.

use super::samples::*;
use super::*;
use crate::lifecycle::{Obstacle, Proof, State};
use std::collections::BTreeSet;

/// What every state looks like, by whatever its card hangs on.
fn states() -> Vec<(&'static str, Record)> {
    let retry = json!({"status": "APPROVED", "retry_at": APPROVED + 120});
    let opening = json!({"status": "OPENING"});
    let open = json!({"status": "OPEN"});
    let shut_already = json!({"status": "OPENING", "plan": [
        {"nsg": nsg_id("Contoso-NSG"), "priority": 499, "open_by": "allow-ssh"},
        {"nsg": nsg_id("VM3-nsg"), "priority": 498, "open_by": "allow-all"},
    ]});
    let unconfirmed = json!({
        "status": "OPEN", "ports": [22, 3389], "source": "203.0.113.0/28",
        "open_proof": {"decided_by": ["jit-lab-7F3K9-QXM2P", "allow-ssh"], "confirmed": false},
    });
    let prefix = json!({"status": "OPEN", "source": "203.0.113.0/28"});
    vec![
        ("waiting", record(&json!({"status": "PENDING"}))),
        ("waiting, for a wide range and several ports, without a reason", {
            record(
                &json!({"status": "PENDING", "source": "203.0.113.0/28", "ports": [22, 3389], "justification": null}),
            )
        }),
        ("a break-glass whose button was not pressed", glass(&json!({"status": "PENDING"}))),
        ("approved", record(&json!({"status": "APPROVED"}))),
        ("approved, Azure takes no changes", record(&retry)),
        ("a break-glass, being checked", glass(&json!({"status": "APPROVED"}))),
        ("opening", record(&opening)),
        ("a break-glass, opening", glass(&opening)),
        ("opening what was open to everyone already", record(&shut_already)),
        ("open, as Azure's own check says too", record(&open)),
        ("open, by the rules alone, of which one of others decides", record(&unconfirmed)),
        ("open to a range, of which Azure was asked about one address", record(&prefix)),
        ("a break-glass, open", glass(&open)),
        ("a move, waiting", record(&moving(&json!({"status": "PENDING"})))),
        ("a move whose button was not pressed", record(&own_move(&json!({"status": "PENDING"})))),
        ("a move, open", record(&moving(&open))),
        ("a move by a click of one's own, open", record(&own_move(&open))),
    ]
}

/// Closing, by what is in the way.
fn closing_states() -> Vec<(&'static str, Record, u64)> {
    let on_its_way = closing(&Cause::Expired, &json!({}));
    let with = |obstacle: &Obstacle, ends: [RuleEnd; 2], retry: u64| {
        let set = json!({"obstacle": obstacle, "ends": ends, "tries": 3, "retry_at": EXPIRES + retry});
        record(&closing(&Cause::Expired, &set))
    };
    let obstacles = every!(Obstacle {
        Obstacle::Lock => [Obstacle::Lock],
        Obstacle::Refused { .. } => [Obstacle::Refused { code: "AuthorizationFailed".to_owned() }],
        Obstacle::Unfinished => [Obstacle::Unfinished],
        Obstacle::Unseen => [Obstacle::Unseen],
    });
    let mut all = vec![
        ("closing", record(&on_its_way), EXPIRES + 2),
        ("a break-glass, closing", glass(&on_its_way), EXPIRES + 2),
        (
            "closing for ten minutes, and Azure takes no changes",
            { with(&Obstacle::Unfinished, [RuleEnd::Standing; 2], 900) },
            EXPIRES + 600,
        ),
    ];
    for obstacle in &obstacles {
        let (late, denied) = match obstacle {
            Obstacle::Lock => ("late, because of a lock", "denied, because of a lock"),
            Obstacle::Refused { .. } => {
                ("late, because Azure refuses", "denied, because Azure refuses to remove it")
            }
            Obstacle::Unfinished => {
                ("late, because Azure does not finish", "denied, and Azure does not finish")
            }
            Obstacle::Unseen => ("late, and Azure does not answer", "denied, and Azure does not answer"),
        };
        all.push((late, with(obstacle, [RuleEnd::Standing, RuleEnd::Locked], 600), EXPIRES + 600));
        all.push((denied, with(obstacle, [RuleEnd::Denied, RuleEnd::Gone], 3_600), EXPIRES + 600));
    }
    all
}

/// Closed, by how and with what proof.
fn closed_states() -> Vec<(&'static str, Record, u64)> {
    let reason = Some("The audit runs until Friday".parse().unwrap());
    let closures = every!(Closure {
        Closure::Lapsed => [Closure::Lapsed],
        Closure::Cancelled => [Closure::Cancelled],
        Closure::Denied { .. } => [Closure::Denied { by: bea(), reason }, Closure::Denied { by: bea(), reason: None }],
        Closure::Disowned { .. } => [Closure::Disowned { by: bea() }],
        Closure::Ended(_) => [Closure::Ended(Cause::Expired)],
    });
    let mut all = vec![];
    for closure in &closures {
        let (title, record) = match closure {
            Closure::Lapsed => ("lapsed", record(&never(closure))),
            Closure::Cancelled => ("taken back", record(&never(closure))),
            Closure::Denied { reason: Some(_), .. } => ("denied, with a reason", record(&never(closure))),
            Closure::Denied { reason: None, .. } => {
                ("denied by a disabling, which asks for no reason", record(&never(closure)))
            }
            Closure::Disowned { .. } => ("not approved by who seemed to have", record(&never(closure))),
            Closure::Ended(_) => (
                "not opened",
                record(&closed(&Closure::Ended(Cause::Failed(Failure::NoAnswer)), &Value::Null)),
            ),
        };
        all.push((title, record, CLOSED + 2));
    }
    let proofs = every!(Proof {
        Proof::Shut { .. } => [
            Proof::Shut { by: "DenyAllInBound".to_owned(), confirmed: true },
            Proof::Shut { by: "DenyAllInBound".to_owned(), confirmed: false },
        ],
        Proof::StillOpen { .. } => [Proof::StillOpen { by: "allow-ssh".to_owned() }],
        Proof::Unclear => [Proof::Unclear],
    });
    for proof in &proofs {
        let (now, later) = match proof {
            Proof::Shut { confirmed: true, .. } => {
                ("shut, as Azure's own check says too", "the same, told later")
            }
            Proof::Shut { confirmed: false, .. } => ("shut, by the rules alone", "that, told later"),
            Proof::StillOpen { .. } => {
                ("ended, and another rule lets in", "the same, told later than at once")
            }
            Proof::Unclear => ("ended, and the rules cannot be judged", "the same, told after a while"),
        };
        let ended = closed(&Closure::Ended(Cause::Expired), &json!(proof));
        all.push((now, record(&ended), CLOSED + 2));
        all.push((later, record(&ended), CLOSED + 60));
    }
    let mut late = closed(&Closure::Ended(Cause::Expired), &json!({"shut": {"by": "DenyAllInBound"}}));
    late["late"] = json!([RuleEnd::Locked, RuleEnd::Gone]);
    all.push(("shut, and a delayed write brought the rule back", record(&late), CLOSED + 600));
    late["late"] = json!([RuleEnd::Denied, RuleEnd::Gone]);
    all.push(("shut, and the rule that came back denies", record(&late), CLOSED + 600));
    let shut =
        closed(&Closure::Ended(Cause::Revoked { by: ana() }), &json!({"shut": {"by": "DenyAllInBound"}}));
    all.push(("a break-glass, ended early", glass(&shut), CLOSED + 2));
    all
}

pub(super) fn fill(album: &mut Album) {
    let (policy, strict, installation) = (policy(), strict(), installation());
    let seen = machine("VM3", &json!({}));
    let mut all: Vec<(&str, Record, u64)> = vec![];
    all.extend(states().into_iter().map(|(title, record)| (title, record, APPROVED + 30)));
    all.push(("open, when its time is over", record(&json!({"status": "OPEN"})), EXPIRES + 1));
    all.extend(closing_states());
    all.extend(closed_states());
    let draft = record(&json!({"status": "DRAFT", "source": null}));
    assert_eq!(card(&draft, None, None, &installation, at(ASKED)), None, "only its requester knows of it");
    // Each state is there; a new one does not compile.
    let state = |record: &Record| match record.state() {
        State::Draft(_) => "draft",
        State::Pending(_) => "pending",
        State::Approved(_) => "approved",
        State::Opening(_) => "opening",
        State::Open(_) => "open",
        State::Closing(_) => "closing",
        State::Closed(_) => "closed",
    };
    let there: BTreeSet<&str> = all.iter().map(|(_, record, _)| state(record)).collect();
    let expected = ["approved", "closed", "closing", "open", "opening", "pending"];
    assert_eq!(there, expected.into_iter().collect());
    // Blocks differ by what a card has: to be decided, to be ended, or neither.
    let whole = ["waiting", "open, as Azure's own check says too", "a break-glass, open", "lapsed"];
    for (title, record, now) in &all {
        let card =
            card(record, Some(rule(&policy)), Some(&seen), &installation, at(*now)).unwrap().numbered(1);
        if whole.contains(title) { album.message(title, &card) } else { album.in_short(title, &card) }
    }
    let first =
        json!([{"by": "U0BEA", "at": APPROVED, "click": {"body": "", "timestamp": "", "signature": ""}}]);
    let half = record(&json!({"status": "PENDING", "needed": 2, "approvals": first}));
    let card_of = |seen| card(&half, Some(rule(&strict)), seen, &installation, at(APPROVED + 30)).unwrap();
    album.in_short("waiting, one of two has approved", &card_of(Some(&seen)));
    album.in_short("waiting, and the list has lost the machine", &card_of(None));
    let nobody =
        card(&record(&json!({"status": "PENDING"})), None, Some(&seen), &installation, at(ASKED)).unwrap();
    album.in_short("waiting, and no rule of the policy is about it any more", &nobody);
    let text = card_of(None).shortened();
    album.words("what is sent where Slack does not take a card as it was made", &text);
}
