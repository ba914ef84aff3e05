//! Identities, trust and roles beside the functions' own, judged from what was applied.

use crate::lab::{Lab, rule};
use sandbox::azure::{AUDIENCE, ISSUER, SUBSCRIPTION_ID, TENANT_ID};
use serde_json::{Value, json};

const SUBJECT: &str = "arn:aws:iam::123456789012:role/ajar/ajar-acme-grant";
const READ: &str = "Microsoft.Network/networkSecurityGroups/read";
const WRITE: &str = "Microsoft.Network/networkSecurityGroups/securityRules/write";

/// One identity that may do this at the lab's resource group.
fn applied(actions: &[&str]) -> Value {
    let role =
        format!("/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/r1");
    json!({
        "identities": [{"id": "/identities/grant", "name": "ajar-acme-grant", "client_id": "c1", "principal_id": "p1"}],
        "credentials": [{"identity": "/identities/grant", "issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}],
        "role_definitions": [{"id": "r1", "name": "a role", "actions": actions, "assignable_scopes": [Lab::group()]}],
        "role_assignments": [{"principal_id": "p1", "role_definition_id": role, "scope": Lab::group()}],
    })
}

fn claims(over: &Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": 0, "exp": 4_102_444_800_u64, "jti": "1"});
    claims.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
    claims
}

/// Entra's answer to an assertion with these claims: an access token, or the code of the refusal.
async fn exchange(lab: &Lab, over: &Value) -> Result<String, u64> {
    let signed = lab.order("POST", "/sandbox/web-identity", &claims(over)).await;
    assert_eq!(signed.status, 200, "{}", signed.text);
    let form = [
        ("client_id", "c1"),
        ("scope", "https://management.azure.com/.default"),
        ("grant_type", "client_credentials"),
        ("client_assertion", signed.json()["token"].as_str().unwrap()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = lab.post(&format!("/{TENANT_ID}/oauth2/v2.0/token"), &[], &form).await.unwrap();
    match answer.json()["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => Err(answer.json()["error_codes"][0].as_u64().unwrap()),
    }
}

async fn put(lab: &Lab, token: &str) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    let body = rule(&json!({})).to_string();
    let answer =
        lab.arm_raw("PUT", &Lab::rule("r"), &[("authorization", &bearer)], Some(body)).await.unwrap();
    let code = if answer.status < 300 { String::new() } else { answer.code() };
    (answer.status, code)
}

async fn apply(lab: &Lab, applied: &Value) {
    assert_eq!(lab.order("PUT", "/sandbox/identities", applied).await.status, 204);
}

#[tokio::test]
async fn an_identity_is_had_for_its_credentials_subject_issuer_and_audience_alone() {
    let lab = Lab::start().await;
    assert_eq!(exchange(&lab, &json!({})).await, Err(700_016), "nothing was applied yet");
    apply(&lab, &applied(&[WRITE])).await;
    exchange(&lab, &json!({})).await.unwrap();
    for (over, code) in [
        (json!({"iss": "https://somebody.example"}), 700_211),
        (json!({"sub": "arn:aws:iam::123456789012:role/ajar/ajar-acme-revoke"}), 700_213),
        (json!({"sub": SUBJECT.to_uppercase()}), 7_002_138),
        (json!({"aud": "somebody else"}), 700_212),
        (json!({"aud": [AUDIENCE, "somebody else"]}), 700_212),
    ] {
        assert_eq!(exchange(&lab, &over).await, Err(code), "{over}");
    }
    let mut without = applied(&[WRITE]);
    without["credentials"] = json!([]);
    apply(&lab, &without).await;
    assert_eq!(exchange(&lab, &json!({})).await, Err(70_021));
    lab.stop().await;
}

#[tokio::test]
async fn a_token_permits_what_the_assigned_roles_permit_and_no_more() {
    let lab = Lab::start().await;
    apply(&lab, &applied(&[WRITE])).await;
    let token = exchange(&lab, &json!({})).await.unwrap();
    assert_eq!(put(&lab, &token).await.0, 201);
    let by: Vec<String> = lab.azure.journal().into_iter().map(|entry| entry.by).collect();
    assert_eq!(by, ["ajar-acme-grant", "ajar-acme-grant"]);
    let read = async |path: &str| {
        let bearer = format!("Bearer {token}");
        lab.arm_raw("GET", path, &[("authorization", &bearer)], None).await.unwrap().status
    };
    assert_eq!(read(&Lab::nsg()).await, 403, "writing is not reading");

    let refused = (403, "AuthorizationFailed".to_owned());
    for wrong in [
        json!({"role_definitions": [{"id": "r1", "name": "a role", "actions": [READ], "assignable_scopes": [Lab::group()]}]}),
        json!({"role_definitions": [{"id": "r1", "name": "a role", "actions": ["*"], "assignable_scopes": [Lab::group()]}]}),
        json!({"role_definitions": [{"id": "r1", "name": "a role", "actions": [WRITE], "assignable_scopes": ["/subscriptions/other"]}]}),
        json!({"role_definitions": []}),
        json!({"role_assignments": []}),
        json!({"role_assignments": [{"principal_id": "p1", "role_definition_id": "r1", "scope": format!("{}2", Lab::group())}]}),
        json!({"role_assignments": [{"principal_id": "p1", "role_definition_id": "r1", "scope": Lab::group().replace("Contoso", "Conto")}]}),
        json!({"role_assignments": [{"principal_id": "p2", "role_definition_id": "r1", "scope": Lab::group()}]}),
    ] {
        let mut changed = applied(&[WRITE]);
        changed.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        apply(&lab, &changed).await;
        assert_eq!(put(&lab, &token).await, refused, "{wrong}");
    }
    // Azure ignores case.
    let mut other_case = applied(&[&WRITE.to_uppercase()]);
    other_case["role_assignments"][0]["scope"] = json!(Lab::group().to_uppercase());
    apply(&lab, &other_case).await;
    assert_eq!(put(&lab, &token).await.0, 200);
    // The functions of the sandbox keep theirs.
    assert_eq!(lab.arm_as("revoke", "DELETE", &Lab::rule("r"), None).await.status, 202);
    lab.stop().await;
}

#[tokio::test]
async fn network_watcher_and_resource_graph_go_by_what_was_applied_too() {
    let lab = Lab::start().await;
    let subscription = format!("/subscriptions/{SUBSCRIPTION_ID}");
    let list = format!("{subscription}/providers/Microsoft.Network/networkWatchers");
    apply(&lab, &applied(&["Microsoft.Network/networkWatchers/read"])).await;
    let token = exchange(&lab, &json!({})).await.unwrap();
    let bearer = format!("Bearer {token}");
    let watchers =
        async || lab.arm_raw("GET", &list, &[("authorization", &bearer)], None).await.unwrap().status;
    assert_eq!(watchers().await, 403, "it is assigned at a resource group, and listed by subscription");
    let mut wider = applied(&["Microsoft.Network/networkWatchers/read"]);
    wider["role_definitions"][0]["assignable_scopes"] = json!([subscription]);
    wider["role_assignments"][0]["scope"] = json!(subscription);
    apply(&lab, &wider).await;
    assert_eq!(watchers().await, 200);

    lab.azure.set(|settings| settings.graph_lag_ms = 0);
    let query = json!({
        "subscriptions": [SUBSCRIPTION_ID], "options": {"resultFormat": "objectArray"},
        "query": "resources | where type =~ 'microsoft.network/networksecuritygroups' | project id",
    });
    let rows = async || {
        let path = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01";
        let headers = [("authorization", bearer.as_str())];
        let answer = lab.arm_raw("POST", path, &headers, Some(query.to_string())).await.unwrap();
        answer.json()["count"].as_u64().unwrap_or_else(|| panic!("{}", answer.text))
    };
    assert_eq!(rows().await, 0);
    apply(&lab, &applied(&[READ])).await;
    assert!(rows().await > 0);
    lab.stop().await;
}

#[tokio::test]
async fn what_is_no_list_of_identities_is_refused() {
    let lab = Lab::start().await;
    let refused = lab.order("PUT", "/sandbox/identities", &json!({"identities": []})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("missing field `credentials`"), "{}", refused.text);
    let refused = lab.order("POST", "/sandbox/web-identity", &json!("text")).await;
    assert_eq!((refused.status, refused.json()), (400, json!({"error": "Send the claims, a JSON object."})));
    lab.stop().await;
}
