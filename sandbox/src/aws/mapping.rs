//! An event source mapping of AWS Lambda: hands the stream's records to a function in batches, tries
//! again what failed, and gives up what fails too often or is too old.

use super::dynamodb::{Dynamodb, Error};
use super::lambda::{Failure, Lambda};
use super::pattern::Filters;
use super::records::StreamRecord;
use super::stream::{Reader, Settings};
use super::{function_arn, iso, uuid};
use crate::host::data::Saved;
use access::lease::Timestamp;
use edge::clock::Clock;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task;

/// The wait before the first retry, in real time unless the clock stands; it doubles with every further
/// one.
const FIRST_RETRY: Duration = Duration::from_millis(50);

/// What the mappings gave up, in the shape of AWS's on-failure records: where in the stream, never
/// the records themselves.
#[derive(Clone)]
pub struct DeadLetters {
    letters: Arc<Mutex<Vec<Value>>>,
    saved: Saved,
}

impl DeadLetters {
    /// The dead letters kept in `saved`.
    pub(crate) fn open(saved: Saved) -> Result<Self, std::io::Error> {
        let letters = saved.load()?.unwrap_or_default();
        Ok(Self { letters: Arc::new(Mutex::new(letters)), saved })
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Value> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, letter: Value) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.push(letter);
        self.saved.store_or_warn(&*letters);
    }
}

/// What a mapping is doing.
#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    /// Reading the stream, or between two steps.
    Busy,
    /// It had read the stream to its end after having seen this count of writes.
    Idle(u64),
    /// The function runs, in this task.
    Invoking(task::Id),
    /// It waits before a retry.
    Retrying,
}

/// Watches a mapping from outside.
#[derive(Clone)]
pub(crate) struct Progress {
    state: watch::Receiver<State>,
    writes: watch::Receiver<u64>,
    clock: Clock,
    lambda: Lambda,
}

impl Progress {
    /// Whether everything written so far was handed over, or what is being handed over waits for a
    /// later moment of the clock.
    pub(crate) fn is_quiet(&self) -> bool {
        match *self.state.borrow() {
            State::Idle(seen) => seen >= *self.writes.borrow(),
            State::Invoking(task) => self.clock.is_asleep(task) || self.lambda.is_waiting(task),
            // The wait before a retry follows a clock that stands, and so is over when that was moved.
            State::Retrying => self.clock.is_standing(),
            State::Busy => false,
        }
    }

    /// Whether it waits before it hands a failed batch over again.
    pub(crate) fn is_retrying(&self) -> bool {
        *self.state.borrow() == State::Retrying
    }
}

/// Records that are handed over together, and how often that was tried again.
struct Batch {
    records: Vec<StreamRecord>,
    retries: u32,
}

/// An event source mapping.
pub(crate) struct Mapping {
    function: &'static str,
    settings: Settings,
    filters: Filters,
    lambda: Lambda,
    clock: Clock,
    opened_at: Timestamp,
    reader: Reader,
    writes: watch::Receiver<u64>,
    position: Saved,
    dead_letters: DeadLetters,
    state: watch::Sender<State>,
}

impl Mapping {
    /// A mapping to `function` that carries on after the sequence number in `position`, or with the
    /// stream's oldest record.
    pub(crate) fn open(
        function: &'static str,
        settings: Settings,
        dynamodb: &Dynamodb,
        lambda: Lambda,
        clock: Clock,
        position: Saved,
        dead_letters: DeadLetters,
    ) -> Result<Self, Error> {
        let filters = settings.filters().map_err(Error::new)?;
        let after = position.load().map_err(Error::new)?;
        let reader = Reader::open(dynamodb, clock.clone(), after)?;
        let (writes, state) = (dynamodb.writes(), watch::channel(State::Busy).0);
        Ok(Self {
            function,
            settings,
            filters,
            lambda,
            opened_at: clock.now(),
            clock,
            reader,
            writes,
            position,
            dead_letters,
            state,
        })
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            state: self.state.subscribe(),
            writes: self.writes.clone(),
            clock: self.clock.clone(),
            lambda: self.lambda.clone(),
        }
    }

    /// Hands records over until the task is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let seen = *self.writes.borrow_and_update();
            match self.reader.next() {
                Ok(page) => {
                    if !page.records.is_empty() {
                        self.state.send_replace(State::Busy);
                        self.hand_over(page.records).await;
                    }
                    if page.is_last {
                        self.state.send_replace(State::Idle(seen));
                        if self.writes.changed().await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(function = self.function, %error, "the stream cannot be read");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn hand_over(&mut self, records: Vec<StreamRecord>) {
        let last = records.last().map(|record| record.sequence_number.clone());
        let passing: Vec<_> = records.into_iter().filter(|record| self.filters.pass(&record.json)).collect();
        let mut queue: VecDeque<Batch> = passing
            .chunks(self.settings.batch_size.max(1))
            .map(|records| Batch { records: records.to_vec(), retries: 0 })
            .collect();
        while let Some(batch) = queue.pop_front() {
            let batch = self.drop_aged(batch);
            if !batch.records.is_empty() {
                self.attempt(batch, &mut queue).await;
            }
        }
        self.checkpoint(last.as_deref());
    }

    /// Gives up the records of a batch that are older than the mapping allows. Time in which the
    /// sandbox did not run does not count: AWS has no such time.
    fn drop_aged(&self, batch: Batch) -> Batch {
        let now = self.clock.now();
        let age =
            |record: &StreamRecord| now.since(Timestamp::from_unix(record.created_at).max(self.opened_at));
        let limit = self.settings.maximum_record_age_seconds;
        let (aged, records): (Vec<_>, Vec<_>) =
            batch.records.into_iter().partition(|record| age(record) > limit);
        if !aged.is_empty() {
            self.give_up(&aged, "RecordAgeExceeded", batch.retries, None);
        }
        Batch { records, retries: batch.retries }
    }

    /// Invokes the function once, and puts what is to be tried again at the head of the queue.
    async fn attempt(&self, mut batch: Batch, queue: &mut VecDeque<Batch>) {
        let outcome = self.invoke(&batch.records).await;
        let failed = match &outcome {
            Ok(answer) => first_failed(answer, &batch.records),
            Err(_) => Some(0),
        };
        let retries = batch.retries;
        match failed {
            None => self.checkpoint(batch.records.last().map(|record| record.sequence_number.as_str())),
            // What comes before the lowest reported failure is done; the rest is a smaller batch.
            Some(failed) if failed > 0 => {
                let rest = batch.records.split_off(failed);
                self.checkpoint(batch.records.last().map(|record| record.sequence_number.as_str()));
                queue.push_front(Batch { records: rest, retries });
            }
            Some(_) if self.settings.bisect && batch.records.len() > 1 => {
                let second = batch.records.split_off(batch.records.len().div_ceil(2));
                queue.push_front(Batch { records: second, retries });
                queue.push_front(batch);
            }
            Some(_) if retries >= self.settings.maximum_retry_attempts => {
                self.give_up(&batch.records, "RetryAttemptsExhausted", retries + 1, outcome.as_ref().err());
                self.checkpoint(batch.records.last().map(|record| record.sequence_number.as_str()));
            }
            Some(_) => {
                self.state.send_replace(State::Retrying);
                let _awake = self.clock.wait(FIRST_RETRY * 2u32.saturating_pow(retries.min(10))).await;
                self.state.send_replace(State::Busy);
                queue.push_front(Batch { retries: retries + 1, ..batch });
            }
        }
    }

    async fn invoke(&self, records: &[StreamRecord]) -> Result<Value, Failure> {
        let records: Vec<&Value> = records.iter().map(|record| &record.json).collect();
        let invocation = self.lambda.start(self.function, json!({ "Records": records }))?;
        self.state.send_replace(State::Invoking(invocation.id()));
        let outcome = invocation.await;
        self.state.send_replace(State::Busy);
        outcome.unwrap_or(Err(Failure::Panic))
    }

    fn checkpoint(&self, sequence_number: Option<&str>) {
        if let Some(sequence_number) = sequence_number {
            self.position.store_or_warn(&sequence_number);
        }
    }

    fn give_up(
        &self,
        records: &[StreamRecord],
        condition: &str,
        invocations: u32,
        failure: Option<&Failure>,
    ) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        tracing::error!(
            function = self.function,
            condition,
            records = records.len(),
            sequence_number = %first.sequence_number,
            "stream records given up"
        );
        let mut letter = json!({
            "requestContext": {
                "requestId": uuid(),
                "functionArn": function_arn(self.function),
                "condition": condition,
                "approximateInvokeCount": invocations,
            },
            "version": "1.0",
            "timestamp": iso(self.clock.now()),
            "DDBStreamBatchInfo": {
                "shardId": self.reader.shard(),
                "startSequenceNumber": first.sequence_number,
                "endSequenceNumber": last.sequence_number,
                "approximateArrivalOfFirstRecord": iso(Timestamp::from_unix(first.created_at)),
                "approximateArrivalOfLastRecord": iso(Timestamp::from_unix(last.created_at)),
                "batchSize": records.len(),
                "streamArn": self.reader.arn(),
            },
        });
        if invocations > 0 {
            letter["responseContext"] = json!({
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": failure.map(|_| "Unhandled"),
            });
        }
        self.dead_letters.add(letter);
    }
}

/// The place of the first record that a function reports as failed, as `ReportBatchItemFailures`
/// reads the answer: nothing or an empty list is success; an unknown or missing identifier, or an
/// answer of another shape, fails the whole batch.
fn first_failed(answer: &Value, records: &[StreamRecord]) -> Option<usize> {
    let failures = match answer {
        Value::Null => return None,
        Value::Object(fields) => match fields.get("batchItemFailures") {
            None | Some(Value::Null) => return None,
            Some(Value::Array(failures)) => failures,
            Some(_) => return Some(0),
        },
        _ => return Some(0),
    };
    let place = |failure: &Value| {
        let id = failure.get("itemIdentifier")?.as_str()?;
        records.iter().position(|record| record.sequence_number == id)
    };
    failures.iter().map(|failure| place(failure).unwrap_or(0)).min()
}
