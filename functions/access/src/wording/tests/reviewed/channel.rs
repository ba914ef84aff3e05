//! What the channel is told beside the cards.

use super::samples::*;
use super::*;
use crate::evidence::Unproven;
use crate::frozen::Frozen;
use crate::lifecycle::{Obstacle, SignedClick};
use crate::lockdown::Lockdown;
use crate::order::{Change, ClosingRule, Found, Order, Outcome, Reason, Shut, Yes};
use crate::orphan::{BreakGlass, Fate, Orphan};
use crate::request::{Protocol, RequestId};

fn click() -> SignedClick {
    SignedClick { body: String::new(), timestamp: String::new(), signature: String::new(), key: None }
}

fn id() -> RequestId {
    "7F3K9-QXM2P".parse().unwrap()
}

fn alarms(album: &mut Album) {
    let installation = installation();
    let obstacles = every!(Obstacle {
        Obstacle::Lock => [Obstacle::Lock],
        Obstacle::Refused { .. } => [
            Obstacle::Refused { code: "AuthorizationFailed".to_owned() },
            Obstacle::Refused { code: "RequestDisallowedByPolicy".to_owned() },
            Obstacle::Refused { code: "InternalServerError".to_owned() },
        ],
        Obstacle::Unfinished => [Obstacle::Unfinished],
        Obstacle::Unseen => [Obstacle::Unseen],
    });
    let said = |record: &Record, now: u64| match alarm(record, &installation, at(now)) {
        Some(Alarm::Overdue(message) | Alarm::Over(message)) => message,
        None => panic!("no alarm"),
    };
    for obstacle in obstacles {
        let late = closing(&Cause::Expired, &json!({"obstacle": obstacle, "tries": 3}));
        album.message(&format!("not shut: {obstacle:?}"), &said(&record(&late), EXPIRES + 130));
    }
    let shut = |ends: [RuleEnd; 2]| record(&closing(&Cause::Expired, &json!({"ends": ends, "tries": 9})));
    album.message("shut at last, by denying", &said(&shut([RuleEnd::Denied, RuleEnd::Gone]), EXPIRES + 900));
    let mut over = closed(&Closure::Ended(Cause::Expired), &json!({"shut": {"by": "DenyAllInBound"}}));
    album.message("shut at last", &said(&record(&over), CLOSED + 900));
    over["late"] = json!([RuleEnd::Locked, RuleEnd::Gone]);
    album.message("a delayed write brought a rule back", &said(&record(&over), CLOSED + 900));
    over["late"] = json!([RuleEnd::Denied, RuleEnd::Gone]);
    album.message("what came back denies now", &said(&record(&over), CLOSED + 900));
}

fn orphans(album: &mut Album) {
    let fates = every!(Fate {
        Fate::Standing => [Fate::Standing],
        Fate::Hindered { .. } => [
            Fate::Hindered { since: at(ASKED), code: Some("ScopeLocked".to_owned()) },
            Fate::Hindered { since: at(ASKED), code: None },
        ],
        Fate::Gone { .. } => [Fate::Gone { at: at(ASKED + 60) }],
        Fate::Kept => [Fate::Kept],
        Fate::Hidden => [Fate::Hidden],
    });
    let found = |fate: Fate| Orphan {
        nsg: nsg_id("Contoso-NSG").parse().unwrap(),
        request: id(),
        found_at: at(ASKED),
        allows: true,
        described_end: Some(at(EXPIRES)),
        break_glass: None,
        fate,
    };
    let says = |orphan: &Orphan, told: &[OrphanTold]| {
        super::super::orphan(orphan, told, &installation(), at(ASKED + 600)).map(|(_, message)| message)
    };
    for fate in fates {
        let title = format!("a rule that no request answers for: {fate:?}").replace("Timestamp", "");
        let told: &[OrphanTold] = match fate {
            Fate::Standing | Fate::Kept | Fate::Hidden => &[],
            Fate::Hindered { .. } | Fate::Gone { .. } => &[OrphanTold::Found],
        };
        album.maybe(title.split(" {").next().unwrap(), says(&found(fate), told));
    }
    let standing = || found(Fate::Standing);
    album.maybe("one that denies", says(&Orphan { allows: false, ..standing() }, &[]));
    album.maybe("one whose end is past", says(&Orphan { described_end: Some(at(ASKED)), ..standing() }, &[]));
    album.maybe("one that says no end", says(&Orphan { described_end: None, ..standing() }, &[]));
    let by_hand = BreakGlass { by: "ops@contoso.com".to_owned(), because: "Slack is down".to_owned() };
    album
        .maybe("one by the operator's tool", says(&Orphan { break_glass: Some(by_hand), ..standing() }, &[]));
}

fn people_and_machines(album: &mut Album) {
    let lifted = Some((user("U0CHRIS"), at(ASKED + 900)));
    let locked = |pattern: &str, lifted| Lockdown {
        id: id(),
        pattern: pattern.parse().unwrap(),
        by: bea(),
        at: at(ASKED),
        command: click(),
        lifted,
    };
    let says = |one: &Lockdown, told: &[LockdownTold]| lockdown(one, told).map(|(_, message)| message);
    album.maybe("a lockdown of everything", says(&locked("*", None), &[]));
    album.maybe("a lockdown of some machines", says(&locked("vm*", None), &[]));
    let lifted_one = locked("vm*", lifted.clone());
    album.maybe("a lockdown that was lifted", says(&lifted_one, &[LockdownTold::Begun]));
    let frozen_one = |lifted| Frozen {
        user: bea(),
        at: at(APPROVED),
        request: id(),
        requester: ana(),
        machine: "VM3".parse().unwrap(),
        lifted,
    };
    let policy = policy();
    let says = |one: &Frozen, told: &[LockdownTold], admins: &[Who]| {
        frozen(one, told, admins).map(|(_, message)| message)
    };
    album.maybe("an approval that was not its approver's", says(&frozen_one(None), &[], policy.admins()));
    album.maybe("the same, where the policy names no admins", says(&frozen_one(None), &[], &[]));
    album.maybe("clicks that count again", says(&frozen_one(lifted), &[LockdownTold::Begun], &[]));
}

fn orders(album: &mut Album) {
    let rule = |group: &str| ClosingRule {
        nsg: nsg_id(group).parse().unwrap(),
        machine: vm_id("VM3").parse().unwrap(),
        name: "VM3".parse().unwrap(),
        address: "10.0.0.6".parse().unwrap(),
        protocol: Protocol::Tcp,
        ports: ports(&[22, 3389]),
    };
    let enabled = |set: &Value| {
        Found::of(&machine("VM3", &{
            let mut all = json!({"enabled": enabled()});
            for (field, value) in set.as_object().unwrap() {
                all[field] = value.clone();
            }
            all
        }))
    };
    let open = enabled(&json!({"open": [door(22, true)]}));
    let offer = |change, reason, found: Vec<Found>, rules| {
        Order::offer(id(), change, reason, found, rules, at(ASKED))
    };
    let says = |one: &Order, now: u64| super::super::order(one, &installation(), at(now));
    let reasons = every!(Reason {
        Reason::Enabled { .. } => [Reason::Enabled { by: user("U0CHRIS") }],
        Reason::Disabled { .. } => [Reason::Disabled { by: user("U0CHRIS") }],
        Reason::Missing => [Reason::Missing],
    });
    for reason in reasons {
        let (title, change, found) = match &reason {
            Reason::Enabled { .. } => {
                ("enabled, and others' rules leave it open", Change::Write, open.clone())
            }
            Reason::Disabled { .. } => {
                ("disabled, and closing rules stand", Change::Remove, Found::of(&machine("VM3", &json!({}))))
            }
            Reason::Missing => {
                ("a closing rule is missing", Change::Write, Found::missed(&rule("Contoso-NSG")))
            }
        };
        album.message(title, &says(&offer(change, reason, vec![found], vec![rule("Contoso-NSG")]), ASKED));
    }
    let several = offer(
        Change::Write,
        Reason::Enabled { by: user("U0CHRIS") },
        vec![open.clone()],
        vec![rule("Contoso-NSG"), rule("VM3-nsg")],
    );
    album.message("two closing rules are offered", &says(&several, ASKED));
    album.message("nobody has taken the offer", &says(&several, ASKED + 90_000));
    let removed = offer(
        Change::Remove,
        Reason::Disabled { by: user("U0CHRIS") },
        vec![Found::of(&machine("VM3", &json!({})))],
        vec![rule("Contoso-NSG"), rule("VM3-nsg")],
    );
    album.message("two closing rules stand still", &says(&removed, ASKED));
    let doors = vec![serde_json::from_value(door(22, false)).unwrap()];
    let states = every!(Shut {
        Shut::Yes => [Shut::Yes],
        Shut::No { .. } => [Shut::No { doors }],
        Shut::Unread => [Shut::Unread],
        Shut::Missing => [Shut::Missing],
        Shut::Bare => [Shut::Bare],
        Shut::Gone => [Shut::Gone],
    });
    let found = states.into_iter().map(|state| Found { state, ..open.clone() }).collect();
    album.message(
        "enabled, and nothing can be offered",
        &says(&offer(Change::Write, Reason::Enabled { by: user("U0CHRIS") }, found, vec![]), ASKED),
    );
    let outcomes = every!(Outcome {
        Outcome::Waiting => [Outcome::Waiting],
        Outcome::Shut { .. } => [Outcome::Shut { priority: 500 }],
        Outcome::StillOpen { .. } => [Outcome::StillOpen { priority: 500, by: "allow-ssh".to_owned() }],
        Outcome::Gone => [Outcome::Gone],
        Outcome::NoRoom { .. } => [Outcome::NoRoom { before: "allow-ssh".to_owned() }],
        Outcome::Refused { .. } => [Outcome::Refused { code: "AuthorizationFailed".to_owned() }],
        Outcome::Changed => [Outcome::Changed],
        Outcome::Unproven { .. } => [Outcome::Unproven { why: Unproven::TooOld }],
    });
    let yes = Some(Yes { by: user("U0CHRIS"), at: at(ASKED + 60), click: click() });
    let carried_out = |outcomes: Vec<Outcome>| {
        let rules = vec![rule("Contoso-NSG"); outcomes.len()];
        Order {
            outcomes,
            yes: yes.clone(),
            ..offer(Change::Write, Reason::Enabled { by: user("U0CHRIS") }, vec![open.clone()], rules)
        }
    };
    album.message(
        "ordered, and what has become of each rule",
        &says(&carried_out(outcomes.clone()), ASKED + 90),
    );
    album
        .message("ordered, and done", &says(&carried_out(vec![Outcome::Shut { priority: 500 }]), ASKED + 90));
}

pub(super) fn fill(album: &mut Album) {
    alarms(album);
    orphans(album);
    people_and_machines(album);
    orders(album);
    // A break-glass that more could have approved than are told one by one.
    let crowd: Vec<String> = (100..140).map(|n| format!("\"U0P{n}\"")).collect();
    let text = format!(
        "channel = \"C0JIT\"\n[[rules]]\nname = \"all\"\nmachines = [\"*\"]\nrequesters = [\"U0ANA\"]\nbreak_glass = [\"U0ANA\"]\napprovers = [{}, \"U0BEA\", \"U0CHRIS\"]\nports = [22]\n",
        crowd.join(", ")
    );
    let policy = Policy::parse(&text).unwrap();
    let went_past = glass(&json!({"status": "OPEN"}));
    let others = passed_by(&went_past, rule(&policy), &Groups::default()).unwrap().others.unwrap();
    album.message("a break-glass that very many could have approved", &others);
}
