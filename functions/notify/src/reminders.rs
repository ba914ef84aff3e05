//! Telling what time alone brings: that nobody has decided yet, and that a grant ends soon.

use super::{Deps, NotShown, reply_once, saying};
use access::lease::Timestamp;
use access::lifecycle::State;
use access::wording::{self, Reminder, Told};
use edge::store::{Loaded, Shown};

/// Whether there is something to tell that no change of the record brings.
pub(super) fn is_due(loaded: &Loaded, now: Timestamp) -> bool {
    wording::reminder_at(&loaded.record, &loaded.shown.told).is_some_and(|at| at <= now)
}

/// Tells what is due, once.
pub(super) async fn tell(deps: &Deps, loaded: &Loaded, shown: &mut Shown) -> Result<(), NotShown> {
    let (record, now) = (&loaded.record, deps.clock.now());
    if !is_due(loaded, now) {
        return Ok(());
    }
    // Only what waits says who can decide.
    let rule = match record.state() {
        State::Pending(_) => deps.store.listed_rule(&deps.policy, &record.wish().machine).await?,
        _ => None,
    };
    match wording::reminder(record, rule, &shown.told, now) {
        None => {}
        Some(Reminder::Undecided(message)) => {
            reply_once(deps, loaded, shown, Told::Reminded, &message).await?;
        }
        Some(Reminder::EndsSoon(message)) => {
            saying::to_person(deps, &record.wish().requester, &message).await?;
            shown.told.push(Told::EndsSoon);
            deps.store.shown(record, shown, false).await?;
        }
    }
    Ok(())
}
