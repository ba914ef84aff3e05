//! Shuts the grants whose place another one has taken: it follows from that one's record, whoever tells of it and however
//! often.

use super::Deps;
use access::lease::Timestamp;
use access::request::RequestId;
use edge::drive::Driver;
use edge::store::{Loaded, StoreError, Stored};

/// How often a grant is ended anew when its record has changed meanwhile.
const TRIES: usize = 5;

/// The part of each tick: whatever was not told, or failed.
pub(crate) async fn attend(deps: &Deps, unsettled: &[(Timestamp, Loaded)]) -> Result<(), StoreError> {
    for (_, loaded) in unsettled {
        let stands = |id: RequestId| {
            unsettled.iter().any(|(_, other)| other.record.wish().id == id && other.record.is_live())
        };
        if loaded.record.has_moved().is_some_and(|moves| stands(moves.grant)) {
            shut_moved(deps, loaded.record.wish().id).await?;
        }
    }
    Ok(())
}

/// Records that the grant must be shut that this request has taken the place of, where it still has to be.
pub(crate) async fn shut_moved(deps: &Deps, by: RequestId) -> Result<(), StoreError> {
    let Driver { store, clock, .. } = &deps.driver;
    let Some(new) = store.read(by).await? else { return Ok(()) };
    let Some(moves) = new.record.has_moved() else { return Ok(()) };
    for _ in 0..TRIES {
        let Some(old) = store.read(moves.grant).await? else { return Ok(()) };
        // It is being shut, or is over.
        let Ok(change) = old.record.moved_to(&new.record, clock.now()) else { return Ok(()) };
        if let Stored::Yes(_) = store.write(&old, &change, false).await? {
            tracing::info!(request = %moves.grant, to = %by, "moved to another address");
            return Ok(());
        }
    }
    tracing::warn!(request = %moves.grant, "it was moved, but its record changes again and again");
    Ok(())
}
