//! The page on which a requester confirms an address, as Lambda gets what a browser sends.

use crate::Walk;
use crate::slack::{forget_groups, remember_groups};
use access::address::{LINK_SECONDS, Link, NotSent};
use access::lifecycle::Record;
use access::machine::{Found, find};
use access::policy::Subject;
use access::request::{Ask, Means, Move, Protocol, RequestHash, Source, Wish};
use access::signature::SigningSecret;
use edge::store::{Created, Stored};
use sandbox::host::wiring::SIGNING_SECRET;
use serde::Deserialize;
use serde_json::json;

/// What somebody sends to the page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// The machine and its port, as they are typed.
    #[serde(default = "vm2")]
    ask: String,
    /// What has become of the request: `draft`, `used`, `lapsed`, `taken back`.
    #[serde(default = "draft")]
    given: String,
    /// The address that API Gateway saw.
    #[serde(default = "inside")]
    from: String,
    /// Another link; `{id}` and `{ends_at}` stand for those of the request.
    link: Option<String>,
    #[serde(default)]
    site: String,
    /// Where a grant lets in from that is to be moved.
    #[serde(default)]
    moves: Option<Source>,
    #[serde(default)]
    groups_old: bool,
    status: u16,
    says: String,
}

fn vm2() -> String {
    "VM2 22".to_owned()
}

fn draft() -> String {
    "draft".to_owned()
}

fn inside() -> String {
    "203.0.113.7".to_owned()
}

pub(crate) async fn pages(walk: &mut Walk, rows: &[Page]) {
    for (number, row) in rows.iter().enumerate() {
        let moves = row.moves.map(|from| Move {
            grant: "7F3K9-QXM2P".parse().unwrap(),
            from,
            until: walk.sandbox.clock().now().plus(1800),
        });
        let wish = Wish { moves, ..wish(walk, number, &row.ask).await };
        let record = recorded(walk, &wish, &row.given).await;
        if row.groups_old {
            forget_groups(walk).await;
        }
        let secret = SigningSecret::new(SIGNING_SECRET);
        let link = row.link.as_ref().map_or_else(
            || Link::of(&wish).sealed(&secret),
            |link| {
                link.replace("{id}", &wish.id.to_string())
                    .replace("{ends_at}", &wish.lapses_at.unix().to_string())
            },
        );
        let mut headers = json!({"content-type": "application/x-www-form-urlencoded"});
        if !row.site.is_empty() {
            headers["sec-fetch-site"] = json!(row.site);
        }
        let event = json!({
            "version": "2.0", "rawPath": "/address", "headers": headers,
            "body": format!("link={link}"), "isBase64Encoded": false,
            "requestContext": {"timeEpoch": 0, "http": {"method": "POST", "path": "/address", "sourceIp": row.from}},
        });
        let answer = walk.sandbox.lambda().invoke("request", event).await.unwrap();
        let html = answer["body"].as_str().unwrap();
        let said = html.split_once("<p>").and_then(|(_, rest)| rest.split_once("</p>"));
        let said = said.map_or("", |(said, _)| said).replace(&wish.id.to_string(), "{ref}");
        let name = format!("the page of {} ({}) from {}", row.ask, row.given, row.from);
        walk.expect(
            &name,
            &format!("{} {}", row.status, row.says),
            &format!("{} {said}", answer["statusCode"]),
        );
        let after = walk.world.store.read(wish.id).await.unwrap().unwrap().record;
        walk.expect(&name, record.status(), after.status());
        walk.rows -= 1;
        if let Some(why) = not_sent(&row.says) {
            walk.see(&why);
        }
        if row.groups_old {
            remember_groups(walk).await;
        }
    }
}

/// By what the sentence says, which is compared with what was said.
fn not_sent(says: &str) -> Option<NotSent> {
    let all = [
        ("not a link that Ajar gave", NotSent::Unknown),
        ("The time of this link is over", NotSent::Expired),
        ("This link has been used", NotSent::Used),
        ("was taken back", NotSent::TakenBack),
        ("another site", NotSent::OtherSite),
        ("not an address on the Internet", NotSent::Unusable),
        ("is reached by", NotSent::OtherFamily { has_ipv4: true }),
        ("not among the addresses", NotSent::Outside { allowed: vec![] }),
        ("lets that address in already", NotSent::SameAddress { grant: "7F3K9-QXM2P".parse().unwrap() }),
        ("Something has changed", NotSent::Changed),
        ("Slack did not say", NotSent::GroupsUnknown),
    ];
    all.into_iter().find(|(part, _)| says.contains(part)).map(|(_, why)| why)
}

async fn wish(walk: &Walk, number: usize, ask: &str) -> Wish {
    let (machine, port) = ask.split_once(' ').unwrap();
    let machines = walk.world.store.machines().await.unwrap();
    let found = match find(&machines, &machine.parse().unwrap()) {
        Found::One(seen) => Some(seen),
        Found::Several(_) | Found::Nothing { .. } => None,
    };
    let seen = found.expect(machine);
    let rule = walk.policy.rule_for(&Subject::seen(seen)).unwrap();
    let now = walk.sandbox.clock().now();
    let hash = RequestHash::of(&format!("page {number}"), &seen.resource_id);
    Wish {
        id: hash.candidate(0),
        hash,
        requester: "U0ANA".parse().unwrap(),
        machine: seen.reached_from_somewhere().unwrap(),
        protocol: Protocol::Tcp,
        ports: access::command::parse_ports(port).unwrap(),
        ttl: rule.duration(),
        means: Means::Approval,
        justification: None,
        moves: None,
        asked_at: now,
        lapses_at: now.plus(LINK_SECONDS),
    }
}

/// The draft, and what has become of it.
async fn recorded(walk: &Walk, wish: &Wish, given: &str) -> Record {
    let store = &walk.world.store;
    let change = Record::asked(wish.clone(), None, 1);
    assert_eq!(store.create(&change, None).await.unwrap(), Created::Yes);
    let now = walk.sandbox.clock().now();
    let source: Source = "203.0.113.7".parse().unwrap();
    let next = match given {
        "draft" => return change.record,
        "lapsed" => {
            walk.sandbox.advance(LINK_SECONDS).await.unwrap();
            return store.read(wish.id).await.unwrap().unwrap().record;
        }
        "used" => change.record.addressed(&Ask { wish: wish.clone(), source }, now.plus(3600), now),
        other => {
            assert_eq!(other, "taken back");
            change.record.cancel(now)
        }
    };
    let loaded = store.read(wish.id).await.unwrap().unwrap();
    let next = next.unwrap();
    assert!(matches!(store.write(&loaded, &next, false).await.unwrap(), Stored::Yes(_)));
    next.record
}
