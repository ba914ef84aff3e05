//! What must hold in every state, and of every write.

use super::super::*;
use super::world::{Act, Begin, Driver, Floating, LATE, LEASE, Row, Setting, TEMPO, World};
use std::collections::BTreeSet;
use std::fmt;

/// What must never be. The number is the request's, or the group's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    /// A rule of ours allows, and not enough people have approved.
    Unapproved(usize),
    /// A PUT that allows was sent when the grant was over.
    PutAfterEnd(usize),
    /// The record says open, and a planned rule is not in place, though nobody else touched it.
    OpenNotInPlace(usize),
    /// The record says open, and a rule of ours denies the flow.
    OpenShortened(usize),
    /// The record says that a rule denies or is gone, and it allows; not by a write that landed late.
    ShutButAllowed(usize),
    /// The record says closed, and a rule allows; not by a write that landed late. (A Deny of ours may
    /// be there: `grant` may have sent it before `revoke` found that it could delete.)
    ClosedButAllowed(usize),
    /// Nothing will look at this request again, and a rule is there.
    ForgottenButThere(usize),
    /// A closed request is in another state again.
    ClosedChanged(usize),
    /// The end of a grant has moved.
    EndMoved(usize),
    /// Two PUTs of ours to one group at once.
    TwoPuts(usize),
    /// Two DELETEs of ours to one group at once, and neither's patience was over.
    TwoDeletes(usize),
    /// A DELETE beside a PUT to one group, and its patience was not over.
    DeleteBesidePut(usize),
    /// A write of ours to a group in which Azure shows another to be in progress, while the lock that it was
    /// sent under lasts, and the patience of a delete was not over.
    BesideUnfinished(usize),
    /// A record that does not read back as it was stored.
    NotReadBack(usize),
    /// Left alone, it does not come to rest.
    NoRest,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unapproved(_) => f.write_str("a rule allows without enough approvals"),
            Self::PutAfterEnd(n) => write!(f, "request {n}: a PUT was sent when the grant was over"),
            Self::OpenNotInPlace(n) => write!(f, "request {n}: open, and a planned rule is not in place"),
            Self::OpenShortened(n) => write!(f, "request {n}: open, and a rule of ours denies the flow"),
            Self::ShutButAllowed(n) => {
                write!(f, "request {n}: a rule is recorded as denying or gone, and it allows")
            }
            Self::ClosedButAllowed(n) => write!(f, "request {n}: closed, and a rule of it allows"),
            Self::ForgottenButThere(n) => {
                write!(f, "request {n}: nothing will look at it again, and a rule of it is there")
            }
            Self::ClosedChanged(n) => write!(f, "request {n}: was closed and is not any more"),
            Self::EndMoved(n) => write!(f, "request {n}: the end of the grant has moved"),
            Self::TwoPuts(n) => write!(f, "group {n}: two PUTs at once"),
            Self::TwoDeletes(n) => write!(f, "group {n}: two DELETEs at once"),
            Self::DeleteBesidePut(n) => {
                write!(f, "group {n}: a DELETE beside a PUT before its patience was over")
            }
            Self::BesideUnfinished(n) => write!(f, "group {n}: a write beside one that Azure is still at"),
            Self::NotReadBack(n) => write!(f, "request {n}: the record does not read back as it was stored"),
            Self::NoRest => f.write_str("left alone, it does not come to rest"),
        }
    }
}

/// What is wrong with a state.
pub(super) fn broken(setting: &Setting, world: &World) -> Option<Broken> {
    let groups = &world.groups[..setting.bounds.groups];
    for request in 0..setting.bounds.requests {
        let name = setting.name(world, request);
        let rules = || groups.iter().map(move |group| group.rules[name]);
        let allowed = rules().any(|rule| rule.standing == Standing::Allow);
        let there = rules().any(|rule| rule.standing != Standing::Absent);
        let allowed_in_time = rules().any(|rule| rule.standing == Standing::Allow && !rule.late);
        let Some(record) = world.record(request) else {
            if there && !setting.design.name_of_the_flow {
                return Some(Broken::ForgottenButThere(request));
            }
            continue;
        };
        if allowed && !approved(setting, record) {
            return Some(Broken::Unapproved(request));
        }
        match record.state() {
            State::Open(_) if !world.touched[request] => {
                let planned = record.plan().map_or(0, |plan| plan.rules().len());
                if rules().take(planned).any(|rule| rule.standing != Standing::Allow) {
                    return Some(Broken::OpenNotInPlace(request));
                }
                let denies = |group: &super::world::Group| {
                    group.rules.iter().any(|rule| rule.standing == Standing::Deny)
                };
                if setting.design.deny_stays_in_front && groups.iter().any(denies) {
                    return Some(Broken::OpenShortened(request));
                }
            }
            // Where requests share a rule, it is there for the other one.
            _ if setting.design.name_of_the_flow => {}
            State::Closing(closing) => {
                let wrong = |(end, rule): (&RuleEnd, super::world::Rule)| {
                    matches!(end, RuleEnd::Denied | RuleEnd::Gone)
                        && rule.standing == Standing::Allow
                        && !rule.late
                };
                if closing.ends().iter().zip(rules()).any(wrong) {
                    return Some(Broken::ShutButAllowed(request));
                }
            }
            State::Closed(_) => {
                if allowed_in_time {
                    return Some(Broken::ClosedButAllowed(request));
                }
                if there && forgotten(record) {
                    return Some(Broken::ForgottenButThere(request));
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether nothing is due for a record, ever.
pub(super) fn forgotten(record: &Record) -> bool {
    crate::lifecycle::due_at(record, &TEMPO).is_none()
}

fn approved(setting: &Setting, record: &Record) -> bool {
    let needed = if setting.bounds.begin == Begin::Asked { 2 } else { 1 };
    let by: BTreeSet<_> = record.approvals().iter().map(|approval| &approval.by).collect();
    record.granted().is_some() && by.len() >= needed && !by.contains(&record.wish().requester)
}

/// Stores a record, and says what is wrong with the change.
pub(super) fn store(
    setting: &Setting,
    world: &mut World,
    request: usize,
    record: Record,
) -> Result<(), Broken> {
    if let Some(before) = world.record(request)
        && matches!(before.state(), State::Closed(_))
        && !matches!(record.state(), State::Closed(_))
    {
        return Err(Broken::ClosedChanged(request));
    }
    if let Some(granted) = record.granted() {
        let ends_at = *world.ends_at[request].get_or_insert(granted.expires_at());
        if ends_at != granted.expires_at() {
            return Err(Broken::EndMoved(request));
        }
    }
    if setting.first_seen(&record) && Record::from_parts(record.to_parts()).as_ref() != Ok(&record) {
        return Err(Broken::NotReadBack(request));
    }
    world.rows[request] = Row::Here(super::world::Known::new(record));
    Ok(())
}

/// What is wrong with sending a write now, beside the write that another driver waits for.
pub(super) fn sending(world: &World, driver: &Driver, other: Option<&Driver>) -> Result<(), Broken> {
    let Some((group, act)) = driver.write() else { return Ok(()) };
    let over = driver.drive.record.granted().is_none_or(|granted| world.time() >= granted.expires_at());
    if act == Act::Allow && over {
        return Err(Broken::PutAfterEnd(driver.request.into()));
    }
    let waited = |deleting: &Driver| {
        let since = deleting.drive.waiting_since;
        deleting.drive.bare
            && since.is_some_and(|since| world.time().since(since) >= TEMPO.delete_patience_seconds)
    };
    // A lock is taken in the tick in which its holder writes.
    let unfinished = |one: &Floating| {
        one.accepted && one.in_turn && usize::from(one.group) == group && world.now < one.until - LATE + LEASE
    };
    if world.floating.iter().any(unfinished) && !waited(driver) {
        return Err(Broken::BesideUnfinished(group));
    }
    let Some(other) = other else { return Ok(()) };
    let Some((_, beside)) = other.write().filter(|(at, _)| *at == group) else { return Ok(()) };
    match (act == Act::Delete, beside == Act::Delete) {
        (true, _) if waited(driver) => Ok(()),
        (_, true) if waited(other) => Ok(()),
        (true, true) => Err(Broken::TwoDeletes(group)),
        (false, false) => Err(Broken::TwoPuts(group)),
        _ => Err(Broken::DeleteBesidePut(group)),
    }
}
