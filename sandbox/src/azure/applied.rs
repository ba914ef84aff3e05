//! Identities, whom they trust and what they may do, as somebody applied them: beside the functions' own, which
//! are fixed, and judged from these records alone.

use super::core::Core;
use super::keys::AccessClaims;
use super::roles;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// All of it. Nothing is checked when it is given: what does not fit together permits nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// User-assigned managed identities.
    pub identities: Vec<Identity>,
    /// Whose tokens they are had for.
    pub credentials: Vec<Credential>,
    /// Custom roles.
    pub role_definitions: Vec<RoleDefinition>,
    /// Who holds which where.
    pub role_assignments: Vec<RoleAssignment>,
}

/// A user-assigned managed identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Its resource id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it calls itself to Entra.
    pub client_id: String,
    /// What Azure's role assignments call it.
    pub principal_id: String,
}

/// A federated credential of an identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The identity's resource id.
    pub identity: String,
    /// Who signs the assertion.
    pub issuer: String,
    /// Of whom.
    pub subject: String,
    /// For whom.
    pub audiences: Vec<String>,
}

/// A custom role.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleDefinition {
    /// The last part of its resource id, which is the same in each subscription.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it permits, each action in full: a wildcard permits nothing here.
    pub actions: Vec<String>,
    /// Where it can be assigned.
    pub assignable_scopes: Vec<String>,
}

/// That a principal holds a role somewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleAssignment {
    /// The principal.
    pub principal_id: String,
    /// The role's resource id.
    pub role_definition_id: String,
    /// There and below.
    pub scope: String,
}

impl Applied {
    /// The identity that calls itself so, with its credentials.
    pub(super) fn client(&self, client_id: &str) -> Option<(&Identity, Vec<&Credential>)> {
        let identity = self.identities.iter().find(|one| one.client_id == client_id)?;
        let its_own = |one: &&Credential| one.identity.eq_ignore_ascii_case(&identity.id);
        Some((identity, self.credentials.iter().filter(its_own).collect()))
    }

    /// Whether a principal may do this there; `None`: it is none of these.
    fn permits(&self, principal_id: &str, action: &str, path: &str) -> Option<bool> {
        self.identities.iter().find(|one| one.principal_id == principal_id)?;
        let mut held = self.role_assignments.iter().filter(|one| {
            one.principal_id == principal_id && is_within(path, &one.scope) && !one.scope.is_empty()
        });
        Some(held.any(|one| {
            self.role_definitions.iter().any(|role| {
                one.role_definition_id.rsplit('/').next() == Some(role.id.as_str())
                    && role.assignable_scopes.iter().any(|scope| is_within(&one.scope, scope))
                    && role.actions.iter().any(|one| one.eq_ignore_ascii_case(action))
            })
        }))
    }
}

/// Whether a path is this scope or below it. Azure ignores case.
pub(super) fn is_within(path: &str, scope: &str) -> bool {
    let (path, scope) = (path.to_ascii_lowercase(), scope.to_ascii_lowercase());
    path.strip_prefix(&scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether who calls may do this there, by what was applied or by the functions' fixed roles.
pub(super) fn may(core: &Core, who: &AccessClaims, action: &str, path: &str) -> bool {
    core.read(|state| state.applied.permits(&who.oid, action, path)).unwrap_or_else(|| {
        let settings = core.settings();
        roles::allows(&who.name, action, settings.operations_readable) && !settings.lacks(&who.name, action)
    })
}

/// As [`may`], at Network Watcher.
pub(super) fn may_watch(core: &Core, who: &AccessClaims, action: &str, path: &str) -> bool {
    core.read(|state| state.applied.permits(&who.oid, action, path)).unwrap_or_else(|| {
        (who.name == roles::OWNER || core.settings().watcher_permitted) && roles::watches(&who.name, action)
    })
}

/// `PUT /sandbox/identities` replaces all that was applied. `POST /sandbox/web-identity` signs claims as the
/// account's issuer does, for a stand-in of STS that judges by other policies than the fixed ones.
pub(super) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/sandbox/identities", put(replace))
        .route("/sandbox/web-identity", post(sign))
        .with_state(core)
}

async fn replace(State(core): State<Arc<Core>>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(applied) => {
            core.change(|state| state.applied = applied);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refuse(&format!("These are not identities: {error}.")),
    }
}

async fn sign(State(core): State<Arc<Core>>, body: Bytes) -> Response {
    let claims: Value = match serde_json::from_slice(&body) {
        Ok(claims @ Value::Object(_)) => claims,
        _ => return refuse("Send the claims, a JSON object."),
    };
    match core.keys.sign(&claims) {
        Ok(token) => Json(json!({ "token": token })).into_response(),
        Err(error) => refuse(&error),
    }
}

fn refuse(sentence: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": sentence }))).into_response()
}
