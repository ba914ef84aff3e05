//! `ajar history`: one request.

use crate::audit::{self, Audited};
use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use access::request::RequestId;

/// Reads one request and verifies it.
pub(crate) async fn run(typed: &str, config: &Config, outside: &Outside<'_>) -> Result<Audited, Problem> {
    let id = RequestId::typed(typed)?;
    let (aws, verifier) = audit::connect(config, outside).await?;
    let Some(loaded) = aws.store.read(id).await? else {
        let bucket = &config.archive_bucket;
        return Err(Problem::Nothing(format!(
            "there is no request {id} in the table; one that was over for 90 days is in the bucket {bucket} alone, as history/<year>/<month>/{id}.json"
        )));
    };
    audit::of(&aws.store, &loaded, &verifier).await
}
