//! Rules as somebody writes them, as the management API sends them, and random ones.

use access::drive::Verdict;
use access::nsg::{Flow, Rule};
use access::request::{Ports, Protocol};
use proptest::prelude::*;
use sandbox::azure::{Azure, Judged, Probe};
use serde_json::{Value, json};
use std::net::IpAddr;

/// The machine that the flows go to.
pub(crate) const TO: &str = "10.0.0.6";
/// The same by IPv6.
pub(crate) const TO_V6: &str = "fd00:db8:deca::6";

/// A rule as somebody would write it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) priority: u16,
    pub(crate) allow: bool,
    pub(crate) protocol: String,
    pub(crate) sources: Vec<String>,
    pub(crate) source_ports: Vec<String>,
    pub(crate) destinations: Vec<String>,
    pub(crate) ports: Vec<String>,
    /// `Succeeded`, `Failed`, `Updating`.
    pub(crate) state: String,
    pub(crate) outbound: bool,
}

/// The resource id of an application security group that is written as `asg:web`.
pub(crate) fn group_id(name: &str) -> String {
    format!("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/applicationSecurityGroups/{name}")
}

impl Written {
    /// As it is sent to the management API: one value in the singular field, several in the plural one.
    pub(crate) fn sent(&self) -> Value {
        let mut properties = json!({
            "protocol": self.protocol, "priority": self.priority,
            "access": if self.allow { "Allow" } else { "Deny" },
            "direction": if self.outbound { "Outbound" } else { "Inbound" },
        });
        for (one, many, values) in [
            ("sourcePortRange", "sourcePortRanges", &self.source_ports),
            ("destinationPortRange", "destinationPortRanges", &self.ports),
            ("sourceAddressPrefix", "sourceAddressPrefixes", &self.sources),
            ("destinationAddressPrefix", "destinationAddressPrefixes", &self.destinations),
        ] {
            let groups: Vec<Value> = values
                .iter()
                .filter_map(|value| value.strip_prefix("asg:"))
                .map(|name| json!({"id": group_id(name)}))
                .collect();
            match (values.as_slice(), groups.is_empty()) {
                (_, false) => {
                    let side = if one.starts_with("source") { "source" } else { "destination" };
                    properties[format!("{side}ApplicationSecurityGroups")] = json!(groups);
                }
                ([value], _) => properties[one] = json!(value),
                (values, _) => properties[many] = json!(values),
            }
        }
        json!({"name": self.name, "properties": properties})
    }

    /// As the management API answers with it: with its state, and empty lists where nothing is.
    fn answered(&self) -> Value {
        let mut rule = self.sent();
        let properties = &mut rule["properties"];
        properties["provisioningState"] = json!(self.state);
        for many in [
            "sourcePortRanges",
            "destinationPortRanges",
            "sourceAddressPrefixes",
            "destinationAddressPrefixes",
        ] {
            if properties[many].is_null() {
                properties[many] = json!([]);
            }
        }
        rule
    }
}

/// What the product reads of a group with these rules; with `defaults` listed or not.
pub(crate) fn read(group: &[Written], defaults: bool) -> Vec<Rule> {
    let default = |name: &str, priority: u16, allow, source: &str, destination: &str| Written {
        name: name.to_owned(),
        priority,
        allow,
        protocol: "*".to_owned(),
        sources: vec![source.to_owned()],
        source_ports: vec!["*".to_owned()],
        destinations: vec![destination.to_owned()],
        ports: vec!["*".to_owned()],
        state: "Succeeded".to_owned(),
        outbound: false,
    };
    let listed = [
        default("AllowVnetInBound", 65000, true, "VirtualNetwork", "VirtualNetwork"),
        default("AllowAzureLoadBalancerInBound", 65001, true, "AzureLoadBalancer", "*"),
        default("DenyAllInBound", 65500, false, "*", "*"),
    ];
    let listed: Vec<Value> = listed.iter().filter(|_| defaults).map(Written::answered).collect();
    let rules: Vec<Value> = group.iter().map(Written::answered).collect();
    let body = json!({"properties": {"securityRules": rules, "defaultSecurityRules": listed}});
    edge::arm::inbound_rules(body.to_string().as_bytes()).unwrap()
}

/// What the sandbox's Azure does with the flow's port in these groups.
pub(crate) fn judged(groups: &[Vec<Written>], flow: &Flow, port: u16, from: IpAddr) -> Judged {
    let sent: Vec<Vec<Value>> =
        groups.iter().map(|group| group.iter().map(Written::sent).collect()).collect();
    let member_of = flow.member_of.iter().flatten().map(|id| id.as_str().to_owned()).collect();
    let protocol = flow.protocol.to_string();
    Azure::would_decide(&sent, &Probe { from, to: flow.destination, port, protocol, member_of }).unwrap()
}

/// The rule that the sandbox's Azure names, without the kind of rule that stands before it.
pub(crate) fn rule_of(named: &str) -> &str {
    named.rsplit('/').next().unwrap_or_default()
}

/// The name in a verdict.
pub(crate) fn by(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Allowed { by } | Verdict::Denied { by } | Verdict::Unclear { by } => by,
    }
}

/// One value of any kind, or several without tags and `*`, which Azure takes only alone.
fn one_or_several(
    alone: &'static [&'static str],
    together: &'static [&'static str],
) -> impl Strategy<Value = Vec<String>> {
    let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    prop_oneof![
        prop::sample::select(alone).prop_map(|one| vec![one.to_owned()]),
        prop::sample::select(together).prop_map(|one| vec![one.to_owned()]),
        prop::sample::subsequence(together, 2..=3).prop_map(owned),
    ]
}

/// Sources and destinations of a rule, of one address family: no rule combines prefixes of both.
fn sides() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    let v4 = (
        one_or_several(
            &["*", "Internet", "VirtualNetwork", "AzureLoadBalancer", "AzureCloud", "0.0.0.0/0", "asg:web"],
            &[
                "203.0.113.7",
                "203.0.113.0/28",
                "203.0.0.0/8",
                "198.51.100.9/32",
                "10.0.0.0/24",
                "10.1.0.0/16",
                "192.168.0.0/16",
            ],
        ),
        one_or_several(
            &["*", "VirtualNetwork", "Internet", "AzureLoadBalancer", "0.0.0.0/0", "asg:web", "asg:db"],
            &["10.0.0.6", "10.0.0.0/30", "10.0.0.4/30", "10.0.0.5/32", "10.0.0.0/24"],
        ),
    );
    let v6 = (
        one_or_several(
            &["*", "Internet", "VirtualNetwork", "::/0"],
            &["2001:db8::/32", "2001:db8:0:1::7", "2a00:1450::/32", "fd00:db8:deca::/64"],
        ),
        one_or_several(
            &["*", "VirtualNetwork", "::/0", "asg:web"],
            &["fd00:db8:deca::6", "fd00:db8:deca::/64", "fd00:db8:deca::5/128"],
        ),
    );
    prop_oneof![2 => v4, 1 => v6]
}

fn written() -> impl Strategy<Value = Written> {
    let ports = one_or_several(&["*", "0-65535"], &["22", "20-25", "23-4000", "3389", "80", "22-22"]);
    let protocol = prop::sample::select(&["*", "Tcp", "tcp", "TCP", "Udp", "Icmp", "Esp"][..]);
    // Now and then a rule that looks at where a connection's port is.
    let source_ports = prop_oneof![
        9 => Just(vec!["*"]), 1 => Just(vec!["1024-65535"]), 1 => Just(vec!["53"]), 1 => Just(vec!["53", "123"])
    ];
    let outbound = prop_oneof![12 => Just(false), 1 => Just(true)];
    (any::<bool>(), protocol, sides(), ports, source_ports, outbound).prop_map(
        |(allow, protocol, (sources, destinations), ports, source_ports, outbound)| Written {
            name: String::new(),
            priority: 0,
            allow,
            protocol: protocol.to_owned(),
            sources,
            source_ports: source_ports.into_iter().map(str::to_owned).collect(),
            destinations,
            ports,
            state: "Succeeded".to_owned(),
            outbound,
        },
    )
}

/// A group: rules with different priorities, many of them where ours go.
pub(crate) fn group() -> impl Strategy<Value = Vec<Written>> {
    let priorities =
        prop::collection::btree_set(prop_oneof![100..=110u16, 480..=520u16, 1000..=4096u16], 0..12);
    priorities.prop_flat_map(|priorities| {
        let priorities: Vec<u16> = priorities.into_iter().collect();
        prop::collection::vec(written(), priorities.len()).prop_map(move |mut rules| {
            for (rule, priority) in rules.iter_mut().zip(&priorities) {
                rule.priority = *priority;
                rule.name = format!("rule-{priority}");
            }
            rules
        })
    })
}

/// The groups on a way: the subnet's and the interface's, or one of them.
pub(crate) fn way() -> impl Strategy<Value = Vec<Vec<Written>>> {
    prop::collection::vec(group(), 1..=2)
}

/// Where flows come from, and to which ports they go.
pub(crate) const FROM: [&str; 9] = [
    "203.0.113.7",
    "203.0.113.15",
    "203.0.113.16",
    "198.51.100.9",
    "8.8.8.8",
    "168.63.129.16",
    "10.0.0.9",
    "10.1.2.3",
    "192.168.7.7",
];
/// The same by IPv6.
pub(crate) const FROM_V6: [&str; 4] =
    ["2001:db8:0:1::7", "2001:db8:1::1", "2a00:1450::1", "fd00:db8:deca::9"];
/// Ports that flows go to.
pub(crate) const PORTS: [u16; 7] = [20, 22, 25, 26, 80, 3389, 65535];

/// A flow of one address to one port; the machine is in the application security group `web`.
pub(crate) fn flow() -> impl Strategy<Value = Flow> {
    let ends = prop_oneof![
        2 => prop::sample::select(&FROM[..]).prop_map(|from| (from, TO)),
        1 => prop::sample::select(&FROM_V6[..]).prop_map(|from| (from, TO_V6)),
    ];
    let ports = prop::sample::select(&PORTS[..]);
    let known = prop_oneof![3 => Just(true), 1 => Just(false)];
    (ends, ports, any::<bool>(), known).prop_map(|((from, to), port, tcp, known)| Flow {
        source: from.parse().unwrap(),
        destination: to.parse().unwrap(),
        protocol: if tcp { Protocol::Tcp } else { Protocol::Udp },
        ports: Ports::new(vec![port]).unwrap(),
        member_of: known.then(|| vec![group_id("web").parse().unwrap()]),
    })
}

/// The rule that the product would write for the flow.
pub(crate) fn ours(name: &str, priority: u16, flow: &Flow) -> Written {
    Written {
        name: name.to_owned(),
        priority,
        allow: true,
        protocol: flow.protocol.to_string(),
        sources: vec![flow.source.prefix().to_string()],
        source_ports: vec!["*".to_owned()],
        destinations: vec![flow.destination.to_string()],
        ports: flow.ports.as_slice().iter().map(u16::to_string).collect(),
        state: "Succeeded".to_owned(),
        outbound: false,
    }
}
