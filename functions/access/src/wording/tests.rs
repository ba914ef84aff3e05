use super::*;
use crate::command;
use crate::lifecycle::{Parts, Record};
use crate::policy::{Policy, Subject};
use crate::request::Installation;
use proptest::prelude::*;

mod hostile;
mod looking;
mod reviewed;

/// The longest that everything may be: a name of 64, ten ports, a reason of 300, ten approvers.
pub(super) fn largest(set: &Value) -> Record {
    let name = format!("V{}", "m".repeat(63));
    let group = "g".repeat(90);
    let nsg = |n: u8| {
        format!(
            "/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Network/networkSecurityGroups/{n}{}",
            "n".repeat(79)
        )
    };
    let approvers: Vec<String> = (10..20).map(|n| format!("W{n}{}", "A".repeat(21))).collect();
    let click = json!({"body": "", "timestamp": "", "signature": ""});
    let mut parts = json!({
        "id": "7F3K9-QXM2P", "hash": "0".repeat(64), "version": 3, "status": "OPEN", "changed_at": 1200,
        "requester": format!("W{}", "Z".repeat(23)), "protocol": "tcp", "ttl_minutes": 1439,
        "ports": (65_526..=65_535).collect::<Vec<u16>>(), "asked_at": 1000, "lapses_at": 4600, "needed": 10,
        "source": "2001:db8:1111:2222:3333:4444:5555:0/112", "approved_at": 1100, "expires_at": 90_000,
        "justification": "&".repeat(300),
        "vm": {
            "name": name, "private_address": "2001:db8:1111:2222:3333:4444:5555:6666",
            "resource_id": format!("/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"),
        },
        "plan": [{"nsg": nsg(1), "priority": 499}, {"nsg": nsg(2), "priority": 499}],
        "approvals": approvers.iter().map(|by| json!({"by": by, "at": 1100, "click": click})).collect::<Vec<_>>(),
    });
    for (field, value) in set.as_object().unwrap() {
        parts[field] = value.clone();
    }
    Record::from_parts(serde_json::from_value::<Parts>(parts).unwrap()).unwrap()
}

/// Every state, and the ways of ending with the longest sentences.
fn states() -> Vec<Value> {
    let long = "x".repeat(300);
    let failed = json!({"failed": {"network": {"no_room": {"before": long, "nsg": long}}}});
    let closed = |closure: Value, proof: Value| json!({"status": "CLOSED", "closure": closure, "closed_at": 1300, "proof": proof});
    let closing =
        |ends: &str| json!({"status": "CLOSING", "cause": failed, "closing_at": 1300, "ends": [ends, ends]});
    vec![
        json!({"status": "PENDING"}),
        json!({"status": "APPROVED"}),
        json!({"status": "OPENING"}),
        json!({"status": "OPEN"}),
        closing("standing"),
        closing("locked"),
        closing("denied"),
        closed(json!("lapsed"), Value::Null),
        closed(json!("cancelled"), Value::Null),
        closed(json!({"denied": {"by": format!("W{}", "Z".repeat(23))}}), Value::Null),
        closed(json!({"ended": failed}), Value::Null),
        closed(json!({"ended": failed}), json!({"shut": {"by": long}})),
        closed(json!({"ended": failed}), json!({"still_open": {"by": long}})),
        closed(json!({"ended": failed}), json!("unclear")),
    ]
}

/// A policy that names more people, ports and addresses than any message could.
fn crowded() -> Policy {
    let people: Vec<String> = (1000..1400).map(|n| format!("\"W{n}{}\"", "B".repeat(19))).collect();
    let ports: Vec<String> = (1..2000).map(|n| n.to_string()).collect();
    let sources: Vec<String> = (1..200).map(|n| format!("\"2001:db8:{n}::/48\"")).collect();
    let text = format!(
        "channel = \"C0JIT\"\n[[rules]]\nname = \"all\"\nmachines = [\"*\"]\nrequesters = [{0}]\napprovers = [{0}]\nbreak_glass = [{0}]\nports = [{1}]\nsources = [{2}]\napprovals = 10",
        people.join(", "),
        ports.join(", "),
        sources.join(", ")
    );
    Policy::parse(&text).unwrap()
}

fn chars(value: &Value) -> usize {
    value.as_str().unwrap().chars().count()
}

/// Slack's limits (docs.slack.dev, reference/block-kit).
fn fits(message: &Message) {
    let text = message.text.chars().count();
    assert!((1..=4000).contains(&text), "chat.update takes 4,000 characters, not {text}");
    assert!(message.blocks.len() <= 50);
    for block in &message.blocks {
        match block["type"].as_str().unwrap() {
            "header" => {
                assert!(chars(&block["text"]["text"]) <= 150, "{block}");
                assert_eq!(block["text"]["type"], "plain_text");
            }
            "section" => {
                if let Some(fields) = block["fields"].as_array() {
                    assert!((1..=10).contains(&fields.len()));
                    assert!(
                        fields.iter().all(|field| (1..=2000).contains(&chars(&field["text"]))),
                        "{block}"
                    );
                } else {
                    assert!((1..=3000).contains(&chars(&block["text"]["text"])), "{block}");
                }
            }
            "context" => {
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=10).contains(&elements.len()));
                assert!(elements.iter().all(|element| (1..=3000).contains(&chars(&element["text"]))));
            }
            "actions" => {
                assert!(chars(&block["block_id"]) <= 255);
                for element in block["elements"].as_array().unwrap() {
                    assert!(chars(&element["text"]["text"]) <= 75);
                    // The button under check boxes has none.
                    assert!(element.get("value").is_none_or(|value| chars(value) <= 2000));
                    assert!(chars(&element["accessibility_label"]) <= 75);
                    assert!(chars(&element["action_id"]) <= 255);
                }
            }
            other => panic!("a block of type {other}"),
        }
    }
}

/// Everything that Slack reads as markup: the texts in mrkdwn, and the message's own.
fn markup(message: &Message) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) if object.get("type") == Some(&json!("mrkdwn")) => {
                assert_eq!(object["verbatim"], true, "names and addresses would become links");
                found.push(object["text"].as_str().unwrap().to_owned());
            }
            Value::Object(object) => object.values().for_each(|value| collect(value, found)),
            Value::Array(array) => array.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = vec![message.text.clone()];
    message.blocks.iter().for_each(|block| collect(block, &mut found));
    found
}

/// Whether all that stands in angle brackets is a mention or a time of ours.
fn is_ours(text: &str) -> bool {
    let mut pieces = text.split('<');
    !pieces.next().unwrap_or_default().contains('>')
        && pieces.all(|piece| {
            let Some((inside, after)) = piece.split_once('>') else { return false };
            let known = ["@U", "@W", "!subteam^S", "!date^"].iter().any(|start| inside.starts_with(start));
            known && !after.contains('>')
        })
}

#[test]
fn the_largest_card_of_every_state_fits() {
    let installation: Installation = "a1234567890123456789".parse().unwrap();
    let policy = crowded();
    for state in states() {
        let record = largest(&state);
        let rule = policy.rule_for(&Subject::of(&record.wish().machine, None)).unwrap();
        for now in [1300, 80_000, 100_000] {
            let now = Timestamp::from_unix(now);
            let card = card(&record, Some(rule), None, &installation, now).unwrap();
            fits(&card);
            assert!(markup(&card).iter().all(|text| is_ours(text)), "{card:?}");
            // The state is in the header whole, not cut off.
            assert!(card.text.starts_with(card.blocks[0]["text"]["text"].as_str().unwrap()));
            if let Some((_, message)) = direct(&record, None, &installation, now) {
                fits(&message);
            }
            let mut glass = state.clone();
            glass["break_glass"] = json!(true);
            let record = largest(&glass);
            let card = super::card(&record, Some(rule), None, &installation, now).unwrap();
            fits(&card);
            assert!(markup(&card).iter().all(|text| is_ours(text)), "{card:?}");
            assert!(card.text.starts_with(card.blocks[0]["text"]["text"].as_str().unwrap()));
            let nobody = crate::policy::Groups::default();
            if let Some(PassedBy { people, message, others }) = passed_by(&record, rule, &nobody) {
                assert_eq!(people.len(), 30);
                fits(&message);
                fits(&others.unwrap());
            }
        }
    }
}

#[test]
fn the_largest_answers_fit() {
    let policy = crowded();
    let record = largest(&json!({"status": "PENDING"}));
    let ask = record.ask().unwrap();
    let machine = &ask.wish.machine;
    let rule = policy.rule_for(&Subject::of(machine, None)).unwrap();
    let query =
        |n: u16| format!("group-{n}{}/V{}", "g".repeat(80), "m".repeat(63)).parse::<MachineQuery>().unwrap();
    let queries: Vec<MachineQuery> = (0..500).map(query).collect();
    let names: Vec<String> = queries.iter().map(ToString::to_string).collect();
    let (requester, rule_name) = (ask.wish.requester.clone(), "r".repeat(60));
    let refusals = [
        NotAllowed::Machine { machine: machine.name.to_string() },
        NotAllowed::Requester { rule: rule_name.clone(), requester },
        NotAllowed::Port { rule: rule_name.clone(), port: 65_535, offered: (1..=u16::MAX).collect() },
        NotAllowed::Source {
            rule: rule_name.clone(),
            source_prefix: ask.source,
            allowed: vec![ask.source; 500],
        },
        NotAllowed::BreakGlass { rule: rule_name.clone(), requester: ask.wish.requester.clone() },
        NotAllowed::NobodyCouldApprove { rule: rule_name, needed: 10, available: 9 },
    ];
    refusals.iter().for_each(|why| fits(&not_allowed(why, Some(rule))));
    fits(&asked(ask, rule));
    let glass = largest(&json!({"status": "PENDING", "break_glass": true}));
    fits(&asked(glass.ask().unwrap(), rule));
    fits(&ambiguous(&queries[0], &queries, &ask.wish.ports));
    fits(&no_source(&machine.name, &queries[0], &ask.wish.ports));
    fits(&no_such_machine(&queries[0], &names, true));
    let again = LookedAgain::Unfit(ambiguous(&queries[0], &queries, &ask.wish.ports).text);
    fits(&Message::sentence(looked_again(&queries[0], &ask.wish.ports, &again)));
    fits(&asked_before(&ask.wish, "OPEN"));
    fits(&asked_before_from(ask, "OPEN"));
    for wish in [&ask.wish, &glass.ask().unwrap().wish] {
        let url = format!("https://{}/address?link={}", "h".repeat(253), "l".repeat(66));
        let message = draft(wish, &url);
        fits(&message);
        assert!(markup(&message).iter().all(|text| text.contains(&format!("<{url}|Open this page>"))));
        assert!(is_ours(&message.text.replacen(&format!("<{url}|"), "<@U", 1)), "{}", message.text);
    }
    fits(&help(&Build { version: "0.1.0", commit: Some("8fe8b70a1b2c") }));
    assert!(refused_click(&ClickRefusal::NotEntitled, Some(rule)).len() <= 3000);
    let nobody = refused_click(&ClickRefusal::NotEntitled, None);
    assert!(nobody.starts_with("No rule of the policy is about this machine any more"), "{nobody}");
}

#[test]
fn what_a_person_wrote_is_text_and_its_end_is_seen() {
    let typed = "<!channel> *now* `x` \u{201d} Approved by <@U0BEA> & ~all~";
    assert_eq!(quoted(typed), "\u{201c}&lt;!channel&gt; now x  Approved by &lt;@U0BEA&gt; &amp; all\u{201d}");
}

#[test]
fn lists_end() {
    let items = |n: usize| (1..=n).map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(listed(&items(2), "or"), "1 or 2");
    assert_eq!(listed(&items(12), "and"), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 12");
    assert_eq!(listed(&items(13), "and"), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more");
}

#[test]
fn a_wide_source_is_counted() {
    for (source, told) in [
        ("203.0.113.0/28", "16 addresses"),
        ("128.0.0.0/1", "2147483648 addresses"),
        ("2001:db8::/32", "2^96 addresses"),
    ] {
        let record = largest(&json!({"status": "PENDING", "source": source}));
        let card = card(&record, None, None, &"a".parse().unwrap(), Timestamp::from_unix(1300)).unwrap();
        assert!(markup(&card).contains(&format!("*Wide*: `{source}` is {told}.")), "{card:?}");
    }
}

/// Pieces with which people could disguise a message.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<!channel>",
        "<!here|x>",
        "<@U0EVE>",
        "<https://evil.example|Approve>",
        "`",
        "```",
        "*",
        "_",
        "~",
        "&lt;",
        "\u{202E}",
        "\u{2066}",
        "\u{200B}",
        "\n",
        "\r\n",
        "\u{2028}",
        "\u{0}",
        " ",
        "because",
        "from",
        "for",
        ",",
        "22",
        "VM3",
        "Approved",
        ">",
        "<",
        "|",
        "é",
        "🔓",
        "\u{00A0}",
    ]);
    prop::collection::vec(prop_oneof![pieces.prop_map(str::to_owned), "\\PC{0,6}"], 0..12)
        .prop_map(|v| v.concat())
}

proptest! {
    #[test]
    fn a_reason_is_never_markup(reason in hostile()) {
        // The mark finds the reason again wherever it stands.
        let Ok(reason) = format!("zqz{reason}").parse::<crate::request::Justification>() else { return Ok(()) };
        for state in states() {
            let mut state = state;
            state["justification"] = json!(reason.as_str());
            let record = largest(&state);
            let card = card(&record, None, None, &"a".parse().unwrap(), Timestamp::from_unix(1300)).unwrap();
            for text in markup(&card) {
                prop_assert!(is_ours(&text), "{}", text);
                // Where it is read as markup, it is quoted, and nothing in it ends the quotation.
                let around = text.split_once("zqz").map(|(before, after)| (before.to_owned(), after.to_owned()));
                let Some((before, after)) = around else { continue };
                prop_assert!(before.ends_with('\u{201c}'), "{}", text);
                let quotation = after.split('\u{201d}').next().unwrap_or_default();
                prop_assert!(!quotation.contains(['*', '_', '~', '`', '\u{201c}']), "{}", text);
                prop_assert_eq!(after.matches('\u{201d}').count(), 1, "{}", text);
            }
            let blocks = card.blocks.iter().filter(|block| block["text"]["type"] == "plain_text");
            let shown: Vec<_> = blocks.filter_map(|block| block["text"]["text"].as_str()).collect();
            let why = format!("Why: {reason}");
            prop_assert!(shown.contains(&why.as_str()));
            let hidden = why.contains(|c: char| c.is_control() || c == '\u{202E}' || c == '\u{2028}');
            prop_assert!(!hidden);
        }
    }

    #[test]
    fn what_was_typed_wrongly_comes_back_harmless(text in hostile()) {
        let Err(why) = command::parse(&text) else { return Ok(()) };
        let answer = misunderstood(&why);
        fits(&answer);
        for text in markup(&answer) {
            let harmful = text.contains(['<', '>', '\n', '\u{202E}', '\u{2066}', '\u{200B}']);
            prop_assert!(!harmful, "{}", text);
            prop_assert!(text.matches('`').count() % 2 == 0, "{}", text);
            prop_assert!(text.ends_with(['.', '?']) && !text.ends_with(".."), "{}", text);
            prop_assert!(!text.starts_with(|c: char| c.is_ascii_lowercase()), "{}", text);
        }
    }
}

/// A machine that can be enabled, but for what is set.
pub(super) fn seen(place: &str, name: &str, set: &Value) -> SeenMachine {
    let nsg = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/shared";
    let address = json!({"private": "10.0.0.4", "on_subnet": {"group": nsg}});
    let mut machine = json!({
        "name": name, "seen_at": 1000, "power": "running",
        "nics": [{"id": "/subscriptions/s/x/nic", "addresses": [address]}],
        "resource_id": format!("/subscriptions/{place}/providers/Microsoft.Compute/virtualMachines/{name}"),
    });
    for (field, value) in set.as_object().unwrap() {
        machine[field] = value.clone();
    }
    serde_json::from_value(machine).unwrap()
}

#[test]
fn a_badge_says_in_a_few_words_what_the_list_says() {
    let says = |set: Value| {
        let group = |name: &str| {
            format!(
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/{name}"
            )
        };
        let address = json!({"private": "10.0.0.4", "on_subnet": {"group": group("shared")}});
        let mut machine = json!({
            "name": "VM1", "seen_at": 1000, "power": "running", "nics": [{"id": group("nic"), "addresses": [address]}],
            "resource_id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/VM1",
        });
        for (field, value) in set.as_object().unwrap() {
            machine[field] = value.clone();
        }
        badge(&serde_json::from_value::<SeenMachine>(machine).unwrap())
    };
    let door = |port: u16, by: &str, to_everybody: bool| {
        json!({
            "address": "10.0.0.4", "protocol": "tcp", "port": port, "by": by, "nsg": "shared",
            "to_everybody": to_everybody,
        })
    };
    assert_eq!(says(json!({})), "Recommended: shielded, not enabled");
    assert_eq!(says(json!({"unread": true})), "Recommended: a group on its way cannot be read, not enabled");
    let open = [door(22, "allow-ssh", true), door(22, "allow-ssh", true), door(3389, "allow-ssh", true)];
    let text = "Recommended: 22 and 3389 are open to everybody by allow-ssh";
    assert_eq!(says(json!({"open": open})), text);
    let open = [door(22, "allow-ssh", true), door(5985, "partners", false)];
    let text = "Recommended: 22 is open to everybody by allow-ssh; 5985 is open to somebody by partners";
    assert_eq!(says(json!({"open": open})), text);
    let port = |port: u16, protocol: &str| json!({"port": port, "protocol": protocol, "longest": 60});
    let enabled = json!({"ports": [port(22, "tcp"), port(53, "udp")], "by": "U0CHRIS", "at": 1000});
    assert_eq!(says(json!({"enabled": enabled})), "Configured: 22, 53 (UDP)");
    let nowhere = json!([{"id": "/subscriptions/s/x/nic", "addresses": []}]);
    assert_eq!(says(json!({"nics": nowhere})), "Unsupported: it has no network address");
    let bare = json!([{"id": "/subscriptions/s/x/nic", "addresses": [{"private": "10.0.0.4", "on_subnet": "nothing"}]}]);
    assert_eq!(says(json!({"nics": bare})), "Unsupported: no network security group is on its way");
    let text = "Unsupported: it is deallocated; start it in Azure first";
    assert_eq!(says(json!({"power": "deallocated"})), text);
}

/// A policy with one rule.
fn rule_about(machines: &str) -> Policy {
    let text = format!(
        "channel = \"C0JIT\"\n[[rules]]\nname = \"all\"\nmachines = [\"{machines}\"]\nrequesters = [\"U0ANA\"]\napprovers = [\"U0BEA\"]\nports = [22]\n"
    );
    Policy::parse(&text).unwrap()
}

/// The options of the check boxes under a list.
fn options(list: &Message) -> Vec<Value> {
    let block = list.blocks.iter().find(|block| block["block_id"] == "recommended");
    block.map(|block| block["accessory"]["options"].as_array().unwrap().clone()).unwrap_or_default()
}

#[test]
fn boxes_are_for_admins_and_for_machines_that_can_be_enabled() {
    let policy = rule_about("VM*");
    let none = json!({});
    let enabled = json!({"enabled": {"ports": [{"port": 22, "protocol": "tcp", "longest": 60}], "by": "U0CHRIS", "at": 1000}});
    let (place, long) = ("s/resourceGroups/g", format!("VM{}", "m".repeat(62)));
    let long_place = format!("{}/resourceGroups/{}", "s".repeat(36), "g".repeat(90));
    let all = [
        seen(place, "VM1", &none),
        seen("other/resourceGroups/g", "VM1", &none),
        seen("s/resourceGroups/elsewhere", "VM1", &none),
        seen(place, "VM2", &enabled),
        seen(place, "VM3", &json!({"power": "deallocated"})),
        seen(place, "VM4", &json!({"gone_at": 1000})),
        seen(place, "without-a-rule", &none),
        seen(&long_place, &long, &none),
    ];
    let list = machines(&all, None, &[], &policy, true);
    let told = "To enable several at once, tick recommended machines and press *Enable JIT on the ticked machines*. The boxes: `s/g/VM1`, `other/g/VM1`, `elsewhere/VM1` and `";
    assert!(list.text.lines().last().unwrap().starts_with(told), "{}", list.text);
    let described: Vec<String> = options(&list)
        .iter()
        .map(|option| option["description"]["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(described[..3], ["in s/g", "in other/g", "in elsewhere"], "each can be told from the others");
    let mut values: Vec<String> = vec![];
    for option in options(&list) {
        for text in ["text", "description"] {
            assert!(option[text]["text"].as_str().unwrap().chars().count() <= 75, "{option}");
        }
        let value = option["value"].as_str().unwrap().to_owned();
        assert!(value.len() <= 150 && !values.contains(&value), "{value}");
        values.push(value);
    }
    assert_eq!(values.len(), 4);
    assert_eq!(options(&machines(&all, None, &[], &policy, false)), [Value::Null; 0]);
    let nothing = machines(&all[3..5], None, &[], &policy, true);
    assert_eq!((options(&nothing).len(), nothing.text.contains("tick")), (0, false));
}

#[test]
fn of_many_machines_the_first_ten_have_boxes() {
    let policy = rule_about("*");
    let place = format!("{}/resourceGroups/{}", "s".repeat(36), "g".repeat(90));
    let twin = format!("{}/resourceGroups/{}", "t".repeat(36), "g".repeat(90));
    let name = |number: usize| format!("{number:02}{}", "m".repeat(62));
    let of = |place: &str| -> Vec<SeenMachine> {
        (0..11).map(|number| seen(place, &name(number), &json!({}))).collect()
    };
    let list = machines(&[of(&place), of(&twin)].concat(), None, &[], &policy, true);
    assert_eq!(options(&list).len(), 10);
    let last = list.text.lines().last().unwrap();
    assert!(last.contains("tick some of the first 10 recommended machines and press"), "{last}");
    for block in &list.blocks {
        let text = block["text"]["text"].as_str().unwrap_or_default();
        assert!(text.chars().count() <= 3_000, "{text}");
    }
    assert!(list.text.chars().count() <= 40_000);
}
