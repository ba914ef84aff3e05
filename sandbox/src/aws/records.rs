//! Records of the table's stream in the JSON that AWS Lambda hands to a function.

use super::{ACCOUNT, REGION};
use dynoxide::actions::get_records::Record;
use serde_json::{Value, json};

/// A record as an event source mapping holds it.
#[derive(Clone, Debug)]
pub(super) struct StreamRecord {
    /// Its place in the stream.
    pub(super) sequence_number: String,
    /// When it was made, by the sandbox's clock, in Unix seconds.
    pub(super) created_at: u64,
    /// What the function gets.
    pub(super) json: Value,
}

/// The record as JSON, which is that of DynamoDB's API but for where and when. `ahead_seconds` is by how much
/// the sandbox's clock is ahead of the real one, which is the one that the database stamps records with.
pub(super) fn convert(
    record: &Record,
    stream_arn: &str,
    ahead_seconds: i64,
) -> Result<StreamRecord, serde_json::Error> {
    let mut json = serde_json::to_value(record)?;
    // Whole seconds, as the database counts.
    #[expect(clippy::cast_possible_truncation, reason = "Unix seconds")]
    let made = record.dynamodb.approximate_creation_date_time as i64;
    let created_at = u64::try_from(made.saturating_add(ahead_seconds)).unwrap_or_default();
    json["dynamodb"]["ApproximateCreationDateTime"] = json!(created_at);
    json["awsRegion"] = json!(REGION);
    json["eventSourceARN"] = json!(event_source_arn(stream_arn));
    Ok(StreamRecord { sequence_number: record.dynamodb.sequence_number.clone(), created_at, json })
}

/// The stream's ARN in the sandbox's account and region, where the database has its own.
pub(super) fn event_source_arn(stream_arn: &str) -> String {
    let resource = stream_arn.splitn(6, ':').nth(5).unwrap_or(stream_arn);
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:{resource}")
}
