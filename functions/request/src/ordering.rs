//! An admin's click on an offer: closing rules are to be written, or removed.

use crate::{Broken, Deps};
use access::click::Click;
use access::lease::Timestamp;
use access::lifecycle::SignedClick;
use access::order::Change;
use access::wording::{ClickRefusal, order_not_taken, refused_click};

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
        let (order, known) = tokio::try_join!(deps.store.order(click.request), deps.known())?;
        let Some(order) = order else {
            return refused(&ClickRefusal::NoSuchRequest);
        };
        if click.action != order.order.change.action() || click.terms != order.order.digest() {
            return refused(&ClickRefusal::OtherTerms);
        }
        let admin = match known.admin(&deps.policy, &click.user) {
            Ok(admin) => admin,
            Err(answer) => return Ok(Err(answer.text)),
        };
        // The very same click again: Slack or the network has delivered it twice.
        if order.order.yes.as_ref().is_some_and(|yes| yes.click.signature == signed.signature) {
            return Ok(Ok(()));
        }
        let now = deps.clock.now();
        let taken = match order.order.taken(&admin, signed.clone(), at, now) {
            Ok(taken) => taken,
            Err(why) => return Ok(Err(order_not_taken(&why))),
        };
        let for_grant = taken.change == Change::Write;
        if deps.store.write_order(Some(&order), &taken, for_grant, now).await? {
            tracing::info!(order = %taken.id, by = %click.user, "ordered");
            return Ok(Ok(()));
        }
    }
    Err(Broken::Contended)
}
