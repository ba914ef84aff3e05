//! What reaches the request URLs and the sandbox's own, byte for byte.

use crate::{Walk, comparable, long};
use access::click::{App, Click};
use access::signature::{SigningSecret, verify};
use sandbox::host::wiring::SIGNING_SECRET;
use sandbox::slack::world::{APP_ID, TEAM_ID};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FORM: &str = "application/x-www-form-urlencoded";

/// The two headers of Slack's signature.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    /// Seconds from now, or any text; without it no header.
    timestamp: Option<toml::Value>,
    /// `good` is the right one, `upper` that in capitals, `other body` that of another body; else
    /// as it stands. Without it no header.
    signature: Option<String>,
    #[serde(default = "help")]
    body: String,
    status: u16,
    /// What the log says; the answer is empty.
    why: String,
}

fn help() -> String {
    "text=help".to_owned()
}

/// A signed slash command with other fields than Slack sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    without: Vec<String>,
    /// The whole body instead; `{ff}` is a byte that is not UTF-8.
    body: Option<String>,
    #[serde(default = "command")]
    path: String,
    status: u16,
    says: String,
}

fn command() -> String {
    "/slack/command".to_owned()
}

/// A signed interaction.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payload {
    /// Changes to a click on Approve; `null` as text takes a field away.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// The whole body instead.
    body: Option<String>,
    status: u16,
    /// What the log says.
    why: String,
}

/// An event as Lambda gets it, where HTTP cannot make one like it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    body: String,
    /// Whether the event says that the body is base64; it is signed as it stands.
    base64: bool,
    status: u16,
}

/// A body for what drives the sandbox.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Control {
    path: String,
    body: String,
    status: u16,
    says: String,
}

fn secret() -> SigningSecret {
    SigningSecret::new(SIGNING_SECRET)
}

async fn send(walk: &Walk, path: &str, headers: &[(&str, String)], body: Vec<u8>) -> (u16, String) {
    let url = format!("{}{path}", walk.sandbox.addresses().page_url());
    let mut request = walk.client.post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn send_signed(walk: &Walk, path: &str, body: Vec<u8>) -> (u16, String) {
    let timestamp = walk.sandbox.clock().now().unix().to_string();
    let signature = secret().sign(&timestamp, &body);
    let headers = [
        ("content-type", FORM.to_owned()),
        ("x-slack-request-timestamp", timestamp),
        ("x-slack-signature", signature),
    ];
    send(walk, path, &headers, body).await
}

/// Sends an interaction as Slack does.
pub(crate) async fn interaction(walk: &Walk, payload: &Value) -> (u16, String) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let body = form.append_pair("payload", &payload.to_string()).finish();
    send_signed(walk, "/slack/interaction", body.into_bytes()).await
}

pub(crate) async fn signatures(walk: &mut Walk, rows: &[Signature]) {
    for row in rows {
        let now = walk.sandbox.clock().now();
        let timestamp = row.timestamp.as_ref().map(|timestamp| match timestamp {
            toml::Value::Integer(offset) => now.unix().strict_add_signed(*offset).to_string(),
            other => other.as_str().unwrap().to_owned(),
        });
        let body = long(&row.body);
        let good = |body: &str| secret().sign(timestamp.as_deref().unwrap_or_default(), body.as_bytes());
        let signature = row.signature.as_deref().map(|signature| match signature {
            "good" => good(&body),
            "upper" => good(&body).to_ascii_uppercase().replace("V0", "v0"),
            "other body" => good("text=VM3"),
            "no scheme" => good(&body).replace("v0=", ""),
            "v1" => good(&body).replace("v0=", "v1="),
            "cut" => good(&body)[..66].to_owned(),
            other => other.to_owned(),
        });
        let name = format!("timestamp {:?}, signature {:?}", row.timestamp, row.signature);
        let why = verify(&secret(), timestamp.as_deref(), signature.as_deref(), body.as_bytes(), now);
        let why = why.map(drop).map_err(|why| {
            walk.see(&why);
            why.to_string()
        });
        let mut headers = vec![("content-type", FORM.to_owned())];
        headers.extend(timestamp.map(|timestamp| ("x-slack-request-timestamp", timestamp)));
        headers.extend(signature.map(|signature| ("x-slack-signature", signature)));
        for path in ["/slack/command", "/slack/interaction"] {
            let answer = send(walk, path, &headers, body.clone().into_bytes()).await;
            walk.expect(&name, &format!("{} {}", row.status, row.why), &{
                let said = if answer.0 == 401 { answer.1 } else { String::new() };
                format!("{} {}{said}", answer.0, why.clone().err().unwrap_or_default())
            });
            if path == "/slack/interaction" {
                walk.rows -= 1;
            }
            if why.is_ok() {
                break;
            }
        }
    }
}

pub(crate) async fn forms(walk: &mut Walk, rows: &[Form]) {
    for row in rows {
        let mut fields: BTreeMap<&str, &str> = [
            ("team_id", TEAM_ID),
            ("api_app_id", APP_ID),
            ("user_id", "U0ANA"),
            ("command", "/jit"),
            ("text", "help"),
            ("trigger_id", "1.2.3"),
        ]
        .into();
        fields.extend(row.set.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        fields.retain(|name, _| !row.without.iter().any(|other| other == name));
        let body = match &row.body {
            Some(body) => {
                let pieces: Vec<String> = body.split("{ff}").map(long).collect();
                pieces.iter().map(String::as_bytes).collect::<Vec<_>>().join(&0xFF)
            }
            None => {
                let fields = fields.iter().map(|(name, value)| (name, long(value)));
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields).finish().into_bytes()
            }
        };
        let (status, answer) = send_signed(walk, &row.path, body).await;
        let said = serde_json::from_str::<Value>(&answer)
            .map_or(answer, |answer| comparable(answer["text"].as_str().unwrap_or_default()));
        let name = format!("form {:?} without {:?} {:?} to {}", row.set, row.without, row.body, row.path);
        walk.expect(&name, &format!("{} {}", row.status, row.says), &format!("{status} {said}"));
    }
}

pub(crate) async fn payloads(walk: &mut Walk, rows: &[Payload]) {
    let app = App { team_id: TEAM_ID.to_owned(), app_id: APP_ID.to_owned() };
    for row in rows {
        let mut payload = json!({
            "type": "block_actions", "team": {"id": TEAM_ID}, "api_app_id": APP_ID, "user": {"id": "U0BEA"},
            "actions": [{"action_id": "approve", "value": format!("7F3K9-QXM2P.{}", "0".repeat(64))}],
        });
        for (name, value) in &row.set {
            payload[name] = if value == "null" { Value::Null } else { value.clone() };
        }
        let body = match &row.body {
            Some(body) => {
                let pieces: Vec<&[u8]> = body.split("{ff}").map(str::as_bytes).collect();
                pieces.join(&0xFF)
            }
            None => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("payload", &payload.to_string()).finish().into_bytes()
            }
        };
        let signature = secret().sign("1", &body);
        let verified = access::signature::verify_at_any_time(&secret(), "1", &signature, &body).unwrap();
        let why = Click::parse(&verified, &app).err();
        if let Some(why) = &why {
            walk.see(why);
        }
        let (status, said) = send_signed(walk, "/slack/interaction", body.clone()).await;
        let why = why.map_or_else(String::new, |why| why.to_string());
        let name = format!("payload {:?} {:?}", row.set, row.body);
        walk.expect(&name, &format!("{} {}", row.status, row.why), &format!("{status} {why}{said}"));
    }
}

pub(crate) async fn events(walk: &mut Walk, rows: &[Event]) {
    for row in rows {
        let timestamp = walk.sandbox.clock().now().unix().to_string();
        let headers = json!({
            "x-slack-request-timestamp": timestamp,
            "x-slack-signature": secret().sign(&timestamp, row.body.as_bytes()),
        });
        let event = json!({
            "version": "2.0", "rawPath": "/slack/command", "headers": headers, "body": row.body,
            "isBase64Encoded": row.base64,
            "requestContext": {"timeEpoch": 0, "http": {"method": "POST", "path": "/slack/command"}},
        });
        let answer = walk.sandbox.lambda().invoke("request", event).await.unwrap();
        let name = format!("event {:?} base64 {}", row.body, row.base64);
        let got = format!("{} {}", answer["statusCode"], answer["body"].as_str().unwrap());
        walk.expect(&name, &format!("{} ", row.status), &got);
    }
}

pub(crate) async fn controls(walk: &mut Walk, rows: &[Control]) {
    for row in rows {
        let (status, answer) = send(walk, &row.path, &[], row.body.clone().into_bytes()).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let name = format!("{} {}", row.path, row.body);
        let said = answer["error"].as_str().unwrap_or_default();
        walk.expect(&name, &format!("{} {}", row.status, row.says), &format!("{status} {said}"));
    }
}
