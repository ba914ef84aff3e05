//! An admin's click on an offer: closing rules are to be written, or removed.

use crate::{Broken, Deps};
use access::click::Click;
use access::lease::Timestamp;
use access::lifecycle::SignedClick;
use access::order::Change;
use access::wording::{self, ClickRefusal, order_not_taken, refused_click};

/// How often it is tried anew when somebody else has written meanwhile.
const TRIES: usize = 5;

/// Records the yes; else the sentence to the clicker.
pub(crate) async fn take(
    deps: &Deps,
    click: &Click,
    signed: &SignedClick,
    at: Timestamp,
) -> Result<Result<(), String>, Broken> {
    let refused = |why: &ClickRefusal| Ok(Err(refused_click(why, None)));
    for _ in 0..TRIES {
        let (known, locked) = tokio::try_join!(deps.store.order(click.request), deps.store.lockdowns())?;
        let Some(known) = known else {
            return refused(&ClickRefusal::NoSuchRequest);
        };
        if click.action != known.order.change.action() || click.terms != known.order.digest() {
            return refused(&ClickRefusal::OtherTerms);
        }
        let Ok(groups) = deps.slack.groups(&deps.policy.admin_groups()).await else {
            return refused(&ClickRefusal::GroupsUnknown);
        };
        let Some(admin) = deps.policy.admin(&click.user, &groups) else {
            return Ok(Err(wording::not_admin(&deps.policy).text));
        };
        if let Some(frozen) = locked.lockdowns.frozen(&click.user) {
            return refused(&ClickRefusal::Frozen { user: frozen.user.clone(), since: frozen.at });
        }
        // The very same click again: Slack or the network has delivered it twice.
        if known.order.yes.as_ref().is_some_and(|yes| yes.click.signature == signed.signature) {
            return Ok(Ok(()));
        }
        let now = deps.clock.now();
        let order = match known.order.taken(&admin, signed.clone(), at, now) {
            Ok(order) => order,
            Err(why) => return Ok(Err(order_not_taken(&why))),
        };
        let for_grant = order.change == Change::Write;
        if deps.store.write_order(Some(&known), &order, for_grant, now).await? {
            tracing::info!(order = %order.id, by = %click.user, "ordered");
            return Ok(Ok(()));
        }
    }
    Err(Broken::Contended)
}
