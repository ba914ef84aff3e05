//! The lab as Azure holds it: machines, network interfaces, one virtual network, network security groups.

use super::rules::{self, Properties};
use super::wire;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The lab's tenant.
pub const TENANT_ID: &str = "5d7c1c36-2f0b-4b6e-9a41-6d1f5c0e8a10";
/// The lab's subscription.
pub const SUBSCRIPTION_ID: &str = "8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60";
/// The lab's only resource group.
pub const RESOURCE_GROUP: &str = "Contoso-IaaS";
/// The lab's region.
pub const LOCATION: &str = "westeurope";
/// The virtual network.
pub const VNET: &str = "Contoso-VNet";
/// Its only subnet.
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

    /// The resource id of the one called `name`.
    pub(super) fn id(self, name: &str) -> String {
        format!("{}/providers/{}/{name}", group_id(), self.name())
    }
}

/// The resource group's id.
pub(super) fn group_id() -> String {
    format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}")
}

/// The subnet's id.
pub(super) fn subnet_id() -> String {
    format!("{}/subnets/{SUBNET}", Kind::Vnet.id(VNET))
}

/// An operating system, as Azure's disks name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Os {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

/// A port on which a machine has something to offer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Port {
    /// The machine's own port.
    pub port: u16,
    /// `http`, `ssh`, `rdp` or `winrm`: what is served there.
    pub name: String,
}

/// A virtual machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Its name; Azure compares it without case.
    pub name: String,
    /// Its operating system.
    pub os: Os,
    /// Names of its network interfaces, the primary one first.
    pub nics: Vec<String>,
    /// What it serves.
    pub ports: Vec<Port>,
    /// Azure's own identifier.
    pub vm_id: String,
}

/// A network interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// The machine's private address.
    pub private_address: String,
    /// The name of the public address resource, if any.
    pub public_ip: Option<String>,
    /// The network security group on this interface, if any.
    pub nsg: Option<String>,
    pub(super) etag: String,
    pub(super) guid: String,
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
    /// What packets meet: follows `rules` when an operation ends.
    pub(super) enforced: Vec<Rule>,
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

/// Everything that Azure holds. Names keep their writer's case and are compared without it.
#[derive(Serialize, Deserialize)]
pub(super) struct World {
    pub(super) machines: Vec<Machine>,
    pub(super) nics: Vec<Nic>,
    /// Public address resources: name -> address.
    pub(super) public_ips: BTreeMap<String, String>,
    pub(super) nsgs: Vec<Nsg>,
    pub(super) subnet_nsg: Option<String>,
    pub(super) subnet_etag: String,
    pub(super) vnet_guid: String,
    pub(super) locks: Vec<Lock>,
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
            public_ips: BTreeMap::from([("VM3-pip".to_owned(), "192.0.2.13".to_owned())]),
            nsgs: vec![nsg, Nsg::new(NIC_NSG)],
            subnet_nsg: Some(NSG.to_owned()),
            subnet_etag: wire::guid(),
            vnet_guid: wire::guid(),
            locks: Vec::new(),
            loopback: BTreeMap::new(),
        };
        let port = |port, name: &str| Port { port, name: name.to_owned() };
        let (rdp, winrm) = (port(3389, "rdp"), port(5985, "winrm"));
        world.add_machine("VM1", Os::Windows, vec![port(80, "http"), rdp.clone(), winrm.clone()], None);
        world.add_machine("VM2", Os::Windows, vec![rdp.clone(), winrm.clone()], None);
        world.add_machine("VM3", Os::Linux, vec![port(22, "ssh")], Some("VM3-pip"));
        world.add_machine("VM4", Os::Windows, vec![rdp, winrm], None);
        world.associate_nic("VM3-nic", Some(NIC_NSG.to_owned()));
        world
    }

    /// Adds a machine with one interface, `<name>-nic`, at the next private address from 10.0.0.4.
    pub(super) fn add_machine(&mut self, name: &str, os: Os, ports: Vec<Port>, public_ip: Option<&str>) {
        let nic = format!("{name}-nic");
        self.nics.push(Nic {
            name: nic.clone(),
            private_address: format!("10.0.{}.{}", (self.nics.len() + 4) / 256, (self.nics.len() + 4) % 256),
            public_ip: public_ip.map(str::to_owned),
            nsg: None,
            etag: wire::guid(),
            guid: wire::guid(),
        });
        self.machines.push(Machine {
            name: name.to_owned(),
            os,
            nics: vec![nic],
            ports,
            vm_id: wire::guid(),
        });
    }

    pub(super) fn machine(&self, name: &str) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn nic(&self, name: &str) -> Option<&Nic> {
        self.nics.iter().find(|nic| nic.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn nsg(&self, name: &str) -> Option<&Nsg> {
        self.nsgs.iter().find(|nsg| nsg.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn nsg_mut(&mut self, name: &str) -> Option<&mut Nsg> {
        self.nsgs.iter_mut().find(|nsg| nsg.name.eq_ignore_ascii_case(name))
    }

    /// The interface through which a machine is reached.
    pub(super) fn primary_nic(&self, machine: &Machine) -> Option<&Nic> {
        machine.nics.first().and_then(|name| self.nic(name))
    }

    /// The rules that packets to this interface meet: of the subnet's group, then of its own.
    pub(super) fn enforced_for(&self, nic: &Nic) -> Vec<Vec<Properties>> {
        [self.subnet_nsg.as_ref(), nic.nsg.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|name| self.nsg(name))
            .map(|nsg| nsg.enforced.iter().map(|rule| rule.properties.clone()).collect())
            .collect()
    }

    /// Ids of what a group is on: interfaces and subnets.
    pub(super) fn users_of(&self, nsg: &str) -> (Vec<String>, Vec<String>) {
        let is = |name: &Option<String>| name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(nsg));
        let nics = self.nics.iter().filter(|nic| is(&nic.nsg)).map(|nic| Kind::Nic.id(&nic.name)).collect();
        let subnets = if is(&self.subnet_nsg) { vec![subnet_id()] } else { Vec::new() };
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

impl World {
    /// Puts a group on an interface, or takes it off.
    pub(super) fn associate_nic(&mut self, name: &str, nsg: Option<String>) {
        if let Some(nic) = self.nics.iter_mut().find(|nic| nic.name.eq_ignore_ascii_case(name)) {
            nic.nsg = nsg;
            nic.etag = wire::guid();
        }
    }

    /// Puts a group on the subnet, or takes it off.
    pub(super) fn associate_subnet(&mut self, nsg: Option<String>) {
        self.subnet_nsg = nsg;
        self.subnet_etag = wire::guid();
    }
}
