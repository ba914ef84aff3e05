//! Lambda's API, the HTTP API, Secrets Manager, the Runtime API and the control endpoints.

use crate::{Seen, handler, sandbox, sandbox_in};
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use sandbox::aws::Caller;
use sandbox::aws::lambda::{Failure, Functions};
use sandbox::aws::runtime_api::{self, RuntimeApi};
use sandbox::aws::secrets::Secrets;
use sandbox::host::Parts;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.unwrap().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build().unwrap()
}

fn credentials(key: &str) -> Credentials {
    Credentials::new(key, "secret", None, None, "test")
}

fn lambda(url: &str, key: &str) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(credentials(key))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

fn callers() -> BTreeMap<String, Caller> {
    let caller = Caller {
        role: "ajar-notify".to_owned(),
        may_invoke: vec!["revoke".to_owned(), "gone".to_owned(), "fails".to_owned()],
        may_read: vec!["ajar/slack".to_owned()],
        ..Caller::default()
    };
    let operator = Caller { role: "ajar-operator".to_owned(), operates: true, ..caller.clone() };
    BTreeMap::from([("AKIANOTIFY".to_owned(), caller), ("AKIAOPERATOR".to_owned(), operator)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_starts_another_through_the_sdk() {
    let seen = Seen::default();
    let events = seen.clone();
    let revoke = handler(move |event, _| {
        events.push(event);
        async { Ok(json!({"swept": 2})) }
    });
    let fails = handler(|_, _| async { Err("no".to_owned()) });
    let functions =
        Functions::default().with("revoke", revoke).with("fails", fails.clone()).with("grant", fails);
    let parts = Parts { functions, callers: callers(), ..Parts::default() };
    let sandbox = sandbox_in(None, |_| parts).await;
    let url = sandbox.addresses().aws_url();
    let client = lambda(&url, "AKIANOTIFY");
    let payload = || Blob::new(r#"{"why": "closing"}"#);

    let call = client.invoke().function_name("revoke").payload(payload());
    let answer = call.invocation_type(InvocationType::Event).send().await.unwrap();
    assert_eq!(answer.status_code(), 202);
    sandbox.settle().await;
    assert_eq!(seen.all(), [json!({"why": "closing"})]);

    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:revoke";
    let answer = client.invoke().function_name(arn).payload(payload()).send().await.unwrap();
    assert_eq!(answer.status_code(), 200);
    assert_eq!(answer.function_error(), None);
    assert_eq!(answer.payload().unwrap().as_ref(), br#"{"swept":2}"#);

    let answer = client.invoke().function_name("fails").send().await.unwrap();
    assert_eq!((answer.status_code(), answer.function_error()), (200, Some("Unhandled")));

    let error = client.invoke().function_name("gone").send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    let error = client.invoke().function_name("grant").send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("AccessDeniedException"));
    let error = lambda(&url, "AKIAOTHER").invoke().function_name("revoke").send().await.unwrap_err();
    assert_eq!(error.into_service_error().meta().code(), Some("UnrecognizedClientException"));
    let unsigned = client_post(&format!("{url}/2015-03-31/functions/revoke/invocations"), "{}").await;
    assert_eq!(unsigned.0, 403);
    assert_eq!(seen.all().len(), 2, "nobody else started it");
}

async fn client_post(url: &str, body: &str) -> (u16, String) {
    let response = client().post(url).body(body.to_owned()).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_invocations_say_how() {
    let functions = Functions::default()
        .with("error", handler(|_, _| async { Err("no".to_owned()) }))
        .with(
            "early",
            handler(|event: Value, _| std::future::ready(Ok(json!(event["a"]["b"].as_str().unwrap())))),
        )
        .with("late", handler(|_, _| async { panic!("as ordered") }))
        .with_timeout("slow", Duration::from_millis(5), handler(|_, _| std::future::pending()));
    let sandbox = sandbox(functions).await;
    let failure = async |name: &str| sandbox.lambda().invoke(name, json!({})).await.unwrap_err();
    assert_eq!(failure("error").await, Failure::Error("no".to_owned()));
    assert_eq!(failure("early").await, Failure::Panic);
    assert_eq!(failure("late").await, Failure::Panic);
    assert!(matches!(failure("slow").await, Failure::Timeout { .. }));
    assert_eq!(failure("none").await, Failure::NoFunction("none".to_owned()));
    sandbox.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_becomes_an_event_of_format_2() {
    let seen = Seen::default();
    let events = seen.clone();
    let request = handler(move |event: Value, _| {
        let path = event["rawPath"].clone();
        events.push(event);
        async move {
            match path.as_str() {
                Some("/slack/command") => Ok(json!({
                    "statusCode": 201,
                    "headers": {"Content-Type": "application/json", "x-answer": "yes"},
                    "cookies": ["a=1", "b=2"],
                    "body": "eyJvayI6dHJ1ZX0=",
                    "isBase64Encoded": true,
                })),
                Some("/inferred") => Ok(json!({"ok": true})),
                Some("/odd") => Ok(json!({"statusCode": "many"})),
                _ => Err("broken".to_owned()),
            }
        }
    });
    let sandbox = sandbox_in(None, |_| Parts {
        functions: Functions::default().with("request", request),
        request_routes: vec!["POST /slack/command", "POST /slack/interaction", "POST /inferred", "POST /odd"],
        ..Parts::default()
    })
    .await;
    let url = sandbox.addresses().page_url();
    let form = "command=%2Fjit&text=VM3+22";
    let call = client()
        .post(format!("{url}/slack/command?a=1&b=x%20y&a=2"))
        .header("X-Slack-Signature", "v0=abc")
        .header("Cookie", "one=1; two=2")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form);
    let response = call.send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-answer"], "yes");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.text().await.unwrap(), r#"{"ok":true}"#);

    let event = seen.all()[0].clone();
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "POST /slack/command");
    assert_eq!(event["rawQueryString"], "a=1&b=x%20y&a=2");
    assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": "x y"}));
    assert_eq!(event["cookies"], json!(["one=1", "two=2"]));
    assert_eq!(event["headers"]["x-slack-signature"], "v0=abc");
    assert_eq!(event["headers"]["cookie"], Value::Null);
    assert_eq!(event["isBase64Encoded"], true, "a form is not text to API Gateway");
    assert_eq!(event["body"], "Y29tbWFuZD0lMkZqaXQmdGV4dD1WTTMrMjI=");
    assert_eq!(event["requestContext"]["http"]["method"], "POST");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "203.0.113.7");
    assert_eq!(event["headers"]["x-forwarded-for"], "203.0.113.7");
    let parsed: aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest =
        serde_json::from_value(event).unwrap();
    assert!(parsed.is_base64_encoded);
    assert_eq!(parsed.headers["x-slack-signature"], "v0=abc");

    let call = client().post(format!("{url}/inferred")).header("Content-Type", "application/json").body("{}");
    let response = call.send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.text().await.unwrap().as_str()),
        (200, r#"{"ok":true}"#)
    );
    assert_eq!(seen.all()[1]["body"], "{}");
    assert_eq!(seen.all()[1]["isBase64Encoded"], false);
    let other_method = client().get(format!("{url}/slack/command")).send().await.unwrap();
    assert_eq!(
        (other_method.status().as_u16(), other_method.text().await.unwrap().as_str()),
        (404, r#"{"message":"Not Found"}"#)
    );
    for path in ["odd", "slack/interaction"] {
        let (status, body) = client_post(&format!("{url}/{path}"), "x").await;
        assert_eq!((status, body.as_str()), (500, r#"{"message":"Internal Server Error"}"#));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_read_by_whom_it_is_for() {
    let secrets = Secrets::new(BTreeMap::new(), callers());
    secrets.set("ajar/slack", r#"{"bot_token":"xoxb"}"#.to_owned());
    secrets.set("other", "x".to_owned());
    let kept = secrets.clone();
    let sandbox = sandbox_in(None, |_| Parts { secrets, ..Parts::default() }).await;
    let client = |key: &str| {
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(aws_sdk_secretsmanager::config::BehaviorVersion::v2026_01_12())
            .region(Region::from_static("eu-central-1"))
            .endpoint_url(sandbox.addresses().aws_url())
            .credentials_provider(credentials(key))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        aws_sdk_secretsmanager::Client::from_conf(config)
    };
    let read = async |key: &str, id: &str| client(key).get_secret_value().secret_id(id).send().await;
    let secret = read("AKIANOTIFY", "ajar/slack").await.unwrap();
    assert_eq!(secret.secret_string(), Some(r#"{"bot_token":"xoxb"}"#));
    let by_arn = read("AKIANOTIFY", secret.arn().unwrap()).await.unwrap();
    assert_eq!(by_arn.name(), Some("ajar/slack"));
    for (key, id, code) in [
        ("AKIANOTIFY", "other", "AccessDeniedException"),
        ("AKIAOTHER", "ajar/slack", "UnrecognizedClientException"),
    ] {
        let error = read(key, id).await.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some(code));
    }
    let write = async |key: &str| {
        client(key).put_secret_value().secret_id("ajar/slack").secret_string("new").send().await
    };
    let error = write("AKIANOTIFY").await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("AccessDeniedException"), "who only reads");
    assert_ne!(write("AKIAOPERATOR").await.unwrap().version_id(), secret.version_id());
    assert_eq!(read("AKIANOTIFY", "ajar/slack").await.unwrap().secret_string(), Some("new"));
    assert_eq!(kept.value("ajar/slack").as_deref(), Some("new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_driven_through_the_runtime_api() {
    let api = RuntimeApi::start("grant", Duration::from_secs(30)).await.unwrap();
    let base = format!("http://{}/2018-06-01/runtime", api.address());
    let http = client();
    let runtime = async {
        let mut answered = Vec::new();
        for end in ["response", "error"] {
            let next = http.get(format!("{base}/invocation/next")).send().await.unwrap();
            let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
            assert!(next.headers().contains_key("lambda-runtime-deadline-ms"));
            answered.push(next.text().await.unwrap());
            let url = format!("{base}/invocation/{id}/{end}");
            assert_eq!(client_post(&url, r#"{"x":1}"#).await.0, 202);
            assert_eq!(client_post(&url, r#"{"x":2}"#).await.0, 400, "an invocation is answered once");
        }
        answered
    };
    let callers = async { (api.invoke(json!({"n": 1})).await, api.invoke(json!({"n": 2})).await) };
    let (events, (first, second)) = tokio::join!(runtime, callers);
    assert_eq!(events, [r#"{"n":1}"#, r#"{"n":2}"#]);
    assert_eq!(first, Ok(json!({"x": 1})));
    assert_eq!(second, Err(runtime_api::Failure::Function(json!({"x": 1}))));
    client_post(&format!("{base}/init/error"), r#"{"errorMessage":"no table"}"#).await;
    let failure = runtime_api::Failure::Init(json!({"errorMessage": "no table"}));
    assert_eq!(api.invoke(json!({})).await, Err(failure));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_is_driven_from_this_machine_only() {
    let sandbox = sandbox_in(None, |_| Parts {
        info: Arc::new(|| json!({"team_id": "T0CONTOSO"})),
        messages: Arc::new(|| json!([{"text": "hello"}])),
        ..Parts::default()
    })
    .await;
    let url = sandbox.addresses().page_url();
    let get = async |path: &str, header: Option<(&str, &str)>| {
        let mut call = client().get(format!("{url}{path}"));
        if let Some((name, value)) = header {
            call = call.header(name, value);
        }
        let response = call.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, body) = get("/sandbox.json", None).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(body["team_id"], "T0CONTOSO");
    assert_eq!(body["clients"]["127.0.0.2"], "198.51.100.9");
    assert_eq!(body["slack_command_url"], format!("{url}/slack/command"));
    assert!(sandbox.clock().now().unix() - body["now"].as_u64().unwrap() < 60);
    assert_eq!(get("/sandbox/messages", None).await.1, r#"[{"text":"hello"}]"#);
    assert_eq!(get("/sandbox/dead-letters", None).await.1, "[]");
    for (name, value, expected) in [
        ("host", "localhost:8080", 200),
        ("host", "[::1]:8080", 200),
        ("host", "127.0.0.1", 200),
        ("host", "rebound.example:8080", 403),
        ("host", "127.0.0.1.example", 403),
        ("origin", "http://localhost:8080", 200),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
    ] {
        assert_eq!(get("/sandbox.json", Some((name, value))).await.0, expected, "{name}: {value}");
    }
    let order = r#"{"part": "arm", "method": "PUT", "how": "cut_before"}"#;
    assert_eq!(client_post(&format!("{url}/sandbox/faults"), order).await.0, 200);
    client().delete(format!("{url}/sandbox/faults")).send().await.unwrap();
    assert_eq!(sandbox.faults().take(sandbox::faults::Part::Arm, "PUT", "/x"), None);
}
