//! What decides packets: whether a flow reaches a machine, by the rules of the subnet's and of the
//! network interface's groups.
//!
//! This is the sandbox's own evaluator on purpose. It shares nothing with the product's, so that one
//! mistake cannot make the rule, the proof and the port wrong together.

use super::rules::{self, Access, Direction, Properties};
use super::world::Rule;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A flow towards a machine, after the public address was translated to the private one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow<'a> {
    pub(super) source: IpAddr,
    pub(super) source_port: u16,
    pub(super) destination: IpAddr,
    pub(super) port: u16,
    /// `tcp`, `udp`, `icmp`, in any case.
    pub(super) protocol: &'a str,
    /// Ids of the application security groups that the destination is in.
    pub(super) member_of: &'a [String],
}

/// A rule of Azure Virtual Network Manager. It is about every source, is looked at before any group, and
/// ends the matter: what is allowed here bypasses the groups, what is denied never reaches them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AdminRule {
    /// Its name.
    pub name: String,
    /// `Allow` is Azure's "Always allow".
    pub access: Access,
    /// The destination port that it is about.
    pub port: u16,
}

/// What becomes of a flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Whether it gets through.
    pub passes: bool,
    /// The rule that decided in each group that was looked at, in their order; of an admin rule its name
    /// alone. As Azure names them: `securityRules/…`, `defaultSecurityRules/…`.
    pub by: Vec<String>,
}

/// The virtual network that the machines are in.
pub(super) const NETWORKS: [&str; 2] = ["10.0.0.0/16", "fd00:db8:deca::/48"];
/// Where Azure's load balancer probes from: the host's own address, which the tag `VirtualNetwork` has too.
const PROBE: &str = "168.63.129.16";
/// The source port of a flow of which only the address is known: any ephemeral one.
pub(super) const SOME_SOURCE_PORT: u16 = 50_000;

/// Whether `flow` passes the admin rules and all of `groups`, the subnet's first. A level without a group
/// lets everything pass, and there is no entry for it.
pub(super) fn judge<'r>(
    admin: &[AdminRule],
    groups: impl IntoIterator<Item = &'r [Rule]>,
    flow: &Flow,
) -> Judged {
    if let Some(rule) = admin.iter().find(|rule| rule.port == flow.port) {
        return Judged { passes: rule.access == Access::Allow, by: vec![rule.name.clone()] };
    }
    let mut by = vec![];
    for group in groups {
        let (access, rule) = decides(group, flow);
        by.push(rule);
        if access == Access::Deny {
            return Judged { passes: false, by };
        }
    }
    Judged { passes: true, by }
}

/// What a group says: its own rule with the lowest priority that matches, else a default rule.
fn decides(group: &[Rule], flow: &Flow) -> (Access, String) {
    let own = group
        .iter()
        .filter(|rule| rule.properties.direction == Direction::Inbound && matches(&rule.properties, flow))
        .min_by_key(|rule| rule.properties.priority)
        .map(|rule| (rule.properties.access, format!("securityRules/{}", rule.name)));
    own.unwrap_or_else(|| {
        rules::defaults()
            .into_iter()
            .find(|(_, rule)| rule.direction == Direction::Inbound && matches(rule, flow))
            .map_or((Access::Deny, String::new()), |(name, rule)| {
                (rule.access, format!("defaultSecurityRules/{name}"))
            })
    })
}

fn matches(rule: &Properties, flow: &Flow) -> bool {
    let protocol = rule.protocol == "*" || rule.protocol.eq_ignore_ascii_case(flow.protocol);
    let any_port = |one: &Option<String>, many: &[String], port| {
        one.iter().chain(many).any(|range| in_range(range, port))
    };
    let any_address = |one: &Option<String>, many: &[String], at| {
        one.iter().chain(many).any(|prefix| in_prefix(prefix, at))
    };
    let member = |groups: &[rules::Reference]| {
        groups.iter().any(|group| flow.member_of.iter().any(|id| id.eq_ignore_ascii_case(&group.id)))
    };
    // Nobody outside is a member of a group, so none is a source of the flows here.
    protocol
        && flow.source.is_ipv4() == flow.destination.is_ipv4()
        && any_port(&rule.source_port_range, &rule.source_port_ranges, flow.source_port)
        && any_port(&rule.destination_port_range, &rule.destination_port_ranges, flow.port)
        && any_address(&rule.source_address_prefix, &rule.source_address_prefixes, flow.source)
        && (any_address(
            &rule.destination_address_prefix,
            &rule.destination_address_prefixes,
            flow.destination,
        ) || member(&rule.destination_application_security_groups))
}

fn in_range(range: &str, port: u16) -> bool {
    let bounds = range.split_once('-').unwrap_or((range, range));
    range == "*"
        || matches!((bounds.0.parse::<u16>(), bounds.1.parse::<u16>()), (Ok(from), Ok(to)) if from <= port && port <= to)
}

fn in_prefix(prefix: &str, address: IpAddr) -> bool {
    let network = || NETWORKS.iter().any(|net| net.parse::<IpNet>().is_ok_and(|net| net.contains(&address)));
    let probe = || PROBE.parse::<IpAddr>().is_ok_and(|probe| probe == address);
    if prefix == "*" || prefix.eq_ignore_ascii_case("Any") {
        true
    } else if prefix.eq_ignore_ascii_case("VirtualNetwork") {
        network() || probe()
    } else if prefix.eq_ignore_ascii_case("AzureLoadBalancer") {
        probe()
    } else if prefix.eq_ignore_ascii_case("Internet") {
        !network() && !probe() && !private(address)
    } else if let Ok(net) = prefix.parse::<IpNet>() {
        net.contains(&address)
    } else {
        // A service tag of some other service: none of the addresses here belongs to one.
        prefix.parse::<IpAddr>().is_ok_and(|one| one == address)
    }
}

fn private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rule(over: &Value) -> Rule {
        let mut rule = json!({"protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "22",
            "sourceAddressPrefix": "203.0.113.7", "destinationAddressPrefix": "10.0.0.6", "access": "Allow",
            "priority": 200, "direction": "Inbound"});
        for (key, value) in over.as_object().unwrap() {
            if value.is_null() {
                rule.as_object_mut().unwrap().remove(key);
            } else {
                rule[key] = value.clone();
            }
        }
        let properties = rules::parse(&json!({ "properties": rule }), "/r").unwrap();
        Rule { name: "r".to_owned(), properties, state: "Succeeded".to_owned() }
    }

    fn reach(groups: &[Vec<Rule>], source: &str, port: u16, protocol: &str) -> bool {
        let flow = Flow {
            source: source.parse().unwrap(),
            source_port: SOME_SOURCE_PORT,
            destination: "10.0.0.6".parse().unwrap(),
            port,
            protocol,
            member_of: &[],
        };
        judge(&[], groups.iter().map(Vec::as_slice), &flow).passes
    }

    #[test]
    fn a_rule_lets_in_what_it_says_and_nothing_else() {
        let open = vec![vec![rule(&json!({}))]];
        assert!(reach(&open, "203.0.113.7", 22, "tcp"));
        assert!(!reach(&open, "203.0.113.8", 22, "tcp"));
        assert!(!reach(&open, "203.0.113.7", 23, "tcp"));
        assert!(!reach(&open, "203.0.113.7", 22, "udp"));
    }

    #[test]
    fn default_rules_decide_when_no_other_matches() {
        assert!(reach(&[vec![]], "10.0.0.4", 22, "tcp"));
        assert!(reach(&[vec![]], "168.63.129.16", 22, "tcp"));
        assert!(!reach(&[vec![]], "203.0.113.7", 22, "tcp"));
        assert!(reach(&[], "203.0.113.7", 22, "tcp"), "no group at all lets everything pass");
    }

    #[test]
    fn both_groups_must_allow_and_the_lowest_priority_decides() {
        let allow = rule(&json!({}));
        assert!(!reach(&[vec![allow.clone()], vec![]], "203.0.113.7", 22, "tcp"));
        assert!(reach(&[vec![allow.clone()], vec![allow.clone()]], "203.0.113.7", 22, "tcp"));
        let deny = |priority: u32| {
            rule(&json!({"access": "Deny", "priority": priority, "sourceAddressPrefix": "*"}))
        };
        assert!(!reach(&[vec![allow.clone(), deny(199)]], "203.0.113.7", 22, "tcp"));
        assert!(reach(&[vec![deny(201), allow]], "203.0.113.7", 22, "tcp"));
        let outbound = rule(&json!({"direction": "Outbound"}));
        assert!(!reach(&[vec![outbound]], "203.0.113.7", 22, "tcp"));
    }

    #[test]
    fn plurals_ranges_tags_and_any_case_match() {
        let plural = rule(
            &json!({"destinationPortRange": null, "destinationPortRanges": ["80", "3000-3005"],
            "sourceAddressPrefix": null, "sourceAddressPrefixes": ["198.51.100.0/24", "192.0.2.1"], "protocol": "tCP"}),
        );
        let plural = [vec![plural]];
        assert!(reach(&plural, "198.51.100.77", 3005, "TCP"));
        assert!(reach(&plural, "192.0.2.1", 80, "tcp"));
        assert!(!reach(&plural, "192.0.2.2", 80, "tcp"));
        assert!(!reach(&plural, "192.0.2.1", 3006, "tcp"));
        let internet = [vec![rule(
            &json!({"sourceAddressPrefix": "internet", "destinationAddressPrefix": "VIRTUALNETWORK"}),
        )]];
        assert!(reach(&internet, "203.0.113.7", 22, "tcp"));
        assert!(!reach(&internet, "192.168.0.1", 22, "tcp"), "not from the Internet");
        let sources = [vec![rule(&json!({"sourcePortRange": "23-45"}))]];
        assert!(!reach(&sources, "203.0.113.7", 22, "tcp"), "the source port counts");
        let other = [vec![rule(&json!({"sourceAddressPrefix": "Storage.WestEurope"}))]];
        assert!(!reach(&other, "203.0.113.7", 22, "tcp"));
    }

    #[test]
    fn an_admin_rule_is_looked_at_before_any_group() {
        let open = [vec![rule(&json!({}))]];
        let flow = Flow {
            source: "203.0.113.7".parse().unwrap(),
            source_port: SOME_SOURCE_PORT,
            destination: "10.0.0.6".parse().unwrap(),
            port: 22,
            protocol: "tcp",
            member_of: &[],
        };
        let admin = |access, port| vec![AdminRule { name: "no-ssh".to_owned(), access, port }];
        let judged =
            |admin: &[AdminRule], groups: &[Vec<Rule>]| judge(admin, groups.iter().map(Vec::as_slice), &flow);
        let by = |passes, rule: &str| Judged { passes, by: vec![rule.to_owned()] };
        assert_eq!(judged(&[], &open), by(true, "securityRules/r"));
        assert_eq!(judged(&admin(Access::Deny, 22), &open), by(false, "no-ssh"));
        assert_eq!(judged(&admin(Access::Deny, 23), &open), by(true, "securityRules/r"));
        assert_eq!(judged(&[], &[vec![]]), by(false, "defaultSecurityRules/DenyAllInBound"));
        assert_eq!(judged(&admin(Access::Allow, 22), &[vec![]]), by(true, "no-ssh"));
    }
}
