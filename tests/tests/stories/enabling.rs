//! Machines are enabled, their ports shut by closing rules, asked for, and disabled again.

use ajar_tests::enabling::{Form, SUGGESTED};
use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use serde_json::{Value, json};

const LAB: &str = "VM1 VM2 VM3 VM4";
const MINE: &str = "203.0.113.7";

/// A rule of the owner's that lets everybody in.
fn allow_ssh(priority: u16) -> Value {
    json!({
        "priority": priority, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "22",
    })
}

/// SSH is open to everybody on all machines, for good.
async fn left_open(priority: u16) -> Story {
    let story = Story::begin().await;
    for group in ["Contoso-NSG", "vm3-nsg"] {
        story.azure.write(group, "allow-ssh", &allow_ssh(priority)).await;
    }
    story.discover().await;
    story.felt().await;
    story
}

fn names(rules: &[(String, Value)], group: &str) -> Vec<u64> {
    let of_group = rules.iter().filter(|(name, _)| name == group);
    of_group.filter_map(|(_, rule)| rule["properties"]["priority"].as_u64()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_from_recommended_to_shut_again() {
    let story = left_open(1010).await;
    let list = story.ask(ANA, "vms").await;
    assert!(list.starts_with("*Configured*: nothing is enabled yet\n*Recommended* (4)\n"), "{list}");
    let vm1 = "• `VM1` in `Contoso-IaaS`: 22 is open to everybody on the Internet by the rule `allow-ssh` in `Contoso-NSG`";
    assert!(list.contains(vm1), "{list}");
    assert!(story.lets_in("VM3", 22, "198.51.100.9"), "it is open to anybody");

    let said = story.enable(CHRIS, LAB, SUGGESTED).await;
    assert!(
        said.starts_with("JIT enabled: VM1, VM2, VM3 and VM4. <@U0CHRIS> has enabled JIT access."),
        "{said}"
    );
    let open = "• `VM3`: 22, 3389, 5985, 5986 up to 3 hours; 22 is open to everybody on the Internet by the rule `allow-ssh` in `VM3-nsg`: *not shut*";
    assert!(said.contains(open), "{said}");
    assert_eq!(story.azure.closing_rules().await, [], "an offer changes nothing");

    let said = story.order(CHRIS).await;
    assert_eq!(said.matches("*shut* by `jit-sandbox-shut-").count(), 5, "{said}");
    let closing = story.azure.closing_rules().await;
    assert_eq!(names(&closing, "Contoso-NSG"), [999, 998, 997, 996], "each a number of its own");
    for machine in ["VM1", "VM2", "VM3", "VM4"] {
        assert!(!story.lets_in(machine, 22, MINE), "{machine} is shut");
    }
    assert!(story.lets_in("VM1", 80, "198.51.100.9"), "the website answers");

    let list = story.ask(ANA, "vms").await;
    assert!(list.starts_with("*Configured* (4)\n"), "{list}");
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    story.felt().await;
    assert_eq!(story.status(&id).await, "OPEN");
    assert!(story.lets_in("VM3", 22, MINE) && !story.lets_in("VM3", 22, "198.51.100.9"));
    assert!(!story.lets_in("VM4", 22, MINE), "its neighbour stays shut");
    let rules = story.azure.rules_of_ours().await;
    let (_, grant) = rules.iter().find(|(group, _)| group == "Contoso-NSG").expect("a rule of the grant");
    assert!(grant["properties"]["priority"].as_u64().unwrap() < 996, "above the closing rules");
    assert_eq!(grant["properties"]["sourceAddressPrefix"], "203.0.113.7/32");
    let list = story.ask(ANA, "vms vm3").await;
    assert!(list.contains("open now for <@U0ANA> (22 until "), "{list}");
    assert!(story.lets_in("VM1", 80, "198.51.100.9"), "the website answers");

    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, MINE), "it has ended");
    assert!(story.says(&id).await.starts_with("VM3 port 22 is shut."), "{}", story.says(&id).await);
    assert!(story.lets_in("VM1", 80, "198.51.100.9"), "the website answers");
    let after = story.azure.closing_rules().await;
    let properties = |rules: &[(String, Value)]| -> Vec<Value> {
        rules.iter().map(|(group, rule)| json!([group, rule["name"], rule["properties"]])).collect()
    };
    assert_eq!(properties(&after), properties(&closing), "closing rules stay as they were");
    story.advance(16 * 60).await;
    let list = story.ask(ANA, "vms vm3").await;
    assert!(list.contains("1 request in 7 days"), "{list}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shut_already_gets_no_rule() {
    let story = Story::begin().await;
    let said = story.enable(CHRIS, "VM3", Form { ports: &[22], ..SUGGESTED }).await;
    let line = "• `VM3`: 22 up to 3 hours; shut: no rule but Azure's own for the virtual network lets anybody in without a grant";
    assert!(said.contains(line), "{said}");
    assert_eq!(story.order_button().await, None);
    assert_eq!(story.azure.closing_rules().await, []);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_rule_that_allows_has_the_closing_rule_before_it() {
    let story = left_open(300).await;
    story.enable(CHRIS, "VM1", Form { ports: &[22], ..SUGGESTED }).await;
    let said = story.order(CHRIS).await;
    assert!(said.contains(", priority 299: no rule of this group lets anybody in without a grant"), "{said}");
    assert!(!story.lets_in("VM1", 22, MINE));
    let id = story.asked(ANA, "VM1 22 for 10m").await;
    story.click(BEA, &id, "approve").await;
    story.felt().await;
    assert!(story.lets_in("VM1", 22, MINE) && !story.lets_in("VM1", 22, "198.51.100.9"));
    story.to_next_end().await;
    assert!(!story.lets_in("VM1", 22, MINE));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_the_rule_in_the_way_is_named() {
    let story = left_open(110).await;
    story.enable(CHRIS, "VM1", Form { ports: &[22], ..SUGGESTED }).await;
    let said = story.order(CHRIS).await;
    let why =
        "*not written*: no number is free before the rule `allow-ssh` that would leave room for grants.";
    assert!(said.contains(why), "{said}");
    assert_eq!(story.azure.closing_rules().await, []);
    assert!(story.lets_in("VM1", 22, MINE), "and it is not said to be shut");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_enabled_is_what_can_be_asked_for() {
    let policy = sandbox::host::wiring::POLICY.replace("[defaults]\n", "[defaults]\nonly_enabled = true\n");
    let story = Story::begin_with(&policy).await;
    let refused = "Nothing is enabled on this machine. Ask an admin to type `/jit enable` with its name.";
    assert_eq!(story.ask(ANA, "VM3 22").await, refused);
    let form = Form {
        ports: &[22],
        sources: "203.0.113.0/24",
        longest: "45m",
        lines: "3389 from 198.51.100.9 for 10m\n5985/udp",
    };
    story.enable(CHRIS, "VM3", form).await;
    assert_eq!(
        story.ask(ANA, "VM3 5986").await,
        "Port 5986 is not offered on this machine; 22, 3389 and 5985 can be asked for."
    );
    assert!(
        story
            .ask(ANA, "VM3 22 for 1h")
            .await
            .starts_with("That is longer than allowed; the longest here is 45 minutes.")
    );
    assert!(story.ask(ANA, "VM3 3389 for 5m").await.starts_with("`203.0.113.7` is not among the addresses"));
    let id = story.asked(ANA, "VM3 5985 for 5m").await;
    assert!(story.says(&id).await.contains("Ports: 5985 (UDP)"), "{}", story.says(&id).await);
    story.deny(BEA, &id).await;
    let id = story.asked(ANA, "VM3 22 for 5m").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.to_next_end().await;

    // The form shows what is enabled.
    assert_eq!(story.type_in_slack(CHRIS, "edit VM3").await, "");
    let view = story.form(CHRIS);
    let initial = |block: &str| {
        let blocks = view["blocks"].as_array().unwrap();
        blocks.iter().find(|one| one["block_id"] == block).unwrap()["element"]["initial_value"].clone()
    };
    assert_eq!(
        initial("lines"),
        "22 from 203.0.113.0/24 for 45m\n3389 from 198.51.100.9 for 10m\n5985/udp from 203.0.113.0/24 for 45m"
    );
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_never_exceeds_the_policy_and_says_what_is_wrong_at_its_field() {
    let story = Story::begin().await;
    let errors = async |form: Form<'_>| {
        let sent = story.fill_in(CHRIS, "enable VM3", &form.values()).await;
        assert!(sent.view.is_some(), "the form stays open");
        story.world.slack.close_view(CHRIS).await.unwrap();
        json!(sent.errors)
    };
    let form = Form { ports: &[], ..SUGGESTED };
    assert_eq!(errors(form).await, json!({"ports": "Choose at least one port, or write one below."}));
    let form = Form { lines: "8443", ..SUGGESTED };
    let why =
        "On VM3 the policy file lets less: the rule `contoso` offers 22, 3389, 5985, 5986 and not 8443.";
    assert_eq!(errors(form).await, json!({"ports": why}));
    let form = Form { longest: "4h", ..SUGGESTED };
    let why = "On VM3 the policy file lets less: the rule `contoso` lets at most 3 hours.";
    assert_eq!(errors(form).await, json!({"ports": why}));
    let form = Form { longest: "soon", ..SUGGESTED };
    let why = "`soon` is not a duration between 1 minute and 24 hours; write it like `30m`, `3h` or `1h30m`.";
    assert_eq!(errors(form).await, json!({"longest": why}));
    let machines = story.world.store.machines().await.unwrap();
    assert!(machines.iter().all(|machine| machine.enabled.is_none()), "nothing is half done");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_enable_disable_and_order() {
    let story = left_open(1010).await;
    for command in ["enable VM1", "edit VM1", "disable VM1"] {
        assert_eq!(story.ask(BEA, command).await, "Only admins can do this: <@U0CHRIS>.");
    }
    assert_eq!(
        story.ask(CHRIS, "disable VM1").await,
        "Nothing is enabled on VM1, so there is nothing to take back."
    );
    story.enable(CHRIS, "VM1", Form { ports: &[22], ..SUGGESTED }).await;
    let said = story.order(BEA).await;
    assert!(said.contains("An admin can order this closing rule"), "{said}");
    assert_eq!(story.order(EVE).await, said);
    assert_eq!(story.azure.closing_rules().await, []);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_ends_what_is_open_and_offers_to_remove_the_closing_rules() {
    let story = left_open(1010).await;
    story.enable(CHRIS, "VM1 VM4", Form { ports: &[22], ..SUGGESTED }).await;
    story.order(CHRIS).await;
    let id = story.asked(ANA, "VM1 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    story.felt().await;
    assert!(story.lets_in("VM1", 22, MINE));
    let waiting = story.asked(ANA, "VM1 22 from 198.51.100.9 for 10m").await;
    let said = story.disable(CHRIS, "VM1").await;
    assert!(said.starts_with("JIT disabled: VM1. <@U0CHRIS> has disabled JIT access."), "{said}");
    assert_eq!(story.status(&id).await, "CLOSED");
    assert!(story.says(&id).await.contains("<@U0CHRIS> ended it early."), "{}", story.says(&id).await);
    let refused = json!({"closed": {"closure": {"denied": {"by": CHRIS}}}});
    assert_eq!(story.history(&waiting).await.last(), Some(&refused), "what waited is refused");
    assert!(
        story.says(&waiting).await.contains("<@U0CHRIS> denied it at "),
        "{}",
        story.says(&waiting).await
    );
    assert!(!story.lets_in("VM1", 22, MINE), "the closing rule stands until it is ordered away");
    assert_eq!(story.azure.closing_rules().await.len(), 2);
    let said = story.order(CHRIS).await;
    assert!(said.contains("` is removed"), "{said}");
    assert_eq!(story.azure.closing_rules().await.len(), 1, "that of VM4 stands");
    story.felt().await;
    assert!(story.lets_in("VM1", 22, MINE) && !story.lets_in("VM4", 22, MINE));
    // It stays removed, and nobody is told that it is missing.
    story.advance(180).await;
    assert_eq!(story.order_says().await, said);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_rule_that_is_missing_is_told_and_offered_and_not_restored() {
    let story = left_open(1010).await;
    story.enable(CHRIS, "VM1", Form { ports: &[22], ..SUGGESTED }).await;
    story.order(CHRIS).await;
    let (group, rule) = story.azure.closing_rules().await.remove(0);
    story.azure.delete(&group, rule["name"].as_str().unwrap()).await;
    story.advance(61).await;
    let said = story.order_says().await;
    assert!(
        said.starts_with(
            "A closing rule is missing: VM1. Somebody else has deleted or changed closing rules in Azure."
        ),
        "{said}"
    );
    story.advance(120).await;
    assert_eq!(story.order_says().await, said, "once");
    assert_eq!(story.azure.closing_rules().await, [], "nothing is restored by itself");
    let said = story.order(CHRIS).await;
    assert!(said.contains("*shut* by `jit-sandbox-shut-"), "{said}");
    assert!(!story.lets_in("VM1", 22, MINE));
    // Altered is as good as missing.
    story.azure.alter(&group, rule["name"].as_str().unwrap(), "destinationPortRange", &json!("80")).await;
    story.advance(61).await;
    assert!(story.order_says().await.starts_with("A closing rule is missing: VM1."));
    story.finish().await;
}
