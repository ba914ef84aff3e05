//! Resources as ARM shows them.

use super::machines::{Address, Machine, Nic, PublicIp, Subnet, Vnet};
use super::rules::{self, Properties};
use super::world::{Kind, LOCATION, Nsg, World};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A security rule. A type and not a `Value`, because it keeps ARM's order of properties.
#[derive(Serialize)]
pub(super) struct RuleView {
    name: String,
    id: String,
    etag: String,
    r#type: &'static str,
    properties: RuleProperties,
}

#[derive(Serialize)]
struct RuleProperties {
    #[serde(rename = "provisioningState")]
    provisioning_state: String,
    #[serde(flatten)]
    rule: Properties,
}

/// A network security group with all its rules.
#[derive(Serialize)]
pub(super) struct NsgView {
    name: String,
    id: String,
    etag: String,
    r#type: &'static str,
    location: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    properties: NsgProperties,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NsgProperties {
    provisioning_state: String,
    resource_guid: String,
    security_rules: Vec<RuleView>,
    default_security_rules: Vec<RuleView>,
    // Absent, not empty, when the group is on nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    network_interfaces: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subnets: Vec<Value>,
}

/// An etag as ARM writes it.
pub(super) fn etag(guid: &str) -> String {
    format!("W/\"{guid}\"")
}

/// The id of a rule.
pub(super) fn rule_id(nsg: &str, rule: &str) -> String {
    format!("{}/securityRules/{rule}", Kind::Nsg.id(nsg))
}

pub(super) fn rule(nsg: &Nsg, name: &str, state: &str, properties: &Properties) -> RuleView {
    RuleView {
        name: name.to_owned(),
        id: rule_id(&nsg.name, name),
        etag: etag(&nsg.etag),
        r#type: "Microsoft.Network/networkSecurityGroups/securityRules",
        properties: RuleProperties { provisioning_state: state.to_owned(), rule: properties.clone() },
    }
}

pub(super) fn own_rules(nsg: &Nsg) -> Vec<RuleView> {
    nsg.rules.iter().map(|one| rule(nsg, &one.name, &one.state, &one.properties)).collect()
}

pub(super) fn default_rules(nsg: &Nsg) -> Vec<RuleView> {
    rules::defaults()
        .into_iter()
        .map(|(name, properties)| RuleView {
            id: format!("{}/defaultSecurityRules/{name}", Kind::Nsg.id(&nsg.name)),
            r#type: "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
            ..rule(nsg, name, &nsg.state, &properties)
        })
        .collect()
}

pub(super) fn nsg(world: &World, nsg: &Nsg) -> NsgView {
    let (nics, subnets) = world.users_of(&nsg.name);
    let ids = |list: Vec<String>| list.into_iter().map(|id| json!({ "id": id })).collect();
    NsgView {
        name: nsg.name.clone(),
        id: Kind::Nsg.id(&nsg.name),
        etag: etag(&nsg.etag),
        r#type: Kind::Nsg.name(),
        location: LOCATION,
        tags: nsg.tags.clone(),
        properties: NsgProperties {
            provisioning_state: nsg.state.clone(),
            resource_guid: nsg.guid.clone(),
            security_rules: own_rules(nsg),
            default_security_rules: default_rules(nsg),
            network_interfaces: ids(nics),
            subnets: ids(subnets),
        },
    }
}

/// How a machine is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// By itself.
    Alone,
    /// By itself with its run-time state (`$expand=instanceView`).
    AloneWithState,
    /// In a list.
    Listed,
    /// In a list of the machines' run-time state (`statusOnly=true`), which has nothing else.
    ListedState,
}

/// A machine. Compute's lists write the resource group in capitals, its single answers do not.
pub(super) fn machine(world: &World, machine: &Machine, shown: Shown) -> Value {
    let id = machine.id();
    let listed = matches!(shown, Shown::Listed | Shown::ListedState);
    let group = &machine.place.group;
    let id =
        if listed { id.replace(&format!("/{group}/"), &format!("/{}/", group.to_uppercase())) } else { id };
    let (code, text) = machine.power.words();
    let state = json!({ "statuses": [
        { "code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded" },
        { "code": format!("PowerState/{code}"), "level": "Info", "displayStatus": text },
    ] });
    let mut shape = json!({ "name": machine.name, "id": id, "type": Kind::Vm.name(), "location": LOCATION });
    if !machine.tags.is_empty() {
        shape["tags"] = json!(machine.tags);
    }
    if shown == Shown::ListedState {
        shape["properties"] =
            json!({ "vmId": machine.vm_id, "provisioningState": "Succeeded", "instanceView": state });
        return shape;
    }
    let several = machine.nics.len() > 1;
    let nics: Vec<Value> = machine
        .nics
        .iter()
        .filter_map(|name| world.nic(name))
        .enumerate()
        .map(|(at, nic)| {
            let mut entry = json!({ "id": nic.id() });
            if several {
                entry["properties"] = json!({ "primary": at == 0 });
            }
            entry
        })
        .collect();
    shape["properties"] = json!({
        "vmId": machine.vm_id,
        "provisioningState": "Succeeded",
        "hardwareProfile": { "vmSize": "Standard_B2s" },
        "storageProfile": { "osDisk": { "osType": machine.os, "name": format!("{}-disk", machine.name),
            "createOption": "FromImage", "caching": "ReadWrite" }, "dataDisks": [] },
        "osProfile": { "computerName": machine.name, "adminUsername": "labuser", "secrets": [] },
        "networkProfile": { "networkInterfaces": nics },
    });
    if shown == Shown::AloneWithState {
        shape["properties"]["instanceView"] = state;
    }
    shape
}

/// The family of an address as Azure writes it.
fn family(address: std::net::IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn ip_configuration(world: &World, nic: &Nic, address: &Address) -> Value {
    let mut properties = json!({ "provisioningState": "Succeeded", "privateIPAddress": address.private,
        "privateIPAllocationMethod": "Static", "subnet": { "id": address.subnet }, "primary": address.primary,
        "privateIPAddressVersion": family(address.private) });
    if let Some(public) = address.public_ip.as_ref().and_then(|name| world.public_ip(name)) {
        properties["publicIPAddress"] = json!({ "id": Kind::PublicIp.id_in(&public.place, &public.name) });
    }
    json!({ "name": address.name, "id": format!("{}/ipConfigurations/{}", nic.id(), address.name),
        "etag": etag(&nic.etag), "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
        "properties": properties })
}

pub(super) fn nic(world: &World, nic: &Nic) -> Value {
    let machine = world.machines.iter().find(|machine| machine.nics.contains(&nic.name));
    let primary = machine.is_none_or(|machine| machine.nics.first() == Some(&nic.name));
    let addresses: Vec<Value> =
        nic.addresses.iter().map(|address| ip_configuration(world, nic, address)).collect();
    let mut properties = json!({
        "provisioningState": "Succeeded", "resourceGuid": nic.guid, "ipConfigurations": addresses,
        "enableAcceleratedNetworking": false, "enableIPForwarding": false, "primary": primary,
    });
    if let Some(group) = &nic.nsg {
        properties["networkSecurityGroup"] = json!({ "id": Kind::Nsg.id(group) });
    }
    if let Some(machine) = machine {
        properties["virtualMachine"] = json!({ "id": machine.id() });
    }
    json!({ "name": nic.name, "id": nic.id(), "etag": etag(&nic.etag), "type": Kind::Nic.name(),
        "location": LOCATION, "properties": properties })
}

pub(super) fn subnet(world: &World, subnet: &Subnet) -> Value {
    let all = world.nics.iter().flat_map(|nic| nic.addresses.iter().map(move |address| (nic, address)));
    let users: Vec<Value> = all
        .filter(|(_, address)| address.subnet.eq_ignore_ascii_case(&subnet.id))
        .map(|(nic, address)| json!({ "id": format!("{}/ipConfigurations/{}", nic.id(), address.name) }))
        .collect();
    let mut properties =
        json!({ "provisioningState": "Succeeded", "ipConfigurations": users, "delegations": [] });
    // One prefix stands in the singular field, several in the plural one.
    match subnet.prefixes.as_slice() {
        [prefix] => properties["addressPrefix"] = json!(prefix),
        prefixes => properties["addressPrefixes"] = json!(prefixes),
    }
    if let Some(group) = &subnet.nsg {
        properties["networkSecurityGroup"] = json!({ "id": Kind::Nsg.id(group) });
    }
    json!({ "name": subnet.id.rsplit('/').next(), "id": subnet.id, "etag": etag(&subnet.etag),
        "type": "Microsoft.Network/virtualNetworks/subnets", "properties": properties })
}

pub(super) fn vnet(world: &World, vnet: &Vnet) -> Value {
    let subnets: Vec<Value> = world.subnets_of(vnet).map(|one| subnet(world, one)).collect();
    json!({ "name": vnet.name, "id": vnet.id(), "etag": etag(&vnet.guid), "type": Kind::Vnet.name(),
        "location": LOCATION, "properties": { "provisioningState": "Succeeded", "resourceGuid": vnet.guid,
            "addressSpace": { "addressPrefixes": super::packets::NETWORKS }, "subnets": subnets } })
}

pub(super) fn public_ip(world: &World, public: &PublicIp) -> Value {
    let PublicIp { name, place, address } = public;
    let mut properties = json!({ "provisioningState": "Succeeded", "ipAddress": address,
        "publicIPAddressVersion": family(*address), "publicIPAllocationMethod": "Static",
        "idleTimeoutInMinutes": 4 });
    let all = world.nics.iter().flat_map(|nic| nic.addresses.iter().map(move |address| (nic, address)));
    for (nic, address) in all {
        if address.public_ip.as_deref() == Some(name) {
            let id = format!("{}/ipConfigurations/{}", nic.id(), address.name);
            properties["ipConfiguration"] = json!({ "id": id });
        }
    }
    json!({ "name": name, "id": Kind::PublicIp.id_in(place, name), "type": Kind::PublicIp.name(),
        "location": LOCATION, "sku": { "name": "Standard", "tier": "Regional" }, "properties": properties })
}
