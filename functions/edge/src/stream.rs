//! Batches of the table's stream.

use access::request::RequestId;
use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use std::collections::{BTreeMap, BTreeSet};

/// The partition and sort key of the item that a line of the stream is about, and the line's number.
fn items(event: &Event) -> impl Iterator<Item = (String, String, String)> {
    event.records.iter().filter_map(|record| {
        let keys: BTreeMap<String, String> = serde_dynamo::from_item(record.change.keys.clone()).ok()?;
        let number = record.change.sequence_number.clone().unwrap_or_default();
        Some((keys.get("pk")?.clone(), keys.get("sk")?.clone(), number))
    })
}

fn keys(event: &Event) -> impl Iterator<Item = (String, String)> {
    items(event).map(|(pk, _, number)| (pk, number))
}

/// The rules that no record answers for, that a batch is about: their sort keys, each once, with the
/// sequence number of its first line.
pub fn orphans(event: &Event) -> Vec<(String, String)> {
    let mut seen = BTreeMap::new();
    for (_, sk, number) in items(event).filter(|(pk, _, _)| pk == "ORPHAN") {
        seen.entry(sk).or_insert(number);
    }
    seen.into_iter().collect()
}

/// The requests that a batch is about, each once, with the sequence number of its first line. An event
/// only wakes: what is to be done is read from the record.
pub fn requests(event: &Event) -> Vec<(RequestId, String)> {
    of_kind(event, "REQUEST#")
}

/// The orders that a batch is about, each once, with the sequence number of its first line.
pub fn orders(event: &Event) -> Vec<(RequestId, String)> {
    of_kind(event, "ORDER#")
}

/// Whether a batch is about the lockdowns, and the sequence number of its first line.
pub fn lockdowns(event: &Event) -> Option<String> {
    keys(event).find(|(pk, _)| pk == "LOCKDOWN").map(|(_, number)| number)
}

fn of_kind(event: &Event, prefix: &str) -> Vec<(RequestId, String)> {
    let mut seen = BTreeMap::new();
    for (pk, sequence_number) in keys(event) {
        if let Some(id) = pk.strip_prefix(prefix).and_then(|id| id.parse::<RequestId>().ok()) {
            seen.entry(id).or_insert(sequence_number);
        }
    }
    seen.into_iter().collect()
}

/// The sentences to single persons that a batch is about: their keys, each once, with the sequence
/// number of its first line.
pub fn replies(event: &Event) -> Vec<(String, String)> {
    let mut seen = BTreeMap::new();
    for (pk, sequence_number) in keys(event) {
        if pk.starts_with("REPLY#") {
            seen.entry(pk).or_insert(sequence_number);
        }
    }
    seen.into_iter().collect()
}

/// The questions for `discover` that a batch is about: their keys, each once.
pub fn questions(event: &Event) -> BTreeSet<String> {
    keys(event).map(|(pk, _)| pk).filter(|pk| pk.starts_with("ASK#")).collect()
}

/// The answer that makes Lambda deliver again from the first of these sequence numbers on.
pub fn failed(mut sequence_numbers: Vec<String>) -> DynamoDbEventResponse {
    // They are digits of varying count; the longer is the later.
    sequence_numbers.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let mut response = DynamoDbEventResponse::default();
    if let Some(first) = sequence_numbers.into_iter().next() {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(first);
        response.batch_item_failures.push(failure);
    }
    response
}
