//! What one person is told directly.

use super::samples::*;
use super::*;

pub(super) fn fill(album: &mut Album) {
    let (policy, strict, installation) = (policy(), strict(), installation());
    let seen = machine("VM3", &json!({}));
    let open = record(&json!({"status": "OPEN"}));
    let said = |record: &Record, seen, now: u64| {
        crate::wording::direct(record, seen, &installation, at(now)).map(|(_, message)| message)
    };
    album.maybe("to the requester: it is open", said(&open, Some(&seen), APPROVED + 30));
    let windows = machine("VM3", &json!({"system": "windows"}));
    let desktop = record(&json!({"status": "OPEN", "ports": [3389]}));
    album.maybe("to the requester: a desktop is open", said(&desktop, Some(&windows), APPROVED + 30));
    album.maybe("its time is over and that is not seen yet", said(&open, Some(&seen), EXPIRES));
    let shut = closed(
        &Closure::Ended(Cause::Expired),
        &json!({"shut": {"by": "DenyAllInBound", "confirmed": true}}),
    );
    album.maybe("to the requester: it is shut", said(&record(&shut), None, CLOSED + 2));
    album.maybe("to the requester of a break-glass: it is shut", said(&glass(&shut), None, CLOSED + 2));
    album.maybe("to the requester: it lapsed", said(&record(&never(&Closure::Lapsed)), None, CLOSED));
    let denied = Closure::Denied { by: bea(), reason: Some("The audit runs until Friday".parse().unwrap()) };
    album.maybe("to the requester: it was denied", said(&record(&never(&denied)), None, CLOSED + 2));
    let reminded = |record: &Record, rule, now: u64| match reminder(record, rule, &[], at(now)) {
        Some(Reminder::EndsSoon(message) | Reminder::Undecided(message)) => Some(message),
        None => None,
    };
    let both = record(&json!({"status": "OPEN", "ports": [22, 3389]}));
    album.maybe("to the requester: two ports end soon", reminded(&both, None, EXPIRES - 600));
    album.maybe("to the requester: it ends soon", reminded(&open, None, EXPIRES - 600));
    let went_past = glass(&json!({"status": "OPEN"}));
    album.maybe("to the requester of a break-glass: it ends soon", reminded(&went_past, None, EXPIRES - 600));
    album.maybe("to an approver: what was approved in their name", {
        approved_by_you(&open, &open.approvals()[0])
    });
    album.maybe("a break-glass was approved in nobody's name", {
        approved_by_you(&went_past, &went_past.approvals()[0])
    });
    album.sentence("to an approver who says that it was not them", &disowned());
    album.sentence("to somebody who says so of what they did not approve", &nothing_disowned());
    let nobody = Groups::default();
    let PassedBy { people, message, others } = passed_by(&went_past, rule(&policy), &nobody).unwrap();
    assert_eq!((people.len(), others), (2, None));
    album.message("to each who could have approved a break-glass", &message);
    album.maybe("nobody decided at half time: in the thread of the card", {
        reminded(&record(&json!({"status": "PENDING"})), Some(rule(&policy)), ASKED + 1_800)
    });
    album.maybe("the same, where two must approve and one has", {
        let first =
            json!([{"by": "U0BEA", "at": APPROVED, "click": {"body": "", "timestamp": "", "signature": ""}}]);
        let half = record(&json!({"status": "PENDING", "needed": 2, "approvals": first}));
        reminded(&half, Some(rule(&strict)), ASKED + 1_800)
    });
}
