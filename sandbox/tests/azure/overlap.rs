//! Two writes to one group at the same time.

use crate::lab::Lab;
use sandbox::azure::{Overlapping, What};
use serde_json::json;

const ENDLESS: u64 = 600_000;

#[tokio::test]
async fn the_later_write_supersedes_the_earlier_one_which_is_rolled_back() {
    let lab = Lab::with(None, |settings| settings.provisioning_ms = ENDLESS).await;
    let first = lab.put_rule("first", &json!({})).await;
    lab.azure.set(|settings| settings.provisioning_ms = 0);
    let second = lab.put_rule("second", &json!({"priority": 201})).await;
    assert_eq!(second.status, 201);
    let polled = lab.get(&first.headers["azure-asyncoperation"]).await;
    assert_eq!(polled.status, 200);
    let polled = polled.json();
    assert_eq!((&polled["status"], &polled["error"]["code"]), (&json!("Canceled"), &json!("Canceled")));
    assert_eq!(polled["error"]["details"][0]["code"], "CanceledAndSupersededDueToAnotherOperation");
    assert_eq!(lab.get(&Lab::rule("first")).await.status, 404);
    assert_eq!(lab.get(&Lab::rule("second")).await.json()["properties"]["provisioningState"], "Succeeded");
    assert_eq!(lab.azure.overlaps(), 1);
    let what: Vec<What> = lab.azure.journal().iter().map(|entry| entry.what).collect();
    let expected =
        [What::PutNew, What::Overlap, What::Superseded, What::RolledBack, What::PutNew, What::Enforced];
    assert_eq!(what, expected);
}

#[tokio::test]
async fn what_a_superseded_write_changed_can_stay() {
    let lab = Lab::with(None, |settings| {
        settings.provisioning_ms = ENDLESS;
        settings.keep_superseded = true;
    })
    .await;
    lab.put_rule("first", &json!({})).await;
    lab.azure.set(|settings| settings.provisioning_ms = 0);
    lab.put_rule("second", &json!({"priority": 201, "destinationPortRange": "23"})).await;
    assert_eq!(lab.get(&Lab::rule("first")).await.status, 200);
    assert!(lab.azure.allows([203, 0, 113, 7].into(), "VM3", 22, "Tcp"), "in force with the later one");
}

#[tokio::test]
async fn a_superseded_delete_leaves_the_rule_in_force() {
    let lab = Lab::start().await;
    lab.put_rule("r", &json!({})).await;
    lab.azure.set(|settings| settings.provisioning_ms = ENDLESS);
    lab.delete(&Lab::rule("r")).await;
    lab.azure.set(|settings| settings.provisioning_ms = 0);
    lab.put_rule("other", &json!({"priority": 201})).await;
    assert_eq!(lab.get(&Lab::rule("r")).await.json()["properties"]["provisioningState"], "Succeeded");
    assert!(lab.azure.reaches([203, 0, 113, 7].into(), "VM3", 22, "Tcp"));
}

#[tokio::test]
async fn the_later_write_can_be_turned_away_in_both_of_azures_ways() {
    let lab = Lab::with(None, |settings| settings.provisioning_ms = ENDLESS).await;
    lab.put_rule("first", &json!({})).await;
    for (overlapping, status, code) in [
        (Overlapping::Retryable, 429, "RetryableError"),
        (Overlapping::InProgress, 409, "AnotherOperationInProgress"),
    ] {
        lab.azure.set(|settings| settings.overlapping = overlapping);
        let second = lab.put_rule("second", &json!({"priority": 201})).await;
        assert_eq!((second.status, second.code().as_str()), (status, code));
    }
    assert_eq!(lab.azure.overlaps(), 2);
    assert_eq!(lab.get(&Lab::rule("second")).await.status, 404);
    let subnet = format!(
        "{}/providers/Microsoft.Network/virtualNetworks/Contoso-VNet/subnets/Contoso-Subnet",
        Lab::group()
    );
    let user = lab.put(&subnet, &json!({"properties": {}})).await;
    assert_eq!(
        (user.status, &user.json()["error"]["details"][0]["code"]),
        (429, &json!("ReferencedResourceNotProvisioned"))
    );
}
