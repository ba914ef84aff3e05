//! *Not me*: an approver says that an approval in their name is not theirs. And the admin's command after it.

use crate::interaction::Outcome;
use crate::{Broken, Deps};
use access::click::Click;
use access::frozen::Frozen;
use access::lifecycle::{Cause, Record, rest_on};
use access::policy::Rule;
use access::request::UserId;
use access::wording::{self, ClickRefusal, Message};
use edge::store::Stored;

/// How often it is tried anew when somebody else has written meanwhile.
const TRIES: usize = 5;

/// Shuts what was approved in somebody's name, and lets nothing more be decided in it: what to tell them.
pub(crate) async fn not_me(deps: &Deps, click: &Click) -> Result<Outcome, Broken> {
    for _ in 0..TRIES {
        let (loaded, known) = tokio::try_join!(deps.store.read(click.request), deps.store.lockdowns())?;
        let Some(loaded) = loaded else {
            return Ok(Err((ClickRefusal::NoSuchRequest, None).into()));
        };
        let record = &loaded.record;
        if !record.approvals().iter().any(|approval| approval.by == click.user) {
            return Ok(Err(wording::nothing_disowned().into()));
        }
        end_what_rests_on(deps, record, &click.user).await?;
        let now = deps.clock.now();
        let wish = record.wish();
        let frozen = Frozen {
            user: click.user.clone(),
            at: now,
            request: wish.id,
            requester: wish.requester.clone(),
            machine: wish.machine.name.clone(),
            lifted: None,
        };
        // What is being shut, or is over, needs no end; and who is frozen already stays so since then.
        let (end, frozen) = (record.disown(&click.user, now).ok(), known.lockdowns.freezing(frozen));
        if end.is_none() && frozen.is_none() {
            return Ok(Ok(Some(wording::disowned())));
        }
        if deps.store.disown((&loaded, end.as_ref()), (&known, frozen.as_ref()), now).await? {
            tracing::error!(request = %wish.id, user = %click.user, "an approver says that an approval is not theirs");
            return Ok(Ok(Some(wording::disowned())));
        }
    }
    Err(Broken::Contended)
}

/// Ends what its requester has moved without another approval: it rests on the one that is not theirs.
async fn end_what_rests_on(deps: &Deps, record: &Record, by: &UserId) -> Result<(), Broken> {
    if !deps.policy.rules().iter().any(Rule::move_without_approval) {
        return Ok(());
    }
    let wish = record.wish();
    let theirs = deps.store.requests_of(&wish.requester).await?;
    let records: Vec<&Record> = theirs.iter().map(|loaded| &loaded.record).collect();
    for moved in rest_on(wish.id, &records) {
        let id = moved.wish().id;
        for _ in 0..TRIES {
            // What was not pressed yet is not opened: the approver's clicks do not count from now on.
            let Some(loaded) = deps.store.read(id).await? else { break };
            let cause = Cause::Disowned { by: by.clone() };
            let Ok(change) = loaded.record.end(cause, deps.clock.now()) else { break };
            if let Stored::Yes(_) = deps.store.write(&loaded, &change, false).await? {
                break;
            }
        }
    }
    Ok(())
}

/// `/jit unfreeze`: somebody's clicks count again. Nobody lifts it for themselves: an admin's clicks do not count then
/// either.
pub(crate) async fn unfreeze(deps: &Deps, by: &UserId, user: &UserId) -> Result<Message, Broken> {
    for _ in 0..TRIES {
        let known = deps.known().await?;
        if let Err(answer) = known.admin(&deps.policy, by) {
            return Ok(answer);
        }
        let known = known.locked;
        let now = deps.clock.now();
        let Some(lockdowns) = known.lockdowns.thawed(user, by, now) else {
            return Ok(wording::not_frozen(user));
        };
        if deps.store.write_lockdowns(&known, &lockdowns, now).await? {
            tracing::warn!(%by, %user, "clicks count again");
            return Ok(wording::thawed(user));
        }
    }
    Err(Broken::Contended)
}
