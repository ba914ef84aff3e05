//! The table's stream, handed to functions.

use crate::{Seen, Temporary, dynamodb, exists, handler, put, sandbox, sandbox_in};
use aws_sdk_dynamodb::types::AttributeValue;
use sandbox::aws::lambda::Functions;
use sandbox::faults::Part;
use sandbox::host::Parts;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

fn records(event: &Value) -> Vec<Value> {
    event["Records"].as_array().unwrap().clone()
}

fn id(record: &Value) -> String {
    record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap().to_owned()
}

fn ids(event: &Value) -> Vec<String> {
    records(event).iter().map(id).collect()
}

fn failures(records: &[Value], failed: impl Fn(&str) -> bool) -> Value {
    let failed = records.iter().filter(|record| failed(&id(record)));
    let items: Vec<_> =
        failed.map(|record| json!({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})).collect();
    json!({ "batchItemFailures": items })
}

/// Functions that see the ids of each batch.
fn listener(name: &str) -> (Functions, Seen<Vec<String>>) {
    let seen = Seen::default();
    let batches = seen.clone();
    let functions = Functions::default().with(
        name,
        handler(move |event, _| {
            batches.push(ids(&event));
            async { Ok(Value::Null) }
        }),
    );
    (functions, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_function_gets_its_records_in_the_form_of_lambda() {
    let events = [Seen::default(), Seen::default()];
    let mut functions = Functions::default();
    for (name, seen) in ["grant", "notify"].into_iter().zip(events.clone()) {
        functions = functions.with(
            name,
            handler(move |event, _| {
                seen.push(event);
                async { Ok(json!({"batchItemFailures": []})) }
            }),
        );
    }
    let sandbox = sandbox(functions).await;
    let client = dynamodb(&sandbox.addresses().aws_url());
    put(&client, "one", &[("wake", "grant"), ("status", "approved")]).await;
    put(&client, "one", &[("tell", "notify"), ("status", "open")]).await;
    put(&client, "two", &[("status", "open")]).await;
    let key = |text: &str| AttributeValue::S(text.to_owned());
    client
        .delete_item()
        .table_name("ajar")
        .key("pk", key("one"))
        .key("sk", key("RECORD"))
        .send()
        .await
        .unwrap();
    sandbox.settle().await;
    let [grant, notify] = events.map(|seen| seen.all());
    let grant: Vec<Value> = grant.iter().flat_map(records).collect();
    let notify: Vec<Value> = notify.iter().flat_map(records).collect();
    assert_eq!((grant.len(), notify.len()), (1, 1));
    assert_eq!(grant[0]["eventName"], "INSERT");
    assert_eq!(grant[0]["dynamodb"]["OldImage"], Value::Null);
    assert_eq!(notify[0]["eventName"], "MODIFY");
    assert_eq!(notify[0]["dynamodb"]["OldImage"]["wake"]["S"], "grant");
    let event: aws_lambda_events::dynamodb::Event =
        serde_json::from_value(json!({"Records": [notify[0]]})).unwrap();
    let record = &event.records[0];
    assert_eq!(record.event_source.as_deref(), Some("aws:dynamodb"));
    assert_eq!(record.aws_region, "eu-central-1");
    let arn = record.event_source_arn.clone().unwrap();
    assert!(arn.starts_with("arn:aws:dynamodb:eu-central-1:123456789012:table/ajar/stream/"), "{arn}");
    assert!(record.change.sequence_number.as_ref().is_some_and(|number| number.len() >= 21));
    let made = u64::try_from(record.change.approximate_creation_date_time.timestamp()).unwrap();
    assert!(sandbox.clock().now().unix() - made < 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_at_most_ten_records_in_order() {
    let (functions, seen) = listener("grant");
    let sandbox = sandbox(functions).await;
    let client = dynamodb(&sandbox.addresses().aws_url());
    let expected: Vec<String> = (0..25).map(|number| format!("item-{number:02}")).collect();
    for id in &expected {
        put(&client, id, &[("wake", "grant")]).await;
    }
    sandbox.settle().await;
    assert!(seen.all().iter().all(|batch| batch.len() <= 10));
    assert_eq!(seen.all().concat(), expected);
}

/// Three records in one batch: the function is held with a first one until all of them are written.
/// Answers which batches it then saw, and the dead letters.
async fn three_in_one_batch(
    name: &'static str,
    outcome: fn(&[Value]) -> Result<Value, String>,
) -> (Vec<Vec<String>>, Vec<Value>) {
    let seen = Seen::default();
    let (entered, written) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (batches, has_entered, all_written) = (seen.clone(), Arc::clone(&entered), Arc::clone(&written));
    let function = handler(move |event, _| {
        let (batches, entered, written) = (batches.clone(), Arc::clone(&entered), Arc::clone(&written));
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
    (seen.all(), sandbox.dead_letters())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reported_failure_is_tried_again_from_there_until_it_is_given_up() {
    let (batches, letters) =
        three_in_one_batch("grant", |records| Ok(failures(records, |id| id == "poison"))).await;
    assert_eq!(batches[0], ["a", "poison", "c"]);
    assert_eq!(batches[1], ["poison", "c"], "what comes before the failure is done");
    let alone = batches.iter().filter(|batch| **batch == ["poison"]).count();
    assert_eq!(alone, 6, "one attempt and five retries: {batches:?}");
    assert_eq!(batches.last().unwrap(), &["c"]);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(letters[0]["requestContext"]["approximateInvokeCount"], 6);
    assert_eq!(letters[0]["DDBStreamBatchInfo"]["batchSize"], 1);
    assert!(!letters[0].to_string().contains("poison"), "where, not what");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_halves_the_batch_until_the_bad_record_is_alone() {
    let (batches, letters) =
        three_in_one_batch("notify", |records| match records.iter().any(|record| id(record) == "poison") {
            true => Err("cannot".to_owned()),
            false => Ok(Value::Null),
        })
        .await;
    assert_eq!(batches[..3], [vec!["a", "poison", "c"], vec!["a", "poison"], vec!["a"]]);
    assert_eq!(batches.iter().filter(|batch| **batch == ["poison"]).count(), 6);
    assert_eq!(batches.last().unwrap(), &["c"]);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["responseContext"]["functionError"], "Unhandled");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_identifier_fails_the_whole_batch() {
    let (batches, letters) = three_in_one_batch("grant", |records| match records.len() {
        3 => Ok(json!({"batchItemFailures": [{"itemIdentifier": "000000000000000000000"}]})),
        2 => Ok(json!({"batchItemFailures": [{"itemIdentifier": ""}]})),
        _ => Ok(json!({"batchItemFailures": null})),
    })
    .await;
    assert_eq!(
        batches,
        [vec!["a", "poison", "c"], vec!["a", "poison"], vec!["a"], vec!["poison"], vec!["c"]]
    );
    assert!(letters.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_older_than_ten_minutes_is_given_up() {
    let seen = Seen::default();
    let calls = seen.clone();
    let sandbox = sandbox_in(None, |ground| {
        let function = handler(move |_, _| {
            calls.push(());
            // As if the outage lasted eleven minutes.
            ground.clock.advance_ms(660_000);
            async { Err("no answer from Azure".to_owned()) }
        });
        Parts { functions: Functions::default().with("grant", function), ..Parts::default() }
    })
    .await;
    put(&dynamodb(&sandbox.addresses().aws_url()), "old", &[("wake", "grant")]).await;
    sandbox.settle().await;
    assert_eq!(seen.all().len(), 1);
    assert_eq!(sandbox.dead_letters()[0]["requestContext"]["condition"], "RecordAgeExceeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_hangs_does_not_hold_up_the_other() {
    let (functions, seen) = listener("notify");
    let functions = functions.with("grant", handler(|_, _| std::future::pending()));
    let sandbox = sandbox(functions).await;
    put(&dynamodb(&sandbox.addresses().aws_url()), "x", &[("wake", "grant"), ("tell", "notify")]).await;
    while seen.all().is_empty() {
        tokio::task::yield_now().await;
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_carries_on_where_it_was() {
    let dir = Temporary::new();
    let (functions, seen) = listener("grant");
    let first = sandbox_in(Some(&dir.0), |_| Parts { functions, ..Parts::default() }).await;
    put(&dynamodb(&first.addresses().aws_url()), "before", &[("wake", "grant")]).await;
    first.settle().await;
    first.advance(3600).await.unwrap();
    let moved = first.clock().now();
    first.stop().await;
    assert_eq!(seen.all(), [["before"]]);

    let began = Seen::default();
    let begun = began.clone();
    let hangs = handler(move |event, _| {
        begun.push(ids(&event));
        std::future::pending()
    });
    let functions = Functions::default().with("grant", hangs);
    let second = sandbox_in(Some(&dir.0), |_| Parts { functions, ..Parts::default() }).await;
    assert!(second.clock().now() >= moved, "the clock survives");
    put(&dynamodb(&second.addresses().aws_url()), "during", &[("wake", "grant")]).await;
    while began.all().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(began.all(), [["during"]], "what was done is not done again");
    second.stop().await;

    let (functions, seen) = listener("grant");
    let third = sandbox_in(Some(&dir.0), |_| Parts { functions, ..Parts::default() }).await;
    third.settle().await;
    assert_eq!(seen.all(), [["during"]], "what was cut is done again");
    let client = dynamodb(&third.addresses().aws_url());
    assert!(exists(&client, "before").await && exists(&client, "during").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_done_is_not_done_again_because_the_next_was_cut() {
    let dir = Temporary::new();
    let (gate, hung) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (opened, hangs) = (Arc::clone(&gate), Arc::clone(&hung));
    let function = handler(move |event, _| {
        let (opened, hangs) = (Arc::clone(&opened), Arc::clone(&hangs));
        async move {
            match ids(&event)[0].as_str() {
                "gate" => opened.notified().await,
                "item-10" => {
                    hangs.notify_one();
                    std::future::pending::<()>().await;
                }
                _ => {}
            }
            Ok(Value::Null)
        }
    });
    let functions = Functions::default().with("grant", function);
    let first = sandbox_in(Some(&dir.0), |_| Parts { functions, ..Parts::default() }).await;
    let client = dynamodb(&first.addresses().aws_url());
    put(&client, "gate", &[("wake", "grant")]).await;
    while first.lambda().started() == 0 {
        tokio::task::yield_now().await;
    }
    for number in 0..15 {
        put(&client, &format!("item-{number:02}"), &[("wake", "grant")]).await;
    }
    gate.notify_one();
    hung.notified().await;
    first.stop().await;

    let (functions, seen) = listener("grant");
    let second = sandbox_in(Some(&dir.0), |_| Parts { functions, ..Parts::default() }).await;
    second.settle().await;
    assert_eq!(seen.all(), [["item-10", "item-11", "item-12", "item-13", "item-14"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_on_dynamodb_reach_the_functions_and_not_the_sandbox() {
    let (functions, seen) = listener("grant");
    let sandbox = sandbox(functions).await;
    let client = dynamodb(&sandbox.addresses().aws_url());
    let no_retry = aws_sdk_dynamodb::config::Builder::new()
        .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled());
    let attempt = async |id: &str| {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let call = client.put_item().table_name("ajar").item("pk", text(id)).item("sk", text("RECORD"));
        let call = call.item("wake", text("grant")).customize().config_override(no_retry.clone());
        call.send().await
    };
    let order = |how: Value| {
        let fault = json!({"part": "dynamodb", "method": "PutItem", "path": "ajar", "how": how});
        sandbox.faults().order(serde_json::from_value(fault).unwrap());
    };
    let refusals: BTreeMap<&str, u16> = BTreeMap::from([
        ("ProvisionedThroughputExceededException", 400),
        ("InternalServerError", 500),
        ("TransactionConflictException", 400),
    ]);
    for (kind, status) in refusals {
        let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "later"});
        order(json!({"answer": {"status": status, "body": body}}));
        let error = attempt(kind).await.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some(kind));
        assert!(!exists(&client, kind).await);
    }
    order(json!("cut_before"));
    assert!(attempt("before").await.unwrap_err().as_service_error().is_none());
    assert!(!exists(&client, "before").await);
    order(json!("cut_after"));
    assert!(attempt("after").await.unwrap_err().as_service_error().is_none());
    assert!(exists(&client, "after").await);
    order(json!({"slow": {"milliseconds": 1}}));
    attempt("slow").await.unwrap();
    order(json!({"late": {"milliseconds": 1}}));
    assert!(attempt("late").await.is_err());
    while !exists(&client, "late").await {
        tokio::task::yield_now().await;
    }
    // An order for any call of the part is not used up by the sandbox's own reading of the stream.
    let any = json!({"part": "dynamodb", "how": "cut_before"});
    sandbox.faults().order(serde_json::from_value(any).unwrap());
    sandbox.settle().await;
    assert!(sandbox.faults().take(Part::Dynamodb, "GetItem", "ajar").is_some());
    assert_eq!(seen.all().concat(), ["after", "slow", "late"]);
}

#[test]
fn the_committed_settings_are_what_the_design_says() {
    let mappings = sandbox::aws::stream::Mappings::committed().unwrap();
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
}
