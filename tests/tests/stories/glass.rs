//! Somebody opens without approval, as the policy lets them.

use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use sandbox::host::wiring::POLICY;
use serde_json::{Value, json};

const WORDS: &str = "VM3 22 for 30m break-glass because the database is down";

/// Where these may open without approval, as the policy's file writes them.
async fn begin(who: &str) -> Story {
    Story::begin_with(&POLICY.replace("approvers =", &format!("break_glass = [{who}]\napprovers ="))).await
}

/// The buttons of the last message that has any: the action and the style of each.
fn buttons(entries: &[Value], id: &str) -> Vec<(String, String)> {
    let actions =
        entries.iter().filter(|entry| entry["body"]["text"].as_str().unwrap_or_default().ends_with(id));
    let blocks = actions.flat_map(|entry| entry["body"]["blocks"].as_array().into_iter().flatten());
    let elements = blocks.flat_map(|block| block["elements"].as_array().into_iter().flatten());
    let buttons = elements.filter(|element| element["type"] == "button");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    buttons.map(|button| (text(&button["action_id"]), text(&button["style"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_requester_opens_it_and_everybody_hears_of_it() {
    let story = begin("\"U0ANA\"").await;
    let answer = story.ask(ANA, WORDS).await;
    assert!(
        answer.starts_with(
            "You asked for VM3 port 22 from 203.0.113.7 for 30 minutes without approval (break-glass). Nobody will be asked; <@U0BEA> and <@U0CHRIS> are told, and the channel, who opened it and why. Press the button to open it"
        ),
        "{answer}"
    );
    let id = answer.rsplit_once("Ref ").unwrap().1.to_owned();
    story.settle().await;
    assert_eq!(buttons(&story.messages().await, &id), [("break_glass".to_owned(), "danger".to_owned())]);
    assert_eq!(story.card(&id).await["body"]["blocks"].as_array().unwrap().len(), 5, "no button for others");
    assert!(story.says(&id).await.starts_with("VM3 port 22: not opened yet. <@U0ANA> may open "));
    assert!(story.told(BEA).await.is_empty(), "nothing has happened yet");
    // Who types it again sees the button again, of the same request.
    assert_eq!(story.ask(ANA, WORDS).await, answer);

    story.click(ANA, &id, "break_glass").await;
    story.felt().await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    assert!(story.lets_in("VM3", 22, "203.0.113.7"));
    let card = story.card(&id).await;
    let mark = "*Opened without approval (break-glass)* by <@U0ANA>.";
    let text = card["body"]["text"].as_str().unwrap();
    assert!(text.starts_with("VM3 port 22 is open (break-glass). ") && text.contains(mark), "{text}");
    assert!(text.contains("Why: \u{201c}the database is down\u{201d}."), "{text}");
    assert!(!text.contains("Approved with Slack"), "{text}");
    let shown = card["body"]["blocks"].as_array().unwrap();
    assert!(shown.iter().any(|block| block["text"]["text"] == mark), "{shown:?}");
    for approver in [BEA, CHRIS] {
        let told = story.told(approver).await;
        let [once] = told.as_slice() else { panic!("{told:?}") };
        assert!(
            once.starts_with(
                "<@U0ANA> has gone past approval (break-glass) for VM3 port 22 from 203.0.113.7 for 30 minutes, because \u{201c}the database is down\u{201d}. You could have approved it, so you are told."
            ),
            "{once}"
        );
    }
    let rules = story.azure.rules_of_ours().await;
    let described = rules[0].1["properties"]["description"].as_str().unwrap();
    assert!(described.starts_with(&format!("Ajar {id} for U0ANA, until ")), "{described}");
    assert!(described.ends_with(", break-glass: the database is down"), "{described}");
    assert!(story.history(&id).await.contains(&json!({"broke_glass": {"by": "U0ANA"}})));

    story.to_next_end().await;
    assert_eq!(story.status(&id).await, "CLOSED");
    assert_eq!(story.channel_news().await, []);
    assert_eq!(
        story.steps_said(&id).await,
        [
            "<@U0ANA> asked to open it without approval (break-glass).",
            "<@U0ANA> went past approval (break-glass).",
            "Ajar saw its rule in place, and by Azure's rules it was open.",
            "Ajar began to shut it. The reason then: Its time is over.",
            "It was over: Ajar saw that no rule of it was left in Azure.",
        ]
    );
    assert!(story.says(&id).await.contains(mark));
    assert_eq!((story.told(BEA).await.len(), story.told(CHRIS).await.len()), (1, 1), "once each");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_press_within_a_quarter_of_an_hour() {
    let story = begin("\"U0ANA\"").await;
    let id = story.asked(ANA, WORDS).await;
    story.advance(15 * 60 + 61).await;
    assert_eq!(story.status(&id).await, "CLOSED");
    assert!(story.says(&id).await.starts_with("VM3 port 22: lapsed. "), "{}", story.says(&id).await);
    story.click(ANA, &id, "break_glass").await;
    assert_eq!(story.status(&id).await, "CLOSED");
    assert!(story.azure.rules_of_ours().await.is_empty());
    assert!(story.told(BEA).await.is_empty());
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_asks_for_approval() {
    let story = begin("\"S0ONCALL\"").await;
    let answer = story.ask(ANA, WORDS).await;
    assert_eq!(
        answer,
        "You may not open this machine without approval: only <!subteam^S0ONCALL> may. Type the same line without `break-glass` to ask for approval. If somebody has just been added to a group that is named here: Slack is asked who is in it now; try again in half a minute."
    );
    assert!(story.requests().await.is_empty());
    // One who is in the group, while Ana's own request waits for an approval.
    let waits = story.asked(BEA, "VM3 22 for 30m because the database is down").await;
    let id = story.asked(BEA, WORDS).await;
    assert_ne!(id, waits);
    // A click of somebody else, and on the button of the other kind, changes nothing.
    for (who, of, action) in [
        (ANA, &id, "break_glass"),
        (EVE, &id, "approve"),
        (CHRIS, &id, "approve"),
        (BEA, &waits, "break_glass"),
    ] {
        story.click(who, of, action).await;
        assert_eq!(story.status(of).await, "PENDING", "{who} {action}");
    }
    story.click(BEA, &id, "break_glass").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    let told = story.told(CHRIS).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(story.told(BEA).await.iter().all(|text| !text.contains("You could have approved it")));
    story.deny(CHRIS, &waits).await;
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_too_few_could_approve_can_be_opened_so() {
    let story = Story::begin_with(&POLICY.replace(
        "approvers = [\"U0BEA\", \"U0CHRIS\"]",
        "approvers = [\"U0ANA\"]\nbreak_glass = [\"U0ANA\"]",
    ))
    .await;
    let answer = story.ask(ANA, "VM3 22 for 30m because the database is down").await;
    assert!(answer.starts_with("Too few people could approve this"), "{answer}");
    let answer = story.ask(ANA, WORDS).await;
    assert!(answer.contains("Nobody will be asked; the channel is told who opened it and why."), "{answer}");
    let id = answer.rsplit_once("Ref ").unwrap().1.to_owned();
    story.settle().await;
    story.click(ANA, &id, "break_glass").await;
    assert_eq!(story.status(&id).await, "OPEN", "{}", story.says(&id).await);
    story.to_next_end().await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_approvers_thirty_are_told_directly() {
    let crowd: Vec<String> = (100..135).map(|n| format!("\"U0P{n}\"")).collect();
    let approvers =
        format!("approvers = [\"U0BEA\", {}, \"U0CHRIS\"]\nbreak_glass = [\"U0ANA\"]", crowd.join(", "));
    let policy = POLICY.replace("approvers = [\"U0BEA\", \"U0CHRIS\"]", &approvers);
    let story = Story::begin_with(&policy).await;
    let id = story.asked(ANA, WORDS).await;
    story.click(ANA, &id, "break_glass").await;
    // Slack knows none of the crowd: that nobody can write to them keeps nobody else from hearing of it.
    assert_eq!(story.told(BEA).await.len(), 1);
    let tried = story.messages().await;
    let tried = tried
        .iter()
        .filter(|entry| entry["body"]["channel"].as_str().is_some_and(|to| to.starts_with("U0P")));
    assert_eq!(tried.count(), 29);
    let news = story.channel_news().await;
    let [(said, false)] = news.as_slice() else { panic!("{news:?}") };
    assert!(
        said.contains(
            "these too: <@U0P129>, <@U0P130>, <@U0P131>, <@U0P132>, <@U0P133>, <@U0P134>, <@U0CHRIS>. Ref "
        ),
        "{said}"
    );
    story.to_next_end().await;
    assert_eq!(story.told(BEA).await.len(), 1);
    story.finish().await;
}
