//! The way to a machine, and the machines of a subscription.

use super::types::{OsProfile, Reference, SecurityGroup};
use super::{Arm, ArmError, COMPUTE, NETWORK, Way, WayError};
use access::lease::Timestamp;
use access::lifecycle::NetworkFault;
use access::machine::{OnSubnet, Power, SeenAddress, SeenMachine, SeenNic, System, Tags, TagsNow, Used};
use access::nsg::Rule;
use access::request::{Machine, ResourceId};
use azure_core::http::Url;
use futures::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// The most pages of one list: each holds at least 50 resources, and whoever has more than this many has
/// met a list that leads back to itself.
const MOST_PAGES: usize = 2_000;

/// How many subnets are read side by side.
const SIDE_BY_SIDE: usize = 8;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    value: Vec<Value>,
    next_link: Option<String>,
}

#[derive(Deserialize)]
struct VirtualMachine {
    id: ResourceId,
    // Azure allows names here that we do not.
    name: String,
    #[serde(default)]
    tags: Tags,
    properties: VirtualMachineProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VirtualMachineProperties {
    #[serde(default)]
    network_profile: NetworkProfile,
    #[serde(default)]
    storage_profile: StorageProfile,
    #[serde(default)]
    os_profile: OsProfile,
    #[serde(default)]
    instance_view: InstanceView,
}

/// A machine in a list of run-time states, which has nothing else.
#[derive(Deserialize)]
struct MachineState {
    id: ResourceId,
    properties: MachineStateProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MachineStateProperties {
    #[serde(default)]
    instance_view: InstanceView,
}

#[derive(Deserialize, Default)]
struct InstanceView {
    #[serde(default)]
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: String,
}

impl InstanceView {
    fn power(&self) -> Power {
        self.statuses.iter().find_map(|status| Power::of(&status.code)).unwrap_or_default()
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct StorageProfile {
    os_disk: Option<OsDisk>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OsDisk {
    os_type: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct NetworkProfile {
    #[serde(default)]
    network_interfaces: Vec<NicReference>,
}

#[derive(Deserialize)]
struct NicReference {
    id: ResourceId,
    #[serde(default)]
    properties: MaybePrimary,
}

#[derive(Deserialize, Default)]
struct MaybePrimary {
    /// Absent on machines with one interface.
    primary: Option<bool>,
}

#[derive(Deserialize)]
struct Nic {
    id: ResourceId,
    properties: NicProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NicProperties {
    /// Absent where the interface has none.
    network_security_group: Option<Reference>,
    #[serde(default)]
    ip_configurations: Vec<IpConfiguration>,
    virtual_machine: Option<Reference>,
}

#[derive(Deserialize)]
struct IpConfiguration {
    properties: IpConfigurationProperties,
}

#[derive(Deserialize)]
struct IpConfigurationProperties {
    #[serde(rename = "privateIPAddress")]
    private_ip_address: Option<IpAddr>,
    #[serde(rename = "publicIPAddress")]
    public_ip_address: Option<Reference>,
    subnet: Option<Reference>,
    primary: Option<bool>,
    /// Absent where it is in none.
    #[serde(default, rename = "applicationSecurityGroups")]
    application_security_groups: Vec<Reference>,
}

#[derive(Deserialize)]
struct Subnet {
    properties: SubnetProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubnetProperties {
    network_security_group: Option<Reference>,
}

#[derive(Deserialize)]
struct PublicIp {
    id: ResourceId,
    properties: PublicIpProperties,
}

#[derive(Deserialize)]
struct PublicIpProperties {
    /// Absent while a dynamic address is not allocated.
    #[serde(rename = "ipAddress")]
    ip_address: Option<IpAddr>,
}

impl Arm {
    /// The groups between the Internet and a machine, as Azure says now: those of every interface that
    /// carries the private address that was approved, and of their subnets.
    ///
    /// # Errors
    /// The machine is gone or does not run, has another address, or nothing shields it; or Azure did not
    /// answer.
    pub async fn way(&self, machine: &Machine) -> Result<Way, WayError> {
        let (way, power) = self.way_and_power(&machine.resource_id, machine.private_address).await?;
        if power.is_off() {
            return Err(WayError::Fault(NetworkFault::NotRunning { power }));
        }
        Ok(way)
    }

    /// As [`Arm::way`], to one of a machine's private addresses, whether or not it runs.
    ///
    /// # Errors
    /// The machine is gone, has no such address, or nothing shields it; or Azure did not answer.
    pub async fn way_to(&self, machine: &ResourceId, address: IpAddr) -> Result<Way, WayError> {
        Ok(self.way_and_power(machine, address).await?.0)
    }

    /// As [`Arm::way_to`], with whether it runs.
    ///
    /// # Errors
    /// As [`Arm::way_to`].
    pub async fn way_and_power(
        &self,
        machine: &ResourceId,
        address: IpAddr,
    ) -> Result<(Way, Power), WayError> {
        let fault = |fault| Err(WayError::Fault(fault));
        // The run-time state comes only when it is asked for.
        let path = format!("{machine}?$expand=instanceView&api-version={COMPUTE}");
        let vm: VirtualMachine = match self.read(&path, machine).await {
            Err(ArmError::NotFound(_)) => return fault(NetworkFault::MachineGone),
            other => other?,
        };
        let mut groups: Vec<ResourceId> = vec![];
        // One for each configuration that carries the address: the groups that it is in.
        let mut memberships: Vec<Vec<ResourceId>> = vec![];
        for reference in vm.properties.network_profile.network_interfaces {
            let nic: Nic = self.get(&reference.id, NETWORK).await?;
            for ip in nic.properties.ip_configurations {
                if ip.properties.private_ip_address != Some(address) {
                    continue;
                }
                let member_of = ip.properties.application_security_groups.into_iter();
                memberships.push(member_of.map(|group| group.id).collect());
                let mut on_the_way = vec![];
                if let Some(reference) = &ip.properties.subnet {
                    let subnet: Subnet = self.get(&reference.id, NETWORK).await?;
                    on_the_way.extend(subnet.properties.network_security_group.map(|group| group.id));
                }
                on_the_way
                    .extend(nic.properties.network_security_group.as_ref().map(|group| group.id.clone()));
                // One group may be both the subnet's and the interface's.
                for group in on_the_way {
                    if !groups.contains(&group) {
                        groups.push(group);
                    }
                }
            }
        }
        if memberships.is_empty() {
            return fault(NetworkFault::AddressChanged);
        }
        if groups.is_empty() {
            return fault(NetworkFault::Unshielded);
        }
        self.fence.admits(&groups).map_err(WayError::Fault)?;
        // Where several interfaces carry the address, each has its own: which one counts is not known.
        let member_of = memberships.pop().filter(|_| memberships.is_empty());
        let tags = TagsNow::said(vm.tags);
        Ok((Way { groups, member_of, tags }, vm.properties.instance_view.power()))
    }

    /// The rules of these groups, which machines of this subscription are behind. What is not there could not be read: it
    /// is in another subscription, or we may not.
    ///
    /// # Errors
    /// Azure did not answer; then nothing is known of any of them.
    pub async fn rules_of_groups(
        &self,
        subscription: &str,
        wanted: HashSet<ResourceId>,
    ) -> Result<HashMap<ResourceId, Vec<Rule>>, ArmError> {
        let kind = "Microsoft.Network/networkSecurityGroups";
        let list = format!("/subscriptions/{subscription}/providers/{kind}?api-version={NETWORK}");
        let listed = self.list::<SecurityGroup>(list).await?.into_iter();
        let mut groups: HashMap<ResourceId, Vec<Rule>> =
            listed.filter_map(|group| Some((group.id.clone()?, group.inbound()))).collect();
        let missing: Vec<ResourceId> = wanted.iter().filter(|id| !groups.contains_key(id)).cloned().collect();
        for id in missing {
            match self.group(&id).await {
                Ok(group) => groups.insert(id, group.rules),
                Err(ArmError::NotFound(_) | ArmError::Refused { .. }) => None,
                Err(error) => return Err(error),
            };
        }
        groups.retain(|id, _| wanted.contains(id));
        Ok(groups)
    }

    /// Whether a machine exists.
    ///
    /// # Errors
    /// Azure refused or did not answer: not known.
    pub async fn has_machine(&self, id: &ResourceId) -> Result<bool, ArmError> {
        match self.get::<VirtualMachine>(id, COMPUTE).await {
            Ok(_) => Ok(true),
            Err(ArmError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All machines of a subscription with their interfaces, addresses and groups.
    ///
    /// # Errors
    /// Azure refused or did not answer; then nothing is known of any of them.
    pub async fn machines(&self, subscription: &str, now: Timestamp) -> Result<Vec<SeenMachine>, ArmError> {
        let path = |kind: &str| format!("/subscriptions/{subscription}/providers/{kind}");
        let vms = path("Microsoft.Compute/virtualMachines");
        let (vms, states, nics, publics) = futures::join!(
            self.list::<VirtualMachine>(format!("{vms}?api-version={COMPUTE}")),
            self.list::<MachineState>(format!("{vms}?statusOnly=true&api-version={COMPUTE}")),
            self.list::<Nic>(format!(
                "{}?api-version={NETWORK}",
                path("Microsoft.Network/networkInterfaces")
            )),
            self.list::<PublicIp>(format!(
                "{}?api-version={NETWORK}",
                path("Microsoft.Network/publicIPAddresses")
            )),
        );
        let (vms, states, nics, publics) = (vms?, states?, nics?, publics?);
        let subnets = self.subnets(&vms, &nics).await?;
        let seen = Lists {
            states: states.into_iter().map(|one| (one.id, one.properties.instance_view.power())).collect(),
            nics: nics.into_iter().map(|nic| (nic.id.clone(), nic)).collect(),
            publics: publics.into_iter().map(|one| (one.id, one.properties.ip_address)).collect(),
            subnets,
        };
        Ok(vms.into_iter().filter_map(|vm| seen.machine(vm, now)).collect())
    }

    /// Every resource of a list, page after page.
    pub(super) async fn list<T: DeserializeOwned>(&self, first: String) -> Result<Vec<T>, ArmError> {
        let (mut all, mut next) = (vec![], Some(first));
        for _ in 0..MOST_PAGES {
            let Some(path) = next else { return Ok(all) };
            let page: Page = self.read(&path, &path).await?;
            all.extend(readable(page.value));
            next = page.next_link.map(|link| path_of(&link)).transpose()?;
        }
        Err(ArmError::NoAnswer("a list without an end".to_owned()))
    }

    /// The groups on the subnets that these machines are in. One that we may not read is unknown: networks
    /// are shared between subscriptions, and the machine may have a group of its own.
    async fn subnets(
        &self,
        vms: &[VirtualMachine],
        nics: &[Nic],
    ) -> Result<HashMap<ResourceId, OnSubnet>, ArmError> {
        let used: HashSet<&ResourceId> = vms
            .iter()
            .flat_map(|vm| &vm.properties.network_profile.network_interfaces)
            .map(|nic| &nic.id)
            .collect();
        let ids: HashSet<ResourceId> = nics
            .iter()
            .filter(|nic| used.contains(&nic.id))
            .flat_map(|nic| &nic.properties.ip_configurations)
            .filter_map(|ip| ip.properties.subnet.as_ref().map(|subnet| subnet.id.clone()))
            .collect();
        let reads = ids.into_iter().map(|id| async move {
            let on = match self.get::<Subnet>(&id, NETWORK).await {
                Ok(subnet) => subnet
                    .properties
                    .network_security_group
                    .map_or(OnSubnet::Nothing, |group| OnSubnet::Group(group.id)),
                Err(ArmError::NotFound(_) | ArmError::Refused { .. }) => OnSubnet::Unknown,
                Err(error) => return Err(error),
            };
            Ok((id, on))
        });
        let reads: Vec<_> = futures::stream::iter(reads).buffer_unordered(SIDE_BY_SIDE).collect().await;
        reads.into_iter().collect()
    }
}

/// The entries of a list that can be read. Azure allows names that we do not: one such resource must not
/// hide all the others.
fn readable<T: DeserializeOwned>(entries: Vec<Value>) -> Vec<T> {
    let read = |entry: Value| match serde_json::from_value(entry) {
        Ok(read) => Some(read),
        Err(error) => {
            tracing::warn!(error = %error, "an entry of a list of Azure's cannot be read and is left out");
            None
        }
    };
    entries.into_iter().filter_map(read).collect()
}

/// The path and query of a list's next page, or of where to ask again. Whatever host it names, it is asked where everything is
/// asked: our token goes nowhere else.
pub(super) fn path_of(link: &str) -> Result<String, ArmError> {
    let url = Url::parse(link).map_err(|error| ArmError::NoAnswer(format!("a link: {error}")))?;
    Ok(format!("{}?{}", url.path(), url.query().unwrap_or_default()))
}

/// Everything that was listed, by id.
struct Lists {
    states: HashMap<ResourceId, Power>,
    nics: HashMap<ResourceId, Nic>,
    publics: HashMap<ResourceId, Option<IpAddr>>,
    subnets: HashMap<ResourceId, OnSubnet>,
}

impl Lists {
    fn machine(&self, vm: VirtualMachine, now: Timestamp) -> Option<SeenMachine> {
        let Ok(name) = vm.name.parse() else {
            tracing::warn!(machine = %vm.id, "a machine whose name nobody can type is left out");
            return None;
        };
        let mut references = vm.properties.network_profile.network_interfaces;
        references.sort_by_key(|reference| reference.properties.primary == Some(false));
        let nics: Vec<&Nic> =
            references.iter().filter_map(|reference| self.nics.get(&reference.id)).collect();
        // Compute's lists write the resource group in capitals, the interface names the machine as it was made.
        let spelled = nics.iter().filter_map(|nic| nic.properties.virtual_machine.as_ref());
        let resource_id = spelled.map(|vm| &vm.id).find(|id| **id == vm.id).cloned();
        let system = vm.properties.storage_profile.os_disk.and_then(|disk| disk.os_type);
        Some(SeenMachine {
            name,
            power: self.states.get(&vm.id).copied().unwrap_or_default(),
            resource_id: resource_id.unwrap_or(vm.id),
            system: system.and_then(|system| match system.to_ascii_lowercase().as_str() {
                "linux" => Some(System::Linux),
                "windows" => Some(System::Windows),
                _ => None,
            }),
            administrator: vm.properties.os_profile.administrator(),
            tags: vm.tags,
            nics: nics.into_iter().map(|nic| self.nic(nic)).collect(),
            behind: vec![],
            open: vec![],
            unread: false,
            used: Used::default(),
            enabled: None,
            seen_at: now,
            gone_at: None,
        })
    }

    fn nic(&self, nic: &Nic) -> SeenNic {
        let mut configurations: Vec<_> = nic.properties.ip_configurations.iter().collect();
        configurations.sort_by_key(|ip| ip.properties.primary == Some(false));
        let address = |ip: &&IpConfiguration| {
            let ip = &ip.properties;
            let on_subnet = ip.subnet.as_ref().and_then(|subnet| self.subnets.get(&subnet.id)).cloned();
            Some(SeenAddress {
                private: ip.private_ip_address?,
                public: ip
                    .public_ip_address
                    .as_ref()
                    .and_then(|one| self.publics.get(&one.id).copied().flatten()),
                on_subnet: on_subnet.unwrap_or_default(),
                member_of: ip.application_security_groups.iter().map(|group| group.id.clone()).collect(),
            })
        };
        SeenNic {
            id: nic.id.clone(),
            nsg: nic.properties.network_security_group.as_ref().map(|group| group.id.clone()),
            addresses: configurations.iter().filter_map(address).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_interface_tells_which_application_security_groups_an_address_is_in() {
        let group =
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/applicationSecurityGroups/web";
        let nic = json!({"id": "/subscriptions/s/nic", "properties": {"ipConfigurations": [
            {"properties": {"privateIPAddress": "10.0.0.6", "applicationSecurityGroups": [{"id": group}]}},
            {"properties": {"privateIPAddress": "10.0.0.7"}},
        ]}});
        let nic: Nic = serde_json::from_value(nic).unwrap();
        let member_of = |ip: &IpConfiguration| {
            let groups = ip.properties.application_security_groups.iter();
            groups.map(|group| group.id.to_string()).collect::<Vec<_>>()
        };
        let each: Vec<_> = nic.properties.ip_configurations.iter().map(member_of).collect();
        assert_eq!(each, [vec![group.to_owned()], vec![]]);
    }

    #[test]
    fn one_odd_name_does_not_hide_the_others() {
        let vm = |group: &str, name: &str| {
            let id = format!(
                "/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
            );
            json!({"id": id, "name": name, "properties": {}})
        };
        let read: Vec<VirtualMachine> = readable(vec![vm("Büro", "VM1"), json!({}), vm("Contoso", "VM2")]);
        let names: Vec<&str> = read.iter().map(|vm| vm.name.as_str()).collect();
        assert_eq!(names, ["VM2"]);
    }

    #[test]
    fn the_next_page_is_asked_for_where_everything_is() {
        let next =
            path_of("https://elsewhere.example/subscriptions/s/x?api-version=1&$skiptoken=a%20b").unwrap();
        assert_eq!(next, "/subscriptions/s/x?api-version=1&$skiptoken=a%20b");
        assert!(matches!(path_of("nowhere"), Err(ArmError::NoAnswer(_))));
    }
}
