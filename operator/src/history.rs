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
        let archive = "a request that is over is purged 90 days after it was archived";
        return Err(Problem::Nothing(format!("there is no request {id} in the table ({archive})")));
    };
    audit::of(&aws.store, &loaded, &verifier).await
}
