//! What an operator sees: the groups of a subscription, and the rules of one as Azure writes them.

use super::types::SecurityGroup;
use super::{Arm, ArmError, Group, NETWORK};
use crate::report::plain;
use access::drive::Acted;
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
struct Listed {
    id: ResourceId,
    #[serde(flatten)]
    group: SecurityGroup,
}

#[derive(Deserialize)]
struct ShownGroup {
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
        let group: ShownGroup = self.get(nsg, NETWORK).await?;
        Ok(group.properties.security_rules.into_iter().map(ShownRule::from).collect())
    }

    /// All network security groups of a subscription as they are now, unlike Resource Graph, which is behind.
    ///
    /// # Errors
    /// Azure refused or did not answer.
    pub async fn groups(&self, subscription: &str) -> Result<Vec<(ResourceId, Group)>, ArmError> {
        let kind = "Microsoft.Network/networkSecurityGroups";
        let path = format!("/subscriptions/{subscription}/providers/{kind}?api-version={NETWORK}");
        let listed = self.list::<Listed>(path).await?;
        let read = |Listed { id, group }: Listed| {
            let location = group.location.clone();
            (id, Group { rules: group.inbound(), location })
        };
        Ok(listed.into_iter().map(read).collect())
    }
}

/// What Azure made of a write, for a person who watches.
pub fn said(acted: &Acted) -> String {
    match acted {
        Acted::Done => "accepted".to_owned(),
        Acted::Locked => "a lock in Azure forbids it".to_owned(),
        Acted::Refused(code) => format!("refused, {}", plain(code)),
        Acted::Conflict => "another rule has this priority".to_owned(),
        Acted::Busy { .. } => "not now, Azure is busy with another operation".to_owned(),
        Acted::Later { seconds } => format!("not now, Azure wants to be asked in {seconds} s"),
        Acted::Unknown => "no answer".to_owned(),
    }
}

/// What helps a person whose rights are missing; nothing where Azure refuses for another reason.
pub fn rights(code: &str) -> &'static str {
    if code.contains("AuthorizationFailed") {
        ": your login needs the role Network Contributor on the resource group"
    } else {
        ""
    }
}
