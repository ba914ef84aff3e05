//! Roles, assignments and federated credentials, as the owner of the subscription reads them.

use crate::lab::{Answer, Lab};
use sandbox::azure::{AUDIENCE, ISSUER, OTHER_SUBSCRIPTION_ID, SUBSCRIPTION_ID};
use serde_json::{Value, json};

const API: &str = "api-version=2022-04-01";

fn assigned_to(principal: &str) -> String {
    format!("$filter=atScope()%20and%20assignedTo(%27{principal}%27)&{API}")
}

fn principal(lab: &Lab, function: &str) -> String {
    lab.azure.identities().iter().find(|one| one.function == function).unwrap().object_id.clone()
}

async fn assignments(lab: &Lab, scope: &str, query: &str) -> Answer {
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments?{query}");
    lab.arm_as("owner", "GET", &path, None).await
}

/// The actions of every role that is assigned at a scope or above.
async fn actions(lab: &Lab, scope: &str, function: &str) -> Vec<Value> {
    let answer = assignments(lab, scope, &assigned_to(&principal(lab, function))).await;
    let mut actions = vec![];
    for assignment in answer.json()["value"].as_array().unwrap() {
        let id = assignment["properties"]["roleDefinitionId"].as_str().unwrap().to_owned();
        let role = lab.arm_as("owner", "GET", &format!("{id}?{API}"), None).await;
        assert_eq!((role.status, &role.json()["id"]), (200, &json!(id)));
        actions.extend(role.json()["properties"]["permissions"][0]["actions"].as_array().unwrap().clone());
    }
    actions
}

#[tokio::test]
async fn what_a_role_is_said_to_permit_is_what_it_permits() {
    let lab = Lab::start().await;
    let delete = json!("Microsoft.Network/networkSecurityGroups/securityRules/delete");
    let write = json!("Microsoft.Network/networkSecurityGroups/securityRules/write");
    let group = Lab::group();
    let revoke = actions(&lab, &group, "revoke").await;
    assert!(revoke.contains(&delete) && !revoke.contains(&write), "{revoke:?}");
    let grant = actions(&lab, &group, "grant").await;
    assert!(grant.contains(&write) && !grant.contains(&delete), "{grant:?}");
    let subscription = format!("/subscriptions/{SUBSCRIPTION_ID}");
    let above = actions(&lab, &subscription, "grant").await;
    assert!(!above.contains(&write), "what is assigned at a group is not above it: {above:?}");
    assert_eq!(lab.arm_as("revoke", "DELETE", &Lab::rule("none"), None).await.status, 204);
    let lost = "Microsoft.Network/networkSecurityGroups/securityRules/delete".to_owned();
    lab.azure.set(|settings| settings.withheld.push(("revoke".to_owned(), lost)));
    assert!(!actions(&lab, &group, "revoke").await.contains(&delete));
    let refused = lab.arm_as("revoke", "DELETE", &Lab::rule("none"), None).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "AuthorizationFailed"));
}

#[tokio::test]
async fn an_identity_trusts_one_role_of_aws() {
    let lab = Lab::start().await;
    let identities = |subscription: &str| {
        format!(
            "/subscriptions/{subscription}/providers/Microsoft.ManagedIdentity/userAssignedIdentities?api-version=2023-01-31"
        )
    };
    let listed = lab.arm_as("owner", "GET", &identities(SUBSCRIPTION_ID), None).await.json();
    let names: Vec<&str> =
        listed["value"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ajar-sandbox-grant", "ajar-sandbox-revoke", "ajar-sandbox-discover"]);
    let none = lab.arm_as("owner", "GET", &identities(OTHER_SUBSCRIPTION_ID), None).await.json();
    assert_eq!(none["value"], json!([]));
    let id = listed["value"][1]["id"].as_str().unwrap().to_owned();
    let path = format!("{id}/federatedIdentityCredentials?api-version=2023-01-31");
    let trusted = lab.arm_as("owner", "GET", &path, None).await.json();
    let role = "arn:aws:iam::123456789012:role/ajar/ajar-revoke";
    let expected = json!({"issuer": ISSUER, "subject": role, "audiences": [AUDIENCE]});
    assert_eq!(trusted["value"][0]["properties"], expected);
    lab.azure.federate("revoke", false);
    assert_eq!(lab.arm_as("owner", "GET", &path, None).await.json()["value"], json!([]));
}

#[tokio::test]
async fn it_is_read_by_whom_it_is_for_and_asked_as_azure_takes_it() {
    let lab = Lab::start().await;
    let (group, query) = (Lab::group(), assigned_to(&principal(&lab, "grant")));
    let path = format!("{group}/providers/Microsoft.Authorization/roleAssignments?{query}");
    for (who, method, path, status, code) in [
        ("grant", "GET", path.clone(), 403, "AuthorizationFailed"),
        ("owner", "PUT", path.clone(), 405, "UnsupportedHttpMethod"),
        ("owner", "GET", path.replace(API, ""), 400, "MissingApiVersionParameter"),
        ("owner", "GET", path.replace("assignedTo", "assigned"), 400, "BadRequestFormat"),
        ("owner", "GET", path.replace(SUBSCRIPTION_ID, &"0".repeat(36)), 404, "SubscriptionNotFound"),
        (
            "owner",
            "GET",
            format!(
                "/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/none?{API}"
            ),
            404,
            "RoleDefinitionDoesNotExist",
        ),
        (
            "owner",
            "GET",
            format!(
                "{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/none/federatedIdentityCredentials?{API}"
            ),
            404,
            "ResourceNotFound",
        ),
    ] {
        let answer = lab.arm_as(who, method, &path, None).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{who} {method} {path}");
    }
}
