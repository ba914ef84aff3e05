//! Network Watcher: its list, and `ipFlowVerify`, which says what becomes of a flow by the rules that are
//! in force (learn.microsoft.com, ip-flow-verify-overview; the shapes are those of
//! azure-rest-api-specs, `networkWatcher.json`). One watcher, in the group that Azure makes for it.

use super::applied;
use super::arm;
use super::core::{Core, State};
use super::error::ArmError;
use super::keys::AccessClaims;
use super::machines::Power;
use super::packets::{self, Flow, SOME_SOURCE_PORT};
use super::propagation::By;
use super::rules;
use super::wire::{self, Call};
use super::world::{Kind, LOCATION, SUBSCRIPTION_ID};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

/// The resource group that Azure makes for a subscription's watchers.
const GROUP: &str = "NetworkWatcherRG";

/// An answer that is to be fetched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    id: String,
    /// How often the caller is told to come again.
    polls: u32,
    answer: Value,
}

/// How many answers can still be fetched.
const KEPT: usize = 100;

/// What is asked; ports and addresses are strings, as in the specification.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    target_resource_id: String,
    direction: String,
    protocol: String,
    local_port: String,
    remote_port: String,
    #[serde(rename = "localIPAddress")]
    local_ip_address: String,
    #[serde(rename = "remoteIPAddress")]
    remote_ip_address: String,
}

/// The watcher's resource id.
fn watcher_id() -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{GROUP}/providers/Microsoft.Network/networkWatchers/NetworkWatcher_{LOCATION}"
    )
}

/// Answers what is about Network Watcher; `None`: it is not.
pub(super) fn answer(core: &Core, who: &AccessClaims, call: &Call) -> Option<Result<Response, ArmError>> {
    let path = call.uri.path().trim_end_matches('/').to_ascii_lowercase();
    let subscription = format!("/subscriptions/{SUBSCRIPTION_ID}");
    let below = path.strip_prefix(&subscription)?.strip_prefix("/")?;
    let watcher = watcher_id().to_ascii_lowercase();
    let list = "providers/microsoft.network/networkwatchers";
    let results = format!("providers/microsoft.network/locations/{LOCATION}/operationresults/");
    let settings = core.settings();
    let may = |action: &str| {
        arm::api_version(call)?;
        let action = format!("Microsoft.Network/{action}");
        if applied::may_watch(core, who, &action, call.uri.path()) {
            Ok(())
        } else {
            Err(arm::forbidden(who, &action, call.uri.path()))
        }
    };
    match call.method.as_str() {
        "GET" if below == list => Some(may("networkWatchers/read").map(|()| {
            let value: Vec<Value> = settings.watcher.then(view).into_iter().collect();
            wire::json(200, &json!({ "value": value }), settings.crlf)
        })),
        "GET" if below.starts_with(&results) => {
            let id = &below[results.len()..];
            let pending = core.change(|state| fetch(state, id))?;
            let may = may("locations/operationResults/read");
            Some(may.map(|()| match pending {
                Some(answer) => wire::json(200, &answer, settings.crlf),
                None => again(call, id),
            }))
        }
        "POST" if path == format!("{watcher}/ipflowverify") => {
            Some(may("networkWatchers/ipFlowVerify/action").and_then(|()| verify(core, call)))
        }
        _ => None,
    }
}

fn view() -> Value {
    json!({ "name": format!("NetworkWatcher_{LOCATION}"), "id": watcher_id(), "etag": "W/\"watcher\"",
        "type": "Microsoft.Network/networkWatchers", "location": LOCATION,
        "properties": { "provisioningState": "Succeeded" } })
}

/// The answer of this id, or that it is not there yet; `None` when there is none.
fn fetch(state: &mut State, id: &str) -> Option<Option<Value>> {
    let pending = state.watched.iter_mut().find(|one| one.id == id)?;
    if pending.polls == 0 {
        return Some(Some(pending.answer.clone()));
    }
    pending.polls -= 1;
    Some(None)
}

/// 202 with the four bytes `null`, as Azure's POSTs that run longer are answered.
fn again(call: &Call, id: &str) -> Response {
    let mut response = wire::json(202, &Value::Null, false);
    let location = format!(
        "{}/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Network/locations/{LOCATION}/operationResults/{id}?api-version=2025-05-01",
        call.base_url()
    );
    wire::set(&mut response, "location", &location);
    response
}

fn verify(core: &Core, call: &Call) -> Result<Response, ArmError> {
    let settings = core.settings();
    if !settings.watcher {
        let name = format!("NetworkWatcher_{LOCATION}");
        return Err(ArmError::resource_not_found("Microsoft.Network/networkWatchers", &name, GROUP));
    }
    let question: Question = serde_json::from_slice(&call.body)
        .map_err(|error| ArmError::format("InvalidJson", format!("The body cannot be read: {error}.")))?;
    let answer = core.read(|state| judge(state, &question))?;
    if settings.watcher_polls == 0 {
        return Ok(wire::json(200, &answer, settings.crlf));
    }
    let id = wire::guid();
    core.change(|state| {
        let surplus = (state.watched.len() + 1).saturating_sub(KEPT);
        state.watched.drain(..surplus);
        state.watched.push(Pending { id: id.clone(), polls: settings.watcher_polls - 1, answer });
    });
    Ok(again(call, &id))
}

fn judge(state: &State, question: &Question) -> Result<Value, ArmError> {
    let invalid = |field: &str, value: &str| {
        ArmError::format("InvalidParameter", format!("'{value}' is not a value of {field}."))
    };
    let port = |field: &str, text: &str| text.parse::<u16>().map_err(|_| invalid(field, text));
    let ipv4 =
        |field: &str, text: &str| text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| invalid(field, text));
    if !question.direction.eq_ignore_ascii_case("Inbound") {
        return Err(invalid("direction", &question.direction));
    }
    if !["TCP", "UDP"].iter().any(|known| known.eq_ignore_ascii_case(&question.protocol)) {
        return Err(invalid("protocol", &question.protocol));
    }
    let source_port = match question.remote_port.as_str() {
        "*" => SOME_SOURCE_PORT,
        text => port("remotePort", text)?,
    };
    let (local, remote) = (
        ipv4("localIPAddress", &question.local_ip_address)?,
        ipv4("remoteIPAddress", &question.remote_ip_address)?,
    );
    let world = &state.world;
    let is_target = |id: &str| id.eq_ignore_ascii_case(&question.target_resource_id);
    let machine = world.machines.iter().find(|one| is_target(&one.id())).ok_or_else(|| {
        let name = question.target_resource_id.rsplit('/').next().unwrap_or_default();
        ArmError::resource_not_found(Kind::Vm.name(), name, super::world::RESOURCE_GROUP)
    })?;
    // The pages say only that the machine must run; the code is not known.
    if machine.power != Power::Running {
        let message = format!("The virtual machine {} is not running.", question.target_resource_id);
        return Err(ArmError::provider(400, "TargetVmNotRunning", message));
    }
    let mut addresses = world.addresses_of(machine).filter(|(_, address)| address.private == local);
    let (nic, address) =
        addresses.next().ok_or_else(|| invalid("localIPAddress", &question.local_ip_address))?;
    let flow = Flow {
        source: remote,
        source_port,
        destination: local,
        port: port("localPort", &question.local_port)?,
        protocol: &question.protocol,
        member_of: &[],
    };
    // By the configured rules, as the pages say: packets may meet them later.
    let groups = world.rules_for(nic, &address.subnet, By::Rules);
    let judged = packets::judge(&world.admin_rules, groups.iter().map(Vec::as_slice), &flow);
    let access = if judged.passes { rules::Access::Allow } else { rules::Access::Deny };
    Ok(json!({ "access": access, "ruleName": judged.by.last() }))
}
