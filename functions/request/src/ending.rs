//! A grant is ended early, or a request taken back: by the button on its card, and by `/jit close`.

use crate::interaction::Outcome;
use crate::{Broken, Deps};
use access::click::Click;
use access::command::Closing;
use access::lifecycle::{Cause, Change, NotNow, Record, State};
use access::policy::Rule;
use access::request::{Means, RequestId, TermsDigest, UserId};
use access::wording::{self, ClickRefusal, NotEnded};
use edge::store::{Loaded, Stored};

/// How often it is tried anew when somebody else has written meanwhile.
const TRIES: usize = 5;

type Refused<'d> = (NotEnded, Option<&'d Rule>);

/// The button on the card; else what to tell the clicker.
pub(crate) async fn by_click(deps: &Deps, click: &Click) -> Result<Outcome, Broken> {
    for _ in 0..TRIES {
        let Some(loaded) = deps.store.read(click.request).await? else {
            return Ok(Err((ClickRefusal::NoSuchRequest, None).into()));
        };
        if click.card.is_some_and(|card| card != loaded.shown.card) {
            return Ok(Err((ClickRefusal::OldCard { request: click.request }, None).into()));
        }
        let ask = loaded.record.ask();
        if ask.is_none_or(|ask| click.terms != TermsDigest::of(ask).as_str()) {
            return Ok(Err((ClickRefusal::OtherTerms, None).into()));
        }
        match try_to_end(deps, &loaded, &click.user).await? {
            Err((why, rule)) => return Ok(Err(wording::not_ended(&why, rule).into())),
            Ok(None) => {}
            Ok(Some(_)) => return Ok(Ok(None)),
        }
    }
    Err(Broken::Contended)
}

/// `/jit close`: what to answer.
pub(crate) async fn by_command(deps: &Deps, user: &UserId, closing: &Closing) -> Result<String, Broken> {
    for _ in 0..TRIES {
        let meant = match meant(deps, user, closing).await? {
            Ok(meant) => meant,
            Err((why, rule)) => return Ok(wording::not_ended(&why, rule)),
        };
        let mut said = vec![];
        let mut lost = false;
        for loaded in &meant {
            match try_to_end(deps, loaded, user).await? {
                Err((why, rule)) => said.push(wording::not_ended(&why, rule)),
                Ok(None) => lost = true,
                Ok(Some(record)) => said.push(wording::ending(&record)),
            }
        }
        if !lost {
            return Ok(said.join("\n"));
        }
    }
    Err(Broken::Contended)
}

/// What somebody means to end: all of their own on a machine, or the one of somebody else.
async fn meant<'d>(
    deps: &'d Deps,
    user: &UserId,
    closing: &Closing,
) -> Result<Result<Vec<Loaded>, Refused<'d>>, Broken> {
    let (machine, ports) = match closing {
        Closing::Request(id) => return one(deps, user, *id).await,
        Closing::Machine { machine, ports } => (machine, ports),
    };
    let on_it = deps.store.unsettled().await?.into_iter().map(|(_, loaded)| loaded).filter(|loaded| {
        let wish = loaded.record.wish();
        loaded.record.is_live()
            && machine.means(&wish.machine.resource_id)
            && ports.as_ref().is_none_or(|ports| *ports == wish.ports)
    });
    let is_own = |loaded: &Loaded| loaded.record.wish().requester == *user;
    let (own, others): (Vec<Loaded>, Vec<Loaded>) = on_it.partition(is_own);
    if !own.is_empty() {
        return Ok(Ok(own));
    }
    let mut may = vec![];
    for loaded in others {
        if loaded.record.granted().is_some() && is_entitled(deps, &loaded.record, user).await?.is_ok() {
            may.push(loaded);
        }
    }
    if may.is_empty() {
        return Ok(Err((NotEnded::Nothing { machine: machine.clone() }, None)));
    }
    if may.len() > 1 {
        let of = |loaded: &Loaded| (loaded.record.wish().requester.clone(), loaded.record.wish().id);
        return Ok(Err((NotEnded::Several { all: may.iter().map(of).collect() }, None)));
    }
    Ok(Ok(may))
}

/// One request by its reference. Whether there is one is told to those alone who could end it.
async fn one<'d>(
    deps: &'d Deps,
    user: &UserId,
    id: RequestId,
) -> Result<Result<Vec<Loaded>, Refused<'d>>, Broken> {
    let Some(loaded) = deps.store.read(id).await? else { return Ok(Err((NotEnded::NoSuchRequest, None))) };
    if is_entitled(deps, &loaded.record, user).await?.is_err() {
        return Ok(Err((NotEnded::NoSuchRequest, None)));
    }
    Ok(Ok(vec![loaded]))
}

/// Whether somebody may end it: who asked, who could have approved, and admins. Else the rule that says who.
async fn is_entitled<'d>(
    deps: &'d Deps,
    record: &Record,
    user: &UserId,
) -> Result<Result<(), Option<&'d Rule>>, Broken> {
    let wish = record.wish();
    if wish.requester == *user {
        return Ok(Ok(()));
    }
    let rule = deps.store.listed_rule(&deps.policy, &wish.machine).await?;
    let mut groups = deps.policy.admin_groups();
    groups.extend(rule.iter().flat_map(|rule| rule.groups(Means::Approval)));
    let groups = deps.slack.groups(&groups).await?;
    let may = deps.policy.admin(user, &groups).is_some()
        || rule.is_some_and(|rule| rule.approver(user, &groups).is_some());
    Ok(if may { Ok(()) } else { Err(rule) })
}

/// Ends what was read, where this person may: the record then. `None` where somebody else has written meanwhile.
async fn try_to_end<'d>(
    deps: &'d Deps,
    loaded: &Loaded,
    user: &UserId,
) -> Result<Result<Option<Record>, Refused<'d>>, Broken> {
    let record = &loaded.record;
    if let Err(rule) = is_entitled(deps, record, user).await? {
        let requester = record.wish().requester.clone();
        return Ok(Err((NotEnded::NotEntitled { requester }, rule)));
    }
    match ended(deps, record, user) {
        Err(_) => Ok(Err((over(record), None))),
        Ok(change) => Ok(Ok(match deps.store.write(loaded, &change, false).await? {
            Stored::Yes(stored) => {
                tracing::info!(request = %record.wish().id, by = %user, "ended early");
                Some(stored.record)
            }
            Stored::Lost => None,
        })),
    }
}

fn ended(deps: &Deps, record: &Record, user: &UserId) -> Result<Change, NotNow> {
    let now = deps.clock.now();
    match record.state() {
        State::Draft(_) | State::Pending(_) if record.wish().requester == *user => record.cancel(now),
        _ => record.end(Cause::Revoked { by: user.clone() }, now),
    }
}

/// Why there is nothing to end.
fn over(record: &Record) -> NotEnded {
    match record.state() {
        State::Closed(closed) => NotEnded::Over { at: closed.closed_at() },
        State::Closing(_) => NotEnded::AlreadyClosing,
        _ => NotEnded::Undecided,
    }
}
