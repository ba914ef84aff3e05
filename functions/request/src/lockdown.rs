//! `/jit lockdown` and `/jit lift`.

use crate::{Broken, Deps};
use access::lifecycle::SignedClick;
use access::lockdown::{Lockdown, NamePattern};
use access::request::{RequestHash, ResourceId, UserId};
use access::wording::{self, Message};

/// How often it is tried anew when somebody else has written meanwhile.
const TRIES: usize = 5;

/// Locks machines down. What is open is ended by `revoke`, which judges the command itself.
pub(crate) async fn lock_down(
    deps: &Deps,
    user: &UserId,
    pattern: &NamePattern,
    command: &SignedClick,
    id: RequestHash,
) -> Result<Message, Broken> {
    let now = deps.clock.now();
    for _ in 0..TRIES {
        let known = deps.known().await?;
        if let Err(answer) = known.admin(&deps.policy, user) {
            return Ok(answer);
        }
        let known = known.locked;
        let lockdown = Lockdown {
            id: id.candidate(0),
            pattern: pattern.clone(),
            by: user.clone(),
            at: now,
            command: command.clone(),
            lifted: None,
        };
        // The same delivery twice.
        let Some(lockdowns) = known.lockdowns.with(lockdown) else {
            return Ok(wording::locked_down(pattern));
        };
        if deps.store.write_lockdowns(&known, &lockdowns, now).await? {
            tracing::warn!(by = %user, %pattern, "locked down");
            return Ok(wording::locked_down(pattern));
        }
    }
    Err(Broken::Contended)
}

/// Lifts the lockdowns of this pattern, or all.
pub(crate) async fn lift(
    deps: &Deps,
    user: &UserId,
    pattern: Option<&NamePattern>,
) -> Result<Message, Broken> {
    let now = deps.clock.now();
    for _ in 0..TRIES {
        let known = deps.known().await?;
        if let Err(answer) = known.admin(&deps.policy, user) {
            return Ok(answer);
        }
        let known = known.locked;
        let Some(lockdowns) = known.lockdowns.lifted(pattern, user, now) else {
            let in_force: Vec<&NamePattern> = known.lockdowns.in_force().map(|one| &one.pattern).collect();
            return Ok(wording::not_in_force(&in_force));
        };
        if deps.store.write_lockdowns(&known, &lockdowns, now).await? {
            tracing::warn!(by = %user, "a lockdown was lifted");
            return Ok(wording::lifted(pattern));
        }
    }
    Err(Broken::Contended)
}

/// What a lockdown's id is cut from: a repeated delivery makes the same.
pub(crate) fn hash_of(trigger_id: &str) -> Option<RequestHash> {
    let lockdowns: ResourceId = "/subscriptions/lockdowns".parse().ok()?;
    Some(RequestHash::of(trigger_id, &lockdowns))
}
