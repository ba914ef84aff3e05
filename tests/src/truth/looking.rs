//! What `/jit list` and `/jit show` claim.

use super::rules_of;
use super::template::find;
use serde_json::Value;

/// Each step of a history, as it is told.
const STEPS: &[&str] = &[
    "{user} asked for it.",
    "{user} asked to open it without approval (break-glass).",
    "Its requester confirmed {code} as the address to connect from.",
    "{user} approved it.",
    "{user} approved it, as number {any} of {any}.",
    "{user} went past approval (break-glass).",
    "Ajar planned its rule: number {any} in {codes}.",
    "Azure took no changes; Ajar put it off until {time}.",
    "Ajar saw its rule in place, and by Azure's rules it was open.",
    "Ajar began to shut it. The reason then: {any}",
    "Ajar tried to shut it, and that did not finish: {any} could still have let somebody in.",
    "Ajar saw that nobody was let in any more. {any} denied, because Azure refused to remove it.",
    "It lapsed: nobody had decided in time. Nothing was opened.",
    "Its requester took it back. Nothing was opened.",
    "{user} denied it. Nothing was opened.",
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
pub(super) fn without_history<'t>(text: &'t str, at: f64) -> (&'t str, Vec<String>) {
    let Some((card, history)) = text.split_once("\n*History*\n") else { return (text, vec![]) };
    (card, history.lines().flat_map(|line| step(line, at)).collect())
}

fn step(line: &str, at: f64) -> Vec<String> {
    if find(
        "… {any} lines more are too much for a message; whoever runs Ajar sees all of them with {code}",
        line,
    )
    .is_some()
    {
        return vec![];
    }
    let again = "• {time:past}: {any:step} The same {any} times, the last at {time:past}.";
    let found = find(again, line).or_else(|| find("• {time:past}: {any:step}", line));
    let Some(found) = found else { return vec![format!("a line that is not known ({line})")] };
    let step = found.first("step").unwrap_or_default();
    let mut wrong = super::past(&found, at);
    if !STEPS.iter().any(|known| find(known, step).is_some()) {
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
