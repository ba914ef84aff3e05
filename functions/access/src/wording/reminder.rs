//! What is told because time has passed and not because something has changed: that nobody has decided yet, and that a
//! grant is about to end.

use super::*;
use crate::click::Action;
use crate::lifecycle::{Closure, Record, State};

/// How long before its end a grant's requester is told, in seconds.
const ENDS_SOON_SECONDS: u64 = 600;

/// When time alone brings the next thing to tell; `None` where it brings nothing that was not told. The moment may have
/// passed.
pub fn reminder_at(record: &Record, told: &[Told]) -> Option<Timestamp> {
    let wish = record.wish();
    match record.state() {
        State::Pending(_) if wish.means == Means::Approval && !told.contains(&Told::Reminded) => {
            Some(wish.asked_at.plus(wish.lapses_at.since(wish.asked_at) / 2))
        }
        State::Open(open) if !told.contains(&Told::EndsSoon) => {
            let at = record.granted()?.expires_at().minus(ENDS_SOON_SECONDS);
            // Who was just told that it is open was told its end.
            (at > open.opened_at()).then_some(at)
        }
        _ => None,
    }
}

/// What is told because time has passed, and where.
#[derive(Clone, PartialEq, Debug)]
pub enum Reminder {
    /// In the thread of the card: nobody has decided yet.
    Undecided(Message),
    /// To the requester: it ends soon.
    EndsSoon(Message),
}

/// What is to be told by now that no change of the record brings. `rule` is the policy's for the machine.
pub fn reminder(record: &Record, rule: Option<&Rule>, told: &[Told], now: Timestamp) -> Option<Reminder> {
    reminder_at(record, told).filter(|at| *at <= now)?;
    let ask = record.ask()?;
    let wish = &ask.wish;
    match record.state() {
        State::Pending(pending) if now < wish.lapses_at => {
            let who =
                rule.map_or_else(String::new, |rule| format!(" {} can decide.", people(rule.approvers())));
            let so_far = match (record.approvals().len(), pending.needed()) {
                (_, 1) => String::new(),
                (approvals, needed) => format!(" {approvals} of {needed} approvals so far."),
            };
            Some(Reminder::Undecided(Message::sentence(format!(
                "{} still waits for {}.{who}{so_far} Nobody is let in until then; it lapses at {}. Ref {}",
                mention(&wish.requester),
                terms(ask),
                moment(wish.lapses_at),
                wish.id
            ))))
        }
        State::Open(_) => {
            let expires_at = record.granted()?.expires_at();
            if now >= expires_at {
                return None;
            }
            let more = again(ask, "Ask for more");
            let longer = match more {
                Some(_) => "press *Ask for more*: the same is asked for once more, and approved anew",
                None => "type the line again",
            };
            let mut message = Message::sentence(format!(
                "{} {} at {}. Sessions that are open then are not cut, but nobody gets in anew. If you need it longer, {longer}. Ref {}",
                place(wish),
                by_number(wish, "shuts", "shut"),
                moment(expires_at),
                wish.id
            ));
            message.blocks.extend(more);
            Some(Reminder::EndsSoon(message))
        }
        _ => None,
    }
}

/// The button by which the requester of what lapsed asks once more; `None` where there is nothing to ask again.
pub(super) fn ask_again(record: &Record) -> Option<Value> {
    match record.state() {
        State::Closed(closed) if *closed.closure() == Closure::Lapsed => {
            // A move is typed again: what it moves has changed meanwhile, or is over.
            record.ask().filter(|ask| ask.wish.moves.is_none()).and_then(|ask| again(ask, "Ask again"))
        }
        _ => None,
    }
}

/// Whoever goes past approval says so anew, with a reason.
fn again(ask: &Ask, text: &str) -> Option<Value> {
    (ask.wish.means == Means::Approval).then(|| {
        json!({
            "type": "actions",
            "block_id": format!("again-{}", ask.wish.id),
            "elements": [buttons::button(ask, Action::AskAgain, text)],
        })
    })
}

/// To somebody who presses the button of somebody else's request.
pub fn not_yours_to_ask(ask: &Ask) -> String {
    let wish = &ask.wish;
    format!(
        "Only {} can ask for this again. Type `/jit {} {}` for yourself.",
        mention(&wish.requester),
        wish.machine.name,
        typed(&wish.ports)
    )
}

/// To somebody who presses it twice.
pub fn asked_again_before(wish: &Wish) -> Message {
    Message::sentence(format!("You have asked for {} again already. Ref {}", place(wish), wish.id))
}
