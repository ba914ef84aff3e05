//! Which security groups stand before a machine, and how many machines each of them stands before.

use super::SeenMachine;
use crate::request::ResourceId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A security group on the way to a machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupBefore {
    /// The group.
    pub nsg: ResourceId,
    /// How many machines of the subscription were seen behind it, this one among them.
    pub machines: usize,
}

/// Notes with each machine the groups on the way to it, and how many of these machines each is before.
pub fn count_behind(seen: &mut [SeenMachine]) {
    let mut count: HashMap<ResourceId, usize> = HashMap::new();
    for machine in seen.iter() {
        for nsg in machine.all_groups() {
            *count.entry(nsg.clone()).or_default() += 1;
        }
    }
    for machine in seen {
        let before = |nsg: &ResourceId| GroupBefore {
            nsg: nsg.clone(),
            machines: count.get(nsg).copied().unwrap_or_default(),
        };
        machine.behind = machine.all_groups().into_iter().map(before).collect();
    }
}

impl SeenMachine {
    /// The groups on the way to any of its addresses, each once.
    fn all_groups(&self) -> Vec<&ResourceId> {
        let mut all: Vec<&ResourceId> = vec![];
        for address in self.addresses() {
            for nsg in self.groups(address) {
                if !all.contains(&nsg) {
                    all.push(nsg);
                }
            }
        }
        all
    }

    /// How many machines were seen behind a group on the way to this one; `None` where that was not counted.
    pub fn behind_with(&self, nsg: &ResourceId) -> Option<usize> {
        self.behind.iter().find(|one| one.nsg == *nsg).map(|one| one.machines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn nsg(name: &str) -> String {
        format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/{name}")
    }

    fn machine(name: &str, own: Option<&str>, on_subnet: &Value) -> SeenMachine {
        let address = |private: &str| json!({"private": private, "on_subnet": on_subnet});
        let nic = json!({
            "id": nsg("nic"), "nsg": own.map(nsg), "addresses": [address("10.0.0.4"), address("10.0.0.5")],
        });
        let machine = json!({
            "name": name, "seen_at": 1000, "nics": [nic],
            "resource_id": format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/{name}"),
        });
        serde_json::from_value(machine).unwrap()
    }

    #[test]
    fn each_group_counts_the_machines_behind_it_once() {
        let shared = json!({"group": nsg("shared")});
        // Azure's answers differ in case.
        let spelled = json!({"group": nsg("SHARED")});
        let mut seen = [
            machine("VM1", None, &shared),
            machine("VM2", Some("own"), &spelled),
            machine("VM3", Some("alone"), &json!("nothing")),
            machine("VM4", Some("shared"), &json!("unknown")),
        ];
        count_behind(&mut seen);
        let behind = |machine: &SeenMachine| -> Vec<(String, usize)> {
            machine.behind.iter().map(|one| (one.nsg.name().to_lowercase(), one.machines)).collect()
        };
        let of = |name: &str, machines| (name.to_owned(), machines);
        assert_eq!(behind(&seen[0]), [of("shared", 3)]);
        assert_eq!(behind(&seen[1]), [of("shared", 3), of("own", 1)]);
        assert_eq!(behind(&seen[2]), [of("alone", 1)]);
        assert_eq!(behind(&seen[3]), [of("shared", 3)]);
        assert_eq!(seen[0].behind_with(&nsg("SHARED").parse().unwrap()), Some(3));
        // An item of an earlier version does not say.
        let mut stored = serde_json::to_value(&seen[0]).unwrap();
        stored.as_object_mut().unwrap().remove("behind");
        let earlier: SeenMachine = serde_json::from_value(stored).unwrap();
        assert_eq!(earlier.behind_with(&nsg("shared").parse().unwrap()), None);
    }
}
