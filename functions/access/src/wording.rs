//! Every sentence that a person can read, as Block Kit with its plain text.
//!
//! A sentence claims only what is true when it is sent. What a person wrote appears in `plain_text`,
//! and in a message's `text` in quotation marks without any mark of mrkdwn; what a person typed
//! wrongly is given back escaped, shortened and without backticks; what appears in `mrkdwn` was
//! checked to hold letters, digits and a few marks, and stands between backticks. Screen readers and
//! notifications say `text` and not the blocks, so it says everything.

use crate::build::Build;
use crate::command::{CommandError, EXAMPLE};
use crate::evidence::Unproven;
use crate::lease::Timestamp;
use crate::lifecycle::{Cause, Failure, NetworkFault};
use crate::machine::{Power, SeenMachine, Unfit};
use crate::policy::{NotAllowed, Rule, Who};
use crate::request::{
    Ask, MachineName, MachineQuery, Means, Ports, RequestId, Source, UserId, Wish, one_line,
};
use serde_json::{Value, json};

mod address;
mod asking;
mod boxes;
mod buttons;
mod card;
mod clicks;
mod direct;
mod ending;
mod failure;
mod frozen;
mod glass;
mod groups;
mod history;
mod lines;
mod list;
mod lockdown;
mod machines;
mod message;
mod moving;
mod news;
mod opens;
mod order;
mod orphan;
mod reminder;
mod thread;
mod why;

pub use address::{Page, address_broke, address_sent, asked_before_from, confirm_address, draft, not_sent};
pub use asking::{
    ASK_FORM, AskField, CHOOSE_FORM, ask_form, ask_problem, choose_form, form_above, form_answered,
    malformed, next_form, no_duration, no_port,
};
pub use boxes::{box_unknown, nothing_ticked};
pub use card::{Told, card};
pub use clicks::{ClickRefusal, refused_click};
pub use direct::direct;
pub use ending::{DENY_FORM, NotEnded, REASON, deny_form, ending, not_ended, reason_problem};
use failure::{ended, evidence, remedy};
pub use frozen::{approved_by_you, disowned, frozen, not_frozen, nothing_disowned, thawed, you_are_frozen};
pub use glass::{PassedBy, passed_by};
pub use groups::{doubted, groups_changed, groups_unread};
pub use history::{not_to_be_shown, shown, step_of};
pub use list::{approves_nothing, list, list_all, who_decides_unknown};
pub use lockdown::{LockdownTold, lifted, lockdown, locked_down, not_in_force, nothing_opens};
pub use machines::{
    DISABLE_FORM, ENABLE_FORM, admins_unknown, badge, cannot_enable, disable_form, enable_form, form_problem,
    form_refused, machines, machines_of, named_by_several, no_form, not_admin, not_found, nothing_enabled,
    nothing_enabled_here, too_many_for_a_form,
};
pub use moving::{NotMoved, not_moved};
pub use news::{Alarm, alarm};
pub use order::{order, order_not_taken};
pub use orphan::{OrphanTold, orphan};
pub use reminder::{Reminder, asked_again_before, not_yours_to_ask, reminder, reminder_at};
pub use thread::{steps_wait, thread};
pub use why::{InAzure, WhyNot, cannot_answer_later, looking, no_address, why_not};

/// A message: what screen readers and notifications say, and what is shown.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// The whole message as text.
    pub text: String,
    /// The same as Block Kit.
    pub blocks: Vec<Value>,
}

impl Message {
    /// One sentence.
    pub fn sentence(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { blocks: vec![section(&text)], text }
    }

    /// As the answer to a slash command, for the person alone.
    pub fn ephemeral(&self) -> Value {
        json!({"response_type": "ephemeral", "text": self.text, "blocks": self.blocks})
    }
}

fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": false})
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

/// A moment in each reader's own zone, with the time in UTC for those who cannot see it.
fn moment(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} at {{time_secs}}|{at}>", at.unix())
}

fn mention(user: &UserId) -> String {
    format!("<@{user}>")
}

fn whose(who: &Who) -> String {
    match who {
        Who::User(user) => mention(user),
        Who::Group(group) => format!("<!subteam^{group}>"),
        Who::Everybody => "everybody".to_owned(),
    }
}

/// The most of a list that is told: a policy may name any number of people, ports and addresses, and a
/// message that is too long is not shown at all.
const LISTED: usize = 12;

fn listed(items: &[String], last: &str) -> String {
    if items.len() > LISTED {
        let (told, rest) = items.split_at(LISTED - 1);
        return format!("{} {last} {} more", told.join(", "), rest.len());
    }
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., end] => format!("{} {last} {end}", most.join(", ")),
    }
}

fn people(who: &[Who]) -> String {
    listed(&who.iter().map(whose).collect::<Vec<_>>(), "or")
}

/// `VM3 port 22`, `VM3 ports 22, 3389`
fn place(wish: &Wish) -> String {
    format!("{} {} {}", wish.machine.name, by_number(wish, "port", "ports"), wish.ports)
}

/// The word that fits one port, or that for several.
fn by_number(wish: &Wish, one: &'static str, several: &'static str) -> &'static str {
    if wish.ports.as_slice().len() == 1 { one } else { several }
}

/// `VM3 port 22 from 203.0.113.7 for 30 minutes`
fn terms(ask: &Ask) -> String {
    terms_told(ask, moment)
}

/// As [`terms`]. `told`: how a moment is written.
fn terms_told(ask: &Ask, told: impl Fn(Timestamp) -> String) -> String {
    match &ask.wish.moves {
        Some(moves) => moving::terms(ask, moves, told),
        None => format!("{} from {} for {}", place(&ask.wish), ask.source, ask.wish.ttl),
    }
}

/// `/jit help`: fits one screen.
pub fn help(build: &Build) -> Message {
    Message::sentence(format!(
        "*Ajar* opens a port on a machine for you, from one address, for a while, after a colleague has approved.\n\
         • `{EXAMPLE}`\n\
         • `/jit` alone, or `/jit VM3`, opens a form\n\
         • `/jit VM3 22` uses the defaults of your policy for the address and the duration; without a default address you get a link to a page that sees yours\n\
         • two machines of one name: put the resource group in front, `/jit Contoso-IaaS/VM3 22`\n\
         • several ports: `/jit VM3 22,3389`; by name: `ssh`, `rdp`, `winrm`\n\
         • durations: `30m`, `2h`, `1h30m`\n\
         • without approval, where your policy lets you: `/jit VM3 22 break-glass because the database is down`\n\
         • end it early, or take it back: `/jit close VM3 22`; your address has changed: `/jit move VM3 22`\n\
         • which machines there are, and who is in: `/jit vms`\n\
         • your requests: `/jit list`; those that you can approve: `/jit list all`; one with its history: `/jit show 7F3K9-QXM2P`\n\
         • you cannot get in: `/jit why VM3 22`\n\
         • for admins: `/jit enable VM1 VM2`, `/jit edit VM1`, `/jit disable VM1`; in an emergency `/jit lockdown`, later `/jit lift`; after a *Not me* `/jit unfreeze U012ABCDEF`\n\
         When it ends the port shuts by itself. Sessions that are open then are not cut.\n\
         _Version {build}_"
    ))
}

/// The answer to a command that was recorded.
pub fn asked(ask: &Ask, rule: &Rule) -> Message {
    let wish = &ask.wish;
    match wish.means {
        Means::BreakGlass => return glass::asked(ask, rule),
        Means::OwnMove => return moving::asked(ask),
        Means::Approval => {}
    }
    let how_many = if rule.approvals() > 1 { format!("{} of ", rule.approvals()) } else { String::new() };
    Message::sentence(format!(
        "You asked for {}. {how_many}{} can approve it. If nobody decides by {}, it lapses. Ref {}",
        terms(ask),
        people(rule.approvers()),
        moment(wish.lapses_at),
        wish.id
    ))
}

/// The answer to a command equal to one that still waits or is open.
pub fn asked_before(wish: &Wish, status: &str) -> Message {
    Message::sentence(format!(
        "You asked for {} already, at {}; that request {}. Ref {}",
        place(wish),
        moment(wish.asked_at),
        standing(status),
        wish.id
    ))
}

/// How a request stands that waits or is open.
fn standing(status: &str) -> &'static str {
    match status {
        "PENDING" => "waits for a decision",
        "OPEN" => "is open",
        _ => "is being opened",
    }
}

/// A request from nowhere, neither typed nor in the policy, where no link to the page can be given.
pub fn no_source(name: &MachineName, query: &MachineQuery, ports: &Ports) -> Message {
    Message::sentence(format!(
        "From which address will you connect to {name}? Add the one that the Internet sees: `/jit {query} {} from 203.0.113.7`.",
        typed(ports)
    ))
}

/// Ports as they are typed: without spaces.
fn typed(ports: &Ports) -> String {
    ports.to_string().replace(' ', "")
}

/// What follows where the machine list may be out of date.
const LOOKS_AGAIN: &str = "Ajar looks again now and tells you what it finds.";

/// A machine that cannot be opened as `discover` saw it last. `source` is where the connection would
/// come from, where that is known; `looks_again`: `discover` was asked to look again and to say what it finds.
pub fn unfit(machine: &SeenMachine, why: &Unfit, source: Option<&Source>, looks_again: bool) -> Message {
    let name = &machine.name;
    let seen = moment(machine.seen_at);
    let sentence = match why {
        Unfit::Gone { at } => {
            format!("{name} does not exist any more in Azure; that was seen at {}.", moment(*at))
        }
        Unfit::Off { power } => {
            format!(
                "{name} was {} when Ajar looked at {seen}. Start it in Azure, then ask again.",
                off(*power)
            )
        }
        Unfit::Unshielded => {
            format!(
                "Nothing shields {name}: it is already open. No network security group was on the way to it when Ajar looked at {seen}."
            )
        }
        Unfit::OtherFamily { has_ipv4 } => {
            let (has, example) = if *has_ipv4 { ("IPv4", "203.0.113.7") } else { ("IPv6", "2001:db8::7") };
            let not = source.map_or_else(String::new, |source| format!(", and `{source}` is not"));
            return Message::sentence(format!(
                "{name} is reached by {has} only{not}. Type your {has} address: `from {example}`."
            ));
        }
        Unfit::NoAddress => format!("{name} had no network address when Ajar looked at {seen}."),
    };
    Message::sentence(if looks_again { format!("{sentence} {LOOKS_AGAIN}") } else { sentence })
}

/// The word for a machine that does not run.
const fn off(power: Power) -> &'static str {
    match power {
        Power::Deallocated => "deallocated",
        Power::Stopped | Power::Running | Power::Unknown => "stopped",
    }
}

/// No machine of that name. `looks_again`: `discover` was asked to look again and to say what it finds.
pub fn no_such_machine(query: &MachineQuery, near: &[String], looks_again: bool) -> Message {
    let hint = if near.is_empty() { String::new() } else { format!(" Did you mean {}?", listed(near, "or")) };
    let next = if looks_again { LOOKS_AGAIN } else { "Ask an admin whether Ajar knows its subscription." };
    Message::sentence(format!("There is no machine `{query}` here.{hint} {next}"))
}

/// Several machines of that name: each as it can be typed.
pub fn ambiguous(query: &MachineQuery, spelled: &[MachineQuery], ports: &Ports) -> Message {
    let lines: Vec<String> = spelled.iter().map(|one| format!("`/jit {one} {}`", typed(ports))).collect();
    Message::sentence(format!("There are several machines `{query}`. Type {}.", listed(&lines, "or")))
}

/// What `discover` found when it was asked to look again: the machine, and why it still cannot be opened.
pub fn looked_again(query: &MachineQuery, ports: &Ports, found: &LookedAgain) -> String {
    let again = format!("`/jit {query} {}`", typed(ports));
    match found {
        LookedAgain::Fit => {
            format!("Ajar has looked again: {query} can be asked for now. Type {again} again.")
        }
        LookedAgain::Unfit(sentence) => format!("Ajar has looked again. {sentence}"),
        LookedAgain::NoAnswer => {
            format!("Ajar could not look again: Azure did not answer. Type {again} again in a few minutes.")
        }
    }
}

/// What came of looking again for a machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookedAgain {
    /// It can be asked for.
    Fit,
    /// It cannot, for the reason that this sentence gives.
    Unfit(String),
    /// Azure did not answer.
    NoAnswer,
}

/// What the policy does not let, and who or what would be let.
pub fn not_allowed(why: &NotAllowed, rule: Option<&Rule>) -> Message {
    Message::sentence(match why {
        NotAllowed::Machine { machine } => {
            format!(
                "No rule of the policy is about `{machine}`, so nobody can ask for it. Ask an admin to add one.",
                machine = word(machine)
            )
        }
        NotAllowed::Requester { .. } => {
            let who = rule.map(|rule| people(rule.requesters())).unwrap_or_default();
            format!("You may not ask for this machine; {who} may.")
        }
        NotAllowed::Port { port, offered, .. } => {
            let offered: Vec<String> = offered.iter().map(u16::to_string).collect();
            format!(
                "Port {port} is not offered on this machine; {} can be asked for.",
                listed(&offered, "and")
            )
        }
        NotAllowed::Duration { longest, .. } => {
            format!(
                "That is longer than allowed; the longest here is {longest}. Type `for {}m` or less.",
                longest.minutes()
            )
        }
        NotAllowed::Source { source_prefix, allowed, .. } => {
            let allowed: Vec<String> = allowed.iter().map(Source::to_string).collect();
            format!(
                "`{source_prefix}` is not among the addresses that may be let in here; these are: {}.",
                listed(&allowed, "and")
            )
        }
        NotAllowed::Justification { .. } => {
            "This machine wants a reason. Add it at the end: `because patching`.".to_owned()
        }
        NotAllowed::NotEnabled { .. } => {
            "Nothing is enabled on this machine. Ask an admin to type `/jit enable` with its name.".to_owned()
        }
        NotAllowed::BreakGlass { .. } => glass::not_allowed(rule),
        NotAllowed::NobodyCouldApprove { needed, available, .. } => {
            let who = rule.map(|rule| people(rule.approvers())).unwrap_or_default();
            let are = if *available == 1 { "is" } else { "are" };
            format!(
                "Too few people could approve this: it takes {needed} besides you, and there {are} {available}. The policy names {who}; ask an admin to name more. Nothing was recorded."
            )
        }
    })
}

/// Something broke on our side, or took too long. What was asked may or may not be recorded; the
/// same again is not recorded twice.
pub fn broke(reference: &str) -> Message {
    Message::sentence(format!(
        "Something broke on our side. Type it again in a minute: the same request is not made twice. Ref {}",
        word(reference)
    ))
}

/// A command for another workspace or app than this installation serves.
pub fn other_app() -> Message {
    Message::sentence("This app is not set up for this workspace. Ask whoever installed Ajar.")
}

/// A command that could not be understood.
pub fn misunderstood(why: &CommandError) -> Message {
    let mut sentence = capital(&why.to_string());
    if !sentence.ends_with('?') {
        sentence.push('.');
    }
    Message::sentence(escaped(&sentence))
}

fn capital(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// The three characters with which Slack's markup begins and ends, between backticks too
/// (docs.slack.dev, "Formatting message text", escaping).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A name that Azure gave, safe between backticks: rules of others may be called anything.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_. /:@".contains(*c)).take(120).collect()
}

/// What a person wrote, within a text that is read as mrkdwn: without the marks that could make it
/// anything but text, without the quotation marks that show where it ends, and on one line that reads as it is written.
fn quoted(text: &str) -> String {
    let text = one_line(text);
    let text: String = text.chars().filter(|c| !"*_~`\u{201c}\u{201d}".contains(*c)).collect();
    format!("\u{201c}{}\u{201d}", escaped(&text))
}

#[cfg(test)]
mod tests;
