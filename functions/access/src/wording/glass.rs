//! What is said of a break-glass: to who asks for one, on the card, and to those who could have approved.

use super::*;
use crate::click::Action;
use crate::lifecycle::{Record, State};
use crate::policy::Groups;
use crate::request::Means;

/// The most people that are told one by one that they were passed by.
const TOLD_DIRECTLY: usize = 30;

/// The most people that the channel is told by name.
const NAMED: usize = 80;

/// The answer to a command: what will happen, and the one button, which nobody else sees.
pub(super) fn asked(ask: &Ask, rule: &Rule) -> Message {
    let wish = &ask.wish;
    let others = rule.approvers().iter().filter(|who| **who != Who::User(wish.requester.clone()));
    let told = match others.map(whose).collect::<Vec<_>>().as_slice() {
        [] => "the channel is told".to_owned(),
        others => format!("{} are told, and the channel,", listed(others, "and")),
    };
    let mut message = Message::sentence(format!(
        "You asked for {} without approval (break-glass). Nobody will be asked; {told} who opened it and why. Press the button to open it; if you do not by {}, it lapses. Ref {}",
        terms(ask),
        moment(wish.lapses_at),
        wish.id
    ));
    let mut button = buttons::button(ask, Action::BreakGlass, "Open without approval");
    button["style"] = json!("danger");
    message.blocks.push(json!({
        "type": "actions",
        "block_id": format!("break-glass-{}", wish.id),
        "elements": [button],
    }));
    message
}

/// To somebody who may not open without approval: who may, and what to type instead.
pub(super) fn not_allowed(rule: Option<&Rule>) -> String {
    let who = rule.map(Rule::break_glass).filter(|who| !who.is_empty());
    let who = who.map_or_else(|| "nobody may".to_owned(), |who| format!("only {} may", people(who)));
    format!(
        "You may not open this machine without approval: {who}. Type the same line without `break-glass` to ask for approval."
    )
}

/// What the card says beside its state, where its requester has gone past approval; `None` where nobody has.
pub(super) fn mark(record: &Record) -> Option<String> {
    let wish = &record.granted()?.ask().wish;
    if wish.means != Means::BreakGlass {
        return None;
    }
    let opened = match record.state() {
        State::Open(_) => "Opened",
        State::Closing(closing) if !closing.ends().is_empty() => "Opened",
        State::Closed(closed) if closed.proof().is_some() => "Opened",
        State::Closing(_) | State::Closed(_) => "Was to be opened",
        State::Draft(_) | State::Pending(_) | State::Approved(_) | State::Opening(_) => "To be opened",
    };
    Some(format!("*{opened} without approval (break-glass)* by {}.", mention(&wish.requester)))
}

/// What is told to those who could have approved, once somebody has gone past them.
#[derive(Clone, PartialEq, Debug)]
pub struct PassedBy<'p> {
    /// Each of them is told this directly.
    pub people: Vec<&'p UserId>,
    /// What they are told.
    pub message: Message,
    /// What the channel is told of those who are too many for that.
    pub others: Option<Message>,
}

/// Whom a break-glass has passed by, and what they are told; `None` where it is none, or was not pressed.
/// True whenever it is read.
pub fn passed_by<'p>(record: &Record, rule: &'p Rule, groups: &'p Groups) -> Option<PassedBy<'p>> {
    let granted = record.granted().filter(|granted| granted.ask().wish.means == Means::BreakGlass)?;
    let wish = &granted.ask().wish;
    let because = wish
        .justification
        .as_ref()
        .map_or_else(String::new, |why| format!(", because {}", quoted(why.as_str())));
    let reference = format!("Ref {}", wish.id);
    let (requester, until) = (mention(&wish.requester), moment(granted.expires_at()));
    let message = Message::sentence(format!(
        "{requester} has gone past approval (break-glass) for {}{because}. You could have approved it, so you are told. It ends by itself, at {until} at the latest. {reference}",
        terms(granted.ask())
    ));
    let mut people = rule.could_approve(&wish.requester, groups);
    let rest = people.split_off(people.len().min(TOLD_DIRECTLY));
    let names: Vec<String> = rest.iter().take(NAMED).map(|user| mention(user)).collect();
    let more = rest.len() - names.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let others = (!names.is_empty()).then(|| {
        Message::sentence(format!(
            "{requester} has gone past approval (break-glass) for {}. More people could have approved it than are told one by one; these too: {}{more}. {reference}",
            terms(granted.ask()),
            names.join(", ")
        ))
    });
    Some(PassedBy { people, message, others })
}
