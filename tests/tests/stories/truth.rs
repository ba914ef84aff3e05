//! The checker of what people were told notices what is untrue.

use ajar_tests::{ANA, BEA, Story, truth};
use serde_json::{Value, json};

/// Posts a text as the product would, past the product.
async fn say(story: &Story, text: &str) {
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": text}}]);
    story.post_as_bot(&json!({"channel": "C0JIT", "text": text, "blocks": blocks})).await;
}

/// What the checker says of the last message.
async fn judged(story: &Story) -> Vec<String> {
    let mut messages = story.messages().await;
    let last = messages.split_off(messages.len() - 1);
    let before = truth::check(&messages).len();
    messages.extend(last);
    truth::check(&messages).split_off(before)
}

fn moment(at: u64) -> String {
    format!("<!date^{at}^{{date_short_pretty}} at {{time_secs}}|then>")
}

/// The text of the last card with the moments moved to now: what would be said of it now.
fn text_of(card: &Value) -> String {
    card["body"]["text"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_open_is_noticed() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    let now = story.now();
    let text = format!(
        "VM3 port 22 is open. Open for <@U0ANA> from `203.0.113.7` since {} until {}. By Azure's rules: rule `jit-sandbox-{id}` in `Contoso-NSG` and `VM3-nsg`, decided by `jit-sandbox-{id}`. Azure can take a minute or two until it is felt. Ref {id}",
        moment(now),
        moment(now + 1800)
    );
    say(&story, &text).await;
    let wrong = judged(&story).await;
    assert!(wrong.iter().any(|why| why.contains("Contoso-NSG has no rule of it")), "{wrong:?}");
    assert!(wrong.iter().any(|why| why.contains("port 22 does not let the requester in")), "{wrong:?}");

    // The same words while the rule stands are true, and untrue again of another address.
    let other = Story::begin().await;
    let id = other.asked(ANA, "VM3 22 for 30m").await;
    other.click(BEA, &id, "approve").await;
    let open = text_of(&other.card(&id).await);
    say(&other, &open).await;
    assert_eq!(judged(&other).await, [""; 0]);
    say(&other, &open.replace("203.0.113.7", "198.51.100.9")).await;
    assert!(judged(&other).await[0].contains("the source is 203.0.113.7"));
    // Its card claims it after its end, and after what a delivery may take.
    other.to_next_end().await;
    other.advance(5).await;
    let count = truth::check(&other.messages().await).len();
    say(&other, &open).await;
    let wrong = truth::check(&other.messages().await).split_off(count);
    assert!(wrong.iter().any(|why| why.contains("its time is over")), "{wrong:?}");
    abandon(story).await;
    abandon(other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrue_shut_is_noticed() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    let text = format!(
        "VM3 port 22 is shut. <@U0BEA> ended it early. Shut at {}. By Azure's rules: `DenyAllInBound` decides. Sessions that were open then are not cut. Ref {id}",
        moment(story.now())
    );
    say(&story, &text).await;
    let wrong = judged(&story).await;
    assert!(wrong.iter().any(|why| why.contains("a rule of it exists")), "{wrong:?}");
    assert!(wrong.iter().any(|why| why.contains("the requester is let in")), "{wrong:?}");
    abandon(story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_untruth_is_noticed() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m").await;
    story.click(BEA, &id, "approve").await;
    let now = moment(story.now());
    for (text, expected) in [
        (
            format!("VM3 port 22: lapsed. Nobody decided by {now}. Nothing was opened. Ref {id}"),
            "a rule of it has existed",
        ),
        (
            format!(
                "VM3 port 22: grant shut, rule not yet removed. <@U0BEA> ended it early. The rule denies now; a lock in Azure forbids to remove it. Tried again each hour. Ref {id}"
            ),
            "a rule of it does not deny",
        ),
        (
            format!(
                "VM3 port 22: the grant has ended. Its time is over. Our rule was removed at {now}; VM3 port 22 is still open by the rule `allow-http`. Ref {id}"
            ),
            "its time is not over",
        ),
        (
            format!(
                "VM3 port 22: closing. It was open until {}. The rule is being removed. Ref {id}",
                moment(story.now() + 60)
            ),
            "its time is not over",
        ),
        (
            format!(
                "VM3 port 22: denied. <@U0BEA> denied it at {}. Nothing was opened. Ref {id}",
                moment(story.now() + 60)
            ),
            "has not come",
        ),
        (format!("VM3 port 22 is wide open. Ref {id}"), "a wording that is not known"),
        (
            format!("VM3 port 22: closing. It rained. Making sure that it is shut. Ref {id}"),
            "a reason that is not known",
        ),
    ] {
        let before = truth::check(&story.messages().await).len();
        say(&story, &text).await;
        let wrong = truth::check(&story.messages().await).split_off(before);
        assert!(wrong.iter().any(|why| why.contains(expected)), "{text}: {wrong:?}");
    }
    abandon(story).await;
}

/// Ends a story whose messages are untrue on purpose: that alone must fail it.
async fn abandon(story: Story) {
    for id in story.requests().await {
        if story.status(&id).await == "PENDING" {
            story.deny(BEA, &id).await;
        } else if story.status(&id).await == "OPEN" {
            story.revoke(&id, BEA).await;
        }
    }
    let finished = tokio::spawn(story.finish()).await;
    let why = finished.unwrap_err().into_panic();
    let why = why.downcast_ref::<String>().unwrap();
    assert!(why.starts_with("after the story:"), "{why}");
    assert!(why.lines().skip(1).all(|line| line.starts_with("at ")), "only what was said is wrong: {why}");
}
