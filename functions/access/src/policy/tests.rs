use super::*;
use crate::lease::Timestamp;
use crate::request::{Machine, Means, Protocol, RequestHash, Wish};
use std::collections::BTreeMap;

const POLICY: &str = r#"
channel = "C0JIT"
admins = ["U0CHRIS", "S0PLATFORM"]

[defaults]
duration = "30m"
longest = "2h"
undecided = "10m"
approvals = 2
source = "203.0.113.7"
ports = [22]
justification_required = true

[[rules]]
name = "production databases"
machines = ["*-db-*"]
resource_groups = ["prod-*"]
requesters = ["S0DBA"]
approvers = ["S0ONCALL", "U0BEA"]
ports = [22, 5432]
longest = "1h"

[[rules]]
name = "databases"
machines = ["*-db-*"]
requesters = ["*"]
approvers = ["U0BEA"]
approvals = 1
justification_required = false
source = "198.51.100.9"

[[rules]]
name = "rest"
machines = ["*"]
requesters = ["U0ANA"]
approvers = ["U0BEA", "U0CHRIS"]
"#;

fn machine(group: &str, name: &str) -> Machine {
    let resource_id =
        format!("/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}");
    Machine {
        name: name.parse().unwrap(),
        resource_id: resource_id.parse().unwrap(),
        private_address: "10.0.0.4".parse().unwrap(),
        public_address: None,
    }
}

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

fn groups(of: &[(&str, &[&str])]) -> Groups {
    let mut groups = Groups::default();
    for (group, members) in of {
        groups.insert((*group).to_owned(), members.iter().map(|member| user(member)).collect());
    }
    groups
}

fn ask(machine: Machine, requester: &str, change: impl FnOnce(&mut Ask)) -> Ask {
    let hash = RequestHash::of("1.2.3", &machine.resource_id);
    let wish = Wish {
        id: hash.candidate(0),
        hash,
        requester: user(requester),
        machine,
        protocol: Protocol::Tcp,
        ports: Ports::new(vec![22]).unwrap(),
        ttl: Ttl::from_minutes(30).unwrap(),
        means: Default::default(),
        justification: Some("patching".parse().unwrap()),
        moves: None,
        asked_at: Timestamp::from_unix(0),
        lapses_at: Timestamp::from_unix(600),
    };
    let mut ask = Ask { wish, source: "203.0.113.7".parse().unwrap() };
    change(&mut ask);
    ask
}

#[test]
fn a_star_stands_for_anything() {
    for (pattern, name, expected) in [
        ("VM*", "vm3", true),
        ("VM3", "VM3", true),
        ("VM3", "VM33", false),
        ("*", "anything", true),
        ("*-db-*", "prod-db-1", true),
        ("*-db-*", "prod-db", false),
        ("a*a", "a", false),
        ("a*b*c", "aXbYc", true),
    ] {
        assert_eq!(Pattern(pattern.to_owned()).matches(name), expected, "{pattern} {name}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = Policy::parse(POLICY).unwrap();
    let rule = |group, name| policy.rule_for(&Subject::of(&machine(group, name), None)).unwrap().name();
    assert_eq!(rule("prod-eu", "eu-db-1"), "production databases");
    assert_eq!(rule("PROD-EU", "EU-DB-1"), "production databases");
    assert_eq!(rule("test", "eu-db-1"), "databases");
    assert_eq!(rule("prod-eu", "web1"), "rest");
    // No later rule helps somebody whom the first that matches does not let ask.
    let refused = policy.admits(
        &ask(machine("prod-eu", "eu-db-1"), "U0ANA", |_| {}),
        &Tags::default(),
        &Groups::default(),
    );
    assert!(matches!(refused, Err(NotAllowed::Requester { rule, .. }) if rule == "production databases"));
    let none = POLICY.replace("machines = [\"*\"]", "machines = [\"VM*\"]");
    let none = Policy::parse(&none).unwrap();
    assert_eq!(
        none.rule_for(&Subject::of(&machine("g", "web1"), None)),
        Err(NotAllowed::Machine { machine: "web1".to_owned() })
    );
}

#[test]
fn a_rule_says_more_than_the_defaults() {
    let policy = Policy::parse(POLICY).unwrap();
    let source = |text: &str| Some(text.parse::<Source>().unwrap());
    let [first, second, third] = policy.rules.as_slice() else { panic!("three rules") };
    assert_eq!((first.longest.minutes(), first.duration.minutes(), first.approvals), (60, 30, 2));
    assert_eq!((first.ports.clone(), first.source()), (vec![22, 5432], source("203.0.113.7")));
    assert_eq!((second.approvals, second.justification_required), (1, false));
    assert_eq!((second.ports.clone(), second.source()), (vec![22], source("198.51.100.9")));
    assert_eq!((third.approvals, third.justification_required, third.undecided.minutes()), (2, true, 10));
    let bare = "channel = \"C0JIT\"\n[[rules]]\nname = \"a\"\nmachines = [\"*\"]\nrequesters = [\"*\"]\napprovers = [\"U0BEA\"]\nports = [22]\n";
    let bare = Policy::parse(bare).unwrap();
    let rule = &bare.rules[0];
    assert_eq!((rule.duration.minutes(), rule.longest.minutes(), rule.undecided.minutes()), (60, 180, 60));
    assert_eq!((rule.approvals, rule.source(), rule.justification_required), (1, None, false));
}

#[test]
fn members_of_a_group_are_those_slack_names() {
    let policy = Policy::parse(POLICY).unwrap();
    let machine = machine("prod-eu", "eu-db-1");
    let rule = policy.rule_for(&Subject::of(&machine, None)).unwrap();
    assert_eq!(rule.groups(Means::Approval), ["S0DBA", "S0ONCALL"].into());
    let known = groups(&[("S0DBA", &["U0ANA", "U0BEA"]), ("S0ONCALL", &["U0ANA", "U0BEA", "U0DAN"])]);
    // Bea is named and in the group, and counts once; who asks does not count.
    assert_eq!(rule.could_approve(&user("U0EVE"), &known).len(), 3);
    assert_eq!(rule.could_approve(&user("U0ANA"), &known).len(), 2);
    assert!(rule.approver(&user("U0DAN"), &known).is_some());
    assert!(rule.approver(&user("U0DAN"), &Groups::default()).is_none());
    assert!(rule.approver(&user("U0EVE"), &known).is_none());
    assert!(policy.admits(&ask(machine.clone(), "U0ANA", |_| {}), &Tags::default(), &known).is_ok());
    let alone = groups(&[("S0DBA", &["U0ANA"]), ("S0ONCALL", &["U0ANA"])]);
    let refused = policy.admits(&ask(machine, "U0ANA", |_| {}), &Tags::default(), &alone);
    let rule = "production databases".to_owned();
    assert_eq!(refused, Err(NotAllowed::NobodyCouldApprove { rule, needed: 2, available: 1 }));
}

#[test]
fn each_limit_is_kept() {
    let policy = Policy::parse(
        &POLICY.replace("ports = [22]\n", "ports = [22]\nsources = [\"203.0.113.0/24\", \"198.51.100.9\"]\n"),
    )
    .unwrap();
    let web = || machine("g", "web1");
    let refused = |change: fn(&mut Ask)| {
        policy
            .admits(&ask(web(), "U0ANA", change), &Tags::default(), &Groups::default())
            .map(drop)
            .map_err(|why| why.to_string())
    };
    assert_eq!(refused(|_| {}), Ok(()));
    assert_eq!(refused(|ask| ask.wish.ttl = Ttl::from_minutes(120).unwrap()), Ok(()));
    assert_eq!(refused(|ask| ask.source = "203.0.113.128/25".parse().unwrap()), Ok(()));
    type Change = fn(&mut Ask);
    let cases: [(Change, &str); 5] = [
        (|ask| ask.wish.ttl = Ttl::from_minutes(121).unwrap(), "the rule `rest` lets at most 2 hours"),
        (
            |ask| ask.source = "203.0.112.0/23".parse().unwrap(),
            "the rule `rest` does not let 203.0.112.0/23 in",
        ),
        (|ask| ask.source = "2001:db8::1".parse().unwrap(), "the rule `rest` does not let 2001:db8::1 in"),
        (|ask| ask.wish.ports = Ports::new(vec![22, 23]).unwrap(), "the rule `rest` does not offer port 23"),
        (|ask| ask.wish.justification = None, "the rule `rest` wants a reason"),
    ];
    for (change, sentence) in cases {
        assert_eq!(refused(change), Err(sentence.to_owned()));
    }
}

#[test]
fn one_person_named_twice_is_one_approver() {
    let twice = POLICY.replace("approvers = [\"U0BEA\", \"U0CHRIS\"]", "approvers = [\"U0BEA\", \"U0BEA\"]");
    let problems = Policy::parse(&twice).unwrap_err();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "line 36: it takes 2 approvals and `approvers` names 1 of the people who could give them; name more"
        ]
    );
}

#[test]
fn a_rule_can_be_about_one_subscription_only() {
    let (ours, other) = ("8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60", "11111111-90c4-4c5a-8d0e-1b7a2c9d4e60");
    let only =
        POLICY.replace("machines = [\"*\"]", &format!("machines = [\"*\"]\nsubscriptions = [\"{ours}\"]"));
    let policy = Policy::parse(&only).unwrap();
    let of = |subscription: &str| {
        let id = format!(
            "/subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web1"
        );
        Machine { resource_id: id.parse().unwrap(), ..machine("g", "web1") }
    };
    assert_eq!(
        policy.rule_for(&Subject::of(&of(&ours.to_ascii_uppercase()), None)).map(Rule::name),
        Ok("rest")
    );
    assert_eq!(
        policy.rule_for(&Subject::of(&of(other), None)),
        Err(NotAllowed::Machine { machine: "web1".to_owned() })
    );
}

const TAGGED: &str = r#"
channel = "C0JIT"
[[rules]]
name = "prod"
machines = ["*"]
tags = { Env = "prod*", owner = "*" }
requesters = ["*"]
approvers = ["U0BEA"]
ports = [22]
[[rules]]
name = "rest"
machines = ["*"]
requesters = ["*"]
approvers = ["U0BEA"]
ports = [22]
"#;

fn tags(of: &[(&str, &str)]) -> Tags {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_rule_can_be_about_machines_with_all_these_tags() {
    let policy = Policy::parse(TAGGED).unwrap();
    let web = machine("g", "web1");
    for (has, decides) in [
        (&[("ENV", "production"), ("Owner", "")][..], "prod"),
        (&[("env", "prod"), ("owner", "ana"), ("more", "x")], "prod"),
        (&[("env", "prod")], "rest"),
        (&[("env", "Prod"), ("owner", "ana")], "rest"),
        (&[("env", "preprod"), ("owner", "ana")], "rest"),
        (&[("environment", "prod"), ("owner", "ana")], "rest"),
        (&[], "rest"),
    ] {
        let has = tags(has);
        assert_eq!(policy.rule_for(&Subject::of(&web, Some(&has))).map(Rule::name), Ok(decides), "{has:?}");
    }
    // What is not known does not pass over a rule to a later one.
    let machine = "web1".to_owned();
    assert_eq!(policy.rule_for(&Subject::of(&web, None)), Err(NotAllowed::Machine { machine }));
    assert!(policy.goes_by_tags(&web) && !Policy::parse(POLICY).unwrap().goes_by_tags(&web));
}

#[test]
fn a_rule_with_tags_hides_only_what_certainly_has_them() {
    let hides = |first: &str, second: &str| {
        let text = TAGGED.replace("tags = { Env = \"prod*\", owner = \"*\" }", first).replacen(
            "name = \"rest\"",
            &format!("name = \"rest\"\n{second}"),
            1,
        );
        let problems = Policy::parse(&text).err().unwrap_or_default();
        problems.iter().any(|problem| problem.message.starts_with("no machine comes to the rule `rest`"))
    };
    for (first, second, expected) in [
        ("tags = { env = \"prod\" }", "", false),
        ("tags = { env = \"*\" }", "", false),
        ("", "tags = { env = \"prod\" }", true),
        ("tags = { ENV = \"prod*\" }", "tags = { env = \"prod-eu\" }", true),
        ("tags = { env = \"prod*\" }", "tags = { env = \"Prod-eu\" }", false),
        ("tags = { env = \"prod*\" }", "tags = { env = \"*\" }", false),
        ("tags = { env = \"*\" }", "tags = { env = \"a*b\", team = \"x\" }", true),
        ("tags = { env = \"*\", team = \"x\" }", "tags = { env = \"a*b\" }", false),
    ] {
        assert_eq!(hides(first, second), expected, "{first} before {second}");
    }
}

#[test]
fn an_explanation_depends_on_the_tags_until_they_are_said() {
    let policy = Policy::parse(TAGGED).unwrap();
    let (requester, machine) = (user("U0ANA"), "web1".parse().unwrap());
    let ports = Ports::new(vec![22]).unwrap();
    let decides = |tags: Option<&Tags>| {
        let (requester, machine, ports) = (&requester, &machine, &ports);
        let (ttl, source, means, justification) = (None, None, Means::Approval, None);
        let question = Question { requester, machine, tags, ports, ttl, source, means, justification };
        let Explanation { passed_over, decision } = policy.explain(&question, &Groups::default());
        let passed: Vec<Trait> = passed_over.iter().map(|(_, what)| *what).collect();
        match decision {
            Decision::Depends { rule, on } => (passed, format!("{} depends on {on:?}", rule.name())),
            Decision::Rule(decided) => (passed, decided.rule.name().to_owned()),
            Decision::NoRule => (passed, String::new()),
        }
    };
    assert_eq!(decides(None), (vec![], "prod depends on Tags".to_owned()));
    let prod = tags(&[("env", "prod"), ("owner", "ana")]);
    assert_eq!(decides(Some(&prod)), (vec![], "prod".to_owned()));
    assert_eq!(decides(Some(&tags(&[("env", "test")]))), (vec![Trait::Tags], "rest".to_owned()));
}

#[test]
fn only_the_named_break_the_glass_and_only_with_a_reason() {
    let policy = Policy::parse(&POLICY.replace(
        "approvers = [\"S0ONCALL\", \"U0BEA\"]",
        "approvers = [\"S0ONCALL\", \"U0BEA\"]\nbreak_glass = [\"S0SENIOR\", \"U0DAN\"]",
    ))
    .unwrap();
    assert!(policy.groups().contains("S0SENIOR") && policy.people().contains(&user("U0DAN")));
    let machine = || machine("prod-eu", "eu-db-1");
    let of = machine();
    let rule = policy.rule_for(&Subject::of(&of, None)).unwrap();
    assert_eq!(rule.groups(Means::BreakGlass), ["S0DBA", "S0SENIOR"].into(), "nobody is asked to approve");
    assert_eq!(rule.waits_seconds(Means::BreakGlass), 600, "no longer than an approval");
    let known = groups(&[("S0DBA", &["U0ANA", "U0DAN", "U0EVE"]), ("S0SENIOR", &["U0ANA"])]);
    let admits = |requester: &str, change: fn(&mut Ask)| {
        let ask = ask(machine(), requester, |ask| {
            ask.wish.means = Means::BreakGlass;
            change(ask);
        });
        policy.admits(&ask, &Tags::default(), &known).map(drop).map_err(|why| why.to_string())
    };
    // Too few could approve it; that is no hindrance here.
    assert_eq!((admits("U0ANA", |_| {}), admits("U0DAN", |_| {})), (Ok(()), Ok(())));
    let said = |text: &str| Err(format!("the rule `production databases` {text}"));
    assert_eq!(admits("U0EVE", |_| {}), said("does not let U0EVE open without approval"));
    assert_eq!(admits("U0BEA", |_| {}), said("does not let U0BEA ask"));
    assert_eq!(admits("U0ANA", |ask| ask.wish.justification = None), said("wants a reason"));
    assert_eq!(
        admits("U0ANA", |ask| ask.wish.ttl = Ttl::from_minutes(61).unwrap()),
        said("lets at most 1 hour")
    );
}

#[test]
fn what_no_rule_says_is_bounded_by_the_ceilings() {
    let text = "channel = \"C0JIT\"\n[ceilings]\nlongest = \"30m\"\nsources = [\"203.0.113.0/24\"]\nports = [22]\n[[rules]]\nname = \"a\"\nmachines = [\"*\"]\nrequesters = [\"*\"]\napprovers = [\"U0BEA\"]\nports = [22]\n";
    let policy = Policy::parse(text).unwrap();
    let rule = &policy.rules()[0];
    assert_eq!((rule.longest().minutes(), rule.duration().minutes()), (30, 30));
    assert_eq!(rule.sources(), ["203.0.113.0/24".parse().unwrap()]);
}

fn explained(policy: &Policy, requester: &str, machine: &str, known: &Groups) -> String {
    let (requester, machine) = (user(requester), machine.parse().unwrap());
    let ports = Ports::new(vec![22, 5432]).unwrap();
    let ttl = Ttl::from_minutes(90);
    let (requester, machine, ports) = (&requester, &machine, &ports);
    let (tags, means, source, justification) = (None, Means::Approval, None, None);
    let question = Question { requester, machine, tags, ports, ttl, source, means, justification };
    let Explanation { passed_over, decision } = policy.explain(&question, known);
    let passed: Vec<String> =
        passed_over.iter().map(|(rule, what)| format!("{} {what:?}", rule.name())).collect();
    let decision = match decision {
        Decision::NoRule => "no rule".to_owned(),
        Decision::Depends { rule, on } => format!("{} depends on {on:?}", rule.name()),
        Decision::Rule(decided) => {
            let against: Vec<String> = decided.against.iter().map(ToString::to_string).collect();
            let source = decided.source.unwrap();
            format!(
                "{} for {} from {source}: {against:?} {:?}",
                decided.rule.name(),
                decided.ttl,
                decided.provided
            )
        }
    };
    format!("{passed:?} {decision}")
}

#[test]
fn an_explanation_says_all_that_is_against_it_and_what_only_slack_knows() {
    let policy = Policy::parse(POLICY).unwrap();
    let nobody = Groups::default();
    assert_eq!(
        explained(&policy, "U0ANA", "eu-db-1", &nobody),
        "[] production databases depends on ResourceGroup"
    );
    assert_eq!(
        explained(&policy, "U0ANA", "prod-eu/eu-db-1", &nobody),
        "[] production databases for 1 hour 30 minutes from 203.0.113.7: \
         [\"the rule `production databases` lets at most 1 hour\", \"the rule `production databases` wants a reason\"] \
         [Asks { groups: [\"S0DBA\"] }, Approve { groups: [\"S0ONCALL\"], missing: 1 }]"
    );
    let known = groups(&[("S0DBA", &["U0BEA"]), ("S0ONCALL", &["U0ANA"])]);
    assert_eq!(
        explained(&policy, "U0ANA", "prod-eu/eu-db-1", &known),
        "[] production databases for 1 hour 30 minutes from 203.0.113.7: \
         [\"the rule `production databases` does not let U0ANA ask\", \
         \"the rule `production databases` lets at most 1 hour\", \"the rule `production databases` wants a reason\", \
         \"the rule `production databases` needs 2 approvals and names 1 people who could give them\"] []"
    );
    assert_eq!(
        explained(&policy, "U0ANA", "test/eu-db-1", &nobody),
        "[\"production databases ResourceGroup\"] databases for 1 hour 30 minutes from 198.51.100.9: \
         [\"the rule `databases` does not offer port 5432\"] []"
    );
    let none = POLICY.replace("machines = [\"*\"]", "machines = [\"VM*\"]");
    assert_eq!(
        explained(&Policy::parse(&none).unwrap(), "U0ANA", "web1", &nobody),
        "[\"production databases Name\", \"databases Name\", \"rest Name\"] no rule"
    );
}

/// The keys in the first column of the table under each heading of the reference page.
fn described(page: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut sections: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut section = "";
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        } else if let Some((key, _)) = line.strip_prefix("| `").and_then(|row| row.split_once('`')) {
            sections.entry(section).or_default().push(key);
        }
    }
    sections
}

#[test]
fn the_reference_page_has_every_key_and_its_example_is_taken() {
    let page = include_str!("../../../../docs/policy.md");
    let sections = described(page);
    let sorted = |keys: &[&'static str]| keys.iter().copied().collect::<BTreeSet<_>>();
    let on_page = |section: &str| sections[section].iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(on_page("At the top"), sorted(parse::TOP));
    assert_eq!(on_page("`[ceilings]`"), sorted(parse::CEILINGS));
    let common = on_page("`[defaults]` and `[[rules]]`");
    assert_eq!(common, sorted(parse::DEFAULTS));
    let mut rule = on_page("`[[rules]]` alone");
    rule.extend(common);
    assert_eq!(rule, sorted(parse::RULE));
    assert_eq!(sections.len(), 4, "{sections:?}");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let policy = Policy::parse(example).unwrap();
    assert_eq!(
        policy.rules().iter().map(Rule::name).collect::<Vec<_>>(),
        ["production databases", "shared with partners", "everything else"]
    );
}

#[test]
fn only_the_named_are_admins() {
    let policy = Policy::parse(POLICY).unwrap();
    let known = groups(&[("S0PLATFORM", &["U0DANA"]), ("S0ONCALL", &["U0BEA"])]);
    let is_admin = |who: &str, known: &Groups| policy.admin(&user(who), known).is_some();
    assert!(is_admin("U0CHRIS", &known) && is_admin("U0DANA", &known));
    assert!(!is_admin("U0BEA", &known), "an approver is no admin");
    assert!(!is_admin("U0DANA", &Groups::default()), "of a group nothing is known");
    assert_eq!(policy.admin_groups(), BTreeSet::from(["S0PLATFORM"]));
    assert!(policy.groups().contains("S0PLATFORM") && policy.people().contains(&user("U0CHRIS")));
    let none = POLICY.replace("admins = [\"U0CHRIS\", \"S0PLATFORM\"]", "");
    assert!(Policy::parse(&none).unwrap().admin(&user("U0CHRIS"), &known).is_none());
}
