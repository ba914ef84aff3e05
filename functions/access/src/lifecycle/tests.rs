//! Refusals of the lifecycle, and what the table may hold: the model check never sees these.

use super::*;
use crate::lease::Ttl;
use crate::policy::{Groups, Policy, Subject};
use crate::request::{Machine, Move, Ports, Protocol, RequestHash};

const POLICY: &str = r#"
channel = "C0JIT"
[[rules]]
name = "all"
machines = ["*"]
requesters = ["U0ANA"]
approvers = ["U0ANA", "U0BEA", "U0CHRIS"]
break_glass = ["U0ANA", "U0BEA"]
ports = [22]
"#;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(1_773_342_000 + seconds)
}

fn wish() -> Wish {
    let resource_id: ResourceId = "/subscriptions/s/resourceGroups/g/VM3".parse().unwrap();
    let hash = RequestHash::of("1.2", &resource_id);
    Wish {
        id: hash.candidate(0),
        hash,
        requester: "U0ANA".parse().unwrap(),
        machine: Machine {
            name: "VM3".parse().unwrap(),
            resource_id,
            private_address: [10, 0, 0, 6].into(),
            public_address: None,
        },
        protocol: Protocol::Tcp,
        ports: Ports::new(vec![22]).unwrap(),
        ttl: Ttl::from_minutes(30).unwrap(),
        means: Default::default(),
        justification: Some("patching".parse().unwrap()),
        moves: None,
        asked_at: at(0),
        lapses_at: at(3600),
    }
}

fn reason() -> crate::request::Justification {
    "not during the audit".parse().unwrap()
}

fn source() -> Source {
    "203.0.113.7".parse().unwrap()
}

fn approver(user: &str) -> Approver {
    let policy = Policy::parse(POLICY).unwrap();
    let rule = policy.rule_for(&Subject::of(&wish().machine, None)).unwrap();
    rule.approver(&user.parse().unwrap(), &Groups::default()).unwrap()
}

fn click() -> SignedClick {
    SignedClick {
        body: "payload=secret".into(),
        timestamp: "1773342000".into(),
        signature: "v0=00".into(),
        key: None,
    }
}

fn plan(groups: &[&str]) -> Plan {
    let rule = |group: &&str| PlannedRule {
        nsg: format!("/subscriptions/s/{group}").parse().unwrap(),
        priority: 499,
        open_by: (*group == "a").then(|| "everybody".to_owned()),
    };
    Plan::new(groups.iter().map(rule).collect()).unwrap()
}

fn open_proof() -> OpenProof {
    OpenProof { decided_by: vec!["ours".to_owned(), "theirs".to_owned()], confirmed: true }
}

/// The source of a draft becomes known, and nothing else of it changes.
fn addressed(draft: &Record, now: Timestamp) -> Result<Change, NotNow> {
    draft.addressed(&Ask { wish: draft.wish().clone(), source: source() }, draft.wish().lapses_at, now)
}

/// One record in each state, in the order of the lifecycle.
fn life() -> Vec<Record> {
    let draft = Record::asked(wish(), None, 2).record;
    let pending = addressed(&draft, at(10)).unwrap().record;
    let half = pending.approve(&approver("U0BEA"), click(), at(20), at(20)).unwrap().record;
    let approved = half.approve(&approver("U0CHRIS"), click(), at(30), at(31)).unwrap().record;
    let opening = approved.planned(plan(&["a", "b"]), at(32)).unwrap().record;
    let open = opening.opened(open_proof(), at(33)).unwrap().record;
    let closing = open.end(Cause::Expired, at(1830)).unwrap().record;
    let locked = closing
        .tried(vec![RuleEnd::Gone, RuleEnd::Locked], Some(Obstacle::Lock), at(1900), at(1840))
        .unwrap()
        .record;
    let proof = Some(Proof::Shut { by: "DenyAllInBound".into(), confirmed: true });
    let closed = locked.gone(&[RuleEnd::Gone; 2], proof, at(1900)).unwrap().record;
    let late = closed.late_rule_locked(vec![RuleEnd::Locked, RuleEnd::Gone], at(1950)).unwrap().record;
    let removed = late.late_rule_removed(at(1960)).unwrap().record;
    let settled = removed.settled(at(9000)).unwrap().record;
    vec![draft, pending, half, approved, opening, open, closing, locked, closed, late, removed, settled]
}

/// The same wish, to be opened by its requester alone.
fn glass() -> Record {
    Record::asked(Wish { means: Means::BreakGlass, ..wish() }, Some(source()), 1).record
}

fn breaker(user: &str) -> GlassBreaker {
    let policy = Policy::parse(POLICY).unwrap();
    let rule = policy.rule_for(&Subject::of(&wish().machine, None)).unwrap();
    rule.glass_breaker(&user.parse().unwrap(), &Groups::default()).unwrap()
}

#[test]
fn only_its_requester_breaks_the_glass_and_nobody_else_decides() {
    let opened = glass().break_glass(&breaker("U0ANA"), click(), at(20), at(21)).unwrap();
    assert_eq!(opened.event.kind, EventKind::BrokeGlass { by: "U0ANA".parse().unwrap() });
    let granted = opened.record.granted().unwrap();
    assert_eq!((granted.expires_at(), granted.approvals().len()), (at(20 + 1800), 1));
    let refused = |result: Result<Change, NotNow>| result.map(|change| change.record.status()).unwrap_err();
    assert_eq!(refused(glass().break_glass(&breaker("U0BEA"), click(), at(20), at(21))), NotNow::State);
    assert_eq!(refused(glass().break_glass(&breaker("U0ANA"), click(), at(20), at(3600))), NotNow::Lapsed);
    assert_eq!(refused(opened.record.break_glass(&breaker("U0ANA"), click(), at(20), at(21))), NotNow::State);
    assert_eq!(refused(glass().approve(&approver("U0BEA"), click(), at(20), at(21))), NotNow::State);
    assert_eq!(refused(glass().deny(&approver("U0BEA"), reason(), at(21))), NotNow::State);
    let waits = Record::asked(wish(), Some(source()), 1).record;
    assert_eq!(refused(waits.break_glass(&breaker("U0ANA"), click(), at(20), at(21))), NotNow::State);
}

#[test]
fn every_state_reads_back_as_it_was_stored() {
    let undecided = |record: &Record| record.cancel(at(50)).unwrap().record;
    let mut records = life();
    records
        .extend([glass(), glass().break_glass(&breaker("U0ANA"), click(), at(20), at(21)).unwrap().record]);
    records.extend([undecided(&records[0]), undecided(&records[1])]);
    records.push(records[2].deny(&approver("U0BEA"), reason(), at(60)).unwrap().record);
    records.push(records[3].end(Cause::Revoked { by: "U0BEA".parse().unwrap() }, at(60)).unwrap().record);
    for record in records {
        let text = serde_json::to_string(&record.to_parts()).unwrap();
        let parts: Parts = serde_json::from_str(&text).unwrap();
        assert_eq!(Record::from_parts(parts), Ok(record), "{text}");
    }
}

#[test]
fn what_lacks_a_field_or_has_a_strange_one_is_corrupt() {
    let parts = |n: usize| life()[n].to_parts();
    let lacks = |status: &str, field| Err(Corrupt::Lacks { status: status.to_owned(), field });
    let strange = Parts { status: "PAUSED".into(), ..parts(0) };
    assert_eq!(Record::from_parts(strange), Err(Corrupt::Status("PAUSED".into())));
    assert_eq!(Record::from_parts(Parts { hash: "0".into(), ..parts(0) }), Err(Corrupt::Hash));
    for n in 1..12 {
        let status = parts(n).status;
        assert_eq!(Record::from_parts(Parts { source: None, ..parts(n) }), lacks(&status, "source"));
    }
    assert_eq!(Record::from_parts(Parts { expires_at: None, ..parts(3) }), lacks("APPROVED", "expires_at"));
    assert_eq!(Record::from_parts(Parts { approved_at: None, ..parts(3) }), lacks("APPROVED", "approved_at"));
    assert_eq!(Record::from_parts(Parts { plan: None, ..parts(4) }), lacks("OPENING", "plan"));
    assert_eq!(Record::from_parts(Parts { plan: None, ..parts(5) }), lacks("OPEN", "plan"));
    assert_eq!(Record::from_parts(Parts { cause: None, ..parts(6) }), lacks("CLOSING", "cause"));
    assert_eq!(Record::from_parts(Parts { closure: None, ..parts(8) }), lacks("CLOSED", "closure"));
    assert_eq!(Record::from_parts(Parts { closed_at: None, ..parts(8) }), lacks("CLOSED", "closed_at"));
    // Without a word on a rule, it may stand.
    let unsure = Record::from_parts(Parts { ends: None, ..parts(7) }).unwrap();
    assert!(matches!(unsure.state(), State::Closing(closing) if closing.ends() == [RuleEnd::Standing; 2]));
}

/// From where a draft is asked for decides by which address its machine is reached, and never which machine it is.
#[test]
fn an_address_changes_the_machine_s_own_and_when_it_lapses_and_nothing_else() {
    let draft = Record::asked(wish(), None, 2).record;
    let reached = Machine { private_address: [10, 0, 0, 7].into(), ..wish().machine };
    let from =
        |machine: &Machine| Ask { wish: Wish { machine: machine.clone(), ..wish() }, source: source() };
    let pending = draft.addressed(&from(&reached), at(3610), at(10)).unwrap().record;
    let expected = Wish { machine: reached.clone(), lapses_at: at(3610), ..wish() };
    assert_eq!((pending.wish(), pending.ask().map(|ask| ask.source)), (&expected, Some(source())));
    let other = Machine { resource_id: "/subscriptions/s/resourceGroups/g/VM4".parse().unwrap(), ..reached };
    assert_eq!(draft.addressed(&from(&other), at(3610), at(10)).err(), Some(NotNow::State));
}

/// Which of the changes each state allows.
#[test]
fn each_state_allows_what_it_allows_and_nothing_else() {
    let user: UserId = "U0BEA".parse().unwrap();
    let allowed = |record: &Record| {
        let rules = record.plan().map_or(0, |plan| plan.rules().len());
        let gone = vec![RuleEnd::Gone; rules];
        [
            ("addressed", addressed(record, at(40)).err()),
            ("approve", record.approve(&approver("U0BEA"), click(), at(40), at(40)).err()),
            ("deny", record.deny(&approver("U0BEA"), reason(), at(40)).err()),
            ("cancel", record.cancel(at(40)).err()),
            ("lapse", record.lapse(at(3600)).err()),
            ("planned", record.planned(plan(&["b", "a"]), at(40)).err()),
            ("opened", record.opened(open_proof(), at(40)).err()),
            ("end", record.end(Cause::Revoked { by: user.clone() }, at(40)).err()),
            ("tried", record.tried(gone.clone(), None, at(99), at(40)).err()),
            ("gone", record.gone(&gone, None, at(40)).err()),
            ("late", record.late_rule_removed(at(40)).err()),
            ("locked", record.late_rule_locked(gone, at(40)).err()),
            ("settled", record.settled(at(40)).err()),
        ]
    };
    let expected: [&[&str]; 12] = [
        &["addressed", "cancel", "lapse"],
        &["approve", "deny", "cancel", "lapse"],
        &["deny", "cancel", "lapse"],
        &["planned", "end"],
        &["planned", "opened", "end"],
        &["end"],
        &["tried", "gone"],
        &["tried", "gone"],
        &["late", "locked", "settled"],
        &["late", "locked", "settled"],
        &["late", "locked", "settled"],
        &["late", "locked"],
    ];
    for (n, (record, expected)) in life().iter().zip(expected).enumerate() {
        for (change, refused) in allowed(record) {
            // In the third record Bea has approved already.
            let why = if n == 2 && change == "approve" { NotNow::AlreadyApproved } else { NotNow::State };
            let wanted = (!expected.contains(&change)).then_some(why);
            assert_eq!(refused, wanted, "{change} of record {n}, {}", record.status());
        }
    }
}

#[test]
fn who_and_when_are_judged_too() {
    let [draft, pending]: [Record; 2] = life()[..2].to_vec().try_into().unwrap();
    let approve = |user, now| pending.approve(&approver(user), click(), now, now).err();
    assert_eq!(approve("U0ANA", at(40)), Some(NotNow::OwnRequest));
    assert_eq!(pending.deny(&approver("U0ANA"), reason(), at(40)).err(), Some(NotNow::OwnRequest));
    for late in [at(3600), at(3601)] {
        assert_eq!(approve("U0BEA", late), Some(NotNow::Lapsed));
        assert_eq!(pending.deny(&approver("U0BEA"), reason(), late).err(), Some(NotNow::Lapsed));
        assert_eq!(addressed(&draft, late).err(), Some(NotNow::Lapsed));
    }
    assert_eq!(pending.lapse(at(3599)).err(), Some(NotNow::State));
    assert_eq!(approve("U0BEA", at(3599)), None);
}

#[test]
fn changes_that_do_not_fit_the_plan_are_refused() {
    let life = life();
    let (opening, closing, closed) = (&life[4], &life[6], &life[8]);
    for other in [&["a"][..], &["a", "c"], &["a", "b", "c"]] {
        assert_eq!(opening.planned(plan(other), at(40)).err(), Some(NotNow::State), "{other:?}");
    }
    for ends in [&[][..], &[RuleEnd::Gone], &[RuleEnd::Gone; 3]] {
        assert_eq!(closing.tried(ends.to_vec(), None, at(99), at(40)).err(), Some(NotNow::State));
        assert_eq!(closing.gone(ends, None, at(40)).err(), Some(NotNow::State));
        assert_eq!(closed.late_rule_locked(ends.to_vec(), at(40)).err(), Some(NotNow::State));
    }
    for end in [RuleEnd::Standing, RuleEnd::Locked, RuleEnd::Denied] {
        assert_eq!(closing.gone(&[RuleEnd::Gone, end], None, at(40)).err(), Some(NotNow::State), "{end:?}");
    }
}

#[test]
fn the_end_is_the_click_plus_the_duration_and_never_later() {
    let pending = Record::asked(wish(), Some(source()), 0).record;
    for (clicked, now, expected) in [(20, 25, 20), (25, 20, 20)] {
        let approved = pending.approve(&approver("U0BEA"), click(), at(clicked), at(now)).unwrap().record;
        assert_eq!(approved.granted().map(Granted::expires_at), Some(at(expected + 30 * 60)));
    }
}

#[test]
fn a_click_does_not_show_its_body() {
    assert!(!format!("{:?}", life()).contains("secret"));
}

#[test]
fn what_showed_that_it_is_open_is_one_rule_a_group() {
    let opening = Record::from_parts(life()[4].to_parts()).unwrap();
    assert_eq!(opening.status(), "OPENING");
    for decided_by in [vec![], vec!["ours".to_owned()], vec!["ours".to_owned(); 3]] {
        let proof = OpenProof { decided_by, confirmed: false };
        assert_eq!(opening.opened(proof, at(40)).err(), Some(NotNow::State));
    }
    assert_eq!(opening.plan().unwrap().open_already(), None, "one of two groups stood in the way");
}

#[test]
fn records_of_the_version_before_are_read() {
    // Neither what showed that it is open, nor whether Azure has said so, nor what was open before.
    let open = life().into_iter().find(|record| record.status() == "OPEN").unwrap();
    let mut stored = serde_json::to_value(open.to_parts()).unwrap();
    stored.as_object_mut().unwrap().remove("open_proof");
    for rule in stored["plan"].as_array_mut().unwrap() {
        rule.as_object_mut().unwrap().remove("open_by");
    }
    let read = Record::from_parts(serde_json::from_value(stored).unwrap()).unwrap();
    let State::Open(read) = read.state() else { panic!("{}", read.status()) };
    assert!(!read.is_confirmed());
    assert_eq!(read.decided().map(|(_, by)| by).collect::<Vec<_>>(), [None, None]);
    let proof: Proof = serde_json::from_str(r#"{"shut":{"by":"DenyAllInBound"}}"#).unwrap();
    assert_eq!(proof, Proof::Shut { by: "DenyAllInBound".to_owned(), confirmed: false });
}

/// A request by the same person to let another address in, in place of what ends at `until`.
fn mover(grant: crate::request::RequestId, until: Timestamp) -> Record {
    let hash = RequestHash::of("3.4", &wish().machine.resource_id);
    let moves = Some(Move { grant, from: source(), until });
    let wish = Wish { id: hash.candidate(0), hash, moves, asked_at: at(600), lapses_at: at(1800), ..wish() };
    Record::asked(wish, Some("198.51.100.9".parse().unwrap()), 1).record
}

#[test]
fn what_takes_the_place_of_a_grant_ends_with_it_and_shuts_it_once_it_is_open() {
    let open = life()[5].clone();
    let until = open.granted().unwrap().expires_at();
    let pending = mover(open.wish().id, until);
    // However late it is decided, and however long it was asked for.
    let approved = pending.approve(&approver("U0BEA"), click(), at(1500), at(1501)).unwrap().record;
    assert_eq!(approved.granted().unwrap().expires_at(), until);
    let shorter = mover(open.wish().id, at(9000)).approve(&approver("U0BEA"), click(), at(700), at(700));
    assert_eq!(shorter.unwrap().record.granted().unwrap().expires_at(), at(700 + 1800));
    let opening = approved.planned(plan(&["a"]), at(1502)).unwrap().record;
    let new = opening.opened(OpenProof { decided_by: vec!["ours".to_owned()], confirmed: true }, at(1503));
    let new = new.unwrap().record;
    for early in [&pending, &approved, &opening] {
        assert_eq!(open.moved_to(early, at(1504)).unwrap_err(), NotNow::State, "{}", early.status());
    }
    let moved = open.moved_to(&new, at(1504)).unwrap().record;
    let State::Closing(closing) = moved.state() else { panic!("{}", moved.status()) };
    assert_eq!(*closing.cause(), Cause::Moved { by: "U0ANA".parse().unwrap(), to: new.wish().id });
    assert_eq!(moved.granted(), open.granted(), "its own end is as it was");
    // Once is enough; and only this one, of the same person and for the same.
    assert_eq!(moved.moved_to(&new, at(1505)).unwrap_err(), NotNow::State);
    assert_eq!(new.moved_to(&new, at(1505)).unwrap_err(), NotNow::State);
    let other = |change: fn(&mut Parts)| {
        let mut parts = open.to_parts();
        change(&mut parts);
        Record::from_parts(parts).unwrap()
    };
    for other in [
        other(|parts| parts.requester = "U0EVE".parse().unwrap()),
        other(|parts| parts.ports = Ports::new(vec![23]).unwrap()),
        other(|parts| parts.protocol = Protocol::Udp),
        other(|parts| parts.id = "7F3K9-QXM2P".parse().unwrap()),
    ] {
        assert_eq!(other.moved_to(&new, at(1504)).unwrap_err(), NotNow::State);
    }
    // A move that waits for an address lapses with what it moves too.
    let draft = Record::asked(pending.wish().clone(), None, 1).record;
    let there = Ask { wish: draft.wish().clone(), source: "198.51.100.9".parse().unwrap() };
    let addressed = draft.addressed(&there, at(9000), at(700)).unwrap();
    assert_eq!(addressed.record.wish().lapses_at, until);
    let parts = serde_json::to_value(new.to_parts()).unwrap();
    assert_eq!(parts["moves"]["grant"], serde_json::json!(open.wish().id));
    assert_eq!(Record::from_parts(serde_json::from_value(parts).unwrap()), Ok(new));
}

#[test]
fn what_was_moved_without_approval_rests_on_what_was_approved() {
    let id = |text: &str| text.parse::<crate::request::RequestId>().unwrap();
    let moved = |own: &str, grant: &str, means| {
        let record = mover(id(grant), at(1800));
        let wish = Wish { id: id(own), means, ..record.wish().clone() };
        Record::asked(wish, Some(source()), 1).record
    };
    let (first, second, third) = ("11111-11111", "22222-22222", "33333-33333");
    let own = moved(second, first, Means::OwnMove);
    let next = moved(third, second, Means::OwnMove);
    let approved = moved("44444-44444", first, Means::Approval);
    // Whoever writes the table can make a ring.
    let ring = moved(first, third, Means::OwnMove);
    let all = [&next, &approved, &own, &ring];
    let ids = |grant: &str| -> Vec<String> {
        rest_on(id(grant), &all).iter().map(|record| record.wish().id.to_string()).collect()
    };
    assert_eq!(ids(first), [second, third, first]);
    assert_eq!(ids("44444-44444"), Vec::<String>::new());
}
