//! Machines as `discover` saw them in Azure: which one a person means, by which address it is reached,
//! and why it cannot be opened as it is.
//!
//! What a request holds of a machine is [`Machine`]; it is made here, from what was seen and from where
//! the connection comes.

use crate::enabled::Enabled;
use crate::lease::Timestamp;
use crate::request::{Machine, MachineName, MachineQuery, ResourceId, Source};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

mod behind;
mod doors;
mod standing;
mod tags;

pub use behind::{GroupBefore, count_behind};
pub use doors::OpenDoor;
pub use standing::{Standing, Unsupported};
pub use tags::{Tags, TagsNow};

/// A virtual machine as it was seen in Azure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenMachine {
    /// Its name, as Azure writes it.
    pub name: MachineName,
    /// Its resource id.
    pub resource_id: ResourceId,
    /// Its operating system; absent where Azure does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<System>,
    /// The name of the account that it was made with; absent where Azure does not say, or none that can be typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator: Option<String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Whether it ran.
    #[serde(default)]
    pub power: Power,
    /// Its network interfaces, the primary one first.
    #[serde(default)]
    pub nics: Vec<SeenNic>,
    /// The network security groups on its way; empty where an earlier version has seen it.
    #[serde(default)]
    pub behind: Vec<GroupBefore>,
    /// Its doors that somebody comes through without a grant, or may come through, of those that were looked at.
    #[serde(default)]
    pub open: Vec<OpenDoor>,
    /// Whether a group on the way to it could not be read: what is not in `open` is not known to be shut.
    #[serde(default)]
    pub unread: bool,
    /// How it was used.
    #[serde(default)]
    pub used: Used,
    /// What an admin has enabled on it. Not seen in Azure, but kept beside what was, and never written with it.
    #[serde(default, skip_serializing)]
    pub enabled: Option<Enabled>,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// When it was first missed; absent while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
}

/// How often a machine was asked for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Used {
    /// Requests within seven days.
    pub in_seven_days: u32,
    /// When it was asked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
}

/// An operating system, as Azure's disks name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

/// Whether a machine runs: the `PowerState/…` of Azure's instance view.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// It runs, or is about to.
    Running,
    /// Its system is shut down; Azure still keeps its place.
    Stopped,
    /// Azure has stopped it, or is about to.
    Deallocated,
    /// Azure did not say.
    #[default]
    Unknown,
}

impl Power {
    /// From the code of a status, `PowerState/running`; `None` for a status of something else.
    pub fn of(code: &str) -> Option<Self> {
        let (kind, state) = code.split_once('/')?;
        kind.eq_ignore_ascii_case("PowerState").then(|| match state.to_ascii_lowercase().as_str() {
            "running" | "starting" => Self::Running,
            "stopped" | "stopping" => Self::Stopped,
            "deallocated" | "deallocating" => Self::Deallocated,
            _ => Self::Unknown,
        })
    }

    /// Whether it surely answers nobody.
    pub const fn is_off(self) -> bool {
        matches!(self, Self::Stopped | Self::Deallocated)
    }
}

/// A network interface as it was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenNic {
    /// Its resource id.
    pub id: ResourceId,
    /// The network security group on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nsg: Option<ResourceId>,
    /// Its IP configurations, the primary one first.
    #[serde(default)]
    pub addresses: Vec<SeenAddress>,
}

/// An IP configuration as it was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenAddress {
    /// The private address.
    pub private: IpAddr,
    /// The public address in front of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<IpAddr>,
    /// What shields its subnet.
    #[serde(default)]
    pub on_subnet: OnSubnet,
    /// The application security groups that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub member_of: Vec<ResourceId>,
}

/// The network security group on a subnet.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSubnet {
    /// We may not read the subnet.
    #[default]
    Unknown,
    /// There is none.
    Nothing,
    /// This one.
    Group(ResourceId),
}

/// Why a machine cannot be opened as it was last seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// It was deleted.
    Gone {
        /// When that was seen.
        at: Timestamp,
    },
    /// It does not run.
    Off {
        /// Stopped or deallocated.
        power: Power,
    },
    /// No network security group is on the way: it is open already.
    Unshielded,
    /// It has no address of the source's family.
    OtherFamily {
        /// Whether it has an IPv4 address; else it has IPv6 only.
        has_ipv4: bool,
    },
    /// It has no address at all.
    NoAddress,
}

impl SeenMachine {
    /// The machine as a request from `source` names it: by the private address that such a connection
    /// arrives at. From the Internet that is one with a public address in front where there is one;
    /// primary interfaces and IP configurations come first.
    ///
    /// # Errors
    /// It could not be opened as it was seen.
    pub fn reached_from(&self, source: &Source) -> Result<Machine, Unfit> {
        if let Some(at) = self.gone_at {
            return Err(Unfit::Gone { at });
        }
        let all = || self.nics.iter().flat_map(|nic| &nic.addresses);
        let family = |address: &&SeenAddress| address.private.is_ipv4() == source.prefix().addr().is_ipv4();
        let Some(first) = all().next() else { return Err(Unfit::NoAddress) };
        let from_inside = is_private(source);
        let public = all().filter(family).find(|address| address.public.is_some() && !from_inside);
        let Some(address) = public.or_else(|| all().find(family)) else {
            return Err(Unfit::OtherFamily { has_ipv4: first.private.is_ipv4() });
        };
        if self.is_unshielded(address.private) {
            return Err(Unfit::Unshielded);
        }
        if self.power.is_off() {
            return Err(Unfit::Off { power: self.power });
        }
        Ok(Machine {
            name: self.name.clone(),
            resource_id: self.resource_id.clone(),
            private_address: address.private,
            // Who comes from inside connects to the private address.
            public_address: address.public.filter(|_| !from_inside),
        })
    }

    /// The machine as somebody reaches it from the Internet whose address is not known yet: by IPv4 where it has any.
    ///
    /// # Errors
    /// It could not be opened as it was seen, from wherever.
    pub fn reached_from_somewhere(&self) -> Result<Machine, Unfit> {
        match self.reached_from(&Source::anywhere(true)) {
            Err(Unfit::OtherFamily { .. }) => self.reached_from(&Source::anywhere(false)),
            reached => reached,
        }
    }

    /// Whether surely no group is on the way to one of its addresses.
    fn is_unshielded(&self, private: IpAddr) -> bool {
        let mut all = self.nics.iter().flat_map(|nic| &nic.addresses);
        let unknown = all.any(|one| one.private == private && one.on_subnet == OnSubnet::Unknown);
        !unknown && self.groups(private).is_empty()
    }

    /// Whether the groups on the way to one of its addresses are surely not these.
    pub fn way_differs<'g>(&self, private: IpAddr, planned: impl Iterator<Item = &'g ResourceId>) -> bool {
        let all = self.nics.iter().flat_map(|nic| &nic.addresses);
        let mut here = all.filter(|one| one.private == private);
        if here.any(|one| one.on_subnet == OnSubnet::Unknown) {
            return false;
        }
        let (seen, planned) = (self.groups(private), planned.collect::<Vec<_>>());
        seen.len() != planned.len() || !seen.iter().all(|group| planned.contains(group))
    }

    /// The network security groups on the way to one of its addresses, as far as they are known, each once.
    pub fn groups(&self, private: IpAddr) -> Vec<&ResourceId> {
        let mut groups: Vec<&ResourceId> = vec![];
        for nic in &self.nics {
            for address in nic.addresses.iter().filter(|address| address.private == private) {
                let on_subnet = match &address.on_subnet {
                    OnSubnet::Group(group) => Some(group),
                    OnSubnet::Unknown | OnSubnet::Nothing => None,
                };
                for group in on_subnet.into_iter().chain(&nic.nsg) {
                    if !groups.contains(&group) {
                        groups.push(group);
                    }
                }
            }
        }
        groups
    }
}

/// Whether a connection from there comes through a private network and not from the Internet.
pub(crate) fn is_private(source: &Source) -> bool {
    const PRIVATE: [&str; 5] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
    PRIVATE.iter().any(|net| net.parse::<IpNet>().is_ok_and(|net| net.contains(&source.prefix())))
}

/// Which machines a person may mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found<'m> {
    /// Exactly this one.
    One(&'m SeenMachine),
    /// Several of that name; each spelled so that it alone is meant.
    Several(Vec<MachineQuery>),
    /// None. Names that are spelled alike.
    Nothing {
        /// At most five, sorted.
        near: Vec<String>,
    },
}

/// The machine that was named. One that is gone is found only where no other has its name.
pub fn find<'m>(machines: &'m [SeenMachine], query: &MachineQuery) -> Found<'m> {
    let named = machines.iter().filter(|machine| query.means(&machine.resource_id));
    let (there, gone): (Vec<_>, Vec<_>) = named.partition(|machine| machine.gone_at.is_none());
    match there.as_slice() {
        [one] => Found::One(one),
        [] => {
            gone.last().map_or_else(|| Found::Nothing { near: near(machines, query) }, |one| Found::One(one))
        }
        several => {
            let spelled = |machine: &&&SeenMachine| {
                let in_group = MachineQuery::of(&machine.resource_id, false)?;
                let same = several.iter().filter(|other| in_group.means(&other.resource_id)).count();
                if same == 1 { Some(in_group) } else { MachineQuery::of(&machine.resource_id, true) }
            };
            let mut spelled: Vec<MachineQuery> = several.iter().filter_map(|one| spelled(&one)).collect();
            spelled.sort_by_key(ToString::to_string);
            Found::Several(spelled)
        }
    }
}

/// Names that differ by one character, or begin alike; those that are there.
fn near(machines: &[SeenMachine], query: &MachineQuery) -> Vec<String> {
    let wanted = query.name().as_str().to_ascii_lowercase();
    let is_near = |other: &str| {
        let other = other.to_ascii_lowercase();
        distance(&wanted, &other) <= 1 || other.starts_with(&wanted) || wanted.starts_with(&other)
    };
    let there = machines.iter().filter(|machine| machine.gone_at.is_none());
    let mut near: Vec<String> =
        there.map(|machine| machine.name.to_string()).filter(|other| is_near(other)).collect();
    near.sort();
    near.dedup();
    near.truncate(5);
    near
}

/// How many characters must be changed, added or removed to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(group: &str, name: &str) -> ResourceId {
        format!("/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}")
            .parse()
            .unwrap()
    }

    fn nsg(name: &str) -> Option<ResourceId> {
        Some(id("g", name))
    }

    fn machine(group: &str, name: &str, nics: Vec<SeenNic>) -> SeenMachine {
        SeenMachine {
            name: name.parse().unwrap(),
            resource_id: id(group, name),
            system: Some(System::Linux),
            administrator: None,
            tags: Tags::default(),
            power: Power::Running,
            nics,
            behind: vec![],
            open: vec![],
            unread: false,
            used: Used::default(),
            enabled: None,
            seen_at: Timestamp::from_unix(1000),
            gone_at: None,
        }
    }

    fn nic(own: Option<ResourceId>, addresses: &[(&str, Option<&str>)]) -> SeenNic {
        let address = |(private, public): &(&str, Option<&str>)| SeenAddress {
            private: private.parse().unwrap(),
            public: public.map(|text| text.parse().unwrap()),
            on_subnet: OnSubnet::Group(nsg("subnet").unwrap()),
            member_of: vec![],
        };
        SeenNic { id: id("g", "nic"), nsg: own, addresses: addresses.iter().map(address).collect() }
    }

    #[test]
    fn the_address_fits_where_the_connection_comes_from() {
        let inside = nic(None, &[("10.0.0.4", None), ("10.0.0.5", Some("192.0.2.5"))]);
        let outside = nic(nsg("own"), &[("10.0.1.4", Some("192.0.2.14")), ("fd00::4", None)]);
        let machine = machine("g", "VM3", vec![inside, outside]);
        let reached = |source: &str| {
            let machine = machine.reached_from(&source.parse().unwrap()).unwrap();
            (machine.private_address.to_string(), machine.public_address.map(|public| public.to_string()))
        };
        assert_eq!(reached("203.0.113.7"), ("10.0.0.5".to_owned(), Some("192.0.2.5".to_owned())));
        assert_eq!(reached("10.9.0.0/16"), ("10.0.0.4".to_owned(), None), "through a private network");
        assert_eq!(reached("2001:db8::7"), ("fd00::4".to_owned(), None));
        let names = |private: &str| -> Vec<String> {
            machine.groups(private.parse().unwrap()).iter().map(|group| group.name().to_owned()).collect()
        };
        assert_eq!(names("10.0.0.4"), ["subnet"]);
        assert_eq!(names("10.0.1.4"), ["subnet", "own"]);
        assert!(names("10.0.9.9").is_empty());
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let from = |machine: &SeenMachine, source: &str| machine.reached_from(&source.parse().unwrap());
        let mut vm = machine("g", "VM3", vec![nic(None, &[("10.0.0.4", None)])]);
        assert_eq!(from(&vm, "2001:db8::7"), Err(Unfit::OtherFamily { has_ipv4: true }));
        vm.power = Power::Deallocated;
        assert_eq!(from(&vm, "203.0.113.7"), Err(Unfit::Off { power: Power::Deallocated }));
        vm.nics[0].addresses[0].on_subnet = OnSubnet::Unknown;
        assert_eq!(
            from(&vm, "203.0.113.7"),
            Err(Unfit::Off { power: Power::Deallocated }),
            "not known to be open"
        );
        vm.nics[0].addresses[0].on_subnet = OnSubnet::Nothing;
        assert_eq!(from(&vm, "203.0.113.7"), Err(Unfit::Unshielded));
        vm.nics.clear();
        assert_eq!(from(&vm, "203.0.113.7"), Err(Unfit::NoAddress));
        vm.gone_at = Some(Timestamp::from_unix(5));
        assert_eq!(from(&vm, "203.0.113.7"), Err(Unfit::Gone { at: Timestamp::from_unix(5) }));
    }

    #[test]
    fn a_name_means_one_machine_or_says_which() {
        let mut machines = vec![
            machine("Blue", "twin", vec![]),
            machine("Green", "twin", vec![]),
            machine("Blue", "VM3", vec![]),
        ];
        let query = |text: &str| text.parse::<MachineQuery>().unwrap();
        let found = find(&machines, &query("vm3"));
        assert_eq!(found, Found::One(&machines[2]));
        assert_eq!(find(&machines, &query("green/TWIN")), Found::One(&machines[1]));
        assert_eq!(
            find(&machines, &query("twin")),
            Found::Several(vec![query("Blue/twin"), query("Green/twin")])
        );
        assert_eq!(find(&machines, &query("vm33")), Found::Nothing { near: vec!["VM3".to_owned()] });
        assert_eq!(find(&machines, &query("Red/twin")), Found::Nothing { near: vec!["twin".to_owned()] });
        machines[0].gone_at = Some(Timestamp::from_unix(5));
        assert_eq!(find(&machines, &query("twin")), Found::One(&machines[1]), "the other is gone");
        // The same group and name in two subscriptions.
        machines[0] = machine("Green", "twin", vec![]);
        machines[0].resource_id = machines[0]
            .resource_id
            .as_str()
            .replace("/subscriptions/s/", "/subscriptions/t/")
            .parse()
            .unwrap();
        assert_eq!(
            find(&machines, &query("twin")),
            Found::Several(vec![query("s/Green/twin"), query("t/Green/twin")])
        );
    }

    #[test]
    fn power_is_read_from_azures_codes() {
        for (code, power) in [
            ("PowerState/running", Some(Power::Running)),
            ("powerstate/Deallocating", Some(Power::Deallocated)),
            ("PowerState/stopped", Some(Power::Stopped)),
            ("PowerState/unheard", Some(Power::Unknown)),
            ("ProvisioningState/succeeded", None),
        ] {
            assert_eq!(Power::of(code), power, "{code}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("vm3", "vm3", 0), ("vm33", "vm3", 1), ("vm2", "vm3", 1), ("web", "db", 2), ("", "ab", 2)]
        {
            assert_eq!(distance(a, b), expected);
        }
    }
}
