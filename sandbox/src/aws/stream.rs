//! The table's stream as event source mappings read it, and the settings of the mappings.

use super::dynamodb::{Dynamodb, Error, describe};
use super::pattern::{Filters, Invalid};
use super::records::{StreamRecord, convert, event_source_arn};
use aws_sdk_dynamodbstreams::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
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
const PAGE: i32 = 100;

/// What a read found.
pub(super) struct Page {
    /// The records, oldest first.
    pub(super) records: Vec<StreamRecord>,
    /// Whether nothing came after them when it was read. The database fills a page if it can, where AWS's may
    /// be short for its size.
    pub(super) is_last: bool,
}

/// One reader's place in the stream.
pub(super) struct Reader {
    client: aws_sdk_dynamodbstreams::Client,
    clock: Clock,
    arn: String,
    shard: String,
    after: Option<String>,
    iterator: Option<String>,
}

impl Reader {
    /// Begins after this sequence number, or with the oldest record.
    pub(super) async fn open(
        dynamodb: &Dynamodb,
        clock: Clock,
        after: Option<String>,
    ) -> Result<Self, Error> {
        let client = client(&format!("http://{}", dynamodb.address()));
        let described = dynamodb.client().describe_table().table_name(dynamodb.table()).send().await;
        let table = described.map_err(|error| Error::new(describe(&error)))?.table;
        let arn = table.and_then(|table| table.latest_stream_arn);
        let arn = arn.ok_or_else(|| Error::new("the table has no stream"))?;
        let described = client.describe_stream().stream_arn(&arn).send().await;
        let stream = described.map_err(|error| Error::new(describe(&error)))?.stream_description;
        let shard = stream.and_then(|stream| stream.shards?.into_iter().next()?.shard_id);
        let shard = shard.ok_or_else(|| Error::new("the stream has no shard"))?;
        Ok(Self { client, clock, arn, shard, after, iterator: None })
    }

    /// The next records.
    pub(super) async fn next(&mut self) -> Result<Page, Error> {
        let iterator = match self.iterator.take() {
            Some(iterator) => iterator,
            None => self.iterator().await?,
        };
        let read = self.client.get_records().shard_iterator(&iterator).limit(PAGE).send().await;
        let read = read.map_err(|error| Error::new(describe(&error)))?;
        self.iterator = read.next_shard_iterator;
        let ahead_seconds = self.clock.ahead_ms() / 1000;
        let read = read.records.unwrap_or_default();
        let is_last = i32::try_from(read.len()).is_ok_and(|read| read < PAGE);
        let records: Vec<_> =
            read.into_iter().filter_map(|record| convert(record, &self.arn, ahead_seconds)).collect();
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

    async fn iterator(&self) -> Result<String, Error> {
        let kind = match self.after {
            Some(_) => ShardIteratorType::AfterSequenceNumber,
            None => ShardIteratorType::TrimHorizon,
        };
        let got = self
            .client
            .get_shard_iterator()
            .stream_arn(&self.arn)
            .shard_id(&self.shard)
            .shard_iterator_type(kind)
            .set_sequence_number(self.after.clone())
            .send()
            .await;
        let iterator = got.map_err(|error| Error::new(describe(&error)))?.shard_iterator;
        iterator.ok_or_else(|| Error::new("no shard iterator"))
    }
}

fn client(url: &str) -> aws_sdk_dynamodbstreams::Client {
    let config = aws_sdk_dynamodbstreams::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static(super::REGION))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("sandbox", "sandbox", None, None, "sandbox"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_dynamodbstreams::Client::from_conf(config)
}
