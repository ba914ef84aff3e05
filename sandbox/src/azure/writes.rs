//! PUT and DELETE of what can be written: rules and groups as asynchronous operations, the rest at once.

use super::arm::Ask;
use super::core::{Core, State};
use super::error::ArmError;
use super::journal::What;
use super::locks;
use super::operations::{self, Work, Write};
use super::paths::Target;
use super::resources;
use super::rules;
use super::views;
use super::wire;
use super::world::{Kind, LOCATION, Nsg, RESOURCE_GROUP, Rule, SUBSCRIPTION_ID};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A PUT.
pub(super) async fn put(core: &Arc<Core>, ask: Ask) -> Result<Response, ArmError> {
    let body = ask.body()?;
    let crlf = core.settings().crlf;
    if let Some(view) = core.change(|state| resources::make(state, &ask, &body))? {
        core.sync_ports().await;
        return Ok(wire::json(201, &view, crlf));
    }
    match &ask.path.target {
        Target::Rule(nsg, rule) => {
            let (status, view, id) = core.change(|state| put_rule(core, state, &ask, nsg, rule, &body))?;
            operations::run(core, id.clone()).await;
            Ok(accepted(core, &ask, wire::json(status, &view, crlf), &id, false))
        }
        Target::One(Kind::Nsg, name) => {
            let (status, view, id) = core.change(|state| put_nsg(core, state, &ask, name, &body))?;
            operations::run(core, id.clone()).await;
            let mut response = accepted(core, &ask, wire::json(status, &view, crlf), &id, false);
            wire::set(&mut response, "azure-asyncnotification", "Enabled");
            Ok(response)
        }
        Target::One(Kind::Nic, name) => {
            let view = core.change(|state| put_nic(state, name, &body))?;
            core.sync_ports().await;
            Ok(wire::json(200, &view, crlf))
        }
        Target::One(Kind::Vm, name) => {
            let view = core.change(|state| resources::tag_machine(state, &ask, name, &body))?;
            Ok(wire::json(200, &view, crlf))
        }
        Target::One(Kind::PublicIp, name) => {
            let known = core.read(|state| {
                state.world.public_ip(name).map(|public| views::public_ip(&state.world, public))
            });
            Ok(wire::json(200, &known, crlf))
        }
        Target::Subnet(..) => {
            let view = core.change(|state| put_subnet(state, &ask, &body))?;
            core.sync_ports().await;
            Ok(wire::json(200, &view, crlf))
        }
        Target::Lock { scope, name } => {
            let (status, view) = core.change(|state| locks::put(&mut state.world, scope, name, &body))?;
            Ok(wire::json(status, &view, crlf))
        }
        _ => Err(ask.unsupported()),
    }
}

/// A PATCH: of a group, where only its tags can be changed so (`NetworkSecurityGroups_UpdateTags`), or of a
/// machine, of which only the tags are kept.
pub(super) fn patch(core: &Core, ask: &Ask) -> Result<Response, ArmError> {
    let crlf = core.settings().crlf;
    if let Target::One(Kind::Vm, name) = &ask.path.target {
        let body = ask.body()?;
        let view = core.change(|state| resources::tag_machine(state, ask, name, &body))?;
        return Ok(wire::json(200, &view, crlf));
    }
    let Target::One(Kind::Nsg, name) = &ask.path.target else { return Err(ask.unsupported()) };
    let tags = tags(&ask.body()?)?;
    let view = core.change(|state| {
        let nsg = find(state, name)?;
        nsg.tags = tags;
        nsg.etag = wire::guid();
        let nsg = nsg.clone();
        Ok::<_, ArmError>(views::nsg(&state.world, &nsg))
    })?;
    Ok(wire::json(200, &view, crlf))
}

/// A DELETE.
pub(super) async fn delete(core: &Arc<Core>, ask: Ask) -> Result<Response, ArmError> {
    match &ask.path.target {
        Target::Lock { scope, name } => {
            Ok(wire::empty(core.change(|state| locks::delete(&mut state.world, scope, name))))
        }
        Target::Rule(nsg, rule) => {
            let Some(id) = core.change(|state| delete_rule(core, state, &ask, nsg, rule))? else {
                return Ok(wire::empty(204));
            };
            operations::run(core, id.clone()).await;
            Ok(accepted(core, &ask, wire::empty(202), &id, true))
        }
        Target::One(Kind::Nsg, name) => {
            let Some(id) = core.change(|state| delete_nsg(core, state, &ask, name))? else {
                return Ok(wire::empty(204));
            };
            operations::run(core, id.clone()).await;
            let mut response = accepted(core, &ask, wire::empty(202), &id, true);
            wire::set(&mut response, "azure-asyncnotification", "Enabled");
            Ok(response)
        }
        _ => {
            let status = core.change(|state| resources::delete(state, &ask))?;
            core.sync_ports().await;
            Ok(wire::empty(status))
        }
    }
}

/// Adds where the operation can be followed. Since 2024 the addresses carry a certificate and a
/// signature, about 3 KB that mean nothing to the caller.
fn accepted(core: &Core, ask: &Ask, mut response: Response, id: &str, location: bool) -> Response {
    let noise = |bytes| BASE64URL.encode(wire::random(bytes));
    let query = format!(
        "api-version={}&t={}&c={}&s={}&h={}",
        ask.api_version,
        // Ticks of 100 ns since the year 1.
        (wire::wall_ms() + 62_135_596_800_000) * 10_000,
        noise(1992),
        noise(256),
        noise(32)
    );
    let base = format!(
        "{}/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Network/locations/{LOCATION}",
        ask.call.base_url()
    );
    wire::set(&mut response, "azure-asyncoperation", &format!("{base}/operations/{id}?{query}"));
    if location {
        wire::set(&mut response, "location", &format!("{base}/operationResults/{id}?{query}"));
    }
    if let Some(seconds) = core.settings().retry_after_seconds {
        wire::set(&mut response, "retry-after", &seconds.to_string());
    }
    response
}

fn find<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Nsg, ArmError> {
    state
        .world
        .nsg_mut(name)
        .ok_or_else(|| ArmError::resource_not_found(Kind::Nsg.name(), name, RESOURCE_GROUP))
}

fn conflict(name: &str, other: &str) -> ArmError {
    let message = format!(
        "Security rule {name} conflicts with rule {other}. Rules cannot have the same Priority and Direction."
    );
    ArmError::provider(400, "SecurityRuleConflict", message)
}

fn too_many() -> ArmError {
    let message = format!("A security group cannot have more than {} security rules.", rules::MOST_RULES);
    ArmError::provider(400, "SecurityRuleCountLimitReached", message)
}

fn put_rule(
    core: &Core,
    state: &mut State,
    ask: &Ask,
    nsg_name: &str,
    name: &str,
    body: &Value,
) -> Result<(u16, views::RuleView, String), ArmError> {
    let nsg = find(state, nsg_name)?;
    let nsg_name = nsg.name.clone();
    rules::name(name)?;
    let properties = rules::parse(body, &views::rule_id(&nsg_name, name))?;
    let others = || nsg.rules.iter().filter(|rule| !rule.name.eq_ignore_ascii_case(name));
    if let Some(other) = others().find(|rule| {
        rule.properties.priority == properties.priority && rule.properties.direction == properties.direction
    }) {
        return Err(conflict(name, &other.name));
    }
    if others().count() >= rules::MOST_RULES {
        return Err(too_many());
    }
    let write = Write {
        work: Work::PutSecurityRule,
        nsg: &nsg_name,
        rule: name,
        by: &ask.who.name,
        ending: ask.ending.clone(),
    };
    let id = operations::begin(core, state, &write)?;
    let nsg = find(state, &nsg_name)?;
    let rule = Rule { name: name.to_owned(), properties: properties.clone(), state: "Updating".to_owned() };
    let (status, what) = match nsg.rule_mut(name) {
        Some(known) => {
            // Azure keeps the name as it was first written.
            *known = Rule { name: known.name.clone(), ..rule };
            (200, What::PutChanged)
        }
        None => {
            nsg.rules.push(rule);
            (201, What::PutNew)
        }
    };
    let shown = nsg.rule(name).map_or(name, |rule| rule.name.as_str());
    let view = views::rule(nsg, shown, "Updating", &properties);
    state.journal.add(core.now(), &nsg_name, name, what, &ask.who.name, Some(&properties));
    Ok((status, view, id))
}

fn delete_rule(
    core: &Core,
    state: &mut State,
    ask: &Ask,
    nsg_name: &str,
    name: &str,
) -> Result<Option<String>, ArmError> {
    let nsg = find(state, nsg_name)?;
    let nsg_name = nsg.name.clone();
    let Some(rule) = nsg.rule(name).cloned() else { return Ok(None) };
    let write = Write {
        work: Work::DeleteSecurityRule,
        nsg: &nsg_name,
        rule: &rule.name,
        by: &ask.who.name,
        ending: ask.ending.clone(),
    };
    let id = operations::begin(core, state, &write)?;
    if let Some(rule) = find(state, &nsg_name)?.rule_mut(name) {
        rule.state = "Deleting".to_owned();
    }
    let properties = Some(&rule.properties);
    state.journal.add(core.now(), &nsg_name, &rule.name, What::DeleteAccepted, &ask.who.name, properties);
    Ok(Some(id))
}

fn put_nsg(
    core: &Core,
    state: &mut State,
    ask: &Ask,
    name: &str,
    body: &Value,
) -> Result<(u16, views::NsgView, String), ArmError> {
    if body["location"].as_str().is_none() {
        let message = "The location property is required for this definition.";
        return Err(ArmError::gateway(400, "LocationRequired", message));
    }
    rules::name(name)?;
    let tags = tags(body)?;
    let parsed = group_rules(name, &body["properties"]["securityRules"])?;
    let write = Write {
        work: Work::PutNetworkSecurityGroup,
        nsg: name,
        rule: "",
        by: &ask.who.name,
        ending: ask.ending.clone(),
    };
    let id = operations::begin(core, state, &write)?;
    let mut status = 200;
    if state.world.nsg(name).is_none() {
        state.world.nsgs.push(Nsg::new(name));
        status = 201;
    }
    let nsg = find(state, name)?;
    nsg.tags = tags;
    let same = status == 200
        && nsg.rules.len() == parsed.len()
        && parsed
            .iter()
            .all(|new| nsg.rule(&new.name).is_some_and(|known| known.properties == new.properties));
    // When only tags change, Azure says "Succeeded" at once and still names an operation.
    if same { "Succeeded" } else { "Updating" }.clone_into(&mut nsg.state);
    if !same {
        nsg.rules = parsed;
    }
    state.journal.add(core.now(), name, "", What::PutChanged, &ask.who.name, None);
    let nsg = state.world.nsg(name).ok_or_else(|| ArmError::not_found(&ask.path.text))?;
    Ok((status, views::nsg(&state.world, nsg), id))
}

/// The tags that a body carries.
pub(super) fn tags(body: &Value) -> Result<BTreeMap<String, String>, ArmError> {
    match &body["tags"] {
        Value::Null => Ok(BTreeMap::new()),
        tags => serde_json::from_value(tags.clone()).map_err(|_| {
            ArmError::gateway(400, "InvalidRequestContent", "The tags of a resource are texts.")
        }),
    }
}

fn group_rules(nsg: &str, list: &Value) -> Result<Vec<Rule>, ArmError> {
    let mut parsed: Vec<Rule> = Vec::new();
    for entry in list.as_array().into_iter().flatten() {
        let name = entry["name"].as_str().unwrap_or_default();
        rules::name(name)?;
        let properties = rules::parse(entry, &views::rule_id(nsg, name))?;
        if parsed.iter().any(|rule| rule.name.eq_ignore_ascii_case(name)) {
            return Err(ArmError::format(
                "DuplicateResourceName",
                format!("Resource name {name} is used twice."),
            ));
        }
        let same = |rule: &&Rule| {
            rule.properties.priority == properties.priority
                && rule.properties.direction == properties.direction
        };
        if let Some(other) = parsed.iter().find(same) {
            return Err(conflict(name, &other.name));
        }
        parsed.push(Rule { name: name.to_owned(), properties, state: "Updating".to_owned() });
    }
    if parsed.len() > rules::MOST_RULES {
        return Err(too_many());
    }
    Ok(parsed)
}

fn delete_nsg(core: &Core, state: &mut State, ask: &Ask, name: &str) -> Result<Option<String>, ArmError> {
    let Some(nsg) = state.world.nsg(name) else { return Ok(None) };
    let name = nsg.name.clone();
    let (nics, subnets) = state.world.users_of(&name);
    let users: Vec<String> = nics.into_iter().chain(subnets).collect();
    if !users.is_empty() {
        let message = format!(
            "Network security group {} cannot be deleted because it is in use by the following resources: {}.",
            Kind::Nsg.id(&name),
            users.join(", ")
        );
        return Err(ArmError::provider(400, "InUseNetworkSecurityGroupCannotBeDeleted", message));
    }
    let write = Write {
        work: Work::DeleteNetworkSecurityGroup,
        nsg: &name,
        rule: "",
        by: &ask.who.name,
        ending: ask.ending.clone(),
    };
    let id = operations::begin(core, state, &write)?;
    state.journal.add(core.now(), &name, "", What::DeleteAccepted, &ask.who.name, None);
    Ok(Some(id))
}

/// The group that a body associates, checked to exist. Absent means: none.
pub(super) fn associated(state: &State, body: &Value, user: &str) -> Result<Option<String>, ArmError> {
    let Some(id) = body.pointer("/properties/networkSecurityGroup/id").and_then(Value::as_str) else {
        return Ok(None);
    };
    let found = state.world.nsgs.iter().find(|nsg| Kind::Nsg.id(&nsg.name).eq_ignore_ascii_case(id));
    let Some(nsg) = found else {
        let message = format!(
            "Resource {id} referenced by resource {user} was not found. Please make sure that the referenced resource exists, and that both resources are in the same region."
        );
        return Err(ArmError::provider(400, "InvalidResourceReference", message));
    };
    operations::provisioned(state, Some(&nsg.name), user)?;
    Ok(Some(nsg.name.clone()))
}

/// PUT of an existing interface: only its group can change.
fn put_nic(state: &mut State, name: &str, body: &Value) -> Result<Value, ArmError> {
    let Some(nic) = state.world.nic(name).cloned() else {
        return Err(ArmError::resource_not_found(Kind::Nic.name(), name, RESOURCE_GROUP));
    };
    let id = nic.id();
    operations::provisioned(state, nic.nsg.as_deref(), &id)?;
    let nsg = associated(state, body, &id)?;
    state.world.associate_nic(name, nsg);
    Ok(state.world.nic(name).map_or_else(|| json!(null), |nic| views::nic(&state.world, nic)))
}

/// PUT of an existing subnet: only its group can change.
fn put_subnet(state: &mut State, ask: &Ask, body: &Value) -> Result<Value, ArmError> {
    let Some(subnet) = state.world.subnet(&ask.path.text).cloned() else {
        return Err(ArmError::not_found(&ask.path.text));
    };
    operations::provisioned(state, subnet.nsg.as_deref(), &subnet.id)?;
    let nsg = associated(state, body, &subnet.id)?;
    state.world.associate_subnet(&subnet.id, nsg);
    Ok(state
        .world
        .subnet(&subnet.id)
        .map_or_else(|| json!(null), |subnet| views::subnet(&state.world, subnet)))
}
