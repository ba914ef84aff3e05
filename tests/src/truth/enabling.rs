//! What the list of machines and the messages about admins' orders claim.

use super::template::find;
use serde_json::Value;

/// How such a text begins.
const BEGINNINGS: [&str; 4] =
    ["*Configured*", "JIT enabled: ", "JIT disabled: ", "A closing rule is missing: "];

/// What a line claims of the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum LineClaim {
    /// This rule of this group denies everybody, with this priority.
    Denies { rule: String, group: String, priority: String },
    /// This rule of this group is gone.
    Gone { rule: String, group: String },
    /// This rule of this group allows.
    Allows { rule: String, group: String },
    /// A wording that is not known.
    Unknown(String),
}

/// Every line that may stand in such a text after its title, with what it claims.
const LINES: [&str; 32] = [
    "*Configured*: nothing is enabled yet",
    "*Configured* ({any})",
    "*Recommended*: none",
    "*Recommended* ({any})",
    "*Unsupported*: none",
    "*Unsupported* ({any})",
    "• {code} in {code}: {any} up to {any}; approved by {any}; {any}",
    "• {code} in {code}: {any} up to {any}; no rule of the policy is about it, so nobody can ask; {any}",
    "• {code} in {code}: {any} open {any} by the rule {code} in {code}",
    "• {code} in {code}: shielded, not enabled",
    "• {code} in {code}: a group on its way cannot be read, not enabled",
    "• {code} in {code}: no network security group is on its way",
    "• {code} in {code}: it has no network address",
    "• {code} in {code}: it is deallocated; start it in Azure first",
    "As Ajar saw them at {time:past}. Admins enable a machine with {code}, change what is enabled with {code}, and take it back with {code}.",
    "To enable several at once, tick {any} and press *Enable JIT on the ticked machines*. The boxes: {any}.",
    "{any}. {user} has enabled JIT access.",
    "{any}. {user} has disabled JIT access. What was open by grants is being shut.",
    "{any}. Somebody else has deleted or changed closing rules in Azure. Ajar restores nothing by itself.",
    "As Ajar saw it at {time:past}:",
    "• {code}: {any} up to {any}",
    "• {code}: nothing is enabled",
    "• {code}: a closing rule is missing or was changed, so it may be open",
    "An admin can order this closing rule: it denies the ports to everybody, and grants stand before it. Rules of others stay as they are.",
    "An admin can order {any}: each denies the ports to everybody, and grants stand before it. Rules of others stay as they are.",
    "{any} stands in Azure still. An admin can order to remove it: then whatever other rules allow is open again.",
    "Nobody has ordered to {any} within a day. Nothing was changed.",
    "{user} has ordered at {time:past} to {any}.",
    "{user} has ordered at {time:past} to {any}. Done:",
    "• {code} {any} to {code} in {code}",
    "• {code} {any} to {code} in {code}: is being done",
    "• {code} {any} to {code} in {code}: *not {any}",
];

/// The claims of a text that is about machines or an order; `None` where it is about something else.
pub(super) fn claims(text: &str) -> Option<Vec<LineClaim>> {
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)).then_some(())?;
    let text = text.rsplit_once(" Ref ").map_or(text, |(said, _)| said);
    let is_offer = text.contains("As Ajar saw it at");
    Some(text.lines().flat_map(|line| line_claims(line, is_offer)).collect())
}

/// Whether what a text says beside the sections of a message names each check box of it, and nothing else.
pub(super) fn boxes_are_told(blocks: &[Value], rest: &str) -> bool {
    let options = blocks.iter().filter_map(|block| block["accessory"]["options"].as_array()).flatten();
    let words = |text: &Value| text["text"].as_str().unwrap_or_default().to_owned();
    let spelled: Vec<String> = options
        .map(|option| {
            let place = words(&option["description"]);
            format!("`{}/{}`", place.trim_start_matches("in "), words(&option["text"]))
        })
        .collect();
    let told = match spelled.split_last() {
        None => String::new(),
        Some((last, [])) => format!(" The boxes: {last}."),
        Some((last, others)) => format!(" The boxes: {} and {last}.", others.join(", ")),
    };
    rest == told
}

fn line_claims(line: &str, is_offer: bool) -> Vec<LineClaim> {
    const SHUT: &str = "• {code} {any} to {code} in {code:group}: *shut* by {code:rule}, priority {any:priority}: no rule of this group lets anybody in without a grant";
    const GONE: &str = "• {code} {any} to {code} in {code:group}: {code:rule} is removed";
    const STILL: &str = "• {code} {any} to {code} in {code:group}: {code:ours} stands with priority {any:priority}, and the rule {code:rule} *still lets somebody in*";
    const OPEN: &str =
        "• {code}: {any} up to {any}; {any} open {any} by the rule {code:rule} in {code:group}: *not shut*";
    let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
    if let Some(found) = find(SHUT, line) {
        let (rule, group) = (owned(found.first("rule")), owned(found.first("group")));
        return vec![LineClaim::Denies { rule, group, priority: owned(found.first("priority")) }];
    }
    if let Some(found) = find(GONE, line) {
        return vec![LineClaim::Gone {
            rule: owned(found.first("rule")),
            group: owned(found.first("group")),
        }];
    }
    if let Some(found) = find(STILL, line) {
        let group = owned(found.first("group"));
        let priority = owned(found.first("priority"));
        let ours = LineClaim::Denies { rule: owned(found.first("ours")), group: group.clone(), priority };
        return vec![ours, LineClaim::Allows { rule: owned(found.first("rule")), group }];
    }
    if let Some(found) = find(OPEN, line) {
        let (rule, group) = (owned(found.first("rule")), owned(found.first("group")));
        return if is_offer { vec![LineClaim::Allows { rule, group }] } else { vec![] };
    }
    if LINES.iter().any(|known| find(known, line).is_some()) {
        return vec![];
    }
    vec![LineClaim::Unknown(line.to_owned())]
}

impl LineClaim {
    /// Why it is not so.
    pub(super) fn untrue(&self, network: &Value) -> Option<String> {
        let rule = |group: &str, name: &str| {
            let groups = network["nsgs"].as_array()?;
            let group = groups.iter().find(|one| one["name"] == group)?;
            group["rules"].as_array()?.iter().find(|one| one["name"] == name)
        };
        match self {
            Self::Denies { rule: name, group, priority } => {
                let is_so = rule(group, name).is_some_and(|rule| {
                    rule["access"] == "Deny"
                        && rule["source"] == "*"
                        && priority.parse::<u64>().is_ok_and(|priority| rule["priority"] == priority)
                        && rule["provisioning_state"] == "Succeeded"
                });
                (!is_so).then(|| format!("{name} does not deny everybody in {group} with {priority}"))
            }
            Self::Gone { rule: name, group } => {
                rule(group, name).is_some().then(|| format!("{name} is still in {group}"))
            }
            Self::Allows { rule: name, group } => {
                let is_so = rule(group, name).is_some_and(|rule| rule["access"] == "Allow");
                (!is_so).then(|| format!("no rule {name} allows in {group}"))
            }
            Self::Unknown(line) => Some(format!("a line that is not known ({line})")),
        }
    }
}
