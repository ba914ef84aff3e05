//! What the thread of a card carries: each step of the request that people have to do with, who took it and when, in
//! order, each once.

use super::history::{cut, steps_of};
use super::news::aside;
use super::*;
use crate::lifecycle::{Event, EventKind, Record, State};
use crate::request::Installation;

/// Whether the thread of the card has steps to hear now; `told` is the version of the record up to which it has heard them.
/// While a request is on its way, from an approval to an open port or from its end to a shut one, the steps wait for
/// where it comes to rest: they are told in one message and not in five.
pub fn steps_wait(record: &Record, told: u64) -> bool {
    told < last_step(record) && is_at_rest(record)
}

/// The version that the last step has made. That Ajar stopped looking for late rules is none.
fn last_step(record: &Record) -> u64 {
    let settled = matches!(record.state(), State::Closed(closed) if closed.is_settled());
    // What was never planned settles as it closes.
    record.version() - u64::from(settled && record.plan().is_some())
}

/// Whether nothing is about to follow by itself within seconds.
fn is_at_rest(record: &Record) -> bool {
    match record.state() {
        State::Draft(_) => false,
        // Its card says that it was asked.
        State::Pending(_) => !record.approvals().is_empty(),
        State::Approved(_) | State::Opening(_) => record.delayed_until().is_some(),
        State::Open(_) => true,
        State::Closing(closing) => closing.tries() > 0 || is_of_other_hands(closing.cause()),
        // Of a draft that lapsed nobody has heard but its requester.
        State::Closed(_) => record.ask().is_some(),
    }
}

/// Whether somebody has to hear at once why it ends: nobody who has to do with it has ended it.
const fn is_of_other_hands(cause: &Cause) -> bool {
    match cause {
        Cause::Altered | Cause::Vanished | Cause::Overruled { .. } | Cause::WayChanged => true,
        Cause::Expired
        | Cause::Revoked { .. }
        | Cause::Disowned { .. }
        | Cause::Moved { .. }
        | Cause::Failed(_)
        | Cause::MachineGone => false,
    }
}

/// What the thread of the card is told of these steps, oldest first; `None` where none of them is for people.
pub fn thread(record: &Record, steps: &[Event], installation: &Installation) -> Option<Message> {
    let wish = record.wish();
    let told = |event: &Event| Some((event.at, told_in_thread(record, &event.kind, installation)?));
    let lines = steps_of(&steps.iter().filter_map(told).collect::<Vec<_>>());
    if lines.is_empty() {
        return None;
    }
    let title = format!("*{}, step by step*", place(wish));
    let reference = format!("Ref {}", wish.id);
    Some(Message::sentence(format!("{}\n{reference}", cut(&title, &lines, wish.id))))
}

/// A step as the thread says it; `None` where it is nothing to people, or told elsewhere.
fn told_in_thread(record: &Record, kind: &EventKind, installation: &Installation) -> Option<String> {
    match kind {
        // The card says where the rule is and until when Azure is waited for, and the channel hears what does not shut.
        EventKind::Planned { .. }
        | EventKind::Delayed { .. }
        | EventKind::NotYetShut { .. }
        | EventKind::Settled => None,
        EventKind::Closing { cause } if is_of_other_hands(cause) => aside(record, cause, installation),
        EventKind::Asked { .. }
        | EventKind::Addressed { .. }
        | EventKind::Approved { .. }
        | EventKind::BrokeGlass { .. }
        | EventKind::MovedAlone { .. }
        | EventKind::Opened
        | EventKind::Closing { .. }
        | EventKind::Neutralised { .. }
        | EventKind::Closed { .. }
        | EventKind::LateRuleRemoved
        | EventKind::LateRuleLocked { .. } => Some(step_of(kind, record.wish().means)),
    }
}
