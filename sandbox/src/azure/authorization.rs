//! Who holds which role where, and whom the identities trust: what the subscription's owner may ask of
//! `Microsoft.Authorization` and `Microsoft.ManagedIdentity`. It is told from what the roles permit here and from what
//! was applied, and cannot be changed through this API.

use super::applied::{Applied, Credential, Identity, RoleAssignment, RoleDefinition, is_within};
use super::arm::{api_version, forbidden};
use super::core::Core;
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

fn subscription(id: &str) -> String {
    format!("/subscriptions/{id}")
}

/// The functions' own identities, whom they trust and what they hold, as they would have been applied; and what was.
/// The roles at machines are assigned where the settings say: at the resource group, or at the subscription, where
/// they reach the operations too.
fn applied(core: &Core) -> Applied {
    let settings = core.settings();
    let everywhere = [SUBSCRIPTION_ID, OTHER_SUBSCRIPTION_ID].map(subscription);
    let at_group = format!("{}/resourceGroups/{RESOURCE_GROUP}", subscription(SUBSCRIPTION_ID));
    let mut all = core.read(|state| state.applied.clone());
    for holder in core.functions.iter().filter(|one| one.client_id.is_some()) {
        let who = holder.function.as_str();
        let has = |action: &String| !settings.lacks(who, action);
        let at = if who == "discover" || settings.operations_readable {
            everywhere.to_vec()
        } else {
            vec![at_group.clone()]
        };
        let actions =
            roles::actions().filter(|action| roles::allows(who, action, true)).filter(has).collect();
        hold(&mut all, holder, who, actions, at);
        let watch: Vec<String> = roles::watch_actions()
            .filter(|action| settings.watcher_permitted && roles::watches(who, action))
            .filter(has)
            .collect();
        if !watch.is_empty() {
            hold(&mut all, holder, "watch", watch, everywhere.to_vec());
        }
        let name = format!("ajar-sandbox-{who}");
        let id = format!("{at_group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}");
        let client_id = holder.client_id.clone().unwrap_or_default();
        if core.read(|state| !state.unfederated.contains(&client_id)) {
            all.credentials.push(Credential {
                identity: id.clone(),
                issuer: sts::ISSUER.to_owned(),
                subject: holder.role_arn.clone(),
                audiences: vec![sts::AUDIENCE.to_owned()],
            });
        }
        all.identities.push(Identity { id, name, client_id, principal_id: holder.object_id.clone() });
    }
    all
}

/// Adds a role of its own for a function, and where it holds it.
fn hold(all: &mut Applied, holder: &Function, name: &str, actions: Vec<String>, at: Vec<String>) {
    let id = format!("5a0d0000-0000-4000-8000-{:012x}", all.role_definitions.len());
    for scope in &at {
        // A role has an id in each subscription.
        let subscription = scope.split('/').nth(2).unwrap_or_default();
        all.role_assignments.push(RoleAssignment {
            principal_id: holder.object_id.clone(),
            role_definition_id: format!(
                "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{id}"
            ),
            scope: scope.clone(),
        });
    }
    let name = format!("Ajar sandbox {name}");
    all.role_definitions.push(RoleDefinition { id, name, actions, assignable_scopes: at });
}

fn assignment(number: usize, one: &RoleAssignment) -> Value {
    let name = format!("a5510000-0000-4000-8000-{number:012x}");
    json!({
        "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", one.scope),
        "type": "Microsoft.Authorization/roleAssignments", "name": name,
        "properties": { "roleDefinitionId": one.role_definition_id, "principalId": one.principal_id,
            "principalType": "ServicePrincipal", "scope": one.scope, "condition": null },
    })
}

fn definition(id: &str, one: &RoleDefinition) -> Value {
    json!({
        "id": id, "type": "Microsoft.Authorization/roleDefinitions", "name": one.id,
        "properties": { "roleName": one.name, "type": "CustomRole", "description": "",
            "assignableScopes": one.assignable_scopes,
            "permissions": [{ "actions": one.actions, "notActions": [], "dataActions": [], "notDataActions": [] }] },
    })
}

fn identity(one: &Identity) -> Value {
    json!({ "id": one.id, "name": one.name, "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
        "location": LOCATION, "tags": {}, "properties": { "tenantId": TENANT_ID, "principalId": one.principal_id,
            "clientId": one.client_id } })
}

fn credential(number: usize, path: &str, one: &Credential) -> Value {
    let name = format!("aws-{number}");
    json!({ "id": format!("{path}/{name}"), "name": name,
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "properties": { "issuer": one.issuer, "subject": one.subject, "audiences": one.audiences } })
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
        [IDENTITY, "userassignedidentities", _, "federatedidentitycredentials"] => (
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
            What::Federated(format!("/{}", lower[..lower.len() - 1].join("/"))),
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
    /// Of the identity with this id, in lower case.
    Federated(String),
}

fn tell(core: &Core, call: &Call, scope: &str, path: &str, what: &What) -> Result<Response, ArmError> {
    let all = applied(core);
    let show = |body: &Value| Ok(wire::json(200, body, core.settings().crlf));
    match what {
        What::Assignments => {
            let principal = asked_of(call.query("$filter").as_deref())?;
            let held =
                all.role_assignments.iter().enumerate().filter(|(_, one)| one.principal_id == principal);
            let here = held.filter(|(_, one)| is_within(scope, &one.scope));
            show(&json!({ "value": here.map(|(number, one)| assignment(number, one)).collect::<Vec<_>>() }))
        }
        What::Definition(guid) => match all.role_definitions.iter().find(|one| one.id == *guid) {
            Some(one) => show(&definition(path, one)),
            None => {
                let message = format!("The specified role definition with ID '{guid}' does not exist.");
                Err(ArmError::gateway(404, "RoleDefinitionDoesNotExist", message))
            }
        },
        What::Identities => {
            let here = all.identities.iter().filter(|one| is_within(&one.id, scope));
            show(&json!({ "value": here.map(identity).collect::<Vec<_>>() }))
        }
        What::Federated(id) => {
            if !all.identities.iter().any(|one| one.id.eq_ignore_ascii_case(id)) {
                let mut parts = id.split('/');
                let (group, name) = (parts.nth(4).unwrap_or_default(), parts.next_back().unwrap_or_default());
                let kind = "Microsoft.ManagedIdentity/userAssignedIdentities";
                return Err(ArmError::resource_not_found(kind, name, group));
            }
            let its_own = all.credentials.iter().filter(|one| one.identity.eq_ignore_ascii_case(id));
            let shown = its_own.enumerate().map(|(number, one)| credential(number, path, one));
            show(&json!({ "value": shown.collect::<Vec<_>>() }))
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
