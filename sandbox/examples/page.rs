//! The page with a canned network and a stand-in for the app, to work on how it looks:
//! `cargo run -p sandbox --example page -- 8080`. The cards go through the simulated Web API.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::FutureExt as _;
use sandbox::faults::Faults;
use sandbox::page::{self, PageState, same_site_only};
use sandbox::slack::{Addresses, Options, Slack, world};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const TOKEN: &str = "xoxb-example";
const RULE: &str = "jit-sandbox-7F3K9-QXM2P";

#[derive(Clone)]
struct Stage {
    slack_url: Arc<str>,
    client: reqwest::Client,
    clock: edge::clock::Clock,
    /// When the grant ends, in Unix seconds; 0: nothing is open.
    ends_at: Arc<AtomicU64>,
    /// Where the card is.
    card: Arc<Mutex<(String, String)>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8080), |port| port.parse())?;
    let page_socket = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let slack_socket = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let page_url = format!("http://{}", page_socket.local_addr()?);
    let slack_url = format!("http://{}", slack_socket.local_addr()?);
    let clock = edge::clock::Clock::system();
    let ends_at = Arc::new(AtomicU64::new(0));
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let stage = Stage {
        slack_url: slack_url.as_str().into(),
        client: reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build()?,
        clock: clock.clone(),
        ends_at: ends_at.clone(),
        card: Arc::default(),
    };
    let now_ms = Arc::new({
        let clock = clock.clone();
        move || clock.now_ms()
    });
    let network = Arc::new({
        let clock = clock.clone();
        move || network(ends_at.load(Ordering::SeqCst), clock.now().unix())
    });
    let slack = Slack::new(Options {
        now_ms: now_ms.clone(),
        faults: Faults::default(),
        signing_secret: "example".to_owned(),
        bot_token: TOKEN.to_owned(),
        scopes: world::SCOPES.map(str::to_owned).to_vec(),
        data_dir: None,
        snapshot: network.clone(),
        ack_within: Duration::from_secs(3),
    })?;
    slack.set_addresses(Addresses {
        slack_url,
        command_url: format!("{page_url}/slack/command"),
        interaction_url: format!("{page_url}/slack/interaction"),
    });
    // There is no table here, and so no list of machines.
    let listed = Arc::new(|| async { BTreeMap::new() }.boxed());
    let app = Router::new()
        .route("/slack/command", post(command))
        .route("/slack/interaction", post(interaction))
        .route("/sandbox/clock", post(move_clock).layer(axum::middleware::from_fn(same_site_only)))
        .with_state(stage)
        .merge(page::router(PageState { slack: slack.clone(), network, listed, now_ms }));
    tokio::spawn(async move { axum::serve(slack_socket, slack.router()).await });
    println!("{page_url}");
    axum::serve(page_socket, app).await?;
    Ok(())
}

async fn command(State(stage): State<Stage>, body: Bytes) -> Response {
    let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let user = field("user_id").unwrap_or_default().to_owned();
    if !field("text").unwrap_or_default().starts_with("VM3") {
        return json_answer(&json!({ "text": "I know only `VM3` here. Try `/jit VM3 22`." }));
    }
    tokio::spawn(async move { stage.post_card(&user).await });
    json_answer(&json!({
        "text": "Asked. *Bea* or *Chris* can approve: VM3 port 22 from `203.0.113.7` for 30 minutes. Ref 7F3K9-QXM2P",
    }))
}

async fn interaction(State(stage): State<Stage>, body: Bytes) -> Response {
    let payload = form_urlencoded::parse(&body)
        .find(|(name, _)| name == "payload")
        .map(|(_, value)| value.into_owned());
    let payload: Value = payload.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let user = payload["user"]["id"].as_str().unwrap_or_default().to_owned();
    let approved = payload["actions"][0]["action_id"] == "approve";
    let response_url = payload["response_url"].as_str().unwrap_or_default().to_owned();
    tokio::spawn(async move { stage.decide(&user, approved, &response_url).await });
    ().into_response()
}

async fn move_clock(State(stage): State<Stage>, body: Bytes) -> Response {
    let order: Value = serde_json::from_slice(&body).unwrap_or_default();
    let ends_at = stage.ends_at.load(Ordering::SeqCst);
    let seconds = match order["advance_seconds"].as_u64() {
        Some(seconds) => seconds,
        None => ends_at.saturating_sub(stage.clock.now().unix()) + 1,
    };
    stage.clock.advance_ms(seconds * 1000);
    if ends_at != 0 && stage.clock.now().unix() >= ends_at {
        stage.ends_at.store(0, Ordering::SeqCst);
        stage
            .show("Ended", "The grant has ended. VM3 port 22 is shut: rule `DenyAllInBound` decides.", false)
            .await;
    }
    json_answer(&json!({ "ok": true }))
}

fn json_answer(body: &Value) -> Response {
    ([("content-type", "application/json")], body.to_string()).into_response()
}

impl Stage {
    async fn call(&self, url: &str, body: &Value) -> Value {
        let request = self
            .client
            .post(url)
            .bearer_auth(TOKEN)
            .header("content-type", "application/json; charset=utf-8");
        let Ok(response) = request.body(body.to_string()).send().await else { return Value::Null };
        let text = response.text().await.unwrap_or_default();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if answer["ok"] == false {
            eprintln!("refused: {answer}");
        }
        answer
    }

    async fn post_card(&self, user: &str) {
        let mut card = self.card_body(
            "Waiting",
            &format!("<@{user}> asks for a port. Approve only what you expected."),
            true,
        );
        card["channel"] = json!(world::CHANNEL_ID);
        let answer = self.call(&format!("{}/api/chat.postMessage", self.slack_url), &card).await;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        *self.card.lock().unwrap_or_else(PoisonError::into_inner) = (text("channel"), text("ts"));
    }

    async fn decide(&self, user: &str, approved: bool, response_url: &str) {
        if user == "U0ANA" || user == "U0EVE" {
            let refusal = json!({ "text": "You cannot approve this. <!subteam^S0ONCALL> can.", "replace_original": false });
            self.call(response_url, &refusal).await;
            return;
        }
        if !approved {
            self.show("Denied", &format!("<@{user}> said no. Nothing was opened."), false).await;
            return;
        }
        let ends_at = self.clock.now().unix() + 30 * 60;
        self.ends_at.store(ends_at, Ordering::SeqCst);
        let until = format!("<!date^{ends_at}^{{time}}|30 minutes>");
        let text = format!("Approved by <@{user}>. Open until {until}; Azure can take a minute or two.");
        self.show("Open", &text, false).await;
        let note =
            json!({ "channel": "U0ANA", "text": format!("VM3 port 22 is open for you until {until}.") });
        self.call(&format!("{}/api/chat.postMessage", self.slack_url), &note).await;
    }

    async fn show(&self, state: &str, text: &str, buttons: bool) {
        let (channel, ts) = self.card.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut card = self.card_body(state, text, buttons);
        card["channel"] = json!(channel);
        card["ts"] = json!(ts);
        self.call(&format!("{}/api/chat.update", self.slack_url), &card).await;
    }

    fn card_body(&self, state: &str, text: &str, buttons: bool) -> Value {
        let field =
            |name: &str, value: &str| json!({ "type": "mrkdwn", "text": format!("*{name}*\n{value}") });
        let mut blocks = vec![
            json!({ "type": "header", "text": { "type": "plain_text", "text": "VM3 22 for Ana" } }),
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } }),
            json!({ "type": "section", "fields": [
                field("Machine", "VM3 (`10.0.0.7`)"), field("Port", "22 (ssh)"),
                field("From", "`203.0.113.7`"), field("For", "30 minutes"),
            ] }),
            json!({ "type": "section", "text": { "type": "plain_text", "text": "Because: patching <b>now</b> & *later*" } }),
        ];
        if buttons {
            let button = |action: &str, label: &str, style: &str| {
                json!({ "type": "button", "action_id": action, "style": style, "value": "7F3K9-QXM2P",
                    "text": { "type": "plain_text", "text": label } })
            };
            let mut deny = button("deny", "Deny", "danger");
            deny["confirm"] = json!({
                "title": { "type": "plain_text", "text": "Deny this request?" },
                "text": { "type": "plain_text", "text": "Ana is told that you said no." },
                "confirm": { "type": "plain_text", "text": "Deny" },
                "deny": { "type": "plain_text", "text": "Back" },
                "style": "danger",
            });
            blocks.push(
                json!({ "type": "actions", "elements": [button("approve", "Approve", "primary"), deny] }),
            );
        }
        blocks.push(json!({ "type": "context", "elements": [
            { "type": "mrkdwn", "text": format!("*{state}*") },
            { "type": "mrkdwn", "text": "Ref `7F3K9-QXM2P`" },
        ] }));
        json!({ "text": format!("VM3 22 for Ana: {state}"), "blocks": blocks })
    }
}

fn network(ends_at: u64, now: u64) -> Value {
    let open = ends_at > now;
    let rule = |name: &str, priority: u32, source: &str, destination: &str, ports: &str, access: &str| {
        json!({ "name": name, "priority": priority, "direction": "Inbound", "access": access, "protocol": "Tcp",
            "source": source, "destination": destination, "ports": ports, "description": "",
            "provisioning_state": "Succeeded" })
    };
    let mut rules = vec![
        rule("allow-http", 300, "*", "*", "80", "Allow"),
        rule("AllowVnetInBound", 65000, "VirtualNetwork", "VirtualNetwork", "*", "Allow"),
        rule("AllowAzureLoadBalancerInBound", 65001, "AzureLoadBalancer", "*", "*", "Allow"),
        rule("DenyAllInBound", 65500, "*", "*", "*", "Deny"),
    ];
    if open {
        let mut ours = rule(RULE, 299, "203.0.113.7", "10.0.0.7", "22", "Allow");
        ours["ends_at"] = json!(ends_at);
        rules.push(ours);
    }
    let port = |port: u16, name: &str, address: &str, lets_in: &[&str]| json!({ "port": port, "name": name, "address": address, "listening": !lets_in.is_empty(), "lets_in": lets_in, "allows": lets_in });
    let everybody = ["203.0.113.7", "198.51.100.9"];
    let ssh: &[&str] = if open { &everybody[..1] } else { &[] };
    let machine = |name: &str, os: &str, private: &str, public: Option<&str>, ports: Vec<Value>| {
        json!({ "name": name, "os": os, "resource_id": "", "private_address": private, "public_address": public,
            "nics": [], "ports": ports })
    };
    let windows = |name: &str, private: &str, base: u32| {
        let http = port(80, "http", &format!("127.0.0.1:{}", base + 80), &everybody);
        let rdp = port(3389, "rdp", &format!("127.0.0.1:{}", base + 89), &[]);
        machine(name, "Windows", private, None, vec![http, rdp])
    };
    json!({
        "nsgs": [{ "name": "Contoso-NSG", "id": "", "rules": rules }],
        "machines": [
            windows("VM1", "10.0.0.4", 41000),
            windows("VM2", "10.0.0.5", 42000),
            machine("VM3", "Linux", "10.0.0.7", Some("20.50.10.30"), vec![
                port(22, "ssh", "127.0.0.1:40022", ssh), port(80, "http", "127.0.0.1:40080", &everybody),
            ]),
            windows("VM4", "10.0.0.6", 44000),
        ],
    })
}
