//! Lists and histories, as long as they can be.

use super::*;
use crate::lifecycle::{Cause, Event, EventKind, Failure, NetworkFault, Plan, PlannedRule, RuleEnd};

#[test]
fn the_longest_lists_fit_and_say_what_they_leave_out() {
    let installation: Installation = "a".parse().unwrap();
    let records: Vec<Record> = (0..40).flat_map(|_| states()).map(|state| largest(&state)).collect();
    let records: Vec<&Record> = records.iter().collect();
    let now = Timestamp::from_unix(1300);
    for message in [list(&records, &installation, now), list_all(&records, true, &installation, now)] {
        fits(&message);
        assert!(message.text.contains("*Waiting* (40)"), "{}", message.text);
        assert!(
            message.text.contains(" more that lapse later") && message.text.contains(" more that end later")
        );
        assert!(markup(&message).iter().all(|text| is_ours(text)));
    }
}

#[test]
fn what_has_ended_is_listed_for_a_week() {
    let installation: Installation = "a".parse().unwrap();
    let record = largest(&json!({"status": "CLOSED", "closure": "lapsed", "closed_at": 1300}));
    let ended = |now| list(&[&record], &installation, Timestamp::from_unix(now)).text;
    assert!(ended(1300 + 7 * 86_400).contains("*Ended in the last 7 days* (1)"));
    assert!(ended(1301 + 7 * 86_400).starts_with("You have no request that waits or is open"));
}

#[test]
fn a_draft_is_shown_to_its_requester_alone() {
    let installation: Installation = "a".parse().unwrap();
    let now = Timestamp::from_unix(1300);
    let draft = largest(&json!({"status": "DRAFT"}));
    let own = list(&[&draft], &installation, now).text;
    assert!(own.contains(": not asked yet, lapses at "), "{own}");
    let all = list_all(&[&draft], true, &installation, now).text;
    assert_eq!(all, "Nothing waits or is open on any machine.");
    let message = shown(&draft, &[], None, &installation, now);
    fits(&message);
    assert!(message.text.contains("has not confirmed an address to connect from."), "{}", message.text);
    assert!(!message.text.contains("From:"), "{}", message.text);
}

#[test]
fn the_longest_history_fits() {
    let by: UserId = format!("W{}", "Z".repeat(23)).parse().unwrap();
    let nsg = |n: u8| {
        format!(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/{n}{}",
            "n".repeat(79)
        )
    };
    let planned = |n, priority| PlannedRule { nsg: nsg(n).parse().unwrap(), priority, open_by: None };
    let long = "x".repeat(300);
    let fault = NetworkFault::NoRoom { before: long.clone(), nsg: long };
    let kinds = [
        EventKind::Asked { by: by.clone() },
        EventKind::Approved { by, approvals: 1, needed: 10 },
        EventKind::Planned { plan: Plan::new(vec![planned(1, 499), planned(2, 498)]).unwrap() },
        EventKind::Closing { cause: Cause::Failed(Failure::Network(fault)) },
        EventKind::NotYetShut { ends: vec![RuleEnd::Standing, RuleEnd::Denied] },
    ];
    let history: Vec<Event> = (0..200)
        .map(|n| Event { at: Timestamp::from_unix(1000 + n), kind: kinds[n as usize % kinds.len()].clone() })
        .collect();
    let (policy, installation) = (crowded(), "a1234567890123456789".parse().unwrap());
    for state in states() {
        let record = largest(&state);
        let rule = policy.rule_for(&Subject::of(&record.wish().machine, None)).unwrap();
        let message = shown(&record, &history, Some(rule), &installation, Timestamp::from_unix(80_000));
        fits(&message);
        assert!(message.text.contains(" lines more are too much for a message"), "{}", message.text);
        assert!(
            message.blocks.iter().all(|block| block["type"] != "actions"),
            "nothing is decided from here"
        );
        assert!(markup(&message).iter().all(|text| is_ours(text)));
    }
}
