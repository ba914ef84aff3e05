//! Resources as ARM shows them.

use super::rules::{self, Properties};
use super::world::{Kind, LOCATION, Machine, Nic, Nsg, RESOURCE_GROUP, SUBNET, VNET, World, subnet_id};
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

/// A machine. Compute's lists write the resource group in capitals, its single answers do not.
pub(super) fn machine(machine: &Machine, listed: bool) -> Value {
    let id = Kind::Vm.id(&machine.name);
    let id = if listed { id.replace(RESOURCE_GROUP, &RESOURCE_GROUP.to_uppercase()) } else { id };
    let several = machine.nics.len() > 1;
    let nics: Vec<Value> = machine
        .nics
        .iter()
        .enumerate()
        .map(|(at, nic)| {
            let mut entry = json!({ "id": Kind::Nic.id(nic) });
            if several {
                entry["properties"] = json!({ "primary": at == 0 });
            }
            entry
        })
        .collect();
    json!({
        "name": machine.name, "id": id, "type": Kind::Vm.name(), "location": LOCATION,
        "properties": {
            "vmId": machine.vm_id,
            "provisioningState": "Succeeded",
            "hardwareProfile": { "vmSize": "Standard_B2s" },
            "storageProfile": { "osDisk": { "osType": machine.os, "name": format!("{}-disk", machine.name),
                "createOption": "FromImage", "caching": "ReadWrite" }, "dataDisks": [] },
            "osProfile": { "computerName": machine.name, "adminUsername": "labuser", "secrets": [] },
            "networkProfile": { "networkInterfaces": nics },
        }
    })
}

pub(super) fn nic(world: &World, nic: &Nic) -> Value {
    let etag = etag(&nic.etag);
    let id = Kind::Nic.id(&nic.name);
    let mut address = json!({ "provisioningState": "Succeeded", "privateIPAddress": nic.private_address,
        "privateIPAllocationMethod": "Static", "subnet": { "id": subnet_id() }, "primary": true,
        "privateIPAddressVersion": "IPv4" });
    if let Some(public) = &nic.public_ip {
        address["publicIPAddress"] = json!({ "id": Kind::PublicIp.id(public) });
    }
    let mut properties = json!({
        "provisioningState": "Succeeded", "resourceGuid": nic.guid,
        "ipConfigurations": [{ "name": "ipconfig1", "id": format!("{id}/ipConfigurations/ipconfig1"), "etag": etag,
            "type": "Microsoft.Network/networkInterfaces/ipConfigurations", "properties": address }],
        "enableAcceleratedNetworking": false, "enableIPForwarding": false, "primary": true,
    });
    if let Some(group) = &nic.nsg {
        properties["networkSecurityGroup"] = json!({ "id": Kind::Nsg.id(group) });
    }
    if let Some(machine) = world.machines.iter().find(|machine| machine.nics.contains(&nic.name)) {
        properties["virtualMachine"] = json!({ "id": Kind::Vm.id(&machine.name) });
    }
    json!({ "name": nic.name, "id": id, "etag": etag, "type": Kind::Nic.name(), "location": LOCATION,
        "properties": properties })
}

pub(super) fn subnet(world: &World) -> Value {
    let users: Vec<Value> = world
        .nics
        .iter()
        .map(|nic| json!({ "id": format!("{}/ipConfigurations/ipconfig1", Kind::Nic.id(&nic.name)) }))
        .collect();
    let mut properties = json!({ "provisioningState": "Succeeded", "addressPrefix": "10.0.0.0/24",
        "ipConfigurations": users, "delegations": [] });
    if let Some(group) = &world.subnet_nsg {
        properties["networkSecurityGroup"] = json!({ "id": Kind::Nsg.id(group) });
    }
    json!({ "name": SUBNET, "id": subnet_id(), "etag": etag(&world.subnet_etag),
        "type": "Microsoft.Network/virtualNetworks/subnets", "properties": properties })
}

pub(super) fn vnet(world: &World) -> Value {
    json!({ "name": VNET, "id": Kind::Vnet.id(VNET), "etag": etag(&world.subnet_etag), "type": Kind::Vnet.name(),
        "location": LOCATION, "properties": { "provisioningState": "Succeeded", "resourceGuid": world.vnet_guid,
            "addressSpace": { "addressPrefixes": [super::packets::NETWORK] }, "subnets": [subnet(world)] } })
}

pub(super) fn public_ip(world: &World, name: &str, address: &str) -> Value {
    let mut properties = json!({ "provisioningState": "Succeeded", "ipAddress": address,
        "publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static", "idleTimeoutInMinutes": 4 });
    if let Some(nic) = world.nics.iter().find(|nic| nic.public_ip.as_deref() == Some(name)) {
        let id = format!("{}/ipConfigurations/ipconfig1", Kind::Nic.id(&nic.name));
        properties["ipConfiguration"] = json!({ "id": id });
    }
    json!({ "name": name, "id": Kind::PublicIp.id(name), "type": Kind::PublicIp.name(), "location": LOCATION,
        "sku": { "name": "Standard", "tier": "Regional" }, "properties": properties })
}
