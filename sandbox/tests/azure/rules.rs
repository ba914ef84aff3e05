//! The life of a rule, and the shapes of what is read.

use crate::lab::{API, Lab, rule};
use sandbox::azure::{Os, Port, What};
use serde_json::{Value, json};

#[tokio::test]
async fn a_rule_is_created_changed_and_deleted_as_the_real_service_does_it() {
    let lab = Lab::start().await;
    let path = Lab::rule("jit-sandbox-7F3K9-QXM2P");
    lab.azure.set(|settings| settings.retry_after_seconds = Some(10));

    let created =
        lab.put_rule("jit-sandbox-7F3K9-QXM2P", &json!({"protocol": "tcp", "description": "why"})).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.headers["retry-after"], "10");
    assert!(!created.headers.contains_key("etag") && !created.headers.contains_key("location"));
    for name in ["x-ms-request-id", "x-ms-correlation-request-id", "x-ms-routing-request-id", "date"] {
        assert!(created.headers.contains_key(name), "{name}");
    }
    let poll = created.headers["azure-asyncoperation"].clone();
    assert!((3_000..3_600).contains(&poll.len()), "{} characters", poll.len());
    assert!(poll.starts_with(&lab.arm), "{poll}");
    let body = created.json();
    assert_eq!(body["properties"]["provisioningState"], "Updating");
    assert_eq!(body["properties"]["protocol"], "tcp", "in the writer's own case");
    assert_eq!(body["id"], path.as_str());
    assert_eq!(body["type"], "Microsoft.Network/networkSecurityGroups/securityRules");
    let order: Vec<usize> = [
        "provisioningState",
        "description",
        "protocol",
        "sourcePortRange",
        "destinationPortRange",
        "sourceAddressPrefix",
        "destinationAddressPrefix",
        "access",
        "priority",
        "direction",
        "sourcePortRanges",
        "destinationPortRanges",
        "sourceAddressPrefixes",
        "destinationAddressPrefixes",
    ]
    .iter()
    .map(|key| created.text.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} is missing")))
    .collect();
    assert!(order.is_sorted(), "{}", created.text);

    let polled = lab.get(&poll).await;
    assert_eq!((polled.status, polled.json()), (200, json!({"status": "Succeeded"})));

    let got = lab.get(&path).await;
    assert_eq!(got.json()["properties"]["provisioningState"], "Succeeded");
    assert_eq!(got.headers["etag"], got.json()["etag"].as_str().unwrap());
    assert_ne!(got.json()["etag"], body["etag"], "the etag moves again when the operation ends");
    let nsg = lab.get(&Lab::nsg()).await.json();
    assert_eq!(nsg["etag"], got.json()["etag"]);

    lab.clock.fetch_add(60_000, std::sync::atomic::Ordering::SeqCst);
    let changed = lab.put_rule("JIT-SANDBOX-7f3k9-qxm2p", &json!({"destinationPortRange": "23"})).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json()["name"], "jit-sandbox-7F3K9-QXM2P");
    assert!(changed.json()["properties"].get("description").is_none(), "absent when not set");

    let deleted = lab.delete(&path).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (202, ""));
    let location = &deleted.headers["location"];
    assert!(location.contains("/operationResults/"), "{location}");
    assert!(deleted.headers["azure-asyncoperation"].contains("/operations/"));
    assert_eq!(lab.get(location).await.status, 204);
    let gone = lab.get(&path).await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "NotFound"));
    assert_eq!(gone.json()["error"]["details"], json!([]));
    assert_eq!(lab.delete(&path).await.status, 204);

    let what: Vec<What> = lab.azure.journal().iter().map(|entry| entry.what).collect();
    let expected =
        [What::PutNew, What::Enforced, What::PutChanged, What::Enforced, What::DeleteAccepted, What::Removed];
    assert_eq!(what, expected);
    assert_eq!(lab.azure.journal()[0].at_ms, 1_700_000_000_000, "by the sandbox's clock");
    assert_eq!(lab.azure.journal()[2].at_ms, 1_700_000_060_000);
}

#[tokio::test]
async fn an_operation_takes_its_time_and_the_rule_stays_until_the_end() {
    let lab = Lab::with(None, |settings| settings.provisioning_ms = 600_000).await;
    let put = lab.put_rule("a", &json!({})).await;
    assert_eq!(lab.get(&put.headers["azure-asyncoperation"]).await.json(), json!({"status": "InProgress"}));
    assert_eq!(lab.get(&Lab::rule("a")).await.json()["properties"]["provisioningState"], "Updating");
    assert!(!lab.azure.reaches([203, 0, 113, 7].into(), "VM3", 22, "tcp"), "not yet in force");
    lab.stop().await;

    let lab = Lab::start().await;
    lab.put_rule("a", &json!({})).await;
    lab.azure.set(|settings| settings.provisioning_ms = 600_000);
    let deleted = lab.delete(&Lab::rule("a")).await;
    let still = lab.get(&Lab::rule("a")).await;
    assert_eq!((still.status, &still.json()["properties"]["provisioningState"]), (200, &json!("Deleting")));
    assert_eq!(lab.get(&deleted.headers["location"]).await.status, 202);
    assert!(lab.azure.reaches([203, 0, 113, 7].into(), "VM3", 22, "TCP"), "still in force");
}

#[tokio::test]
async fn a_group_has_six_default_rules_and_names_what_it_is_on() {
    let lab = Lab::start().await;
    let nsg = lab.get(&Lab::nsg().to_uppercase().replace("API-VERSION", "api-version")).await.json();
    let names: Vec<&str> = nsg["properties"]["defaultSecurityRules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 6);
    assert_eq!(names[2], "DenyAllInBound");
    assert_eq!(nsg["properties"]["subnets"].as_array().unwrap().len(), 1);
    assert!(nsg["properties"].get("networkInterfaces").is_none(), "absent when it is on none");

    let second = Lab::nsg().replace("Contoso-NSG", "Second-NSG");
    let made = lab
        .put(
            &second,
            &json!({"location": "westeurope", "properties": {"securityRules": [
        {"name": "one", "properties": rule(&json!({}))["properties"]}]}}),
        )
        .await;
    assert_eq!((made.status, made.headers["azure-asyncnotification"].as_str()), (201, "Enabled"), "{made:?}");
    let tagged = json!({"location": "westeurope", "tags": {"owner": "me"}, "properties": {"securityRules": [
        {"name": "one", "properties": rule(&json!({}))["properties"]}]}});
    let tagged = lab.put(&second, &tagged).await;
    assert_eq!(
        (tagged.status, &tagged.json()["properties"]["provisioningState"]),
        (200, &json!("Succeeded"))
    );
    assert_eq!(tagged.json()["tags"], json!({"owner": "me"}));
    let nic = format!("{}/providers/Microsoft.Network/networkInterfaces/VM3-nic", Lab::group());
    let put = lab.put(&nic, &json!({"properties": {"networkSecurityGroup": {"id": second}}})).await;
    assert_eq!(
        (put.status, &put.json()["properties"]["networkSecurityGroup"]["id"]),
        (200, &json!(second)),
        "{put:?}"
    );
    let shown = lab.get(&second).await.json();
    assert_eq!(shown["properties"]["networkInterfaces"], json!([{ "id": nic }]));
    assert_eq!(shown["properties"]["securityRules"][0]["name"], "one");
    let used = lab.delete(&second).await;
    assert_eq!((used.status, used.code().as_str()), (400, "InUseNetworkSecurityGroupCannotBeDeleted"));
    lab.put(&nic, &json!({"properties": {}})).await;
    assert_eq!(lab.delete(&second).await.status, 202);
    assert_eq!(lab.get(&second).await.code(), "ResourceNotFound");
}

#[tokio::test]
async fn machines_lead_to_their_groups() {
    let lab = Lab::start().await;
    lab.azure.add_machine("VM5", Os::Linux, vec![Port { port: 22, name: "ssh".to_owned() }]).await.unwrap();
    assert!(lab.azure.add_machine("vm5", Os::Linux, vec![]).await.is_err());
    lab.azure.set(|settings| settings.page_size = 2);
    let mut path = format!(
        "/subscriptions/{}/providers/Microsoft.Compute/virtualMachines",
        sandbox::azure::SUBSCRIPTION_ID
    );
    let mut machines: Vec<Value> = Vec::new();
    loop {
        let page = lab.arm_as("grant", "GET", &path, None).await.json();
        machines.extend(page["value"].as_array().unwrap().clone());
        let Some(next) = page["nextLink"].as_str() else { break };
        path = next.to_owned();
    }
    let names: Vec<&str> = machines.iter().map(|machine| machine["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["VM1", "VM2", "VM3", "VM4", "VM5"]);
    assert!(
        machines[2]["id"].as_str().unwrap().contains("/resourceGroups/CONTOSO-IAAS/"),
        "as Compute lists it"
    );

    let as_grant = async |path: &str| lab.arm_as("grant", "GET", path, None).await.json();
    let vm = as_grant(machines[2]["id"].as_str().unwrap()).await;
    assert_eq!(vm["properties"]["storageProfile"]["osDisk"]["osType"], "Linux");
    let nic =
        as_grant(vm["properties"]["networkProfile"]["networkInterfaces"][0]["id"].as_str().unwrap()).await;
    let address = &nic["properties"]["ipConfigurations"][0]["properties"];
    assert_eq!(address["privateIPAddress"], "10.0.0.6");
    assert!(nic["properties"].get("networkSecurityGroup").is_none(), "absent when there is none");
    let public = as_grant(address["publicIPAddress"]["id"].as_str().unwrap()).await;
    assert_eq!(
        (&public["name"], &public["properties"]["ipAddress"]),
        (&json!("VM3-pip"), &json!("192.0.2.13"))
    );
    let subnet = as_grant(address["subnet"]["id"].as_str().unwrap()).await;
    assert_eq!(subnet["properties"]["networkSecurityGroup"]["id"], Lab::nsg().as_str());
    let vnet =
        lab.get(&format!("{}/providers/Microsoft.Network/virtualNetworks/Contoso-VNet", Lab::group())).await;
    assert_eq!(vnet.json()["properties"]["subnets"][0]["name"], "Contoso-Subnet");
    let rules = as_grant(&format!("{}/securityRules", Lab::nsg())).await;
    assert_eq!(rules["value"][0]["name"], "allow-http");
}

#[tokio::test]
async fn bodies_can_be_printed_as_before_2022() {
    let lab = Lab::start().await;
    lab.azure.set(|settings| settings.crlf = true);
    let answer = lab.get(&Lab::rule("allow-http")).await;
    assert!(answer.text.starts_with("{\r\n  \"name\": \"allow-http\""), "{}", answer.text);
    let echoed = lab
        .arm_raw("GET", &format!("{}?{API}", Lab::nsg()), &[("x-ms-correlation-request-id", "c-1")], None)
        .await
        .unwrap();
    assert_eq!((echoed.status, echoed.headers["x-ms-correlation-request-id"].as_str()), (401, "c-1"));
}
