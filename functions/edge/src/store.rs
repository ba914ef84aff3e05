//! The table. Only this module knows its keys and indexes.
//!
//! - `REQUEST#<id>` / `RECORD`: a request's record, its attributes those of
//!   [`access::lifecycle::Parts`], beside the keys of the indexes and what wakes whom;
//! - `REQUEST#<id>` / `EVENT#<n>`: its history, append-only, each line with the hash of the one before;
//! - `REPLY#<id>` / `REPLY`: a sentence to one person;
//! - `MACHINE` / `<resource id>`: a machine as `discover` saw it, and what an admin enabled on it;
//! - `ASK#<id>` / `ASK`: a question for `discover`;
//! - `LOOK` / `<subscription>`: when `discover` last looked through it;
//! - `GROUP` / `<id>`, `PERSON` / `<id>`: the members of a user group and a person's time zone, by Slack;
//! - `ORPHAN` / `<group's key>#<request>`: a rule of ours that no record answers for;
//! - `ORDER#<id>` / `ORDER`, `CLOSING` / `<id>`: closing rules that are to be written or removed, and those that stand;
//! - `LOCKDOWN` / `LOCKDOWN`: what is locked down;
//! - `NSG#<id>` / `LOCK`: who may write to a network security group now.
//!
//! Every write of a record is conditional on the version that was read and keeps attributes that this
//! version of the code does not know.

use access::lease::Timestamp;
use access::lifecycle::{self, Change, Corrupt, Parts, Record, Tempo};
use access::request::{RequestId, UserId};
use access::wording::{Told, reminder_at, steps_wait};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

mod archive;
mod audit;
mod cards;
mod discovery;
mod lock;
mod lockdowns;
mod orders;
mod orphans;
mod replies;
mod write;

pub use audit::{INDEXES, PURGED_BY, Shape};
pub use discovery::{Asked, Doubt, Look, Offer, Person, Question, Why};
pub use lock::{Lease, Lock, Taken};
pub use lockdowns::KnownLockdowns;
pub use orders::{KnownClosing, KnownOrder};
pub use orphans::KnownOrphan;
use write::line_key;
pub use write::{Created, Line, Stored};

type Item = HashMap<String, AttributeValue>;

/// The table of one installation.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: String,
}

/// Why the table could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB did not answer, or refused.
    #[error("{operation}: {code}")]
    Call {
        /// Which operation.
        operation: &'static str,
        /// DynamoDB's error code, or what broke.
        code: String,
    },
    /// An item is not what it should be.
    #[error("an item of {kind} cannot be read: {why}")]
    Item {
        /// Of which kind.
        kind: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A record cannot be one of ours.
    #[error("record {id}: {why}")]
    Corrupt {
        /// Its key.
        id: String,
        /// What is wrong.
        why: Corrupt,
    },
}

/// What `notify` keeps with a record; nobody else writes it.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// The channel of the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The card, as Slack names messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
    /// The number of the card, counted from 1: each posting has another one, which its buttons carry. It is stored before
    /// the posting, so that of several cards whose addresses were lost only the newest one's buttons count. 0 before
    /// there is one, and for one that was posted before cards were counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub card: u64,
    /// The version that the card shows; 0 before there is one.
    #[serde(default)]
    pub shown_version: u64,
    /// Up to which version of the record the card's thread has heard its steps; 0 before it has heard any.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub steps_version: u64,
    /// Which direct messages were sent.
    #[serde(default)]
    pub told: Vec<Told>,
}

impl Shown {
    /// Whether people have not seen the latest of the record: on its card, or in the card's thread.
    pub fn lacks(&self, record: &Record) -> bool {
        self.shown_version < record.version() || steps_wait(record, self.steps_version)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A record as it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// The record.
    pub record: Record,
    /// The hash of the last line of its history.
    pub history_hash: String,
    /// What people were shown of it.
    pub shown: Shown,
    /// Until when somebody who drives it has it for himself.
    pub claimed_until: Option<Timestamp>,
}

/// All that a tick looks at.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Watched {
    /// The records that still need something, each with the moment when it must be looked at.
    pub records: Vec<(Timestamp, Loaded)>,
    /// The orders that are at work or not shown, each with the moment when somebody must look at it again.
    pub orders: Vec<(Timestamp, RequestId)>,
    /// The closing rules that should stand.
    pub closing_rules: Vec<KnownClosing>,
    /// What is locked down, where something is or the channel does not know all.
    pub lockdowns: Option<KnownLockdowns>,
}

impl Watched {
    fn add(&mut self, at: Timestamp, item: Item) -> Result<(), StoreError> {
        let kind = item.get("pk").and_then(|pk| pk.as_s().ok()).and_then(|pk| pk.split('#').next());
        match kind {
            Some(orders::KIND) => self.orders.push((at, orders::known(item)?.order.id)),
            Some(orders::CLOSING) => self.closing_rules.push(decode(orders::CLOSING, item)?),
            Some(lockdowns::KIND) => self.lockdowns = Some(lockdowns::known(item)?),
            _ => self.records.push((at, load(item)?)),
        }
        Ok(())
    }
}

/// A sentence to one person, kept until `notify` has sent it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// What to say.
    pub text: String,
    /// Where Slack takes it.
    pub response_url: String,
    /// Whether it replaces the message on which was clicked, for everybody who sees that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
    /// Whether it was sent.
    #[serde(default)]
    pub said: bool,
}

/// Which reader of the stream, or which tick, shall look at a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// `grant`, through the stream.
    Grant,
    /// `notify`, through the stream.
    Notify,
}

impl Wake {
    /// The attribute that the stream's filter looks at, and its value.
    const fn attribute(self) -> (&'static str, &'static str) {
        match self {
            Self::Grant => ("wake", "grant"),
            Self::Notify => ("tell", "notify"),
        }
    }
}

/// One partition is enough for the requests that still need something.
const DUE_SHARD: &str = "0";

fn record_key(id: RequestId) -> (String, String) {
    (format!("REQUEST#{id}"), "RECORD".to_owned())
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// What DynamoDB said, or how the call broke, without anything that a request held.
fn call_error<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> StoreError {
    let code = match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("an unnamed error").to_owned(),
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(_) => "no connection".to_owned(),
        SdkError::ConstructionFailure(_) => "the request could not be built".to_owned(),
        _ => "the answer could not be read".to_owned(),
    };
    StoreError::Call { operation, code }
}

fn decode<T: for<'de> Deserialize<'de>>(kind: &'static str, item: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|error| StoreError::Item { kind, why: error.to_string() })
}

fn encode<T: Serialize>(kind: &'static str, value: &T) -> Result<Item, StoreError> {
    serde_dynamo::to_item(value).map_err(|error| StoreError::Item { kind, why: error.to_string() })
}

/// The parts of a record's item that are not [`Parts`].
#[derive(Deserialize)]
struct Beside {
    #[serde(default)]
    history_hash: String,
    #[serde(default)]
    claimed_until: Option<u64>,
    #[serde(flatten)]
    shown: Shown,
}

fn load(item: Item) -> Result<Loaded, StoreError> {
    let beside: Beside = decode("REQUEST", item.clone())?;
    let parts: Parts = decode("REQUEST", item)?;
    let id = parts.id.to_string();
    let record = Record::from_parts(parts).map_err(|why| StoreError::Corrupt { id, why })?;
    let claimed_until = beside.claimed_until.map(Timestamp::from_unix);
    Ok(Loaded { record, history_hash: beside.history_hash, shown: beside.shown, claimed_until })
}

impl Store {
    /// The table of this name.
    pub const fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn get(&self, pk: String, sk: String) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = get.key("pk", text(pk)).key("sk", text(sk)).send().await;
        Ok(answer.map_err(|error| call_error("GetItem", &error))?.item)
    }

    /// The record as it is now; `None` where there is none.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item cannot be a record.
    pub async fn read(&self, id: RequestId) -> Result<Option<Loaded>, StoreError> {
        let (pk, sk) = record_key(id);
        self.get(pk, sk).await?.map(load).transpose()
    }

    /// Every item of a query, page after page.
    async fn query(
        &self,
        index: Option<&str>,
        condition: &str,
        values: &[(&str, AttributeValue)],
    ) -> Result<Vec<Item>, StoreError> {
        let mut query = self.client.query().table_name(&self.table).key_condition_expression(condition);
        query = query.set_index_name(index.map(str::to_owned)).consistent_read(index.is_none());
        for (name, value) in values {
            query = query.expression_attribute_values(*name, value.clone());
        }
        let mut pages = query.into_paginator().items().send();
        let mut items = vec![];
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|error| call_error("Query", &error))?);
        }
        Ok(items)
    }

    /// The records that still need something, each with the moment when it must be looked at: all that
    /// wait, and all that may let somebody in. From an index: each must be read again before anything
    /// is done. One that cannot be read is logged and left out.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn unsettled(&self) -> Result<Vec<(Timestamp, Loaded)>, StoreError> {
        Ok(self.watched().await?.records)
    }

    /// All that a tick looks at, in one list: as [`Store::unsettled`], and the orders and closing rules.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn watched(&self) -> Result<Watched, StoreError> {
        let items = self.query(Some("due"), "due_shard = :shard", &[(":shard", text(DUE_SHARD))]).await?;
        let mut watched = Watched::default();
        for item in items {
            let at = item.get("due_at").and_then(|value| value.as_n().ok()).and_then(|n| n.parse().ok());
            let Some(at) = at.map(Timestamp::from_unix) else {
                tracing::error!("an item in the index `due` has no due_at");
                continue;
            };
            if let Err(error) = watched.add(at, item) {
                tracing::error!(error = %error, "an item that needs something cannot be read");
            }
        }
        Ok(watched)
    }

    /// The requests of a person that were not purged.
    ///
    /// # Errors
    /// DynamoDB did not answer, or an item cannot be a record.
    pub async fn requests_of(&self, person: &UserId) -> Result<Vec<Loaded>, StoreError> {
        let values = [(":person", text(person.as_str()))];
        let items = self.query(Some("person"), "person = :person", &values).await?;
        items.into_iter().map(load).collect()
    }

    /// The requests of a person that wait or are open.
    ///
    /// # Errors
    /// DynamoDB did not answer, or an item cannot be a record.
    pub async fn live_of(&self, person: &UserId) -> Result<Vec<Loaded>, StoreError> {
        let all = self.requests_of(person).await?;
        Ok(all.into_iter().filter(|loaded| loaded.record.is_live()).collect())
    }

    /// The lines of a request's history, oldest first, as they were stored.
    ///
    /// # Errors
    /// DynamoDB did not answer, or a line cannot be read.
    pub async fn history(&self, id: RequestId) -> Result<Vec<Line>, StoreError> {
        let values = [(":pk", text(record_key(id).0)), (":event", text("EVENT#"))];
        let items = self.query(None, "pk = :pk AND begins_with(sk, :event)", &values).await?;
        items.into_iter().map(|item| decode("EVENT", item)).collect()
    }

    /// The record as it is now with the lines of its history, oldest first, in one call; `None` where there is none.
    ///
    /// # Errors
    /// DynamoDB did not answer, or an item cannot be what it should be.
    pub async fn read_with_history(&self, id: RequestId) -> Result<Option<(Loaded, Vec<Line>)>, StoreError> {
        let (pk, _) = record_key(id);
        let (mut record, mut history) = (None, vec![]);
        for item in self.query(None, "pk = :pk", &[(":pk", text(pk))]).await? {
            match item.get("sk").and_then(|sk| sk.as_s().ok()).map(String::as_str) {
                Some("RECORD") => record = Some(load(item)?),
                _ => history.push(decode("EVENT", item)?),
            }
        }
        Ok(record.map(|record| (record, history)))
    }
}

/// What must be looked at, and when, beside the lifecycle's own moment: a version that nobody was
/// shown yet, and what is told because time has passed.
fn due_at(record: &Record, shown: &Shown) -> Option<Timestamp> {
    let tempo = Tempo::DEPLOYED;
    let unshown = shown.lacks(record).then(|| record.changed_at().plus(tempo.idle_seconds));
    [lifecycle::due_at(record, &tempo), unshown, reminder_at(record, &shown.told)].into_iter().flatten().min()
}

/// Whether `grant` has something to do with the record as it is.
fn wants_grant(change: &Change) -> bool {
    lifecycle::wants_grant(&change.record)
}
