//! Which machine is meant, by which address it is reached, and what shields it.

use ajar_tests::{ANA, BEA, Story};
use sandbox::azure::{
    NSG, NewMachine, NewNic, OTHER_SUBSCRIPTION_ID, Os, Place, Port, Power, SUBSCRIPTION_ID,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A Linux machine with SSH, in a resource group of the lab's subscription.
fn linux(group: &str, name: &str, nics: Vec<NewNic>) -> NewMachine {
    NewMachine {
        name: name.to_owned(),
        place: Place::new(SUBSCRIPTION_ID, group),
        os: Os::Linux,
        ports: vec![Port { port: 22, name: "ssh".to_owned() }],
        tags: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
        nics,
    }
}

fn nic(nsg: Option<&str>, addresses: &[(&str, Option<&str>)]) -> NewNic {
    let parse = |text: &str| text.parse::<IpAddr>().unwrap();
    let addresses = addresses.iter().map(|(private, public)| (parse(private), public.map(parse))).collect();
    NewNic { nsg: nsg.map(str::to_owned), addresses, subnet: None }
}

/// A policy that is about machines of any resource group.
fn everywhere() -> String {
    sandbox::host::wiring::POLICY.replace("resource_groups = [\"Contoso-IaaS\"]\n", "")
}

/// The key of a machine of the lab's resource group in the list.
fn machines_key(name: &str) -> String {
    let id = format!(
        "/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/Contoso-IaaS/providers/Microsoft.Compute/virtualMachines/{name}"
    );
    id.to_ascii_lowercase()
}

async fn open(story: &Story, text: &str) -> String {
    let id = story.asked(ANA, text).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    story.felt().await;
    id
}

/// The groups that have a rule of ours, and the addresses to which those rules lead.
async fn rules(story: &Story) -> (Vec<String>, Vec<Value>) {
    let rules = story.azure.rules_of_ours().await;
    let to = |rule: &Value| rule["properties"]["destinationAddressPrefix"].clone();
    rules.iter().map(|(group, rule)| (group.clone(), to(rule))).unzip()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_of_one_name() {
    let story = Story::begin_with(&everywhere()).await;
    for (group, address) in [("Blue", "10.0.0.50"), ("Green", "10.0.0.51")] {
        story.world.azure.add(&linux(group, "VM9", vec![nic(None, &[(address, None)])])).await.unwrap();
    }
    story.discover().await;
    let answer = story.ask(ANA, "VM9 22").await;
    assert_eq!(answer, "There are several machines `VM9`. Type `/jit Blue/VM9 22` or `/jit Green/VM9 22`.");
    let id = open(&story, "green/vm9 22 for 30m").await;
    assert_eq!(rules(&story).await, (vec![NSG.to_owned()], vec![json!("10.0.0.51")]));
    assert!(story.says(&id).await.contains("Machine: `VM9` in `Green`;"));
    assert!(story.lets_in("Green/VM9", 22, "203.0.113.7"));
    assert!(!story.lets_in("Blue/VM9", 22, "203.0.113.7"), "its namesake stays shut");
    story.to_next_end().await;
    assert!(!story.lets_in("Green/VM9", 22, "203.0.113.7"));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_address_is_opened_to_the_machines_ipv6_address() {
    let story = Story::begin().await;
    let both = nic(None, &[("10.0.0.60", Some("192.0.2.60")), ("fd00:db8:deca::60", Some("2001:db8:60::1"))]);
    story.world.azure.add(&linux("Contoso-IaaS", "VM6", vec![both])).await.unwrap();
    story.discover().await;
    let id = open(&story, "VM6 22 from 2001:db8::7 for 30m").await;
    assert_eq!(rules(&story).await.1, [json!("fd00:db8:deca::60")]);
    assert!(story.lets_in("VM6", 22, "2001:db8::7"));
    assert!(!story.lets_in("VM6", 22, "2001:db8::8") && !story.lets_in("VM6", 22, "203.0.113.7"));
    assert!(story.told(ANA).await[0].contains("Connect with `ssh labuser@2001:db8:60::1`."));
    // The same machine by its other family at the same time: a rule of its own.
    open(&story, "VM6 22 from 203.0.113.7 for 20m").await;
    let (_, mut to) = rules(&story).await;
    to.sort_by_key(Value::to_string);
    assert_eq!(to, [json!("10.0.0.60"), json!("fd00:db8:deca::60")], "one family each");
    story.advance(21 * 60).await;
    assert!(story.lets_in("VM6", 22, "2001:db8::7") && !story.lets_in("VM6", 22, "203.0.113.7"));
    story.to_next_end().await;
    assert!(!story.lets_in("VM6", 22, "2001:db8::7"));
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_interfaces_the_one_with_the_public_address() {
    let story = Story::begin().await;
    for group in ["inner-nsg", "outer-nsg"] {
        story.world.azure.add_nsg(group);
    }
    let inner = nic(Some("inner-nsg"), &[("10.0.0.70", None)]);
    let outer = nic(Some("outer-nsg"), &[("10.0.0.71", Some("192.0.2.71"))]);
    story.world.azure.add(&linux("Contoso-IaaS", "VM7", vec![inner, outer])).await.unwrap();
    story.discover().await;
    open(&story, "VM7 22 for 10m").await;
    let (mut groups, to) = rules(&story).await;
    groups.sort();
    assert_eq!(groups, ["Contoso-NSG", "outer-nsg"]);
    assert_eq!(to, [json!("10.0.0.71"), json!("10.0.0.71")]);
    assert!(story.lets_in("VM7", 22, "203.0.113.7"));
    assert!(story.told(ANA).await[0].contains("Connect with `ssh labuser@192.0.2.71`."));
    story.to_next_end().await;
    // Who comes through the private network meets the primary interface.
    open(&story, "VM7 22 from 10.9.0.7 for 10m").await;
    let (mut groups, to) = rules(&story).await;
    groups.sort();
    assert_eq!(groups, ["Contoso-NSG", "inner-nsg"]);
    assert_eq!(to, [json!("10.0.0.70"), json!("10.0.0.70")]);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_ip_configurations_the_one_with_the_public_address() {
    let story = Story::begin().await;
    let two = nic(None, &[("10.0.0.80", None), ("10.0.0.81", Some("192.0.2.81"))]);
    story.world.azure.add(&linux("Contoso-IaaS", "VM8", vec![two])).await.unwrap();
    story.discover().await;
    open(&story, "VM8 22 for 10m").await;
    assert_eq!(rules(&story).await, (vec![NSG.to_owned()], vec![json!("10.0.0.81")]));
    assert!(story.lets_in("VM8", 22, "203.0.113.7"));
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_shields_is_refused_before_anybody_approves() {
    let story = Story::begin().await;
    let bare = NewNic { subnet: Some("Open-Subnet".to_owned()), ..nic(None, &[("10.0.1.4", None)]) };
    story.world.azure.add(&linux("Contoso-IaaS", "VM5", vec![bare])).await.unwrap();
    story.discover().await;
    let answer = story.type_in_slack(ANA, "VM5 22").await;
    assert!(answer.starts_with("Nothing shields VM5: it is already open. "), "{answer}");
    story.settle().await;
    let told = story.told(ANA).await;
    assert!(
        told[0].starts_with("Ajar has looked again. Nothing shields VM5: it is already open."),
        "{told:?}"
    );
    assert_eq!(story.requests().await, [""; 0], "nothing was recorded");
    assert!(story.lets_in("VM5", 22, "198.51.100.9"), "it is true");
    // Somebody shields it, and what is looked at again is seen.
    story.world.azure.associate_nic("VM5-nic", Some(NSG)).await;
    story.type_in_slack(ANA, "VM5 22").await;
    story.settle().await;
    let told = story.told(ANA).await;
    assert_eq!(told[1], "Ajar has looked again: VM5 can be asked for now. Type `/jit VM5 22` again.");
    open(&story, "VM5 22 for 10m").await;
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_does_not_run() {
    let story = Story::begin().await;
    // After it was asked for and before it is opened: `grant` asks Azure.
    let id = story.asked(ANA, "VM3 22").await;
    assert!(story.world.azure.set_power("VM3", Power::Deallocated).await);
    story.click(BEA, &id, "approve").await;
    let card = story.says(&id).await;
    assert!(
        card.starts_with(
            "VM3 port 22: not opened. The machine is deallocated: start it in Azure, then ask again."
        ),
        "{card}"
    );
    // Once it was seen so, it cannot be asked for.
    story.advance(16 * 60).await;
    let answer = story.type_in_slack(ANA, "VM3 22").await;
    assert!(answer.starts_with("VM3 was deallocated when Ajar looked at "), "{answer}");
    story.settle().await;
    let again = story.told(ANA).await.pop().unwrap();
    assert!(again.starts_with("Ajar has looked again. VM3 was deallocated when Ajar looked at "), "{again}");
    story.world.azure.set_power("VM3", Power::Running).await;
    story.type_in_slack(ANA, "VM3 22").await;
    story.settle().await;
    let again = story.told(ANA).await.pop().unwrap();
    assert_eq!(again, "Ajar has looked again: VM3 can be asked for now. Type `/jit VM3 22` again.");
    open(&story, "VM3 22 for 10m").await;
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_between_approval_and_grant() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22").await;
    assert!(story.world.azure.delete_machine("VM3").await);
    story.click(BEA, &id, "approve").await;
    let card = story.says(&id).await;
    assert!(
        card.starts_with("VM3 port 22: not opened. The machine does not exist any more in Azure."),
        "{card}"
    );
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_address_moved_between_approval_and_grant() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22").await;
    assert!(story.world.azure.move_nic("VM3-nic", "10.0.0.200".parse().unwrap()).await);
    story.click(BEA, &id, "approve").await;
    let card = story.says(&id).await;
    assert!(card.contains("not opened. The machine's private address is not the one"), "{card}");
    // What is seen next is asked for with the new address.
    story.discover().await;
    open(&story, "VM3 22 for 10m").await;
    assert_eq!(rules(&story).await.1, [json!("10.0.0.200"), json!("10.0.0.200")]);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_group_comes_on_the_way_while_it_is_open() {
    let story = Story::begin().await;
    let id = open(&story, "VM3 22 for 2h").await;
    let elsewhere = open(&story, "VM1 3389 for 2h").await;
    story.world.azure.add_nsg("Other-NSG");
    story.world.azure.associate_nic("VM3-nic", Some("Other-NSG")).await;
    // By itself, within a quarter of an hour.
    story.advance(16 * 60).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    assert_eq!(rules(&story).await.0, [NSG], "VM1's, to which nothing has changed");
    assert_eq!(story.status(&elsewhere).await, "OPEN");
    let card = story.says(&id).await;
    assert!(card.starts_with("VM3 port 22 is shut. The way to the machine has changed meanwhile."), "{card}");
    let steps = story.steps_said(&id).await;
    assert!(
        steps[3].starts_with(
            "While VM3 port 22 was open, the way to VM3 changed: its address, or a security group on it."
        ),
        "{steps:?}"
    );
    let again = open(&story, "VM3 22 for 10m").await;
    assert!(story.says(&again).await.contains("in `Contoso-NSG` and `Other-NSG`"));
    story.advance(2 * 60 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_vanishes_while_it_is_open() {
    let story = Story::begin().await;
    let id = open(&story, "VM3 22 for 2h").await;
    story.advance(60).await;
    assert!(story.world.azure.delete_machine("VM3").await);
    // By itself, within a quarter of an hour.
    story.advance(15 * 60).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    assert_eq!(rules(&story).await.0, [""; 0], "its address may be another machine's soon");
    let card = story.says(&id).await;
    assert!(card.starts_with("VM3 port 22 is shut. The machine does not exist any more in Azure."), "{card}");
    let history = story.history(&id).await;
    assert!(history.contains(&json!({"closing": {"cause": "machine_gone"}})), "{history:?}");
    let answer = story.type_in_slack(ANA, "VM3 22").await;
    assert!(answer.starts_with("VM3 does not exist any more in Azure; that was seen at "), "{answer}");
    story.settle().await;
    let again = story.told(ANA).await.pop().unwrap();
    assert!(again.starts_with("Ajar has looked again. VM3 does not exist any more in Azure"), "{again}");
    // It is known for a week, and comes back when a machine of its name is made anew.
    let machines = story.world.store.machines().await.unwrap();
    let gone_at = machines.iter().find_map(|machine| machine.gone_at).unwrap().unix();
    assert_eq!(story.purge_at("MACHINE", machines_key("VM3")).await, Some(gone_at + 7 * 86_400));
    let again = linux("Contoso-IaaS", "VM3", vec![nic(None, &[("10.0.0.90", None)])]);
    story.world.azure.add(&again).await.unwrap();
    story.discover().await;
    assert_eq!(story.purge_at("MACHINE", machines_key("VM3")).await, None);
    open(&story, "VM3 22 for 10m").await;
    assert_eq!(rules(&story).await.1, [json!("10.0.0.90")]);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_azure_does_not_say_is_not_taken_for_gone() {
    let story = Story::begin().await;
    let id = open(&story, "VM3 22 for 2h").await;
    let down = json!({"part": "arm", "how": {"answer": {"status": 503}}, "count": 100_000});
    story.fault(down).await;
    assert!(story.try_discover().await.is_err());
    story.type_in_slack(ANA, "VM9 22").await;
    story.settle().await;
    let told = story.told(ANA).await.pop().unwrap();
    assert_eq!(
        told,
        "Ajar could not look again: Azure did not answer. Type `/jit VM9 22` again in a few minutes."
    );
    story.no_faults().await;
    // A list that lacks what is there.
    let empty = json!({"answer": {"status": 200, "body": {"value": []}}});
    story.fault(json!({"part": "arm", "method": "GET", "path": "virtualMachines", "how": empty})).await;
    story.discover().await;
    assert_eq!(story.status(&id).await, "OPEN");
    assert!(story.world.store.machines().await.unwrap().iter().all(|machine| machine.gone_at.is_none()));
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_machine_is_looked_for() {
    let story = Story::begin().await;
    let answer = story.type_in_slack(ANA, "VM9 22").await;
    assert_eq!(
        answer,
        "There is no machine `VM9` here. Did you mean VM1, VM2, VM3 or VM4? Ajar looks again now and tells you what it finds."
    );
    story.settle().await;
    let told = story.told(ANA).await;
    assert!(told[0].starts_with("Ajar has looked again. There is no machine `VM9` here."), "{told:?}");
    story.world.azure.add_machine("VM9", Os::Linux, vec![]).await.unwrap();
    story.type_in_slack(ANA, "VM9 22,80").await;
    story.settle().await;
    let told = story.told(ANA).await;
    assert_eq!(told[1], "Ajar has looked again: VM9 can be asked for now. Type `/jit VM9 22,80` again.");
    let id = story.asked(ANA, "VM9 22").await;
    story.deny(BEA, &id).await;
    // One that the policy is not about is said to be so.
    let elsewhere = NewMachine {
        place: Place::new(OTHER_SUBSCRIPTION_ID, "Fabrikam"),
        ..linux("Fabrikam", "web", vec![nic(None, &[("10.0.9.4", None)])])
    };
    story.world.azure.add(&elsewhere).await.unwrap();
    story.type_in_slack(ANA, "web 22").await;
    story.settle().await;
    let told = story.told(ANA).await.pop().unwrap();
    assert!(told.starts_with("Ajar has looked again. No rule of the policy is about `web`"), "{told}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_every_subscription_is_read() {
    let story = Story::begin().await;
    story.world.azure.set(|settings| settings.page_size = 2);
    for number in 0..7_u8 {
        let address = format!("10.0.7.{number}");
        let place = Place::new(OTHER_SUBSCRIPTION_ID, "Fabrikam");
        let nics = vec![nic(None, &[(&address, None)])];
        let machine = NewMachine { place, ..linux("", &format!("web{number}"), nics) };
        story.world.azure.add(&machine).await.unwrap();
    }
    story.discover().await;
    let machines = story.world.store.machines().await.unwrap();
    assert_eq!(machines.len(), 4 + 7);
    let named = |name: &str| machines.iter().find(|machine| machine.name.as_str() == name).unwrap();
    let seen = serde_json::to_value(named("web6")).unwrap();
    assert_eq!(
        (&seen["system"], &seen["power"], &seen["tags"], &seen["nics"][0]["addresses"]),
        (
            &json!("linux"),
            &json!("running"),
            &json!({"team": "blue"}),
            &json!([{"private": "10.0.7.6", "on_subnet": "nothing"}])
        )
    );
    let vm3 = serde_json::to_value(named("VM3")).unwrap();
    let group = |name: &str| {
        format!(
            "/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/Contoso-IaaS/providers/Microsoft.Network/networkSecurityGroups/{name}"
        )
    };
    assert_eq!(vm3["nics"][0]["nsg"], group("VM3-nsg").as_str());
    assert_eq!(
        vm3["nics"][0]["addresses"],
        json!([{"private": "10.0.0.6", "public": "192.0.2.13", "on_subnet": {"group": group(NSG)}}])
    );
    assert!(vm3["resource_id"].as_str().unwrap().contains("/resourceGroups/Contoso-IaaS/"), "as it was made");
    // Slack's part: whoever the policy names.
    let people = story.world.store.people().await.unwrap();
    let zones: Vec<_> =
        people.iter().map(|one| (one.user.as_str(), one.time_zone.as_deref().unwrap())).collect();
    let zone = "Europe/Amsterdam";
    assert_eq!(zones, [("U0ANA", zone), ("U0BEA", zone), ("U0CHRIS", zone)]);
    story.finish().await;
}
