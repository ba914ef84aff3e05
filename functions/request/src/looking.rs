//! `/jit list`, `/jit show` and `/jit why`: what waits, what is open, what has happened to a request, and why somebody
//! cannot get in.

use crate::known::rule_of;
use crate::{Broken, Deps};
use access::lifecycle::{Event, Record, State};
use access::machine::{Found, find};
use access::policy::{NotAllowed, Rule, Subject};
use access::request::{RequestId, UserId};
use access::wording::{self, Message};
use edge::store::Why;

/// The requests of whoever asks.
pub(crate) async fn mine(deps: &Deps, user: &UserId) -> Result<Message, Broken> {
    let theirs = deps.store.requests_of(user).await?;
    let records: Vec<&Record> = theirs.iter().map(|loaded| &loaded.record).collect();
    Ok(wording::list(&records, &deps.installation, deps.clock.now()))
}

/// What waits or is open on the machines whose rule names whoever asks as an approver; everything, for an admin.
pub(crate) async fn all(deps: &Deps, user: &UserId) -> Result<Message, Broken> {
    let rules = deps.policy.rules();
    let (unsettled, machines, groups) =
        tokio::try_join!(deps.store.unsettled(), deps.store.machines(), deps.groups())?;
    let approves = |rule: &Rule| rule.approver(user, &groups).is_some();
    let is_admin = deps.policy.admin(user, &groups).is_some();
    if !is_admin && !rules.iter().any(approves) {
        let wanted = rules.iter().flat_map(Rule::approver_groups).chain(deps.policy.admin_groups()).collect();
        if !groups.know_all(&wanted) {
            return Ok(wording::who_decides_unknown());
        }
        return Ok(wording::approves_nothing());
    }
    let decides = |record: &&Record| {
        is_admin || rule_of(&deps.policy, &record.wish().machine, &machines).is_some_and(approves)
    };
    let records: Vec<&Record> = unsettled.iter().map(|(_, loaded)| &loaded.record).filter(decides).collect();
    Ok(wording::list_all(&records, is_admin, &deps.installation, deps.clock.now()))
}

/// A request with its history, to those who may see it; others do not hear whether there is one.
pub(crate) async fn show(deps: &Deps, user: &UserId, id: RequestId) -> Result<Message, Broken> {
    let (loaded, history, known) =
        tokio::try_join!(deps.store.read(id), deps.store.history(id), deps.known())?;
    let Some(loaded) = loaded else { return Ok(wording::not_to_be_shown(id)) };
    let record = &loaded.record;
    let rule = known.rule(&deps.policy, &record.wish().machine);
    // What nobody was asked to decide on yet is seen by its requester alone.
    let is_own = record.wish().requester == *user;
    if !is_own && (record.ask().is_none() || known.may_end(&deps.policy, record, user).is_err()) {
        return Ok(wording::not_to_be_shown(id));
    }
    let history: Vec<Event> = history.into_iter().map(|line| line.event).collect();
    // As on its card: only what waits says who can decide.
    let rule = rule.filter(|_| matches!(record.state(), State::Pending(_)));
    Ok(wording::shown(record, &history, rule, &deps.installation, deps.clock.now()))
}

/// Has `discover` look why somebody cannot get in, and tell them what it finds.
pub(crate) async fn why(deps: &Deps, why: Why, trigger_id: &str) -> Result<Message, Broken> {
    let (machines, locked, groups) =
        tokio::try_join!(deps.store.machines(), deps.store.lockdowns(), deps.groups())?;
    let query = &why.question.machine;
    let seen = match find(&machines, query) {
        Found::One(seen) => seen,
        Found::Several(spelled) => return Ok(wording::named_by_several(query, &spelled)),
        Found::Nothing { near } => return Ok(wording::not_found(query, &near)),
    };
    let rule = match deps.policy.rule_for(&Subject::seen(seen)) {
        Ok(rule) => rule,
        Err(why) => return Ok(wording::not_allowed(&why, None)),
    };
    if !rule.lets_ask(&why.asker, &groups) {
        let why = NotAllowed::Requester { rule: rule.name().to_owned(), requester: why.asker };
        return Ok(wording::not_allowed(&why, Some(rule)));
    }
    if why.question.response_url.is_empty() {
        return Ok(wording::cannot_answer_later());
    }
    deps.store.ask_why(&format!("ASK#{trigger_id}"), &why).await?;
    Ok(wording::looking(locked.lockdowns.on(&seen.name)))
}
