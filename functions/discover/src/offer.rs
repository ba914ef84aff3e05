//! What an admin is offered who has enabled or disabled machines: the closing rules that shut what other rules leave open,
//! or those to take away again. Nothing is changed by an offer.

use crate::Deps;
use access::order::{Change, ClosingRule, Found, MOST_RULES, Order, Reason};
use access::request::RequestHash;
use edge::store::{Offer, StoreError};

/// Makes the order that the admin may say yes to, from what was seen just now; the same question makes the same.
pub(crate) async fn make(deps: &Deps, key: &str, asked: &Offer) -> Result<(), StoreError> {
    let Some(first) = asked.machines.first() else { return Ok(()) };
    let now = deps.clock.now();
    let machines = deps.store.machines().await?;
    let meant: Vec<_> =
        machines.iter().filter(|machine| asked.machines.contains(&machine.resource_id)).collect();
    let by = asked.by.clone();
    let (reason, mut rules): (Reason, Vec<ClosingRule>) = match asked.change {
        Change::Write => {
            let rules = meant.iter().flat_map(|machine| machine.closing_rules()).collect();
            (Reason::Enabled { by }, rules)
        }
        Change::Remove => {
            let known = deps.store.closing_rules().await?.into_iter();
            let of_them = known
                .filter(|known| known.removed_at.is_none() && asked.machines.contains(&known.rule.machine));
            (Reason::Disabled { by }, of_them.map(|known| known.rule).collect())
        }
    };
    rules.truncate(MOST_RULES);
    let found = meant.into_iter().map(Found::of).collect();
    let id = RequestHash::of(key, first).candidate(0);
    let order = Order::offer(id, asked.change, reason, found, rules, now);
    // Where there is one with this id already, the same question was asked twice.
    deps.store.write_order(None, &order, false, now).await?;
    tracing::info!(order = %id, rules = order.rules.len(), "offered");
    Ok(())
}
