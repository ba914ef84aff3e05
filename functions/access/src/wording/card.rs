//! The card of a request in the channel, and the direct messages to its requester: projections of
//! the record.

use super::opens::{DECIDE, how_many, opens};
use super::*;
use crate::lifecycle::{
    Closed, Closing, Closure, Granted, Obstacle, Open, Plan, Proof, Record, RuleEnd, State,
};
use crate::request::{Installation, RuleName};
use serde::{Deserialize, Serialize};

/// What was told beside the card, so that it is told once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// To the requester: that it is open.
    Open,
    /// To the requester: how it ended.
    End,
    /// In the channel: that it should be shut and is not. Taken back once it is told that it is shut.
    Overdue,
    /// In the card's thread, in items of earlier versions: what other hands did to its rule.
    Aside,
    /// To one of those who could have approved: that it was opened without.
    PassedBy(UserId),
    /// To all of those, and in the channel where they are many.
    AllPassedBy,
    /// In the card's thread, in items of earlier versions: how a break-glass ended.
    GlassEnded,
    /// To an approver: what was approved in their name.
    Approved(UserId),
    /// In the card's thread: that nobody has decided yet.
    Reminded,
    /// To the requester: that it ends soon.
    EndsSoon,
}

/// Between two tries to shut what is not shut, in seconds, where Azure names no other moment.
const MINUTE_SECONDS: u64 = 60;

/// How late a grant may be shut before the card says that it is overdue, in seconds.
pub(super) const OVERDUE_SECONDS: u64 = 120;

/// How long what Azure's rules said at the end is told as present, in seconds: about as long as it
/// takes to tell it.
const FRESH_SECONDS: u64 = 10;

/// The card of a request, as the record stands at `now`; `None` for a draft, which only its requester
/// knows of. `rule` is the policy's rule for the machine, which says who may decide; `seen` the machine as it was seen last,
/// which says what would be opened.
pub fn card(
    record: &Record,
    rule: Option<&Rule>,
    seen: Option<&SeenMachine>,
    installation: &Installation,
    now: Timestamp,
) -> Option<Message> {
    let ask = record.ask()?;
    let mut card = match record.state() {
        State::Pending(_) if ask.wish.means == Means::Approval => {
            let decide = rule.map(|_| [opens(ask, seen), DECIDE.to_owned()]);
            projected(record, rule, decide.as_ref().map_or(&[], |both| both), installation, now)
        }
        _ => projection(record, rule, installation, now),
    };
    match record.state() {
        State::Pending(_) if ask.wish.means == Means::Approval => card.blocks.push(buttons::deciding(ask)),
        State::Approved(_) | State::Opening(_) | State::Open(_) => card.blocks.push(buttons::ending(ask)),
        _ => card.blocks.extend(reminder::ask_again(record)),
    }
    Some(card)
}

/// How a request stands and what it is about, without what is to be decided.
pub(super) fn projection(
    record: &Record,
    rule: Option<&Rule>,
    installation: &Installation,
    now: Timestamp,
) -> Message {
    projected(record, rule, &[], installation, now)
}

/// As [`projection`], with what else an approver must know.
fn projected(
    record: &Record,
    rule: Option<&Rule>,
    decide: &[String],
    installation: &Installation,
    now: Timestamp,
) -> Message {
    let wish = record.wish();
    let source = record.ask().map(|ask| &ask.source);
    let (mut title, sentence) = state_of(record, rule, installation, now);
    let mark = glass::mark(record);
    if mark.is_some() && !title.contains("break-glass") {
        title.push_str(" (break-glass)");
    }
    let group = wish.machine.resource_id.resource_group().unwrap_or_default();
    let mut fields = vec![
        format!("*Who*\n{}", mention(&wish.requester)),
        format!("*Machine*\n`{}` in `{}`", wish.machine.name, word(group)),
        format!("*Subscription*\n`{}`", word(wish.machine.resource_id.subscription())),
        format!("*Ports*\n{} ({})", wish.ports, wish.protocol.to_string().to_uppercase()),
    ];
    fields.extend(source.map(|source| format!("*From*\n`{source}`")));
    fields.push(match &wish.moves {
        Some(moves) => format!("*For*\nas long as {}, until {}", moves.grant, moment(moves.until)),
        None => format!("*For*\n{}", wish.ttl),
    });
    let when = match (record.state(), record.granted()) {
        (State::Pending(_), _) => Some(("Lapses", wish.lapses_at)),
        (State::Closing(_) | State::Closed(_), Some(granted)) => {
            Some(("Granted until", granted.expires_at()))
        }
        (_, Some(granted)) => Some(("Ends", granted.expires_at())),
        _ => None,
    };
    fields.extend(when.map(|(label, at)| format!("*{label}*\n{}", moment(at))));
    let mut blocks = vec![json!({"type": "header", "text": plain(&title)}), section(&sentence)];
    blocks.push(
        json!({"type": "section", "fields": fields.iter().map(|field| mrkdwn(field)).collect::<Vec<_>>()}),
    );
    let spoken: Vec<String> = fields.iter().map(|field| field.replace('*', "").replace('\n', ": ")).collect();
    let mut text = vec![format!("{title}. {sentence} {}.", spoken.join("; "))];
    if let Some(why) = &wish.justification {
        text.push(format!("Why: {}.", quoted(why.as_str())));
        blocks.push(json!({"type": "section", "text": plain(&format!("Why: {why}"))}));
    }
    for mark in mark.iter().chain(&moving::mark(record)) {
        text.push(mark.clone());
        blocks.push(section(mark));
    }
    for said in decide {
        text.push(said.clone());
        blocks.push(section(said));
    }
    let mut notes = vec![];
    if wish.means == Means::Approval && !record.approvals().is_empty() {
        let names: Vec<String> = record.approvals().iter().map(|approval| mention(&approval.by)).collect();
        notes.push(format!("Approved with Slack by {}.", listed(&names, "and")));
    }
    if wish.means == Means::OwnMove && !record.approvals().is_empty() {
        notes.push(format!(
            "Moved with Slack by {}, without another approval: the policy lets them.",
            mention(&wish.requester)
        ));
    }
    if let Some(source) = source.filter(|source| !source.is_single()) {
        notes.push(format!("*Wide*: `{source}` is {}.", how_many(source)));
    }
    notes.push(format!("Ref {}", wish.id));
    text.extend(notes.iter().cloned());
    blocks.push(
        json!({"type": "context", "elements": notes.iter().map(|note| mrkdwn(note)).collect::<Vec<_>>()}),
    );
    Message { text: text.join(" "), blocks }
}

/// The title, which says the state, and the sentence that explains it.
pub(super) fn state_of(
    record: &Record,
    rule: Option<&Rule>,
    installation: &Installation,
    now: Timestamp,
) -> (String, String) {
    let wish = record.wish();
    let place = headline(wish);
    let (decided, said, what) = match wish.means {
        Means::Approval => ("approved", "Approved.".to_owned(), "approval"),
        Means::BreakGlass => {
            let said = format!("{} opens it without approval (break-glass).", mention(&wish.requester));
            ("break-glass", said, "break-glass")
        }
        Means::OwnMove => {
            let said = format!("{} moves it without another approval.", mention(&wish.requester));
            ("moving", said, "move")
        }
    };
    match record.state() {
        State::Draft(_) => (
            format!("{place}: not asked yet"),
            format!(
                "{} has not confirmed an address to connect from. Nobody is asked to approve before that.",
                mention(&wish.requester)
            ),
        ),
        State::Pending(_) if wish.means == Means::OwnMove => {
            let (title, sentence) = moving::not_yet(wish);
            (format!("{place}: {title}"), sentence)
        }
        State::Pending(_) if wish.means == Means::BreakGlass => {
            let asks = record.ask().map(terms).unwrap_or_default();
            let who = mention(&wish.requester);
            (
                format!("{place}: not opened yet"),
                format!(
                    "{who} may open {asks} without approval (break-glass), and has not pressed the button. Nobody is asked to approve."
                ),
            )
        }
        State::Pending(pending) => {
            let so_far = record.approvals().len();
            let progress = if pending.needed() > 1 {
                format!(" {so_far} of {} approvals so far.", pending.needed())
            } else {
                String::new()
            };
            let who = rule.map_or_else(
                || " No rule of the policy is about this machine any more, so nobody can decide.".to_owned(),
                |rule| format!(" {} can decide.", people(rule.approvers())),
            );
            let asks = record.ask().map(terms).unwrap_or_default();
            (
                format!("{place}: waiting for approval"),
                format!("{} asks for {asks}.{who}{progress}", mention(&wish.requester)),
            )
        }
        State::Approved(_) | State::Opening(_) if record.delayed_until().is_some_and(|until| now < until) => {
            (
                format!("{place}: {decided}, waiting for Azure"),
                format!(
                    "{said} Azure takes no changes for now; tried again at {}. This card says when the rule is in place.",
                    moment(record.delayed_until().unwrap_or(now))
                ),
            )
        }
        State::Approved(_) => (
            format!("{place}: {decided}, checking"),
            format!(
                "{said} The {what} and the machine are checked before a rule is written; this card says when it is in place."
            ),
        ),
        State::Opening(_) => (
            format!("{place}: {decided}, opening"),
            format!(
                "{said} The rule is being written in Azure; this card says when it is in place.{}",
                open_already(record)
            ),
        ),
        State::Open(open) => {
            let Some(granted) = record.granted() else { return (place, String::new()) };
            if now >= granted.expires_at() {
                return ended_now(&place, granted);
            }
            let sentence = format!(
                "Open for {} from `{}` since {} until {}. {} Azure can take a minute or two until it is felt.{}",
                mention(&wish.requester),
                granted.ask().source,
                moment(open.opened_at()),
                moment(granted.expires_at()),
                open_proof(open, granted.ask(), installation),
                open_already(record)
            );
            (format!("{place} {} open", by_number(wish, "is", "are")), sentence)
        }
        State::Closing(closing) => closing_state(wish, closing, record.granted(), now),
        State::Closed(closed) => closed_state(wish, closed, record.ask(), now),
    }
}

/// Which rule is where, and which decides there: whose word that is stands before it.
fn open_proof(open: &Open, ask: &Ask, installation: &Installation) -> String {
    let rule = RuleName::new(installation, ask.wish.id).to_string();
    let groups: Vec<String> =
        open.decided().map(|(planned, _)| format!("`{}`", word(planned.nsg.name()))).collect();
    // A record of an earlier version says no more than that the rules allowed it with ours among them.
    let deciding: Vec<&str> = open.decided().map(|(_, by)| by.unwrap_or(&rule)).collect();
    let decided_by = if deciding.iter().all(|by| *by == deciding[0]) {
        format!("`{}`", word(deciding[0]))
    } else {
        let each = deciding.iter().zip(&groups).map(|(by, group)| format!("`{}` in {group}", word(by)));
        listed(&each.collect::<Vec<_>>(), "and")
    };
    format!(
        "{}: rule `{rule}` in {}, decided by {decided_by}.",
        says(open.is_confirmed(), Some(&ask.source)),
        listed(&groups, "and")
    )
}

/// Whose word a proof is: Azure's own check, or Azure's rules as we have evaluated them. Of a prefix Azure
/// was asked about its first address.
fn says(confirmed: bool, source: Option<&Source>) -> String {
    match source.filter(|_| confirmed) {
        None => "By Azure's rules".to_owned(),
        Some(source) if source.is_single() => "Azure confirms".to_owned(),
        Some(source) => format!("By Azure's rules, and Azure confirms it for `{}`", source.prefix().addr()),
    }
}

/// That nobody had to ask: a warning, empty where a group stood in the way.
fn open_already(record: &Record) -> String {
    let Some(open) = record.plan().and_then(Plan::open_already) else { return String::new() };
    let each: Vec<String> =
        open.into_iter().map(|(nsg, by)| format!("rule `{}` in `{}`", word(by), word(nsg.name()))).collect();
    let ports = &record.wish().ports;
    let (word, was) = if ports.as_slice().len() == 1 { ("Port", "was") } else { ("Ports", "were") };
    format!(
        " {word} {ports} {was} open to everyone already, by {}: ask whoever runs the network to remove that.",
        listed(&each, "and")
    )
}

/// `VM3 22`, short enough to leave room for the state in a header, of which Slack takes 150 characters.
fn headline(wish: &Wish) -> String {
    let place = place(wish);
    let ports = wish.ports.as_slice();
    if place.chars().count() <= 100 {
        place
    } else {
        format!("{} port {} and {} more", wish.machine.name, ports[0], ports.len() - 1)
    }
}

fn ended_now(place: &str, granted: &Granted) -> (String, String) {
    (
        format!("{place}: closing"),
        format!("It was open until {}. The rule is being removed.", moment(granted.expires_at())),
    )
}

fn closing_state(
    wish: &Wish,
    closing: &Closing,
    granted: Option<&Granted>,
    now: Timestamp,
) -> (String, String) {
    let place = headline(wish);
    let means = granted.map_or(Means::Approval, |granted| granted.ask().wish.means);
    let why = ended(closing.cause(), means);
    if closing.is_shut() && !closing.ends().is_empty() {
        let sentence = format!("{why} The rule denies now; {}", removal(closing.obstacle()));
        // Another grant may let the same flow in, so this speaks of the grant and not of the port.
        return (format!("{place}: grant shut, rule not yet removed"), sentence);
    }
    let due = granted.map_or(closing.closing_at(), |granted| granted.expires_at().min(closing.closing_at()));
    if now.since(due) > OVERDUE_SECONDS {
        let again = if closing.retry_at().since(now) > MINUTE_SECONDS {
            format!("Azure takes no changes for now; tried again at {}.", moment(closing.retry_at()))
        } else {
            "Tried again each minute.".to_owned()
        };
        let at = moment(due);
        // That it stands is said only where it was seen.
        if closing.obstacle().is_some_and(Obstacle::was_seen) {
            let sentence = format!("It should have shut at {at} and has not. {why} {again}");
            return (format!("{place} should be shut and {} not", by_number(wish, "is", "are")), sentence);
        }
        let sentence = format!("It should have shut at {at}; Azure has not said that it has. {why} {again}");
        return (format!("{place} may still be open"), sentence);
    }
    (format!("{place}: closing"), format!("{why} Making sure that it is shut."))
}

/// Why a rule that denies is still there.
fn removal(obstacle: Option<&Obstacle>) -> String {
    match obstacle {
        Some(Obstacle::Refused { code }) => {
            format!("Azure refuses to remove it ({}). Tried again each hour.", word(code))
        }
        Some(Obstacle::Lock) => "a lock in Azure forbids to remove it. Tried again each hour.".to_owned(),
        Some(Obstacle::Unfinished | Obstacle::Unseen) | None => {
            "Azure has not removed it yet. Tried again each hour.".to_owned()
        }
    }
}

fn closed_state(wish: &Wish, closed: &Closed, ask: Option<&Ask>, now: Timestamp) -> (String, String) {
    let place = headline(wish);
    let at = moment(closed.closed_at());
    if closed.may_let_in() {
        let sentence = format!(
            "It was shut at {at}; then a delayed write in Azure brought its rule back, and Azure refuses to remove it. Tried again each minute."
        );
        return (format!("{place} should be shut and {} not", by_number(wish, "is", "are")), sentence);
    }
    if closed.late().contains(&RuleEnd::Denied) {
        let sentence = format!(
            "It was shut at {at}; then a delayed write in Azure brought its rule back. The rule denies now; Azure refuses to remove it. Tried again each hour."
        );
        return (format!("{place}: grant shut, rule not yet removed"), sentence);
    }
    // What the rules said at the end need not hold later: somebody may have been let in anew.
    let is = if now.since(closed.closed_at()) > FRESH_SECONDS {
        by_number(wish, "was", "were")
    } else {
        by_number(wish, "is", "are")
    };
    let means = ask.map_or(Means::Approval, |ask| ask.wish.means);
    match (closed.closure(), closed.proof()) {
        (Closure::Lapsed, _) => {
            (format!("{place}: lapsed"), format!("Nobody decided by {at}. Nothing was opened."))
        }
        (Closure::Cancelled, _) => (
            format!("{place}: taken back"),
            format!("The requester took it back at {at}. Nothing was opened."),
        ),
        (Closure::Denied { by, reason }, _) => {
            let why = reason.as_ref().map_or_else(String::new, |why| format!(": {}", quoted(why.as_str())));
            (
                format!("{place}: denied"),
                format!("{} denied it at {at}{why}. Nothing was opened.", mention(by)),
            )
        }
        (Closure::Disowned { by }, _) => (
            format!("{place}: not approved"),
            format!(
                "{} said at {at} that the approval in their name is not theirs. Nothing was opened.",
                mention(by)
            ),
        ),
        (Closure::Ended(cause), None) => {
            (format!("{place}: not opened"), format!("{} Nothing was opened.", ended(cause, means)))
        }
        (Closure::Ended(cause), Some(proof)) => {
            let why = ended(cause, means);
            match proof {
                Proof::Shut { by, confirmed } => (
                    format!("{place} {is} shut"),
                    format!(
                        "{why} Shut at {at}. {}: `{}` decides. Sessions that were open then are not cut.",
                        says(*confirmed, ask.map(|ask| &ask.source)),
                        word(by)
                    ),
                ),
                Proof::StillOpen { by } => (
                    format!("{place}: the grant has ended"),
                    format!(
                        "{why} Our rule was removed at {at}; {place} {is} still open by the rule `{}`.",
                        word(by)
                    ),
                ),
                Proof::Unclear => (
                    format!("{place}: the grant has ended"),
                    format!(
                        "{why} Our rule was removed at {at}. Whether another rule still lets somebody in could not be told."
                    ),
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Ttl;
    use crate::request::{Machine, Ports, Protocol, RequestHash};
    use std::net::IpAddr;

    fn wish() -> Wish {
        let resource_id = "/subscriptions/8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60/resourceGroups/Contoso-IaaS/providers/Microsoft.Compute/virtualMachines/VM3";
        let resource_id: crate::request::ResourceId = resource_id.parse().unwrap();
        let hash = RequestHash::of("1.2.trigger", &resource_id);
        Wish {
            id: hash.candidate(0),
            hash,
            requester: "U0ANA".parse().unwrap(),
            machine: Machine {
                name: "VM3".parse().unwrap(),
                resource_id,
                private_address: IpAddr::from([10, 0, 0, 6]),
                public_address: None,
            },
            protocol: Protocol::Tcp,
            ports: Ports::new(vec![22, 3389]).unwrap(),
            ttl: Ttl::from_minutes(30).unwrap(),
            means: Means::Approval,
            justification: Some("*now* <!channel>".parse().unwrap()),
            moves: None,
            asked_at: Timestamp::from_unix(1_772_000_000),
            lapses_at: Timestamp::from_unix(1_772_003_600),
        }
    }

    #[test]
    fn who_does_not_see_the_blocks_hears_all_of_them() {
        let installation = "lab".parse().unwrap();
        let source = "203.0.113.0/24".parse().unwrap();
        let record = Record::asked(wish(), Some(source), 1).record;
        let card = card(&record, None, None, &installation, record.changed_at()).unwrap();
        assert!(card.text.starts_with("VM3 ports 22, 3389: waiting for approval. "), "{}", card.text);
        assert!(card.text.contains("Why: \u{201c}now &lt;!channel&gt;\u{201d}."), "{}", card.text);
        let mut seen = 0;
        for block in &card.blocks {
            let one = block.get("text").filter(|_| block["type"] == "section");
            let many = ["fields", "elements"].into_iter().filter_map(|name| block[name].as_array());
            let shown = one.into_iter().chain(many.flatten()).filter(|text| text["type"] == "mrkdwn");
            for text in shown.filter_map(|text| text["text"].as_str()) {
                let value = text.rsplit('\n').next().unwrap();
                assert!(card.text.contains(value), "{value} is not in {}", card.text);
                seen += 1;
            }
        }
        assert!(seen >= 9, "{seen} texts");
    }
}
