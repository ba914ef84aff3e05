//! What waits, what is open, and what has happened to a request, as people ask for it.

use ajar_tests::{ANA, BEA, CHRIS, EVE, Story};
use sandbox::host::wiring::POLICY;

/// The lines of a list without the moments in them.
fn lines(list: &str) -> Vec<String> {
    let timeless = |line: &str| {
        let (mut out, mut rest) = (String::new(), line);
        while let Some((before, date)) = rest.split_once("<!date^") {
            out.push_str(before);
            out.push_str("{time}");
            rest = date.split_once('>').unwrap().1;
        }
        out + rest
    };
    list.lines().map(timeless).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_list_their_own_and_approvers_what_they_can_decide_on() {
    let story = Story::begin().await;
    let none = "You have no request that waits or is open, and none that ended in the last 7 days. Ask with `/jit VM3 22`.";
    assert_eq!(story.ask(ANA, "list").await, none);
    assert_eq!(story.ask(CHRIS, "list all").await, "Nothing waits or is open on any machine.");
    let nothing = "Nothing waits or is open on machines that you can approve for.";
    assert_eq!(story.ask(BEA, "list all").await, nothing);

    let denied = story.asked(ANA, "VM2 22").await;
    story.deny(BEA, &denied).await;
    let waits = story.asked(ANA, "VM3 22,3389 for 2h").await;
    let open = story.asked(ANA, "VM1 3389 for 30m").await;
    story.click(BEA, &open, "approve").await;
    let beas = story.asked(BEA, "VM3 22 from 198.51.100.9").await;
    assert_eq!(
        lines(&story.ask(ANA, "list").await),
        [
            "*Waiting* (1)".to_owned(),
            format!(
                "• VM3 ports 22, 3389: waiting for approval, from `203.0.113.7`, lapses at {{time}}. Ref {waits}"
            ),
            "*Open, being opened or being shut* (1)".to_owned(),
            format!("• VM1 port 3389 is open, from `203.0.113.7`, until {{time}}. Ref {open}"),
            "*Ended in the last 7 days* (1)".to_owned(),
            format!("• VM2 port 22: denied, from `203.0.113.7`, ended at {{time}}. Ref {denied}"),
            "`/jit show` and a reference tells all of a request.".to_owned(),
        ]
    );
    let all = lines(&story.ask(BEA, "list all").await);
    assert_eq!(all[0], "*Waiting* (2)");
    let of_bea = format!(
        "• VM3 port 22: waiting for approval, for <@U0BEA>, from `198.51.100.9`, lapses at {{time}}. Ref {beas}"
    );
    let of_ana = format!(
        "• VM3 ports 22, 3389: waiting for approval, for <@U0ANA>, from `203.0.113.7`, lapses at {{time}}. Ref {waits}"
    );
    assert!(all[1..3].contains(&of_bea) && all[1..3].contains(&of_ana), "{all:?}");
    assert_eq!(
        all[3..5],
        [
            "*Open, being opened or being shut* (1)".to_owned(),
            format!("• VM1 port 3389 is open, for <@U0ANA>, from `203.0.113.7`, until {{time}}. Ref {open}"),
        ]
    );
    let last = "machines that you can approve for. `/jit show` and a reference tells all of a request.";
    assert!(all[5].ends_with(last), "{all:?}");
    let of_admin = story.ask(CHRIS, "list all").await;
    assert!(of_admin.contains(" on any machine. "), "{of_admin}");
    let answer = story.ask(ANA, "list all").await;
    assert!(answer.starts_with("The policy lets you approve nothing, "), "{answer}");

    story.advance(31 * 60).await;
    let later = lines(&story.ask(ANA, "list").await);
    assert_eq!(later[2], "*Open, being opened or being shut*: none", "{later:?}");
    story.advance(2 * 60 * 60).await;
    let later = lines(&story.ask(ANA, "list").await);
    assert_eq!(
        later,
        [
            "*Waiting*: none".to_owned(),
            "*Open, being opened or being shut*: none".to_owned(),
            "*Ended in the last 7 days* (3)".to_owned(),
            format!("• VM3 ports 22, 3389: lapsed, from `203.0.113.7`, ended at {{time}}. Ref {waits}"),
            format!("• VM1 port 3389 was shut, from `203.0.113.7`, ended at {{time}}. Ref {open}"),
            format!("• VM2 port 22: denied, from `203.0.113.7`, ended at {{time}}. Ref {denied}"),
            "`/jit show` and a reference tells all of a request.".to_owned(),
        ]
    );
    assert_eq!(story.ask(BEA, "list all").await, nothing);
    story.finish().await;
}

/// A rule for each machine: Bea approves for VM3, Chris for all others; Eve is the admin.
fn apart() -> String {
    let first = POLICY
        .replace("[\"VM*\"]", "[\"VM3\"]")
        .replace("approvers = [\"U0BEA\", \"U0CHRIS\"]", "approvers = [\"U0BEA\"]");
    let rule = "[[rules]]\nname = \"others\"\nmachines = [\"VM*\"]\nrequesters = [\"U0ANA\"]\napprovers = [\"U0CHRIS\"]\nsource = \"203.0.113.7\"\n";
    format!("{}\n{rule}", first.replace("admins = [\"U0CHRIS\"]", "admins = [\"U0EVE\"]"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_is_shown_what_their_rule_is_about() {
    let story = Story::begin_with(&apart()).await;
    let three = story.asked(ANA, "VM3 22").await;
    let one = story.asked(ANA, "VM1 22").await;
    for (who, lists) in [(BEA, vec![&three]), (CHRIS, vec![&one]), (EVE, vec![&three, &one])] {
        let all = story.ask(who, "list all").await;
        for id in [&three, &one] {
            assert_eq!(all.contains(id.as_str()), lists.contains(&id), "{who}: {all}");
            let shown = story.ask(who, &format!("show {id}")).await;
            assert_eq!(shown.contains("*History*"), lists.contains(&id), "{who}: {shown}");
        }
    }
    story.deny(BEA, &three).await;
    story.deny(CHRIS, &one).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_reads_what_would_be_opened() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m because patching").await;
    let opens = "*Opens* only `VM3`, at its address `10.0.0.6`, by a rule in `Contoso-NSG` (it shields 4 machines) and `VM3-nsg` (it shields this machine alone).";
    let identity = "You decide with your Slack identity, and your click is kept as Slack signed it.";
    let card = story.card(&id).await;
    let text = card["body"]["text"].as_str().unwrap();
    assert!(text.contains(opens) && text.contains(identity), "{text}");
    assert!(text.contains(&format!("Subscription: `{}`; ", sandbox::azure::SUBSCRIPTION_ID)), "{text}");
    let shown = card["body"]["blocks"].as_array().unwrap();
    for said in [opens, identity] {
        assert!(shown.iter().any(|block| block["text"]["text"] == said), "{shown:?}");
    }
    story.deny(BEA, &id).await;
    let decided = story.says(&id).await;
    assert!(!decided.contains("*Opens*") && !decided.contains(identity), "{decided}");
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_shown_with_its_whole_history() {
    let story = Story::begin().await;
    let id = story.asked(ANA, "VM3 22 for 30m because patching").await;
    let show = format!("show {id}");
    let waits = story.ask(ANA, &show).await;
    assert!(waits.starts_with("VM3 port 22: waiting for approval. <@U0ANA> asks for "), "{waits}");
    assert!(waits.contains("<@U0BEA> or <@U0CHRIS> can decide."), "{waits}");
    story.click(BEA, &id, "approve").await;
    story.felt().await;
    let open = story.ask(CHRIS, &show.to_lowercase()).await;
    assert!(open.starts_with("VM3 port 22 is open. "), "{open}");
    story.to_next_end().await;
    story.advance(40 * 60).await;
    let shown = story.ask(BEA, &show).await;
    let (card, history) = shown.split_once("\n*History*\n").unwrap();
    assert!(card.starts_with("VM3 port 22 was shut. Its time is over. ") && card.ends_with(&id), "{card}");
    assert!(
        card.contains("Why: \u{201c}patching\u{201d}.") && card.contains("From: `203.0.113.7`"),
        "{card}"
    );
    let steps: Vec<String> = lines(history);
    assert_eq!(
        steps,
        [
            "• {time}: <@U0ANA> asked for it.",
            "• {time}: <@U0BEA> approved it.",
            "• {time}: Ajar planned its rule: number 499 in `Contoso-NSG` and number 499 in `VM3-nsg`.",
            "• {time}: Ajar saw its rule in place, and by Azure's rules it was open.",
            "• {time}: Ajar began to shut it. The reason then: Its time is over.",
            "• {time}: It was over: Ajar saw that no rule of it was left in Azure.",
            "• {time}: Ajar had looked for late rules of it for long enough, and stopped.",
        ]
    );
    // What Slack signed stays with the record.
    for secret in ["payload", "token", "trigger", "v0=", "hooks.slack"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    // Whom it does not concern does not hear whether there is such a request.
    let to_eve = story.ask(EVE, &show).await;
    let none = story.ask(EVE, "show 7F3K9-QXM2P").await;
    assert_eq!(to_eve.replace(&id, "7F3K9-QXM2P"), none);
    assert_eq!(
        none,
        "Ajar has no request 7F3K9-QXM2P to show you. A request is shown to its requester, to those who can approve it, and to admins."
    );
    story.finish().await;
}
