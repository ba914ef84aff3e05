//! A grant is ended early, or a request taken back: by the button on its card, and by `/jit close`.

use crate::interaction::Outcome;
use crate::known::Known;
use crate::{Broken, Deps};
use access::click::Click;
use access::command::Closing;
use access::lifecycle::{Cause, Change, NotNow, Record, State};
use access::policy::Rule;
use access::request::{TermsDigest, UserId};
use access::wording::{self, ClickRefusal, NotEnded};
use edge::store::{Loaded, StoreError, Stored};

/// How often it is tried anew when somebody else has written meanwhile.
const TRIES: usize = 5;

type Refused<'d> = (NotEnded, Option<&'d Rule>);

/// The button on the card; else what to tell the clicker.
pub(crate) async fn by_click(deps: &Deps, click: &Click) -> Result<Outcome, Broken> {
    for _ in 0..TRIES {
        let (loaded, known) = tokio::try_join!(deps.store.read(click.request), deps.known())?;
        let Some(loaded) = loaded else {
            return Ok(Err((ClickRefusal::NoSuchRequest, None).into()));
        };
        if click.card.is_some_and(|card| card != loaded.shown.card) {
            return Ok(Err((ClickRefusal::OldCard { request: click.request }, None).into()));
        }
        let ask = loaded.record.ask();
        if ask.is_none_or(|ask| click.terms != TermsDigest::of(ask).as_str()) {
            return Ok(Err((ClickRefusal::OtherTerms, None).into()));
        }
        match try_to_end(deps, &known, &loaded, &click.user).await? {
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
        let (known, meant) = tokio::try_join!(deps.known(), about(deps, closing))?;
        let meant = match meant_by(deps, &known, user, closing, meant) {
            Ok(meant) => meant,
            Err((why, rule)) => return Ok(wording::not_ended(&why, rule)),
        };
        let tries = meant.iter().map(|loaded| try_to_end(deps, &known, loaded, user));
        let mut said = vec![];
        let mut lost = false;
        for tried in futures::future::join_all(tries).await {
            match tried? {
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

/// What a command can be about.
async fn about(deps: &Deps, closing: &Closing) -> Result<Vec<Loaded>, StoreError> {
    Ok(match closing {
        Closing::Request(id) => deps.store.read(*id).await?.into_iter().collect(),
        Closing::Machine { machine, ports } => {
            let is_meant = |loaded: &Loaded| {
                let wish = loaded.record.wish();
                loaded.record.is_live()
                    && machine.means(&wish.machine.resource_id)
                    && ports.as_ref().is_none_or(|ports| *ports == wish.ports)
            };
            let unsettled = deps.store.unsettled().await?;
            unsettled.into_iter().map(|(_, loaded)| loaded).filter(is_meant).collect()
        }
    })
}

/// What somebody means to end: all of their own on a machine, or the one of somebody else.
fn meant_by<'d>(
    deps: &'d Deps,
    known: &Known,
    user: &UserId,
    closing: &Closing,
    about: Vec<Loaded>,
) -> Result<Vec<Loaded>, Refused<'d>> {
    let may_end = |loaded: &Loaded| known.may_end(&deps.policy, &loaded.record, user).is_ok();
    let machine = match closing {
        // Whether there is one is told to those alone who could end it.
        Closing::Request(_) if !about.iter().any(may_end) => return Err((NotEnded::NoSuchRequest, None)),
        Closing::Request(_) => return Ok(about),
        Closing::Machine { machine, .. } => machine,
    };
    let is_own = |loaded: &Loaded| loaded.record.wish().requester == *user;
    let (own, others): (Vec<Loaded>, Vec<Loaded>) = about.into_iter().partition(is_own);
    if !own.is_empty() {
        return Ok(own);
    }
    let may: Vec<Loaded> =
        others.into_iter().filter(|loaded| loaded.record.granted().is_some() && may_end(loaded)).collect();
    match may.len() {
        0 => Err((NotEnded::Nothing { machine: machine.clone() }, None)),
        1 => Ok(may),
        _ => {
            let of = |loaded: &Loaded| (loaded.record.wish().requester.clone(), loaded.record.wish().id);
            Err((NotEnded::Several { all: may.iter().map(of).collect() }, None))
        }
    }
}

/// Ends what was read, where this person may: the record then. `None` where somebody else has written meanwhile.
async fn try_to_end<'d>(
    deps: &'d Deps,
    known: &Known,
    loaded: &Loaded,
    user: &UserId,
) -> Result<Result<Option<Record>, Refused<'d>>, Broken> {
    let record = &loaded.record;
    if let Err(rule) = known.may_end(&deps.policy, record, user) {
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
