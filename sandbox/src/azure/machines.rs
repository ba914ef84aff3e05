//! Machines and the network that they are in: interfaces, addresses, subnets.

use super::wire;
use super::world::{Kind, NIC_NSG, NSG, Place, SUBNET, VNET, World, subnet_id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

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

/// Whether a machine runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Power {
    /// It runs.
    Running,
    /// Its system was shut down from within; it is still allocated.
    Stopped,
    /// It was stopped by Azure and costs nothing.
    Deallocated,
}

impl Power {
    /// The code of the status in an instance view, after `PowerState/`, and its display text.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Running => ("running", "VM running"),
            Self::Stopped => ("stopped", "VM stopped"),
            Self::Deallocated => ("deallocated", "VM deallocated"),
        }
    }
}

/// A virtual machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Its name; Azure compares it without case.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Its operating system.
    pub os: Os,
    /// Whether it runs.
    pub power: Power,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Names of its network interfaces, the primary one first.
    pub nics: Vec<String>,
    /// What it serves.
    pub ports: Vec<Port>,
    /// Azure's own identifier.
    pub vm_id: String,
}

impl Machine {
    /// Its resource id.
    pub(super) fn id(&self) -> String {
        Kind::Vm.id_in(&self.place, &self.name)
    }

    /// What tells it from every other machine: its name, with the resource group where that is not the
    /// lab's, and with the subscription where that is not the lab's.
    pub(super) fn key(&self) -> String {
        let Place { subscription, group } = &self.place;
        if self.place == Place::lab() {
            self.name.clone()
        } else if self.place.is_in(super::world::SUBSCRIPTION_ID) {
            format!("{group}/{}", self.name)
        } else {
            format!("{subscription}/{group}/{}", self.name)
        }
    }
}

/// An IP configuration of a network interface: one private address, of one family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    /// The configuration's name.
    pub name: String,
    /// The private address.
    pub private: IpAddr,
    /// The name of the public address resource, if any.
    pub public_ip: Option<String>,
    /// The subnet's id.
    pub subnet: String,
    /// Whether it is the interface's primary one.
    pub primary: bool,
}

/// A network interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Its IP configurations, the primary one first.
    pub addresses: Vec<Address>,
    /// The network security group on this interface, if any.
    pub nsg: Option<String>,
    pub(super) etag: String,
    pub(super) guid: String,
}

impl Nic {
    /// Its resource id.
    pub(super) fn id(&self) -> String {
        Kind::Nic.id_in(&self.place, &self.name)
    }
}

/// A public address resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PublicIp {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) address: IpAddr,
}

/// A virtual network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Vnet {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) guid: String,
}

impl Vnet {
    pub(super) fn id(&self) -> String {
        Kind::Vnet.id_in(&self.place, &self.name)
    }
}

/// A subnet of a virtual network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Subnet {
    pub(super) id: String,
    pub(super) prefixes: Vec<String>,
    pub(super) nsg: Option<String>,
    pub(super) etag: String,
}

/// A network interface that a test asks for.
#[derive(Clone, Debug, Default)]
pub struct NewNic {
    /// The network security group on it, which must exist.
    pub nsg: Option<String>,
    /// Its private addresses, each with the public one in front of it; of both families at will.
    pub addresses: Vec<(IpAddr, Option<IpAddr>)>,
    /// The subnet's name in the lab's network; `None`: the lab's subnet. In another subscription a subnet
    /// without a group is made.
    pub subnet: Option<String>,
}

/// A machine that a test asks for.
#[derive(Clone, Debug)]
pub struct NewMachine {
    /// Its name, free in its resource group.
    pub name: String,
    /// Where; the resource group is made.
    pub place: Place,
    /// Its operating system.
    pub os: Os,
    /// What it serves.
    pub ports: Vec<Port>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its interfaces, the primary one first; at least one.
    pub nics: Vec<NewNic>,
}

impl World {
    pub(super) fn add_lab_network(&mut self) {
        self.vnets.push(Vnet { name: VNET.to_owned(), place: Place::lab(), guid: wire::guid() });
        self.subnets.push(Subnet {
            id: subnet_id(),
            prefixes: vec!["10.0.0.0/24".to_owned(), "fd00:db8:deca::/64".to_owned()],
            nsg: Some(NSG.to_owned()),
            etag: wire::guid(),
        });
    }

    pub(super) fn add_lab_machines(&mut self) {
        let port = |port, name: &str| Port { port, name: name.to_owned() };
        let (rdp, winrm) = (port(3389, "rdp"), port(5985, "winrm"));
        self.add_machine("VM1", Os::Windows, vec![port(80, "http"), rdp.clone(), winrm.clone()], None);
        self.add_machine("VM2", Os::Windows, vec![rdp.clone(), winrm.clone()], None);
        let public = Some(IpAddr::from([192, 0, 2, 13]));
        self.add_machine("VM3", Os::Linux, vec![port(22, "ssh")], public);
        self.add_machine("VM4", Os::Windows, vec![rdp, winrm], None);
        self.associate_nic("VM3-nic", Some(NIC_NSG.to_owned()));
    }

    /// Adds a machine to the lab with one interface, `<name>-nic`, at the next private address from 10.0.0.4.
    pub(super) fn add_machine(&mut self, name: &str, os: Os, ports: Vec<Port>, public: Option<IpAddr>) {
        let [high, low] = u16::try_from(self.nics.len() + 4).unwrap_or(u16::MAX).to_be_bytes();
        let nic = NewNic { addresses: vec![(IpAddr::from([10, 0, high, low]), public)], ..NewNic::default() };
        let new = NewMachine {
            name: name.to_owned(),
            place: Place::lab(),
            os,
            ports,
            tags: BTreeMap::new(),
            nics: vec![nic],
        };
        self.add(&new);
    }

    /// Adds a machine with its interfaces (`<name>-nic`, `<name>-nic2`, ...) and public addresses.
    pub(super) fn add(&mut self, new: &NewMachine) {
        // Names of interfaces are unique here, those of machines only within their resource group; and the
        // interface of a deleted machine may still be there.
        let group = &new.place.group;
        let more = (2..).map(|number| format!("{group}-{}-{number}", new.name));
        let mut prefixes = [new.name.clone(), format!("{group}-{}", new.name)].into_iter().chain(more);
        let is_free = |prefix: &String| self.nic(&format!("{prefix}-nic")).is_none();
        let prefix = prefixes.find(is_free).unwrap_or_default();
        let numbered = |what: &str, at: usize| match at {
            0 => format!("{prefix}-{what}"),
            at => format!("{prefix}-{what}{}", at + 1),
        };
        let (mut nics, mut publics) = (Vec::new(), 0);
        for (at, wanted) in new.nics.iter().enumerate() {
            let name = numbered("nic", at);
            let subnet = self.subnet_for(&new.place, wanted.subnet.as_deref());
            let mut addresses = Vec::new();
            for (number, (private, public)) in wanted.addresses.iter().enumerate() {
                let public_ip = public.map(|address| {
                    let name = numbered("pip", publics);
                    publics += 1;
                    self.public_ips.push(PublicIp { name: name.clone(), place: new.place.clone(), address });
                    name
                });
                addresses.push(Address {
                    name: format!("ipconfig{}", number + 1),
                    private: *private,
                    public_ip,
                    subnet: subnet.clone(),
                    primary: number == 0,
                });
            }
            self.nics.push(Nic {
                name: name.clone(),
                place: new.place.clone(),
                addresses,
                nsg: wanted.nsg.clone(),
                etag: wire::guid(),
                guid: wire::guid(),
            });
            nics.push(name);
        }
        self.machines.push(Machine {
            name: new.name.clone(),
            place: new.place.clone(),
            os: new.os,
            power: Power::Running,
            tags: new.tags.clone(),
            nics,
            ports: new.ports.clone(),
            vm_id: wire::guid(),
        });
    }

    /// The id of a subnet, made without a group where there is none. An interface must be in a network of its
    /// own subscription.
    fn subnet_for(&mut self, place: &Place, name: Option<&str>) -> String {
        let lab = Place::lab();
        let vnet = if place.is_in(&lab.subscription) {
            Kind::Vnet.id(VNET)
        } else {
            let vnet =
                Vnet { name: format!("{}-VNet", place.group), place: place.clone(), guid: wire::guid() };
            let id = vnet.id();
            if !self.vnets.iter().any(|known| known.id().eq_ignore_ascii_case(&id)) {
                self.vnets.push(vnet);
            }
            id
        };
        let id = format!("{vnet}/subnets/{}", name.unwrap_or(SUBNET));
        if self.subnet(&id).is_none() {
            let number = self.subnets.len();
            self.subnets.push(Subnet {
                id: id.clone(),
                prefixes: vec![format!("10.0.{number}.0/24"), format!("fd00:db8:deca:{number}::/64")],
                nsg: None,
                etag: wire::guid(),
            });
        }
        id
    }

    /// A machine by its name, by `group/name`, or by `subscription/group/name`; by its name alone, one in the
    /// lab's resource group comes first.
    pub(super) fn machine(&self, name: &str) -> Option<&Machine> {
        let same = |machine: &&Machine| {
            let Place { subscription, group } = &machine.place;
            let whole = format!("/{subscription}/{group}/{}", machine.name).to_ascii_lowercase();
            whole.ends_with(&format!("/{}", name.to_ascii_lowercase()))
        };
        let in_lab = self.machines.iter().filter(same).find(|machine| machine.place == Place::lab());
        in_lab.or_else(|| self.machines.iter().find(same))
    }

    /// A machine of one resource group.
    pub(super) fn machine_at(&self, place: &Place, name: &str) -> Option<&Machine> {
        self.machines.iter().find(|one| one.place == *place && one.name.eq_ignore_ascii_case(name))
    }

    /// Changes a machine, by any of the names that [`World::machine`] takes. Answers whether there is one.
    pub(super) fn change_machine(&mut self, name: &str, change: impl FnOnce(&mut Machine)) -> bool {
        let Some(id) = self.machine(name).map(Machine::id) else { return false };
        let machine = self.machines.iter_mut().find(|machine| machine.id() == id);
        machine.map(change).is_some()
    }

    /// Deletes a machine. Its interfaces stay, as in Azure unless somebody chose otherwise.
    pub(super) fn delete_machine(&mut self, name: &str) -> bool {
        let Some(id) = self.machine(name).map(Machine::id) else { return false };
        self.machines.retain(|machine| machine.id() != id);
        true
    }

    pub(super) fn nic(&self, name: &str) -> Option<&Nic> {
        self.nics.iter().find(|nic| nic.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn public_ip(&self, name: &str) -> Option<&PublicIp> {
        self.public_ips.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.id.eq_ignore_ascii_case(id))
    }

    /// The subnets of a virtual network.
    pub(super) fn subnets_of(&self, vnet: &Vnet) -> impl Iterator<Item = &Subnet> {
        let prefix = format!("{}/subnets/", vnet.id()).to_ascii_lowercase();
        self.subnets.iter().filter(move |subnet| subnet.id.to_ascii_lowercase().starts_with(&prefix))
    }

    /// All addresses of a machine, each with its interface, the primary ones first.
    pub(super) fn addresses_of<'w>(
        &'w self,
        machine: &'w Machine,
    ) -> impl Iterator<Item = (&'w Nic, &'w Address)> {
        let nics = machine.nics.iter().filter_map(|name| self.nic(name));
        nics.flat_map(|nic| nic.addresses.iter().map(move |address| (nic, address)))
    }

    /// Whether this subscription exists.
    pub(super) fn has_subscription(&self, subscription: &str) -> bool {
        [super::world::SUBSCRIPTION_ID, super::world::OTHER_SUBSCRIPTION_ID]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(subscription))
    }

    /// The resource group as it was first written, where it exists.
    pub(super) fn place(&self, subscription: &str, group: &str) -> Option<Place> {
        let wanted = Place::new(subscription, group);
        let machines = self.machines.iter().map(|machine| &machine.place);
        let places = machines.chain(self.nics.iter().map(|nic| &nic.place));
        let lab = Place::lab();
        [&lab].into_iter().chain(places).find(|place| **place == wanted).cloned()
    }

    /// Gives an interface's first IP configuration another private address. Answers whether there is one.
    pub(super) fn move_nic(&mut self, name: &str, private: IpAddr) -> bool {
        let nic = self.nics.iter_mut().find(|nic| nic.name.eq_ignore_ascii_case(name));
        let Some((nic, at)) = nic.filter(|nic| !nic.addresses.is_empty()).map(|nic| (nic, 0)) else {
            return false;
        };
        nic.addresses[at].private = private;
        nic.etag = wire::guid();
        true
    }

    /// Puts a group on an interface, or takes it off.
    pub(super) fn associate_nic(&mut self, name: &str, nsg: Option<String>) {
        if let Some(nic) = self.nics.iter_mut().find(|nic| nic.name.eq_ignore_ascii_case(name)) {
            nic.nsg = nsg;
            nic.etag = wire::guid();
        }
    }

    /// Puts a group on a subnet, or takes it off.
    pub(super) fn associate_subnet(&mut self, id: &str, nsg: Option<String>) {
        if let Some(subnet) = self.subnets.iter_mut().find(|subnet| subnet.id.eq_ignore_ascii_case(id)) {
            subnet.nsg = nsg;
            subnet.etag = wire::guid();
        }
    }
}
