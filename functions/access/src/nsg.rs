//! Security rules as Azure evaluates them: by priority, the first that matches decides. Used to
//! place our rule, and to say afterwards what the rules do with the flow, and which one decides.
//!
//! A source may be a prefix. It is then split along the rules, so that "allowed" means all of it and
//! "denied" means none of it. Where membership cannot be known from the rules (other service tags,
//! application security groups, source ports), the answer is unclear, never guessed.

mod cover;
mod trial;

use crate::drive::{Access, Standing, Verdict};
use crate::lease::Timestamp;
use crate::lifecycle::{Granted, PlannedRule};
use crate::request::{Ask, Installation, Ports, Protocol, ResourceId, RuleName, Source};
use cover::{Covered, cover};
use ipnet::IpNet;
use std::net::IpAddr;

/// The priorities of rules that open: the highest free number that is early enough.
pub const GRANT_BAND: std::ops::RangeInclusive<u16> = 100..=499;

/// The last priority that we ever write: closing rules end here.
pub const LAST_PRIORITY: u16 = 999;

/// An inbound rule of a network security group, as read from Azure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// 100 to 4096; default rules 65000 and later. Lower decides first.
    pub priority: u16,
    /// What it does.
    pub access: Access,
    /// Which protocol.
    pub protocol: RuleProtocol,
    /// Which sources.
    pub sources: Vec<Scope>,
    /// Which source ports.
    pub source_ports: Vec<PortSpan>,
    /// Which destinations.
    pub destinations: Vec<Scope>,
    /// Which destination ports.
    pub destination_ports: Vec<PortSpan>,
    /// Whether an operation on it has not ended or has failed.
    pub provisioning: Provisioning,
    /// The free text on it.
    pub description: String,
}

/// How far Azure is with a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Provisioning {
    /// In force.
    Succeeded,
    /// Being written or deleted.
    Changing,
    /// The last write failed.
    Failed,
}

/// The protocol of a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleProtocol {
    /// `*`
    Any,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP, ESP, AH: never a port.
    Other,
}

impl RuleProtocol {
    /// As Azure writes it, in whatever case (real groups hold `TCP`, `tcp` and `Tcp`).
    pub fn of(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "*" => Self::Any,
            "tcp" => Self::Tcp,
            "udp" => Self::Udp,
            _ => Self::Other,
        }
    }

    const fn covers(self, protocol: Protocol) -> bool {
        matches!((self, protocol), (Self::Any, _) | (Self::Tcp, Protocol::Tcp) | (Self::Udp, Protocol::Udp))
    }
}

/// Which addresses one side of a rule is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// `*`
    Any,
    /// An address or prefix.
    Net(IpNet),
    /// The service tag `Internet`: whatever is not in the virtual network.
    Internet,
    /// The service tag `VirtualNetwork`: the network and what is connected to it.
    VirtualNetwork,
    /// The service tag `AzureLoadBalancer`: the health probes.
    AzureLoadBalancer,
    /// Another service tag or an application security group: who is in it is not known here.
    Unknown(String),
}

impl Scope {
    /// As Azure writes it.
    pub fn of(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "*" | "any" => Self::Any,
            "internet" => Self::Internet,
            "virtualnetwork" => Self::VirtualNetwork,
            "azureloadbalancer" => Self::AzureLoadBalancer,
            _ => match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
                (Ok(net), _) => Self::Net(net.trunc()),
                (_, Ok(address)) => Self::Net(address.into()),
                _ => Self::Unknown(text.to_owned()),
            },
        }
    }
}

/// Ports from the first to the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortSpan(u16, u16);

impl PortSpan {
    /// All ports.
    pub const ANY: Self = Self(0, u16::MAX);

    /// `*`, `22` or `5985-5986`; `None` for anything else.
    pub fn of(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::ANY);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(Self(first.trim().parse().ok()?, last.trim().parse().ok()?))
    }

    const fn covers(self, port: u16) -> bool {
        self.0 <= port && port <= self.1
    }
}

/// What a person wants to get through: from where, to which address and ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    /// From where.
    pub source: Source,
    /// The private address of the machine.
    pub destination: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The ports.
    pub ports: Ports,
}

impl Flow {
    /// The flow that was asked for.
    pub fn of(ask: &Ask) -> Self {
        let wish = &ask.wish;
        Self {
            source: ask.source,
            destination: wish.machine.private_address,
            protocol: wish.protocol,
            ports: wish.ports.clone(),
        }
    }
}

/// The name of the rule that Azure ends every group with.
const DENY_ALL: &str = "DenyAllInBound";

/// What the rules do with the flow, and which one decides. Whatever no rule matches is denied.
pub fn evaluate(rules: &[Rule], flow: &Flow) -> Verdict {
    let mut sorted: Vec<&Rule> = rules.iter().collect();
    sorted.sort_by_key(|rule| rule.priority);
    let verdicts: Vec<Verdict> =
        flow.ports.as_slice().iter().map(|port| evaluate_port(&sorted, flow, *port)).collect();
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

fn evaluate_port(sorted: &[&Rule], flow: &Flow, port: u16) -> Verdict {
    let mut open: Vec<IpNet> = vec![flow.source.prefix()];
    let (mut allowed, mut denied): (Option<&str>, Option<&str>) = (None, None);
    let (mut may_allow, mut may_deny): (Option<&str>, Option<&str>) = (None, None);
    for rule in sorted {
        if open.is_empty() {
            break;
        }
        let surely = match reaches(rule, flow, port) {
            Match::No => continue,
            Match::Maybe => false,
            Match::Yes => true,
        };
        let Covered { sure, maybe, rest } = cover(&rule.sources, &open);
        let (certain, possible) = match rule.access {
            Access::Allow => (&mut allowed, &mut may_allow),
            Access::Deny => (&mut denied, &mut may_deny),
        };
        let may = maybe || (!surely && !sure.is_empty());
        if may && possible.is_none() {
            *possible = Some(&rule.name);
        }
        if surely && !sure.is_empty() {
            certain.get_or_insert(&rule.name);
            open = rest;
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    No,
    Maybe,
    Yes,
}

/// Whether the rule is about this destination, port and protocol.
fn reaches(rule: &Rule, flow: &Flow, port: u16) -> Match {
    if !rule.protocol.covers(flow.protocol) || !rule.destination_ports.iter().any(|span| span.covers(port)) {
        return Match::No;
    }
    let destinations = rule.destinations.iter().map(|scope| match scope {
        Scope::Any | Scope::VirtualNetwork => Match::Yes,
        Scope::Net(net) if net.contains(&flow.destination) => Match::Yes,
        Scope::Net(_) | Scope::Internet | Scope::AzureLoadBalancer => Match::No,
        Scope::Unknown(_) => Match::Maybe,
    });
    let destination = destinations.fold(Match::No, |a, b| match (a, b) {
        (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
        (Match::Maybe, _) | (_, Match::Maybe) => Match::Maybe,
        _ => Match::No,
    });
    // The port that a connection comes from is not known beforehand.
    let any_source_port = rule.source_ports.contains(&PortSpan::ANY);
    if destination == Match::Yes && !any_source_port { Match::Maybe } else { destination }
}

/// No priority of ours is free before the rule that denies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoRoom {
    /// That rule.
    pub before: String,
}

/// A priority for our rule: the highest free number of [`GRANT_BAND`] that comes before every rule
/// that would deny some of the flow. `own` is the name of our rule, whose own number counts as free.
///
/// # Errors
/// None is free; the rule in the way.
pub fn place(rules: &[Rule], flow: &Flow, own: &RuleName) -> Result<u16, NoRoom> {
    let own = own.to_string();
    let others: Vec<&Rule> = rules.iter().filter(|rule| !rule.name.eq_ignore_ascii_case(&own)).collect();
    let denies = |rule: &&&Rule| {
        let open = [flow.source.prefix()];
        let Covered { sure, maybe, .. } = cover(&rule.sources, &open);
        rule.access == Access::Deny
            && (maybe || !sure.is_empty())
            && flow.ports.as_slice().iter().any(|port| reaches(rule, flow, *port) != Match::No)
    };
    let first = others.iter().filter(denies).min_by_key(|rule| rule.priority);
    let limit = first.map_or(u16::MAX, |rule| rule.priority);
    GRANT_BAND
        .rev()
        .find(|number| *number < limit && others.iter().all(|rule| rule.priority != *number))
        .ok_or_else(|| NoRoom { before: first.map_or_else(|| DENY_ALL.to_owned(), |rule| rule.name.clone()) })
}

/// Where our rule goes when it is turned into Deny: behind every rule of ours that allows, so that
/// it takes nothing from another grant. `None` where there is no free number: it stays where it is.
pub fn place_deny(rules: &[Rule], own: &RuleName, installation: &Installation) -> Option<u16> {
    let own = own.to_string();
    let allows = rules.iter().filter(|rule| {
        rule.access == Access::Allow
            && rule.name != own
            && RuleName::request_of(&rule.name, installation).is_some()
    });
    let last = allows.map(|rule| rule.priority).max()?;
    (last.max(*GRANT_BAND.start()) + 1..=LAST_PRIORITY)
        .find(|number| rules.iter().all(|rule| rule.priority != *number || rule.name == own))
}

/// Our rule as it shall stand in one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OurRule {
    /// The group.
    pub nsg: ResourceId,
    /// The name.
    pub name: RuleName,
    /// The priority.
    pub priority: u16,
    /// Allow, or Deny where a lock forbids to remove it.
    pub access: Access,
    /// The flow.
    pub flow: Flow,
    /// What an auditor reads on it; Azure takes at most 140 characters.
    pub description: String,
    /// When the grant ends, by its record.
    pub ends_at: Timestamp,
}

impl OurRule {
    /// The rule that was planned for one group.
    pub fn planned(granted: &Granted, planned: &PlannedRule, installation: &Installation) -> Self {
        let ask = granted.ask();
        Self {
            nsg: planned.nsg.clone(),
            name: RuleName::new(installation, ask.wish.id),
            priority: planned.priority,
            access: Access::Allow,
            flow: Flow::of(ask),
            description: describe(granted),
            ends_at: granted.expires_at(),
        }
    }

    /// How the rule stands among those that were read.
    pub fn standing(&self, rules: &[Rule]) -> Standing {
        let name = self.name.to_string();
        let Some(rule) = rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(&name)) else {
            return Standing::Absent;
        };
        match rule.provisioning {
            Provisioning::Changing => return Standing::Changing,
            Provisioning::Failed => return Standing::Altered,
            Provisioning::Succeeded => {}
        }
        let ports: Vec<PortSpan> =
            self.flow.ports.as_slice().iter().map(|port| PortSpan(*port, *port)).collect();
        let same_flow = rule.sources == [Scope::Net(self.flow.source.prefix())]
            && rule.destinations == [Scope::Net(self.flow.destination.into())]
            && rule.source_ports == [PortSpan::ANY]
            && rule.destination_ports.len() == ports.len()
            && ports.iter().all(|span| rule.destination_ports.contains(span))
            && rule.protocol != RuleProtocol::Any
            && rule.protocol.covers(self.flow.protocol);
        match rule.access {
            Access::Deny => Standing::Deny,
            // `grant` wrote the end on the rule after it had judged the signed clicks. A record that says
            // another one was changed since: whoever can write the table cannot prolong a grant.
            Access::Allow
                if same_flow
                    && rule.priority == self.priority
                    && described_end(&rule.description) == Some(self.ends_at.to_string().as_str()) =>
            {
                Standing::Allow
            }
            Access::Allow => Standing::Altered,
        }
    }
}

/// Request, requester, approvers and end, so that the rule explains itself and can be judged from
/// Azure alone.
fn describe(granted: &Granted) -> String {
    let approvers: Vec<&str> = granted.approvals().iter().map(|approval| approval.by.as_str()).collect();
    let wish = &granted.ask().wish;
    let text = format!(
        "Ajar {} for {}, until {}, approved by {}",
        wish.id,
        wish.requester,
        granted.expires_at(),
        approvers.join(" ")
    );
    text.chars().take(140).collect()
}

/// The end that [`describe`] wrote on a rule, as text; `None` where somebody wrote something else.
fn described_end(description: &str) -> Option<&str> {
    let (_, rest) = description.split_once(", until ")?;
    Some(rest.split_once(',')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, priority: u16, access: Access, source: &str, ports: &str) -> Rule {
        Rule {
            name: name.to_owned(),
            priority,
            access,
            protocol: RuleProtocol::of("tCp"),
            sources: source.split(' ').map(Scope::of).collect(),
            source_ports: vec![PortSpan::ANY],
            destinations: vec![Scope::Any],
            destination_ports: ports.split(' ').filter_map(PortSpan::of).collect(),
            provisioning: Provisioning::Succeeded,
            description: String::new(),
        }
    }

    fn flow(source: &str, ports: &[u16]) -> Flow {
        Flow {
            source: source.parse().unwrap(),
            destination: "10.0.0.6".parse().unwrap(),
            protocol: Protocol::Tcp,
            ports: Ports::new(ports.to_vec()).unwrap(),
        }
    }

    fn own() -> RuleName {
        RuleName::new(&"sandbox".parse().unwrap(), "7F3K9-QXM2P".parse().unwrap())
    }

    #[test]
    fn the_first_match_decides_for_every_address() {
        use Access::{Allow, Deny};
        let by = |name: &str| name.to_owned();
        let cases = [
            (vec![], Verdict::Denied { by: by(DENY_ALL) }),
            (vec![rule("a", 300, Allow, "*", "22")], Verdict::Allowed { by: by("a") }),
            (vec![rule("a", 300, Allow, "*", "80")], Verdict::Denied { by: by(DENY_ALL) }),
            (
                vec![rule("a", 300, Allow, "*", "*"), rule("d", 200, Deny, "Internet", "20-30")],
                Verdict::Denied { by: by("d") },
            ),
            (vec![rule("a", 300, Allow, "203.0.113.0/25", "22")], Verdict::Unclear { by: by(DENY_ALL) }),
            (
                vec![
                    rule("a", 300, Allow, "203.0.113.0/25", "22"),
                    rule("b", 301, Allow, "203.0.113.128/25", "22"),
                ],
                Verdict::Allowed { by: by("a") },
            ),
            (vec![rule("v", 300, Allow, "VirtualNetwork", "22")], Verdict::Denied { by: by(DENY_ALL) }),
            (vec![rule("t", 300, Allow, "AzureCloud", "22")], Verdict::Unclear { by: by("t") }),
            (
                vec![rule("t", 300, Deny, "AzureCloud", "22"), rule("a", 400, Allow, "*", "22")],
                Verdict::Unclear { by: by("t") },
            ),
        ];
        for (rules, expected) in cases {
            assert_eq!(evaluate(&rules, &flow("203.0.113.0/24", &[22])), expected, "{rules:?}");
        }
    }

    #[test]
    fn several_ports_are_open_only_together() {
        let rules = [rule("a", 300, Access::Allow, "*", "22")];
        assert_eq!(
            evaluate(&rules, &flow("203.0.113.7", &[22, 80])),
            Verdict::Unclear { by: "a".to_owned() }
        );
    }

    #[test]
    fn our_rule_goes_before_the_first_that_denies() {
        let flow = flow("203.0.113.7", &[22]);
        assert_eq!(place(&[], &flow, &own()), Ok(499));
        let deny = rule("no-ssh", 200, Access::Deny, "*", "22");
        let other = rule("other", 199, Access::Allow, "*", "80");
        assert_eq!(place(&[deny.clone(), other.clone()], &flow, &own()), Ok(198));
        let elsewhere = rule("no-ssh", 200, Access::Deny, "198.51.100.0/24", "22");
        assert_eq!(place(&[elsewhere], &flow, &own()), Ok(499));
        let first = rule("no-ssh", 100, Access::Deny, "*", "*");
        assert_eq!(place(&[first], &flow, &own()), Err(NoRoom { before: "no-ssh".to_owned() }));
        let mut ours = deny;
        ours.name = own().to_string();
        assert_eq!(place(&[ours], &flow, &own()), Ok(499));
    }

    #[test]
    fn a_denying_rule_of_ours_goes_behind_the_allowing_ones() {
        let installation = "sandbox".parse().unwrap();
        let mut rules = vec![rule(&own().to_string(), 498, Access::Allow, "203.0.113.7", "22")];
        assert_eq!(place_deny(&rules, &own(), &installation), None);
        rules.push(rule("jit-sandbox-00000-00001", 499, Access::Allow, "203.0.113.7", "22"));
        rules.push(rule("somebody", 500, Access::Allow, "*", "80"));
        assert_eq!(place_deny(&rules, &own(), &installation), Some(501));
    }
}
