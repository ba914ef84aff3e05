//! Who holds which role where, and whom the identities trust: what the subscription's owner may ask of
//! `Microsoft.Authorization` and `Microsoft.ManagedIdentity`. It is told from what the roles permit here, and cannot be
//! changed through this API.

use super::arm::{api_version, forbidden};
use super::core::{Core, State};
use super::error::ArmError;
use super::keys::AccessClaims;
use super::roles::{self, Function, OWNER};
use super::sts;
use super::wire::{self, Call};
use super::world::{LOCATION, OTHER_SUBSCRIPTION_ID, RESOURCE_GROUP, SUBSCRIPTION_ID, TENANT_ID};
use axum::response::Response;
use serde_json::{Value, json};

const AUTHORIZATION: &str = "microsoft.authorization";
const IDENTITY: &str = "microsoft.managedidentity";

/// A custom role, with where its holder has it.
struct Role<'f> {
    holder: &'f Function,
    name: String,
    number: usize,
    actions: Vec<String>,
    scopes: Vec<String>,
}

fn subscription(id: &str) -> String {
    format!("/subscriptions/{id}")
}

/// The roles of the functions. Those at machines are assigned where the settings say: at the resource group, or at the
/// subscription, where they reach the operations too.
fn roles_of<'f>(core: &'f Core, functions: &'f [Function]) -> Vec<Role<'f>> {
    let settings = core.settings();
    let everywhere = [SUBSCRIPTION_ID, OTHER_SUBSCRIPTION_ID].map(subscription);
    let at_group = format!("{}/resourceGroups/{RESOURCE_GROUP}", subscription(SUBSCRIPTION_ID));
    let mut all = vec![];
    for holder in functions.iter().filter(|one| one.client_id.is_some()) {
        let who = holder.function.as_str();
        let has = |action: &String| !settings.lacks(who, action);
        let at = if who == "discover" || settings.operations_readable {
            everywhere.to_vec()
        } else {
            vec![at_group.clone()]
        };
        let actions: Vec<String> =
            roles::actions().filter(|action| roles::allows(who, action, true)).filter(has).collect();
        all.push((holder, format!("Ajar sandbox {who}"), actions, at));
        let watch: Vec<String> = roles::watch_actions()
            .filter(|action| settings.watcher_permitted && roles::watches(who, action))
            .filter(has)
            .collect();
        if !watch.is_empty() {
            all.push((holder, "Ajar sandbox watch".to_owned(), watch, everywhere.to_vec()));
        }
    }
    let numbered = all.into_iter().enumerate();
    numbered
        .map(|(number, (holder, name, actions, scopes))| Role { holder, name, number, actions, scopes })
        .collect()
}

impl Role<'_> {
    fn guid(&self) -> String {
        format!("5a0d0000-0000-4000-8000-{:012x}", self.number)
    }

    /// A role has an id in each subscription.
    fn id(&self, scope: &str) -> String {
        let subscription = scope.split('/').nth(2).unwrap_or_default();
        format!(
            "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{}",
            self.guid()
        )
    }

    fn assignment(&self, scope: &str) -> Value {
        let name = format!("a551{:04x}-0000-4000-8000-{:012x}", self.number, scope.len());
        json!({
            "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"),
            "type": "Microsoft.Authorization/roleAssignments", "name": name,
            "properties": { "roleDefinitionId": self.id(scope), "principalId": self.holder.object_id,
                "principalType": "ServicePrincipal", "scope": scope, "condition": null },
        })
    }

    fn definition(&self, id: &str) -> Value {
        json!({
            "id": id, "type": "Microsoft.Authorization/roleDefinitions", "name": self.guid(),
            "properties": { "roleName": self.name, "type": "CustomRole", "description": "",
                "assignableScopes": self.scopes,
                "permissions": [{ "actions": self.actions, "notActions": [], "dataActions": [], "notDataActions": [] }] },
        })
    }
}

/// Answers a call for one of the two providers; `None` when it is for another one.
pub(super) fn answer(core: &Core, who: &AccessClaims, call: &Call) -> Option<Result<Response, ArmError>> {
    let path = format!("/{}", call.uri.path().trim_matches('/'));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let lower: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let at = lower.iter().rposition(|part| *part == "providers")?;
    let scope = format!("/{}", parts[..at].join("/"));
    let (action, what) = match &lower[at + 1..] {
        [AUTHORIZATION, "roleassignments"] => {
            ("Microsoft.Authorization/roleAssignments/read", What::Assignments)
        }
        [AUTHORIZATION, "roledefinitions", guid] => {
            ("Microsoft.Authorization/roleDefinitions/read", What::Definition((*guid).to_owned()))
        }
        [IDENTITY, "userassignedidentities"] => {
            ("Microsoft.ManagedIdentity/userAssignedIdentities/read", What::Identities)
        }
        [IDENTITY, "userassignedidentities", name, "federatedidentitycredentials"] => (
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
            What::Federated((*name).to_owned()),
        ),
        _ => return None,
    };
    if call.method != "GET" {
        let message = format!("The requested resource does not support http method '{}'.", call.method);
        return Some(Err(ArmError::gateway(405, "UnsupportedHttpMethod", message)));
    }
    Some(api_version(call).and_then(|_| {
        if !core.read(|state| state.world.has_subscription(parts.get(1).copied().unwrap_or_default())) {
            let message = format!("The subscription '{}' could not be found.", parts.get(1).unwrap_or(&""));
            return Err(ArmError::gateway(404, "SubscriptionNotFound", message));
        }
        if who.name != OWNER {
            return Err(forbidden(who, action, &path));
        }
        tell(core, call, &scope, &path, &what)
    }))
}

enum What {
    Assignments,
    Definition(String),
    Identities,
    Federated(String),
}

fn tell(core: &Core, call: &Call, scope: &str, path: &str, what: &What) -> Result<Response, ArmError> {
    let roles = roles_of(core, &core.functions);
    let show = |body: &Value| Ok(wire::json(200, body, core.settings().crlf));
    match what {
        What::Assignments => {
            let principal = asked_of(call.query("$filter").as_deref())?;
            let held = roles.iter().filter(|role| role.holder.object_id == principal);
            let here = held.flat_map(|role| role.scopes.iter().map(move |at| (role, at)));
            let here = here.filter(|(_, at)| is_within(scope, at));
            show(&json!({ "value": here.map(|(role, at)| role.assignment(at)).collect::<Vec<_>>() }))
        }
        What::Definition(guid) => match roles.iter().find(|role| role.guid() == *guid) {
            Some(role) => show(&role.definition(path)),
            None => {
                let message = format!("The specified role definition with ID '{guid}' does not exist.");
                Err(ArmError::gateway(404, "RoleDefinitionDoesNotExist", message))
            }
        },
        What::Identities => {
            let home = subscription(SUBSCRIPTION_ID);
            let all =
                core.functions.iter().filter(|_| scope.eq_ignore_ascii_case(&home)).filter_map(identity);
            show(&json!({ "value": all.collect::<Vec<_>>() }))
        }
        What::Federated(name) => {
            let named = |one: &&Function| {
                one.client_id.is_some() && format!("ajar-sandbox-{}", one.function) == *name
            };
            let function = core.functions.iter().find(named);
            let function = function.ok_or_else(|| {
                ArmError::resource_not_found(
                    "Microsoft.ManagedIdentity/userAssignedIdentities",
                    name,
                    RESOURCE_GROUP,
                )
            })?;
            show(&json!({ "value": core.read(|state| trusted(state, function, path)) }))
        }
    }
}

/// Of whom the assignments at a scope and above are asked for. Azure knows a few filters, and this is the one that
/// tells them.
fn asked_of(filter: Option<&str>) -> Result<String, ArmError> {
    let inner = filter.and_then(|text| text.strip_prefix("atScope() and assignedTo('")?.strip_suffix("')"));
    inner.map(str::to_owned).ok_or_else(|| {
        let message = format!("The filter '{}' is not supported.", filter.unwrap_or_default());
        ArmError::gateway(400, "BadRequestFormat", message)
    })
}

/// Whether an assignment at `above` reaches `scope`.
fn is_within(scope: &str, above: &str) -> bool {
    let (scope, above) = (scope.to_ascii_lowercase(), above.to_ascii_lowercase());
    scope == above || scope.starts_with(&format!("{above}/"))
}

fn identity(function: &Function) -> Option<Value> {
    let name = format!("ajar-sandbox-{}", function.function);
    let kind = "Microsoft.ManagedIdentity/userAssignedIdentities";
    let id =
        format!("{}/resourceGroups/{RESOURCE_GROUP}/providers/{kind}/{name}", subscription(SUBSCRIPTION_ID));
    Some(json!({ "id": id, "name": name, "type": kind, "location": LOCATION, "tags": {},
        "properties": { "tenantId": TENANT_ID, "principalId": function.object_id,
            "clientId": function.client_id.as_ref()? } }))
}

fn trusted(state: &State, function: &Function, path: &str) -> Vec<Value> {
    if function.client_id.as_ref().is_some_and(|client| state.unfederated.contains(client)) {
        return vec![];
    }
    let name = format!("aws-{}", function.function);
    vec![json!({ "id": format!("{path}/{name}"), "name": name,
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "properties": { "issuer": sts::ISSUER, "subject": function.role_arn, "audiences": [sts::AUDIENCE] } })]
}
