//! An admin locks machines down.

use ajar_tests::{ANA, BEA, CHRIS, Story};

const MINE: &str = "203.0.113.7";

async fn open(story: &Story, text: &str) -> String {
    let id = story.asked(ANA, text).await;
    story.click(BEA, &id, "approve").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_is_shut_and_nothing_opens_until_it_is_lifted() {
    let story = Story::begin().await;
    let vm3 = open(&story, "VM3 22 for 2h").await;
    let vm1 = open(&story, "VM1 3389 for 2h").await;
    let waiting = story.asked(ANA, "VM4 22 from 203.0.113.7 for 10m").await;
    assert_eq!(story.ask(BEA, "lockdown").await, "Only admins can do this: <@U0CHRIS>.");

    let said = story.ask(CHRIS, "lockdown vm3").await;
    assert!(said.starts_with("The machines `vm3` are locked down: "), "{said}");
    story.settle().await;
    assert_eq!(story.status(&vm3).await, "CLOSED");
    assert!(story.says(&vm3).await.contains("<@U0CHRIS> ended it early."));
    assert!(!story.lets_in("VM3", 22, MINE));
    assert_eq!(story.status(&vm1).await, "OPEN", "another machine");
    let refused = story.ask(ANA, "VM3 22 for 5m").await;
    assert!(refused.starts_with("<@U0CHRIS> has locked down the machines `vm3` at "), "{refused}");

    story.ask(CHRIS, "lockdown").await;
    story.settle().await;
    assert_eq!(story.status(&vm1).await, "CLOSED");
    // What was asked for before is not opened either.
    story.click(BEA, &waiting, "approve").await;
    assert_eq!(story.status(&waiting).await, "CLOSED");
    let says = story.says(&waiting).await;
    assert!(
        says.contains("<@U0CHRIS> has locked it down: nothing is opened until an admin lifts that."),
        "{says}"
    );
    assert!(story.azure.rules_of_ours().await.is_empty());

    assert_eq!(
        story.ask(CHRIS, "lift db*").await,
        "That is not locked down. Type `/jit lift vm3` or `/jit lift *`."
    );
    assert!(story.ask(CHRIS, "lift *").await.starts_with("The lockdown of every machine is lifted."));
    story.settle().await;
    let id = open(&story, "VM1 3389 for 5m").await;
    assert!(story.ask(ANA, "VM3 22 for 5m").await.contains("has locked down the machines `vm3`"));
    assert!(story.ask(CHRIS, "lift").await.starts_with("Every lockdown is lifted."));
    assert_eq!(story.ask(CHRIS, "lift").await, "Nothing is locked down.");
    story.settle().await;
    open(&story, "VM3 22 for 5m").await;
    story.to_next_end().await;
    story.advance(300).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    let news: Vec<String> = story.channel_news().await.into_iter().map(|(text, _)| text).collect();
    let begun =
        news.iter().filter(|text| text.starts_with("*Lockdown*: <@U0CHRIS> has locked down ")).count();
    let lifted = news.iter().filter(|text| text.starts_with("*Lockdown lifted*: <@U0CHRIS>")).count();
    assert_eq!((begun, lifted), (2, 2), "each told once: {news:?}");
    story.finish().await;
}
