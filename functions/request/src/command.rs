//! `/jit …`

use crate::{Broken, Deps, field, message, status};
use access::command::{Command, parse};
use access::lifecycle::Record;
use access::request::{Ask, Machine, MachineName, Ports, RequestHash, UserId, Wish};
use access::signature::Verified;
use access::wording::{self, Message};
use edge::store::Created;
use serde_json::Value;

pub(crate) async fn handle(deps: &Deps, verified: &Verified<'_>) -> Result<Value, Broken> {
    let get = |name: &str| field(verified, name).unwrap_or_default();
    // Slack's check of the certificate; signed like everything else.
    if get("ssl_check") == "1" {
        return Ok(status(200));
    }
    let ours = get("team_id") == deps.app.team_id || get("enterprise_id") == deps.app.team_id;
    if !ours || get("api_app_id") != deps.app.app_id {
        tracing::warn!("a command for another workspace or app");
        return Ok(message(&wording::other_app()));
    }
    let (Ok(requester), false) = (get("user_id").parse::<UserId>(), get("trigger_id").is_empty()) else {
        return Ok(status(400));
    };
    let answer = match parse(&get("text")) {
        Ok(Command::Help) => wording::help(),
        Ok(Command::Ask { machine, ports, source, ttl, justification }) => {
            let typed = Typed {
                requester,
                machine,
                ports,
                source,
                ttl,
                justification,
                trigger_id: get("trigger_id"),
            };
            ask(deps, typed).await?
        }
        Err(why) => wording::misunderstood(&why),
    };
    Ok(message(&answer))
}

struct Typed {
    requester: UserId,
    machine: MachineName,
    ports: Ports,
    source: Option<access::request::Source>,
    ttl: Option<access::lease::Ttl>,
    justification: Option<access::request::Justification>,
    trigger_id: String,
}

async fn ask(deps: &Deps, typed: Typed) -> Result<Message, Broken> {
    let machine = match find(deps.store.machines().await?, &typed.machine) {
        Ok(machine) => machine,
        Err(answer) => return Ok(answer),
    };
    let rule = match deps.policy.rule_for(&machine) {
        Ok(rule) => rule,
        Err(why) => return Ok(wording::not_allowed(&why, None)),
    };
    let Some(source) = typed.source.or(rule.source()) else {
        return Ok(wording::no_source(&machine, &typed.ports));
    };
    let now = deps.clock.now();
    let hash = RequestHash::of(&typed.trigger_id, &machine.resource_id);
    let wish = Wish {
        id: hash.candidate(0),
        hash,
        requester: typed.requester,
        machine,
        protocol: access::request::Protocol::Tcp,
        ports: typed.ports,
        ttl: typed.ttl.unwrap_or(rule.duration()),
        justification: typed.justification,
        asked_at: now,
        lapses_at: now.plus(rule.undecided().seconds()),
    };
    let ask = Ask { wish, source };
    if ask.source.prefix().addr().is_ipv4() != ask.wish.machine.private_address.is_ipv4() {
        return Ok(wording::other_family(&ask));
    }
    let groups = deps.groups(rule).await?;
    if let Err(why) = deps.policy.admits(&ask, &groups) {
        return Ok(wording::not_allowed(&why, Some(rule)));
    }
    // People type a command again when they saw no answer.
    let live = deps.store.live_of(&ask.wish.requester).await?;
    if let Some(same) = live.iter().find(|loaded| is_same(&loaded.record, &ask)) {
        return Ok(wording::asked_before(same.record.wish(), same.record.status()));
    }
    for candidate in 0..RequestHash::CANDIDATES {
        let mut ask = ask.clone();
        ask.wish.id = hash.candidate(candidate);
        let change = Record::asked(ask.wish.clone(), Some(ask.source), rule.approvals());
        match deps.store.create(&change).await? {
            Created::Yes => {
                tracing::info!(request = %ask.wish.id, "asked");
                return Ok(wording::asked(&ask, rule));
            }
            // The same delivery twice.
            Created::Exists(existing) if existing.record.wish().hash == hash => {
                return Ok(wording::asked(&ask, rule));
            }
            // Another request with the same 50 bits: take the next 50.
            Created::Exists(_) => {}
        }
    }
    Err(Broken::Ids)
}

/// Whether a request asks for the same as one that waits or is open.
fn is_same(record: &Record, ask: &Ask) -> bool {
    let wish = record.wish();
    wish.machine.resource_id == ask.wish.machine.resource_id
        && wish.protocol == ask.wish.protocol
        && wish.ports == ask.wish.ports
        && record.ask().is_none_or(|other| other.source == ask.source)
}

/// The one machine of that name; else what to say.
fn find(machines: Vec<Machine>, name: &MachineName) -> Result<Machine, Message> {
    let (mut named, others): (Vec<Machine>, Vec<Machine>) =
        machines.into_iter().partition(|machine| machine.name.is(name));
    match (named.pop(), named.is_empty()) {
        (Some(machine), true) => Ok(machine),
        (Some(last), false) => {
            let group =
                |machine: &Machine| machine.resource_id.resource_group().unwrap_or_default().to_owned();
            let mut groups: Vec<String> = named.iter().chain([&last]).map(group).collect();
            groups.sort();
            Err(wording::ambiguous(name, &groups))
        }
        (None, _) => Err(wording::no_such_machine(name, &near(&others, name))),
    }
}

/// Names that differ by one character, or begin alike.
fn near(machines: &[Machine], name: &MachineName) -> Vec<String> {
    let wanted = name.as_str().to_ascii_lowercase();
    let is_near = |other: &str| {
        let other = other.to_ascii_lowercase();
        distance(&wanted, &other) <= 1 || other.starts_with(&wanted) || wanted.starts_with(&other)
    };
    let mut near: Vec<String> =
        machines.iter().map(|machine| machine.name.to_string()).filter(|other| is_near(other)).collect();
    near.sort();
    near.truncate(5);
    near
}

/// How many characters must be changed, added or removed to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("vm3", "vm3", 0), ("vm33", "vm3", 1), ("vm2", "vm3", 1), ("web", "db", 2), ("", "ab", 2)]
        {
            assert_eq!(distance(a, b), expected);
        }
    }
}
