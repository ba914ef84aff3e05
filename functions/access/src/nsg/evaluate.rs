//! Which rule decides a flow.

use super::cover::{Covered, cover, everybody};
use super::rule::{Match, PortSpan, Provisioning, Rule, RuleProtocol, Scope};
use super::{DENY_ALL, Flow};
use crate::drive::{Access, Verdict};
use crate::request::RuleName;
use ipnet::IpNet;
use std::sync::LazyLock;

/// What the rules of one group do with the flow, and which one decides. The default rules count also
/// where `rules` does not list them: every group has them.
pub fn evaluate(rules: &[Rule], flow: &Flow) -> Verdict {
    from(&in_order(rules), &[flow.source.prefix()], flow)
}

/// What the groups on a way do with the flow together: each must let it pass. Gives the first that
/// denies, else the first that leaves it open, else the first that allows. Without any group all passes,
/// which is not a verdict of a rule: `None`.
pub fn together<'a>(groups: impl IntoIterator<Item = &'a Verdict> + Clone) -> Option<&'a Verdict> {
    let denies = groups.clone().into_iter().find(|verdict| matches!(verdict, Verdict::Denied { .. }));
    let unclear = groups.clone().into_iter().find(|verdict| matches!(verdict, Verdict::Unclear { .. }));
    denies.or(unclear).or_else(|| groups.into_iter().next())
}

/// The rule of this group that lets everybody on the Internet through to the flow's ports, evaluated
/// without the rule `own`. `None` where that is not so, or cannot be told. The port is open to everybody
/// where that is so in every group on the way.
pub fn open_to_everyone(rules: &[Rule], flow: &Flow, own: &RuleName) -> Option<String> {
    let own = own.to_string();
    let others: Vec<&Rule> =
        in_order(rules).into_iter().filter(|rule| !rule.name.eq_ignore_ascii_case(&own)).collect();
    match from(&others, &everybody(flow.destination.is_ipv4()), flow) {
        Verdict::Allowed { by } => Some(by),
        Verdict::Denied { .. } | Verdict::Unclear { .. } => None,
    }
}

/// Whether these rules let everybody on the Internet through to the flow's ports, wherever the flow comes from.
pub(super) fn lets_everybody_in(rules: &[&Rule], flow: &Flow) -> bool {
    matches!(from(rules, &everybody(flow.destination.is_ipv4()), flow), Verdict::Allowed { .. })
}

/// The rules that every group ends with (learn.microsoft.com, network-security-groups-overview).
static DEFAULTS: LazyLock<[Rule; 3]> = LazyLock::new(|| {
    let rule = |name: &str, priority, access, source, destination| Rule {
        name: name.to_owned(),
        priority,
        access,
        protocol: RuleProtocol::Any,
        sources: vec![source],
        source_ports: vec![PortSpan::ANY],
        destinations: vec![destination],
        destination_ports: vec![PortSpan::ANY],
        provisioning: Provisioning::Succeeded,
        description: String::new(),
    };
    [
        rule("AllowVnetInBound", 65_000, Access::Allow, Scope::VirtualNetwork, Scope::VirtualNetwork),
        rule("AllowAzureLoadBalancerInBound", 65_001, Access::Allow, Scope::AzureLoadBalancer, Scope::Any),
        rule(DENY_ALL, 65_500, Access::Deny, Scope::Any, Scope::Any),
    ]
});

/// As they are processed; the default rules that are not listed are added.
fn in_order(rules: &[Rule]) -> Vec<&Rule> {
    let listed = |default: &Rule| rules.iter().any(|rule| rule.priority == default.priority);
    let mut all: Vec<&Rule> = rules.iter().chain(DEFAULTS.iter().filter(|rule| !listed(rule))).collect();
    all.sort_by_key(|rule| rule.priority);
    all
}

/// For all of these sources and all ports of the flow.
fn from(rules: &[&Rule], sources: &[IpNet], flow: &Flow) -> Verdict {
    let ports = flow.ports.as_slice().iter();
    let verdicts: Vec<Verdict> = ports.map(|port| of_port(rules, sources, flow, *port)).collect();
    let all = |is: fn(&Verdict) -> bool| verdicts.iter().all(is);
    let decided =
        all(|v| matches!(v, Verdict::Allowed { .. })) || all(|v| matches!(v, Verdict::Denied { .. }));
    let unclear = verdicts.iter().find(|v| matches!(v, Verdict::Unclear { .. }));
    match (decided, unclear, verdicts.first()) {
        (true, _, Some(first)) | (false, Some(first), _) => first.clone(),
        (_, _, Some(Verdict::Allowed { by } | Verdict::Denied { by } | Verdict::Unclear { by })) => {
            Verdict::Unclear { by: by.clone() }
        }
        (_, _, None) => Verdict::Denied { by: DENY_ALL.to_owned() },
    }
}

fn of_port(rules: &[&Rule], sources: &[IpNet], flow: &Flow, port: u16) -> Verdict {
    let mut open = sources.to_vec();
    let (mut allowed, mut denied): (Option<&str>, Option<&str>) = (None, None);
    let (mut may_allow, mut may_deny): (Option<&str>, Option<&str>) = (None, None);
    for same in rules.chunk_by(|a, b| a.priority == b.priority) {
        // Azure takes no two rules with one priority; if there are, which comes first is not known.
        let contested = same.iter().any(|rule| rule.access != same[0].access);
        for rule in same {
            let reaches = rule.reaches(flow, port);
            if reaches == Match::No || open.is_empty() {
                continue;
            }
            let surely = reaches == Match::Yes && !contested;
            let Covered { sure, maybe, rest } = cover(&rule.sources, &open);
            let (certain, possible) = match rule.access {
                Access::Allow => (&mut allowed, &mut may_allow),
                Access::Deny => (&mut denied, &mut may_deny),
            };
            if (maybe || !surely && !sure.is_empty()) && possible.is_none() {
                *possible = Some(&rule.name);
            }
            if surely && !sure.is_empty() {
                certain.get_or_insert(&rule.name);
                open = rest;
            }
        }
    }
    if !open.is_empty() {
        denied.get_or_insert(DENY_ALL);
    }
    let by = |name: &str| name.to_owned();
    match (allowed, denied) {
        (Some(allow), None) => match may_deny {
            Some(name) => Verdict::Unclear { by: by(name) },
            None => Verdict::Allowed { by: by(allow) },
        },
        (None, deny) => match may_allow {
            Some(name) => Verdict::Unclear { by: by(name) },
            None => Verdict::Denied { by: by(deny.unwrap_or(DENY_ALL)) },
        },
        (Some(_), Some(deny)) => Verdict::Unclear { by: by(deny) },
    }
}
