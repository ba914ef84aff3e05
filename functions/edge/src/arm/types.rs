//! The few shapes of Azure's JSON that we read and write.

use access::drive::Access;
use access::nsg::{OurRule, PortSpan, Provisioning, Rule, RuleProtocol, Scope};
use access::order::ClosingRule;
use access::request::{Ports, Protocol, ResourceId};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;

#[derive(Deserialize)]
pub(super) struct Reference {
    pub(super) id: ResourceId,
}

/// What a machine was made with (learn.microsoft.com, "Virtual Machines - Get", `OSProfile`).
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OsProfile {
    #[serde(default)]
    admin_username: Option<String>,
}

impl OsProfile {
    /// The account, where it is one that can be typed as it is.
    pub(super) fn administrator(self) -> Option<String> {
        let typed = |name: &String| {
            (1..=64).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        self.admin_username.filter(typed)
    }
}

#[derive(Deserialize)]
pub(super) struct SecurityGroup {
    #[serde(default)]
    pub(super) id: Option<ResourceId>,
    #[serde(default)]
    pub(super) location: String,
    properties: SecurityGroupProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecurityGroupProperties {
    #[serde(default)]
    security_rules: Vec<SecurityRule>,
    #[serde(default)]
    default_security_rules: Vec<SecurityRule>,
}

#[derive(Deserialize)]
struct SecurityRule {
    name: String,
    properties: SecurityRuleProperties,
}

/// Singular fields are set or the plural ones are; Azure sends empty lists for those unused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecurityRuleProperties {
    #[serde(default)]
    provisioning_state: String,
    #[serde(default)]
    description: String,
    protocol: String,
    access: String,
    direction: String,
    priority: u16,
    source_port_range: Option<String>,
    #[serde(default)]
    source_port_ranges: Vec<String>,
    destination_port_range: Option<String>,
    #[serde(default)]
    destination_port_ranges: Vec<String>,
    source_address_prefix: Option<String>,
    #[serde(default)]
    source_address_prefixes: Vec<String>,
    destination_address_prefix: Option<String>,
    #[serde(default)]
    destination_address_prefixes: Vec<String>,
    #[serde(default)]
    source_application_security_groups: Vec<Reference>,
    #[serde(default)]
    destination_application_security_groups: Vec<Reference>,
}

impl SecurityGroup {
    /// The inbound rules, the default ones too.
    pub(super) fn inbound(self) -> Vec<Rule> {
        let properties = self.properties;
        let rules = properties.security_rules.into_iter().chain(properties.default_security_rules);
        rules
            .filter(|rule| rule.properties.direction.eq_ignore_ascii_case("Inbound"))
            .map(SecurityRule::into_rule)
            .collect()
    }
}

impl SecurityRule {
    fn into_rule(self) -> Rule {
        let p = self.properties;
        Rule {
            name: self.name,
            priority: p.priority,
            // Whatever is not plainly Allow lets nobody in.
            access: if p.access.eq_ignore_ascii_case("Allow") { Access::Allow } else { Access::Deny },
            protocol: RuleProtocol::of(&p.protocol),
            sources: scopes(
                p.source_address_prefix,
                p.source_address_prefixes,
                &p.source_application_security_groups,
            ),
            source_ports: spans(p.source_port_range, p.source_port_ranges),
            destinations: scopes(
                p.destination_address_prefix,
                p.destination_address_prefixes,
                &p.destination_application_security_groups,
            ),
            destination_ports: spans(p.destination_port_range, p.destination_port_ranges),
            provisioning: match p.provisioning_state.to_ascii_lowercase().as_str() {
                "succeeded" => Provisioning::Succeeded,
                "failed" | "canceled" => Provisioning::Failed,
                _ => Provisioning::Changing,
            },
            description: p.description,
        }
    }
}

fn scopes(one: Option<String>, many: Vec<String>, groups: &[Reference]) -> Vec<Scope> {
    let named = one.into_iter().filter(|text| !text.is_empty()).chain(many).map(|text| Scope::of(&text));
    let all = named.chain(groups.iter().map(|group| Scope::Group(group.id.clone())));
    or_unknown(all.collect(), Scope::Unknown(String::new()))
}

/// A side that says nothing might be about anything.
fn or_unknown<T>(side: Vec<T>, unknown: T) -> Vec<T> {
    if side.is_empty() { vec![unknown] } else { side }
}

fn spans(one: Option<String>, many: Vec<String>) -> Vec<PortSpan> {
    let texts = one.into_iter().filter(|text| !text.is_empty()).chain(many);
    or_unknown(texts.map(|text| PortSpan::of(&text)).collect(), PortSpan::of(""))
}

/// The rule of a grant as Azure takes it.
pub(super) fn rule_body(rule: &OurRule) -> Value {
    let source = rule.flow.source.prefix().to_string();
    let to = (rule.flow.destination, rule.flow.protocol, &rule.flow.ports);
    body(&source, to, rule.access, rule.priority, &rule.description)
}

/// A closing rule as Azure takes it: it denies everybody.
pub(super) fn closing_body(rule: &ClosingRule, priority: u16, description: &str) -> Value {
    body("*", (rule.address, rule.protocol, &rule.ports), Access::Deny, priority, description)
}

/// One port goes into the singular field: `*` and tags are allowed only there, and it is how the portal writes it.
fn body(
    source: &str,
    (destination, protocol, ports): (IpAddr, Protocol, &Ports),
    access: Access,
    priority: u16,
    description: &str,
) -> Value {
    let ports: Vec<String> = ports.as_slice().iter().map(u16::to_string).collect();
    let mut properties = json!({
        "description": description,
        "protocol": protocol.to_string(),
        "sourcePortRange": "*",
        "sourceAddressPrefix": source,
        "destinationAddressPrefix": destination.to_string(),
        "access": match access {
            Access::Allow => "Allow",
            Access::Deny => "Deny",
        },
        "priority": priority,
        "direction": "Inbound",
    });
    match ports.as_slice() {
        [port] => properties["destinationPortRange"] = json!(port),
        ports => properties["destinationPortRanges"] = json!(ports),
    }
    json!({"properties": properties})
}
