//! Evaluating and placing.

use super::*;
use crate::drive::Verdict;

fn rule(name: &str, priority: u16, access: Access, source: &str, ports: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        priority,
        access,
        protocol: RuleProtocol::of("tCp"),
        sources: source.split(' ').map(Scope::of).collect(),
        source_ports: vec![PortSpan::ANY],
        destinations: vec![Scope::Any],
        destination_ports: ports.split(' ').map(PortSpan::of).collect(),
        provisioning: Provisioning::Succeeded,
        description: String::new(),
    }
}

fn flow(source: &str, ports: &[u16]) -> Flow {
    Flow {
        source: source.parse().unwrap(),
        destination: "10.0.0.6".parse().unwrap(),
        protocol: Protocol::Tcp,
        ports: Ports::new(ports.to_vec()).unwrap(),
        member_of: None,
    }
}

fn own() -> RuleName {
    RuleName::new(&"sandbox".parse().unwrap(), "7F3K9-QXM2P".parse().unwrap())
}

#[test]
fn the_first_match_decides_for_every_address() {
    use Access::{Allow, Deny};
    let by = |name: &str| name.to_owned();
    let cases = [
        (vec![], Verdict::Denied { by: by(DENY_ALL) }),
        (vec![rule("a", 300, Allow, "*", "22")], Verdict::Allowed { by: by("a") }),
        (vec![rule("a", 300, Allow, "*", "80")], Verdict::Denied { by: by(DENY_ALL) }),
        (
            vec![rule("a", 300, Allow, "*", "*"), rule("d", 200, Deny, "Internet", "20-30")],
            Verdict::Denied { by: by("d") },
        ),
        (vec![rule("a", 300, Allow, "203.0.113.0/25", "22")], Verdict::Unclear { by: by(DENY_ALL) }),
        (
            vec![
                rule("a", 300, Allow, "203.0.113.0/25", "22"),
                rule("b", 301, Allow, "203.0.113.128/25", "22"),
            ],
            Verdict::Allowed { by: by("a") },
        ),
        (vec![rule("v", 300, Allow, "VirtualNetwork", "22")], Verdict::Denied { by: by(DENY_ALL) }),
        (vec![rule("t", 300, Allow, "AzureCloud", "22")], Verdict::Unclear { by: by("t") }),
        (
            vec![rule("t", 300, Deny, "AzureCloud", "22"), rule("a", 400, Allow, "*", "22")],
            Verdict::Unclear { by: by("t") },
        ),
    ];
    for (rules, expected) in cases {
        assert_eq!(evaluate(&rules, &flow("203.0.113.0/24", &[22])), expected, "{rules:?}");
    }
}

#[test]
fn several_ports_are_open_only_together() {
    let rules = [rule("a", 300, Access::Allow, "*", "22")];
    assert_eq!(evaluate(&rules, &flow("203.0.113.7", &[22, 80])), Verdict::Unclear { by: "a".to_owned() });
}

#[test]
fn our_rule_goes_before_the_first_that_denies() {
    let flow = flow("203.0.113.7", &[22]);
    assert_eq!(place(&[], &flow, &own()), Ok(499));
    let deny = rule("no-ssh", 200, Access::Deny, "*", "22");
    let other = rule("other", 199, Access::Allow, "*", "80");
    assert_eq!(place(&[deny.clone(), other.clone()], &flow, &own()), Ok(198));
    let elsewhere = rule("no-ssh", 200, Access::Deny, "198.51.100.0/24", "22");
    assert_eq!(place(&[elsewhere], &flow, &own()), Ok(499));
    let first = rule("no-ssh", 100, Access::Deny, "*", "*");
    assert_eq!(place(&[first], &flow, &own()), Err(NoRoom { before: "no-ssh".to_owned() }));
    let mut ours = deny;
    ours.name = own().to_string();
    assert_eq!(place(&[ours], &flow, &own()), Ok(499));
}

#[test]
fn a_denying_rule_of_ours_goes_behind_the_allowing_ones() {
    let installation = "sandbox".parse().unwrap();
    let mut rules = vec![rule(&own().to_string(), 498, Access::Allow, "203.0.113.7", "22")];
    assert_eq!(place_deny(&rules, &own(), &installation), None);
    rules.push(rule("jit-sandbox-00000-00001", 499, Access::Allow, "203.0.113.7", "22"));
    rules.push(rule("somebody", 500, Access::Allow, "*", "80"));
    assert_eq!(place_deny(&rules, &own(), &installation), Some(501));
}
