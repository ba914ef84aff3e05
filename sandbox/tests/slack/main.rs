//! The simulated Slack and the page, over real HTTP.
#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test that called it")]

mod choosing;
mod hooks;
mod limits;
mod methods;
mod modals;
mod page;
mod sent;
mod view_answers;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use futures::FutureExt;
use sandbox::faults::Faults;
use sandbox::page::{PageState, router};
use sandbox::slack::{Addresses, Options, Slack, world};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

const TOKEN: &str = "xoxb-test";
const SECRET: &str = "a signing secret of the sandbox";
/// 2026-11-23, a moment with milliseconds.
const START_MS: u64 = 1_795_392_000_250;
const CHANNEL: &str = world::CHANNEL_ID;

/// How the app answers what Slack sends.
#[derive(Clone)]
enum Reply {
    Text(u16, String),
    Json(Value),
    Never,
}

/// A request that the app received.
#[derive(Clone)]
struct Sent {
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Sent {
    fn fields(&self) -> HashMap<String, String> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// A simulated Slack with an app behind it and a page before it.
struct World {
    slack: Slack,
    url: String,
    page: String,
    now_ms: Arc<AtomicU64>,
    faults: Faults,
    sent: Arc<Mutex<Vec<Sent>>>,
    reply: Arc<Mutex<Reply>>,
    held: Held,
    client: reqwest::Client,
}

/// Makes the app keep its next answer back: it tells that the request has come, and waits.
type Held = Arc<Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>>;

/// An answer of a server.
struct Got {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or("none").to_owned()
    }
}

fn client() -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

type AppState = (Arc<Mutex<Vec<Sent>>>, Arc<Mutex<Reply>>, Held);

/// The app: notes what comes and answers as it is told to.
async fn app(
    State((sent, reply, held)): State<AppState>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let body = String::from_utf8(body.to_vec()).unwrap();
    sent.lock().unwrap().push(Sent { path: uri.path().to_owned(), headers, body });
    let reply = reply.lock().unwrap().clone();
    let holding = held.lock().unwrap().take();
    if let Some((arrived, gate)) = holding {
        arrived.send(()).unwrap();
        gate.await.unwrap();
    }
    let (status, kind, body) = match reply {
        Reply::Text(status, text) => (status, "text/plain", text),
        Reply::Json(body) => (200, "application/json", body.to_string()),
        Reply::Never => std::future::pending().await,
    };
    Response::builder().status(status).header("content-type", kind).body(Body::from(body)).unwrap()
}

async fn serve(router: axum::Router) -> String {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(socket, router).await });
    url
}

/// What a world may differ in.
struct Setup {
    scopes: Vec<String>,
    data_dir: Option<PathBuf>,
    ack_within: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            scopes: world::SCOPES.map(str::to_owned).to_vec(),
            data_dir: None,
            ack_within: Duration::from_secs(3),
        }
    }
}

impl World {
    async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    async fn with(setup: Setup) -> Self {
        let now_ms = Arc::new(AtomicU64::new(START_MS));
        let clock = now_ms.clone();
        let now: sandbox::slack::NowMs = Arc::new(move || clock.load(Ordering::SeqCst));
        let looks = Arc::new(AtomicU64::new(0));
        let snapshot: sandbox::slack::Snapshot =
            Arc::new(move || json!({ "look": looks.fetch_add(1, Ordering::SeqCst) }));
        let faults = Faults::default();
        let slack = Slack::new(Options {
            now_ms: now.clone(),
            faults: faults.clone(),
            signing_secret: SECRET.to_owned(),
            bot_token: TOKEN.to_owned(),
            scopes: setup.scopes,
            data_dir: setup.data_dir,
            snapshot,
            ack_within: setup.ack_within,
        })
        .unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let reply = Arc::new(Mutex::new(Reply::Text(200, String::new())));
        let held = Held::default();
        let state = (sent.clone(), reply.clone(), held.clone());
        let app = serve(axum::Router::new().fallback(app).with_state(state)).await;
        let url = serve(slack.router()).await;
        let network = Arc::new(|| json!({ "nsgs": [], "machines": [] }));
        let listed = Arc::new(|| async { BTreeMap::new() }.boxed());
        let page = serve(router(PageState { slack: slack.clone(), network, listed, now_ms: now })).await;
        slack.set_addresses(Addresses {
            slack_url: url.clone(),
            command_url: format!("{app}/command"),
            interaction_url: format!("{app}/interaction"),
        });
        Self { slack, url, page, now_ms, faults, sent, reply, held, client: client() }
    }

    fn reply(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    fn pass_ms(&self, milliseconds: u64) {
        self.now_ms.fetch_add(milliseconds, Ordering::SeqCst);
    }

    fn last_sent(&self) -> Sent {
        self.sent.lock().unwrap().last().unwrap().clone()
    }

    async fn got(&self, request: reqwest::RequestBuilder) -> Got {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Got { status, headers, text: response.text().await.unwrap() }
    }

    fn api_request(&self, method: &str, body: &Value) -> reqwest::RequestBuilder {
        self.client
            .post(format!("{}/api/{method}", self.url))
            .bearer_auth(TOKEN)
            .header("content-type", "application/json; charset=utf-8")
            .body(body.to_string())
    }

    async fn call(&self, method: &str, body: Value) -> Got {
        self.got(self.api_request(method, &body)).await
    }

    /// A call that must go well.
    async fn done(&self, method: &str, body: Value) -> Value {
        let got = self.call(method, body).await;
        assert_eq!(got.error(), "none", "{}", got.text);
        assert_eq!((got.status, &got.json()["ok"]), (200, &json!(true)));
        got.json()
    }

    /// The name of the error of a call that must be refused with HTTP 200.
    async fn refused(&self, method: &str, body: Value) -> String {
        let got = self.call(method, body).await;
        assert_eq!((got.status, &got.json()["ok"]), (200, &json!(false)), "{}", got.text);
        got.error()
    }

    async fn respond(&self, url: &str, body: Value) -> Got {
        let request = self.client.post(url).header("content-type", "application/json").body(body.to_string());
        self.got(request).await
    }

    /// What this person sees in a channel now.
    fn seen(&self, viewer: &str, channel: &str) -> Vec<Value> {
        let state = self.slack.state(viewer);
        let conversations = state["conversations"].as_array().unwrap();
        let known = conversations.iter().find(|known| known["id"] == channel);
        known.map(|known| known["messages"].as_array().unwrap().clone()).unwrap_or_default()
    }
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text })
}

fn button(action_id: &str) -> Value {
    json!({ "type": "button", "action_id": action_id, "text": plain("Approve"), "value": "7F3K9-QXM2P" })
}

/// A message with one button, `approve` in the block `decide`.
fn card() -> Value {
    json!({
        "channel": CHANNEL, "text": "VM3 22 for Ana",
        "blocks": [
            { "type": "header", "text": plain("VM3 22 for Ana") },
            { "type": "actions", "block_id": "decide", "elements": [button("approve")] },
        ],
    })
}
