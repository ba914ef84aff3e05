//! Ends what is open on machines that an admin has locked down. The command is judged again here: whoever can only write
//! the table ends nothing.

use super::Deps;
use crate::orders::checker;
use access::lifecycle::{Cause, Record, State};
use access::lockdown::Lockdown;
use access::policy::Admin;
use edge::drive::Driver;
use edge::store::{KnownLockdowns, StoreError, Stored};
use lambda_runtime::Error;

/// How often a grant is ended anew when its record has changed meanwhile.
const TRIES: usize = 5;

/// The part of each tick: whatever the first try has left, and what the channel does not know yet.
pub(crate) async fn attend(deps: &Deps, known: &KnownLockdowns) -> Result<(), Error> {
    let Driver { store, clock, .. } = &deps.driver;
    end_grants(deps, known).await?;
    if known.is_untold() {
        store.touch_lockdowns(known, clock.now()).await?;
    }
    Ok(())
}

/// Ends every grant that is open, or about to be, on a machine that was locked down a moment ago.
pub(crate) async fn end_grants(deps: &Deps, known: &KnownLockdowns) -> Result<(), Error> {
    let Driver { store, clock, .. } = &deps.driver;
    let young: Vec<&Lockdown> =
        known.lockdowns.all.iter().filter(|one| one.ends_grants(clock.now())).collect();
    if young.is_empty() {
        return Ok(());
    }
    let live: Vec<Record> = store.unsettled().await?.into_iter().map(|(_, loaded)| loaded.record).collect();
    for lockdown in young {
        let meant = |record: &&Record| lets_in(record) && lockdown.pattern.means(&record.wish().machine.name);
        let mut meant = live.iter().filter(meant).peekable();
        if meant.peek().is_none() {
            continue;
        }
        let checker = checker(deps).await?;
        let groups = checker.slack.groups(&checker.policy.admin_groups()).await?;
        let keys = &checker.secrets.current().keys;
        match lockdown.judge(keys, &checker.app, &checker.policy, &groups, clock.now()) {
            Ok(admin) => {
                for record in meant {
                    end(deps, record, &admin).await?;
                }
            }
            Err(why) => {
                tracing::warn!(lockdown = %lockdown.id, why = %why, "the command does not prove this lockdown");
            }
        }
    }
    Ok(())
}

/// Whether a grant lets somebody in, or is about to.
const fn lets_in(record: &Record) -> bool {
    matches!(record.state(), State::Approved(_) | State::Opening(_) | State::Open(_))
}

async fn end(deps: &Deps, indexed: &Record, admin: &Admin) -> Result<(), StoreError> {
    let Driver { store, clock, .. } = &deps.driver;
    let id = indexed.wish().id;
    for _ in 0..TRIES {
        let Some(loaded) = store.read(id).await? else { return Ok(()) };
        let cause = Cause::Revoked { by: admin.user().clone() };
        // It is being shut, or is over.
        let Ok(change) = loaded.record.end(cause, clock.now()) else { return Ok(()) };
        if let Stored::Yes(_) = store.write(&loaded, &change, false).await? {
            tracing::warn!(request = %id, by = %admin.user(), "ended by a lockdown");
            return Ok(());
        }
    }
    tracing::error!(request = %id, "it is locked down, but its record changes again and again");
    Ok(())
}
