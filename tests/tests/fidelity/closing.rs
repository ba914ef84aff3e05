//! Closing rules among random rules of others, judged by the sandbox's evaluator: enabled means shut, granted means open
//! for that source and that machine alone, ended means shut again.

use super::{own, source_is_public};
use crate::written::{Written, flow, judged, ours, read, way};
use access::nsg::{Door, Flow, left_open, place, place_closing};
use access::request::{Installation, RuleName};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::net::IpAddr;

fn installation() -> Installation {
    "sandbox".parse().unwrap()
}

fn closing_name() -> RuleName {
    RuleName::closing(&installation(), "7F3K9-QXM2P".parse().unwrap())
}

fn doors(flow: &Flow) -> Vec<Door> {
    let door = |port: &u16| Door {
        address: flow.destination,
        protocol: flow.protocol,
        port: *port,
        member_of: flow.member_of.clone(),
    };
    flow.ports.as_slice().iter().map(door).collect()
}

/// The groups with a closing rule in each, as we write it; `None` where one has no room.
fn with_closing(groups: &[Vec<Written>], flow: &Flow) -> Option<Vec<Vec<Written>>> {
    let close = |group: &Vec<Written>| {
        let rules = read(group, true);
        let priority = place_closing(&rules, &doors(flow), &closing_name(), &installation()).ok()?;
        assert!(group.iter().all(|rule| rule.outbound || rule.priority != priority), "its number was taken");
        assert!((100..=999).contains(&priority), "{priority}");
        let mut closing = ours(&closing_name().to_string(), priority, flow);
        (closing.allow, closing.sources) = (false, vec!["*".to_owned()]);
        Some(group.iter().cloned().chain([closing]).collect())
    };
    groups.iter().map(close).collect()
}

/// Whether anything of the flow's ports passes from there.
fn lets_in(groups: &[Vec<Written>], flow: &Flow, from: IpAddr) -> bool {
    flow.ports.as_slice().iter().any(|port| judged(groups, flow, *port, from).passes)
}

/// Somebody of the same family as the machine, from anywhere: the Internet, the network, and where the flow comes from.
fn somebody(flow: &Flow, any: u32) -> Vec<IpAddr> {
    let source = flow.source.prefix().addr();
    let others: [IpAddr; 3] = if flow.destination.is_ipv4() {
        [IpAddr::from(any.to_be_bytes()), [10, 0, 0, 9].into(), [203, 0, 113, 200].into()]
    } else {
        let public = 0x2001_0db8_u128 << 96 | u128::from(any);
        [
            IpAddr::from(public.to_be_bytes()),
            "fd00:db8:deca::9".parse().unwrap(),
            "2a00:1450::1".parse().unwrap(),
        ]
    };
    others.into_iter().chain([source]).filter(|from| from.is_ipv4() == flow.destination.is_ipv4()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn enabled_is_shut_granted_is_open_for_one_and_ended_is_shut(
        groups in way(), flow in flow(), any in any::<u32>()
    ) {
        if let Some(closed) = with_closing(&groups, &flow) {
            for from in somebody(&flow, any) {
                prop_assert!(!lets_in(&closed, &flow, from), "{from} comes in though it is shut");
            }
            for group in &closed {
                let rules = read(group, false);
                for door in doors(&flow) {
                    prop_assert_eq!(left_open(&rules, &door, &installation()), None);
                }
                let again = place_closing(&rules, &doors(&flow), &closing_name(), &installation()).unwrap();
                prop_assert_eq!(
                    Some(again),
                    group.iter().find(|rule| rule.name == closing_name().to_string()).map(|rule| rule.priority),
                    "the same order again leaves it where it is"
                );
            }
            // The neighbour on the same subnet is reached as before.
            let mut beside = flow.clone();
            beside.destination = if flow.destination.is_ipv4() { [10, 0, 0, 5].into() } else { "fd00:db8:deca::5".parse().unwrap() };
            for from in somebody(&flow, any) {
                prop_assert_eq!(lets_in(&closed, &beside, from), lets_in(&groups, &beside, from), "of a neighbour, from {}", from);
            }
            let granted: Option<Vec<Vec<Written>>> = closed.iter().map(|group| {
                let priority = place(&read(group, true), &flow, &own()).ok()?;
                Some(group.iter().cloned().chain([ours(&own().to_string(), priority, &flow)]).collect())
            }).collect();
            if let Some(granted) = granted {
                let source = flow.source.prefix();
                prop_assert!(
                    flow.ports.as_slice().iter().all(|port| judged(&granted, &flow, *port, source.addr()).passes),
                    "granted and not open"
                );
                for from in somebody(&flow, any).into_iter().filter(|from| !source.contains(from)) {
                    prop_assert!(!lets_in(&granted, &flow, from), "{from} comes in by the grant of {source}");
                }
                for from in somebody(&flow, any) {
                    prop_assert_eq!(lets_in(&granted, &beside, from), lets_in(&groups, &beside, from), "of a neighbour, by the grant");
                }
            }
        }
    }

    #[test]
    fn what_no_rule_leaves_open_lets_nobody_on_the_internet_in(
        groups in way(), flow in flow(), any in any::<u32>()
    ) {
        let is_shut = doors(&flow).iter().all(|door| {
            groups.iter().any(|group| left_open(&read(group, true), door, &installation()).is_none())
        });
        for from in somebody(&flow, any).into_iter().filter(|from| is_shut && source_is_public(*from)) {
            prop_assert!(!lets_in(&groups, &flow, from), "{from} comes in though nothing is left open");
        }
    }
}

#[test]
fn there_are_plenty_of_closed_groups_and_of_groups_without_room() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut closed, mut open_before, mut shut_before) = (0, 0, 0);
    for _ in 0..1_000 {
        let (groups, flow) = (way(), flow()).new_tree(&mut runner).unwrap().current();
        closed += usize::from(with_closing(&groups, &flow).is_some());
        let from: IpAddr =
            if flow.destination.is_ipv4() { [203, 0, 113, 7].into() } else { "2001:db8::7".parse().unwrap() };
        match lets_in(&groups, &flow, from) {
            true => open_before += 1,
            false => shut_before += 1,
        }
    }
    assert!(
        closed > 300 && open_before > 50 && shut_before > 200,
        "{closed} closed, {open_before} open, {shut_before} shut"
    );
}
