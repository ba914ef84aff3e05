//! Whatever somebody wrote or Azure calls its things: a message says the same beside it, in the same blocks.

use super::*;
use crate::lifecycle::{Event, EventKind, State};
use crate::orphan::{BreakGlass, Fate, Orphan};
use crate::policy::Groups;
use crate::request::{Justification, is_disguise};

/// What the hostile text is compared with.
const HARMLESS: &str = "zqz";

/// Every message about a request whose requester gave this reason, and in which Azure's own names are this text.
fn of_request(reason: &str, azure: &str) -> Vec<Message> {
    let policy = crowded();
    let (installation, nobody) = ("a".parse::<Installation>().unwrap(), Groups::default());
    let (now, later) = (Timestamp::from_unix(1300), Timestamp::from_unix(100_000));
    let mut all = vec![];
    let by_name = [
        json!({"status": "CLOSING", "cause": {"overruled": {"by": azure}}, "closing_at": 1300, "ends": ["standing", "standing"], "obstacle": {"refused": {"code": azure}}, "retry_at": 1400}),
        json!({"status": "CLOSED", "closure": {"ended": "expired"}, "closed_at": 1300, "proof": {"shut": {"by": azure}}}),
        json!({"status": "CLOSED", "closure": {"ended": "expired"}, "closed_at": 1300, "proof": {"still_open": {"by": azure}}}),
        json!({"status": "CLOSED", "closure": {"ended": {"failed": {"refused": {"code": azure}}}}, "closed_at": 1300}),
    ];
    for state in states().into_iter().chain(by_name) {
        for glass in [false, true] {
            let mut state = state.clone();
            state["justification"] = json!(reason);
            state["break_glass"] = json!(glass);
            let record = largest(&state);
            let rule = policy.rule_for(&Subject::of(&record.wish().machine, None)).unwrap();
            for now in [now, later] {
                all.extend(card(&record, Some(rule), None, &installation, now));
                all.extend(direct(&record, None, &installation, now).map(|(_, message)| message));
                all.extend(alarm(&record, &installation, now).map(|alarm| match alarm {
                    Alarm::Overdue(message) | Alarm::Over(message) => message,
                }));
            }
            all.extend(thread(&record, &steps(&record), &installation));
            if let Some(PassedBy { message, others, .. }) = passed_by(&record, rule, &nobody) {
                all.push(message);
                all.extend(others);
            }
            all.push(asked(record.ask().unwrap(), rule));
            all.push(asked_before(record.wish(), record.status()));
        }
    }
    all
}

/// The step by which it has come to how it stands.
fn steps(record: &Record) -> Vec<Event> {
    let kind = match record.state() {
        State::Closing(closing) => EventKind::Closing { cause: closing.cause().clone() },
        State::Closed(closed) => EventKind::Closed { closure: closed.closure().clone() },
        _ => EventKind::Opened,
    };
    vec![Event { at: Timestamp::from_unix(1300), kind }]
}

/// What the channel is told of a rule that somebody wrote, whose description may say anything.
fn of_orphan(reason: &str, azure: &str) -> Vec<Message> {
    let installation = "a".parse::<Installation>().unwrap();
    let at = Timestamp::from_unix(1000);
    let nsg = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/n";
    let fates = [
        Fate::Standing,
        Fate::Hidden,
        Fate::Gone { at },
        Fate::Hindered { since: at, code: Some(azure.to_owned()) },
    ];
    let mut all = vec![];
    for fate in fates {
        let found = Orphan {
            nsg: nsg.parse().unwrap(),
            request: "7F3K9-QXM2P".parse().unwrap(),
            found_at: at,
            allows: true,
            described_end: Some(at),
            break_glass: Some(BreakGlass { by: azure.to_owned(), because: reason.to_owned() }),
            fate,
        };
        for told in [vec![], vec![OrphanTold::Found]] {
            let said = orphan(&found, &told, &installation, Timestamp::from_unix(10_000));
            all.extend(said.map(|(_, message)| message));
        }
    }
    all
}

/// The message with the harmless text where this one stands, as it is shown and as it is quoted.
fn harmless(value: &Value, reason: &str) -> Value {
    match value {
        Value::String(text) => {
            let text = text.replace(&quoted(reason), &quoted(HARMLESS));
            let shown = format!("Why: {reason}");
            json!(if text == shown { format!("Why: {HARMLESS}") } else { text })
        }
        Value::Array(items) => items.iter().map(|item| harmless(item, reason)).collect(),
        Value::Object(fields) => {
            // The digest in a button of a break-glass is also of its reason.
            let kept = fields.iter().filter(|(name, _)| *name != "value");
            let fields = kept.map(|(name, value)| (name.clone(), harmless(value, reason)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn whole(message: &Message) -> Value {
    json!({"text": message.text, "blocks": message.blocks})
}

/// That nothing is hidden, and that all markup is ours.
fn is_plain(message: &Message) -> Result<(), TestCaseError> {
    for text in markup(message) {
        prop_assert!(is_ours(&text), "{}", text);
        let hidden = text.contains(|c: char| c != '\n' && is_disguise(c));
        prop_assert!(!hidden, "{:?}", text);
        prop_assert_eq!(text.matches('`').count() % 2, 0, "{}", text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_reason_changes_nothing_but_itself(typed in hostile()) {
        let Ok(reason) = format!("{HARMLESS}{typed}").parse::<Justification>() else { return Ok(()) };
        let messages = of_request(reason.as_str(), "allow-ssh").into_iter();
        for (message, expected) in messages.zip(of_request(HARMLESS, "allow-ssh")) {
            is_plain(&message)?;
            prop_assert_eq!(harmless(&whole(&message), reason.as_str()), harmless(&whole(&expected), HARMLESS));
        }
        // What a rule in Azure says of itself was not parsed as a person's reason is.
        let raw = format!("{HARMLESS}{typed}");
        for (message, expected) in of_orphan(&raw, "ops").into_iter().zip(of_orphan(HARMLESS, "ops")) {
            is_plain(&message)?;
            prop_assert_eq!(harmless(&whole(&message), &raw), harmless(&whole(&expected), HARMLESS));
            prop_assert!(!message.text.contains('\n'), "{:?}", message.text);
        }
    }

    #[test]
    fn what_azure_calls_its_things_is_no_markup(name in hostile()) {
        let (messages, expected) = (of_request(HARMLESS, &name), of_request(HARMLESS, "x"));
        prop_assert_eq!(messages.len(), expected.len());
        for (message, expected) in messages.iter().zip(&expected) {
            is_plain(message)?;
            let kinds = |message: &Message| message.blocks.iter().map(|block| block["type"].clone()).collect::<Vec<_>>();
            prop_assert_eq!(kinds(message), kinds(expected));
            prop_assert_eq!(message.text.matches('\n').count(), expected.text.matches('\n').count());
        }
        of_orphan(HARMLESS, &name).iter().try_for_each(is_plain)?;
    }
}
