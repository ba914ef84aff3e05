//! What `/jit list`, `/jit show` and `/jit why` claim, and the steps in the thread of a card.

use super::rules_of;
use super::template::find;
use serde_json::Value;
use std::collections::BTreeMap;

/// Each step of a history, as it is told.
const STEPS: &[&str] = &[
    "{user} asked for it.",
    "{user} asked to open it without approval (break-glass).",
    "Its requester confirmed {code} as the address to connect from.",
    "{user} approved it.",
    "{user} approved it, as number {any} of {any}.",
    "{user} went past approval (break-glass).",
    "{user} moved it without another approval.",
    "Ajar planned its rule: number {any} in {codes}.",
    "Azure took no changes; Ajar put it off until {time}.",
    "Ajar saw its rule in place, and by Azure's rules it was open.",
    "Ajar began to shut it. The reason then: {any}",
    "Ajar tried to shut it, and that did not finish: {any} could still have let somebody in.",
    "Ajar saw that nobody was let in any more. {any} denied, because Azure refused to remove it.",
    "It lapsed: nobody had decided in time. Nothing was opened.",
    "Its requester took it back. Nothing was opened.",
    "{user} denied it. Nothing was opened.",
    "{user} denied it: {any}. Nothing was opened.",
    "{user} said that the approval in their name is not theirs. Nothing was opened.",
    "It was over: Ajar saw that no rule of it was left in Azure.",
    "Ajar removed its rule again, which a delayed write in Azure had brought back.",
    "A delayed write in Azure brought its rule back, and Azure refused to remove it.",
    "Ajar had looked for late rules of it for long enough, and stopped.",
];

/// What a line of a list claims of the network.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Nothing that the network could contradict.
    Nothing,
    /// No rule of the request exists.
    NoRule,
    /// A rule of it lets somebody in.
    RuleStands,
}

/// How the lines of a list may begin, after the machine and its ports.
const STANDINGS: &[(&str, Claim)] = &[
    ("{place}: waiting for approval{any:rest}, lapses at {time}", Claim::NoRule),
    ("{place}: waiting for approval{any:rest}, lapsed at {time:past}", Claim::NoRule),
    ("{place}: not opened yet{any:rest}, lapses at {time}", Claim::NoRule),
    ("{place}: not asked yet{any:rest}, lapses at {time}", Claim::NoRule),
    ("{place} is open{any:rest}, until {time:future}", Claim::RuleStands),
    ("{place}: approved, {any}, from {code}, until {time}", Claim::Nothing),
    ("{place}: break-glass, {any}, from {code}, until {time}", Claim::Nothing),
    ("{place}: closing{any:rest}, until {time}", Claim::Nothing),
    ("{place}: closing{any:rest}, being shut since {time:past}", Claim::Nothing),
    ("{place} should be shut and is not{any:rest}, being shut since {time:past}", Claim::RuleStands),
    ("{place} should be shut and is not{any:rest}, ended at {time:past}", Claim::RuleStands),
    ("{place} may still be open{any:rest}, being shut since {time:past}", Claim::Nothing),
    ("{place}: grant shut, rule not yet removed{any:rest}, being shut since {time:past}", Claim::Nothing),
    ("{place} is shut{any:rest}, ended at {time:past}", Claim::NoRule),
    ("{place} was shut{any:rest}, ended at {time:past}", Claim::NoRule),
    ("{place}: the grant has ended{any:rest}, ended at {time:past}", Claim::NoRule),
    ("{place}: not opened{any:rest}, ended at {time:past}", Claim::NoRule),
    ("{place}: lapsed{any:rest}, ended at {time:past}", Claim::NoRule),
    ("{place}: taken back{any:rest}, ended at {time:past}", Claim::NoRule),
    ("{place}: denied{any:rest}, ended at {time:past}", Claim::NoRule),
];

/// The other lines of a list.
const FRAME: &[&str] = &[
    "*Waiting*: none",
    "*Waiting* ({any})",
    "… and {any} more that lapse later",
    "*Open, being opened or being shut*: none",
    "*Open, being opened or being shut* ({any})",
    "… and {any} more that end later",
    "*Ended in the last 7 days*: none",
    "*Ended in the last 7 days* ({any})",
    "… and {any} more that ended earlier",
    "{code} and a reference tells all of a request.",
    "This is about what waits or is open on machines that you can approve for. {code} and a reference tells all of a request.",
    "This is about what waits or is open on any machine. {code} and a reference tells all of a request.",
];

/// The card within the answer to `/jit show`, and what is wrong with the history behind it.
pub(super) fn without_history(text: &str, at: f64) -> (&str, Vec<String>) {
    let Some((card, history)) = text.split_once("\n*History*\n") else { return (text, vec![]) };
    (card, history.lines().flat_map(|line| step(line, at, &[])).collect())
}

/// What other hands did to the rule of a grant, as only the thread of its card says it.
const ASIDES: &[&str] = &[
    "Somebody else changed the rule {code} while {place} was open. It is not set right but shut. Who still needs it asks again.",
    "Somebody else deleted the rule {code} while {place} was open; a tool that writes the whole security group does that, too. It is not written again. Who still needs it asks again.",
    "While {place} was open, the rule {code} came before the rule {code} and decides. It may have let nobody in, and was ended. Who still needs it asks again.",
    "While {place} was open, the way to {any} changed: its address, or a security group on it. The rule {code} may have let nobody in, and was ended. Who still needs it asks again.",
];

/// What is wrong with the steps in the thread of a card; `None` where the text is none. `told`: for each request the
/// lines that its thread has, in which this one's are put.
pub(super) fn thread(text: &str, at: f64, told: &mut BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    let (title, rest) = text.split_once('\n')?;
    find("*{place}, step by step*", title)?;
    let Some((lines, id)) = rest.rsplit_once("\nRef ") else {
        return Some(vec!["it does not say of which request".to_owned()]);
    };
    let before = told.entry(id.to_owned()).or_default();
    let moment = |line: &str| find("• {time:at}: {any}", line)?.time("at");
    let mut wrong = vec![];
    for line in lines.lines() {
        wrong.extend(step(line, at, ASIDES));
        let last = before.iter().rev().find_map(|line| moment(line));
        // Who was killed before they had noted it tells it once more.
        if last > moment(line) && !before.iter().any(|known| known == line) {
            wrong.push(format!("it comes after what was later ({line})"));
        }
        before.push(line.to_owned());
    }
    Some(wrong)
}

/// `more`: steps that are known besides.
fn step(line: &str, at: f64, more: &[&str]) -> Vec<String> {
    if find("… {any} too much for a message; whoever runs Ajar sees all of them with {code}", line).is_some()
    {
        return vec![];
    }
    let again = "• {time:past}: {any:step} The same {any} times, the last at {time:past}.";
    let found = find(again, line).or_else(|| find("• {time:past}: {any:step}", line));
    let Some(found) = found else { return vec![format!("a line that is not known ({line})")] };
    let step = found.first("step").unwrap_or_default();
    let mut wrong = super::past(&found, at);
    if !STEPS.iter().chain(more).any(|known| find(known, step).is_some()) {
        wrong.push(format!("a step that is not known ({step})"));
    }
    wrong
}

/// What is wrong with a list; `None` where the text is none.
pub(super) fn list(text: &str, network: &Value, at: f64) -> Option<Vec<String>> {
    text.starts_with("*Waiting*").then(|| text.lines().flat_map(|line| listed(line, network, at)).collect())
}

fn listed(line: &str, network: &Value, at: f64) -> Vec<String> {
    if FRAME.iter().any(|known| find(known, line).is_some()) {
        return vec![];
    }
    let apart = line.strip_prefix("• ").and_then(|line| line.rsplit_once(". Ref "));
    let known = apart.and_then(|(said, id)| {
        let (found, claim) =
            STANDINGS.iter().find_map(|(known, claim)| Some((find(known, said)?, *claim)))?;
        Some((found, claim, id))
    });
    let Some((found, claim, id)) = known else { return vec![format!("a line that is not known ({line})")] };
    let mut wrong = super::past(&found, at);
    wrong.extend(
        found.times("future").iter().filter(|time| **time <= at).map(|time| format!("{time} is over")),
    );
    wrong.extend(stands(claim, network, id));
    wrong
}

/// Why a claim about the rules of a request is not so.
fn stands(claim: Claim, network: &Value, id: &str) -> Option<String> {
    let rules = rules_of(network, id);
    match claim {
        Claim::NoRule if !rules.is_empty() => Some(format!("a rule of {id} exists")),
        Claim::RuleStands if !rules.iter().any(|(_, rule)| rule["access"] == "Allow") => {
            Some(format!("no rule of {id} lets anybody in"))
        }
        _ => None,
    }
}

/// Every line of the answer to `/jit why`.
const WHY_NOT: &[(&str, Claim)] = &[
    ("• You have a grant from {code} until {time:future}", Claim::RuleStands),
    (
        "• Your grant lets in {code} and no other address. If you come from another one now, type {code}",
        Claim::RuleStands,
    ),
    ("• Your request waits for a decision until {time}; nothing is open before that", Claim::NoRule),
    ("• Your request waits until {time} for the address that you come from", Claim::NoRule),
    ("• Your request is being opened; its card says when the rule is in place", Claim::Nothing),
    ("• Your grant is being shut. Type {code} to ask again", Claim::Nothing),
    ("• You have no grant for it now. Type {code}.", Claim::Nothing),
    (
        "• Azure did not say how the machine and its rules stand now. Type {code} again in a minute.",
        Claim::Nothing,
    ),
    (
        "• The machine's private address has changed since Ajar last looked. Type the same again in a quarter of an hour.",
        Claim::Nothing,
    ),
    ("• The machine does not exist any more in Azure.", Claim::Nothing),
    ("• Nothing shields the machine: it is already open.", Claim::Nothing),
    ("• {any} does not exist any more in Azure; that was seen at {time:past}.", Claim::Nothing),
    ("• {any} is reached by {any} only, and {code} is not. Type your {any} address: {code}.", Claim::Nothing),
    ("• The machine is deallocated: nobody can connect. Start it in Azure.", Claim::Nothing),
    ("• The machine is stopped: nobody can connect. Start it in Azure.", Claim::Nothing),
    ("• The machine runs.", Claim::Nothing),
    (
        "• From where you come is not known, so the rules cannot be judged. Type {code} and the address that the Internet sees.",
        Claim::Nothing,
    ),
    (
        "• Whether Azure's rules let {code} in cannot be told: it hangs on the rule {code} in {code}. Ask whoever runs the network about it.",
        Claim::Nothing,
    ),
    (
        "• Network Watcher, Azure's own check, is asked only when a grant opens and when it is shut.",
        Claim::Nothing,
    ),
];

const LET_IN: &str = "• By Azure's rules {code:source} is let in, by the rule {any}. It can take a minute or two until that is felt; then ask whoever runs the machine or the network: the machine's own firewall, another firewall or a network manager may stand in the way.";
const NOT_LET_IN: &str =
    "• By Azure's rules {code:source} is not let in: the rule {code} in {code} denies. {any:next}";

/// What is wrong with the answer to `/jit why`; `None` where the text is none.
pub(super) fn why_not(text: &str, network: &Value, at: f64) -> Option<Vec<String>> {
    let (title, rest) = text.split_once('\n')?;
    let title = find("*{any:machine} port{any:ports}*, as Ajar saw it at {time:past}:", title)?;
    let mut wrong = super::past(&title, at);
    let ports = title.first("ports").unwrap_or_default();
    let ports = ports.split(" from ").next().unwrap_or_default().trim_start_matches('s');
    let machine = title.first("machine").unwrap_or_default().rsplit('/').next().unwrap_or_default();
    for line in rest.lines() {
        let (said, id) = line.rsplit_once(". Ref ").unwrap_or((line, ""));
        let known = WHY_NOT.iter().find_map(|(known, claim)| Some((find(known, said)?, *claim)));
        if let Some((found, claim)) = known {
            wrong.extend(super::past(&found, at));
            wrong.extend(stands(claim, network, id));
            continue;
        }
        let (found, expected) = match (find(LET_IN, line), find(NOT_LET_IN, line)) {
            (Some(found), _) => (found, true),
            (_, Some(found)) => (found, false),
            _ => {
                wrong.push(format!("a line that is not known ({line})"));
                continue;
            }
        };
        let source = found.first("source").unwrap_or_default();
        wrong.extend(
            let_in(network, machine, ports, source).into_iter().filter(|lets| *lets != expected).map(
                |lets| format!("{source} is {}let in to {machine} {ports}", if lets { "" } else { "not " }),
            ),
        );
    }
    Some(wrong)
}

/// Whether Azure's rules let a source in, for each of the ports that the machine serves, where it is a known client.
fn let_in(network: &Value, machine: &str, ports: &str, source: &str) -> Vec<bool> {
    const CLIENTS: [&str; 2] = ["203.0.113.7", "198.51.100.9"];
    let machines = network["machines"].as_array().into_iter().flatten();
    let named =
        machines.filter(|one| one["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(machine)));
    let wanted: Vec<&str> = ports.split(',').map(str::trim).collect();
    let served = named.flat_map(|one| one["ports"].as_array().into_iter().flatten());
    let served = served.filter(|port| wanted.contains(&port["port"].to_string().as_str()));
    let served = served.filter(|_| CLIENTS.contains(&source));
    served
        .map(|port| port["allows"].as_array().is_some_and(|all| all.iter().any(|one| one == source)))
        .collect()
}
