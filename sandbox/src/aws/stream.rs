//! The table's stream as event source mappings read it, and the settings of the mappings.

use super::dynamodb::{Dynamodb, Error};
use super::pattern::{Filters, Invalid};
use super::records::{StreamRecord, convert, event_source_arn};
use dynoxide::Database;
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use edge::clock::Clock;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The mappings' settings, the same file that the deployment reads.
const SETTINGS: &str = include_str!("../../../infra/stream.json");

/// How the stream is handed to one function.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Event filter patterns; a record passes when one matches.
    pub filters: Vec<Map<String, Value>>,
    /// At most so many records an invocation.
    pub batch_size: usize,
    /// How often a failed batch is tried again.
    pub maximum_retry_attempts: u32,
    /// A record older than this is given up.
    pub maximum_record_age_seconds: u64,
    /// A batch that fails as a whole is tried again in halves, which does not count as an attempt.
    pub bisect: bool,
}

impl Settings {
    /// The filters, parsed.
    pub fn filters(&self) -> Result<Filters, Invalid> {
        Filters::parse(&self.filters)
    }
}

/// Exactly two readers: a shard of a DynamoDB stream is read without throttling by at most two.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mappings {
    /// What `grant` is told of.
    pub grant: Settings,
    /// What `notify` is told of.
    pub notify: Settings,
}

impl Mappings {
    /// The committed settings.
    pub fn committed() -> Result<Self, Error> {
        serde_json::from_str(SETTINGS).map_err(Error::new)
    }
}

/// So many records are asked for at once.
const PAGE: usize = 100;

/// What a read found.
pub(super) struct Page {
    /// The records, oldest first.
    pub(super) records: Vec<StreamRecord>,
    /// Whether nothing came after them when it was read. The database fills a page if it can, where AWS's may
    /// be short for its size.
    pub(super) is_last: bool,
}

/// One reader's place in the stream. It reads in this process, as AWS's own mappings read where nobody sees it.
pub(super) struct Reader {
    database: Database,
    clock: Clock,
    arn: String,
    shard: String,
    after: Option<String>,
    iterator: Option<String>,
}

impl Reader {
    /// Begins after this sequence number, or with the oldest record.
    pub(super) fn open(dynamodb: &Dynamodb, clock: Clock, after: Option<String>) -> Result<Self, Error> {
        let database = dynamodb.database().clone();
        let table = DescribeTableRequest { table_name: dynamodb.table().to_owned() };
        let table = database.describe_table(table).map_err(Error::new)?.table;
        let arn = table.latest_stream_arn.ok_or_else(|| Error::new("the table has no stream"))?;
        let stream = DescribeStreamRequest { stream_arn: arn.clone(), ..Default::default() };
        let stream = database.describe_stream(stream).map_err(Error::new)?.stream_description;
        let shard = stream.shards.into_iter().next().map(|shard| shard.shard_id);
        let shard = shard.ok_or_else(|| Error::new("the stream has no shard"))?;
        Ok(Self { database, clock, arn, shard, after, iterator: None })
    }

    /// The next records.
    pub(super) fn next(&mut self) -> Result<Page, Error> {
        let shard_iterator = match self.iterator.take() {
            Some(iterator) => iterator,
            None => self.iterator()?,
        };
        let read = self.database.get_records(GetRecordsRequest { shard_iterator, limit: Some(PAGE) });
        let read = read.map_err(Error::new)?;
        self.iterator = read.next_shard_iterator;
        let ahead_seconds = self.clock.ahead_ms() / 1000;
        let is_last = read.records.len() < PAGE;
        let records = read.records.iter().map(|record| convert(record, &self.arn, ahead_seconds));
        let records = records.collect::<Result<Vec<_>, _>>().map_err(Error::new)?;
        if let Some(last) = records.last() {
            self.after = Some(last.sequence_number.clone());
        }
        Ok(Page { records, is_last })
    }

    /// The stream's ARN as the functions see it.
    pub(super) fn arn(&self) -> String {
        event_source_arn(&self.arn)
    }

    /// The shard's id.
    pub(super) fn shard(&self) -> &str {
        &self.shard
    }

    fn iterator(&self) -> Result<String, Error> {
        let kind = if self.after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let got = self.database.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: self.arn.clone(),
            shard_id: self.shard.clone(),
            shard_iterator_type: kind.to_owned(),
            sequence_number: self.after.clone(),
        });
        got.map_err(Error::new)?.shard_iterator.ok_or_else(|| Error::new("no shard iterator"))
    }
}
