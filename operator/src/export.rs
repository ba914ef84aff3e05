//! `ajar export`: every request, a line of JSON each.

use crate::audit::{self, Audited};
use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use access::lease::Timestamp;

/// The requests, oldest first, and how many could not be read.
pub(crate) struct Exported {
    pub(crate) requests: Vec<Audited>,
    pub(crate) unreadable: usize,
}

/// Reads and verifies what has changed since a date.
pub(crate) async fn run(
    since: Option<&str>,
    config: &Config,
    outside: &mut Outside<'_>,
) -> Result<Exported, Problem> {
    let since = since.map_or(Ok(Timestamp::from_unix(0)), date)?;
    let (aws, verifier) = audit::connect(config, outside).await?;
    let (mut wanted, mut unreadable) = (vec![], 0);
    for read in aws.store.every_request().await? {
        match read {
            Ok(loaded) if loaded.record.changed_at() >= since => wanted.push(loaded),
            Ok(_) => {}
            Err(error) => {
                outside.progress(&format!("left out: {error}"));
                unreadable += 1;
            }
        }
    }
    wanted.sort_by_key(|loaded| (loaded.record.wish().asked_at, loaded.record.wish().id));
    let mut requests = vec![];
    for loaded in &wanted {
        requests.push(audit::of(&aws.store, loaded, &verifier).await?);
    }
    Ok(Exported { requests, unreadable })
}

/// `2026-03-12`: its midnight, UTC.
fn date(text: &str) -> Result<Timestamp, Problem> {
    format!("{text} 00:00:00 UTC")
        .parse()
        .map_err(|_| Problem::Unusable(format!("`{text}` is not a date; write one like 2026-03-12")))
}
