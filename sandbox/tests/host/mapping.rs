//! The rules by which Lambda hands a stream over, one test each, with the deployment's own settings
//! (docs.aws.amazon.com: lambda/latest/dg, "services-ddb-batchfailurereporting", "with-ddb" and "kinesis-on-failure-destination").

use crate::stream::{id, ids, records};
use crate::{Seen, dynamodb, handler, put, sandbox, sandbox_in};
use sandbox::aws::lambda::Functions;
use sandbox::aws::stream::Mappings;
use sandbox::host::Parts;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;

/// What became of three records in one batch.
struct Handed {
    /// The batches that the function saw, in order.
    batches: Vec<Vec<String>>,
    letters: Vec<Value>,
}

impl Handed {
    /// How often the function saw exactly this batch.
    fn times(&self, batch: &[&str]) -> usize {
        self.batches.iter().filter(|one| **one == batch).count()
    }
}

/// Hands three records over in one batch: the function is held with a first one until all of them are written.
async fn three_in_one_batch(
    name: &'static str,
    outcome: impl Fn(&[Value]) -> Result<Value, String> + Send + Sync + 'static,
) -> Handed {
    let seen = Seen::default();
    let (entered, written) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (batches, has_entered, all_written) = (seen.clone(), Arc::clone(&entered), Arc::clone(&written));
    let outcome = Arc::new(outcome);
    let function = handler(move |event, _| {
        let (batches, outcome) = (batches.clone(), Arc::clone(&outcome));
        let (entered, written) = (Arc::clone(&entered), Arc::clone(&written));
        async move {
            let records = records(&event);
            if id(&records[0]) == "first" {
                entered.notify_one();
                written.notified().await;
                return Ok(Value::Null);
            }
            batches.push(ids(&event));
            outcome(&records)
        }
    });
    let sandbox = sandbox(Functions::default().with(name, function)).await;
    let client = dynamodb(&sandbox.addresses().aws_url());
    let attribute = [(if name == "grant" { "wake" } else { "tell" }, name)];
    put(&client, "first", &attribute).await;
    has_entered.notified().await;
    for id in ["a", "poison", "c"] {
        put(&client, id, &attribute).await;
    }
    all_written.notify_one();
    sandbox.settle().await;
    Handed { batches: seen.all(), letters: sandbox.dead_letters() }
}

/// The answer that reports these records, in this order.
fn failures(records: &[Value], failed: &[&str]) -> Value {
    let number = |wanted: &&str| {
        let record = records.iter().find(|record| id(record) == *wanted)?;
        Some(json!({"itemIdentifier": record["dynamodb"]["SequenceNumber"]}))
    };
    json!({ "batchItemFailures": failed.iter().filter_map(number).collect::<Vec<_>>() })
}

/// How often a record is handed over before it is given up, as the deployment says.
fn attempts() -> usize {
    usize::try_from(Mappings::committed().unwrap().grant.maximum_retry_attempts).unwrap() + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_batch_goes_on_from_the_reported_record() {
    let handed = three_in_one_batch("grant", |records| {
        // Once; then all is well.
        Ok(if records.len() == 3 { failures(records, &["poison"]) } else { Value::Null })
    })
    .await;
    assert_eq!(handed.batches, [vec!["a", "poison", "c"], vec!["poison", "c"]]);
    assert!(handed.letters.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_batch_goes_on_from_the_lowest_of_several_reported() {
    let handed = three_in_one_batch("grant", |records| {
        Ok(if records.len() == 3 { failures(records, &["c", "poison"]) } else { Value::Null })
    })
    .await;
    assert_eq!(handed.batches, [vec!["a", "poison", "c"], vec!["poison", "c"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_batch_every_form_of_success() {
    for answer in
        [json!(null), json!({}), json!({"batchItemFailures": []}), json!({"batchItemFailures": null})]
    {
        let said = answer.clone();
        let handed = three_in_one_batch("grant", move |_| Ok(said.clone())).await;
        assert_eq!(handed.batches, [["a", "poison", "c"]], "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_batch_an_answer_that_cannot_be_read_fails_the_whole() {
    for answer in [
        json!({"batchItemFailures": [{"itemIdentifier": "000000000000000000000"}]}),
        json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
        json!({"batchItemFailures": [{"itemIdentifier": null}]}),
        json!({"batchItemFailures": [{"item": "1"}]}),
        json!({"batchItemFailures": "poison"}),
        json!("poison"),
    ] {
        let said = answer.clone();
        let answers = move |records: &[Value]| Ok(if records.len() > 1 { said.clone() } else { Value::Null });
        let handed = three_in_one_batch("grant", answers).await;
        let halved = [vec!["a", "poison", "c"], vec!["a", "poison"], vec!["a"], vec!["poison"], vec!["c"]];
        assert_eq!(handed.batches, halved, "{answer}");
        assert!(handed.letters.is_empty());
    }
}

/// Fails wherever the bad record is.
fn poisoned(records: &[Value]) -> Result<Value, String> {
    let poisoned = records.iter().any(|record| id(record) == "poison");
    if poisoned { Err("cannot".to_owned()) } else { Ok(Value::Null) }
}

#[tokio::test(flavor = "multi_thread")]
async fn bisect_halves_until_the_bad_record_is_alone() {
    let handed = three_in_one_batch("notify", poisoned).await;
    assert_eq!(
        handed.batches[..4],
        [vec!["a", "poison", "c"], vec!["a", "poison"], vec!["a"], vec!["poison"]]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bisect_does_not_count_as_a_retry() {
    let handed = three_in_one_batch("notify", poisoned).await;
    assert_eq!(handed.times(&["poison"]), attempts(), "{:?}", handed.batches);
    assert_eq!(handed.times(&["a", "poison", "c"]) + handed.times(&["a", "poison"]), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_end_and_what_comes_behind_goes_on_in_order() {
    let handed = three_in_one_batch("grant", |records| {
        let poisoned = records.iter().any(|record| id(record) == "poison");
        Ok(if poisoned { failures(records, &["poison"]) } else { Value::Null })
    })
    .await;
    assert_eq!(handed.times(&["poison"]), attempts(), "{:?}", handed.batches);
    assert_eq!(handed.batches.last().unwrap(), &["c"]);
    assert_eq!(handed.letters.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letter_says_where_in_the_stream_and_how_often_and_never_what() {
    let handed = three_in_one_batch("notify", poisoned).await;
    let [letter] = handed.letters.as_slice() else { panic!("{:?}", handed.letters) };
    let (context, place) = (&letter["requestContext"], &letter["DDBStreamBatchInfo"]);
    assert_eq!(context["condition"], "RetryAttemptsExhausted");
    assert_eq!(context["approximateInvokeCount"], attempts());
    assert_eq!(letter["responseContext"]["functionError"], "Unhandled");
    assert_eq!(place["batchSize"], 1);
    assert_eq!(place["startSequenceNumber"], place["endSequenceNumber"]);
    assert!(place["startSequenceNumber"].as_str().is_some_and(|number| number.len() >= 21));
    assert!(!letter.to_string().contains("poison"));
}

#[tokio::test(flavor = "multi_thread")]
async fn record_age_ends_the_retries_of_what_is_too_old() {
    let limit = Mappings::committed().unwrap().grant.maximum_record_age_seconds;
    for (outage_seconds, calls) in [(limit + 60, 1), (limit / attempts() as u64 / 2, attempts())] {
        let seen = Seen::default();
        let invoked = seen.clone();
        let sandbox = sandbox_in(None, |ground| {
            let function = handler(move |_, _| {
                invoked.push(());
                ground.clock.advance_ms(outage_seconds * 1000);
                async { Err("no answer from Azure".to_owned()) }
            });
            Parts { functions: Functions::default().with("grant", function), ..Parts::default() }
        })
        .await;
        put(&dynamodb(&sandbox.addresses().aws_url()), "old", &[("wake", "grant")]).await;
        sandbox.settle().await;
        assert_eq!(seen.all().len(), calls, "{outage_seconds} s between two attempts");
        let condition = if calls == 1 { "RecordAgeExceeded" } else { "RetryAttemptsExhausted" };
        assert_eq!(sandbox.dead_letters()[0]["requestContext"]["condition"], condition);
    }
}

#[test]
fn the_settings_are_those_of_the_deployment() {
    let mappings = Mappings::committed().unwrap();
    for settings in [mappings.grant, mappings.notify] {
        settings.filters().unwrap();
        let limits = (
            settings.batch_size,
            settings.maximum_retry_attempts,
            settings.maximum_record_age_seconds,
            settings.bisect,
        );
        assert_eq!(limits, (10, 5, 600, true));
    }
    // Terraform reads the same file, each setting of it, and asks for partial batches.
    let deployed = include_str!("../../../infra/terraform/modules/aws/stream.tf");
    assert!(deployed.contains("jsondecode(file(\"${path.module}/../../../stream.json\"))"));
    for setting in ["filters", "batch_size", "maximum_retry_attempts", "maximum_record_age_seconds", "bisect"]
    {
        assert!(deployed.contains(&format!("each.value.{setting}\n")), "{setting}");
    }
    assert!(deployed.contains("[\"ReportBatchItemFailures\"]"));
}
