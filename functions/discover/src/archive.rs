//! What is over goes into the archive: its history, and the clicks that it rested on. Nothing is purged before.

use crate::Deps;
use access::lease::Timestamp;
use access::lifecycle::State;
use access::request::RequestId;
use access::wording;
use edge::archive::{Archive, ArchiveError, objects};
use edge::store::StoreError;
use futures::StreamExt;

/// How many requests are archived side by side.
const SIDE_BY_SIDE: usize = 8;

/// A request that waits longer than this for the archive is told of as a failure, in seconds: four runs.
const LATE_SECONDS: u64 = 3600;

/// Why a request is not archived yet.
#[derive(Debug, thiserror::Error)]
enum NotArchived {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Archives what is over; what failed is tried again by the next run. Gives one sentence where something waits for too
/// long.
///
/// # Errors
/// The table does not say what is over.
pub(crate) async fn all(deps: &Deps) -> Result<Option<String>, StoreError> {
    let Some(archive) = &deps.archive else { return Ok(None) };
    let waiting = deps.store.to_archive().await?;
    let results = futures::stream::iter(waiting).map(|(since, id)| async move {
        let Err(error) = one(deps, archive, id).await else { return None };
        tracing::warn!(request = %id, error = %edge::report::chain(&error), "not archived yet");
        Some((since, id))
    });
    let failed: Vec<Option<(Timestamp, RequestId)>> = results.buffered(SIDE_BY_SIDE).collect().await;
    let now = deps.clock.now();
    let mut late = failed.into_iter().flatten().filter(|(since, _)| now.since(*since) > LATE_SECONDS);
    Ok(late.next().map(|(since, id)| format!("{id} is over since {since} and could not be archived")))
}

async fn one(deps: &Deps, archive: &Archive, id: RequestId) -> Result<(), NotArchived> {
    let Some(loaded) = deps.store.read(id).await? else { return Ok(()) };
    let State::Closed(closed) = loaded.record.state() else {
        tracing::error!(request = %id, "it waits for the archive and is not over");
        return Ok(());
    };
    let now = deps.clock.now();
    let lines = deps.store.history(id).await?;
    // As it was shown: what is true of an end when it comes is told in the past later.
    let card = wording::card(&loaded.record, None, None, &deps.installation, closed.closed_at());
    let objects = objects(&loaded, &lines, card.as_ref().map(|card| card.text.as_str()));
    // First the proof: the history names it.
    for (key, object) in objects.evidence.iter().chain([&objects.history]) {
        archive.put(key, object, now).await?;
    }
    if deps.store.archived(&loaded, &lines, now).await? {
        tracing::info!(request = %id, "archived");
    }
    Ok(())
}
