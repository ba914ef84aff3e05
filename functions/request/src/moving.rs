//! `/jit move`: somebody's address has changed. A new request takes the place of their grant, for what is left of it: it
//! goes through the policy and is approved like any other, and the grant is shut once it is open.

use crate::command::{record, refused};
use crate::draft::linked;
use crate::{Broken, Deps};
use access::address::LINK_SECONDS;
use access::command::Closing;
use access::lease::{Timestamp, Ttl};
use access::lifecycle::{Record, State};
use access::machine::{SeenMachine, Tags};
use access::policy::{NotAllowed, Rule, Subject};
use access::request::{Ask, Means, Move, RequestHash, Source, UserId, Wish};
use access::wording::{self, Message, NotMoved};
use edge::store::Loaded;

/// A grant that somebody wants to move.
pub(crate) struct Moving {
    pub(crate) requester: UserId,
    pub(crate) grant: Closing,
    /// To where; `None` where the page is to tell.
    pub(crate) to: Option<Source>,
    /// What the request's id is made from: the same delivered twice is one request.
    pub(crate) trigger_id: String,
    pub(crate) response_url: String,
    /// Where the page is on which an address is confirmed; `None` where that is not known.
    pub(crate) page: Option<String>,
}

/// Asks for the same from another address: what to answer.
pub(crate) async fn by_command(deps: &Deps, moving: Moving) -> Result<Message, Broken> {
    let (theirs, machines, locked, groups) = tokio::try_join!(
        deps.store.requests_of(&moving.requester),
        deps.store.machines(),
        deps.store.lockdowns(),
        deps.groups()
    )?;
    let now = deps.clock.now();
    let (grant, left) = match meant(&theirs, &moving.grant, now) {
        Ok(meant) => meant,
        Err(why) => return Ok(wording::not_moved(&why)),
    };
    if let Some(lockdown) = locked.lockdowns.on(&grant.ask.wish.machine.name) {
        return Ok(wording::nothing_opens(lockdown));
    }
    let target = match target(deps, &machines, &grant, &moving) {
        Ok(target) => target,
        Err(answer) => return Ok(answer),
    };
    let Target { rule, tags, listed, .. } = &target;
    let wish = wish(&grant, left, &target, &moving, now);
    let admitted = match moving.to {
        Some(source) => {
            let ask = Ask { wish: wish.clone(), source };
            let admitted = deps.policy.admits(&ask, tags, &groups).map(|_| ());
            admitted.and_then(|()| rule.admits_enabled(&ask, listed.enabled.as_ref()))
        }
        None => {
            let admitted = deps.policy.admits_draft(&wish, tags, &groups).map(|_| ());
            admitted.and_then(|()| rule.admits_enabled_draft(&wish, listed.enabled.as_ref()))
        }
    };
    if let Err(why) = admitted {
        let asked = (moving.trigger_id, moving.response_url);
        return Ok(refused(deps, &why, rule, &groups, asked).await?.message());
    }
    let answer = |record: &Record| answer(deps, record, &target, &moving);
    // People type a command again when they saw no answer, or have lost the link.
    match begun(&theirs, &grant, moving.to, now) {
        Some(Begun::Same(record)) => return Ok(answer(record)),
        Some(Begun::Other(record)) => {
            return Ok(wording::not_moved(&NotMoved::Moving { by: record.wish().id }));
        }
        None => {}
    }
    let (recorded, _) = record(deps, &wish, moving.to, rule, None).await?;
    Ok(answer(&recorded))
}

/// What is granted, and is to be moved.
struct Grant<'r> {
    ask: &'r Ask,
    until: Timestamp,
}

/// The grant that was named, and what is left of it.
fn meant<'r>(theirs: &'r [Loaded], named: &Closing, now: Timestamp) -> Result<(Grant<'r>, Ttl), NotMoved> {
    let records = || theirs.iter().map(|loaded| &loaded.record);
    let record = match named {
        Closing::Request(id) => {
            records().find(|record| record.wish().id == *id).ok_or(NotMoved::NoSuchGrant { id: *id })?
        }
        Closing::Machine { machine, ports } => {
            let on_it = |record: &&Record| {
                let wish = record.wish();
                record.is_live()
                    && record.granted().is_some()
                    && machine.means(&wish.machine.resource_id)
                    && ports.as_ref().is_none_or(|ports| *ports == wish.ports)
            };
            let on_it: Vec<&Record> = records().filter(on_it).collect();
            match on_it.as_slice() {
                [one] => *one,
                [] => return Err(NotMoved::Nothing { machine: machine.clone() }),
                several => {
                    let asks = several.iter().filter_map(|record| record.ask());
                    return Err(NotMoved::Several {
                        all: asks.map(|ask| (ask.clone(), ask.wish.id)).collect(),
                    });
                }
            }
        }
    };
    let wish = record.wish();
    let granted = match (record.granted(), record.is_live()) {
        (Some(granted), true) => granted,
        (None, true) => return Err(NotMoved::Undecided { id: wish.id }),
        (_, false) => return Err(NotMoved::Over { wish: Box::new(wish.clone()) }),
    };
    let until = granted.expires_at();
    let left = Ttl::left(now, until).ok_or(NotMoved::EndsSoon { at: until })?;
    Ok((Grant { ask: granted.ask(), until }, left))
}

/// Where the grant is to be moved to.
struct Target<'d> {
    machine: access::request::Machine,
    rule: &'d Rule,
    tags: &'d Tags,
    listed: &'d SeenMachine,
}

/// The machine as it is reached from there, and the rule that decides; else what to say.
fn target<'d>(
    deps: &'d Deps,
    machines: &'d [SeenMachine],
    grant: &Grant<'_>,
    moving: &Moving,
) -> Result<Target<'d>, Message> {
    let wish = &grant.ask.wish;
    if let Some(to) = moving.to.filter(|to| to.is_within(&grant.ask.source)) {
        return Err(wording::not_moved(&NotMoved::SameAddress { ask: Box::new(grant.ask.clone()), to }));
    }
    if moving.to.is_none() && moving.page.is_none() {
        return Err(wording::not_moved(&NotMoved::WhereTo { grant: moving.grant.clone() }));
    }
    let unlisted = || NotAllowed::Machine { machine: wish.machine.name.to_string() };
    let listed = machines.iter().find(|listed| listed.resource_id == wish.machine.resource_id);
    let listed = listed.ok_or_else(|| wording::not_allowed(&unlisted(), None))?;
    let rule =
        deps.policy.rule_for(&Subject::seen(listed)).map_err(|why| wording::not_allowed(&why, None))?;
    let reached = match &moving.to {
        Some(to) => listed.reached_from(to),
        None => listed.reached_from_somewhere(),
    };
    let machine = reached.map_err(|why| wording::unfit(listed, &why, moving.to.as_ref(), false))?;
    Ok(Target { machine, rule, tags: &listed.tags, listed })
}

/// The same as was granted, for what is left of it.
fn wish(grant: &Grant<'_>, left: Ttl, target: &Target<'_>, moving: &Moving, now: Timestamp) -> Wish {
    let old = &grant.ask.wish;
    let hash = RequestHash::of(&moving.trigger_id, &old.machine.resource_id);
    let moves = Move { grant: old.id, from: grant.ask.source, until: grant.until };
    // What was moved without approval is asked for anew: whether it may be again hangs on where to.
    let means = if old.means == Means::OwnMove { Means::Approval } else { old.means };
    let wish = Wish {
        means,
        id: hash.candidate(0),
        hash,
        machine: target.machine.clone(),
        ttl: left,
        moves: Some(moves),
        asked_at: now,
        ..old.clone()
    };
    let means = moving.to.map_or(means, |to| target.rule.means_of(&wish, &to));
    let waits = moving.to.map_or(LINK_SECONDS, |_| target.rule.waits_seconds(means));
    Wish { means, lapses_at: wish.waits_until(now.plus(waits)), ..wish }
}

/// A request that moves the grant already.
enum Begun<'r> {
    /// To the same address, or to one that the page is still to tell.
    Same(&'r Record),
    /// To another one.
    Other(&'r Record),
}

fn begun<'r>(
    theirs: &'r [Loaded],
    grant: &Grant<'_>,
    to: Option<Source>,
    now: Timestamp,
) -> Option<Begun<'r>> {
    let moves_it = |record: &&Record| {
        record.wish().moves.is_some_and(|moves| moves.grant == grant.ask.wish.id) && record.is_live()
    };
    let waits = |record: &&Record| record.granted().is_some() || now < record.wish().lapses_at;
    let mut begun = theirs.iter().map(|loaded| &loaded.record).filter(moves_it).filter(waits);
    // Who types an address after all needs no page any more; the draft lapses by itself.
    let record = match to {
        Some(_) => begun.find(|record| record.ask().is_some())?,
        None => begun.next()?,
    };
    let same = match (to, record.ask()) {
        (Some(to), Some(ask)) => ask.source == to,
        _ => true,
    };
    Some(if same { Begun::Same(record) } else { Begun::Other(record) })
}

/// What is answered to who moves it, as far as it has come.
fn answer(deps: &Deps, record: &Record, target: &Target<'_>, moving: &Moving) -> Message {
    match (record.state(), record.ask()) {
        (State::Draft(_), _) => linked(deps, record.wish(), moving.page.as_deref().unwrap_or_default()),
        (State::Pending(_), Some(ask)) => wording::asked(ask, target.rule),
        (_, Some(ask)) if record.is_live() => wording::asked_before(&ask.wish, record.status()),
        _ => wording::asked_again_before(record.wish()),
    }
}
