//! The network as the sandbox's page and `/sandbox.json` show it.

use super::machines::Machine;
use super::ports;
use super::propagation::By;
use super::rules::Properties;
use super::views;
use super::world::{Kind, Nsg, World};
use serde_json::{Value, json};

/// Groups with their own rules, and machines with their ports as packets meet them at this moment.
pub(super) fn network(world: &World, now_ms: u64) -> Value {
    json!({
        "admin_rules": world.admin_rules,
        "nsgs": world.nsgs.iter().map(nsg).collect::<Vec<_>>(),
        "machines": world.machines.iter().map(|one| machine(world, one, now_ms)).collect::<Vec<_>>(),
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

fn machine(world: &World, machine: &Machine, now_ms: u64) -> Value {
    let public = |name: &Option<String>| {
        name.as_ref().and_then(|name| world.public_ip(name)).map(|public| public.address)
    };
    let addresses: Vec<Value> = world
        .addresses_of(machine)
        .map(|(nic, address)| json!({ "private": address.private, "public": public(&address.public_ip), "nic": nic.name }))
        .collect();
    let first = addresses.first().cloned().unwrap_or_default();
    let nics = machine.nics.iter().filter_map(|name| world.nic(name));
    let doors: Vec<Value> = machine
        .ports
        .iter()
        .map(|port| {
            let [lets_in, allows] =
                [By::Packets(now_ms), By::Rules].map(|by| ports::lets_in(world, machine, port.port, by));
            let loopback = world.loopback.get(&ports::key(machine, port.port));
            json!({ "port": port.port, "name": port.name, "address": loopback.map(|port| format!("127.0.0.1:{port}")),
                "listening": !lets_in.is_empty(), "lets_in": lets_in, "allows": allows })
        })
        .collect();
    json!({ "name": machine.name, "os": machine.os, "power": machine.power, "resource_id": machine.id(),
        "private_address": first["private"], "public_address": first["public"], "addresses": addresses,
        "nics": nics.map(|nic| nic.id()).collect::<Vec<_>>(), "ports": doors })
}
