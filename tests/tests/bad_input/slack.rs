//! What people type and click, through the simulated Slack and the real handlers.

use crate::{Walk, comparable, long};
use access::click::button_value;
use access::command;
use access::lease::Timestamp;
use access::machine::{Found, SeenMachine, Unfit, find};
use access::policy::{Groups, Subject};
use access::request::{Ask, Protocol, RequestHash, RequestId, TermsDigest, UserId, Wish};
use access::wording::{self, ClickRefusal, refused_click};
use ajar_tests::deciding::age_groups;
use sandbox::aws::schedule;
use sandbox::faults::{Fault, How, Part};
use sandbox::slack::world::{CHANNEL_ID, GROUP_ID, GROUP_MEMBERS};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Text after `/jit`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    text: String,
    #[serde(default = "ana")]
    by: String,
    /// What Slack said of a user group is old, and it does not say it anew.
    #[serde(default)]
    groups_old: bool,
    says: String,
}

/// A click on a button of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Click {
    /// What was asked for.
    #[serde(default = "vm3")]
    ask: String,
    /// What has become of the request before: `pending`, `approved`, `denied`, `lapsed`, `ended`,
    /// `disowned`; `moving`: it was approved, and what is clicked on moves it.
    given: String,
    by: String,
    #[serde(default = "approve")]
    button: String,
    /// Another value than the card's; `{id}` and `{digest}` stand for those of the request.
    value: Option<String>,
    #[serde(default)]
    groups_old: bool,
    /// What the clicker is told; nothing when the click counts.
    says: String,
}

fn ana() -> String {
    "U0ANA".to_owned()
}

fn vm3() -> String {
    "VM3 22".to_owned()
}

fn approve() -> String {
    "approve".to_owned()
}

/// Beside the lab's: one without a rule, one decided by a user group, two of one name, and one for each
/// reason for which a machine cannot be asked for.
pub(crate) async fn more_machines(walk: &Walk) {
    let group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/n";
    for (group_name, name, change) in [
        ("Contoso-IaaS", "lonely", json!({})),
        ("Contoso-IaaS", "oncall1", json!({})),
        ("Blue", "twin", json!({})),
        ("Green", "twin", json!({})),
        ("Contoso-IaaS", "oncall-gone", json!({"gone_at": 1_700_000_000})),
        ("Contoso-IaaS", "oncall-off", json!({"power": "deallocated"})),
        ("Contoso-IaaS", "oncall-down", json!({"power": "stopped"})),
        ("Contoso-IaaS", "oncall-open", json!({"nsg": null, "on_subnet": "nothing"})),
        ("Contoso-IaaS", "oncall-bare", json!({"nics": []})),
        ("Contoso-IaaS", "unruly", json!({})),
        ("Contoso-IaaS", "roam1", json!({})),
    ] {
        let or = |field: &str, default: Value| change.get(field).cloned().unwrap_or(default);
        let address = json!({"private": "10.0.0.99", "on_subnet": or("on_subnet", json!({"group": group}))});
        let nic = json!({"id": group, "nsg": or("nsg", json!(group)), "addresses": [address]});
        let machine = json!({
            "name": name, "system": "linux", "power": or("power", json!("running")),
            "nics": or("nics", json!([nic])), "seen_at": 1_700_000_000, "gone_at": or("gone_at", Value::Null),
            "resource_id": format!(
                "/subscriptions/s/resourceGroups/{group_name}/providers/Microsoft.Compute/virtualMachines/{name}"
            ),
        });
        let machine: SeenMachine = serde_json::from_value(machine).unwrap();
        walk.world.store.put_machine(&machine).await.unwrap();
    }
}

/// What Slack said of its user group is an hour old, and it does not say it anew.
pub(crate) async fn forget_groups(walk: &Walk) {
    age_groups(&walk.world.store, walk.sandbox.clock().now().unix()).await;
    let body = json!({"ok": false, "error": "internal_error"});
    let how = How::Answer { status: 200, headers: BTreeMap::new(), body };
    let path = Some("usergroups.users.list".to_owned());
    walk.sandbox.faults().order(Fault { part: Part::Slack, method: None, path, how, count: 1 });
}

/// It says it again.
pub(crate) async fn remember_groups(walk: &Walk) {
    walk.sandbox.settle().await;
    // Where nobody has asked.
    drop(walk.sandbox.faults().take(Part::Slack, "POST", "/api/usergroups.users.list"));
    let event = schedule::event("discover", walk.sandbox.clock().now());
    walk.sandbox.lambda().invoke("discover", event).await.unwrap();
}

pub(crate) async fn commands(walk: &mut Walk, rows: &[Command]) {
    let machines = walk.world.store.machines().await.unwrap();
    for row in rows {
        if row.groups_old {
            forget_groups(walk).await;
        }
        let text = long(&row.text);
        let outcome = walk.world.slack.command(&row.by, CHANNEL_ID, &text).await.unwrap();
        let shown = outcome.shown.unwrap_or_default();
        let said = shown["text"].as_str().unwrap_or_default();
        let name = format!("/jit {}", row.text.escape_debug());
        walk.expect(&name, &row.says, &comparable(said));
        harmless(walk, &name, said);
        for block in shown["blocks"].as_array().into_iter().flatten() {
            harmless(walk, &name, block["text"]["text"].as_str().unwrap_or_default());
        }
        if let Some(sentence) = classify(walk, &machines, &text, &row.by) {
            // What the error type says and what the person read are the same.
            walk.expect(&name, &sentence, &comparable(said));
            walk.rows -= 1;
        }
        if row.groups_old {
            remember_groups(walk).await;
        }
    }
}

/// Notes which variants a command brings up, and the sentence for it.
fn classify(walk: &mut Walk, machines: &[SeenMachine], text: &str, by: &str) -> Option<String> {
    let (name, ports, source, ttl, means, justification) = match command::parse(text) {
        Err(why) => {
            walk.see(&why);
            if let command::CommandError::Malformed(malformed) = &why {
                walk.see(malformed);
            }
            return Some(wording::misunderstood(&why).text);
        }
        Ok(command::Command::Help) => return Some(wording::help(&edge::report::BUILD).text),
        Ok(command::Command::Ask { machine, ports, source, ttl, means, justification }) => {
            (machine, ports, source, ttl, means, justification)
        }
        // Told by the table alone: what they say hangs on more than the line.
        Ok(_) => return None,
    };
    let Found::One(seen) = find(machines, &name) else { return None };
    let policy = walk.policy.clone();
    let rule = policy.rule_for(&Subject::seen(seen)).ok();
    let source = source.or(rule.and_then(|rule| rule.source())).or("192.0.2.1".parse().ok())?;
    let machine = match seen.reached_from(&source) {
        Ok(machine) => machine,
        Err(why) => {
            walk.see(&why);
            let looks = !matches!(why, Unfit::OtherFamily { .. });
            return Some(comparable(&wording::unfit(seen, &why, Some(&source), looks).text));
        }
    };
    let hash = RequestHash::of("any", &machine.resource_id);
    let wish = Wish {
        id: hash.candidate(0),
        hash,
        requester: by.parse().unwrap(),
        machine,
        protocol: Protocol::Tcp,
        ports,
        ttl: ttl.or(rule.map(|rule| rule.duration())).unwrap_or(access::lease::Ttl::MIN),
        means,
        justification,
        moves: None,
        asked_at: Timestamp::from_unix(0),
        lapses_at: Timestamp::from_unix(0),
    };
    let mut groups = Groups::default();
    groups.insert(GROUP_ID.to_owned(), GROUP_MEMBERS.map(|user| user.parse().unwrap()).into());
    let ask = Ask { wish, source };
    let admitted = policy
        .admits(&ask, &seen.tags, &groups)
        .and_then(|rule| rule.admits_enabled(&ask, seen.enabled.as_ref()));
    let why = admitted.err()?;
    walk.see(&why);
    let other_answer = source.to_string() == "192.0.2.1";
    (!other_answer).then(|| wording::not_allowed(&why, rule).text)
}

/// What somebody typed must not become markup, nor hide something: whatever stands in angle
/// brackets is a mention or a time of ours.
fn harmless(walk: &mut Walk, row: &str, said: &str) {
    let mut rest = comparable(said);
    for ours in ["<{link}|Open this page>", "<@U0ANA>", "<@U0BEA>", "<@U0CHRIS>", "<!subteam^S0ONCALL>"] {
        rest = rest.replace(ours, "");
    }
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{200B}'..='\u{200F}').contains(&c)
            || ('\u{2028}'..='\u{202E}').contains(&c)
            || ('\u{2060}'..='\u{206F}').contains(&c)
    };
    let lines = if said.starts_with("*Ajar*") { 15 } else { 1 };
    if rest.contains(['<', '>'])
        || rest.contains(hidden)
        || !rest.matches('`').count().is_multiple_of(2)
        || rest.lines().count() > lines
        || said.chars().count() > 3000
    {
        walk.wrong.push(format!("{row}\n  is not harmless: {said}"));
    }
}

pub(crate) async fn clicks(walk: &mut Walk, rows: &[Click]) {
    let mut told = vec![];
    for (number, row) in rows.iter().enumerate() {
        let source = format!("203.0.113.{}", number + 20);
        let command = format!("{} from {source} for 5m", row.ask);
        let asked = walk.world.slack.command("U0ANA", CHANNEL_ID, &command).await.unwrap();
        let answer = asked.shown.unwrap_or_default()["text"].as_str().unwrap_or_default().to_owned();
        let mut id: RequestId = answer.rsplit(' ').next().unwrap().parse().expect(&answer);
        match row.given.as_str() {
            "pending" => {}
            "moving" => {
                assert_eq!(click(walk, id, "U0BEA", "approve", None).await, "");
                assert_eq!(click(walk, id, "U0CHRIS", "approve", None).await, "");
                let command = format!("move {id} from 203.0.113.{}", number + 120);
                let asked = walk.world.slack.command("U0ANA", CHANNEL_ID, &command).await.unwrap();
                let answer = asked.shown.unwrap_or_default()["text"].as_str().unwrap_or_default().to_owned();
                id = answer.rsplit(' ').next().unwrap().parse().expect(&answer);
            }
            "lapsed" => drop(walk.sandbox.advance(3_601).await.unwrap()),
            decided => {
                if decided == "denied" {
                    deny(walk, id, "U0BEA").await;
                } else {
                    assert_eq!(click(walk, id, "U0BEA", "approve", None).await, "");
                    if decided == "disowned" {
                        let said = click(walk, id, "U0BEA", "not_me", None).await;
                        assert!(said.starts_with("Ajar shuts what was opened with it"), "{said}");
                    }
                }
                if decided == "ended" {
                    walk.sandbox.advance(400).await.unwrap();
                }
            }
        }
        if row.groups_old {
            forget_groups(walk).await;
        }
        let said = click(walk, id, &row.by, &row.button, row.value.as_deref()).await;
        let name = format!("{} clicks {} on {} ({})", row.by, row.button, row.ask, row.given);
        walk.expect(&name, &row.says, &said);
        told.push(said);
        if row.groups_old {
            remember_groups(walk).await;
        }
    }
    let at = Timestamp::from_unix(1_700_000_000);
    let bea: UserId = "U0BEA".parse().unwrap();
    let machine = walk.world.store.machines().await.unwrap();
    let machine = machine.iter().find(|machine| machine.name.as_str() == "VM3").unwrap();
    let policy = walk.policy.clone();
    for refusal in [
        ClickRefusal::NoSuchRequest,
        ClickRefusal::OtherTerms,
        ClickRefusal::OwnRequest,
        ClickRefusal::NotEntitled,
        ClickRefusal::AlreadyApproved,
        ClickRefusal::Lapsed { at },
        ClickRefusal::Decided { what: "approved", by: Some(bea), at },
        ClickRefusal::Decided { what: "ended", by: None, at },
        ClickRefusal::NoBreakGlass,
        ClickRefusal::NoMove { request: "7F3K9-QXM2P".parse().unwrap() },
        ClickRefusal::GroupsUnknown,
        ClickRefusal::Frozen { user: "U0BEA".parse().unwrap(), since: at },
        ClickRefusal::OldCard { request: "7F3K9-QXM2P".parse().unwrap() },
    ] {
        let sentence = comparable(&refused_click(&refusal, policy.rule_for(&Subject::seen(machine)).ok()));
        if told.contains(&sentence) {
            walk.see(&refusal);
        } else {
            walk.wrong.push(format!("no click was answered: {sentence}"));
        }
    }
}

/// Sends off the form by which a request is denied, as Slack does.
async fn deny(walk: &mut Walk, id: RequestId, by: &str) {
    walk.sandbox.settle().await;
    let record = walk.world.store.read(id).await.unwrap().unwrap().record;
    let value = button_value(id, &TermsDigest::of(record.ask().unwrap()));
    let payload = json!({
        "type": "view_submission",
        "team": {"id": "T0CONTOSO"}, "enterprise": null, "api_app_id": "A0AJAR", "user": {"id": by},
        "view": {
            "callback_id": "deny", "private_metadata": value,
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "not now"}}}},
        },
    });
    assert_eq!(crate::http::interaction(walk, &payload).await, (200, String::new()));
}

/// Sends a click as Slack does and returns what the clicker was told, if anything.
async fn click(walk: &mut Walk, id: RequestId, by: &str, button: &str, value: Option<&str>) -> String {
    walk.sandbox.settle().await;
    let loaded = walk.world.store.read(id).await.unwrap().unwrap();
    let (digest, card) = (TermsDigest::of(loaded.record.ask().unwrap()), loaded.shown.card.to_string());
    let filled = |value: &str| {
        let value = value.replace("{id}", &id.to_string()).replace("{digest}", digest.as_str());
        value.replace("{card}", &card)
    };
    let on_card = || {
        if ["break_glass", "move"].contains(&button) {
            button_value(id, &digest)
        } else {
            filled("{id}.{digest}.{card}")
        }
    };
    let value = value.map_or_else(on_card, filled);
    let help = walk.world.slack.command(by, CHANNEL_ID, "help").await.unwrap();
    let before = walk.world.slack.messages().len();
    let payload = json!({
        "type": "block_actions",
        "team": {"id": "T0CONTOSO"}, "enterprise": null, "api_app_id": "A0AJAR",
        "user": {"id": by}, "response_url": help.response_url, "trigger_id": help.trigger_id,
        "actions": [{"type": "button", "action_id": button, "value": value}],
    });
    let answer = crate::http::interaction(walk, &payload).await;
    assert_eq!(answer, (200, String::new()), "{payload}");
    walk.sandbox.settle().await;
    let messages = walk.world.slack.messages().split_off(before);
    let said: Vec<&Value> = messages.iter().filter(|message| message["method"] == "response_url").collect();
    assert!(said.len() <= 1, "{said:?}");
    said.first().map_or_else(String::new, |said| {
        let replaces = said["body"]["replace_original"].as_bool().unwrap();
        assert_eq!(said["body"]["response_type"] == "ephemeral", !replaces);
        assert_eq!(replaces, said["body"]["text"].as_str().unwrap().starts_with("This was an old card"));
        comparable(said["body"]["text"].as_str().unwrap())
    })
}
