//! What ARM refuses, and with which code.

use crate::lab::{API, Lab, rule};
use sandbox::azure::{RESOURCE_GROUP, SUBSCRIPTION_ID, TENANT_ID};
use serde_json::{Value, json};

#[tokio::test]
async fn a_rule_that_azure_would_not_take_is_refused_with_its_code() {
    let lab = Lab::start().await;
    let long = "x".repeat(141);
    let table: Vec<(&str, Value, &str)> = vec![
        ("r", json!({"priority": 1000}), "SecurityRuleConflict"),
        ("r", json!({"priority": 99}), "SecurityRuleInvalidPriority"),
        ("r", json!({"priority": 4097}), "SecurityRuleInvalidPriority"),
        ("r", json!({"priority": -1}), "SecurityRuleInvalidPriority"),
        ("r", json!({"priority": "200"}), "InvalidRequestFormat"),
        ("r", json!({"priority": null}), "InvalidRequestFormat"),
        ("r", json!({"destinationPortRange": "65536"}), "SecurityRuleInvalidPortRange"),
        ("r", json!({"destinationPortRange": "23-22"}), "SecurityRuleInvalidPortRange"),
        ("r", json!({"destinationPortRange": "22, 23"}), "SecurityRuleInvalidPortRange"),
        ("r", json!({"destinationPortRange": "+22"}), "SecurityRuleInvalidPortRange"),
        (
            "r",
            json!({"destinationPortRange": null, "destinationPortRanges": ["*"]}),
            "SecurityRuleParameterContainsInvalidPortRanges",
        ),
        ("r", json!({"destinationPortRange": null}), "InvalidRequestFormat"),
        ("r", json!({"destinationPortRanges": ["22"]}), "InvalidRequestFormat"),
        ("r", json!({"sourceAddressPrefix": "50.206.209.68/27"}), "SecurityRuleInvalidAddressPrefix"),
        ("r", json!({"sourceAddressPrefix": "203.0.113.256"}), "SecurityRuleInvalidAddressPrefix"),
        ("r", json!({"sourceAddressPrefix": "Nowhere"}), "SecurityRuleInvalidAddressPrefix"),
        (
            "r",
            json!({"sourceAddressPrefix": null, "sourceAddressPrefixes": ["Internet"]}),
            "SecurityRuleParameterContainsUnsupportedValue",
        ),
        (
            "r",
            json!({"sourceAddressPrefix": null, "sourceAddressPrefixes": ["*"]}),
            "SecurityRuleParameterContainsUnsupportedValue",
        ),
        ("r", json!({"description": long}), "InvalidSecurityRuleDescription"),
        ("r", json!({"protocol": "Sctp"}), "InvalidRequestFormat"),
        ("r", json!({"protocol": null}), "InvalidRequestFormat"),
        ("r", json!({"access": "Maybe"}), "InvalidRequestFormat"),
        ("r", json!({"direction": null}), "InvalidRequestFormat"),
        ("r", json!({"destinationPort": "22"}), "InvalidRequestFormat"),
        ("r", json!({"sourceApplicationSecurityGroups": [{"id": "/x"}]}), "InvalidResourceReference"),
        ("-r", json!({}), "InvalidResourceName"),
        ("r-", json!({}), "InvalidResourceName"),
        ("r%20r", json!({}), "InvalidResourceName"),
        (&"r".repeat(81), json!({}), "InvalidResourceName"),
    ]
    .into_iter()
    .map(|(name, over, code)| (Box::leak(name.to_owned().into_boxed_str()) as &str, over, code))
    .collect();
    for (name, over, code) in table {
        let answer = lab.put_rule(name, &over).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{name} {over}");
        assert_eq!(answer.headers["x-ms-failure-cause"], "service");
        assert!(answer.json()["error"]["details"].is_array());
    }
    assert!(lab.azure.journal().is_empty(), "nothing was written");

    let conflict = lab.put_rule("mine", &json!({"priority": 1000})).await.json();
    assert_eq!(
        conflict["error"]["message"],
        "Security rule mine conflicts with rule allow-http. Rules cannot have the same Priority and Direction."
    );
    assert_eq!(lab.put_rule("out", &json!({"priority": 1000, "direction": "Outbound"})).await.status, 201);
    let good = json!({"sourceAddressPrefix": "2001:db8::/32", "protocol": "*", "sourcePortRange": "1-2"});
    assert_eq!(lab.put_rule(&"r".repeat(80), &good).await.status, 201);
}

#[tokio::test]
async fn bodies_that_are_no_rule_are_refused() {
    let lab = Lab::start().await;
    let bearer = format!("Bearer {}", lab.azure.owner_token());
    for (body, code) in [
        ("{", "InvalidRequestContent"),
        ("", "InvalidRequestContent"),
        ("[]", "InvalidRequestFormat"),
        ("{}", "InvalidRequestFormat"),
        (r#"{"properties":{},"tags":{}}"#, "InvalidRequestFormat"),
        (r#"{"name":"other","properties":{}}"#, "InvalidRequestFormat"),
    ] {
        let answer = lab
            .arm_raw("PUT", &Lab::rule("r"), &[("authorization", &bearer)], Some(body.to_owned()))
            .await
            .unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_said_by_who_knows_it() {
    let lab = Lab::start().await;
    let nsg = Lab::nsg();
    for (path, status, code, cause) in [
        (nsg.replace("Contoso-NSG", "None"), 404, "ResourceNotFound", "gateway"),
        (nsg.replace("Contoso-NSG", "None/securityRules/r"), 404, "ResourceNotFound", "gateway"),
        (Lab::rule("none"), 404, "NotFound", "service"),
        (nsg.replace(RESOURCE_GROUP, "none"), 404, "ResourceGroupNotFound", "gateway"),
        (nsg.replace(SUBSCRIPTION_ID, "none"), 404, "SubscriptionNotFound", "gateway"),
        (
            format!("{}/providers/Microsoft.Compute/virtualMachines/VM9", Lab::group()),
            404,
            "ResourceNotFound",
            "gateway",
        ),
        (format!("{nsg}?x=1"), 400, "MissingApiVersionParameter", "gateway"),
        (format!("{nsg}?api-version=1"), 400, "InvalidApiVersionParameter", "gateway"),
        ("/nothing".to_owned(), 404, "InvalidResourceType", "gateway"),
    ] {
        let answer = lab.get(&path).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
        assert_eq!(answer.headers["x-ms-failure-cause"], cause, "{path}");
        assert_eq!(answer.json()["error"].get("details").is_some(), cause == "service", "{path}");
    }
    let patch = lab.arm_as("owner", "PATCH", &Lab::rule("allow-http"), Some(&json!({}))).await;
    assert_eq!(patch.status, 405);
}

#[tokio::test]
async fn nobody_without_a_good_token_gets_in() {
    let lab = Lab::start().await;
    let expired = format!("Bearer {}", lab.azure.token_of("grant", 1_700_000_000).unwrap());
    let mut forged = lab.azure.owner_token();
    forged.truncate(forged.len() - 4);
    let forged = format!("Bearer {forged}AAAA");
    let from =
        |audience, tenant| format!("Bearer {}", lab.azure.token_from("grant", audience, tenant).unwrap());
    let elsewhere = from("https://graph.microsoft.com", TENANT_ID);
    let stranger = from("https://management.azure.com", "00000000-0000-0000-0000-000000000000");
    for (headers, code) in [
        (vec![], "AuthenticationFailed"),
        (vec![("authorization", "Basic eDp5")], "InvalidAuthenticationToken"),
        (vec![("authorization", "Bearer no-token")], "InvalidAuthenticationToken"),
        (vec![("authorization", forged.as_str())], "InvalidAuthenticationToken"),
        (vec![("authorization", expired.as_str())], "ExpiredAuthenticationToken"),
        (vec![("authorization", elsewhere.as_str())], "InvalidAuthenticationTokenAudience"),
        (vec![("authorization", stranger.as_str())], "InvalidAuthenticationTokenTenant"),
    ] {
        let answer = lab.arm_raw("GET", &format!("{}?{API}", Lab::nsg()), &headers, None).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (401, code));
        assert!(answer.headers["www-authenticate"].starts_with("Bearer authorization_uri="));
    }
    for audience in ["https://management.azure.com/", "https://management.core.windows.net"] {
        let bearer = from(audience, TENANT_ID);
        let answer = lab.arm_raw("GET", &Lab::nsg(), &[("authorization", &bearer)], None).await.unwrap();
        assert_eq!(answer.status, 200, "{audience}");
    }
    assert!(
        lab.azure.token_of("request", u64::MAX).is_none(),
        "the public function has no identity in Azure"
    );
}

#[tokio::test]
async fn each_function_may_do_what_its_role_says_and_nothing_else() {
    let lab = Lab::start().await;
    let vm = format!("{}/providers/Microsoft.Compute/virtualMachines/VM3", Lab::group());
    let nic = format!("{}/providers/Microsoft.Network/networkInterfaces/VM3-nic", Lab::group());
    let lock = format!("{}/providers/Microsoft.Authorization/locks/l", Lab::group());
    let body = rule(&json!({}));
    for (who, method, path, status) in [
        ("grant", "GET", vm.as_str(), 200),
        ("grant", "GET", &nic, 200),
        ("grant", "GET", &Lab::nsg(), 200),
        ("grant", "PUT", &Lab::rule("r"), 201),
        ("grant", "DELETE", &Lab::rule("r"), 403),
        ("grant", "PUT", &Lab::nsg(), 403),
        ("grant", "PUT", &nic, 403),
        ("grant", "PUT", &lock, 403),
        ("revoke", "GET", &vm, 403),
        ("revoke", "GET", &Lab::rule("r"), 200),
        ("revoke", "PUT", &Lab::rule("r"), 403),
        ("revoke", "DELETE", &Lab::nsg(), 403),
        ("revoke", "DELETE", &Lab::rule("r"), 202),
        ("revoke", "GET", &format!("{}/securityRules", Lab::nsg()), 200),
    ] {
        let answer = lab.arm_as(who, method, path, (method == "PUT").then_some(&body)).await;
        assert_eq!(answer.status, status, "{who} {method} {path}: {}", answer.text);
        if status == 403 {
            assert_eq!(answer.code(), "AuthorizationFailed");
        }
    }
    let group = format!("{}/providers/Microsoft.Network/applicationSecurityGroups/web", Lab::group());
    let joining = rule(
        &json!({"destinationAddressPrefix": null, "destinationApplicationSecurityGroups": [{"id": group}]}),
    );
    let joined = lab.arm_as("grant", "PUT", &Lab::rule("r"), Some(&joining)).await;
    assert_eq!((joined.status, joined.code().as_str()), (403, "LinkedAuthorizationFailed"));
    let message = joined.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("joinNetworkSecurityRule/action") && message.contains(&group), "{message}");
    let hidden = lab.arm_as("revoke", "GET", &vm.replace("VM3", "VM9"), None).await;
    assert_eq!(hidden.status, 403, "asked before it is looked up");
    let put = lab.arm_as("grant", "PUT", &Lab::rule("s"), Some(&body)).await;
    let poll = &put.headers["azure-asyncoperation"];
    assert_eq!(lab.arm_as("grant", "GET", poll, None).await.status, 403);
    lab.azure.set(|settings| settings.operations_readable = true);
    assert_eq!(lab.arm_as("grant", "GET", poll, None).await.status, 200);
    assert_eq!(lab.azure.journal()[0].by, "grant");
}

#[tokio::test]
async fn a_lock_keeps_a_rule_from_being_deleted_and_perhaps_from_being_written() {
    let lab = Lab::start().await;
    lab.put_rule("r", &json!({})).await;
    for scope in [Lab::group(), Lab::nsg()] {
        let lock = format!("{scope}/providers/Microsoft.Authorization/locks/keep");
        let level = |level: &str| json!({"properties": {"level": level}});
        assert_eq!(lab.put(&lock, &level("Sometimes")).await.status, 400);
        assert_eq!(lab.put(&lock, &level("CanNotDelete")).await.status, 201);
        let refused = lab.arm_as("revoke", "DELETE", &Lab::rule("r"), None).await;
        assert_eq!((refused.status, refused.code().as_str()), (409, "ScopeLocked"));
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&format!("locked: '{scope}'")), "{message}");
        assert_eq!(lab.put_rule("r", &json!({"access": "Deny"})).await.status, 200, "a PUT passes");
        assert_eq!(lab.put(&lock, &level("ReadOnly")).await.status, 200);
        assert_eq!(lab.put_rule("r", &json!({})).await.code(), "ScopeLocked");
        assert_eq!(lab.get(&lock).await.json()["properties"]["level"], "ReadOnly");
        assert_eq!(lab.get(&Lab::rule("r")).await.status, 200);
        assert_eq!(lab.delete(&lock).await.status, 200);
        assert_eq!(lab.delete(&lock).await.status, 204);
    }
    assert_eq!(lab.delete(&Lab::rule("r")).await.status, 202);
}
