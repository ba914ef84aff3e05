//! The lab as Azure holds it: machines, network interfaces, one virtual network, network security groups.

use super::machines::{Machine, Nic, PublicIp, Subnet, Vnet};
use super::packets::AdminRule;
use super::propagation::By;
use super::rules::{self, Properties};
use super::wire;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The lab's tenant.
pub const TENANT_ID: &str = "5d7c1c36-2f0b-4b6e-9a41-6d1f5c0e8a10";
/// The lab's subscription.
pub const SUBSCRIPTION_ID: &str = "8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60";
/// A second subscription of the same tenant, empty at first.
pub const OTHER_SUBSCRIPTION_ID: &str = "2c9e41b7-6d3f-4f0a-b1a8-70c5d2e9f316";
/// The lab's resource group.
pub const RESOURCE_GROUP: &str = "Contoso-IaaS";
/// The lab's region.
pub const LOCATION: &str = "westeurope";
/// The virtual network.
pub const VNET: &str = "Contoso-VNet";
/// Its subnet.
pub const SUBNET: &str = "Contoso-Subnet";
/// The network security group on the subnet.
pub const NSG: &str = "Contoso-NSG";
/// The network security group on the interface of VM3.
pub const NIC_NSG: &str = "VM3-nsg";

/// What kind of resource; only those that the product meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Vm,
    Nic,
    Vnet,
    PublicIp,
    Nsg,
}

impl Kind {
    /// The resource type as ARM writes it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Vm => "Microsoft.Compute/virtualMachines",
            Self::Nic => "Microsoft.Network/networkInterfaces",
            Self::Vnet => "Microsoft.Network/virtualNetworks",
            Self::PublicIp => "Microsoft.Network/publicIPAddresses",
            Self::Nsg => "Microsoft.Network/networkSecurityGroups",
        }
    }

    /// The resource id of the one called `name` in the lab's resource group.
    pub(super) fn id(self, name: &str) -> String {
        self.id_in(&Place::lab(), name)
    }

    /// The resource id of the one called `name` in a resource group.
    pub(super) fn id_in(self, place: &Place, name: &str) -> String {
        format!("{}/providers/{}/{name}", place.id(), self.name())
    }
}

/// A resource group of a subscription. Both are compared without case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The subscription's id.
    pub subscription: String,
    /// The resource group's name.
    pub group: String,
}

impl Place {
    /// The lab's.
    pub fn lab() -> Self {
        Self::new(SUBSCRIPTION_ID, RESOURCE_GROUP)
    }

    /// A resource group of a subscription.
    pub fn new(subscription: &str, group: &str) -> Self {
        Self { subscription: subscription.to_owned(), group: group.to_owned() }
    }

    /// The resource group's id.
    pub(super) fn id(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{}", self.subscription, self.group)
    }

    pub(super) fn is_in(&self, subscription: &str) -> bool {
        self.subscription.eq_ignore_ascii_case(subscription)
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.is_in(&other.subscription) && self.group.eq_ignore_ascii_case(&other.group)
    }
}

/// The lab's subnet's id.
pub(super) fn subnet_id() -> String {
    format!("{}/subnets/{SUBNET}", Kind::Vnet.id(VNET))
}

/// A security rule in a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) properties: Properties,
    pub(super) state: String,
}

/// A network security group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Nsg {
    pub(super) name: String,
    pub(super) etag: String,
    pub(super) guid: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    /// What ARM lists.
    pub(super) rules: Vec<Rule>,
    /// What is in force: follows `rules` when an operation ends.
    pub(super) enforced: Vec<Rule>,
    /// Rules in force that packets do not meet yet: the name in lower case, and from when, in milliseconds.
    #[serde(default)]
    pub(super) late: BTreeMap<String, u64>,
}

impl Nsg {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            etag: wire::guid(),
            guid: wire::guid(),
            state: "Succeeded".to_owned(),
            tags: BTreeMap::new(),
            rules: Vec::new(),
            enforced: Vec::new(),
            late: BTreeMap::new(),
        }
    }

    pub(super) fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn rule_mut(&mut self, name: &str) -> Option<&mut Rule> {
        self.rules.iter_mut().find(|rule| rule.name.eq_ignore_ascii_case(name))
    }
}

/// A management lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Lock {
    pub(super) name: String,
    /// The resource id of what is locked, with everything below it.
    pub(super) scope: String,
    pub(super) level: Level,
}

/// What a management lock forbids.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Level {
    /// Deleting.
    CanNotDelete,
    /// Deleting and writing.
    ReadOnly,
}

/// Everything that Azure holds. Names keep their writer's case and are compared without it. Machines may
/// have the same name in different resource groups; the names of everything else are unique here, and
/// network security groups are all in the lab's resource group.
#[derive(Serialize, Deserialize)]
pub(super) struct World {
    pub(super) machines: Vec<Machine>,
    pub(super) nics: Vec<Nic>,
    pub(super) public_ips: Vec<PublicIp>,
    pub(super) nsgs: Vec<Nsg>,
    pub(super) vnets: Vec<Vnet>,
    pub(super) subnets: Vec<Subnet>,
    pub(super) locks: Vec<Lock>,
    /// Rules of Azure Virtual Network Manager over the whole network.
    #[serde(default)]
    pub(super) admin_rules: Vec<AdminRule>,
    /// Which loopback port stands for a machine's port: `VM3:22` -> 40022.
    pub(super) loopback: BTreeMap<String, u16>,
}

impl World {
    /// The lab at the beginning: HTTP allowed by `allow-http`, everything else from outside denied. VM3 has a
    /// group on its interface too, with the default rules only.
    pub(super) fn lab() -> Self {
        let mut nsg = Nsg::new(NSG);
        let http = Rule {
            name: "allow-http".to_owned(),
            state: "Succeeded".to_owned(),
            properties: Properties {
                description: Some("The website".to_owned()),
                protocol: "Tcp".to_owned(),
                destination_port_range: Some("80".to_owned()),
                source_address_prefix: Some("Internet".to_owned()),
                priority: 1000,
                ..rules::any(rules::Access::Allow)
            },
        };
        nsg.rules.push(http.clone());
        nsg.enforced.push(http);
        let mut world = Self {
            machines: Vec::new(),
            nics: Vec::new(),
            public_ips: Vec::new(),
            nsgs: vec![nsg, Nsg::new(NIC_NSG)],
            vnets: Vec::new(),
            subnets: Vec::new(),
            locks: Vec::new(),
            admin_rules: Vec::new(),
            loopback: BTreeMap::new(),
        };
        world.add_lab_network();
        world.add_lab_machines();
        world
    }

    pub(super) fn nsg(&self, name: &str) -> Option<&Nsg> {
        self.nsgs.iter().find(|nsg| nsg.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn nsg_mut(&mut self, name: &str) -> Option<&mut Nsg> {
        self.nsgs.iter_mut().find(|nsg| nsg.name.eq_ignore_ascii_case(name))
    }

    /// The rules on the way to this address of an interface, those in force or those that packets meet: of the
    /// subnet's group, then of the interface's own.
    pub(super) fn rules_for(&self, nic: &Nic, subnet: &str, by: By) -> Vec<Vec<Rule>> {
        let met = |nsg: &Nsg, rule: &Rule| match (by, nsg.late.get(&rule.name.to_ascii_lowercase())) {
            (By::Packets(now_ms), Some(from_ms)) => *from_ms <= now_ms,
            _ => true,
        };
        [self.subnet(subnet).and_then(|subnet| subnet.nsg.as_ref()), nic.nsg.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|name| self.nsg(name))
            .map(|nsg| nsg.enforced.iter().filter(|rule| met(nsg, rule)).cloned().collect())
            .collect()
    }

    /// Ids of what a group is on: interfaces and subnets.
    pub(super) fn users_of(&self, nsg: &str) -> (Vec<String>, Vec<String>) {
        let is = |name: &Option<String>| name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(nsg));
        let nics = self.nics.iter().filter(|nic| is(&nic.nsg)).map(Nic::id).collect();
        let subnets =
            self.subnets.iter().filter(|subnet| is(&subnet.nsg)).map(|subnet| subnet.id.clone()).collect();
        (nics, subnets)
    }

    /// Ids of the locked scopes that forbid this on the resource `id`.
    pub(super) fn locked(&self, id: &str, deleting: bool) -> Vec<String> {
        let id = format!("{}/", id.to_ascii_lowercase());
        self.locks
            .iter()
            .filter(|lock| id.starts_with(&format!("{}/", lock.scope.to_ascii_lowercase())))
            .filter(|lock| deleting || lock.level == Level::ReadOnly)
            .map(|lock| lock.scope.clone())
            .collect()
    }
}
