//! What an operator reads: every request, and how the table itself is made.

use super::*;

/// The indexes that the table must have.
pub const INDEXES: [&str; 3] = ["due", "machine", "person"];

/// The attribute by which DynamoDB purges.
pub const PURGED_BY: &str = "purge_at";

/// How the table is made, as far as DynamoDB says. `None`: it did not answer that question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// `ACTIVE` when it can be used.
    pub status: String,
    /// What its stream tells of a change; absent where it has none.
    pub stream: Option<String>,
    /// The indexes that can be used.
    pub indexes: Vec<String>,
    /// Whether it is protected from being deleted.
    pub protected: bool,
    /// By which attribute it purges; the inner `None`: by none.
    pub purged_by: Option<Option<String>>,
    /// Whether it can be put back to any second of the last weeks.
    pub recoverable: Option<bool>,
}

impl Store {
    /// Every request, those that cannot be read beside the others.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn every_request(&self) -> Result<Vec<Result<Loaded, StoreError>>, StoreError> {
        let scan = self.client.scan().table_name(&self.table).filter_expression("sk = :record");
        let scan = scan.expression_attribute_values(":record", text("RECORD")).consistent_read(true);
        let mut pages = scan.into_paginator().items().send();
        let mut all = vec![];
        while let Some(item) = pages.next().await {
            all.push(load(item.map_err(|error| call_error("Scan", &error))?));
        }
        Ok(all)
    }

    /// How the table is made.
    ///
    /// # Errors
    /// DynamoDB did not say that there is one.
    pub async fn shape(&self) -> Result<Shape, StoreError> {
        use aws_sdk_dynamodb::types::{IndexStatus, PointInTimeRecoveryStatus, TimeToLiveStatus};
        let described = self.client.describe_table().table_name(&self.table).send().await;
        let described = described.map_err(|error| call_error("DescribeTable", &error))?;
        let table = described.table.ok_or_else(|| StoreError::Item {
            kind: "DescribeTable",
            why: "no table in the answer".to_owned(),
        })?;
        let ttl = self.client.describe_time_to_live().table_name(&self.table).send().await.ok();
        let ttl = ttl.and_then(|answer| answer.time_to_live_description);
        let backups = self.client.describe_continuous_backups().table_name(&self.table).send().await.ok();
        let backups = backups.and_then(|answer| answer.continuous_backups_description);
        let stream = table.stream_specification.filter(|stream| stream.stream_enabled);
        let usable =
            table.global_secondary_indexes.unwrap_or_default().into_iter().filter(|index| {
                index.index_status.as_ref().is_none_or(|status| *status == IndexStatus::Active)
            });
        Ok(Shape {
            status: table.table_status.map_or_else(String::new, |status| status.as_str().to_owned()),
            stream: stream.and_then(|stream| stream.stream_view_type).map(|view| view.as_str().to_owned()),
            indexes: usable.filter_map(|index| index.index_name).collect(),
            protected: table.deletion_protection_enabled.unwrap_or(false),
            purged_by: ttl.map(|ttl| {
                let is_on = ttl.time_to_live_status == Some(TimeToLiveStatus::Enabled);
                ttl.attribute_name.filter(|_| is_on)
            }),
            recoverable: backups.map(|backups| {
                backups.point_in_time_recovery_description.is_some_and(|recovery| {
                    recovery.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled)
                })
            }),
        })
    }
}
