//! Security rules as ARM takes them: what it accepts, what it refuses, and in which words.
//!
//! Codes and texts are from recordings and public error reports of Microsoft.Network where there are
//! any; where none is known, the code is `InvalidRequestFormat` and only the detail says more.

mod defaults;

use super::error::ArmError;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::net::IpAddr;

pub(super) use defaults::{any, defaults};

/// Allow or Deny.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Access {
    /// Lets the flow pass.
    Allow,
    /// Drops the flow.
    Deny,
}

/// Seen from the virtual machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Direction {
    /// To the machine.
    Inbound,
    /// From the machine.
    Outbound,
}

/// What a rule says, in ARM's words and order. Of each singular and plural pair one is used; the
/// plural ones are always sent, empty when the singular one is used.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Properties {
    /// At most 140 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `Tcp`, `Udp`, `Icmp`, `Esp`, `Ah` or `*`, in whatever case its writer chose.
    pub protocol: String,
    /// A port, a range like `23-45`, or `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port_range: Option<String>,
    /// As [`Properties::source_port_range`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_port_range: Option<String>,
    /// An address, a prefix, a service tag, or `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_address_prefix: Option<String>,
    /// As [`Properties::source_address_prefix`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_address_prefix: Option<String>,
    /// What happens to a flow that matches.
    pub access: Access,
    /// 100 to 4096 (default rules: above); the lowest number that matches decides.
    pub priority: u32,
    /// Which way the flow goes.
    pub direction: Direction,
    /// Several ports or ranges; never `*`.
    #[serde(default)]
    pub source_port_ranges: Vec<String>,
    /// As [`Properties::source_port_ranges`].
    #[serde(default)]
    pub destination_port_ranges: Vec<String>,
    /// Several addresses or prefixes; never a service tag or `*`.
    #[serde(default)]
    pub source_address_prefixes: Vec<String>,
    /// As [`Properties::source_address_prefixes`].
    #[serde(default)]
    pub destination_address_prefixes: Vec<String>,
    /// Application security groups instead of addresses; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_application_security_groups: Vec<Reference>,
    /// As [`Properties::source_application_security_groups`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destination_application_security_groups: Vec<Reference>,
}

/// Another resource, by its id.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Reference {
    /// Its resource id.
    pub id: String,
}

/// Limits of Azure per rule and per group.
const LONGEST_DESCRIPTION: usize = 140;
const LONGEST_NAME: usize = 80;
const MOST_ADDRESSES: usize = 4_000;
/// How many rules a group holds at most.
pub(super) const MOST_RULES: usize = 1_000;

const PROTOCOLS: [&str; 6] = ["Tcp", "Udp", "Icmp", "Esp", "Ah", "*"];
/// What a writer may send; the second line is read-only and ignored, as in ARM.
const KNOWN: [&str; 18] = [
    "description",
    "protocol",
    "sourcePortRange",
    "destinationPortRange",
    "sourceAddressPrefix",
    "destinationAddressPrefix",
    "access",
    "priority",
    "direction",
    "sourcePortRanges",
    "destinationPortRanges",
    "sourceAddressPrefixes",
    "destinationAddressPrefixes",
    "sourceApplicationSecurityGroups",
    "destinationApplicationSecurityGroups",
    "provisioningState",
    "name",
    "id",
];

/// Service tags that the simulated region knows; a region may follow after a dot.
const TAGS: [&str; 16] = [
    "Internet",
    "VirtualNetwork",
    "AzureLoadBalancer",
    "AzureCloud",
    "AzureTrafficManager",
    "AzureMonitor",
    "AzureActiveDirectory",
    "AzureKeyVault",
    "AzureBackup",
    "AzureFrontDoor",
    "ApiManagement",
    "AppService",
    "GatewayManager",
    "LogicApps",
    "Sql",
    "Storage",
];

/// Checks a name for a rule.
///
/// # Errors
/// 400 `InvalidResourceName` with Azure's naming rule.
pub(super) fn name(name: &str) -> Result<(), ArmError> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let good = name.len() <= LONGEST_NAME
        && name.chars().all(|c| word(c) || c == '.' || c == '-')
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(word);
    if good {
        return Ok(());
    }
    Err(ArmError::provider(
        400,
        "InvalidResourceName",
        format!(
            "Resource name {name} is invalid. The name can be up to 80 characters long. It must begin with a word character, and it must end with a word character or with '_'. The name may contain word characters or '.', '-', '_'."
        ),
    ))
}

/// Reads the body of a rule's PUT, or an entry of a group's `securityRules`. There are no application
/// security groups here, so a rule that refers to one is refused.
///
/// # Errors
/// 400 with the code of what is wrong; `id` is the rule's resource id, for the message.
pub(super) fn parse(body: &Value, id: &str) -> Result<Properties, ArmError> {
    let properties = read(body, id)?;
    for (groups, referenced) in [
        ("sourceApplicationSecurityGroups", &properties.source_application_security_groups),
        ("destinationApplicationSecurityGroups", &properties.destination_application_security_groups),
    ] {
        if !referenced.is_empty() {
            return Err(ArmError::provider(
                400,
                "InvalidResourceReference",
                format!("A resource in {groups} referenced by resource {id} was not found."),
            ));
        }
    }
    Ok(properties)
}

/// As [`parse`], where the application security groups exist.
///
/// # Errors
/// As [`parse`].
pub(super) fn read(body: &Value, id: &str) -> Result<Properties, ArmError> {
    let rule = body.as_object().ok_or_else(|| {
        ArmError::format("InvalidJson", "Error converting value to type 'SecurityRule'. Path ''.")
    })?;
    if let Some(unknown) =
        rule.keys().find(|key| !["name", "id", "etag", "type", "properties"].contains(&key.as_str()))
    {
        return Err(unknown_member(unknown, "SecurityRule"));
    }
    let leaf = id.rsplit('/').next().unwrap_or_default();
    if let Some(named) = rule.get("name").and_then(Value::as_str)
        && !named.eq_ignore_ascii_case(leaf)
    {
        return Err(ArmError::format(
            "InvalidResourceName",
            format!("Resource name in the request '{named}' does not match the one in the URL '{leaf}'."),
        ));
    }
    let fields = rule.get("properties").and_then(Value::as_object).ok_or_else(|| missing("properties"))?;
    if let Some(unknown) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(unknown_member(unknown, "SecurityRulePropertiesFormat"));
    }
    let properties = Properties {
        description: text(fields, "description")?,
        protocol: one_of(fields, "protocol", &PROTOCOLS).map(|(written, _)| written)?,
        source_port_range: text(fields, "sourcePortRange")?,
        destination_port_range: text(fields, "destinationPortRange")?,
        source_address_prefix: text(fields, "sourceAddressPrefix")?,
        destination_address_prefix: text(fields, "destinationAddressPrefix")?,
        access: if one_of(fields, "access", &["Allow", "Deny"])?.1 == 0 {
            Access::Allow
        } else {
            Access::Deny
        },
        priority: priority(fields)?,
        direction: if one_of(fields, "direction", &["Inbound", "Outbound"])?.1 == 0 {
            Direction::Inbound
        } else {
            Direction::Outbound
        },
        source_port_ranges: texts(fields, "sourcePortRanges")?,
        destination_port_ranges: texts(fields, "destinationPortRanges")?,
        source_address_prefixes: texts(fields, "sourceAddressPrefixes")?,
        destination_address_prefixes: texts(fields, "destinationAddressPrefixes")?,
        source_application_security_groups: references(fields, "sourceApplicationSecurityGroups")?,
        destination_application_security_groups: references(fields, "destinationApplicationSecurityGroups")?,
    };
    check(&properties, id)?;
    Ok(properties)
}

fn check(rule: &Properties, id: &str) -> Result<(), ArmError> {
    if rule.description.as_ref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        return Err(ArmError::provider(
            400,
            "InvalidSecurityRuleDescription",
            format!(
                "Description of security rule {id} is too long. It can have at most {LONGEST_DESCRIPTION} characters."
            ),
        ));
    }
    for (what, one, many) in [
        ("SourcePortRange", &rule.source_port_range, &rule.source_port_ranges),
        ("DestinationPortRange", &rule.destination_port_range, &rule.destination_port_ranges),
    ] {
        either(what, id, one.as_ref(), many, &[])?;
        for range in one.iter().filter(|range| *range != "*").chain(many) {
            if many.contains(&"*".to_owned()) {
                return Err(ArmError::provider(
                    400,
                    "SecurityRuleParameterContainsInvalidPortRanges",
                    format!(
                        "Security rule parameter {what}s for rule with Id {id} contains invalid port ranges: *."
                    ),
                ));
            }
            port_range(range)?;
        }
    }
    for (what, one, many, groups) in [
        (
            "SourceAddressPrefix",
            &rule.source_address_prefix,
            &rule.source_address_prefixes,
            &rule.source_application_security_groups,
        ),
        (
            "DestinationAddressPrefix",
            &rule.destination_address_prefix,
            &rule.destination_address_prefixes,
            &rule.destination_application_security_groups,
        ),
    ] {
        either(what, id, one.as_ref(), many, groups)?;
        if let Some(one) = one
            && one != "*"
            && !is_tag(one)
        {
            address(one, id)?;
        }
        if many.len() > MOST_ADDRESSES {
            return Err(ArmError::provider(
                400,
                "SecurityRuleParameterCountLimitReached",
                format!("Security rule {id} cannot have more than {MOST_ADDRESSES} values in {what}es."),
            ));
        }
        for prefix in many {
            if prefix == "*" || is_tag(prefix) {
                return Err(ArmError::provider(
                    400,
                    "SecurityRuleParameterContainsUnsupportedValue",
                    format!(
                        "Security rule parameter {what} for rule with Id {id} cannot specify existing VIRTUALNETWORK, INTERNET, AZURELOADBALANCER, '*' or system tags. Unsupported value used: {prefix}."
                    ),
                ));
            }
            address(prefix, id)?;
        }
    }
    Ok(())
}

fn either(
    what: &str,
    id: &str,
    one: Option<&String>,
    many: &[String],
    groups: &[Reference],
) -> Result<(), ArmError> {
    let plural = if what.ends_with("Prefix") { format!("{what}es") } else { format!("{what}s") };
    match (one, many.is_empty()) {
        (None, true) if !groups.is_empty() => Ok(()),
        (Some(_), true) | (None, false) => Ok(()),
        (Some(_), false) => Err(ArmError::format(
            "SecurityRuleParameterConflict",
            format!("Security rule {id} cannot specify both {what} and {plural}."),
        )),
        (None, true) => Err(ArmError::format(
            "MissingJsonProperty",
            format!("Security rule {id} must specify either {what} or {plural}."),
        )),
    }
}

fn priority(fields: &Map<String, Value>) -> Result<u32, ArmError> {
    let value = fields.get("priority").ok_or_else(|| missing("priority"))?;
    let number = value.as_i64().ok_or_else(|| {
        ArmError::format(
            "InvalidJson",
            format!("Could not convert to integer: {value}. Path 'properties.priority'."),
        )
    })?;
    match u32::try_from(number) {
        Ok(priority) if (100..=4096).contains(&priority) => Ok(priority),
        _ => Err(ArmError::provider(
            400,
            "SecurityRuleInvalidPriority",
            format!("Security rule has invalid Priority. Value provided: {number} Allowed range 100-4096."),
        )),
    }
}

fn port_range(range: &str) -> Result<(), ArmError> {
    let number = |text: &str| {
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())
            .flatten()
    };
    let good = match range.split_once('-') {
        Some((from, to)) => matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to),
        None => number(range).is_some(),
    };
    if good {
        return Ok(());
    }
    Err(ArmError::provider(
        400,
        "SecurityRuleInvalidPortRange",
        format!(
            "Security rule has invalid Port range. Value provided: {range}. Value should be an integer OR integer range with '-' delimiter. Valid range 0-65535."
        ),
    ))
}

/// An address, or a prefix whose host bits are all zero.
fn address(prefix: &str, id: &str) -> Result<(), ArmError> {
    let good = prefix.parse::<IpAddr>().is_ok()
        || prefix.parse::<IpNet>().is_ok_and(|net| net.trunc().addr() == net.addr());
    if good {
        return Ok(());
    }
    Err(ArmError::provider(
        400,
        "SecurityRuleInvalidAddressPrefix",
        format!("Security rule {id} has invalid Address prefix. Value provided: {prefix}"),
    ))
}

fn is_tag(text: &str) -> bool {
    let tag = text.split('.').next().unwrap_or_default();
    TAGS.iter().any(|known| known.eq_ignore_ascii_case(tag)) && !text.ends_with('.')
}

fn text(fields: &Map<String, Value>, key: &str) -> Result<Option<String>, ArmError> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        // What JSON clients send for a port is often a number, and the service converts it.
        Some(Value::Number(number)) if key.ends_with("Range") => Ok(Some(number.to_string())),
        // An empty string counts as absent.
        Some(Value::String(text)) => Ok((!text.is_empty()).then(|| text.clone())),
        Some(other) => Err(wrong_type(key, other)),
    }
}

fn texts(fields: &Map<String, Value>, key: &str) -> Result<Vec<String>, ArmError> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| wrong_type(key, item)))
            .collect(),
        Some(other) => Err(wrong_type(key, other)),
    }
}

fn references(fields: &Map<String, Value>, key: &str) -> Result<Vec<Reference>, ArmError> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| serde_json::from_value(item.clone()).map_err(|_| wrong_type(key, item)))
            .collect(),
        Some(other) => Err(wrong_type(key, other)),
    }
}

/// The value as written and its place among `choices`, compared without case.
fn one_of(fields: &Map<String, Value>, key: &str, choices: &[&str]) -> Result<(String, usize), ArmError> {
    let written = text(fields, key)?.ok_or_else(|| missing(key))?;
    let at = choices.iter().position(|choice| choice.eq_ignore_ascii_case(&written)).ok_or_else(|| {
        ArmError::format(
            "InvalidJson",
            format!("Error converting value \"{written}\" of 'properties.{key}'."),
        )
    })?;
    Ok((written, at))
}

fn missing(key: &str) -> ArmError {
    ArmError::format("MissingJsonProperty", format!("Required property '{key}' is not specified."))
}

fn unknown_member(key: &str, of: &str) -> ArmError {
    ArmError::format(
        "InvalidJson",
        format!("Could not find member '{key}' on object of type '{of}'. Path '{key}'."),
    )
}

fn wrong_type(key: &str, value: &Value) -> ArmError {
    ArmError::format("InvalidJson", format!("Error converting value {value} of 'properties.{key}'."))
}
