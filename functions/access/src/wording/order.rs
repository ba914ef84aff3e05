//! The message in the channel about an admin's order: what was found, what is offered, and what has become of it.

use super::machines::{enabled_ports, shut};
use super::*;
use crate::click::Action;
use crate::order::{Change, ClosingRule, Found, NotTaken, OFFERED_SECONDS, Order, Outcome, Reason, Shut};
use crate::request::Installation;

/// The most characters of a message that is updated (docs.slack.dev, `chat.update`, `msg_too_long`), with room to spare.
const LONGEST_TEXT: usize = 3_800;

/// The message about an order, as it stands at `now`.
pub fn order(order: &Order, installation: &Installation, now: Timestamp) -> Message {
    let (title, intro) = head(order);
    // What was seen before the order is not so any more once it is carried out.
    let is_fresh = order.yes.is_none();
    let mut found: Vec<String> = order.found.iter().filter_map(|found| found_line(found, is_fresh)).collect();
    if is_fresh && !found.is_empty() {
        found.insert(0, format!("As Ajar saw it at {}:", moment(order.offered_at)));
    }
    let rules: Vec<String> = order
        .rules
        .iter()
        .zip(&order.outcomes)
        .map(|(rule, outcome)| format!("• {}", rule_line(rule, outcome, order, installation)))
        .collect();
    let mut parts = vec![intro];
    parts.extend((!found.is_empty()).then(|| cut(&found)));
    parts.extend(plan(order, now));
    parts.extend((!rules.is_empty()).then(|| cut(&rules)));
    let mut blocks = vec![json!({"type": "header", "text": plain(&title)})];
    blocks.extend(parts.iter().map(|part| section(part)));
    let reference = format!("Ref {}", order.id);
    blocks.push(json!({"type": "context", "elements": [mrkdwn(&reference)]}));
    if is_offered(order, now) {
        blocks.push(button(order));
    }
    let text = format!("{title}. {} {reference}", parts.join("\n"));
    Message { text: text.chars().take(LONGEST_TEXT).collect(), blocks }
}

/// Lines that fit one section.
fn cut(lines: &[String]) -> String {
    const LONGEST: usize = 2_700;
    let mut text = String::new();
    for (told, line) in lines.iter().enumerate() {
        if text.chars().count() + line.chars().count() > LONGEST {
            text.push_str(&format!("… and {} more", lines.len() - told));
            break;
        }
        text.push_str(line);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

fn is_offered(order: &Order, now: Timestamp) -> bool {
    order.yes.is_none() && !order.rules.is_empty() && now.since(order.offered_at) <= OFFERED_SECONDS
}

fn head(order: &Order) -> (String, String) {
    let names: Vec<String> = order.found.iter().map(|found| found.name.to_string()).collect();
    let machines = listed(&names, "and");
    match &order.reason {
        Reason::Enabled { by } => (
            format!("JIT enabled: {machines}").chars().take(150).collect(),
            format!("{} has enabled JIT access.", mention(by)),
        ),
        Reason::Disabled { by } => (
            format!("JIT disabled: {machines}").chars().take(150).collect(),
            format!("{} has disabled JIT access. What was open by grants is being shut.", mention(by)),
        ),
        Reason::Missing => (
            format!("A closing rule is missing: {machines}").chars().take(150).collect(),
            "Somebody else has deleted or changed closing rules in Azure. Ajar restores nothing by itself."
                .to_owned(),
        ),
    }
}

fn found_line(found: &Found, is_fresh: bool) -> Option<String> {
    let ports = (!found.ports.is_empty()).then(|| enabled_ports(&found.ports));
    let state = match (&found.state, &ports) {
        _ if !is_fresh => None,
        (Shut::Missing, _) | (_, Some(_)) => Some(shut(found)),
        (_, None) => Some("nothing is enabled".to_owned()),
    };
    let said: Vec<String> = ports.into_iter().chain(state).collect();
    (!said.is_empty()).then(|| format!("• `{}`: {}", found.name, said.join("; ")))
}

/// What is to be done, or was.
fn plan(order: &Order, now: Timestamp) -> Option<String> {
    let count = order.rules.len();
    let rules =
        if count == 1 { "this closing rule".to_owned() } else { format!("these {count} closing rules") };
    if count == 0 {
        return None;
    }
    let what = match order.change {
        Change::Write => "write",
        Change::Remove => "remove",
    };
    Some(match (&order.yes, order.is_done()) {
        (None, _) if !is_offered(order, now) => {
            format!("Nobody has ordered to {what} {rules} within a day. Nothing was changed.")
        }
        (None, _) => match order.change {
            Change::Write => format!(
                "An admin can order {rules}: {} denies the ports to everybody, and grants stand before it. Rules of others stay as they are.",
                if count == 1 { "it" } else { "each" }
            ),
            Change::Remove => format!(
                "{} stands in Azure still. An admin can order to remove it: then whatever other rules allow is open again.",
                if count == 1 {
                    "This closing rule".to_owned()
                } else {
                    format!("Each of these {count} closing rules")
                }
            ),
        },
        (Some(yes), false) => {
            format!("{} has ordered at {} to {what} {rules}.", mention(&yes.by), moment(yes.at))
        }
        (Some(yes), true) => {
            format!("{} has ordered at {} to {what} {rules}. Done:", mention(&yes.by), moment(yes.at))
        }
    })
}

fn rule_line(rule: &ClosingRule, outcome: &Outcome, order: &Order, installation: &Installation) -> String {
    let nsg = word(rule.nsg.name());
    let port = if rule.ports.as_slice().len() == 1 { "port" } else { "ports" };
    let protocol = rule.protocol.to_string().to_uppercase();
    let what = format!("`{}` {port} {} ({protocol}) to `{}` in `{nsg}`", rule.name, rule.ports, rule.address);
    let name = rule.rule_name(installation);
    let became = match outcome {
        Outcome::Waiting if order.yes.is_some() => "is being done".to_owned(),
        Outcome::Waiting => return what,
        Outcome::Shut { priority } => {
            format!(
                "*shut* by `{name}`, priority {priority}: no rule of this group lets anybody in without a grant"
            )
        }
        Outcome::StillOpen { priority, by } => {
            format!(
                "`{name}` stands with priority {priority}, and the rule `{}` *still lets somebody in*",
                word(by)
            )
        }
        Outcome::Gone => format!("`{name}` is removed"),
        Outcome::NoRoom { before } => format!(
            "*not written*: no number is free before the rule `{}` that would leave room for grants. Move that rule to a higher number in Azure, then type `/jit enable {}` again",
            word(before),
            rule.name
        ),
        Outcome::Refused { code } => {
            format!("*not done*: Azure refuses it ({}). {}", word(code), remedy(code))
        }
        Outcome::Changed => {
            "*not done*: the machine, its address or its groups have changed since. Type `/jit enable` again"
                .to_owned()
        }
        Outcome::Unproven { why } => {
            format!("*not done*: the click does not prove it: {}. Order it anew", evidence(why))
        }
    };
    format!("{what}: {became}")
}

fn button(order: &Order) -> Value {
    let (text, style) = match order.change {
        Change::Write => ("Write the closing rules", "primary"),
        Change::Remove => ("Remove the closing rules", "danger"),
    };
    let action: Action = order.change.action();
    json!({
        "type": "actions",
        "block_id": format!("order-{}", order.id),
        "elements": [{
            "type": "button",
            "action_id": action.id(),
            "text": plain(text),
            "style": style,
            "value": format!("{}.{}", order.id, order.digest()),
            "accessibility_label": text,
        }],
    })
}

/// The sentence to somebody whose click on an offer changed nothing.
pub fn order_not_taken(why: &NotTaken) -> String {
    match why {
        NotTaken::Taken { by, at } => {
            format!("Too late: {} has ordered this at {}.", mention(by), moment(*at))
        }
        NotTaken::Lapsed => "This offer is older than a day. Type `/jit enable` again.".to_owned(),
    }
}
