//! `/jit why`: what stands between a person and a port, read from Azure within seconds.

use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use sandbox::azure::{NSG, Power};
use serde_json::json;

const LOOKING: &str = "Looking; the answer comes here in a few seconds.";
const RUNS: &str = "• The machine runs.";
const WATCHER: &str =
    "• Network Watcher, Azure's own check, is asked only when a grant opens and when it is shut.";

/// What somebody is told after they asked why: the lines behind the title.
async fn told(story: &Story, user: &str, text: &str) -> Vec<String> {
    assert_eq!(story.type_in_slack(user, text).await, LOOKING);
    story.settle().await;
    let told = story.told(user).await.pop().unwrap();
    let (title, lines) = told.split_once('\n').unwrap_or((&told, ""));
    assert!(title.starts_with("*VM3 port 22") && title.contains("*, as Ajar saw it at <!date^"), "{told}");
    lines.lines().map(str::to_owned).collect()
}

/// What is said of an address that no grant lets in.
fn not_let_in(source: &str) -> String {
    format!(
        "• By Azure's rules `{source}` is not let in: the rule `DenyAllInBound` in `{NSG}` denies. That is so as long as no grant is open for this address."
    )
}

async fn open(story: &Story) -> String {
    let id = story.asked(ANA, "VM3 22 for 1h").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_in_the_way_is_told_with_what_to_type() {
    let story = Story::begin().await;
    let nothing = "• You have no grant for it now. Type `/jit VM3 22 from 203.0.113.7`.";
    let lines = told(&story, ANA, "why VM3 22").await;
    assert_eq!(lines, [nothing, RUNS, not_let_in("203.0.113.7").as_str(), WATCHER]);

    let id = story.asked(ANA, "VM3 22 for 1h").await;
    let waits = told(&story, ANA, "why vm3 22").await;
    assert!(waits[0].starts_with("• Your request waits for a decision until "), "{waits:?}");
    assert!(waits[0].ends_with(&format!("; nothing is open before that. Ref {id}")), "{waits:?}");
    let others = told(&story, BEA, "why VM3 22").await;
    assert_eq!(others[0], nothing, "another's request is none of theirs");

    story.click(BEA, &id, "approve").await;
    story.felt().await;
    let lines = told(&story, ANA, "why VM3 22").await;
    assert!(lines[0].starts_with("• You have a grant from `203.0.113.7` until "), "{lines:?}");
    let rule = format!("jit-sandbox-{id}");
    let let_in = format!(
        "• By Azure's rules `203.0.113.7` is let in, by the rule `{rule}` in `{NSG}` and the rule `{rule}` in `VM3-nsg`. "
    );
    assert!(lines[2].starts_with(&let_in), "{lines:?}");

    // From another address than the grant's.
    let moved = told(&story, ANA, "why VM3 22 from 198.51.100.9").await;
    assert_eq!(
        moved,
        [
            format!(
                "• Your grant lets in `203.0.113.7` and no other address. If you come from another one now, type `/jit VM3 22 from 198.51.100.9`. Ref {id}"
            ),
            RUNS.to_owned(),
            not_let_in("198.51.100.9"),
            WATCHER.to_owned(),
        ]
    );
    // A port that the grant is not about.
    assert_eq!(story.type_in_slack(ANA, "why VM3 3389").await, LOOKING);
    story.settle().await;
    let other = story.told(ANA).await.pop().unwrap();
    assert!(
        other.contains("\n• You have no grant for it now. Type `/jit VM3 3389 from 203.0.113.7`.\n"),
        "{other}"
    );
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_off_and_a_rule_before_ours() {
    let story = Story::begin().await;
    open(&story).await;
    // Until the next tick ends the grant.
    let deny = json!({
        "protocol": "*", "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*",
        "destinationPortRange": "22", "access": "Deny", "priority": 101, "direction": "Inbound",
    });
    story.azure.write(NSG, "no-ssh", &deny).await;
    let lines = told(&story, ANA, "why VM3 22").await;
    assert!(lines[0].starts_with("• You have a grant from "), "{lines:?}");
    assert_eq!(
        lines[2],
        format!(
            "• By Azure's rules `203.0.113.7` is not let in: the rule `no-ssh` in `{NSG}` denies. Ask whoever runs the network about that rule: it decides before your grant."
        )
    );
    story.advance(60 * 60).await;
    assert!(story.world.azure.set_power("VM3", Power::Deallocated).await);
    let lines = told(&story, ANA, "why VM3 22").await;
    assert_eq!(lines[1], "• The machine is deallocated: nobody can connect. Start it in Azure.");
    assert!(story.world.azure.delete_machine("VM3").await);
    let lines = told(&story, ANA, "why VM3 22").await;
    assert_eq!(lines[1..], ["• The machine does not exist any more in Azure."]);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_ask_and_what_is_said_where_azure_is_silent() {
    let story = Story::begin().await;
    let refused = story.type_in_slack(EVE, "why VM3 22").await;
    assert_eq!(refused, "You may not ask for this machine; <@U0ANA>, <@U0BEA> or <@U0CHRIS> may.");
    let unknown = story.type_in_slack(ANA, "why VM9 22").await;
    assert_eq!(
        unknown,
        "There is no machine `VM9` here. Did you mean VM1, VM2, VM3 or VM4? Ask an admin whether Ajar knows its subscription."
    );
    // Typed where Slack gives no address for a later answer.
    let at_once = story.ask(ANA, "why VM3 22").await;
    assert_eq!(at_once, "Slack gave no address for the answer, so nothing was looked at. Type it again.");
    story.settle().await;
    assert!(story.told(ANA).await.is_empty() && story.told(EVE).await.is_empty(), "nothing was looked at");

    story.ask(CHRIS, "lockdown vm3").await;
    let locked = story.type_in_slack(ANA, "why VM3 22").await;
    assert!(locked.starts_with("<@U0CHRIS> has locked down the machines `vm3` at "), "{locked}");
    assert!(
        locked.ends_with(&format!(": nothing is opened until an admin lifts that. {LOOKING}")),
        "{locked}"
    );
    story.ask(CHRIS, "lift").await;
    story.settle().await;

    let down = json!({"part": "arm", "how": {"answer": {"status": 503}}, "count": 100_000});
    story.fault(down).await;
    let lines = told(&story, ANA, "why VM3 22").await;
    assert_eq!(
        lines[1..],
        [
            "• Azure did not say how the machine and its rules stand now. Type `/jit why VM3 22` again in a minute."
        ]
    );
    story.no_faults().await;
    story.finish().await;
}
