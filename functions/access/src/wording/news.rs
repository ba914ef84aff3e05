//! What is told beside the card: in the channel, that something should be shut and is not, and that it
//! is shut at last; among the steps in the card's thread, what other hands did to its rule.

use super::card::OVERDUE_SECONDS;
use super::*;
use crate::lifecycle::{Closing, Obstacle, Record, RuleEnd, State};
use crate::request::{Installation, RuleName};

/// What the channel is told of a grant that is late to shut, in a message of its own.
#[derive(Clone, PartialEq, Debug)]
pub enum Alarm {
    /// It should have shut and has not, as far as anybody knows.
    Overdue(Message),
    /// It is shut now: told where the first was told before.
    Over(Message),
}

/// What the channel should have been told by now; `None` where nothing is late.
pub fn alarm(record: &Record, installation: &Installation, now: Timestamp) -> Option<Alarm> {
    let wish = record.wish();
    let (place, rule) = (place(wish), RuleName::new(installation, wish.id));
    let reference = format!("Ref {}", wish.id);
    let Some(since) = record.overdue_since(now) else {
        let at = moment(record.changed_at());
        let end = match record.state() {
            State::Closing(closing) if !closing.ends().is_empty() => {
                format!("Its rule `{rule}` denies now; Azure does not let it be removed yet.")
            }
            State::Closed(closed) if closed.late().contains(&RuleEnd::Denied) => {
                format!("Its rule `{rule}` denies now; Azure does not let it be removed yet.")
            }
            State::Closed(_) => format!("Its rule `{rule}` was removed by {at}."),
            _ => return None,
        };
        let text = format!("{place}: the overdue grant is shut at last. {end} {reference}");
        return Some(Alarm::Over(Message::sentence(text)));
    };
    let text = match record.state() {
        State::Closed(_) => format!(
            "{place} should be shut and {} not. A delayed write in Azure brought its rule `{rule}` back, and Azure refuses to remove it. {}",
            by_number(wish, "is", "are"),
            do_by_hand(record, &rule, "Whoever")
        ),
        State::Closing(closing) if now.since(since) > OVERDUE_SECONDS => format!(
            "{} {} {}",
            late(wish, closing, since),
            whats_wrong(closing.obstacle(), &rule),
            do_by_hand(record, &rule, who(closing.obstacle()))
        ),
        _ => return None,
    };
    Some(Alarm::Overdue(Message::sentence(format!(
        "{text} Ajar tries again each minute and says here when it is shut. {reference}"
    ))))
}

/// Whether it stands is said only where it was seen.
fn late(wish: &Wish, closing: &Closing, since: Timestamp) -> String {
    let place = place(wish);
    if closing.obstacle().is_some_and(Obstacle::was_seen) {
        format!("{place} should have shut at {} and {} not.", moment(since), by_number(wish, "has", "have"))
    } else {
        format!("{place} may still be open: it should have shut at {}.", moment(since))
    }
}

fn whats_wrong(obstacle: Option<&Obstacle>, rule: &RuleName) -> String {
    match obstacle {
        Some(Obstacle::Lock) => {
            format!(
                "A lock in Azure keeps its rule `{rule}`. Whoever may remove locks there must take it off now."
            )
        }
        Some(Obstacle::Refused { code }) => match code.as_str() {
            "AuthorizationFailed" | "LinkedAuthorizationFailed" => format!(
                "Azure does not allow Ajar to remove its rule `{rule}` ({}). Whoever assigns roles there must give Ajar's identities theirs back now.",
                word(code)
            ),
            "RequestDisallowedByPolicy" => format!(
                "A policy in Azure keeps its rule `{rule}`. Whoever keeps that policy must exempt the group now."
            ),
            _ => format!("Azure refuses to remove its rule `{rule}` ({}).", word(code)),
        },
        Some(Obstacle::Unfinished) => {
            format!("Azure has taken the removal of its rule `{rule}` and has not finished it.")
        }
        Some(Obstacle::Unseen) | None => {
            format!("Azure gives no answer that tells whether its rule `{rule}` is gone.")
        }
    }
}

/// A lock keeps everybody from it.
const fn who(obstacle: Option<&Obstacle>) -> &'static str {
    if matches!(obstacle, Some(Obstacle::Lock)) { "Then whoever" } else { "Whoever" }
}

/// What helps whatever is wrong, and who can do it.
fn do_by_hand(record: &Record, rule: &RuleName, who: &str) -> String {
    let ends: &[RuleEnd] = match record.state() {
        State::Closing(closing) => closing.ends(),
        State::Closed(closed) => closed.late(),
        _ => &[],
    };
    let rules = record.plan().into_iter().flat_map(|plan| plan.rules()).zip(ends);
    let left = rules.filter(|(_, end)| matches!(end, RuleEnd::Standing | RuleEnd::Locked));
    let groups: Vec<String> = left.map(|(planned, _)| format!("`{}`", word(planned.nsg.name()))).collect();
    format!("{who} may change {} can delete `{rule}` there by hand.", listed(&groups, "and"))
}

/// What somebody did to an open grant's rule, and that it is not put back; `None` where it ends for another reason. True
/// whenever it is read.
pub(super) fn aside(record: &Record, cause: &Cause, installation: &Installation) -> Option<String> {
    let wish = record.wish();
    let (place, rule) = (place(wish), RuleName::new(installation, wish.id));
    let was = by_number(wish, "was", "were");
    let what = match cause {
        Cause::Altered => format!(
            "Somebody else changed the rule `{rule}` while {place} {was} open. It is not set right but shut."
        ),
        Cause::Vanished => format!(
            "Somebody else deleted the rule `{rule}` while {place} {was} open; a tool that writes the whole security group does that, too. It is not written again."
        ),
        Cause::Overruled { by } => format!(
            "While {place} {was} open, the rule `{}` came before the rule `{rule}` and decides. It may have let nobody in, and was ended.",
            word(by)
        ),
        Cause::WayChanged => format!(
            "While {place} {was} open, the way to {} changed: its address, or a security group on it. The rule `{rule}` may have let nobody in, and was ended.",
            wish.machine.name
        ),
        Cause::Expired
        | Cause::Revoked { .. }
        | Cause::Moved { .. }
        | Cause::Disowned { .. }
        | Cause::Failed(_)
        | Cause::MachineGone => return None,
    };
    Some(format!("{what} Who still needs it asks again."))
}
