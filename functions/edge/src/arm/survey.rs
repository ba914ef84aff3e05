//! What an operator sees of one group: its rules as Azure writes them.

use super::{Arm, ArmError, NETWORK};
use access::request::ResourceId;
use serde::{Deserialize, Serialize};

/// A rule with its fields as text, a plural field joined by commas.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are Azure's, under Azure's names")]
pub struct ShownRule {
    pub name: String,
    pub priority: u16,
    pub direction: String,
    pub access: String,
    pub protocol: String,
    pub source: String,
    pub destination: String,
    pub ports: String,
    pub description: String,
    pub provisioning_state: String,
}

#[derive(Deserialize)]
struct Group {
    properties: RuleTexts,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleTexts {
    #[serde(default)]
    security_rules: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    properties: Texts,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Texts {
    priority: u16,
    direction: String,
    access: String,
    protocol: String,
    source_address_prefix: Option<String>,
    #[serde(default)]
    source_address_prefixes: Vec<String>,
    destination_address_prefix: Option<String>,
    #[serde(default)]
    destination_address_prefixes: Vec<String>,
    destination_port_range: Option<String>,
    #[serde(default)]
    destination_port_ranges: Vec<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    provisioning_state: String,
}

fn joined(one: Option<String>, many: Vec<String>) -> String {
    one.into_iter().filter(|text| !text.is_empty()).chain(many).collect::<Vec<_>>().join(", ")
}

impl From<Named> for ShownRule {
    fn from(Named { name, properties: texts }: Named) -> Self {
        Self {
            name,
            priority: texts.priority,
            direction: texts.direction,
            access: texts.access,
            protocol: texts.protocol,
            source: joined(texts.source_address_prefix, texts.source_address_prefixes),
            destination: joined(texts.destination_address_prefix, texts.destination_address_prefixes),
            ports: joined(texts.destination_port_range, texts.destination_port_ranges),
            description: texts.description,
            provisioning_state: texts.provisioning_state,
        }
    }
}

impl Arm {
    /// The group's own rules as Azure writes them.
    ///
    /// # Errors
    /// The group does not exist, or Azure refused or did not answer.
    pub async fn shown_rules(&self, nsg: &ResourceId) -> Result<Vec<ShownRule>, ArmError> {
        let group: Group = self.get(nsg, NETWORK).await?;
        Ok(group.properties.security_rules.into_iter().map(ShownRule::from).collect())
    }
}
