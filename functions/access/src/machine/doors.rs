//! Which doors of a machine are open although nobody was granted anything, and what would shut them.

use super::{OnSubnet, SeenAddress, SeenMachine};
use crate::enabled::{Enabled, SUGGESTED};
use crate::nsg::{Door, LeftOpen, Rule, left_open};
use crate::order::ClosingRule;
use crate::request::{Installation, Protocol, ResourceId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// A door of a machine that is open, or may be, for as long as a rule of the owner's stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenDoor {
    /// The private address.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The rule, in the last group on the way.
    pub by: String,
    /// That group's name.
    pub nsg: String,
    /// Whether everybody on the Internet comes through.
    pub to_everybody: bool,
}

impl SeenMachine {
    /// Every private address of it, each once.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let all = self.nics.iter().flat_map(|nic| &nic.addresses).map(|address| address.private);
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether nothing at all shields one of its addresses.
    pub fn is_bare(&self) -> bool {
        self.addresses().into_iter().any(|address| self.is_unshielded(address))
    }

    /// Looks which doors are open by the rules of the groups on the way: the ports that are suggested, and those that
    /// were enabled.
    pub fn look_at_doors(&mut self, groups: &HashMap<ResourceId, Vec<Rule>>, installation: &Installation) {
        let mut ports: BTreeSet<(bool, u16)> = SUGGESTED.iter().map(|port| (false, *port)).collect();
        let enabled = self.enabled.iter().flat_map(Enabled::ports);
        ports.extend(enabled.map(|one| (one.protocol == Protocol::Udp, one.port)));
        let (mut open, mut unread) = (vec![], false);
        for address in self.addresses() {
            let way = self.groups(address);
            let all = self.nics.iter().flat_map(|nic| &nic.addresses);
            let configurations: Vec<&SeenAddress> = all.filter(|one| one.private == address).collect();
            let unknown = configurations.iter().any(|one| one.on_subnet == OnSubnet::Unknown);
            // Where several interfaces carry the address, which one's memberships count is not known.
            let member_of = match configurations.as_slice() {
                [one] => Some(one.member_of.clone()),
                _ => None,
            };
            for (is_udp, port) in &ports {
                let protocol = if *is_udp { Protocol::Udp } else { Protocol::Tcp };
                let door = Door { address, protocol, port: *port, member_of: member_of.clone() };
                match through(&way, groups, &door, installation) {
                    Through::Nobody => {}
                    Through::By(by, nsg) if !unknown => open.push(OpenDoor {
                        address,
                        protocol,
                        port: *port,
                        by: by.by,
                        nsg: nsg.name().to_owned(),
                        to_everybody: by.to_everybody,
                    }),
                    Through::By(..) | Through::Unread => unread = true,
                }
            }
        }
        (self.open, self.unread) = (open, unread);
    }

    /// The closing rules that shut what was enabled: for each address of which such a door is open, one in every group on
    /// the way and for each protocol. None where nothing is open.
    pub fn closing_rules(&self) -> Vec<ClosingRule> {
        let Some(enabled) = &self.enabled else { return vec![] };
        let is_enabled = |door: &&OpenDoor| {
            enabled.ports().iter().any(|one| (one.port, one.protocol) == (door.port, door.protocol))
        };
        let open: BTreeSet<IpAddr> = self.open.iter().filter(is_enabled).map(|door| door.address).collect();
        let mut rules = vec![];
        for address in open {
            for nsg in self.groups(address) {
                for (protocol, ports) in enabled.by_protocol() {
                    rules.push(ClosingRule {
                        nsg: nsg.clone(),
                        machine: self.resource_id.clone(),
                        name: self.name.clone(),
                        address,
                        protocol,
                        ports,
                    });
                }
            }
        }
        rules
    }
}

/// Who comes through a door without a grant.
enum Through<'g> {
    /// Nobody: one group on the way lets nobody in.
    Nobody,
    /// Whoever this rule of this group, the last on the way, lets in; each group before lets somebody in, too.
    By(LeftOpen, &'g ResourceId),
    /// It hangs on a group that could not be read.
    Unread,
}

fn through<'g>(
    way: &[&'g ResourceId],
    groups: &HashMap<ResourceId, Vec<Rule>>,
    door: &Door,
    installation: &Installation,
) -> Through<'g> {
    let (mut last, mut unread): (Option<(LeftOpen, &ResourceId)>, bool) = (None, way.is_empty());
    for nsg in way {
        match groups.get(*nsg).map(|rules| left_open(rules, door, installation)) {
            None => unread = true,
            Some(None) => return Through::Nobody,
            Some(Some(mut by)) => {
                by.to_everybody &= last.is_none_or(|(before, _)| before.to_everybody);
                last = Some((by, *nsg));
            }
        }
    }
    match last {
        Some((by, nsg)) if !unread => Through::By(by, nsg),
        _ => Through::Unread,
    }
}
