//! Somebody's address changes, and their grant moves with them.

use ajar_tests::address::{CAFE, HOME};
use ajar_tests::{ANA, BEA, EVE, Story};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

const HERE: &str = "203.0.113.7";
const THERE: &str = "198.51.100.9";

/// A grant of Ana's for half an hour, and when it ends.
async fn granted(story: &Story) -> (String, u64) {
    let id = story.asked(ANA, &format!("VM3 22 from {HERE} for 30m because patching")).await;
    story.click(BEA, &id, "approve").await;
    story.felt().await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    (id.clone(), ends_at(story, &id).await)
}

async fn ends_at(story: &Story, id: &str) -> u64 {
    story.record(id).await.granted().unwrap().expires_at().unix()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_opens_there_and_shuts_here() {
    let story = Story::begin().await;
    let (old, until) = granted(&story).await;
    story.advance(10 * 60).await;
    let new = story.asked(ANA, &format!("move {old} from {THERE}")).await;
    let card = story.says(&new).await;
    assert!(
        card.starts_with(
            "VM3 port 22: waiting for approval. <@U0ANA> asks for VM3 port 22 from 198.51.100.9 until <!date^"
        ),
        "{card}"
    );
    assert!(card.contains(&format!(", in place of {old} from {HERE}.")), "{card}");
    assert!(card.contains(&format!("*Moves* {old} from `{HERE}` to `{THERE}`. That one is shut once this one is open; this one ends when that one would have, at <!date^{until}^")), "{card}");
    assert!(card.contains("Why: \u{201c}patching\u{201d}."), "{card}");
    // Until then nothing changes.
    assert_eq!(story.status(&old).await, "OPEN");
    assert!(story.lets_in("VM3", 22, HERE) && !story.lets_in("VM3", 22, THERE));

    // However late it is approved, it ends when the old one would have.
    story.advance(5 * 60).await;
    story.click(BEA, &new, "approve").await;
    story.felt().await;
    assert_eq!(story.status(&new).await, "OPEN", "{}", story.says(&new).await);
    assert_eq!(ends_at(&story, &new).await, until);
    assert!(story.lets_in("VM3", 22, THERE));
    assert_eq!(story.status(&old).await, "CLOSED", "no tick was needed");
    assert!(!story.lets_in("VM3", 22, HERE));
    let moved = format!("<@U0ANA> moved it to another address, with {new}.");
    let card = story.says(&old).await;
    assert!(card.starts_with(&format!("VM3 port 22 is shut. {moved} Shut at ")), "{card}");
    assert!(story.told(ANA).await.iter().any(|text| text.contains(&moved)), "{:?}", story.told(ANA).await);
    let closing = json!({"closing": {"cause": {"moved": {"by": ANA, "to": new}}}});
    assert!(story.history(&old).await.contains(&closing), "{:?}", story.history(&old).await);
    let shown = story.ask(ANA, &format!("show {old}")).await;
    assert!(shown.contains(&format!("Ajar began to shut it. The reason then: {moved}")), "{shown}");

    story.to_next_end().await;
    assert!(story.now() >= until && story.now() < until + 3, "{} is not {until}", story.now());
    assert_eq!(story.status(&new).await, "CLOSED");
    assert!(!story.lets_in("VM3", 22, THERE));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_opens_leaves_the_old_one_to_its_end() {
    let story = Story::begin().await;
    let (old, until) = granted(&story).await;
    let denied = story.asked(ANA, &format!("move VM3 22 from {THERE}")).await;
    // Typed again, it is the same; to another address, the first stands in the way.
    let again = story.ask(ANA, &format!("move {old} from {THERE}")).await;
    assert!(again.ends_with(&format!("Ref {denied}")), "{again}");
    let other = story.ask(ANA, &format!("move {old} from 198.51.100.77")).await;
    assert_eq!(
        other,
        format!(
            "Another request of yours moves it already. Take that one back first, with `/jit close {denied}`. Ref {denied}"
        )
    );
    story.deny(BEA, &denied).await;
    assert_eq!(story.status(&old).await, "OPEN");
    let card = story.says(&denied).await;
    assert!(card.contains(&format!("It was asked for to move {old} from `{HERE}` to `{THERE}`.")), "{card}");
    // Nobody decides: it lapses with the old one's end, and not an hour later.
    let lapses = story.asked(ANA, &format!("move {old} from {THERE}")).await;
    assert_eq!(story.record(&lapses).await.wish().lapses_at.unix(), until);
    // Azure refuses another one.
    let taken = story.ask(ANA, &format!("close {lapses}")).await;
    assert!(taken.starts_with("You have taken VM3 port 22 back."), "{taken}");
    let refused = story.asked(ANA, &format!("move {old} from {THERE}")).await;
    let body = json!({"error": {"code": "AuthorizationFailed", "message": "No."}});
    let how = json!({"answer": {"status": 403, "body": body}});
    story
        .fault(json!({"part": "arm", "method": "PUT", "path": "securityRules", "how": how, "count": 9}))
        .await;
    story.click(BEA, &refused, "approve").await;
    assert_eq!(story.status(&refused).await, "CLOSED");
    story.no_faults().await;
    story.advance(60).await;
    assert_eq!(story.status(&old).await, "OPEN");
    assert!(story.lets_in("VM3", 22, HERE));
    story.to_next_end().await;
    assert_eq!((story.status(&old).await, ends_at(&story, &old).await), ("CLOSED", until));
    assert!(story.says(&old).await.contains("Its time is over."));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_what_to_type_instead() {
    let story = Story::begin().await;
    let (old, until) = granted(&story).await;
    let no_such = format!(
        "You have no grant {old} to move. Only who asked for a grant moves it; `/jit list` shows yours."
    );
    for user in [EVE, BEA] {
        assert_eq!(story.ask(user, &format!("move {old} from {THERE}")).await, no_such);
        let nothing = story.ask(user, &format!("move VM3 22 from {THERE}")).await;
        assert!(nothing.starts_with("Nothing of yours is open on `VM3`."), "{nothing}");
    }
    let same = story.ask(ANA, &format!("move {old} from {HERE}")).await;
    assert_eq!(
        same,
        format!("VM3 port 22 is granted for `{HERE}` already, so there is nothing to move. Ref {old}")
    );
    let waits = story.asked(ANA, "VM2 3389 for 10m").await;
    let undecided = story.ask(ANA, &format!("move {waits} from {THERE}")).await;
    assert!(undecided.contains(&format!("Take it back with `/jit close {waits}`")), "{undecided}");
    story.deny(BEA, &waits).await;
    let family = story.ask(ANA, &format!("move {old} from 2001:db8::7")).await;
    assert!(family.starts_with("VM3 is reached by IPv4 only"), "{family}");
    let second = story.asked(ANA, "VM3 22 from 203.0.113.99 for 10m").await;
    story.click(BEA, &second, "approve").await;
    let several = story.ask(ANA, &format!("move VM3 22 from {THERE}")).await;
    assert!(several.starts_with("You have several grants there. Type `/jit move "), "{several}");
    assert!(several.contains(&old) && several.contains(&second), "{several}");

    story.advance(until - story.now() - 59).await;
    let soon = story.ask(ANA, &format!("move {old} from {THERE}")).await;
    assert!(soon.starts_with("It ends at <!date^") && soon.contains("in less than a minute"), "{soon}");
    story.to_next_end().await;
    let over = story.ask(ANA, &format!("move {old} from {THERE}")).await;
    assert!(over.starts_with("It has ended, or is being shut"), "{over}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_tells_where_to() {
    let story = Story::begin().await;
    let (old, until) = granted(&story).await;
    let (new, link) = story.drafted(ANA, &format!("move {old}")).await;
    // The link again, for who has lost it.
    let (again, _) = story.drafted(ANA, "move VM3").await;
    assert_eq!(again, new);
    let page = story.follow(CAFE, &link).await;
    let said = page.says();
    assert!(
        said.contains(&format!("{old} from {HERE}")) && said.contains("Ajar sees you at 198.51.100.9"),
        "{said}"
    );
    // From where it is open already there is nothing to move.
    let here = story.confirm(HOME, &link).await;
    assert_eq!(here.status, 409);
    let said = here.says();
    assert!(
        said.contains(&format!("{old} lets that address in already"))
            && said.contains(&format!("/jit move {old} from 203.0.113.7")),
        "{said}"
    );
    assert_eq!(story.status(&new).await, "DRAFT");
    let sent = story.confirm(CAFE, &link).await;
    assert_eq!(sent.status, 200, "{}", sent.says());
    assert!(
        sent.says().contains(&format!("in place of {old} from {HERE} is sent"))
            && !sent.says().contains("!date"),
        "{}",
        sent.says()
    );
    story.settle().await;
    story.click(BEA, &new, "approve").await;
    story.felt().await;
    assert_eq!((story.status(&new).await, story.status(&old).await), ("OPEN", "CLOSED"));
    assert_eq!(ends_at(&story, &new).await, until);
    assert!(story.lets_in("VM3", 22, THERE) && !story.lets_in("VM3", 22, HERE));
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tick_shuts_what_nobody_was_told_of() {
    let story = Story::begin().await;
    let (old, until) = granted(&story).await;
    let new = story.asked(ANA, &format!("VM3 22 from {THERE} for 20m")).await;
    story.click(BEA, &new, "approve").await;
    story.felt().await;
    // It is as if the stream had lost that the new one is open.
    let mut item = story.item(&new).await;
    let moves = [
        ("grant".to_owned(), AttributeValue::S(old.clone())),
        ("from".to_owned(), AttributeValue::S(HERE.to_owned())),
        ("until".to_owned(), AttributeValue::N(until.to_string())),
    ];
    item.insert("moves".to_owned(), AttributeValue::M(moves.into()));
    story.put_item(item).await;
    assert_eq!((story.status(&new).await, story.status(&old).await), ("OPEN", "OPEN"));
    story.advance(61).await;
    assert_eq!((story.status(&new).await, story.status(&old).await), ("OPEN", "CLOSED"));
    assert!(story.lets_in("VM3", 22, THERE) && !story.lets_in("VM3", 22, HERE));
    story.advance(61).await;
    let closings = story.history(&old).await.iter().filter(|kind| !kind["closing"].is_null()).count();
    assert_eq!(closings, 1, "it is not ended again");
    story.to_next_end().await;
    story.finish().await;
}
