//! Somebody's address changes, and their grant moves with them.

use ajar_tests::address::{CAFE, HOME};
use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use aws_sdk_dynamodb::types::AttributeValue;
use sandbox::host::wiring::POLICY;
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

/// Where grants may be moved within these networks without approval.
async fn begin_moving() -> Story {
    let rule = "sources = [\"203.0.113.0/24\", \"198.51.100.0/24\"]\nmove_without_approval = true\nsource = \"203.0.113.7\"";
    Story::begin_with(&POLICY.replace("source = \"203.0.113.7\"", rule)).await
}

/// The addresses in rules of ours, each once.
async fn let_in(story: &Story) -> Vec<String> {
    let rules = story.azure.rules_of_ours().await;
    let mut all: Vec<String> = rules
        .iter()
        .filter_map(|(_, rule)| rule["properties"]["sourceAddressPrefix"].as_str().map(str::to_owned))
        .collect();
    all.sort();
    all.dedup();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_range_their_own_click_moves_it() {
    let story = begin_moving().await;
    let (old, until) = granted(&story).await;
    let line = format!("move {old} from 203.0.113.99");
    let answer = story.ask(ANA, &line).await;
    assert!(
        answer.starts_with("You asked for VM3 port 22 from 203.0.113.99 until <!date^")
            && answer.contains(&format!(", in place of {old} from {HERE}. The policy lets you move it there without another approval. Press the button to move it")),
        "{answer}"
    );
    let new = answer.rsplit_once("Ref ").unwrap().1.to_owned();
    story.settle().await;
    assert!(
        story
            .says(&new)
            .await
            .starts_with(&format!("VM3 port 22: not moved yet. <@U0ANA> may move {old} here"))
    );
    assert_eq!(story.ask(ANA, &line).await, answer, "the button again");
    // It is theirs alone, and an approval is not what it takes.
    for (user, action) in [(BEA, "move"), (BEA, "approve"), (ANA, "approve"), (ANA, "break_glass")] {
        story.click(user, &new, action).await;
        assert_eq!(story.status(&new).await, "PENDING", "{user} {action}");
    }
    story.click(ANA, &new, "move").await;
    story.felt().await;
    assert_eq!(story.status(&new).await, "OPEN", "{}", story.says(&new).await);
    assert_eq!((story.status(&old).await, ends_at(&story, &new).await), ("CLOSED", until));
    assert_eq!(let_in(&story).await, ["203.0.113.99/32"]);
    assert!(story.history(&new).await.contains(&json!({"moved_alone": {"by": ANA}})));
    let card = story.says(&new).await;
    assert!(card.contains(&format!("*Moves* {old} from")) && !card.contains("Approved with Slack"), "{card}");
    let described = story.azure.rules_of_ours().await[0].1["properties"]["description"].clone();
    assert!(described.as_str().unwrap().ends_with(&format!(", moved from {old}")), "{described}");
    // And on from there; what it was approved by is proven as far back as it takes.
    let again = story.asked(ANA, &format!("move {new} from 203.0.113.50")).await;
    story.click(ANA, &again, "move").await;
    story.felt().await;
    assert_eq!((story.status(&again).await, story.status(&new).await), ("OPEN", "CLOSED"));
    assert_eq!(ends_at(&story, &again).await, until);
    assert_eq!(let_in(&story).await, ["203.0.113.50/32"]);
    story.to_next_end().await;
    assert!(story.now() < until + 3);
    assert!(let_in(&story).await.is_empty());
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rests_on_an_approval_that_was_not_theirs_is_shut_too() {
    let story = begin_moving().await;
    let (old, _) = granted(&story).await;
    let mut moved = vec![old.clone()];
    for to in ["203.0.113.99", "203.0.113.50"] {
        let id = story.asked(ANA, &format!("move {} from {to}", moved.last().unwrap())).await;
        story.click(ANA, &id, "move").await;
        story.felt().await;
        assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
        moved.push(id);
    }
    // One that was not pressed yet.
    let waits = story.asked(ANA, &format!("move {} from 203.0.113.51", moved[2])).await;
    story.click(BEA, &old, "not_me").await;
    assert_eq!(story.status(&moved[2]).await, "CLOSED");
    let card = story.says(&moved[2]).await;
    assert!(card.contains("<@U0BEA> says that the approval in their name is not theirs."), "{card}");
    assert!(let_in(&story).await.is_empty());
    story.click(ANA, &waits, "move").await;
    assert_eq!(story.status(&waits).await, "CLOSED");
    let card = story.says(&waits).await;
    assert!(card.contains("The move does not hold: clicks of <@U0BEA> do not count"), "{card}");
    story.advance(31 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_the_range_it_takes_an_approval() {
    let story = begin_moving().await;
    let (old, _) = granted(&story).await;
    let nowhere = story.ask(ANA, &format!("move {old} from 192.0.2.77")).await;
    assert!(nowhere.starts_with("`192.0.2.77` is not among the addresses"), "{nowhere}");
    for to in [THERE, "203.0.113.0/28"] {
        let id = story.asked(ANA, &format!("move {old} from {to}")).await;
        assert!(story.says(&id).await.starts_with("VM3 port 22: waiting for approval."), "{to}");
        story.click(ANA, &id, "move").await;
        assert_eq!(story.status(&id).await, "PENDING", "{to}");
        story.deny(CHRIS, &id).await;
    }
    // One that is over is not moved, though the button was shown before.
    let id = story.asked(ANA, &format!("move {old} from 203.0.113.99")).await;
    story.revoke(&old, BEA).await;
    assert_eq!(story.status(&old).await, "CLOSED");
    story.click(ANA, &id, "move").await;
    assert_eq!(story.status(&id).await, "CLOSED");
    let card = story.says(&id).await;
    assert!(
        card.starts_with("VM3 port 22: not opened. The move does not hold: the grant that it moves is not open any more. Nothing was opened."),
        "{card}"
    );
    assert!(let_in(&story).await.is_empty());
    story.advance(31 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_sends_a_move_within_the_range_back_to_its_button() {
    let story = begin_moving().await;
    let old = story.asked(ANA, "VM3 22 from 198.51.100.20 for 30m because patching").await;
    story.click(BEA, &old, "approve").await;
    let (new, link) = story.drafted(ANA, &format!("move {old}")).await;
    let sent = story.confirm(CAFE, &link).await;
    assert!(
        sent.says().contains(&format!("nothing has moved yet. Type /jit move {old} again in Slack")),
        "{}",
        sent.says()
    );
    story.settle().await;
    assert_eq!(story.status(&new).await, "PENDING");
    let answer = story.ask(ANA, &format!("move {old}")).await;
    assert!(answer.contains("Press the button to move it") && answer.ends_with(&new), "{answer}");
    story.click(ANA, &new, "move").await;
    story.felt().await;
    assert_eq!((story.status(&new).await, story.status(&old).await), ("OPEN", "CLOSED"));
    assert!(story.lets_in("VM3", 22, THERE));
    story.to_next_end().await;
    story.finish().await;
}
