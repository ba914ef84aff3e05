//! What is said of a grant that moves to another address.

use super::*;
use crate::click::Action;
use crate::command::Closing;
use crate::lifecycle::{Record, State};
use crate::request::Move;

/// What is asked for by a move: `VM3 port 22 from 198.51.100.9 until …, in place of 7F3K9-QXM2P from 203.0.113.7`.
/// `told`: how the moment is written.
pub(super) fn terms(ask: &Ask, moves: &Move, told: impl Fn(Timestamp) -> String) -> String {
    format!(
        "{} from {} until {}, in place of {} from {}",
        place(&ask.wish),
        ask.source,
        told(moves.until),
        moves.grant,
        moves.from
    )
}

/// What the card says beside its state; `None` where nothing is moved.
pub(super) fn mark(record: &Record) -> Option<String> {
    let moves = record.wish().moves?;
    let Move { grant, from, until } = moves;
    let to = record.ask()?.source;
    Some(match record.state() {
        State::Closing(_) | State::Closed(_) => {
            format!("It was asked for to move {grant} from `{from}` to `{to}`.")
        }
        _ => format!(
            "*Moves* {grant} from `{from}` to `{to}`. That one is shut once this one is open; this one ends when that one would have, at {}, whenever it is opened.",
            moment(until)
        ),
    })
}

/// The answer to who may move it without approval: the one button, which nobody else sees.
pub(super) fn asked(ask: &Ask) -> Message {
    let wish = &ask.wish;
    let mut message = Message::sentence(format!(
        "You asked for {}. The policy lets you move it there without another approval. Press the button to move it; if you do not by {}, it lapses. Ref {}",
        super::terms(ask),
        moment(wish.lapses_at),
        wish.id
    ));
    let mut button = buttons::button(ask, Action::Move, "Move it");
    button["style"] = json!("primary");
    message.blocks.push(json!({
        "type": "actions",
        "block_id": format!("move-{}", wish.id),
        "elements": [button],
    }));
    message
}

/// What the card says while the button was not pressed: the end of the title, and the sentence.
pub(super) fn not_yet(wish: &Wish) -> (&'static str, String) {
    let grant = wish.moves.map(|moves| moves.grant.to_string()).unwrap_or_default();
    let who = mention(&wish.requester);
    (
        "not moved yet",
        format!(
            "{who} may move {grant} here without another approval, and has not pressed the button. Nobody is asked to approve."
        ),
    )
}

/// Why nothing was moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotMoved {
    /// There is no such grant of this person's.
    NoSuchGrant {
        /// Its reference as it was typed.
        id: RequestId,
    },
    /// Nothing of this person's is granted on the machine.
    Nothing {
        /// The machine as it was named.
        machine: MachineQuery,
    },
    /// Several grants of this person's.
    Several {
        /// Each with its reference.
        all: Vec<(Ask, RequestId)>,
    },
    /// It waits for a decision, or for an address.
    Undecided {
        /// Its reference.
        id: RequestId,
    },
    /// It is being shut, or over.
    Over {
        /// What it was for.
        wish: Box<Wish>,
    },
    /// It ends so soon that nothing could take its place.
    EndsSoon {
        /// When.
        at: Timestamp,
    },
    /// It lets this address in already.
    SameAddress {
        /// The grant.
        ask: Box<Ask>,
        /// The address that was named.
        to: Source,
    },
    /// Another request moves it already.
    Moving {
        /// That request.
        by: RequestId,
    },
    /// Neither an address was typed nor can a page be shown that sees one.
    WhereTo {
        /// The grant as it was named.
        grant: Closing,
    },
}

/// The sentence to somebody who could move nothing.
pub fn not_moved(why: &NotMoved) -> Message {
    let again = |wish: &Wish| format!("`/jit {} {}`", wish.machine.name, typed(&wish.ports));
    Message::sentence(match why {
        NotMoved::NoSuchGrant { id } => format!(
            "You have no grant {id} to move. Only who asked for a grant moves it; `/jit list` shows yours."
        ),
        NotMoved::Nothing { machine } => format!(
            "Nothing of yours is open on `{machine}`. Only who asked for a grant moves it; `/jit list` shows yours."
        ),
        NotMoved::Several { all } => {
            let each = all
                .iter()
                .map(|(ask, id)| format!("`/jit move {id}` for {} from {}", place(&ask.wish), ask.source));
            format!("You have several grants there. Type {}.", listed(&each.collect::<Vec<_>>(), "or"))
        }
        NotMoved::Undecided { id } => format!(
            "It is not granted yet, so there is nothing to move. Take it back with `/jit close {id}`, and ask from the other address."
        ),
        NotMoved::Over { wish } => {
            format!("It has ended, or is being shut, so it cannot be moved. Ask anew: {}.", again(wish))
        }
        NotMoved::EndsSoon { at } => format!(
            "It ends at {}, in less than a minute, so it cannot be moved any more. Ask anew then.",
            moment(*at)
        ),
        NotMoved::SameAddress { ask, to } => {
            let within = if *to == ask.source { String::new() } else { format!(" with `{}`", ask.source) };
            format!(
                "{} is granted for `{to}`{within} already, so there is nothing to move. Ref {}",
                place(&ask.wish),
                ask.wish.id
            )
        }
        NotMoved::Moving { by } => format!(
            "Another request of yours moves it already. Take that one back first, with `/jit close {by}`. Ref {by}"
        ),
        NotMoved::WhereTo { grant } => format!(
            "To which address? Add the one that the Internet sees: `/jit move {grant} from 203.0.113.7`."
        ),
    })
}
