//! Writing records and their history.

use super::archive::ARCHIVE_SHARD;
use super::*;
use access::lifecycle::Event;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use sha2::{Digest, Sha256};

/// What became of a conditional write.
#[derive(Clone, PartialEq, Debug)]
pub enum Stored {
    /// It is stored; the record as it is now.
    Yes(Box<Loaded>),
    /// Somebody else has written since.
    Lost,
}

/// What became of a new record.
#[derive(Clone, PartialEq, Debug)]
pub enum Created {
    /// It is stored.
    Yes,
    /// There is one with this id.
    Exists(Box<Loaded>),
}

/// One line of a request's history as it is stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The version of the record that the line tells of.
    pub version: u64,
    /// What happened.
    pub event: Event,
    /// The hash of the line before; empty for the first.
    pub previous: String,
    /// The hash of this line: SHA-256 of the JSON array of `previous`, `version` and `event`, without spaces and with
    /// the keys sorted, so that whoever has this line as JSON can compute it.
    pub hash: String,
}

impl Line {
    fn after(previous: &str, version: u64, event: &Event) -> Result<Self, StoreError> {
        // A `Value` sorts its keys, where a type writes its fields as they are declared.
        let json = serde_json::to_value((previous, version, event))
            .map_err(|error| StoreError::Item { kind: "EVENT", why: error.to_string() })?;
        let digest = Sha256::digest(json.to_string().as_bytes());
        let hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { version, event: event.clone(), previous: previous.to_owned(), hash })
    }

    /// Whether the line follows the one before and was not changed since it was written.
    pub fn follows(&self, previous: &str) -> bool {
        Self::after(previous, self.version, &self.event).is_ok_and(|line| line == *self)
    }
}

/// Attributes of [`Parts`] that a state may lack; an update removes those that the new state lacks.
const OPTIONAL: &[&str] = &[
    "justification",
    "source",
    "approved_at",
    "expires_at",
    "plan",
    "planned_at",
    "opened_at",
    "cause",
    "closing_at",
    "ends",
    "tries",
    "retry_at",
    "obstacle",
    "closure",
    "closed_at",
    "proof",
    "settled",
    "late",
];

/// An update expression that is built piece by piece.
#[derive(Default)]
pub(super) struct Expression {
    set: Vec<String>,
    remove: Vec<String>,
    names: HashMap<String, String>,
    values: Item,
}

impl Expression {
    fn name(&mut self, attribute: &str) -> String {
        let name = format!("#{attribute}");
        self.names.insert(name.clone(), attribute.to_owned());
        name
    }

    pub(super) fn set(&mut self, attribute: &str, value: AttributeValue) {
        let name = self.name(attribute);
        self.values.insert(format!(":{attribute}"), value);
        self.set.push(format!("{name} = :{attribute}"));
    }

    pub(super) fn remove(&mut self, attribute: &str) {
        let name = self.name(attribute);
        self.remove.push(name);
    }

    /// Adds one to a number; the first time it is 1.
    pub(super) fn count(&mut self, attribute: &str) {
        let name = self.name(attribute);
        self.values.insert(":zero".to_owned(), number(0));
        self.values.insert(":one".to_owned(), number(1));
        self.set.push(format!("{name} = if_not_exists({name}, :zero) + :one"));
    }

    pub(super) fn set_or_remove(&mut self, attribute: &str, value: Option<AttributeValue>) {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove(attribute),
        }
    }

    /// A value that only the condition names.
    pub(super) fn expect(&mut self, name: &str, value: AttributeValue) {
        self.values.insert(name.to_owned(), value);
    }

    /// The update of an item as a part of a transaction. The condition may name `#version`.
    pub(super) fn conditional(
        mut self,
        table: &str,
        (pk, sk): (String, String),
        condition: &str,
    ) -> Result<TransactWriteItem, StoreError> {
        if condition.contains("#version") {
            self.name("version");
        }
        let update = Update::builder()
            .table_name(table)
            .key("pk", text(pk))
            .key("sk", text(sk))
            .update_expression(self.text())
            .condition_expression(condition)
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values((!self.values.is_empty()).then_some(self.values))
            .build()
            .map_err(|error| StoreError::Item { kind: "REQUEST", why: error.to_string() })?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// What still needs something is not purged, whatever was archived of it before.
    pub(super) fn due(&mut self, record: &Record, at: Option<Timestamp>) {
        let (shard, at) = match at {
            Some(at) => (DUE_SHARD, at),
            None => (ARCHIVE_SHARD, record.changed_at()),
        };
        self.set("due_shard", text(shard));
        self.set("due_at", number(at.unix()));
        self.remove("purge_at");
        self.remove("archived_at");
    }

    fn text(&self) -> String {
        let part = |word: &str, pieces: &[String]| {
            if pieces.is_empty() { String::new() } else { format!("{word} {} ", pieces.join(", ")) }
        };
        part("SET", &self.set) + &part("REMOVE", &self.remove)
    }
}

/// Padded, so that the lines sort by number.
pub(super) fn line_key(id: RequestId, line: &Line) -> (String, String) {
    (record_key(id).0, format!("EVENT#{:06}", line.version))
}

fn put_line(table: &str, id: RequestId, line: &Line) -> Result<TransactWriteItem, StoreError> {
    let mut item = encode("EVENT", line)?;
    let (pk, sk) = line_key(id, line);
    item.insert("pk".to_owned(), text(pk));
    item.insert("sk".to_owned(), text(sk));
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(pk)");
    let put = put.build().map_err(|error| StoreError::Item { kind: "EVENT", why: error.to_string() })?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn keys(item: &mut Item, record: &Record) {
    let wish = record.wish();
    item.insert("person".to_owned(), text(wish.requester.as_str()));
    item.insert("machine".to_owned(), text(wish.machine.resource_id.key()));
}

impl Store {
    /// Stores a new request and the first line of its history, and with it the sentence that says so to one person, where
    /// there is one: its key, and when it may go.
    ///
    /// # Errors
    /// DynamoDB did not answer: it may or may not be stored; the same again is harmless.
    pub async fn create(
        &self,
        change: &Change,
        said: Option<(&str, &Reply, Timestamp)>,
    ) -> Result<Created, StoreError> {
        let record = &change.record;
        let id = record.wish().id;
        let line = Line::after("", record.version(), &change.event)?;
        let mut item = encode("REQUEST", &record.to_parts())?;
        keys(&mut item, record);
        let (pk, sk) = record_key(id);
        item.insert("pk".to_owned(), text(pk));
        item.insert("sk".to_owned(), text(sk));
        item.insert("history_hash".to_owned(), text(&line.hash));
        let (tell, notify) = Wake::Notify.attribute();
        item.insert(tell.to_owned(), text(notify));
        if let Some(at) = due_at(record, &Shown::default()) {
            item.insert("due_shard".to_owned(), text(DUE_SHARD));
            item.insert("due_at".to_owned(), number(at.unix()));
        }
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)");
        let put =
            put.build().map_err(|error| StoreError::Item { kind: "REQUEST", why: error.to_string() })?;
        let mut items =
            vec![TransactWriteItem::builder().put(put).build(), put_line(&self.table, id, &line)?];
        if let Some((key, reply, purge_at)) = said {
            items.push(self.replying(key, reply, purge_at)?);
        }
        match self.transact(items).await? {
            true => Ok(Created::Yes),
            false => match self.read(id).await? {
                Some(existing) => Ok(Created::Exists(Box::new(existing))),
                None => Err(StoreError::Call {
                    operation: "TransactWriteItems",
                    code: "a conflict that is gone".to_owned(),
                }),
            },
        }
    }

    /// Stores a change on the condition that the record still is as it was read, and wakes whoever
    /// has to do with it. `by_grant`: `grant` does not wake itself.
    ///
    /// # Errors
    /// DynamoDB did not answer: it may or may not be stored.
    pub async fn write(
        &self,
        before: &Loaded,
        change: &Change,
        by_grant: bool,
    ) -> Result<Stored, StoreError> {
        let (items, line) = self.changing(before, change, by_grant)?;
        if self.transact(items).await? {
            let shown = before.shown.clone();
            return Ok(Stored::Yes(Box::new(Loaded {
                record: change.record.clone(),
                history_hash: line.hash,
                shown,
                claimed_until: before.claimed_until,
            })));
        }
        // A repeated call whose first try was stored is refused too: then the table holds our line.
        match self.read(change.record.wish().id).await? {
            Some(now) if now.history_hash == line.hash => Ok(Stored::Yes(Box::new(now))),
            _ => Ok(Stored::Lost),
        }
    }

    /// The parts of the transaction that stores a change, and its line of history.
    pub(super) fn changing(
        &self,
        before: &Loaded,
        change: &Change,
        by_grant: bool,
    ) -> Result<(Vec<TransactWriteItem>, Line), StoreError> {
        let record = &change.record;
        let id = record.wish().id;
        let line = Line::after(&before.history_hash, record.version(), &change.event)?;
        let mut expression = Expression::default();
        let mut item = encode("REQUEST", &record.to_parts())?;
        keys(&mut item, record);
        for attribute in OPTIONAL {
            if !item.contains_key(*attribute) {
                expression.remove(attribute);
            }
        }
        for (attribute, value) in item {
            expression.set(&attribute, value);
        }
        expression.set("history_hash", text(&line.hash));
        expression.due(record, due_at(record, &before.shown));
        let (tell, notify) = Wake::Notify.attribute();
        expression.set(tell, text(notify));
        let (wake, grant) = Wake::Grant.attribute();
        expression.set_or_remove(wake, (!by_grant && wants_grant(change)).then(|| text(grant)));
        expression.expect(":before", number(before.record.version()));
        let update = expression.conditional(&self.table, record_key(id), "#version = :before")?;
        Ok((vec![update, put_line(&self.table, id, &line)?], line))
    }

    /// Whether all was written; `false` when a condition did not hold.
    pub(super) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        /// Two transactions on one item refuse each other now and then.
        const TRIES: usize = 4;
        for _ in 0..TRIES {
            let answer =
                self.client.transact_write_items().set_transact_items(Some(items.clone())).send().await;
            let Err(error) = answer else { return Ok(true) };
            let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) =
                error.as_service_error()
            else {
                return Err(call_error("TransactWriteItems", &error));
            };
            let has =
                |code: &str| canceled.cancellation_reasons().iter().any(|reason| reason.code() == Some(code));
            if has("ConditionalCheckFailed") {
                return Ok(false);
            }
            if !has("TransactionConflict") {
                return Err(call_error("TransactWriteItems", &error));
            }
        }
        Err(StoreError::Call { operation: "TransactWriteItems", code: "TransactionConflict".to_owned() })
    }

    /// A conditional update outside the history: `Ok(false)` when the condition did not hold.
    pub(super) async fn update(
        &self,
        key: (String, String),
        expression: Expression,
        condition: &str,
        extra: Vec<(&str, AttributeValue)>,
    ) -> Result<bool, StoreError> {
        let mut values = expression.values.clone();
        values.extend(extra.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let mut names = expression.names.clone();
        if condition.contains("#version") {
            names.insert("#version".to_owned(), "version".to_owned());
        }
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(key.0))
            .key("sk", text(key.1))
            .update_expression(expression.text())
            .condition_expression(condition)
            .set_expression_attribute_names((!names.is_empty()).then_some(names))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(call_error("UpdateItem", &error)),
        }
    }

    /// An update without a condition, which makes the item where there is none.
    pub(super) async fn update_always(
        &self,
        key: (String, String),
        expression: Expression,
    ) -> Result<(), StoreError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(key.0))
            .key("sk", text(key.1))
            .update_expression(expression.text())
            .set_expression_attribute_names(Some(expression.names))
            .set_expression_attribute_values(Some(expression.values))
            .send()
            .await;
        answer.map(|_| ()).map_err(|error| call_error("UpdateItem", &error))
    }

    /// Takes a record for `seconds`, so that two ticks do not both drive it. Efficiency, not safety.
    /// A claim on an earlier version does not count, nor one that ends later than claims do: nobody hides a
    /// record that way.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn claim(&self, record: &Record, now: Timestamp, seconds: u64) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        // Whoever claims it is awake.
        expression.remove(Wake::Grant.attribute().0);
        expression.set("claimed_until", number(now.plus(seconds).unix()));
        expression.set("claimed_version", number(record.version()));
        let condition = "#version = :version AND (attribute_not_exists(claimed_until) OR claimed_until < :now OR claimed_until > :far OR claimed_version <> :version)";
        let extra = vec![
            (":version", number(record.version())),
            (":now", number(now.unix())),
            // Clocks differ a little.
            (":far", number(now.plus(2 * seconds).unix())),
        ];
        self.update(record_key(record.wish().id), expression, condition, extra).await
    }

    /// Tells a reader of the stream to look at a record again, and the tick not to before `due_at`.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn touch(
        &self,
        record: &Record,
        wake: &[Wake],
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        for wake in wake {
            let (attribute, value) = wake.attribute();
            expression.set(attribute, text(value));
        }
        // The stream tells only of what has changed.
        expression.set("touched_at", number(now.unix()));
        expression.due(record, due_at);
        let extra = vec![(":version", number(record.version()))];
        self.update(record_key(record.wish().id), expression, "#version = :version", extra).await
    }

    /// What people were shown of a record. `done`: this version is shown completely.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn shown(&self, record: &Record, shown: &Shown, done: bool) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        for (attribute, value) in encode("REQUEST", shown)? {
            expression.set(&attribute, value);
        }
        let key = record_key(record.wish().id);
        if !done {
            return self.update(key, expression, "attribute_exists(pk)", vec![]).await;
        }
        expression.remove(Wake::Notify.attribute().0);
        expression.due(record, due_at(record, shown));
        let extra = vec![(":seen", number(record.version()))];
        self.update(key, expression, "#version = :seen", extra).await
    }

    /// The lock of a network security group.
    pub fn lock(&self, nsg: &access::request::ResourceId) -> Lock<'_> {
        Lock::new(self, nsg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_s_hash_is_that_of_its_json_with_sorted_keys() {
        let kind = serde_json::json!({"approved": {"by": "U0BEA", "approvals": 1, "needed": 1}});
        let event = serde_json::from_value(serde_json::json!({"kind": kind, "at": 1_795_667_159})).unwrap();
        let line = Line::after("ab", 2, &event).unwrap();
        let json =
            r#"["ab",2,{"at":1795667159,"kind":{"approved":{"approvals":1,"by":"U0BEA","needed":1}}}]"#;
        let hash: String = Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(line.hash, hash);
        assert!(line.follows("ab") && !line.follows("ac"));
    }
}
