//! Several people, several groups, and everything twice.

use ajar_tests::deciding::reason_given;
use ajar_tests::{ANA, BEA, CHRIS, Story};

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_delivered_twice() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let click = story.signed_click(BEA, &id, "approve").await;
    let twice = futures::future::join(
        story.deliver("slack_interaction_url", &click),
        story.deliver("slack_interaction_url", &click),
    );
    let (first, second) = twice.await;
    assert_eq!((first.0, second.0), (200, 200));
    story.settle().await;
    assert_eq!(story.deliver("slack_interaction_url", &click).await.0, 200, "and once more, later");
    story.settle().await;
    assert_eq!(story.record(&id).await.approvals().len(), 1);
    assert_eq!(story.azure.rules_of_ours().await.len(), 2, "one in each group");
    story.to_next_end().await;
    // Far outside of Slack's window the same body is nothing.
    assert_eq!(story.deliver("slack_interaction_url", &click).await.0, 401);
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvers_click_at_once() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    futures::future::join(
        story.click_in_slack(BEA, &id, "approve"),
        story.click_in_slack(CHRIS, &id, "approve"),
    )
    .await;
    story.settle().await;
    let approvals = story.record(&id).await;
    let [approval] = approvals.approvals() else { panic!("{:?}", approvals.approvals()) };
    let (winner, loser) = if approval.by.as_str() == BEA { (BEA, CHRIS) } else { (CHRIS, BEA) };
    let told = story.told(loser).await;
    assert!(told[0].starts_with(&format!("Too late: <@{winner}> approved this at ")), "{told:?}");
    story.felt().await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approve_and_deny_at_once() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click_in_slack(CHRIS, &id, "deny").await;
    let (yes, values) = (story.signed_click(BEA, &id, "approve").await, reason_given("not now"));
    let (approved, denied) = futures::future::join(
        story.deliver("slack_interaction_url", &yes),
        story.world.slack.submit_view(CHRIS, &values),
    )
    .await;
    assert_eq!((approved.0, denied.unwrap().status), (200, Some(200)));
    story.settle().await;
    match story.status(&id).await {
        "OPEN" => story.to_next_end().await,
        status => assert_eq!(status, "CLOSED"),
    }
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_typed_again() {
    let story = Story::begin().await;
    let command = story.command(ANA, "VM3 22 for 30m");
    let first = story.ask_signed(ANA, &command).await;
    let again = story.ask_signed(ANA, &command).await;
    let id = first.rsplit_once("Ref ").unwrap().1;
    assert!(again.starts_with("You asked for ") && again.ends_with(id), "{again}");
    let typed = story.ask(ANA, "vm3 ssh").await;
    assert!(typed.contains("that request waits for a decision.") && typed.ends_with(id), "{typed}");
    story.settle().await;
    story.click(BEA, id, "approve").await;
    let typed = story.ask(ANA, "VM3 22").await;
    assert!(typed.contains("that request is open.") && typed.ends_with(id), "{typed}");
    let other = story.asked(ANA, "VM3 22 from 198.51.100.9").await;
    assert_ne!(other, id, "another address is another request");
    story.deny(BEA, &other).await;
    assert_eq!(story.requests().await.len(), 2);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_each_group_on_the_way() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    story.felt().await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    let groups: Vec<String> = story.azure.rules_of_ours().await.into_iter().map(|(group, _)| group).collect();
    assert_eq!(groups, ["Contoso-NSG", "VM3-nsg"]);
    let rule =
        format!("rule `jit-sandbox-{id}` in `Contoso-NSG` and `VM3-nsg`, decided by `jit-sandbox-{id}`.");
    assert!(story.says(&id).await.contains(&rule), "{}", story.says(&id).await);
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_of_two_people_do_not_shorten_each_other() {
    let story = Story::begin().await;
    let short = story.asked(ANA, "VM3 22 for 10m").await;
    let long = story.asked(BEA, "VM3 22 for 40m").await;
    futures::future::join(story.click(CHRIS, &short, "approve"), story.click(CHRIS, &long, "approve")).await;
    assert_eq!(story.azure.rules_of_ours().await.len(), 4, "one of each in each group");
    story.to_next_end().await;
    let card = story.says(&short).await;
    assert!(
        card.contains("VM3 port 22 is still open by the rule `jit-sandbox-") && card.contains(&long),
        "{card}"
    );
    story.advance(28 * 60).await;
    assert!(story.lets_in("VM3", 22, "203.0.113.7"), "the longer grant runs to its own end");
    story.to_next_end().await;
    assert!(!story.lets_in("VM3", 22, "203.0.113.7"));
    assert!(story.says(&long).await.starts_with("VM3 port 22 is shut."));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_in_one_group() {
    let story = Story::begin().await;
    let mut ids = vec![];
    for machine in ["VM1 3389", "VM2 3389", "VM3 22", "VM4 5985 from 203.0.113.7"] {
        ids.push(story.asked(ANA, &format!("{machine} for 30m")).await);
    }
    futures::future::join_all(ids.iter().map(|id| story.click(BEA, id, "approve"))).await;
    // Those that found the group's lock taken for too long are taken up again.
    story.advance(3 * 60).await;
    for id in &ids {
        assert_eq!(story.status(id).await, "OPEN");
    }
    story.advance(31 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shut_is_opened_anew() {
    let story = Story::begin().await;
    let first = story.asked(ANA, "VM3 22 for 10m").await;
    story.click(BEA, &first, "approve").await;
    story.to_next_end().await;
    assert!(story.says(&first).await.starts_with("VM3 port 22 is shut."));
    let second = story.asked(ANA, "VM3 22 for 1h").await;
    story.click(BEA, &second, "approve").await;
    let before = story.card(&first).await;
    // The first one is settled, and nothing is said of it anew: it would not be true now.
    story.advance(31 * 60).await;
    assert_eq!(story.history(&first).await.last(), Some(&serde_json::json!("settled")));
    assert_eq!(story.card(&first).await["seq"], before["seq"]);
    story.to_next_end().await;
    story.finish().await;
}
