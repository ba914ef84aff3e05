//! Why somebody cannot get in: their grants, the machine, and the rules on the way to it, read now. Nothing is written
//! but the answer.

use crate::Deps;
use access::lifecycle::{Record, State};
use access::machine::{Found, Power, SeenMachine, find};
use access::nsg::{Flow, evaluate};
use access::policy::Subject;
use access::request::{Protocol, Source};
use access::wording::{self, InAzure, WhyNot};
use edge::arm::{ArmError, WayError};
use edge::store::{Loaded, StoreError, Why};
use std::net::IpAddr;

/// What is to be said to whoever asked.
pub(crate) async fn answer(deps: &Deps, why: &Why) -> Result<String, StoreError> {
    let question = &why.question;
    let machines = deps.store.machines().await?;
    let seen = match find(&machines, &question.machine) {
        Found::One(seen) => seen,
        // It was one a moment ago.
        Found::Several(spelled) => return Ok(wording::named_by_several(&question.machine, &spelled).text),
        Found::Nothing { near } => return Ok(wording::not_found(&question.machine, &near).text),
    };
    let requests = deps.store.requests_on(&seen.resource_id).await?;
    let requests: Vec<&Record> = own(&requests, why);
    // Where the asker does not say it: as their grant does, else as the policy does.
    let granted = requests.iter().rev().find_map(|record| record.ask()).map(|ask| ask.source);
    let of_policy = || deps.policy.rule_for(&Subject::seen(seen)).ok().and_then(|rule| rule.source());
    let source = question.source.or(granted).or_else(of_policy);
    let azure = in_azure(deps, seen, source, why).await;
    Ok(wording::why_not(&WhyNot {
        name: &seen.name,
        machine: &question.machine,
        ports: &question.ports,
        source,
        requests,
        azure,
        at: deps.clock.now(),
    }))
}

/// The asker's requests that are about all of the ports and not over, oldest first.
fn own<'r>(requests: &'r [Loaded], why: &Why) -> Vec<&'r Record> {
    let is_about = |record: &&Record| {
        let wish = record.wish();
        let ports = wish.ports.as_slice();
        wish.requester == why.asker
            && why.question.ports.as_slice().iter().all(|port| ports.contains(port))
            && !matches!(record.state(), State::Closed(_))
    };
    let mut own: Vec<&Record> = requests.iter().map(|loaded| &loaded.record).filter(is_about).collect();
    own.sort_by_key(|record| record.wish().asked_at);
    own
}

async fn in_azure(deps: &Deps, seen: &SeenMachine, source: Option<Source>, why: &Why) -> InAzure {
    let address = match address(seen, source.as_ref()) {
        Ok(address) => address,
        Err(sentence) => return InAzure::Unfit(sentence),
    };
    let (way, power) = match deps.arm.way_and_power(&seen.resource_id, address).await {
        Ok(found) => found,
        Err(WayError::Fault(fault)) => return InAzure::Fault(fault),
        Err(WayError::Arm(error)) => return silent(&error),
    };
    let Some(source) = source else { return InAzure::Seen { power, groups: vec![] } };
    let ports = why.question.ports.clone();
    let flow = Flow {
        source,
        destination: address,
        protocol: seen.enabled.as_ref().map_or(Protocol::Tcp, |enabled| enabled.protocol_of(&ports)),
        ports,
        member_of: way.member_of,
    };
    let mut groups = vec![];
    for nsg in &way.groups {
        match deps.arm.group(nsg).await {
            Ok(group) => groups.push((nsg.name().to_owned(), evaluate(&group.rules, &flow))),
            Err(error) => return silent(&error),
        }
    }
    InAzure::Seen { power, groups }
}

/// The private address at which a connection arrives, as the machine was seen last; else why there is none. Whether it
/// runs is read anew.
fn address(seen: &SeenMachine, source: Option<&Source>) -> Result<IpAddr, String> {
    let running = SeenMachine { power: Power::Unknown, ..seen.clone() };
    match source {
        Some(source) => running
            .reached_from(source)
            .map(|machine| machine.private_address)
            .map_err(|why| wording::unfit(seen, &why, Some(source), false).text),
        None => running.addresses().first().copied().ok_or_else(wording::no_address),
    }
}

fn silent(error: &ArmError) -> InAzure {
    tracing::warn!(error = %error, "Azure does not say why somebody cannot get in");
    InAzure::Silent
}
