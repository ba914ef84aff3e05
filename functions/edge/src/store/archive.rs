//! What is over waits in the index `due`, in a shard of its own, until it is in the archive. Only then may it be
//! purged.

use super::write::Expression;
use super::*;

/// The shard of the index `due` with the records that are over and not archived.
pub(super) const ARCHIVE_SHARD: &str = "archive";

/// How many records one run archives at most.
const MOST: usize = 100;

/// How many items a transaction may write (docs.aws.amazon.com, `TransactWriteItems`).
const MOST_IN_A_TRANSACTION: usize = 100;

/// How long a record is kept in the table after it was archived, in seconds: 90 days.
const KEPT_SECONDS: u64 = 90 * 86_400;

impl Store {
    /// The requests that are over and not archived, those that wait longest first, each with the moment since which
    /// it waits; a hundred at most. From an index: each must be read again.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn to_archive(&self) -> Result<Vec<(Timestamp, RequestId)>, StoreError> {
        let query = self.client.query().table_name(&self.table).index_name("due");
        let query = query.key_condition_expression("due_shard = :shard");
        let query = query.expression_attribute_values(":shard", text(ARCHIVE_SHARD));
        let mut pages = query.into_paginator().items().send();
        let mut waiting = vec![];
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| call_error("Query", &error))?;
            let at = item.get("due_at").and_then(|value| value.as_n().ok()).and_then(|n| n.parse().ok());
            let id = item.get("pk").and_then(|value| value.as_s().ok());
            let id = id.and_then(|key| key.strip_prefix("REQUEST#")).and_then(|id| id.parse().ok());
            match (at, id) {
                (Some(at), Some(id)) => waiting.push((Timestamp::from_unix(at), id)),
                _ => tracing::error!("a record that is to be archived has no id, or no moment"),
            }
            if waiting.len() == MOST {
                break;
            }
        }
        Ok(waiting)
    }

    /// A record and its history are in the archive: they may be purged in 90 days. `false` where the record has
    /// changed since it was read; then it is to be archived again.
    ///
    /// # Errors
    /// DynamoDB did not answer: the same again is harmless.
    pub async fn archived(
        &self,
        loaded: &Loaded,
        lines: &[Line],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = loaded.record.wish().id;
        let purge_at = number(now.plus(KEPT_SECONDS).unix());
        let mut updates = vec![];
        for line in lines {
            let mut expression = Expression::default();
            expression.set("purge_at", purge_at.clone());
            updates.push(expression.conditional(&self.table, line_key(id, line), "attribute_exists(pk)")?);
        }
        let mut expression = Expression::default();
        expression.set("purge_at", purge_at);
        expression.set("archived_at", number(now.unix()));
        expression.remove("due_shard");
        expression.remove("due_at");
        expression.expect(":before", number(loaded.record.version()));
        expression.expect(":archive", text(ARCHIVE_SHARD));
        let condition = "#version = :before AND #due_shard = :archive";
        // Last, so that what breaks off before is done again.
        updates.push(expression.conditional(&self.table, record_key(id), condition)?);
        for some in updates.chunks(MOST_IN_A_TRANSACTION) {
            if !self.transact(some.to_vec()).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
