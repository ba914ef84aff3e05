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

pub(crate) fn records(event: &Value) -> Vec<Value> {
    event["Records"].as_array().unwrap().clone()
}

pub(crate) fn id(record: &Value) -> String {
    record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap().to_owned()
}

pub(crate) fn ids(event: &Value) -> Vec<String> {
    records(event).iter().map(id).collect()
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
