//! Time: the minute, the moved clock, and what is done before it is answered.

use crate::{Seen, dynamodb, exists, handler, put, sandbox, sandbox_in};
use access::lease::Timestamp;
use aws_sdk_dynamodb::types::AttributeValue;
use sandbox::aws::lambda::Functions;
use sandbox::host::{Parts, Sandbox};
use serde_json::Value;

async fn post(sandbox: &Sandbox, path: &str, body: &str) -> (u16, Value) {
    let url = format!("{}{path}", sandbox.addresses().page_url());
    let response = crate::http::client().post(url).body(body.to_owned()).send().await.unwrap();
    (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_is_invoked_at_each_minute_of_the_moved_clock() {
    let seen = Seen::default();
    let ticks = seen.clone();
    let function = handler(move |event, _| {
        ticks.push(event);
        async { Ok(Value::Null) }
    });
    let sandbox = sandbox(Functions::default().with("revoke", function)).await;
    let from = sandbox.clock().now().unix();
    let (status, body) = post(&sandbox, "/sandbox/clock", r#"{"advance_seconds": 3600}"#).await;
    assert_eq!(status, 200);
    let now = body["now"].as_u64().unwrap();
    assert!(now >= from + 3600);
    let expected: Vec<String> = (from / 60 + 1..=now / 60)
        .map(|minute| Timestamp::from_unix(minute * 60).to_string().replace(' ', "T").replace("TUTC", "Z"))
        .collect();
    let times: Vec<String> =
        seen.all().iter().map(|event| event["time"].as_str().unwrap().to_owned()).collect();
    assert_eq!(times, expected);
    let event: aws_lambda_events::eventbridge::EventBridgeEvent<Value> =
        serde_json::from_value(seen.all()[0].clone()).unwrap();
    assert_eq!(event.source, "aws.scheduler");
    assert_eq!(event.detail, "{}", "Scheduler sends a string");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_clock_is_answered_after_what_became_due_is_done() {
    let woken = Seen::default();
    let told = Seen::default();
    let (wakes, tells) = (woken.clone(), told.clone());
    let sandbox = sandbox_in(None, |ground| {
        let url = ground.addresses.aws_url();
        let clock = ground.clock.clone();
        let first = std::sync::atomic::AtomicBool::new(true);
        let revoke = handler(move |_, _| {
            let (clock, client, wakes) = (clock.clone(), dynamodb(&url), wakes.clone());
            let first = first.swap(false, std::sync::atomic::Ordering::SeqCst);
            async move {
                if !first {
                    return Ok(Value::Null);
                }
                // Two ends, 20 and 41 s from now, in one invocation; each takes several calls.
                let shut = async |seconds: u64, id: &str| {
                    let at = clock.now().plus(seconds);
                    let _awake = clock.sleep_until(at).await;
                    wakes.push((at, clock.now()));
                    for _ in 0..5 {
                        assert!(!exists(&client, id).await);
                    }
                    put(&client, id, &[("tell", "notify")]).await;
                    wakes.push((at, clock.now()));
                };
                futures::join!(shut(20, "one"), shut(41, "two"));
                Ok(Value::Null)
            }
        });
        let clock = ground.clock.clone();
        let notify = handler(move |event: Value, _| {
            let id = event["Records"][0]["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap().to_owned();
            tells.push((id, clock.now()));
            async { Ok(Value::Null) }
        });
        let functions = Functions::default().with("revoke", revoke).with("notify", notify);
        Parts { functions, ..Parts::default() }
    })
    .await;
    let (status, _) = post(&sandbox, "/sandbox/clock", r#"{"advance_seconds": 180}"#).await;
    assert_eq!(status, 200);
    let (woken, told) = (woken.all(), told.all());
    assert_eq!(woken.len(), 4);
    for (at, now) in &woken {
        assert!(now.since(*at) <= 1 && now >= at, "due at {at}, done at {now}");
    }
    assert_eq!(told.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert!(told[0].1.since(woken[0].0) <= 1, "told before time moved on");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_moves_go_one_after_the_other() {
    let sandbox = sandbox(Functions::default()).await;
    let from = sandbox.clock().now();
    let (one, two) = tokio::join!(
        post(&sandbox, "/sandbox/clock", r#"{"advance_seconds": 60}"#),
        post(&sandbox, "/sandbox/clock", r#"{"advance_seconds": 60}"#),
    );
    assert_eq!((one.0, two.0), (200, 200));
    assert!(sandbox.clock().now().since(from) >= 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_goes_to_the_next_end_when_there_is_one() {
    let sandbox = sandbox(Functions::default()).await;
    let (status, body) = post(&sandbox, "/sandbox/clock", r#"{"to_next_end": true}"#).await;
    assert_eq!(status, 409);
    assert_eq!(body["error"], "Nothing is open that will end.");
    let client = dynamodb(&sandbox.addresses().aws_url());
    let now = sandbox.clock().now().unix();
    for (id, due, expires_at) in [
        ("past", true, now - 5),
        ("late", true, now + 900),
        ("next", true, now + 300),
        ("shut", false, now + 100),
    ] {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut item = client.put_item().table_name("ajar").item("pk", text(id)).item("sk", text("RECORD"));
        if due {
            item = item.item("due_shard", text("0")).item("due_at", AttributeValue::N(now.to_string()));
        }
        item.item("expires_at", AttributeValue::N(expires_at.to_string())).send().await.unwrap();
    }
    let (status, body) = post(&sandbox, "/sandbox/clock", r#"{"to_next_end": true}"#).await;
    assert_eq!(status, 200);
    let ended = body["now"].as_u64().unwrap();
    assert!((now + 301..now + 310).contains(&ended), "{} s later", ended - now);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_purged_by_the_sandbox_s_clock() {
    let sandbox = sandbox(Functions::default()).await;
    let client = dynamodb(&sandbox.addresses().aws_url());
    let purge_at = sandbox.clock().now().unix() + 3600;
    for (id, purge_at) in [("old", purge_at), ("young", purge_at + 86_400)] {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let item = client.put_item().table_name("ajar").item("pk", text(id)).item("sk", text("RECORD"));
        item.item("purge_at", AttributeValue::N(purge_at.to_string())).send().await.unwrap();
    }
    sandbox.advance(1800).await.unwrap();
    assert!(exists(&client, "old").await);
    sandbox.advance(5400).await.unwrap();
    assert!(!exists(&client, "old").await);
    assert!(exists(&client, "young").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_orders_get_one_sentence() {
    let sandbox = sandbox(Functions::default()).await;
    for (path, body) in [
        ("clock", ""),
        ("clock", "60"),
        ("clock", "{}"),
        ("clock", r#"{"advance_seconds": 0}"#),
        ("clock", r#"{"advance_seconds": -1}"#),
        ("clock", r#"{"advance_seconds": 604801}"#),
        ("clock", r#"{"advance_seconds": 1, "to_next_end": true}"#),
        ("clock", r#"{"to_next_end": false}"#),
        ("clock", r#"{"advance_minutes": 1}"#),
        ("faults", ""),
        ("faults", r#"{"part": "moon", "how": "cut_before"}"#),
        ("faults", r#"{"part": "arm"}"#),
        ("faults", r#"{"part": "arm", "how": "burn"}"#),
        ("faults", r#"{"part": "arm", "how": "cut_before", "count": 0}"#),
        ("faults", r#"{"part": "slack", "how": {"operation_ends": {"status": "Failed", "code": "x"}}}"#),
        ("faults", r#"{"part": "arm", "how": {"answer": {"status": 42}}}"#),
    ] {
        let (status, answer) = post(&sandbox, &format!("/sandbox/{path}"), body).await;
        assert_eq!(status, 400, "{path} {body}");
        let sentence = answer["error"].as_str().unwrap();
        assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{sentence}");
    }
}
