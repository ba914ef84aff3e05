//! The part of each tick that looks for rules of ours that no record answers for. Resource Graph finds
//! them, the table remembers them, and a look at the group decides.

use super::{AHEAD_SECONDS, CLAIM_SECONDS, Deps, shut};
use access::lease::Timestamp;
use access::orphan::{Fate, Keeper, Orphan};
use access::request::{RequestId, ResourceId, RuleName};
use edge::arm::Listed;
use edge::clock::Awake;
use edge::drive::Driver;
use edge::orphan::Removal;
use edge::store::{KnownOrphan, Loaded, StoreError};

/// Finds what is new, then does what is due about all that is known.
pub(crate) async fn sweep(
    deps: &Deps,
    unsettled: &[(Timestamp, Loaded)],
    invocation: &str,
) -> Result<(), StoreError> {
    let Driver { clock, store, arm, installation, .. } = &deps.driver;
    let at_work = clock.awake_now();
    let known = store.orphans().await?;
    match arm.rules_of(installation, &deps.subscriptions, (clock, &at_work)).await {
        Ok(listed) => {
            for Listed { nsg, rule } in listed {
                let Some(id) = RuleName::request_of(&rule, installation) else { continue };
                if answers_for(unsettled, id, &nsg) {
                    continue;
                }
                let before = known.iter().find(|known| known.orphan.request == id && known.orphan.nsg == nsg);
                found(deps, before, id, nsg, invocation).await?;
            }
        }
        // Asked again at the next tick, which is later than Azure ever wants.
        Err(error) => tracing::warn!(error = %error, "rules that no record names were not looked for"),
    }
    let known = store.orphans().await?;
    let standing = known.iter().filter(|known| !known.orphan.is_over());
    tracing::info!(orphan_rules = standing.clone().count(), "rules that no record answers for");
    let attend_to = |known: KnownOrphan, awake: Awake| async move {
        if let Err(error) = attend(deps, &known, invocation, awake).await {
            tracing::error!(nsg = %known.orphan.nsg, request = %known.orphan.request, error = %edge::report::chain(&error), "an orphan could not be attended to");
        }
        ((), clock.awake_now())
    };
    clock.side_by_side(standing.cloned(), attend_to, &at_work).await;
    for known in store.orphans().await?.iter().filter(|known| known.untold) {
        store.touch_orphan(known, clock.now()).await?;
    }
    Ok(())
}

/// Whether one of the records that this tick looks at names the rule.
fn answers_for(unsettled: &[(Timestamp, Loaded)], id: RequestId, nsg: &ResourceId) -> bool {
    unsettled.iter().map(|(_, loaded)| &loaded.record).any(|record| {
        record.wish().id == id
            && record.plan().is_some_and(|plan| plan.rules().iter().any(|rule| rule.nsg == *nsg))
    })
}

/// A rule was listed that no record of this tick names.
async fn found(
    deps: &Deps,
    before: Option<&KnownOrphan>,
    id: RequestId,
    nsg: ResourceId,
    invocation: &str,
) -> Result<(), StoreError> {
    let Driver { clock, store, installation, .. } = &deps.driver;
    if before.is_some_and(|before| !before.orphan.is_over()) {
        return Ok(());
    }
    let name = RuleName::new(installation, id);
    let now = clock.now();
    let orphan = match store.keeper(id, &nsg).await? {
        (Keeper::Record, _) => return Ok(()),
        (Keeper::Hidden, Some(record)) => {
            tracing::error!(request = %id, "a record was not in the list of what is looked at; it is put back");
            store.touch(&record, &[], Some(now), now).await?;
            shut(deps, id, invocation, &clock.awake_now(), None).await?;
            if before.is_some_and(|before| before.orphan.fate == Fate::Hidden) {
                return Ok(());
            }
            Orphan::hidden(nsg, id, now)
        }
        (Keeper::Hidden | Keeper::Nobody, _) => match deps.driver.rule(&nsg, &name).await {
            Ok(Some(rule)) => {
                tracing::error!(%nsg, rule = %name, "a rule of ours that no record answers for");
                Orphan::found(nsg, id, &rule, now)
            }
            // Resource Graph is behind.
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::warn!(%nsg, rule = %name, error = %error, "a rule that no record answers for could not be read");
                return Ok(());
            }
        },
    };
    store.write_orphan(before, &orphan, now).await?;
    Ok(())
}

/// Does what is due about one orphan, when it is due.
async fn attend(deps: &Deps, known: &KnownOrphan, invocation: &str, awake: Awake) -> Result<(), StoreError> {
    let Driver { clock, store, installation, .. } = &deps.driver;
    let orphan = &known.orphan;
    let name = orphan.name(installation);
    let due = orphan.shut_at() <= clock.now().plus(AHEAD_SECONDS);
    let awake = if due {
        drop(awake);
        clock.sleep_until(orphan.shut_at()).await
    } else {
        awake
    };
    if due && !store.claim_orphan(known, clock.now(), CLAIM_SECONDS).await? {
        return Ok(());
    }
    let next = match store.keeper(orphan.request, &orphan.nsg).await? {
        (Keeper::Record, _) => Orphan { fate: Fate::Kept, ..orphan.clone() },
        (Keeper::Hidden | Keeper::Nobody, _) => match deps.driver.rule(&orphan.nsg, &name).await {
            Ok(None) => Orphan { fate: Fate::Gone { at: clock.now() }, ..orphan.clone() },
            Ok(Some(rule)) => {
                let again = orphan.seen_again(&rule);
                if again.shut_at() > clock.now() {
                    again
                } else {
                    remove(deps, &again, &name, invocation, &awake).await?
                }
            }
            Err(_) if !due => return Ok(()),
            Err(_) => orphan.hindered(None, clock.now()),
        },
    };
    // What is late is written at each tick, so that people hear of it once it is too late.
    if next != *orphan || matches!(next.fate, Fate::Hindered { .. }) {
        store.write_orphan(Some(known), &next, clock.now()).await?;
    }
    Ok(())
}

async fn remove(
    deps: &Deps,
    orphan: &Orphan,
    name: &RuleName,
    invocation: &str,
    at_work: &Awake,
) -> Result<Orphan, StoreError> {
    let now = || deps.driver.clock.now();
    Ok(match deps.driver.remove(&orphan.nsg, name, invocation, at_work).await? {
        Removal::Gone => Orphan { fate: Fate::Gone { at: now() }, ..orphan.clone() },
        Removal::Refused(code) => orphan.hindered(Some(code), now()),
        Removal::Unfinished => orphan.hindered(None, now()),
    })
}
