//! Everything that may happen next.

use super::super::*;
use super::calls::{CRASH, STRANGER, Sink, answers};
use super::rules::{forgotten, store};
use super::world::{Act, Begin, Row, Setting, TIMEOUT, World};
use crate::lifecycle::{Change, NotNow};
use crate::request::Ask;

/// Every world that may follow.
pub(super) fn successors(setting: &Setting, world: &World, sink: Sink<'_>) {
    if may_tick(world) {
        sink(&|| "the clock ticks".to_owned(), Ok(World { now: world.now + 1, ..world.clone() }));
    }
    for slot in [0, 1] {
        answers(setting, world, slot, sink);
        if world.drivers[slot].is_some()
            && let Some(next) = world.fault(CRASH)
        {
            sink(&|| format!("the driver in slot {slot} crashes"), Ok(next.crash(slot)));
        }
    }
    if let Some(slot) = (0..setting.bounds.slots).find(|slot| world.drivers[*slot].is_none()) {
        for request in 0..setting.bounds.requests {
            for role in [Role::Grant, Role::Revoke] {
                if let Some(next) = world.start(setting, slot, request, role) {
                    sink(&|| format!("{role:?} starts on request {request} in slot {slot}"), next);
                }
            }
        }
    }
    for request in 0..setting.bounds.requests {
        people(setting, world, request, sink);
    }
    surroundings(setting, world, sink);
}

/// No call would wait longer than its time-out, no write float longer than it can.
pub(super) fn may_tick(world: &World) -> bool {
    world.drivers.iter().flatten().all(|driver| world.now < driver.value.since + TIMEOUT)
        && world.floating.iter().all(|floating| world.now < floating.until)
}

/// A person's change is read, decided and written as one event: who loses the conditional write
/// reads again.
/// From where is known; when it lapses is not.
fn addressed(record: &Record, now: Timestamp) -> Result<Change, NotNow> {
    let ask = Ask { wish: record.wish().clone(), source: "192.0.2.1".parse().unwrap() };
    record.addressed(&ask, ask.wish.lapses_at, now)
}

fn people(setting: &Setting, world: &World, request: usize, sink: Sink<'_>) {
    let now = world.time();
    let record = match &world.rows[request] {
        Row::NotYet if setting.bounds.begin == Begin::Asked && world.now == 0 => {
            let mut next = world.clone();
            let stored = store(setting, &mut next, request, setting.asked(request));
            return sink(&|| format!("request {request} is made"), stored.map(|()| next));
        }
        Row::NotYet | Row::Purged => return,
        Row::Here(record) => &record.value,
    };
    let [one, two] = &setting.approvers;
    let approve = |approver| record.approve(approver, setting.click.clone(), now, now);
    let user = record.wish().requester.clone();
    let changes = [
        ("the source is known", addressed(record, now)),
        ("U1 approves", approve(one)),
        ("U2 approves", approve(two)),
        ("U1 denies", record.deny(one, "no".parse().unwrap(), now)),
        ("is cancelled", record.cancel(now)),
        ("is ended early", record.end(Cause::Revoked { by: user }, now)),
    ];
    for (label, change) in changes {
        if let Ok(Change { record, .. }) = change {
            let mut next = world.clone();
            let stored = store(setting, &mut next, request, record);
            sink(&|| format!("request {request}: {label}"), stored.map(|()| next));
        }
    }
    if forgotten(record) && matches!(record.state(), State::Closed(_)) {
        let mut next = world.clone();
        next.rows[request] = Row::Purged;
        sink(&|| format!("request {request} is purged"), Ok(next));
    }
}

/// Writes that float, the `CanNotDelete` lock, and other people in Azure.
fn surroundings(setting: &Setting, world: &World, sink: Sink<'_>) {
    for (n, floating) in world.floating.iter().enumerate() {
        let mut next = world.clone();
        next.floating.remove(n);
        sink(&|| format!("nothing comes of the floating {:?}", floating.act), Ok(next.clone()));
        if floating.act != Act::Delete || !world.azure_lock {
            next.apply(floating.group.into(), floating.name, floating.act, floating.overtaken);
            sink(&|| format!("the floating {:?} takes effect", floating.act), Ok(next));
        }
    }
    if world.azure_lock {
        sink(
            &|| "the lock CanNotDelete is taken off".to_owned(),
            Ok(World { azure_lock: false, ..world.clone() }),
        );
    } else if world.left.locks > 0 {
        let mut next = World { azure_lock: true, ..world.clone() };
        next.left.locks -= 1;
        sink(&|| "the lock CanNotDelete is put on".to_owned(), Ok(next));
    }
    let Some(by_stranger) = world.fault(STRANGER) else { return };
    for group in 0..setting.bounds.groups {
        if !world.groups[group].overruled {
            let mut next = by_stranger.clone();
            next.groups[group].overruled = true;
            sink(&|| format!("somebody's rule overrules ours in group {group}"), Ok(next));
        }
        for request in 0..setting.bounds.requests {
            let name = setting.name(world, request);
            if world.groups[group].rules[name].standing != Standing::Allow {
                continue;
            }
            for standing in [Standing::Altered, Standing::Absent] {
                let mut next = by_stranger.clone();
                next.groups[group].rules[name].standing = standing;
                next.touched[request] = true;
                sink(&|| format!("somebody makes our rule in group {group} {standing:?}"), Ok(next));
            }
        }
    }
}
