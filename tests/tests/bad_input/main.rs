//! `bad_input.toml`: what people, Slack, files and configuration may say wrongly, and what Ajar
//! answers, word for word. The walk fails when an answer differs, when a variant of an error type
//! does not come up, and when Slack would not have taken an answer.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod files;
mod http;
mod pages;
mod records;
mod slack;
mod variants;

use access::policy::Policy;
use sandbox::host::wiring::{self, World};
use sandbox::host::{Options, Sandbox};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use variants::Named;

const TABLE: &str = include_str!("../bad_input.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    policy: String,
    command: Vec<slack::Command>,
    click: Vec<slack::Click>,
    signature: Vec<http::Signature>,
    form: Vec<http::Form>,
    payload: Vec<http::Payload>,
    event: Vec<http::Event>,
    page: Vec<pages::Page>,
    sandbox: Vec<http::Control>,
    policies: Vec<files::PolicyFile>,
    config: Vec<files::Config>,
    parse: Vec<files::Parse>,
    record: Vec<records::Stored>,
    decision: Vec<records::Decision>,
    failure: Vec<records::Failed>,
}

/// The sandbox, and what came up so far.
struct Walk {
    sandbox: Sandbox,
    world: World,
    policy: Policy,
    client: reqwest::Client,
    seen: BTreeSet<&'static str>,
    wrong: Vec<String>,
    rows: usize,
}

impl Walk {
    fn see(&mut self, value: &impl Named) {
        self.seen.insert(value.name());
    }

    /// Compares an answer with the table's.
    fn expect(&mut self, row: &str, expected: &str, got: &str) {
        self.rows += 1;
        if expected != got {
            self.wrong.push(format!("{row}\n  expected: {expected}\n  got:      {got}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_answered_as_the_table_says() {
    let table = TABLE.replace("{build}", &edge::report::BUILD.to_string());
    let table: Table = toml::from_str(&table).unwrap();
    let (sandbox, world) = wiring::start(Options::default(), &table.policy).await.unwrap();
    let mut walk = Walk {
        sandbox,
        world,
        policy: Policy::parse(&table.policy).unwrap(),
        client: edge::http::client(edge::http::Limits::DEPLOYED).unwrap(),
        seen: BTreeSet::new(),
        wrong: vec![],
        rows: 0,
    };
    slack::more_machines(&walk).await;
    slack::commands(&mut walk, &table.command).await;
    slack::clicks(&mut walk, &table.click).await;
    http::signatures(&mut walk, &table.signature).await;
    http::forms(&mut walk, &table.form).await;
    http::payloads(&mut walk, &table.payload).await;
    http::events(&mut walk, &table.event).await;
    pages::pages(&mut walk, &table.page).await;
    http::controls(&mut walk, &table.sandbox).await;
    files::policies(&mut walk, &table.policies);
    files::configs(&mut walk, &table.config).await;
    files::parses(&mut walk, &table.parse);
    records::stored(&mut walk, &table.record);
    records::decisions(&mut walk, &table.decision);
    records::failures(&mut walk, &table.failure);

    for message in walk.world.slack.messages() {
        if message["ok"] != Value::Bool(true) {
            walk.wrong.push(format!("Slack did not take: {message}"));
        }
    }
    walk.sandbox.stop().await;
    let missing: Vec<_> = variants::ALL.iter().filter(|name| !walk.seen.contains(*name)).collect();
    println!("{} rows, {} error variants", walk.rows, walk.seen.len());
    assert!(walk.wrong.is_empty(), "{} wrong:\n{}", walk.wrong.len(), walk.wrong.join("\n"));
    assert!(missing.is_empty(), "no row brings up {missing:?}");
    assert!(walk.rows >= 80, "{} rows", walk.rows);
}

/// Times and references differ from run to run: `{time}` and `{ref}` stand for them.
fn comparable(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("<!date^") {
        let (before, date) = rest.split_at(at);
        let (date, after) = date.split_once('>').unwrap();
        assert!(date.ends_with(" UTC"), "a time without its text: {date}");
        out.push_str(before);
        out.push_str("{time}");
        rest = after;
    }
    out.push_str(rest);
    // The link of a draft.
    if let Some((before, rest)) = out.split_once("/address?link=")
        && let (Some((url, _)), Some((_, after))) = (before.rsplit_once("http://"), rest.split_once('|'))
    {
        out = format!("{url}{{link}}|{after}");
    }
    let Some((before, reference)) = out.rsplit_once("Ref ") else { return out };
    let id = reference.parse::<access::request::RequestId>().is_ok();
    let invocation = reference.len() == 8 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    if id || invocation { format!("{before}Ref {{ref}}") } else { out }
}

/// `{301x}` in the table stands for 301 letters.
fn long(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let repeated = after.split_once("x}").and_then(|(n, rest)| n.parse().ok().map(|n| (n, rest)));
        match repeated {
            Some((n, after)) => {
                out.push_str(&"x".repeat(n));
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}
