//! Who may do what, as whoever owns the subscription may ask: which roles somebody holds, and whom an identity
//! trusts.

use super::{Arm, ArmError};
use access::request::ResourceId;
use serde::Deserialize;

/// The versions of the APIs that our types were written against.
const AUTHORIZATION: &str = "2022-04-01";
const IDENTITY: &str = "2023-01-31";

/// A role that somebody holds at a scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    permissions: Vec<Permission>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Permission {
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    not_actions: Vec<String>,
}

impl Role {
    /// Whether it permits this action: one of its permissions names it and does not take it away.
    pub fn permits(&self, action: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| is_meant(pattern, action));
        self.permissions.iter().any(|one| any(&one.actions) && !any(&one.not_actions))
    }
}

/// Whether a pattern, in which `*` stands for anything, means this action. Azure compares without case.
fn is_meant(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| action.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    match last {
        None => rest.is_empty(),
        Some(end) => end.is_empty() || action.ends_with(end),
    }
}

/// A user-assigned managed identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its resource id.
    pub id: ResourceId,
    /// Its object in the tenant.
    pub principal_id: String,
    /// As whoever uses it names it to Entra.
    pub client_id: String,
}

/// Whom an identity trusts.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Federated {
    /// Who vouches.
    pub issuer: String,
    /// For whom.
    pub subject: String,
    /// For which audience.
    #[serde(default)]
    pub audiences: Vec<String>,
}

#[derive(Deserialize)]
struct With<T> {
    properties: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    role_definition_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    #[serde(default)]
    role_name: String,
    #[serde(default)]
    permissions: Vec<Permission>,
}

#[derive(Deserialize)]
struct ListedIdentity {
    id: ResourceId,
    properties: IdentityProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityProperties {
    principal_id: String,
    client_id: String,
}

impl Arm {
    /// The roles that somebody holds at a scope, assigned there or above.
    ///
    /// # Errors
    /// Azure refused or did not answer.
    pub async fn roles_at(&self, scope: &ResourceId, principal_id: &str) -> Result<Vec<Role>, ArmError> {
        let filter = format!("atScope()%20and%20assignedTo(%27{principal_id}%27)");
        let path = format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments?$filter={filter}&api-version={AUTHORIZATION}"
        );
        let mut roles = vec![];
        for assignment in self.list::<With<Assignment>>(path).await? {
            let id = assignment.properties.role_definition_id;
            let definition: With<Definition> =
                self.read(&format!("{id}?api-version={AUTHORIZATION}"), &id).await?;
            let Definition { role_name: name, permissions } = definition.properties;
            roles.push(Role { name, permissions });
        }
        Ok(roles)
    }

    /// The user-assigned managed identities of a subscription.
    ///
    /// # Errors
    /// Azure refused or did not answer.
    pub async fn identities(&self, subscription: &str) -> Result<Vec<Identity>, ArmError> {
        let kind = "Microsoft.ManagedIdentity/userAssignedIdentities";
        let path = format!("/subscriptions/{subscription}/providers/{kind}?api-version={IDENTITY}");
        let listed = self.list::<ListedIdentity>(path).await?.into_iter();
        let identity = |ListedIdentity { id, properties }: ListedIdentity| {
            let IdentityProperties { principal_id, client_id } = properties;
            Identity { id, principal_id, client_id }
        };
        Ok(listed.map(identity).collect())
    }

    /// Whom an identity trusts.
    ///
    /// # Errors
    /// Azure refused or did not answer.
    pub async fn trusted_by(&self, identity: &ResourceId) -> Result<Vec<Federated>, ArmError> {
        let path = format!("{identity}/federatedIdentityCredentials?api-version={IDENTITY}");
        let listed = self.list::<With<Federated>>(path).await?;
        Ok(listed.into_iter().map(|one| one.properties).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, action, expected) in [
            ("*", "a/b/read", true),
            ("A/*/read", "a/b/read", true),
            ("a/b/*", "a/b/c/read", true),
            ("*/read", "a/b/write", false),
            ("a/b/read", "a/b/read", true),
            ("a/b/read", "a/b/read2", false),
            ("b/*", "a/b/read", false),
        ] {
            assert_eq!(is_meant(pattern, action), expected, "{pattern} {action}");
        }
    }

    #[test]
    fn what_is_taken_away_is_not_permitted() {
        let role: Vec<Permission> = serde_json::from_value(serde_json::json!([
            {"actions": ["a/*"], "notActions": ["a/rules/delete"]},
        ]))
        .unwrap();
        let role = Role { name: "r".to_owned(), permissions: role };
        assert!(role.permits("a/rules/write") && !role.permits("A/rules/Delete"));
    }
}
