//! Azure's management API: who asks, whether they may, and what they get.

use super::core::Core;
use super::error::ArmError;
use super::keys::AccessClaims;
use super::paths::{self, Path, Target};
use super::record;
use super::roles;
use super::views;
use super::wire::{self, Call, Ending, Moment};
use super::world::{Kind, LOCATION, RESOURCE_GROUP, SUBNET, SUBSCRIPTION_ID, TENANT_ID, VNET};
use super::{locks, writes};
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
    let reading = call.method == "GET";
    let deleting = call.method == "DELETE";
    let recorded = record::recorder().map(|recorder| (recorder, record::Asked::new(&call)));
    let mut response = match carry_out(&core, call, ending).await {
        Ok(response) => response,
        Err(error) => error.response(core.settings().crlf),
    };
    let request = wire::guid();
    let routing =
        format!("WESTEUROPE:{}:{}", Moment::from_unix(wire::wall_ms() / 1000).iso('T'), wire::guid());
    let (remaining, left) = match (reading, deleting) {
        (true, _) => ("x-ms-ratelimit-remaining-subscription-reads", "249"),
        (_, true) => ("x-ms-ratelimit-remaining-subscription-deletes", "199"),
        _ => ("x-ms-ratelimit-remaining-subscription-writes", "199"),
    };
    for (name, value) in [
        ("cache-control", "no-cache"),
        ("expires", "-1"),
        ("pragma", "no-cache"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-cache", "CONFIG_NOCACHE"),
        (remaining, left),
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

/// The checks of the front door, in its order: token, address, api-version, subscription, role, lock, group.
async fn carry_out(core: &Arc<Core>, call: Call, ending: Option<Ending>) -> Result<Response, ArmError> {
    let who = authenticate(core, &call)?;
    let Some(path) = paths::parse(call.uri.path()) else {
        let message = format!("The resource type could not be found in the path '{}'.", call.uri.path());
        return Err(ArmError::gateway(404, "InvalidResourceType", message));
    };
    let api_version = api_version(&call)?;
    if !path.subscription.eq_ignore_ascii_case(SUBSCRIPTION_ID) {
        let message = format!("The subscription '{}' could not be found.", path.subscription);
        return Err(ArmError::gateway(404, "SubscriptionNotFound", message));
    }
    let Some(action) = path.target.action(call.method.as_str()) else {
        let message = format!("The requested resource does not support http method '{}'.", call.method);
        return Err(ArmError::gateway(405, "UnsupportedHttpMethod", message));
    };
    if !roles::allows(&who.name, &action, core.settings().operations_readable) {
        return Err(forbidden(&who, &action, &path.text));
    }
    if let Some(group) = &path.group
        && !group.eq_ignore_ascii_case(RESOURCE_GROUP)
    {
        let message = format!("Resource group '{group}' could not be found.");
        return Err(ArmError::gateway(404, "ResourceGroupNotFound", message));
    }
    if call.method != "GET" && !matches!(path.target, Target::Lock { .. }) {
        core.read(|state| locks::check(&state.world, &path.text, call.method == "DELETE"))?;
    }
    let ask = Ask { who, path, call, api_version, ending };
    match ask.call.method.as_str() {
        "GET" => read(core, &ask),
        "PUT" => writes::put(core, ask).await,
        "PATCH" => writes::patch(core, &ask),
        _ => writes::delete(core, ask).await,
    }
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
    Ok(claims)
}

fn api_version(call: &Call) -> Result<String, ArmError> {
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

fn forbidden(who: &AccessClaims, action: &str, scope: &str) -> ArmError {
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
        match &ask.path.target {
            Target::ResourceGroup => {
                Ok(show(&json!({ "id": super::world::group_id(), "name": RESOURCE_GROUP,
                "type": "Microsoft.Resources/resourceGroups", "location": LOCATION,
                "properties": { "provisioningState": "Succeeded" } })))
            }
            Target::List(Kind::Vm) => page(
                core,
                ask,
                &world.machines.iter().map(|one| views::machine(one, true)).collect::<Vec<_>>(),
            ),
            Target::List(Kind::Nic) => {
                page(core, ask, &world.nics.iter().map(|one| views::nic(world, one)).collect::<Vec<_>>())
            }
            Target::List(Kind::Vnet) => page(core, ask, &[views::vnet(world)]),
            Target::List(Kind::PublicIp) => {
                let all =
                    world.public_ips.iter().map(|(name, address)| views::public_ip(world, name, address));
                page(core, ask, &all.collect::<Vec<_>>())
            }
            Target::List(Kind::Nsg) => {
                page(core, ask, &world.nsgs.iter().map(|one| views::nsg(world, one)).collect::<Vec<_>>())
            }
            Target::One(Kind::Vm, name) => world
                .machine(name)
                .map(|one| show(&views::machine(one, false)))
                .ok_or_else(|| missing(Kind::Vm, name)),
            Target::One(Kind::Nic, name) => {
                let nic = world.nic(name).ok_or_else(|| missing(Kind::Nic, name))?;
                Ok(tagged(show(&views::nic(world, nic)), &nic.etag))
            }
            Target::One(Kind::Vnet, name) if name.eq_ignore_ascii_case(VNET) => {
                Ok(tagged(show(&views::vnet(world)), &world.subnet_etag))
            }
            Target::One(Kind::Vnet, name) => Err(missing(Kind::Vnet, name)),
            Target::One(Kind::PublicIp, name) => world
                .public_ips
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(name, address)| show(&views::public_ip(world, name, address)))
                .ok_or_else(|| missing(Kind::PublicIp, name)),
            Target::One(Kind::Nsg, name) => {
                let nsg = group(name)?;
                Ok(tagged(wire::json(200, &views::nsg(world, nsg), settings.crlf), &nsg.etag))
            }
            Target::Subnets => page(core, ask, &[views::subnet(world)]),
            Target::Subnet(name) if name.eq_ignore_ascii_case(SUBNET) => {
                Ok(tagged(show(&views::subnet(world)), &world.subnet_etag))
            }
            Target::Subnet(_) => Err(ArmError::not_found(&ask.path.text)),
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
        format!("{}{}?api-version={}&$skiptoken={to}", ask.call.base_url(), ask.path.text, ask.api_version)
    });
    Ok(wire::json(200, &Page { value: &all[from..to], next_link }, settings.crlf))
}
