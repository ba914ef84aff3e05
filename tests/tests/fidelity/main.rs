//! The product's evaluator of security rules against the sandbox's, which shares nothing with it, and
//! both against cases that Microsoft's pages decide.
//!
//! Both read rules made from one description, the product through its own reader of the management
//! API's JSON. What the product calls allowed must pass, what it calls denied must not; what it calls
//! unclear may do either. Where it is sure, both must name the same rule.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod cases;
mod closing;
mod kernel;
mod written;

use access::drive::Verdict;
use access::nsg::{Flow, evaluate, open_to_everyone, place, together};
use access::request::{RuleName, Source};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::net::IpAddr;
use written::{Written, by, flow, judged, ours, read, rule_of, way};

fn own() -> RuleName {
    RuleName::new(&"sandbox".parse().unwrap(), "7F3K9-QXM2P".parse().unwrap())
}

fn passes(groups: &[Vec<Written>], flow: &Flow) -> bool {
    judged(groups, flow, flow.ports.as_slice()[0], flow.source.prefix().addr()).passes
}

/// What the product says of each group.
fn verdicts(groups: &[Vec<Written>], flow: &Flow, defaults: bool) -> Vec<Verdict> {
    groups.iter().map(|group| evaluate(&read(group, defaults), flow)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_called_allowed_passes_and_what_is_called_denied_does_not(
        groups in way(), flow in flow(), defaults in any::<bool>()
    ) {
        let each = verdicts(&groups, &flow, defaults);
        let passes = passes(&groups, &flow);
        match together(&each).unwrap() {
            Verdict::Allowed { by } => prop_assert!(passes, "allowed by {by}"),
            Verdict::Denied { by } => prop_assert!(!passes, "denied by {by}"),
            Verdict::Unclear { .. } => {}
        }
        for (group, verdict) in groups.iter().zip(&each) {
            let alone = judged(std::slice::from_ref(group), &flow, flow.ports.as_slice()[0], flow.source.prefix().addr());
            if !matches!(verdict, Verdict::Unclear { .. }) && tells_all(group, &flow) {
                prop_assert_eq!(rule_of(&alone.by[0]), by(verdict), "{:?}", verdict);
            }
        }
    }

    #[test]
    fn our_rules_open_the_way_and_leave_nothing_when_they_are_gone(groups in way(), flow in flow()) {
        let placed: Vec<_> =
            groups.iter().map(|group| place(&read(group, true), &flow, &own())).collect::<Result<_, _>>().unwrap_or_default();
        if !placed.is_empty() {
            let mut with_ours = groups.clone();
            for (group, priority) in with_ours.iter_mut().zip(&placed) {
                prop_assert!((100..=499).contains(priority));
                prop_assert!(group.iter().all(|rule| rule.outbound || rule.priority != *priority), "its number was taken");
                group.push(ours(&own().to_string(), *priority, &flow));
            }
            prop_assert!(passes(&with_ours, &flow), "placed at {placed:?}, and the flow does not pass");
            let each = verdicts(&with_ours, &flow, true);
            prop_assert!(each.iter().all(|v| matches!(v, Verdict::Allowed { .. })), "placed at {placed:?}: {each:?}");
            // Once they are gone, what is proved of the rest is so, and the rest alone is as it was.
            let after = verdicts(&groups, &flow, true);
            for group in &mut with_ours {
                group.retain(|rule| rule.name != own().to_string());
            }
            prop_assert_eq!(&verdicts(&with_ours, &flow, false), &after);
            match together(&after).unwrap() {
                Verdict::Denied { by } => prop_assert!(!passes(&with_ours, &flow), "said to be shut by {by}"),
                Verdict::Allowed { by } => prop_assert!(passes(&with_ours, &flow), "said to be still open by {by}"),
                Verdict::Unclear { .. } => {}
            }
        }
    }

    #[test]
    fn what_is_open_to_everyone_lets_anybody_in(groups in way(), flow in flow(), anybody in any::<u32>()) {
        let rules: Vec<_> = groups.iter().map(|group| read(group, true)).collect();
        let open = rules.iter().all(|rules| open_to_everyone(rules, &flow, &own()).is_some());
        let from = IpAddr::from(anybody.to_be_bytes());
        // Whom the Internet cannot have as a source is not everybody.
        if let Ok(source) = from.to_string().parse::<Source>()
            && open && flow.destination.is_ipv4() && source_is_public(from)
        {
            prop_assert!(judged(&groups, &flow, flow.ports.as_slice()[0], from).passes, "{source} is not let in");
        }
    }
}

/// Whether the rules of a group say all that decides this flow. Else the answer can be sure where the name
/// is not: two rules that deny, and it is not known whether the first is about the flow.
fn tells_all(group: &[Written], flow: &Flow) -> bool {
    let unsure = ["AzureCloud", "0.0.0.0/0", "asg:web", "VirtualNetwork", "Internet"];
    let side = |values: &[String]| values.iter().all(|value| !unsure.contains(&value.as_str()));
    flow.member_of.is_some()
        && group.iter().all(|rule| {
            rule.source_ports == ["*"]
                && (source_is_public(flow.source.prefix().addr()) || side(&rule.sources))
                && !rule.sources.contains(&"AzureCloud".to_owned())
        })
}

fn source_is_public(from: IpAddr) -> bool {
    let IpAddr::V4(v4) = from else { return false };
    let [a, b, ..] = v4.octets();
    let shared = a == 100 && (64..128).contains(&b);
    !v4.is_private()
        && !v4.is_loopback()
        && !v4.is_link_local()
        && !shared
        && from.to_string() != "168.63.129.16"
}

#[test]
fn both_sides_are_really_compared() {
    // Of each verdict there are plenty: a generator that makes everything unclear would prove nothing.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut allowed, mut denied, mut placed, mut everyone, mut v6) = (0, 0, 0, 0, 0);
    for _ in 0..2_000 {
        let (groups, flow) = (way(), flow()).new_tree(&mut runner).unwrap().current();
        match together(&verdicts(&groups, &flow, true)).unwrap() {
            Verdict::Allowed { .. } => allowed += 1,
            Verdict::Denied { .. } => denied += 1,
            Verdict::Unclear { .. } => {}
        }
        let rules: Vec<_> = groups.iter().map(|group| read(group, true)).collect();
        placed += usize::from(rules.iter().all(|rules| place(rules, &flow, &own()).is_ok()));
        everyone += usize::from(rules.iter().all(|rules| open_to_everyone(rules, &flow, &own()).is_some()));
        v6 += usize::from(flow.destination.is_ipv6());
    }
    let counts = format!(
        "{allowed} allowed, {denied} denied, {placed} placed, {everyone} open to everyone, {v6} IPv6"
    );
    println!("of 2,000 ways: {counts}");
    assert!(allowed > 80 && denied > 400 && placed > 900 && everyone > 20 && v6 > 400, "{counts}");
}
