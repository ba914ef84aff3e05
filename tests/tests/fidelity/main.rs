//! The product's evaluator of security rules against the sandbox's, which shares nothing with it.
//!
//! Both read rules made from one description, as they are sent to Azure. What the product calls
//! allowed must pass, what it calls denied must not; what it calls unclear may do either.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use access::drive::{Access, Verdict};
use access::nsg::{Flow, PortSpan, Provisioning, Rule, RuleProtocol, Scope, evaluate, place};
use access::request::{Ports, Protocol, RuleName};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use sandbox::azure::Azure;
use serde_json::{Value, json};
use std::net::IpAddr;

/// The machine that the flows go to.
const TO: &str = "10.0.0.6";

/// A rule as somebody would write it.
#[derive(Clone, Debug)]
struct Written {
    priority: u16,
    allow: bool,
    protocol: &'static str,
    sources: Vec<&'static str>,
    destinations: Vec<&'static str>,
    ports: Vec<&'static str>,
    source_ports: &'static str,
}

impl Written {
    /// For the management API: one value in the singular field, several in the plural one.
    fn sent(&self) -> Value {
        let mut properties = json!({
            "protocol": self.protocol, "sourcePortRange": self.source_ports, "priority": self.priority,
            "access": if self.allow { "Allow" } else { "Deny" }, "direction": "Inbound",
        });
        for (one, many, values) in [
            ("sourceAddressPrefix", "sourceAddressPrefixes", &self.sources),
            ("destinationAddressPrefix", "destinationAddressPrefixes", &self.destinations),
            ("destinationPortRange", "destinationPortRanges", &self.ports),
        ] {
            match values.as_slice() {
                [value] => properties[one] = json!(value),
                values => properties[many] = json!(values),
            }
        }
        json!({ "properties": properties })
    }

    /// For the product, through its own readers of Azure's words.
    fn read(&self) -> Rule {
        let scopes = |texts: &[&str]| texts.iter().map(|text| Scope::of(text)).collect();
        Rule {
            name: format!("rule-{}", self.priority),
            priority: self.priority,
            access: if self.allow { Access::Allow } else { Access::Deny },
            protocol: RuleProtocol::of(self.protocol),
            sources: scopes(&self.sources),
            source_ports: vec![PortSpan::of(self.source_ports).unwrap()],
            destinations: scopes(&self.destinations),
            destination_ports: self.ports.iter().map(|text| PortSpan::of(text).unwrap()).collect(),
            provisioning: Provisioning::Succeeded,
            description: String::new(),
        }
    }
}

/// What Azure ends every group with. The simulated Azure has them by itself.
fn defaults() -> Vec<Rule> {
    let rule = |priority, allow, source, destination| Written {
        priority,
        allow,
        protocol: "*",
        sources: vec![source],
        destinations: vec![destination],
        ports: vec!["*"],
        source_ports: "*",
    };
    [
        rule(65000, true, "VirtualNetwork", "VirtualNetwork"),
        rule(65001, true, "AzureLoadBalancer", "*"),
        rule(65500, false, "*", "*"),
    ]
    .iter()
    .map(Written::read)
    .collect()
}

/// One value of any kind, or several without tags and `*`, which Azure takes only alone.
fn one_or_several(
    alone: &'static [&'static str],
    together: &'static [&'static str],
) -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![
        prop::sample::select(alone).prop_map(|one| vec![one]),
        prop::sample::select(together).prop_map(|one| vec![one]),
        prop::sample::subsequence(together, 2..=3),
    ]
}

fn written() -> impl Strategy<Value = Written> {
    let sources = one_or_several(
        &["*", "Internet", "VirtualNetwork", "AzureLoadBalancer", "AzureCloud", "0.0.0.0/0"],
        &[
            "203.0.113.7",
            "203.0.113.0/28",
            "203.0.0.0/8",
            "198.51.100.9/32",
            "10.0.0.0/24",
            "10.1.0.0/16",
            "192.168.0.0/16",
        ],
    );
    let destinations = one_or_several(
        &["*", "VirtualNetwork", "Internet", "AzureLoadBalancer", "0.0.0.0/0"],
        &["10.0.0.6", "10.0.0.0/30", "10.0.0.4/30", "10.0.0.5/32", "10.0.0.0/24"],
    );
    let ports = one_or_several(&["*", "0-65535"], &["22", "20-25", "23-4000", "3389", "80", "22-22"]);
    let protocol = prop::sample::select(&["*", "Tcp", "tcp", "TCP", "Udp", "Icmp", "Esp"][..]);
    // Now and then a rule that looks at where a connection's port is.
    let source_ports = prop_oneof![9 => Just("*"), 1 => Just("1024-65535"), 1 => Just("53")];
    (any::<bool>(), protocol, sources, destinations, ports, source_ports).prop_map(
        |(allow, protocol, sources, destinations, ports, source_ports)| Written {
            priority: 0,
            allow,
            protocol,
            sources,
            destinations,
            ports,
            source_ports,
        },
    )
}

/// A group: rules with different priorities, many of them where ours go.
fn group() -> impl Strategy<Value = Vec<Written>> {
    let priorities =
        prop::collection::btree_set(prop_oneof![100..=110u16, 480..=520u16, 1000..=4096u16], 0..12);
    priorities.prop_flat_map(|priorities| {
        let priorities: Vec<u16> = priorities.into_iter().collect();
        prop::collection::vec(written(), priorities.len()).prop_map(move |mut rules| {
            for (rule, priority) in rules.iter_mut().zip(&priorities) {
                rule.priority = *priority;
            }
            rules
        })
    })
}

fn flow() -> impl Strategy<Value = Flow> {
    let from = prop::sample::select(
        &[
            "203.0.113.7",
            "203.0.113.15",
            "203.0.113.16",
            "198.51.100.9",
            "8.8.8.8",
            "10.0.0.9",
            "10.1.2.3",
            "192.168.7.7",
            "172.20.0.1",
        ][..],
    );
    let ports = prop::sample::select(&[20u16, 22, 25, 26, 80, 3389, 65535][..]);
    (from, ports, any::<bool>()).prop_map(|(from, port, tcp)| Flow {
        source: from.parse().unwrap(),
        destination: TO.parse().unwrap(),
        protocol: if tcp { Protocol::Tcp } else { Protocol::Udp },
        ports: Ports::new(vec![port]).unwrap(),
    })
}

/// Whether the sandbox lets the flow pass this group.
fn passes(group: &[Value], flow: &Flow) -> bool {
    let from: IpAddr = flow.source.prefix().addr();
    let port = flow.ports.as_slice()[0];
    let groups = [group.to_vec()];
    Azure::would_pass(&groups, from, (flow.destination, port), &flow.protocol.to_string()).unwrap()
}

fn read(group: &[Written]) -> Vec<Rule> {
    group.iter().map(Written::read).chain(defaults()).collect()
}

fn sent(group: &[Written]) -> Vec<Value> {
    group.iter().map(Written::sent).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_called_allowed_passes_and_what_is_called_denied_does_not(group in group(), flow in flow()) {
        let passes = passes(&sent(&group), &flow);
        match evaluate(&read(&group), &flow) {
            Verdict::Allowed { by } => prop_assert!(passes, "allowed by {by}"),
            Verdict::Denied { by } => prop_assert!(!passes, "denied by {by}"),
            Verdict::Unclear { .. } => {}
        }
    }

    #[test]
    fn our_rule_opens_wherever_there_is_room(group in group(), flow in flow()) {
        let own = RuleName::new(&"sandbox".parse().unwrap(), "7F3K9-QXM2P".parse().unwrap());
        let rules = read(&group);
        if let Ok(priority) = place(&rules, &flow, &own) {
            prop_assert!((100..=499).contains(&priority));
            prop_assert!(group.iter().all(|rule| rule.priority != priority), "its number was taken");
            let ours = json!({"properties": {
                "protocol": flow.protocol.to_string(), "sourcePortRange": "*",
                "destinationPortRange": flow.ports.to_string(), "sourceAddressPrefix": flow.source.prefix().to_string(),
                "destinationAddressPrefix": TO, "access": "Allow", "priority": priority, "direction": "Inbound",
            }});
            let mut with_ours = sent(&group);
            with_ours.push(ours);
            prop_assert!(passes(&with_ours, &flow), "placed at {priority}, and the flow does not pass");
            let mut read = rules;
            read.push(Rule {
                name: own.to_string(),
                priority,
                access: Access::Allow,
                protocol: RuleProtocol::of(&flow.protocol.to_string()),
                sources: vec![Scope::Net(flow.source.prefix())],
                source_ports: vec![PortSpan::ANY],
                destinations: vec![Scope::of(TO)],
                destination_ports: vec![PortSpan::of(&flow.ports.to_string()).unwrap()],
                provisioning: Provisioning::Succeeded,
                description: String::new(),
            });
            let verdict = evaluate(&read, &flow);
            prop_assert!(matches!(verdict, Verdict::Allowed { .. }), "placed at {priority}: {verdict:?}");
        }
    }
}

#[test]
fn both_sides_are_really_compared() {
    // Of each verdict there are plenty: a generator that makes everything unclear would prove nothing.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut allowed, mut denied, mut placed) = (0, 0, 0);
    let own = RuleName::new(&"sandbox".parse().unwrap(), "7F3K9-QXM2P".parse().unwrap());
    for _ in 0..2_000 {
        let (group, flow) = (group(), flow()).new_tree(&mut runner).unwrap().current();
        match evaluate(&read(&group), &flow) {
            Verdict::Allowed { .. } => allowed += 1,
            Verdict::Denied { .. } => denied += 1,
            Verdict::Unclear { .. } => {}
        }
        placed += usize::from(place(&read(&group), &flow, &own).is_ok());
    }
    assert!(
        allowed > 100 && denied > 400 && placed > 1_000,
        "{allowed} allowed, {denied} denied, {placed} placed"
    );
}
