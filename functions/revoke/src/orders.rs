//! The part of each tick that is about closing rules: orders that nobody has finished, and rules that should stand and do
//! not. What is missing is told and offered again, and never restored.

use super::Deps;
use access::drive::Standing;
use access::order::{Change, Found, Order, Reason};
use access::request::{RequestHash, RequestId};
use edge::clock::Awake;
use edge::drive::{Checker, Driver};
use edge::glance::Glances;
use edge::secrets::SlackSecrets;
use edge::slack::Slack;
use edge::store::{KnownClosing, StoreError, Watched};
use lambda_runtime::Error;

/// Carries out an admin's order to remove closing rules.
pub(crate) async fn carry_out(
    deps: &Deps,
    id: RequestId,
    invocation: &str,
    at_work: &Awake,
) -> Result<(), Error> {
    let store = &deps.driver.store;
    let Some(known) = store.order(id).await? else { return Ok(()) };
    if known.order.change != Change::Remove || !known.order.is_at_work() {
        return Ok(());
    }
    let checker = checker(deps).await?;
    Ok(deps.driver.carry_out(&checker, known, invocation, at_work).await?)
}

/// What an admin's word is judged by.
pub(crate) async fn checker(deps: &Deps) -> Result<Checker, Error> {
    let env = &deps.env;
    let secrets = SlackSecrets::read(env, &deps.driver.clock).await?;
    Ok(Checker {
        app: secrets.app(env)?,
        policy: env.policy()?,
        slack: Slack::new(env, secrets.clone())?,
        secrets,
    })
}

/// Has orders taken up again, and compares the closing rules with Azure.
pub(crate) async fn attend(
    deps: &Deps,
    watched: &Watched,
    glances: &Glances,
    invocation: &str,
) -> Result<(), StoreError> {
    let Driver { store, clock, .. } = &deps.driver;
    let now = clock.now();
    for (_, id) in watched.orders.iter().filter(|(due_at, _)| *due_at <= now) {
        let id = *id;
        let Some(known) = store.order(id).await? else { continue };
        store.touch_order(&known, now).await?;
        if known.order.change == Change::Remove
            && let Err(error) = carry_out(deps, id, invocation, &clock.awake_now()).await
        {
            tracing::error!(order = %id, error = %error, "an order was not carried out");
        }
    }
    let mut missing = vec![];
    for known in watched.closing_rules.iter().cloned() {
        let found = match glances.group(&known.rule.nsg).await {
            Ok(group) => known.rule.standing(&group.rules, &deps.driver.installation),
            Err(error) => {
                tracing::warn!(rule = %known.rule.id(), error = %error, "a closing rule was not looked at");
                continue;
            }
        };
        match (found, known.missed_at) {
            (Standing::Changing, _) | (Standing::Deny, None) => {}
            (Standing::Deny, Some(_)) => {
                store.put_closing(&KnownClosing { missed_at: None, ..known }, now).await?;
            }
            (_, Some(_)) => {}
            // From an index: it may be removed by now, or be told of already.
            (_, None) if store.closing_rule(known.rule.id()).await?.as_ref() == Some(&known) => {
                missing.push(known);
            }
            (_, None) => {}
        }
    }
    offer_again(deps, missing).await
}

/// Tells the channel that closing rules are missing, and offers to write them again.
async fn offer_again(deps: &Deps, missing: Vec<KnownClosing>) -> Result<(), StoreError> {
    let Driver { store, clock, .. } = &deps.driver;
    let now = clock.now();
    let Some(first) = missing.first() else { return Ok(()) };
    let id = RequestHash::of(&format!("missing/{}/{now}", first.order), &first.rule.machine).candidate(0);
    let rules = missing.iter().map(|known| known.rule.clone()).collect();
    let names = missing.iter().map(|known| Found::missed(&known.rule));
    let mut found: Vec<Found> = vec![];
    for one in names {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    let order = Order::offer(id, Change::Write, Reason::Missing, found, rules, now);
    // First: what was offered and not remembered as missed is offered once more.
    store.write_order(None, &order, false, now).await?;
    for known in missing {
        tracing::error!(rule = %known.rule.id(), nsg = %known.rule.nsg, "a closing rule is missing or was changed");
        store.put_closing(&KnownClosing { missed_at: Some(now), ..known }, now).await?;
    }
    Ok(())
}
