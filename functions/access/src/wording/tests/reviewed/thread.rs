//! The steps of a request: in the thread of its card, and in `/jit show`.

use super::samples::*;
use super::*;
use crate::lifecycle::Plan;

/// Everything that can happen to a request.
fn kinds() -> Vec<EventKind> {
    let plan: Plan = serde_json::from_value(json!([
        {"nsg": nsg_id("Contoso-NSG"), "priority": 499}, {"nsg": nsg_id("VM3-nsg"), "priority": 498},
    ]))
    .unwrap();
    every!(EventKind {
        EventKind::Asked { .. } => [EventKind::Asked { by: ana() }],
        EventKind::Addressed { .. } => [EventKind::Addressed { source: "203.0.113.7".parse().unwrap() }],
        EventKind::Approved { .. } => [
            EventKind::Approved { by: bea(), approvals: 1, needed: 1 },
            EventKind::Approved { by: bea(), approvals: 1, needed: 2 },
        ],
        EventKind::BrokeGlass { .. } => [EventKind::BrokeGlass { by: ana() }],
        EventKind::MovedAlone { .. } => [EventKind::MovedAlone { by: ana() }],
        EventKind::Planned { .. } => [EventKind::Planned { plan }],
        EventKind::Delayed { .. } => [EventKind::Delayed { until: at(APPROVED + 120) }],
        EventKind::Opened => [EventKind::Opened],
        EventKind::Closing { .. } => [
            EventKind::Closing { cause: Cause::Expired },
            EventKind::Closing { cause: Cause::Revoked { by: ana() } },
            EventKind::Closing { cause: Cause::Altered },
        ],
        EventKind::NotYetShut { .. } => [
            EventKind::NotYetShut { ends: vec![RuleEnd::Standing] },
            EventKind::NotYetShut { ends: vec![RuleEnd::Locked, RuleEnd::Gone] },
        ],
        EventKind::Neutralised { .. } => [
            EventKind::Neutralised { ends: vec![RuleEnd::Denied] },
            EventKind::Neutralised { ends: vec![RuleEnd::Denied, RuleEnd::Gone] },
        ],
        EventKind::Closed { .. } => [
            EventKind::Closed { closure: Closure::Lapsed },
            EventKind::Closed { closure: Closure::Cancelled },
            EventKind::Closed { closure: Closure::Denied { by: bea(), reason: Some("The audit".parse().unwrap()) } },
            EventKind::Closed { closure: Closure::Denied { by: bea(), reason: None } },
            EventKind::Closed { closure: Closure::Disowned { by: bea() } },
            EventKind::Closed { closure: Closure::Ended(Cause::Expired) },
        ],
        EventKind::LateRuleRemoved => [EventKind::LateRuleRemoved],
        EventKind::LateRuleLocked { .. } => [EventKind::LateRuleLocked { ends: vec![RuleEnd::Locked] }],
        EventKind::Settled => [EventKind::Settled],
    })
}

/// These, a minute apart.
fn events(kinds: Vec<EventKind>) -> Vec<Event> {
    (0..).zip(kinds).map(|(minute, kind)| Event { at: at(ASKED + 60 * minute), kind }).collect()
}

pub(super) fn fill(album: &mut Album) {
    let installation = installation();
    let shut = closed(&Closure::Ended(Cause::Expired), &json!({"shut": {"by": "DenyAllInBound"}}));
    let of_life = events(vec![
        EventKind::Asked { by: ana() },
        EventKind::Approved { by: bea(), approvals: 1, needed: 1 },
        EventKind::Opened,
        EventKind::Closing { cause: Cause::Expired },
        EventKind::Closed { closure: Closure::Ended(Cause::Expired) },
    ]);
    let told = |record: &Record, steps: &[Event]| super::super::thread(record, steps, &installation);
    let open = record(&json!({"status": "OPEN"}));
    album.maybe("in the thread, when it is open", told(&open, &of_life[..3]));
    album.maybe("in the thread, when it is shut", told(&record(&shut), &of_life[3..]));
    album.maybe("in the thread of a break-glass, when it is open", {
        let steps = events(vec![
            EventKind::Asked { by: ana() },
            EventKind::BrokeGlass { by: ana() },
            EventKind::Opened,
        ]);
        told(&glass(&json!({"status": "OPEN"})), &steps)
    });
    for cause in super::reasons::causes() {
        let steps = events(vec![EventKind::Closing { cause: cause.clone() }]);
        let said = told(&record(&closing(&cause, &json!({}))), &steps).unwrap();
        let kind = format!("{cause:?}");
        album.message(
            &format!("in the thread, why it ends: {}", kind.split([' ', '(']).next().unwrap()),
            &said,
        );
    }
    let all = events(kinds());
    let step = |event: &Event| format!("{}: {}", event.at, step_of(&event.kind, Means::Approval));
    album.words("each step, as `/jit show` tells it", &all.iter().map(step).collect::<Vec<_>>().join("\n"));
    album.maybe("each step, as the thread tells it", told(&record(&shut), &all));
    let first = step_of(&EventKind::Asked { by: ana() }, Means::BreakGlass);
    album.words("the first step of a break-glass", &first);
    album.maybe("a plan and a delay alone are told on the card only", told(&open, &events(kinds())[6..8]));
}
