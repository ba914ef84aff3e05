//! Saying no with a reason, ending early, and saying that an approval was not one's own.

use ajar_tests::deciding::reason_given;
use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use serde_json::{Value, json};

const FROM: &str = "203.0.113.7";

/// What somebody was told last.
async fn last_told(story: &Story, user: &str) -> String {
    story.told(user).await.pop().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_denies_is_asked_why() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click_in_slack(CHRIS, &id, "deny").await;
    let form = story.form(CHRIS);
    assert_eq!(form["callback_id"], "deny");
    let shown = form["blocks"][0]["text"]["text"].as_str().unwrap();
    assert_eq!(
        shown,
        "<@U0ANA> asks for VM3 port 22 from 203.0.113.7 for 30 minutes. Your reason is shown on the card, and to them."
    );
    assert_eq!(story.status(&id).await, "PENDING", "nothing is denied before there is a reason");

    let empty = story.signed_denial(CHRIS, &id, " \u{202E} ").await;
    let (status, body) = story.deliver("slack_interaction_url", &empty).await;
    let problem =
        json!({"response_action": "errors", "errors": {"reason": "Write why: whoever asked reads it."}});
    assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()), (200, problem));
    let sent = story.world.slack.submit_view(CHRIS, &reason_given("*no* <!channel> not now")).await.unwrap();
    assert_eq!((sent.status, sent.error, sent.view), (Some(200), None, None), "the form closes");
    story.settle().await;
    let said = story.says(&id).await;
    assert!(said.starts_with("VM3 port 22: denied. <@U0CHRIS> denied it at "), "{said}");
    assert!(said.contains(": \u{201c}no &lt;!channel&gt; not now\u{201d}. Nothing was opened."), "{said}");
    assert!(last_told(&story, ANA).await.starts_with("VM3 port 22: denied. <@U0CHRIS> denied it at "));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_comes_too_late_or_twice_changes_nothing() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click_in_slack(CHRIS, &id, "deny").await;
    story.click(BEA, &id, "approve").await;
    let sent = story.world.slack.submit_view(CHRIS, &reason_given("not now")).await.unwrap();
    let view = sent.view.unwrap();
    assert_eq!(view["title"]["text"], "Nothing was changed");
    let why = view["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(why.starts_with("Too late: <@U0BEA> approved this at "), "{why}");
    assert_eq!(story.status(&id).await, "OPEN");
    story.to_next_end().await;

    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let denial = story.signed_denial(CHRIS, &id, "not now").await;
    for _ in 0..2 {
        assert_eq!(story.deliver("slack_interaction_url", &denial).await, (200, String::new()));
        story.settle().await;
    }
    assert_eq!(story.record(&id).await.version(), 2, "denied once");
    // Somebody who may not decide gets no form, and a form that they make is not taken.
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    for user in [EVE, ANA] {
        story.click_in_slack(user, &id, "deny").await;
        assert_eq!(story.form(user), Value::Null);
        let forged = story.signed_denial(user, &id, "not now").await;
        let (status, body) = story.deliver("slack_interaction_url", &forged).await;
        assert_eq!(status, 200);
        assert!(body.contains("\"response_action\":\"update\""), "{body}");
        assert_eq!(story.status(&id).await, "PENDING");
    }
    story.deny(BEA, &id).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ended_from_its_card_by_who_asked_or_could_approve() {
    let story = Story::begin().await;
    for (user, by) in [(ANA, "<@U0ANA>"), (CHRIS, "<@U0CHRIS>")] {
        let id = story.asked(ANA, "VM3 22 for 30m").await;
        story.click(BEA, &id, "approve").await;
        story.felt().await;
        assert!(story.lets_in("VM3", 22, FROM));
        let card = story.card(&id).await;
        let (channel, ts) = (card["channel"].as_str().unwrap(), card["ts"].as_str().unwrap());
        let block = format!("end-{id}");
        story.world.slack.click(EVE, channel, ts, &block, "end").await.unwrap();
        story.settle().await;
        assert!(last_told(&story, EVE).await.starts_with("You cannot end this; <@U0ANA>, "));
        assert_eq!(story.status(&id).await, "OPEN");

        story.world.slack.click(user, channel, ts, &block, "end").await.unwrap();
        story.settle().await;
        assert!(!story.lets_in("VM3", 22, FROM));
        let said = story.says(&id).await;
        assert!(said.starts_with(&format!("VM3 port 22 is shut. {by} ended it early.")), "{said}");
        // The card that somebody else still sees.
        let late = story.signed_click_on(CHRIS, "end", &story.button(&id).await);
        assert_eq!(story.deliver("slack_interaction_url", &late).await.0, 200);
        assert_eq!(story.status(&id).await, "CLOSED");
    }
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ended_and_taken_back_by_command() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let taken_back = story.ask(ANA, "close vm3").await;
    assert_eq!(taken_back, format!("You have taken VM3 port 22 back. Nothing was opened. Ref {id}"));
    story.settle().await;
    assert!(story.says(&id).await.starts_with("VM3 port 22: taken back."));

    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    let nothing = story.ask(ANA, "close VM3 3389").await;
    assert!(nothing.starts_with("Nothing that you could end waits or is open on `VM3`."), "{nothing}");
    assert!(story.ask(EVE, "close VM3 22").await.starts_with("Nothing that you could end "));
    assert!(story.ask(EVE, &format!("close {id}")).await.starts_with("There is no such request."));
    let ended = story.ask(CHRIS, "close VM3 22").await;
    assert_eq!(
        ended,
        format!("You have ended VM3 port 22. It is being shut; its card says when it is. Ref {id}")
    );
    story.settle().await;
    assert!(!story.lets_in("VM3", 22, FROM));
    let again = story.ask(ANA, &format!("close {}", id.to_ascii_lowercase())).await;
    assert!(again.starts_with("Too late: it has ended at "), "{again}");

    // Two people are in; who could approve says which.
    let ours = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(CHRIS, &ours, "approve").await;
    let other = story.asked(BEA, "VM3 22 from 203.0.113.7 for 30m").await;
    story.click(CHRIS, &other, "approve").await;
    let several = story.ask(CHRIS, "close VM3 22").await;
    assert!(
        several.starts_with("Several people have it open, or about to be. Type `/jit close "),
        "{several}"
    );
    assert!(several.contains(&format!("`/jit close {ours}` for <@U0ANA>")), "{several}");
    let own = story.ask(BEA, "close VM3 22").await;
    assert!(own.ends_with(&other), "one's own goes before those that one could end: {own}");
    story.ask(CHRIS, &format!("close {ours}")).await;
    story.settle().await;
    assert_eq!((story.status(&ours).await, story.status(&other).await), ("CLOSED", "CLOSED"));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_was_not_ones_own_is_shut_and_freezes() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    story.felt().await;
    assert!(story.lets_in("VM3", 22, FROM));
    let told = last_told(&story, BEA).await;
    assert!(
        told.starts_with("You approved VM3 port 22 from 203.0.113.7 for 30 minutes for <@U0ANA> at "),
        "{told}"
    );
    assert!(story.told(CHRIS).await.is_empty(), "who did not approve is not told");

    story.press_direct(BEA, "not_me").await;
    assert!(!story.lets_in("VM3", 22, FROM));
    assert!(last_told(&story, BEA).await.starts_with("Ajar shuts what was opened with it"));
    let said = story.says(&id).await;
    assert!(
        said.starts_with("VM3 port 22 is shut. <@U0BEA> says that the approval in their name is not theirs."),
        "{said}"
    );
    let news = story.channel_news().await;
    let alarm = news.iter().find(|(text, _)| text.starts_with("*Not me*: <@U0BEA> said at ")).unwrap();
    assert!(alarm.0.contains("Admins: <@U0CHRIS>.") && !alarm.1, "{alarm:?}");
    // Said once, however often it is pressed.
    story.press_direct(BEA, "not_me").await;
    let alarms = story.channel_news().await;
    assert_eq!(alarms.iter().filter(|(text, _)| text.starts_with("*Not me*")).count(), 1);

    // Nothing is decided in their name.
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    for action in ["approve", "deny"] {
        story.click_in_slack(BEA, &id, action).await;
        story.settle().await;
        assert!(last_told(&story, BEA).await.starts_with("Your clicks do not count since "));
    }
    assert_eq!((story.status(&id).await, story.form(BEA)), ("PENDING", Value::Null));
    // Only an admin lifts it.
    assert_eq!(story.ask(ANA, "unfreeze <@U0BEA>").await, "Only admins can do this: <@U0CHRIS>.");
    assert_eq!(
        story.ask(CHRIS, "unfreeze <@U0BEA|bea>").await,
        "Clicks of <@U0BEA> count again. The channel is told."
    );
    story.settle().await;
    let news = story.channel_news().await;
    assert!(news.last().unwrap().0.starts_with("<@U0CHRIS> has lifted at "), "{news:?}");
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN");
    story.advance(31 * 60).await;
    story.finish().await;
}

/// Two of three approve.
fn two_of_three() -> String {
    sandbox::host::wiring::POLICY.replace(
        "approvers = [\"U0BEA\", \"U0CHRIS\"]",
        "approvers = [\"U0BEA\", \"U0CHRIS\", \"U0EVE\"]\napprovals = 2",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_two_that_was_not_ones_own() {
    let story = Story::begin_with(&two_of_three()).await;
    let disowned = story.asked(ANA, "VM3 22 for 30m").await;
    let other = story.asked(ANA, "VM3 3389 for 30m").await;
    story.click(BEA, &disowned, "approve").await;
    story.click(BEA, &other, "approve").await;
    let value = story.button(&disowned).await;
    let not_me = story.signed_click_on(BEA, "not_me", &value);
    assert_eq!(story.deliver("slack_interaction_url", &not_me).await.0, 200);
    story.settle().await;
    let said = story.says(&disowned).await;
    assert!(said.starts_with("VM3 port 22: not approved. <@U0BEA> said at "), "{said}");
    assert_eq!(
        story.history(&disowned).await.pop(),
        Some(json!({"closed": {"closure": {"disowned": {"by": BEA}}}}))
    );
    // What else was approved in their name is not opened by it either.
    story.click(CHRIS, &other, "approve").await;
    let said = story.says(&other).await;
    assert!(
        said.contains(
            "The approval does not hold: clicks of <@U0BEA> do not count until an admin lifts that."
        ),
        "{said}"
    );
    assert_eq!(story.status(&other).await, "CLOSED");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_whose_clicks_do_not_count_lifts_nothing() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(CHRIS, &id, "approve").await;
    story.press_direct(CHRIS, "not_me").await;
    for command in ["unfreeze <@U0CHRIS>", "lockdown", "lift"] {
        let said = story.ask(CHRIS, command).await;
        assert!(said.starts_with("Your clicks do not count since "), "{command}: {said}");
    }
    story.finish().await;
}
