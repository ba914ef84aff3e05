//! The night when AWS is down: `ajar rules`, `ajar shut` and `ajar open`, with a login at Azure alone.

use crate::tool::{Ran, Tool};
use access::lease::Timestamp;
use ajar_tests::{ANA, BEA, Story};
use sandbox::azure::{NIC_NSG, NSG};
use serde_json::{Value, json};

const FROM: &str = "203.0.113.7";
/// Longer than Resource Graph is behind, and a tick.
const FOUND_SECONDS: u64 = 6 * 60;
const OPEN: [&str; 10] = [
    "open",
    "VM3",
    "22",
    "--from",
    FROM,
    "--for",
    "30m",
    "--break-glass",
    "--because",
    "the table does not answer",
];

async fn begin() -> (Story, Tool) {
    let story = Story::begin().await;
    let tool = Tool::new(story.sandbox(), &story.world).without_aws();
    (story, tool)
}

async fn names(story: &Story) -> Vec<(String, Value)> {
    story.azure.rules_of_ours().await.into_iter().map(|(nsg, rule)| (nsg, rule["name"].clone())).collect()
}

#[track_caller]
fn refused(ran: &Ran, code: u8, why: &str) {
    assert!(ran.code == code && ran.errors.contains(why), "{}: {}{}", ran.code, ran.output, ran.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_is_listed_and_shut_without_aws() {
    let (story, tool) = begin().await;
    let none = tool.run(&["rules"], "").await;
    assert_eq!((none.code, none.output.as_str()), (0, "No rule of this installation is in Azure.\n"));
    let id = story.asked(ANA, "VM3 22 for 30m because patching").await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(names(&story).await.len(), 2, "the subnet's group and the interface's");
    let listed = tool.run(&["rules", "--json"], "").await;
    assert_eq!(listed.code, 0, "{}", listed.errors);
    let rules = listed.json()["rules"].clone();
    assert_eq!(rules.as_array().unwrap().len(), 2);
    assert_eq!(
        (&rules[0]["request"], &rules[0]["requester"], &rules[0]["approved_by"], &rules[0]["ports"]),
        (&json!(id), &json!(ANA), &json!(BEA), &json!("22"))
    );
    let mut wider = Tool::new(story.sandbox(), &story.world).without_aws();
    let other = "00000000-0000-4000-8000-000000000000";
    wider.config["azure"]["subscriptions"].as_array_mut().unwrap().push(json!(other));
    let partly = wider.run(&["rules"], "").await;
    assert!(partly.code == 3 && partly.output.contains(&format!("Not read: {other} (")), "{}", partly.output);
    assert!(partly.output.contains(&id), "what can be read is listed: {}", partly.output);
    let no = tool.run(&["shut", &id.to_lowercase()], "no\n").await;
    refused(&no, 4, "nothing was deleted: answer yes, or say --yes");
    assert!(
        no.errors.contains("Delete 2 rules?") && no.errors.contains("approved by U0BEA"),
        "{}",
        no.errors
    );
    assert_eq!(names(&story).await.len(), 2);
    let yes = tool.run(&["shut", &id], "yes\n").await;
    assert_eq!(yes.code, 0, "{}{}", yes.output, yes.errors);
    let gone =
        format!("jit-sandbox-{id} is gone from {NSG}; 10.0.0.6 22 from {FROM} is shut by Azure's rules: ");
    assert!(yes.output.contains(&gone), "{}", yes.output);
    assert_eq!(names(&story).await, []);
    assert!(!story.lets_in("VM3", 22, FROM));
    refused(&tool.run(&["shut", &id, "--yes"], "").await, 4, "there is no rule of the request");
    // AWS is back: the record learns that somebody has deleted its rule.
    story.advance(90).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_is_shut_and_nothing_else_is_touched() {
    let (story, mut tool) = begin().await;
    let rule = |priority: u64, description: &str| {
        json!({"protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "3389", "sourceAddressPrefix": FROM,
            "destinationAddressPrefix": "10.0.0.5", "access": "Allow", "priority": priority, "direction": "Inbound",
            "description": description})
    };
    let until = |seconds: u64| {
        let end = Timestamp::from_unix(story.now() + seconds);
        format!("Ajar 7F3K9-QXM2P for U0ANA, until {end}, approved by U0BEA")
    };
    let all = [
        ("jit-sandbox-00000-00001", until(60)),
        ("jit-sandbox-00000-00002", until(3600)),
        ("jit-sandbox-00000-00003", "mine".to_owned()),
        ("jit-other-00000-00001", until(60)),
        ("people", "mine".to_owned()),
    ];
    for (priority, (name, description)) in (200..).zip(&all) {
        story.azure.write(NSG, name, &rule(priority, description)).await;
    }
    tool.clock = edge::clock::Clock::with_offset_ms(600_000);
    let listed = tool.run(&["rules"], "").await;
    assert_eq!(listed.code, 1, "something is overdue");
    assert!(
        listed.output.contains("2 rules overdue: `ajar shut --overdue` deletes them."),
        "{}",
        listed.output
    );
    assert!(listed.output.contains("says nothing that can be read") && !listed.output.contains("jit-other"));
    let shut = tool.run(&["shut", "--overdue", "--yes"], "").await;
    // Another rule of ours and one of somebody's still let it in.
    assert_eq!(shut.code, 1, "{}", shut.output);
    assert!(
        shut.output
            .contains("10.0.0.5 3389 from 203.0.113.7 is still open, by the rule jit-sandbox-00000-00002")
    );
    let shut = tool.run(&["shut", "--all", "--yes", "--json"], "").await;
    assert_eq!(
        (shut.code, &shut.json()["rules"][0]["left"]),
        (1, &json!({"open": {"by": "jit-other-00000-00001"}}))
    );
    let left: Vec<Value> =
        story.azure.rules().await.into_iter().map(|(_, rule)| rule["name"].clone()).collect();
    for other in ["jit-other-00000-00001", "people"] {
        assert!(left.contains(&json!(other)), "{left:?}");
        story.azure.delete(NSG, other).await;
    }
    assert_eq!(names(&story).await, []);
    let nothing = tool.run(&["shut", "--all", "--yes"], "").await;
    assert_eq!((nothing.code, nothing.output.as_str()), (0, "There is nothing to shut.\n"));
    refused(&tool.run(&["shut"], "").await, 2, "required");
    refused(&tool.run(&["shut", "--all", "--overdue"], "").await, 2, "cannot be used with");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_a_lock_protects_is_said_to_stay() {
    let (story, tool) = begin().await;
    let id = story.asked(ANA, "VM2 3389 for 30m").await;
    story.click(BEA, &id, "approve").await;
    story.azure.lock(NSG, true).await;
    let shut = tool.run(&["shut", &id, "--yes"], "").await;
    assert_eq!(shut.code, 1);
    let why = format!(
        "jit-sandbox-{id} is still in {NSG}: a lock in Azure forbids it: remove the lock, then do this again"
    );
    assert!(shut.output.contains(&why), "{}", shut.output);
    story.azure.lock(NSG, false).await;
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_glass_opens_and_the_sweep_tells_it_and_shuts_it_at_its_end() {
    let (story, tool) = begin().await;
    let ran = tool.run(&OPEN, "").await;
    assert_eq!(ran.code, 0, "{}{}", ran.output, ran.errors);
    assert!(ran.output.starts_with("VM3 port 22 ("), "{}", ran.output);
    let id = ran.output.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert!(ran.output.ends_with(&format!("ajar shut {id}\n")), "{}", ran.output);
    let rule = json!(format!("jit-sandbox-{id}"));
    assert_eq!(names(&story).await, [(NSG.to_owned(), rule.clone()), (NIC_NSG.to_owned(), rule.clone())]);
    let listed = tool.run(&["rules", "--json"], "").await.json()["rules"][0].clone();
    assert_eq!(
        (&listed["request"], &listed["break_glass"], &listed["approved_by"]),
        (&json!(id), &json!("the table does not answer"), &Value::Null)
    );
    let end = listed["ends_at"].as_u64().unwrap();
    assert!((story.now() + 1700..=story.now() + 1800).contains(&end));
    // AWS is back.
    story.advance(FOUND_SECONDS).await;
    assert!(story.lets_in("VM3", 22, FROM));
    let news = story.channel_news().await;
    let [(first, false), (_, false)] = news.as_slice() else { panic!("once for each group: {news:?}") };
    let expected = " has opened it past all approvals (break-glass), because \u{201c}the table does not answer\u{201d}. By what it says it ends at ";
    assert!(first.contains(expected), "{first}");
    story.advance(end - 10 - story.now()).await;
    assert!(story.lets_in("VM3", 22, FROM), "until its end");
    story.advance(12).await;
    assert!(!story.lets_in("VM3", 22, FROM), "and not longer");
    assert_eq!(names(&story).await, []);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_glass_is_refused_with_what_to_say_instead() {
    let (story, mut tool) = begin().await;
    let with = |change: &[(usize, &'static str)]| {
        let mut arguments = OPEN.to_vec();
        for (at, text) in change {
            arguments[*at] = text;
        }
        arguments
    };
    let without =
        |left_out: &str| -> Vec<&str> { OPEN.into_iter().filter(|word| *word != left_out).collect() };
    for (arguments, code, why) in [
        (without("--break-glass"), 2, "say --break-glass, or type `/jit VM3 22` in Slack"),
        (OPEN[..8].to_vec(), 2, "a break-glass needs a reason"),
        (
            with(&[(4, "203.0.113.0/16")]),
            2,
            "203.0.0.0/16 lets in too many: a break-glass takes an address, or a prefix of /24",
        ),
        (with(&[(4, "here")]), 2, "`here` is not an address"),
        (with(&[(6, "2d")]), 2, "`2d` is not a duration between 1 minute and 24 hours; write --for 30m"),
        (with(&[(2, "http")]), 2, "`http` is not a port"),
        (with(&[(9, " ")]), 2, "the reason is empty"),
        (with(&[(1, "VM33")]), 4, "there is no machine VM33: write one of VM3"),
    ] {
        refused(&tool.run(&arguments, "").await, code, why);
    }
    let scope = tool.config["azure"]["scopes"][0].clone();
    tool.config["azure"]["scopes"][0] = json!(format!("{}-elsewhere", scope.as_str().unwrap()));
    refused(
        &tool.run(&OPEN, "").await,
        2,
        "is outside of the scopes of this installation, so nobody would shut it",
    );
    assert_eq!(names(&story).await, []);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_of_two_groups_fails_nothing_is_left() {
    let (story, tool) = begin().await;
    story.azure.lock_to(NIC_NSG, Some("ReadOnly")).await;
    let ran = tool.run(&OPEN, "").await;
    refused(
        &ran,
        3,
        &format!("not opened, and nothing is left of it: {NIC_NSG}: a lock in Azure forbids it"),
    );
    assert!(ran.errors.contains(&format!("stands in {NSG}")), "the first group had it: {}", ran.errors);
    assert_eq!(names(&story).await, []);
    story.azure.lock_to(NIC_NSG, None).await;
    story.finish().await;
}
