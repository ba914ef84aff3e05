//! The network as the sandbox's page and `/sandbox.json` show it.

use super::ports;
use super::rules::Properties;
use super::views;
use super::world::{Kind, Machine, Nsg, World};
use serde_json::{Value, json};

/// Groups with their own rules, and machines with their ports.
pub(super) fn network(world: &World) -> Value {
    json!({
        "nsgs": world.nsgs.iter().map(nsg).collect::<Vec<_>>(),
        "machines": world.machines.iter().map(|one| machine(world, one)).collect::<Vec<_>>(),
    })
}

fn joined(one: Option<&String>, many: &[String]) -> String {
    one.into_iter().chain(many).cloned().collect::<Vec<_>>().join(", ")
}

fn nsg(nsg: &Nsg) -> Value {
    let mut rules: Vec<_> = nsg.rules.iter().collect();
    rules.sort_by_key(|rule| rule.properties.priority);
    let shown: Vec<Value> = rules
        .into_iter()
        .map(|rule| {
            let Properties { description, protocol, access, priority, direction, .. } = &rule.properties;
            let says = &rule.properties;
            json!({ "name": rule.name, "id": views::rule_id(&nsg.name, &rule.name), "priority": priority,
                "direction": direction, "access": access, "protocol": protocol,
                "source": joined(says.source_address_prefix.as_ref(), &says.source_address_prefixes),
                "destination": joined(says.destination_address_prefix.as_ref(), &says.destination_address_prefixes),
                "ports": joined(says.destination_port_range.as_ref(), &says.destination_port_ranges),
                "description": description, "provisioning_state": rule.state })
        })
        .collect();
    json!({ "name": nsg.name, "id": Kind::Nsg.id(&nsg.name), "rules": shown })
}

fn machine(world: &World, machine: &Machine) -> Value {
    let nic = world.primary_nic(machine);
    let public = nic.and_then(|nic| nic.public_ip.as_ref()).and_then(|name| world.public_ips.get(name));
    let doors: Vec<Value> = machine
        .ports
        .iter()
        .map(|port| {
            let lets_in = ports::lets_in(world, machine, port.port);
            let loopback = world.loopback.get(&ports::key(&machine.name, port.port));
            json!({ "port": port.port, "name": port.name, "address": loopback.map(|port| format!("127.0.0.1:{port}")),
                "listening": !lets_in.is_empty(), "lets_in": lets_in })
        })
        .collect();
    json!({ "name": machine.name, "os": machine.os, "resource_id": Kind::Vm.id(&machine.name),
        "private_address": nic.map(|nic| nic.private_address.clone()), "public_address": public,
        "nics": machine.nics.iter().map(|name| Kind::Nic.id(name)).collect::<Vec<_>>(), "ports": doors })
}
