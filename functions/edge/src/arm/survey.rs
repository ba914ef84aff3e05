//! What an operator sees of one group: its rules as Azure writes them, and the machines behind it.

use super::{Arm, ArmError, NETWORK};
use access::request::{Machine, ResourceId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// How many interfaces are read at a time: a subnet may have hundreds.
const AT_ONCE: usize = 8;

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

/// A reference to another resource. Text, because some are to kinds that we know nothing of.
#[derive(Deserialize)]
struct Link {
    id: String,
}

#[derive(Deserialize)]
struct Of<T> {
    properties: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct GroupUses {
    network_interfaces: Vec<Link>,
    subnets: Vec<Link>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubnetUses {
    #[serde(default)]
    ip_configurations: Vec<Link>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interface {
    virtual_machine: Option<Link>,
    #[serde(default)]
    ip_configurations: Vec<Of<Address>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Address {
    #[serde(rename = "privateIPAddress")]
    private_ip_address: Option<IpAddr>,
    #[serde(rename = "publicIPAddress")]
    public_ip_address: Option<Link>,
    #[serde(default)]
    primary: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicAddress {
    ip_address: Option<IpAddr>,
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

/// The interface that an IP configuration belongs to; `None` for those of scale sets, load balancers and
/// whatever else a subnet may hold.
fn interface_of(ip_configuration: &Link) -> Option<ResourceId> {
    const KIND: &str = "/providers/microsoft.network/networkinterfaces/";
    let lower = ip_configuration.id.to_ascii_lowercase();
    let of_a_machine = !lower.contains("/virtualmachinescalesets/");
    let end = lower.find("/ipconfigurations/").filter(|_| of_a_machine && lower.contains(KIND))?;
    ip_configuration.id.get(..end)?.parse().ok()
}

impl Arm {
    /// The group's own rules as Azure writes them.
    ///
    /// # Errors
    /// The group does not exist, or Azure refused or did not answer.
    pub async fn shown_rules(&self, nsg: &ResourceId) -> Result<Vec<ShownRule>, ArmError> {
        let group: Of<RuleTexts> = self.get(nsg, NETWORK).await?;
        Ok(group.properties.security_rules.into_iter().map(ShownRule::from).collect())
    }

    /// The machines on whose interface or subnet the group is, each once, by name.
    ///
    /// # Errors
    /// Something on the way does not exist, or Azure refused or did not answer.
    pub async fn machines_behind(&self, nsg: &ResourceId) -> Result<Vec<Machine>, ArmError> {
        let group: Of<GroupUses> = self.get(nsg, NETWORK).await?;
        let GroupUses { network_interfaces, subnets } = group.properties;
        let mut interfaces: Vec<ResourceId> =
            network_interfaces.iter().filter_map(|link| link.id.parse().ok()).collect();
        for subnet in subnets.iter().filter_map(|link| link.id.parse().ok()) {
            let subnet: Of<SubnetUses> = self.get(&subnet, NETWORK).await?;
            interfaces.extend(subnet.properties.ip_configurations.iter().filter_map(interface_of));
        }
        interfaces.sort_unstable_by_key(ResourceId::key);
        interfaces.dedup();
        let mut machines: Vec<Machine> = vec![];
        for some in interfaces.chunks(AT_ONCE) {
            let read = some.iter().map(|interface| self.machine_on(interface));
            for machine in futures::future::try_join_all(read).await?.into_iter().flatten() {
                if machines.iter().all(|known| known.resource_id != machine.resource_id) {
                    machines.push(machine);
                }
            }
        }
        machines.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        Ok(machines)
    }

    /// The machine of an interface, by its primary address.
    async fn machine_on(&self, interface: &ResourceId) -> Result<Option<Machine>, ArmError> {
        let interface: Of<Interface> = self.get(interface, NETWORK).await?;
        let Interface { virtual_machine, ip_configurations } = interface.properties;
        let resource_id: Option<ResourceId> = virtual_machine.and_then(|link| link.id.parse().ok());
        let addresses = ip_configurations.into_iter().map(|one| one.properties);
        let address = addresses.min_by_key(|address| !address.primary);
        let Some((resource_id, address)) = resource_id.zip(address) else { return Ok(None) };
        let (Ok(name), Some(private_address)) = (resource_id.name().parse(), address.private_ip_address)
        else {
            return Ok(None);
        };
        let public: Option<ResourceId> = address.public_ip_address.and_then(|link| link.id.parse().ok());
        let public_address = match public {
            Some(id) => self.get::<Of<PublicAddress>>(&id, NETWORK).await?.properties.ip_address,
            None => None,
        };
        Ok(Some(Machine { name, resource_id, private_address, public_address }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_interfaces_of_machines_are_read() {
        let link = |id: &str| Link { id: id.to_owned() };
        let nic = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/a";
        assert_eq!(
            interface_of(&link(&format!("{nic}/ipConfigurations/one"))).as_ref().map(ResourceId::as_str),
            Some(nic)
        );
        for other in [
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/v/virtualMachines/0/networkInterfaces/a/ipConfigurations/one",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/applicationGateways/a/gatewayIPConfigurations/one",
            nic,
        ] {
            assert_eq!(interface_of(&link(other)), None, "{other}");
        }
    }
}
