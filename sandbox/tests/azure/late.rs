//! A rule that allows is in force before packets meet it.

use crate::lab::{Lab, rule, until};
use sandbox::azure::What;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use tokio::net::TcpStream;

const FIRST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
const SECOND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 9));

/// An Azure whose operations end at once and whose rules come late. VM2 has the subnet's group only.
async fn lab() -> Lab {
    Lab::with(None, |settings| settings.provisioning_ms = 0).await
}

/// A rule to VM2's RDP, in force when this returns.
async fn write(lab: &Lab, over: &Value) {
    let mut properties = json!({"destinationAddressPrefix": "10.0.0.5", "destinationPortRange": "3389"});
    properties.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
    let answer = lab.put_rule("r", &properties).await;
    assert!(answer.status < 300, "{answer:?}");
    let read = lab.get(&Lab::rule("r")).await.json();
    assert_eq!(read["properties"]["provisioningState"], "Succeeded");
}

fn allows(lab: &Lab, from: IpAddr) -> bool {
    lab.azure.allows(from, "VM2", 3389, "Tcp")
}

fn reaches(lab: &Lab, from: IpAddr) -> bool {
    lab.azure.reaches(from, "VM2", 3389, "Tcp")
}

/// Moves the clock to the moment when everything has reached the packets.
fn arrive(lab: &Lab) {
    lab.clock.fetch_max(lab.azure.late_until().unwrap(), Ordering::SeqCst);
}

fn door(lab: &Lab) -> Value {
    let state = lab.azure.state();
    let machines = state["machines"].as_array().unwrap();
    machines.iter().find(|one| one["name"] == "VM2").unwrap()["ports"][0].clone()
}

#[tokio::test]
async fn a_rule_that_allows_reaches_the_packets_up_to_80_seconds_after_it_is_in_force() {
    let lab = lab().await;
    let address = lab.azure.loopback("VM2", 3389).unwrap();
    write(&lab, &json!({})).await;
    assert!(allows(&lab, FIRST) && !reaches(&lab, FIRST));
    let shown = door(&lab);
    assert_eq!((&shown["allows"], &shown["lets_in"]), (&json!(["203.0.113.7"]), &json!([])));
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    let (now, from) = (lab.clock.load(Ordering::SeqCst), lab.azure.late_until().unwrap());
    assert!((1..=80_000).contains(&(from - now)), "{} ms", from - now);

    lab.clock.store(from - 1, Ordering::SeqCst);
    assert!(!reaches(&lab, FIRST));
    lab.clock.store(from, Ordering::SeqCst);
    assert!(reaches(&lab, FIRST) && !reaches(&lab, SECOND));
    until("the port listens", || async { TcpStream::connect(address).await.is_ok() }).await;
    until("its arrival is noted", || async { lab.azure.late_until().is_none() }).await;
    let what: Vec<What> = lab.azure.journal().iter().map(|entry| entry.what).collect();
    assert_eq!(what, [What::PutNew, What::Enforced, What::Reached]);
    assert_eq!(lab.azure.journal()[2].at_ms, from);
    lab.stop().await;
}

#[tokio::test]
async fn what_is_written_again_stays_and_what_is_changed_comes_anew() {
    let lab = lab().await;
    write(&lab, &json!({})).await;
    let first = lab.azure.late_until();
    write(&lab, &json!({})).await;
    assert_eq!(lab.azure.late_until(), first, "the same again is neither later nor earlier");
    arrive(&lab);
    write(&lab, &json!({})).await;
    assert!(reaches(&lab, FIRST), "the same again takes nothing away");
    until("its arrival is noted", || async { lab.azure.late_until().is_none() }).await;

    write(&lab, &json!({"sourceAddressPrefix": "198.51.100.9"})).await;
    assert!(!reaches(&lab, FIRST), "what is no longer allowed is shut at once");
    assert!(allows(&lab, SECOND) && !reaches(&lab, SECOND));
    arrive(&lab);
    assert!(reaches(&lab, SECOND));
    lab.stop().await;
}

#[tokio::test]
async fn a_denial_and_a_removal_count_at_once() {
    let lab = lab().await;
    write(&lab, &json!({})).await;
    arrive(&lab);
    assert!(reaches(&lab, FIRST));
    write(&lab, &json!({"access": "Deny"})).await;
    assert!(!allows(&lab, FIRST) && !reaches(&lab, FIRST));
    write(&lab, &json!({})).await;
    arrive(&lab);
    assert!(reaches(&lab, FIRST));
    assert_eq!(lab.delete(&Lab::rule("r")).await.status, 202);
    assert!(!allows(&lab, FIRST) && !reaches(&lab, FIRST));

    // Gone before it had come.
    write(&lab, &json!({})).await;
    let from = lab.azure.late_until().unwrap();
    assert_eq!(lab.delete(&Lab::rule("r")).await.status, 202);
    assert_eq!(lab.azure.late_until(), None);
    lab.clock.store(from, Ordering::SeqCst);
    assert!(!reaches(&lab, FIRST));
    lab.stop().await;
}

#[tokio::test]
async fn a_whole_group_is_no_faster_than_a_rule() {
    let lab = lab().await;
    let group = lab.get(&Lab::nsg()).await.json();
    let mut rules = group["properties"]["securityRules"].clone();
    let mut new = rule(&json!({"destinationAddressPrefix": "10.0.0.5", "destinationPortRange": "3389"}));
    new["name"] = json!("r");
    rules.as_array_mut().unwrap().push(new);
    let body = json!({"location": "westeurope", "properties": {"securityRules": rules}});
    assert_eq!(lab.put(&Lab::nsg(), &body).await.status, 200);
    assert!(allows(&lab, FIRST) && !reaches(&lab, FIRST));
    assert!(lab.azure.reaches(FIRST, "VM1", 80, "Tcp"), "the rule that was there stays where it is");
    arrive(&lab);
    assert!(reaches(&lab, FIRST));
    lab.stop().await;
}
