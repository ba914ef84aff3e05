//! Tells the channel what was locked down, whose clicks do not count, and what was lifted, each once.

use super::{Deps, NotShown, saying, start};
use access::wording;
use serde_json::json;

/// Has what is locked down ended, and tells of it.
pub(crate) async fn attend(deps: &Deps) -> Result<(), NotShown> {
    let mut known = deps.store.lockdowns().await?;
    let now = deps.clock.now();
    if known.lockdowns.all.iter().any(|one| one.ends_grants(now)) {
        // Before anything is said. Where this fails the tick ends it.
        start(deps, &deps.revoke_function, &json!({"lockdown": true})).await;
    }
    for one in known.lockdowns.frozen.clone() {
        let key = one.key();
        while let Some((what, message)) = wording::frozen(&one, known.told(&key), deps.policy.admins()) {
            saying::told_in_channel(deps, deps.policy.channel(), &message).await?;
            known.told.entry(key.clone()).or_default().push(what);
            deps.store.lockdowns_told(&known, false).await?;
        }
    }
    for one in known.lockdowns.all.clone() {
        let id = one.id.to_string();
        while let Some((what, message)) = wording::lockdown(&one, known.told(&id)) {
            saying::told_in_channel(deps, deps.policy.channel(), &message).await?;
            known.told.entry(id.clone()).or_default().push(what);
            deps.store.lockdowns_told(&known, false).await?;
        }
    }
    deps.store.lockdowns_told(&known, true).await?;
    Ok(())
}
