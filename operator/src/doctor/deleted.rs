//! What the requests themselves tell: cards that do not arrive, and rules of ours that somebody else keeps deleting.

use super::Finding;
use crate::aws::Aws;
use access::lease::Timestamp;
use access::lifecycle::{Cause, Closure, Record, State};
use access::nsg::GRANT_BAND;
use access::request::ResourceId;
use edge::store::Loaded;
use std::collections::BTreeMap;

/// For how long back it is looked, in seconds: a week.
const LOOKED_BACK_SECONDS: u64 = 7 * 86_400;

/// After how many seconds a card should show what is so.
const SHOWN_SECONDS: u64 = 300;

/// Each finding.
pub(super) async fn look(aws: &Aws, now: Timestamp) -> Vec<Finding> {
    let read = match aws.store.every_request().await {
        Ok(read) => read,
        Err(error) => return vec![Finding::unknown("requests", error.to_string())],
    };
    let unreadable = read.iter().filter(|one| one.is_err()).count();
    let all: Vec<Loaded> = read.into_iter().filter_map(Result::ok).collect();
    let mut findings = vec![if unreadable == 0 {
        Finding::ok("requests", format!("{} in the table", all.len()))
    } else {
        Finding::wrong(
            "requests",
            format!("{unreadable} in the table cannot be read"),
            "`ajar export` names them; ask who can write the table",
        )
    }];
    findings.push(overdue(&all, now));
    findings.push(cards(&all, now));
    findings.extend(deleted(&all, now));
    findings
}

fn overdue(all: &[Loaded], now: Timestamp) -> Finding {
    let late = |loaded: &&Loaded| loaded.record.overdue_since(now).is_some_and(|since| now.since(since) > 60);
    let ids: Vec<String> =
        all.iter().filter(late).map(|loaded| loaded.record.wish().id.to_string()).collect();
    if ids.is_empty() {
        return Finding::ok("grants", "none is overdue");
    }
    Finding::wrong(
        "grants",
        format!("should be shut and are not: {}", ids.join(", ")),
        "run `ajar history` on each; `ajar shut --overdue` deletes their rules by your own login",
    )
}

fn cards(all: &[Loaded], now: Timestamp) -> Finding {
    let unshown = |loaded: &&Loaded| {
        let record = &loaded.record;
        loaded.shown.shown_version < record.version() && now.since(record.changed_at()) > SHOWN_SECONDS
    };
    let ids: Vec<String> =
        all.iter().filter(unshown).map(|loaded| loaded.record.wish().id.to_string()).collect();
    if !ids.is_empty() {
        return Finding::wrong(
            "Slack cards",
            format!("not up to date: {}", ids.join(", ")),
            "look into the log of `notify`; invite the app to the channel with /invite where it is not in it",
        );
    }
    let channels: std::collections::BTreeSet<&str> =
        all.iter().filter_map(|loaded| loaded.shown.channel.as_deref()).collect();
    if channels.is_empty() {
        return Finding::unknown(
            "Slack cards",
            "no card was posted yet, and Slack does not tell before whether one can be",
        );
    }
    let channels: Vec<&str> = channels.into_iter().collect();
    Finding::ok("Slack cards", format!("all up to date, in {}", channels.join(", ")))
}

/// Whether the rule of a grant was deleted by somebody else, lately.
fn vanished(record: &Record, now: Timestamp) -> bool {
    let (cause, at) = match record.state() {
        State::Closing(closing) => (Some(closing.cause()), closing.closing_at()),
        State::Closed(closed) => match closed.closure() {
            Closure::Ended(cause) => (Some(cause), closed.closed_at()),
            _ => (None, closed.closed_at()),
        },
        _ => return false,
    };
    cause == Some(&Cause::Vanished) && now.since(at) <= LOOKED_BACK_SECONDS
}

fn deleted(all: &[Loaded], now: Timestamp) -> Vec<Finding> {
    const SUBJECT: &str = "rules deleted by others";
    let mut groups: BTreeMap<String, (ResourceId, usize)> = BTreeMap::new();
    for plan in all.iter().filter(|one| vanished(&one.record, now)).filter_map(|one| one.record.plan()) {
        for rule in plan.rules() {
            groups.entry(rule.nsg.key()).or_insert_with(|| (rule.nsg.clone(), 0)).1 += 1;
        }
    }
    if groups.is_empty() {
        return vec![Finding::ok(SUBJECT, "none in the last 7 days")];
    }
    let found = groups.into_values().map(|(nsg, count)| Finding {
        snippet: Some(snippet(&nsg)),
        ..Finding::wrong(
            SUBJECT,
            format!("{count} grant(s) on the way through {nsg} in the last 7 days"),
            "where its owner manages the group with Terraform, give them these lines",
        )
    });
    found.collect()
}

/// What the owner of a group writes in their own Terraform.
fn snippet(nsg: &ResourceId) -> String {
    let (first, last) = (GRANT_BAND.start(), GRANT_BAND.end());
    let name = nsg.name();
    let label: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!(
        "# Best: each rule as an azurerm_network_security_rule of its own, and no `security_rule` block in the group.\n\
         # Then Terraform leaves rules of others alone. Keep out of the priorities {first} to {last}, which are Ajar's.\n\
         # Where the rules are blocks in the group, Terraform deletes whatever it does not know, unless it is told:\n\
         resource \"azurerm_network_security_group\" \"{label}\" {{\n  \
           name = \"{name}\"\n  \
           # ...\n  \
           lifecycle {{\n    \
             ignore_changes = [security_rule]\n  \
           }}\n\
         }}"
    )
}
