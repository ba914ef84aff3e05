//! Azure's management API: who asks, whether they may, and what they get.

use super::core::Core;
use super::error::ArmError;
use super::keys::{AUDIENCES, AccessClaims};
use super::paths::{self, Path, Target};
use super::record;
use super::roles;
use super::throttle::{self, Left, Throttle};
use super::views;
use super::views::Shown;
use super::wire::{self, Call, Ending, Moment};
use super::world::{Kind, LOCATION, Place, RESOURCE_GROUP, TENANT_ID, World};
use super::{applied, authorization, graph, locks, watcher, writes};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A request that may be carried out.
pub(super) struct Ask {
    pub(super) who: AccessClaims,
    pub(super) path: Path,
    pub(super) call: Call,
    pub(super) api_version: String,
    pub(super) ending: Option<Ending>,
}

impl Ask {
    /// That this method is not for this resource.
    pub(super) fn unsupported(&self) -> ArmError {
        let message = format!("The requested resource does not support http method '{}'.", self.call.method);
        ArmError::gateway(405, "UnsupportedHttpMethod", message)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 400 `InvalidRequestContent`.
    pub(super) fn body(&self) -> Result<Value, ArmError> {
        serde_json::from_slice(&self.call.body).map_err(|error| {
            let message =
                format!("The request content was invalid and could not be deserialized: '{error}'.");
            ArmError::gateway(400, "InvalidRequestContent", message)
        })
    }
}

/// Answers one call.
pub(super) async fn answer(core: Arc<Core>, call: Call, ending: Option<Ending>) -> Response {
    let correlation = call.header("x-ms-correlation-request-id").map_or_else(wire::guid, str::to_owned);
    let client = call
        .header("x-ms-client-request-id")
        .filter(|_| {
            call.header("x-ms-return-client-request-id").is_some_and(|text| text.eq_ignore_ascii_case("true"))
        })
        .map(str::to_owned);
    let recorded = record::recorder().map(|recorder| (recorder, record::Asked::new(&call)));
    let crlf = core.settings().crlf;
    let mut response = match admit(&core, &call) {
        Ok((who, left)) => {
            let identity = format!("tenantId={TENANT_ID},objectId={}/{LOCATION}/{}", who.oid, wire::guid());
            let answer = carry_out(&core, who, call, ending).await;
            let mut response = answer.unwrap_or_else(|error| error.response(crlf));
            left.tell(&mut response);
            wire::set(&mut response, "x-ms-operation-identifier", &identity);
            wire::set(&mut response, "x-ms-arm-service-request-id", &wire::guid());
            response
        }
        Err(error) => error.response(crlf),
    };
    let request = wire::guid();
    let moment = Moment::from_unix(wire::wall_ms() / 1000).iso('T');
    let routing = format!("WESTEUROPE:{moment}:{}", wire::guid());
    let edge = [hex::encode_upper(wire::random(16)), hex::encode_upper(wire::random(8))];
    let edge = format!("Ref A: {} Ref B: {} Ref C: {moment}", edge[0], edge[1]);
    for (name, value) in [
        ("cache-control", "no-cache"),
        ("expires", "-1"),
        ("pragma", "no-cache"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-cache", "CONFIG_NOCACHE"),
        ("x-msedge-ref", edge.as_str()),
        ("x-ms-request-id", request.as_str()),
        ("x-ms-correlation-request-id", correlation.as_str()),
        ("x-ms-routing-request-id", routing.as_str()),
    ] {
        wire::set(&mut response, name, value);
    }
    if let Some(client) = client {
        wire::set(&mut response, "x-ms-client-request-id", &client);
    }
    match recorded {
        Some((recorder, asked)) => recorder.exchange(&core.keys, asked, response).await,
        None => response,
    }
}

/// Who calls, and how many calls are left to them.
fn admit(core: &Core, call: &Call) -> Result<(AccessClaims, Left), ArmError> {
    let who = authenticate(core, call)?;
    // Somebody who is not throttled takes from a bucket that is never asked again.
    let now = core.now();
    let kind = throttle::Kind::of(call.method.as_str());
    let mut path = call.uri.path().split('/').skip(1);
    let subscription =
        path.next().zip(path.next()).filter(|(root, _)| root.eq_ignore_ascii_case("subscriptions"));
    let subscription = subscription.map_or("", |(_, subscription)| subscription);
    let left = if throttled(core, &who) {
        core.throttle(|all| all.admit(subscription, &who.oid, kind, now))?
    } else {
        Throttle::default().admit(subscription, &who.oid, kind, now)?
    };
    Ok((who, left))
}

fn throttled(core: &Core, who: &AccessClaims) -> bool {
    who.name != roles::OWNER || core.settings().owner_throttled
}

/// The checks behind the front door, in their order: address, api-version, subscription, role, group, lock, policy.
async fn carry_out(
    core: &Arc<Core>,
    who: AccessClaims,
    call: Call,
    ending: Option<Ending>,
) -> Result<Response, ArmError> {
    if call.method == "POST" && call.uri.path().eq_ignore_ascii_case(graph::PATH) {
        return graph::answer(core, &who, &call.body, &api_version(&call)?);
    }
    if let Some(answered) = watcher::answer(core, &who, &call) {
        return answered;
    }
    if let Some(answered) = authorization::answer(core, &who, &call) {
        return answered;
    }
    let Some(path) = paths::parse(call.uri.path()) else {
        let message = format!("The resource type could not be found in the path '{}'.", call.uri.path());
        return Err(ArmError::gateway(404, "InvalidResourceType", message));
    };
    let api_version = api_version(&call)?;
    if !core.read(|state| state.world.has_subscription(&path.subscription)) {
        let message = format!("The subscription '{}' could not be found.", path.subscription);
        return Err(ArmError::gateway(404, "SubscriptionNotFound", message));
    }
    let Some(action) = path.target.action(call.method.as_str()) else {
        let message = format!("The requested resource does not support http method '{}'.", call.method);
        return Err(ArmError::gateway(405, "UnsupportedHttpMethod", message));
    };
    if !applied::may(core, &who, &action, &path.text) {
        return Err(forbidden(&who, &action, &path.text));
    }
    if let Some(group) = &path.group {
        let Some(place) = core.read(|state| state.world.place(&path.subscription, group)) else {
            let message = format!("Resource group '{group}' could not be found.");
            return Err(ArmError::gateway(404, "ResourceGroupNotFound", message));
        };
        // Network security groups are all in the lab's resource group.
        if let Some(name) = path.target.nsg()
            && place != Place::lab()
        {
            return Err(ArmError::resource_not_found(Kind::Nsg.name(), name, group));
        }
    }
    if call.method != "GET" && !matches!(path.target, Target::Lock { .. }) {
        core.read(|state| locks::check(&state.world, &path.text, call.method == "DELETE"))?;
    }
    if action.starts_with("Microsoft.Network/") && throttled(core, &who) {
        let (kind, now) = (throttle::Kind::of(call.method.as_str()), core.now());
        core.throttle(|all| all.count(&path.subscription, &action, kind, now))?;
    }
    let ask = Ask { who, path, call, api_version, ending };
    linked(&ask)?;
    policy(core, &ask)?;
    match ask.call.method.as_str() {
        "GET" => read(core, &ask),
        "PUT" => writes::put(core, ask).await,
        "PATCH" => writes::patch(core, &ask),
        _ => writes::delete(core, ask).await,
    }
}

/// Refuses a rule that refers to an application security group, unless the role may join rules to it: none of
/// the functions' roles may.
///
/// # Errors
/// 403 `LinkedAuthorizationFailed`.
fn linked(ask: &Ask) -> Result<(), ArmError> {
    const JOIN: &str = "Microsoft.Network/applicationSecurityGroups/joinNetworkSecurityRule/action";
    if ask.call.method != "PUT"
        || !matches!(ask.path.target, Target::Rule(..))
        || ask.who.name == roles::OWNER
    {
        return Ok(());
    }
    let body = ask.body()?;
    let named = ["source", "destination"].map(|side| format!("{side}ApplicationSecurityGroups"));
    let groups = named.iter().filter_map(|name| body["properties"][name].as_array()).flatten();
    let ids: Vec<&str> = groups.filter_map(|group| group["id"].as_str()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let message = format!(
        "The client '{}' with object id '{}' has permission to perform action 'Microsoft.Network/networkSecurityGroups/securityRules/write' on scope '{}'; however, it does not have permission to perform action '{JOIN}' on the linked scope(s) '{}' or the linked scope(s) are invalid.",
        ask.who.appid,
        ask.who.oid,
        ask.path.text,
        ids.join(",")
    );
    Err(ArmError::gateway(403, "LinkedAuthorizationFailed", message))
}

/// Refuses a rule that a policy of the subscription does not allow to be written.
///
/// # Errors
/// 403 `RequestDisallowedByPolicy`.
fn policy(core: &Core, ask: &Ask) -> Result<(), ArmError> {
    let Target::Rule(_, rule) = &ask.path.target else { return Ok(()) };
    if ask.call.method != "PUT" || !core.settings().policy_denies_allow {
        return Ok(());
    }
    let body = ask.body()?;
    let says = |key: &str, value: &str| {
        body["properties"][key].as_str().is_some_and(|it| it.eq_ignore_ascii_case(value))
    };
    if says("access", "Allow") && says("direction", "Inbound") {
        return Err(ArmError::disallowed(rule, &ask.path.subscription));
    }
    Ok(())
}

fn authenticate(core: &Core, call: &Call) -> Result<AccessClaims, ArmError> {
    let challenge = |error: ArmError, text: &str| {
        let value = format!(
            "Bearer authorization_uri=\"https://login.windows.net/{TENANT_ID}\", error=\"invalid_token\", error_description=\"{text}\""
        );
        error.header("WWW-Authenticate", value)
    };
    let Some(header) = call.header("authorization") else {
        let error = ArmError::gateway(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        );
        return Err(challenge(error, "The authentication failed because of missing 'Authorization' header."));
    };
    let scheme = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
    let claims =
        scheme.and_then(|(_, token)| core.keys.read_access_token(token.trim())).ok_or_else(|| {
            let error = ArmError::gateway(401, "InvalidAuthenticationToken", "The access token is invalid.");
            challenge(error, "Could not find identity for access token.")
        })?;
    let now = wire::wall_ms() / 1000;
    if claims.exp <= now {
        let [expiry, now] = [claims.exp, now].map(|seconds| Moment::from_unix(seconds).american());
        let message =
            format!("The access token expiry UTC time '{expiry}' is earlier than current UTC time '{now}'.");
        let error = ArmError::gateway(401, "ExpiredAuthenticationToken", message);
        return Err(challenge(error, "The access token has expired."));
    }
    if !AUDIENCES.contains(&claims.aud.as_str()) {
        let allowed: Vec<String> = AUDIENCES.iter().rev().map(|one| format!("'{one}'")).collect();
        let message = format!(
            "The access token has been obtained for wrong audience or resource '{}'. It should exactly match with one of the allowed audiences {}.",
            claims.aud,
            allowed.join(",")
        );
        let error = ArmError::gateway(401, "InvalidAuthenticationTokenAudience", message);
        return Err(challenge(error, "The access token is for another audience."));
    }
    if !claims.tid.eq_ignore_ascii_case(TENANT_ID) {
        let message = format!(
            "The access token is from the wrong issuer 'https://sts.windows.net/{}/'. It must match the tenant 'https://sts.windows.net/{TENANT_ID}/' associated with this subscription.",
            claims.tid
        );
        let error = ArmError::gateway(401, "InvalidAuthenticationTokenTenant", message);
        return Err(challenge(error, "The access token is of another tenant."));
    }
    Ok(claims)
}

pub(super) fn api_version(call: &Call) -> Result<String, ArmError> {
    let Some(version) = call.query("api-version").filter(|version| !version.is_empty()) else {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        return Err(ArmError::gateway(400, "MissingApiVersionParameter", message));
    };
    let date = version.strip_suffix("-preview").unwrap_or(&version);
    let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape != "0000-00-00" {
        let message = format!(
            "The api-version '{version}' is invalid. It must be of the form 'YYYY-MM-DD' or 'YYYY-MM-DD-preview'."
        );
        return Err(ArmError::gateway(400, "InvalidApiVersionParameter", message));
    }
    Ok(version)
}

pub(super) fn forbidden(who: &AccessClaims, action: &str, scope: &str) -> ArmError {
    let message = format!(
        "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        who.appid, who.oid
    );
    ArmError::gateway(403, "AuthorizationFailed", message)
}

fn read(core: &Core, ask: &Ask) -> Result<Response, ArmError> {
    let settings = core.settings();
    let show = |body: &Value| wire::json(200, body, settings.crlf);
    core.read(|state| {
        let world = &state.world;
        let missing = |kind: Kind, name: &str| {
            ArmError::resource_not_found(
                kind.name(),
                name,
                ask.path.group.as_deref().unwrap_or(RESOURCE_GROUP),
            )
        };
        let group = |name: &str| world.nsg(name).ok_or_else(|| missing(Kind::Nsg, name));
        let place = ask.path.group.as_ref().map(|group| Place::new(&ask.path.subscription, group));
        let vnet = |name: &str| {
            let here = |vnet: &&super::machines::Vnet| {
                vnet.name.eq_ignore_ascii_case(name) && place.as_ref() == Some(&vnet.place)
            };
            world.vnets.iter().find(here).ok_or_else(|| missing(Kind::Vnet, name))
        };
        match &ask.path.target {
            Target::ResourceGroup => {
                let place = place.ok_or_else(|| ArmError::not_found(&ask.path.text))?;
                Ok(show(&json!({ "id": place.id(), "name": place.group,
                "type": "Microsoft.Resources/resourceGroups", "location": LOCATION,
                "properties": { "provisioningState": "Succeeded" } })))
            }
            Target::List(kind) => page(core, ask, &list(world, ask, *kind)?),
            Target::One(Kind::Vm, name) => {
                let shown = if ask
                    .call
                    .query("$expand")
                    .is_some_and(|what| what.eq_ignore_ascii_case("instanceView"))
                {
                    Shown::AloneWithState
                } else {
                    Shown::Alone
                };
                let machine = place.as_ref().and_then(|place| world.machine_at(place, name));
                let machine = machine.ok_or_else(|| missing(Kind::Vm, name))?;
                Ok(show(&views::machine(world, machine, shown)))
            }
            Target::InstanceView(name) => {
                let machine = place.as_ref().and_then(|place| world.machine_at(place, name));
                let machine = machine.ok_or_else(|| missing(Kind::Vm, name))?;
                let whole = views::machine(world, machine, Shown::AloneWithState);
                Ok(show(&whole["properties"]["instanceView"]))
            }
            Target::One(Kind::Nic, name) => {
                let nic = world.nic(name).filter(|nic| place.as_ref() == Some(&nic.place));
                let nic = nic.ok_or_else(|| missing(Kind::Nic, name))?;
                Ok(tagged(show(&views::nic(world, nic)), &nic.etag))
            }
            Target::One(Kind::Vnet, name) => {
                let vnet = vnet(name)?;
                Ok(tagged(show(&views::vnet(world, vnet)), &vnet.guid))
            }
            Target::One(Kind::PublicIp, name) => {
                let public = world.public_ip(name).filter(|public| place.as_ref() == Some(&public.place));
                public
                    .map(|public| show(&views::public_ip(world, public)))
                    .ok_or_else(|| missing(Kind::PublicIp, name))
            }
            Target::One(Kind::Nsg, name) => {
                let nsg = group(name)?;
                Ok(tagged(wire::json(200, &views::nsg(world, nsg), settings.crlf), &nsg.etag))
            }
            Target::Subnets(name) => {
                let all = world.subnets_of(vnet(name)?).map(|subnet| views::subnet(world, subnet));
                page(core, ask, &all.collect::<Vec<_>>())
            }
            Target::Subnet(name, _) => {
                vnet(name)?;
                let subnet =
                    world.subnet(&ask.path.text).ok_or_else(|| ArmError::not_found(&ask.path.text))?;
                Ok(tagged(show(&views::subnet(world, subnet)), &subnet.etag))
            }
            Target::Rules(name) => page(core, ask, &views::own_rules(group(name)?)),
            Target::DefaultRules(name) => page(core, ask, &views::default_rules(group(name)?)),
            Target::Rule(name, rule) => {
                let nsg = group(name)?;
                let rule = nsg.rule(rule).ok_or_else(|| ArmError::not_found(&ask.path.text))?;
                let view = views::rule(nsg, &rule.name, &rule.state, &rule.properties);
                Ok(tagged(wire::json(200, &view, settings.crlf), &nsg.etag))
            }
            Target::Lock { scope, name } => locks::get(world, scope, name).map(|lock| show(&lock)),
            Target::Operation(id) | Target::OperationResult(id) => {
                let operation =
                    state.operations.iter().find(|one| one.id.eq_ignore_ascii_case(id)).ok_or_else(|| {
                        ArmError::provider(404, "OperationNotFound", format!("Operation {id} not found."))
                    })?;
                if let Target::Operation(_) = &ask.path.target {
                    return Ok(show(&operation.view()));
                }
                match operation.result() {
                    Ok(status) => {
                        let mut response = wire::empty(status);
                        if status == 202 {
                            let location = format!("{}{}", ask.call.base_url(), ask.call.uri);
                            wire::set(&mut response, "location", &location);
                        }
                        Ok(response)
                    }
                    Err(body) => Ok(wire::json(409, &body, settings.crlf)),
                }
            }
        }
    })
}

/// All resources of a kind in the subscription, or in the resource group where the path names one.
fn list(world: &World, ask: &Ask, kind: Kind) -> Result<Vec<Value>, ArmError> {
    let Path { subscription, group, .. } = &ask.path;
    let here = |place: &Place| {
        place.is_in(subscription)
            && group.as_ref().is_none_or(|group| place.group.eq_ignore_ascii_case(group))
    };
    Ok(match kind {
        Kind::Vm => {
            let state = ask.call.query("statusOnly").is_some_and(|only| only.eq_ignore_ascii_case("true"));
            let shown = if state { Shown::ListedState } else { Shown::Listed };
            let all = world.machines.iter().filter(|one| here(&one.place));
            all.map(|one| views::machine(world, one, shown)).collect()
        }
        Kind::Nic => {
            world.nics.iter().filter(|one| here(&one.place)).map(|one| views::nic(world, one)).collect()
        }
        Kind::Vnet => {
            world.vnets.iter().filter(|one| here(&one.place)).map(|one| views::vnet(world, one)).collect()
        }
        Kind::PublicIp => {
            let all = world.public_ips.iter().filter(|one| here(&one.place));
            all.map(|one| views::public_ip(world, one)).collect()
        }
        Kind::Nsg if here(&Place::lab()) => {
            let all = world.nsgs.iter().map(|one| serde_json::to_value(views::nsg(world, one)));
            all.collect::<Result<_, _>>()
                .map_err(|error| ArmError::provider(500, "InternalServerError", error.to_string()))?
        }
        Kind::Nsg => vec![],
    })
}

fn tagged(mut response: Response, etag: &str) -> Response {
    wire::set(&mut response, "etag", &views::etag(etag));
    response
}

#[derive(Serialize)]
struct Page<'a, T> {
    value: &'a [T],
    #[serde(rename = "nextLink", skip_serializing_if = "Option::is_none")]
    next_link: Option<String>,
}

/// A page of a list, and the address of the next one if there is more.
fn page<T: Serialize>(core: &Core, ask: &Ask, all: &[T]) -> Result<Response, ArmError> {
    let settings = core.settings();
    let from: usize = match ask.call.query("$skiptoken") {
        None => 0,
        Some(token) => token.parse().map_err(|_| {
            ArmError::gateway(400, "InvalidSkipToken", format!("The skip token '{token}' is invalid."))
        })?,
    };
    let from = from.min(all.len());
    let to = (from + settings.page_size.max(1)).min(all.len());
    let next_link = (to < all.len()).then(|| {
        let state =
            ask.call.query("statusOnly").map(|only| format!("&statusOnly={only}")).unwrap_or_default();
        let base = ask.call.base_url();
        format!("{base}{}?api-version={}{state}&$skiptoken={to}", ask.path.text, ask.api_version)
    });
    Ok(wire::json(200, &Page { value: &all[from..to], next_link }, settings.crlf))
}
