//! What the owner makes beside groups and rules: public addresses, interfaces, subnets and machines. All of
//! it is done when the write is answered.

use super::arm::Ask;
use super::core::State;
use super::error::ArmError;
use super::machines::{Address, Machine, Nic, Os, Power, PublicIp, Subnet};
use super::paths::Target;
use super::views;
use super::wire;
use super::world::{Kind, Place};
use super::writes::{associated, tags};
use ipnet::IpNet;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};

/// Where the public addresses come from that nobody chose: the upper half of a documentation network.
const PUBLIC: [u8; 3] = [192, 0, 2];

/// Makes what is not there yet: how it is shown, with 201. `None` when it is there, or is not made here.
///
/// # Errors
/// 400 with the code of what is wrong with the body.
pub(super) fn make(state: &mut State, ask: &Ask, body: &Value) -> Result<Option<Value>, ArmError> {
    let group = ask.path.group.as_deref().unwrap_or_default();
    let place = state.world.place(&ask.path.subscription, group);
    let place = place.unwrap_or_else(|| Place::new(&ask.path.subscription, group));
    match &ask.path.target {
        Target::One(Kind::PublicIp, name) if state.world.public_ip(name).is_none() => {
            located(body)?;
            make_public(state, place, name, body).map(Some)
        }
        Target::One(Kind::Nic, name) if state.world.nic(name).is_none() => {
            located(body)?;
            make_nic(state, place, name, body).map(Some)
        }
        Target::One(Kind::Vm, name) if state.world.machine_at(&place, name).is_none() => {
            located(body)?;
            make_machine(state, place, name, body).map(Some)
        }
        Target::Subnet(vnet, _) if state.world.subnet(&ask.path.text).is_none() => {
            let known = state.world.vnets.iter().any(|one| one.name.eq_ignore_ascii_case(vnet));
            if !known {
                return Err(ArmError::resource_not_found(Kind::Vnet.name(), vnet, group));
            }
            make_subnet(state, &ask.path.text, body).map(Some)
        }
        _ => Ok(None),
    }
}

/// Deletes: 200, or 204 where there is nothing.
///
/// # Errors
/// 400 where it is in use, and 405 where it is not deleted here.
pub(super) fn delete(state: &mut State, ask: &Ask) -> Result<u16, ArmError> {
    let world = &mut state.world;
    match &ask.path.target {
        Target::One(Kind::PublicIp, name) => {
            let Some(name) = world.public_ip(name).map(|one| one.name.clone()) else { return Ok(204) };
            let mut users =
                world.nics.iter().filter(|nic| uses(nic, |it| it.public_ip.as_ref() == Some(&name)));
            if let Some(nic) = users.next() {
                return Err(in_use("PublicIPAddressCannotBeDeleted", &ask.path.text, &nic.id()));
            }
            world.public_ips.retain(|one| one.name != name);
        }
        Target::One(Kind::Nic, name) => {
            let Some(name) = world.nic(name).map(|one| one.name.clone()) else { return Ok(204) };
            if let Some(machine) = world.machines.iter().find(|machine| machine.nics.contains(&name)) {
                return Err(in_use("NicInUse", &ask.path.text, &machine.id()));
            }
            world.nics.retain(|one| one.name != name);
        }
        Target::One(Kind::Vm, name) => {
            let group = ask.path.group.as_deref().unwrap_or_default();
            let place = Place::new(&ask.path.subscription, group);
            let Some(id) = world.machine_at(&place, name).map(Machine::id) else { return Ok(204) };
            world.machines.retain(|one| one.id() != id);
        }
        Target::Subnet(..) => {
            let Some(id) = world.subnet(&ask.path.text).map(|one| one.id.clone()) else { return Ok(204) };
            let mut users =
                world.nics.iter().filter(|nic| uses(nic, |it| it.subnet.eq_ignore_ascii_case(&id)));
            if let Some(nic) = users.next() {
                return Err(in_use("InUseSubnetCannotBeDeleted", &id, &nic.id()));
            }
            world.subnets.retain(|one| one.id != id);
        }
        _ => return Err(ask.unsupported()),
    }
    Ok(200)
}

/// Changes a machine's tags: how it is shown.
///
/// # Errors
/// 404 where there is no such machine.
pub(super) fn tag_machine(state: &mut State, ask: &Ask, name: &str, body: &Value) -> Result<Value, ArmError> {
    let group = ask.path.group.as_deref().unwrap_or_default();
    let id = state.world.machine_at(&Place::new(&ask.path.subscription, group), name).map(Machine::id);
    let machine = state.world.machines.iter_mut().find(|one| Some(one.id()) == id);
    let machine = machine.ok_or_else(|| ArmError::resource_not_found(Kind::Vm.name(), name, group))?;
    if !body["tags"].is_null() {
        machine.tags = tags(body)?;
    }
    let machine = machine.clone();
    Ok(views::machine(&state.world, &machine, views::Shown::Alone))
}

fn uses(nic: &Nic, what: impl Fn(&Address) -> bool) -> bool {
    nic.addresses.iter().any(what)
}

fn in_use(code: &str, what: &str, by: &str) -> ArmError {
    ArmError::provider(400, code, format!("{what} is in use by {by} and cannot be deleted."))
}

fn located(body: &Value) -> Result<(), ArmError> {
    if body["location"].is_string() {
        return Ok(());
    }
    let message = "The location property is required for this definition.";
    Err(ArmError::gateway(400, "LocationRequired", message))
}

fn missing(what: &str) -> ArmError {
    ArmError::format("MissingJsonProperty", format!("Required property '{what}' is not specified."))
}

fn dangling(id: &str) -> ArmError {
    ArmError::provider(400, "InvalidResourceReference", format!("Resource {id} was not found."))
}

fn id_at<'b>(body: &'b Value, pointer: &str) -> Option<&'b str> {
    body.pointer(pointer).and_then(Value::as_str)
}

fn make_public(state: &mut State, place: Place, name: &str, body: &Value) -> Result<Value, ArmError> {
    if id_at(body, "/properties/publicIPAddressVersion").is_some_and(|family| family != "IPv4") {
        return Err(ArmError::format("InvalidJson", "This region has IPv4 addresses only."));
    }
    let [a, b, c] = PUBLIC;
    let free = (128..=254).map(|last| IpAddr::V4(Ipv4Addr::new(a, b, c, last)));
    let address = free
        .into_iter()
        .find(|address| state.world.public_ips.iter().all(|one| one.address != *address))
        .ok_or_else(|| ArmError::provider(400, "PublicIPCountLimitReached", "No public address is left."))?;
    let public = PublicIp { name: name.to_owned(), place, address };
    state.world.public_ips.push(public.clone());
    Ok(views::public_ip(&state.world, &public))
}

fn make_subnet(state: &mut State, id: &str, body: &Value) -> Result<Value, ArmError> {
    let one = body.pointer("/properties/addressPrefix").into_iter();
    let many = body.pointer("/properties/addressPrefixes").and_then(Value::as_array).into_iter().flatten();
    let prefixes: Vec<String> = one.chain(many).filter_map(Value::as_str).map(str::to_owned).collect();
    if prefixes.is_empty() {
        return Err(missing("addressPrefix"));
    }
    if let Some(bad) = prefixes.iter().find(|prefix| prefix.parse::<IpNet>().is_err()) {
        let message = format!("The address prefix {bad} of subnet {id} is invalid.");
        return Err(ArmError::provider(400, "InvalidCIDRNotation", message));
    }
    let nsg = associated(state, body, id)?;
    let subnet = Subnet { id: id.to_owned(), prefixes, nsg, etag: wire::guid() };
    state.world.subnets.push(subnet.clone());
    Ok(views::subnet(&state.world, &subnet))
}

fn make_nic(state: &mut State, place: Place, name: &str, body: &Value) -> Result<Value, ArmError> {
    let wanted = body.pointer("/properties/ipConfigurations").and_then(Value::as_array);
    let wanted = wanted.filter(|list| !list.is_empty()).ok_or_else(|| missing("ipConfigurations"))?;
    let mut addresses: Vec<Address> = Vec::new();
    for (at, configuration) in wanted.iter().enumerate() {
        let subnet = id_at(configuration, "/properties/subnet/id").ok_or_else(|| missing("subnet"))?;
        let subnet = state.world.subnet(subnet).cloned().ok_or_else(|| dangling(subnet))?;
        let taken = |address: &IpAddr| {
            let others = state.world.nics.iter().flat_map(|nic| &nic.addresses);
            others.chain(&addresses).any(|one| one.private == *address)
        };
        let private = match id_at(configuration, "/properties/privateIPAddress") {
            Some(text) => private(text, &subnet).and_then(|address| {
                let message = format!("Private static IP address {address} is already in use.");
                let free = !taken(&address);
                free.then_some(address)
                    .ok_or_else(|| ArmError::provider(400, "PrivateIPAddressInUse", message))
            })?,
            None => free(&subnet, taken)
                .ok_or_else(|| ArmError::provider(400, "SubnetIsFull", format!("{} is full.", subnet.id)))?,
        };
        let public_ip = match id_at(configuration, "/properties/publicIPAddress/id") {
            Some(id) => {
                let same =
                    |one: &&PublicIp| Kind::PublicIp.id_in(&one.place, &one.name).eq_ignore_ascii_case(id);
                Some(state.world.public_ips.iter().find(same).ok_or_else(|| dangling(id))?.name.clone())
            }
            None => None,
        };
        let named = configuration["name"].as_str().ok_or_else(|| missing("name"))?;
        addresses.push(Address {
            name: named.to_owned(),
            private,
            public_ip,
            subnet: subnet.id,
            primary: at == 0,
        });
    }
    let id = Kind::Nic.id_in(&place, name);
    let nsg = associated(state, body, &id)?;
    let (etag, guid) = (wire::guid(), wire::guid());
    let nic = Nic { name: name.to_owned(), place, addresses, nsg, etag, guid };
    state.world.nics.push(nic.clone());
    Ok(views::nic(&state.world, &nic))
}

/// A private address that its writer chose: of the subnet.
fn private(text: &str, subnet: &Subnet) -> Result<IpAddr, ArmError> {
    let inside = |address: &IpAddr| {
        let mut nets = subnet.prefixes.iter().filter_map(|prefix| prefix.parse::<IpNet>().ok());
        nets.any(|net| net.contains(address))
    };
    text.parse().ok().filter(inside).ok_or_else(|| {
        let message =
            format!("Private static IP address {text} does not belong to the range of subnet {}.", subnet.id);
        ArmError::provider(400, "PrivateIPAddressNotInSubnet", message)
    })
}

/// The next free address of a subnet's first prefix; Azure keeps the first four for itself.
fn free(subnet: &Subnet, taken: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let net: IpNet = subnet.prefixes.first()?.parse().ok()?;
    // What `hosts` leaves out is the first of the four.
    net.hosts().skip(3).find(|address| !taken(address))
}

fn make_machine(state: &mut State, place: Place, name: &str, body: &Value) -> Result<Value, ArmError> {
    let wanted = body.pointer("/properties/networkProfile/networkInterfaces").and_then(Value::as_array);
    let wanted = wanted.filter(|list| !list.is_empty()).ok_or_else(|| missing("networkInterfaces"))?;
    let mut nics = Vec::new();
    for id in wanted.iter().map(|one| one["id"].as_str().unwrap_or_default()) {
        let nic = state.world.nics.iter().find(|nic| nic.id().eq_ignore_ascii_case(id));
        let nic = nic.ok_or_else(|| dangling(id))?;
        if let Some(other) = state.world.machines.iter().find(|one| one.nics.contains(&nic.name)) {
            let message = format!("Network interface {id} is attached to {} already.", other.id());
            return Err(ArmError::provider(400, "NicInUse", message));
        }
        nics.push(nic.name.clone());
    }
    let says = |pointer: &str| body.pointer(pointer).is_some();
    let windows = id_at(body, "/properties/storageProfile/osDisk/osType") == Some("Windows")
        || says("/properties/osProfile/windowsConfiguration");
    let machine = Machine {
        name: name.to_owned(),
        place,
        os: if windows { Os::Windows } else { Os::Linux },
        power: Power::Running,
        tags: tags(body)?,
        nics,
        ports: Vec::new(),
        vm_id: wire::guid(),
    };
    state.world.machines.push(machine.clone());
    Ok(views::machine(&state.world, &machine, views::Shown::Alone))
}
