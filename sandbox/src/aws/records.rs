//! Records of the table's stream in the JSON that AWS Lambda hands to a function.

use super::{ACCOUNT, REGION};
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

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

/// The record as JSON. `ahead_seconds` is by how much the sandbox's clock is ahead of the real one,
/// which is the one that the database stamps records with.
pub(super) fn convert(record: Record, stream_arn: &str, ahead_seconds: i64) -> Option<StreamRecord> {
    let event_name = record.event_name?.as_str().to_owned();
    let change = record.dynamodb?;
    let sequence_number = change.sequence_number?;
    let made = change.approximate_creation_date_time.map_or(0, |made| made.secs());
    let created_at = u64::try_from(made + ahead_seconds).unwrap_or_default();
    let mut dynamodb = json!({
        "ApproximateCreationDateTime": created_at,
        "SequenceNumber": sequence_number,
        "SizeBytes": change.size_bytes.unwrap_or_default(),
        "StreamViewType": change.stream_view_type.map_or("NEW_AND_OLD_IMAGES".to_owned(), |kind| kind.as_str().to_owned()),
    });
    let images = [("Keys", change.keys), ("NewImage", change.new_image), ("OldImage", change.old_image)];
    for (name, image) in images {
        if let Some(image) = image {
            dynamodb[name] = item(&image);
        }
    }
    let json = json!({
        "eventID": record.event_id.unwrap_or_else(|| sequence_number.clone()),
        "eventName": event_name,
        "eventVersion": record.event_version.unwrap_or_else(|| "1.1".to_owned()),
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": dynamodb,
        "eventSourceARN": event_source_arn(stream_arn),
    });
    Some(StreamRecord { sequence_number, created_at, json })
}

/// The stream's ARN in the sandbox's account and region, where the database has its own.
pub(super) fn event_source_arn(stream_arn: &str) -> String {
    let resource = stream_arn.splitn(6, ':').nth(5).unwrap_or(stream_arn);
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:{resource}")
}

fn item(image: &HashMap<String, AttributeValue>) -> Value {
    Value::Object(
        image.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect::<Map<_, _>>(),
    )
}

/// An attribute in DynamoDB's JSON; binary values are base64.
fn value(attribute: &AttributeValue) -> Value {
    match attribute {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(number) => json!({"N": number}),
        AttributeValue::Bool(truth) => json!({"BOOL": truth}),
        AttributeValue::B(bytes) => json!({"B": STANDARD.encode(bytes)}),
        AttributeValue::Ss(texts) => json!({"SS": texts}),
        AttributeValue::Ns(numbers) => json!({"NS": numbers}),
        AttributeValue::Bs(all) => {
            json!({"BS": all.iter().map(|bytes| STANDARD.encode(bytes)).collect::<Vec<_>>()})
        }
        AttributeValue::L(values) => json!({"L": values.iter().map(value).collect::<Vec<_>>()}),
        AttributeValue::M(fields) => json!({"M": item(fields)}),
        _ => json!({"NULL": true}),
    }
}
