//! A request that does not say from where: its requester confirms an address on a page.

use access::address::Link;
use access::lifecycle::Record;
use access::signature::SigningSecret;
use ajar_tests::address::{BY_IPV6, CAFE, HOME, NOWHERE, link};
use ajar_tests::{ANA, BEA, CHRIS, Story};
use edge::store::{Created, Stored};
use sandbox::host::wiring::{POLICY, SIGNING_SECRET};
use serde_json::{Value, json};

const ASK: &str = "VM4 3389 for 30m because patching";

/// Nothing but that it was asked is known of it, and nobody was told.
async fn is_untouched(story: &Story, id: &str) {
    story.settle().await;
    assert_eq!(story.history(id).await, [json!({"asked": {"by": ANA}})]);
    assert_eq!((story.status(id).await, story.record(id).await.version()), ("DRAFT", 1));
    assert!(story.channel_news().await.is_empty() && story.told(ANA).await.is_empty());
    assert!(story.shown_button(id).await.is_none(), "no card");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_for_the_address_that_was_confirmed() {
    let story = Story::begin().await;
    let (id, link) = story.drafted(ANA, ASK).await;
    is_untouched(&story, &id).await;
    let page = story.follow(CAFE, &link).await;
    assert_eq!(page.status, 200, "{}", page.says());
    let said = page.says();
    for shown in [
        "VM4 port 3389: is this your address?",
        "Ajar sees you at 198.51.100.9",
        "VM4 in Contoso-IaaS",
        "3389 (TCP)",
        "For30 minutes",
        "U0ANA in Slack",
        "Whypatching",
        &id,
    ] {
        assert!(said.replace("</dt><dd>", "").contains(shown), "{shown}: {said}");
    }
    assert_eq!(page.form().as_deref(), Some(link.as_str()));
    is_untouched(&story, &id).await;

    let sent = story.confirm(CAFE, &link).await;
    assert_eq!(sent.status, 200);
    assert_eq!(
        sent.says(),
        format!(
            "Sent Your request for VM4 port 3389 from 198.51.100.9 for 30 minutes is sent; the approvers see it in Slack. You can close this page. Ref{id}"
        )
    );
    story.settle().await;
    assert!(story.says(&id).await.starts_with("VM4 port 3389: waiting for approval. <@U0ANA> asks for VM4 port 3389 from 198.51.100.9 for 30 minutes."));
    assert_eq!(story.history(&id).await[1], json!({"addressed": {"source": "198.51.100.9"}}));
    // It waits as long as any request, from now on and not from the line that was typed.
    let record = story.record(&id).await;
    assert_eq!(record.wish().lapses_at, record.changed_at().plus(3600));

    story.click(BEA, &id, "approve").await;
    story.felt().await;
    assert!(story.lets_in("VM4", 3389, "198.51.100.9"));
    assert!(!story.lets_in("VM4", 3389, "203.0.113.7"), "nobody else is let in");
    story.to_next_end().await;
    assert!(!story.lets_in("VM4", 3389, "198.51.100.9"));
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_strict_and_readable() {
    let story = Story::begin().await;
    let (_, link) = story.drafted(ANA, "VM4 3389 because <script>alert(1)</script> & \"more\"").await;
    for page in [
        story.follow(HOME, &link).await,
        story.confirm(HOME, "nonsense").await,
        story.confirm(HOME, &link).await,
    ] {
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex"),
        ] {
            assert_eq!(page.header(name), value, "{name}");
        }
        let csp = page.header("content-security-policy");
        assert!(
            csp.starts_with("default-src 'none'; style-src 'sha256-")
                && csp.ends_with("'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
            "{csp}"
        );
        for part in [
            "<html lang=\"en\">",
            "name=\"viewport\"",
            "name=\"color-scheme\" content=\"light dark\"",
            "prefers-color-scheme: dark",
            "<h1>",
            "<title>",
        ] {
            assert!(page.html.contains(part), "{part}");
        }
        assert!(!page.html.contains("<script") && !page.html.contains("http"), "{}", page.html);
    }
    story.advance(61 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_once() {
    let story = Story::begin().await;
    let (id, link) = story.drafted(ANA, ASK).await;
    let (one, two) = tokio::join!(story.confirm(HOME, &link), story.confirm(CAFE, &link));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410], "{} / {}", one.says(), two.says());
    let source = if one.status == 200 { "203.0.113.7" } else { "198.51.100.9" };
    for page in [story.confirm(HOME, &link).await, story.follow(CAFE, &link).await] {
        assert_eq!(page.status, 410);
        assert_eq!(
            page.says(),
            format!(
                "Sent before This link has been used. Your request for VM4 port 3389 from {source} for 30 minutes was sent with it, Ref {id}: Slack shows how it stands. Type /jit VM4 3389 in Slack to ask anew."
            )
        );
    }
    let history = story.history(&id).await;
    assert_eq!(history, [json!({"asked": {"by": ANA}}), json!({"addressed": {"source": source}})]);
    story.advance(61 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_types_it_again_gets_the_same_link() {
    let story = Story::begin().await;
    let command = story.command(ANA, ASK);
    let first = story.ask_signed(ANA, &command).await;
    assert_eq!(story.ask_signed(ANA, &command).await, first, "the same delivery twice");
    story.advance(60).await;
    let again = story.ask(ANA, ASK).await;
    assert_eq!(again, first, "the draft lives");
    let (id, link) = (again.rsplit_once("Ref ").unwrap().1, link(&again).1);
    // Who says from where does not wait for the page.
    let from = story.asked(ANA, "VM4 3389 from 198.51.100.9 for 30m").await;
    assert_ne!(from, id);
    story.deny(CHRIS, &from).await;

    assert_eq!(story.confirm(HOME, &link).await.status, 200);
    story.settle().await;
    let already = story.ask(ANA, ASK).await;
    assert!(already.starts_with("You asked for VM4 port 3389 from 203.0.113.7 already, at "), "{already}");
    assert!(already.ends_with(&format!("; that request waits for a decision. From another address, type `/jit VM4 3389 from 203.0.113.7` with it. Ref {id}")), "{already}");
    story.click(BEA, id, "approve").await;
    let open = story.ask(ANA, ASK).await;
    assert!(open.contains("; that request is open. "), "{open}");
    story.to_next_end().await;
    let (anew, _) = story.drafted(ANA, ASK).await;
    assert_ne!(anew, id);
    story.advance(11 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_nobody_follows_ends_with_its_link_and_nobody_hears_of_it() {
    let story = Story::begin().await;
    let (id, link) = story.drafted(ANA, ASK).await;
    story.advance(9 * 60 + 50).await;
    assert_eq!(story.follow(HOME, &link).await.status, 200);
    is_untouched(&story, &id).await;
    // The tick comes within a minute; the link ends to the second.
    story.sandbox().clock().advance_ms(11_000);
    let late = "Not sent The time of this link is over. Type /jit VM4 3389 again in Slack: the answer has a new one.";
    for page in [story.follow(HOME, &link).await, story.confirm(HOME, &link).await] {
        assert_eq!((page.status, page.says().as_str()), (410, late));
    }
    story.advance(60).await;
    assert_eq!(story.history(&id).await[1..], [json!({"closed": {"closure": "lapsed"}})]);
    assert_eq!(story.confirm(HOME, &link).await.says(), late);
    assert!(story.channel_news().await.is_empty() && story.told(ANA).await.is_empty());
    assert!(story.shown_button(&id).await.is_none());
    let (anew, fresh) = story.drafted(ANA, ASK).await;
    assert!(anew != id && fresh != link);
    story.advance(11 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_of_one_request_and_cannot_be_made_without_the_secret() {
    let story = Story::begin().await;
    let (mine, link) = story.drafted(ANA, ASK).await;
    let (other, theirs) = story.drafted(BEA, "VM4 5985").await;
    let seal = |link: &str| link.rsplit_once('.').unwrap().1.to_owned();
    let record = story.record(&mine).await;
    let stranger = SigningSecret::new(SIGNING_SECRET.replace('5', "6"));
    let forged = [
        link.replace(&mine, &other),
        link.replace(&seal(&link), &seal(&theirs)),
        Link::of(record.wish()).sealed(&stranger),
        format!("{link}A"),
        link[..link.len() - 1].to_owned(),
        format!("{mine}.{}.", record.wish().lapses_at.unix()),
        String::new(),
    ];
    for link in &forged {
        for page in [story.follow(HOME, link).await, story.confirm(HOME, link).await] {
            assert_eq!(page.status, 404, "{link}");
            assert_eq!(
                page.says(),
                "Not sent This is not a link that Ajar gave, or a part of it is missing. Open it from Slack again, or type the line again there, like /jit VM3 22: the answer has a new link."
            );
        }
    }
    is_untouched(&story, &mine).await;
    assert_eq!(story.status(&other).await, "DRAFT");

    // Who writes the table can make a draft, and no link to it; nor can he prolong one.
    let store = &story.world.store;
    let mut wish = record.wish().clone();
    wish.hash = access::request::RequestHash::of("forged", &wish.machine.resource_id);
    wish.id = wish.hash.candidate(0);
    wish.lapses_at = wish.lapses_at.plus(900);
    assert_eq!(store.create(&Record::asked(wish.clone(), None, 1), None).await.unwrap(), Created::Yes);
    let sealed = Link::of(&wish).sealed(&stranger);
    let moved = format!("{}.{}.{}", wish.id, wish.lapses_at.unix(), seal(&link));
    for link in [sealed, moved] {
        assert_eq!(story.confirm(HOME, &link).await.status, 404);
    }
    assert_eq!(story.status(&wish.id.to_string()).await, "DRAFT");
    let mut parts = record.to_parts();
    (parts.lapses_at, parts.version) = (parts.lapses_at.plus(900), 2);
    let loaded = store.read(mine.parse().unwrap()).await.unwrap().unwrap();
    let event = Record::asked(record.wish().clone(), None, 1).event;
    let change = access::lifecycle::Change { record: Record::from_parts(parts).unwrap(), event };
    assert!(matches!(store.write(&loaded, &change, false).await.unwrap(), Stored::Yes(_)));
    story.advance(11 * 60).await;
    assert_eq!(story.status(&mine).await, "DRAFT");
    assert_eq!(story.confirm(HOME, &link).await.status, 410);
    assert_eq!(story.status(&mine).await, "DRAFT");
    story.advance(16 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_header_says_of_the_address_counts_for_nothing() {
    let story = Story::begin().await;
    let (id, link) = story.drafted(ANA, ASK).await;
    let claimed = [
        ("x-forwarded-for", "192.0.2.66"),
        ("forwarded", "for=192.0.2.66"),
        ("x-real-ip", "192.0.2.66"),
        ("true-client-ip", "192.0.2.66"),
        ("cf-connecting-ip", "192.0.2.66"),
    ];
    let page = story.browse(CAFE, "GET", &link, &claimed).await;
    assert!(page.says().contains("Ajar sees you at 198.51.100.9") && !page.html.contains("192.0.2.66"));
    assert_eq!(story.browse(CAFE, "POST", &link, &claimed).await.status, 200);
    assert_eq!(story.record(&id).await.ask().unwrap().source.to_string(), "198.51.100.9");
    story.advance(61 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_fit_changes_nothing_and_the_link_works_on() {
    let policy = POLICY.replacen(
        "resource_groups =",
        "sources = [\"203.0.113.0/24\", \"2001:db8::/32\"]\nresource_groups =",
        1,
    );
    let story = Story::begin_with(&policy).await;
    let (id, link) = story.drafted(ANA, ASK).await;
    for (from, says) in [
        (
            BY_IPV6,
            "VM4 is reached by IPv4 only, and Ajar sees you at 2001:db8::7, by IPv6. Type /jit VM4 3389 from 203.0.113.7 in Slack, with your own IPv4 address.",
        ),
        (
            CAFE,
            "Ajar sees you at 198.51.100.9, which is not among the addresses that may be let in here; these are 203.0.113.0/24 and 2001:db8::/32. Open the link from such a network or through its VPN, or type /jit VM4 3389 from 203.0.113.7 in Slack, with one of them.",
        ),
        (
            NOWHERE,
            "Ajar sees you at 127.0.0.9, which is not an address on the Internet, so Azure will see another one. Type /jit VM4 3389 from 203.0.113.7 in Slack, with the address that the Internet sees.",
        ),
    ] {
        for page in [story.follow(from, &link).await, story.confirm(from, &link).await] {
            assert_eq!((page.status, page.says()), (409, format!("Not sent {says}")));
            assert_eq!(page.form(), None, "no button");
        }
    }
    for site in ["cross-site", "same-site"] {
        let page = story.browse(HOME, "POST", &link, &[("sec-fetch-site", site)]).await;
        assert_eq!(
            (page.status, page.says().as_str()),
            (
                403,
                "Not sent Your browser says that another site has sent this form. Open the link from Slack and press the button there."
            )
        );
    }
    is_untouched(&story, &id).await;
    assert_eq!(story.confirm(HOME, &link).await.status, 200);
    story.advance(61 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_since_is_judged_again() {
    let story = Story::begin().await;
    let (id, link) = story.drafted(ANA, ASK).await;
    story.ask(CHRIS, "lockdown vm4").await;
    story.settle().await;
    let changed = "Not sent Something has changed since you asked: the policy, the machine, or a lockdown is against it now. Type /jit VM4 3389 again in Slack: the answer says what.";
    for page in [story.follow(HOME, &link).await, story.confirm(HOME, &link).await] {
        assert_eq!((page.status, page.says().as_str()), (409, changed));
    }
    assert!(story.ask(ANA, ASK).await.starts_with("<@U0CHRIS> has locked down "));
    story.ask(CHRIS, "lift vm4").await;
    assert_eq!(story.follow(HOME, &link).await.status, 200);
    assert!(story.world.azure.delete_machine("VM4").await);
    story.discover().await;
    assert_eq!(story.confirm(HOME, &link).await.says(), changed);
    assert_eq!(story.status(&id).await, "DRAFT");
    story.advance(11 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_takes_two_methods_and_so_does_the_function() {
    let story = Story::begin().await;
    let (id, link) = story.drafted(ANA, ASK).await;
    for method in ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let page = story.browse(HOME, method, &link, &[]).await;
        assert_eq!(page.status, 404, "{method}: the gateway has no such route");
        let event = json!({
            "version": "2.0", "rawPath": "/address", "rawQueryString": format!("link={link}"), "headers": {}, "isBase64Encoded": false,
            "requestContext": {"timeEpoch": 0, "http": {"method": method, "path": "/address", "sourceIp": "203.0.113.7"}},
        });
        let answer = story.sandbox().lambda().invoke("request", event).await.unwrap();
        assert_eq!(
            (&answer["statusCode"], &answer["headers"]["allow"], &answer["body"]),
            (&json!(405), &json!("GET, POST"), &json!(""))
        );
    }
    is_untouched(&story, &id).await;
    story.advance(11 * 60).await;
    story.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_glass_too_waits_for_the_address_and_then_for_its_button() {
    let policy = POLICY.replace("approvers =", "break_glass = [\"U0ANA\"]\napprovers =");
    let story = Story::begin_with(&policy).await;
    let line = "VM4 3389 for 30m break-glass because the database is down";
    let answer = story.ask(ANA, line).await;
    assert!(
        answer.starts_with(
            "You asked for VM4 port 3389 for 30 minutes without approval (break-glass). From which address? "
        ),
        "{answer}"
    );
    let (id, link) = (answer.rsplit_once("Ref ").unwrap().1, link(&answer).1);
    let page = story.confirm(HOME, &link).await;
    assert!(page.says().starts_with("Sent Your address is recorded, and nothing is open yet. Type the same line again in Slack: the answer has the button that opens "), "{}", page.says());
    story.settle().await;
    assert_eq!(story.status(id).await, "PENDING");
    let again = story.ask(ANA, line).await;
    assert!(again.contains("Press the button to open it") && again.ends_with(id), "{again}");
    let button = story.button(id).await;
    let click = story.signed_click_on(ANA, "break_glass", &button);
    assert_eq!(story.deliver("slack_interaction_url", &click).await, (200, String::new()));
    story.settle().await;
    story.felt().await;
    assert!(story.lets_in("VM4", 3389, "203.0.113.7"));
    story.to_next_end().await;
    story.finish().await;
}

/// Where the function cannot tell its own address, it says what to type.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_known_address_of_the_page_it_says_what_to_type() {
    let story = Story::begin().await;
    let command = story.command(ANA, "VM4 22,3389");
    let event = json!({
        "version": "2.0", "rawPath": "/slack/command", "body": command.body, "isBase64Encoded": false,
        "headers": {"x-slack-request-timestamp": command.timestamp, "x-slack-signature": command.signature},
        "requestContext": {"timeEpoch": 0, "http": {"method": "POST", "path": "/slack/command"}},
    });
    let answer = story.sandbox().lambda().invoke("request", event).await.unwrap();
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        body["text"],
        "From which address will you connect to VM4? Add the one that the Internet sees: `/jit VM4 22,3389 from 203.0.113.7`."
    );
    story.finish().await;
}
