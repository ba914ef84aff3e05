//! One sandbox and the people around it.

use crate::azure::Owner;
use crate::signed::{self, Signed};
use crate::steps;
use access::lifecycle::{Cause, Record};
use aws_sdk_dynamodb::types::AttributeValue;
use edge::store::Stored;
use sandbox::aws::lambda::Failure;
use sandbox::aws::schedule;
use sandbox::host::wiring::{self, World};
use sandbox::host::{Options, Sandbox, Stepped};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Asks.
pub const ANA: &str = "U0ANA";
/// Approves.
pub const BEA: &str = "U0BEA";
/// Approves.
pub const CHRIS: &str = "U0CHRIS";
/// Has no rights.
pub const EVE: &str = "U0EVE";

/// An item of the table.
pub type Item = HashMap<String, AttributeValue>;

/// A directory that is gone after the story.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ajar-story-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A sandbox in which a story is told, mostly over HTTP. It must be ended with [`Story::finish`],
/// which checks what must hold after every story.
pub struct Story {
    sandbox: Option<Sandbox>,
    /// The parts that a test may speak to directly.
    pub world: World,
    /// Azure, as the owner of the subscription.
    pub azure: Owner,
    about: Value,
    http: reqwest::Client,
    policy: String,
    directory: Option<Directory>,
    /// Answers to commands that were typed here and not in the simulated Slack.
    answers: Mutex<Vec<Value>>,
    triggers: AtomicU32,
    pub(crate) dead_letters_expected: bool,
    pub(crate) overlaps_expected: bool,
    pub(crate) forgiven: Option<&'static str>,
    finished: bool,
}

/// An HTTP client; one that connects from a loopback address of its own, where that matters.
pub(crate) fn client(from: Option<IpAddr>) -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.unwrap().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let built = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).local_address(from);
    built.build().unwrap()
}

async fn get(http: &reqwest::Client, url: &str) -> Value {
    let answer = http.get(url).send().await.expect("the sandbox answers");
    assert_eq!(answer.status(), 200, "{url}");
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

impl Story {
    /// Begins in a new sandbox with its own policy.
    pub async fn begin() -> Self {
        Self::start(wiring::POLICY, None).await
    }

    /// Begins with another policy.
    pub async fn begin_with(policy: &str) -> Self {
        Self::start(policy, None).await
    }

    /// Begins in a directory, so that the sandbox can be stopped and started again.
    pub async fn begin_on_disk() -> Self {
        Self::start(wiring::POLICY, Some(Directory::new())).await
    }

    /// Begins in a sandbox that goes step by step, as deployed: see [`Story::begin_stepped`].
    pub async fn begin_in_steps() -> Self {
        Self::begin_stepped(wiring::POLICY, Stepped::default()).await
    }

    /// Begins in a sandbox that goes step by step. [`Story::settle`] does not move its clock, so that what
    /// pauses goes on only with [`Story::advance`].
    pub async fn begin_stepped(policy: &str, stepped: Stepped) -> Self {
        Self::start_as(policy, None, Some(stepped)).await
    }

    async fn start(policy: &str, directory: Option<Directory>) -> Self {
        Self::start_as(policy, directory, None).await
    }

    async fn start_as(policy: &str, directory: Option<Directory>, stepped: Option<Stepped>) -> Self {
        let data_dir = directory.as_ref().map(|directory| directory.0.clone());
        let started = wiring::start(Options { data_dir, stepped, ..Options::default() }, policy).await;
        let (sandbox, world) = started.expect("a sandbox starts");
        // Waiting stories look very often, and always as the owner.
        world.azure.set(|settings| settings.owner_throttled = false);
        let http = client(None);
        let about = get(&http, &format!("{}/sandbox.json", sandbox.addresses().page_url())).await;
        Self {
            azure: Owner::new(http.clone(), &about),
            sandbox: Some(sandbox),
            world,
            about,
            http,
            policy: policy.to_owned(),
            directory,
            answers: Mutex::default(),
            triggers: AtomicU32::default(),
            dead_letters_expected: false,
            overlaps_expected: false,
            forgiven: None,
            finished: false,
        }
    }

    /// Stops the sandbox and starts it again from what it kept.
    pub async fn restart(mut self) -> Self {
        self.sandbox.take().expect("a running sandbox").stop().await;
        self.finished = true;
        let directory = self.directory.take();
        assert!(directory.is_some(), "only a story on disk survives a restart");
        let again = Self::start(&self.policy, directory).await;
        let answers = std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner));
        *again.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers;
        // Slack never gives out a `trigger_id` twice.
        again.triggers.store(self.triggers.load(Ordering::SeqCst), Ordering::SeqCst);
        again
    }

    /// The running sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().expect("a running sandbox")
    }

    pub(crate) fn url(&self, name: &str) -> String {
        self.about[name].as_str().unwrap_or_else(|| panic!("/sandbox.json names {name}")).to_owned()
    }

    /// What `/sandbox.json` says.
    pub(crate) const fn about(&self) -> &Value {
        &self.about
    }

    fn page(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox().addresses().page_url())
    }

    /// The sandbox's clock, Unix seconds.
    pub fn now(&self) -> u64 {
        self.sandbox().clock().now().unix()
    }

    /// Signs as Slack would now.
    pub fn sign(&self, body: String) -> Signed {
        signed::sign(&self.url("signing_secret"), self.now(), body)
    }

    /// Sends a signed request to one of the app's URLs: the status and the body.
    pub async fn deliver(&self, to: &str, signed: &Signed) -> (u16, String) {
        let call = self
            .http
            .post(self.url(to))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-slack-request-timestamp", &signed.timestamp)
            .header("x-slack-signature", &signed.signature)
            .body(signed.body.clone());
        let answer = call.send().await.expect("the app answers");
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Somebody types `/jit` and this text: what the app answers.
    pub async fn ask(&self, user: &str, text: &str) -> String {
        let trigger = format!("{}.{}", self.now(), self.triggers.fetch_add(1, Ordering::SeqCst));
        let body = signed::command(&self.about, user, text, &trigger);
        self.ask_signed(user, &self.sign(body)).await
    }

    /// The same command, as signed once.
    pub async fn ask_signed(&self, user: &str, signed: &Signed) -> String {
        self.typed(user, signed).await.unwrap_or_else(|body| panic!("{body}"))
    }

    /// Somebody types a command: what the app answers.
    ///
    /// # Errors
    /// The app does not answer with 200: its body.
    pub async fn typed(&self, user: &str, signed: &Signed) -> Result<String, String> {
        let (status, body) = self.deliver("slack_command_url", signed).await;
        if status != 200 {
            return Err(body);
        }
        let body: Value = serde_json::from_str(&body).unwrap();
        let text = body["text"].as_str().unwrap_or_default().to_owned();
        let entry = json!({
            "method": "command_answer", "user": user, "at": self.now(), "body": body, "ok": true,
            "network": self.world.azure.state(),
        });
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        Ok(text)
    }

    /// Somebody types `/jit` and this text in the simulated Slack, which gives a `response_url`, so that
    /// the app can answer later too: what it answers at once.
    pub async fn type_in_slack(&self, user: &str, text: &str) -> String {
        let channel = self.about["channel"].as_str().unwrap_or_default();
        let outcome = self.world.slack.command(user, channel, text).await.unwrap();
        outcome.shown.unwrap_or_default()["text"].as_str().unwrap_or_default().to_owned()
    }

    /// Machines are looked for now, and not only at the next quarter of an hour.
    pub async fn discover(&self) {
        self.try_discover().await.unwrap();
    }

    /// As [`Story::discover`], where it may fail.
    ///
    /// # Errors
    /// The invocation failed.
    pub async fn try_discover(&self) -> Result<Value, Failure> {
        let event = schedule::event("discover", self.sandbox().clock().now());
        let outcome = self.sandbox().lambda().invoke("discover", event).await;
        self.settle().await;
        outcome
    }

    /// A slash command's body, to be signed by the test.
    pub fn command(&self, user: &str, text: &str) -> Signed {
        let trigger = format!("{}.{}", self.now(), self.triggers.fetch_add(1, Ordering::SeqCst));
        self.sign(signed::command(&self.about, user, text, &trigger))
    }

    /// Somebody asks, and it is recorded and shown: the request's id.
    pub async fn asked(&self, user: &str, text: &str) -> String {
        let answer = self.ask(user, text).await;
        let id = answer.rsplit_once("Ref ").map(|(_, id)| id.to_owned());
        let id = id.filter(|_| answer.starts_with("You asked for "));
        self.settle().await;
        id.unwrap_or_else(|| panic!("not recorded: {answer}"))
    }

    /// The button of a request's card, as it was when the card last had one: its value.
    pub async fn button(&self, id: &str) -> String {
        self.shown_button(id).await.unwrap_or_else(|| panic!("no card of {id} has had buttons"))
    }

    /// As [`Story::button`]; `None` where no card has had one yet.
    pub async fn shown_button(&self, id: &str) -> Option<String> {
        self.messages().await.into_iter().rev().find_map(|entry| {
            let blocks = entry["body"]["blocks"].as_array()?.clone();
            // Buttons of direct messages are on no card.
            let is_cards = |block: &&Value| {
                let id = block["block_id"].as_str().unwrap_or_default();
                block["type"] == "actions" && !id.starts_with("not-me-")
            };
            let actions = blocks.iter().find(is_cards)?;
            let value = actions["elements"][0]["value"].as_str()?;
            (entry["ok"] == true && value.starts_with(&format!("{id}."))).then(|| value.to_owned())
        })
    }

    /// A click as Slack would sign it now.
    pub async fn signed_click(&self, user: &str, id: &str, action: &str) -> Signed {
        let value = self.button(id).await;
        self.signed_click_on(user, action, &value)
    }

    /// A click as Slack would sign it now, on a button with this value.
    pub fn signed_click_on(&self, user: &str, action: &str, value: &str) -> Signed {
        self.sign(signed::click(&self.about, user, action, value))
    }

    /// A click that Slack signed at another moment.
    pub async fn signed_click_at(&self, user: &str, id: &str, action: &str, at: u64) -> Signed {
        let value = self.button(id).await;
        signed::sign(&self.url("signing_secret"), at, signed::click(&self.about, user, action, &value))
    }

    /// Somebody clicks `approve` or `deny`, and everything that follows is done.
    pub async fn click(&self, user: &str, id: &str, action: &str) {
        let signed = self.signed_click(user, id, action).await;
        let (status, body) = self.deliver("slack_interaction_url", &signed).await;
        assert_eq!((status, body.as_str()), (200, ""));
        self.settle().await;
    }

    /// Somebody clicks in the simulated Slack, which gives a `response_url`, so that the app can tell
    /// the clicker something.
    pub async fn click_in_slack(&self, user: &str, id: &str, action: &str) {
        let card = self.card(id).await;
        let (channel, ts) = (card["channel"].as_str().unwrap(), card["ts"].as_str().unwrap());
        let block = format!("decide-{id}");
        let outcome = self.world.slack.click(user, channel, ts, &block, action).await.unwrap();
        assert_eq!((outcome.status, outcome.error), (Some(200), None));
    }

    /// Waits until everything begun so far has been done.
    pub async fn settle(&self) {
        self.sandbox().settle().await;
    }

    /// Moves the clock and waits until everything that became due has been done.
    pub async fn advance(&self, seconds: u64) {
        self.move_clock(&json!({"advance_seconds": seconds})).await;
    }

    /// Moves the clock just past the next end of a grant.
    pub async fn to_next_end(&self) {
        self.move_clock(&json!({"to_next_end": true})).await;
    }

    async fn move_clock(&self, how: &Value) {
        let answer = self.http.post(self.page("/sandbox/clock")).body(how.to_string()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{text}");
    }

    /// Orders a fault.
    pub async fn fault(&self, fault: Value) {
        let call = self.http.post(self.page("/sandbox/faults")).body(fault.to_string());
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }

    /// Takes back every ordered fault.
    pub async fn no_faults(&self) {
        assert_eq!(self.http.delete(self.page("/sandbox/faults")).send().await.unwrap().status(), 200);
    }

    /// Everything that Slack received, and every answer to a command typed here, in order.
    pub async fn messages(&self) -> Vec<Value> {
        let received = get(&self.http, &self.page("/sandbox/messages")).await;
        let mut all: Vec<Value> = received.as_array().cloned().unwrap_or_default();
        all.extend(self.answers.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        all.sort_by(|a, b| a["at"].as_f64().partial_cmp(&b["at"].as_f64()).unwrap());
        all
    }

    /// What the mappings gave up.
    pub async fn dead_letters(&self) -> Value {
        get(&self.http, &self.page("/sandbox/dead-letters")).await
    }

    /// The card of a request as Slack received it last: the record's entry.
    pub async fn card(&self, id: &str) -> Value {
        let entries = self.messages().await.into_iter().rev();
        let is_card = |entry: &Value| {
            entry["channel"] == self.about["channel"]
                && entry["ok"] == true
                && ["chat.postMessage", "chat.update"].contains(&entry["method"].as_str().unwrap_or_default())
                && entry["body"]["text"].as_str().unwrap_or_default().ends_with(id)
                && entry["body"]["blocks"][0]["type"] == "header"
        };
        entries.into_iter().find(is_card).unwrap_or_else(|| panic!("no card of {id}"))
    }

    /// What the app posted into the channel beside the cards and the steps in their threads: each text, and whether it is
    /// in a thread.
    pub async fn channel_news(&self) -> Vec<(String, bool)> {
        let news = self.beside_cards().await.into_iter();
        news.filter(|(text, _)| !steps::is_steps(text)).collect()
    }

    pub(crate) async fn beside_cards(&self) -> Vec<(String, bool)> {
        let is_news = |entry: &&Value| {
            entry["channel"] == self.about["channel"]
                && entry["ok"] == true
                && entry["method"] == "chat.postMessage"
                && entry["body"]["blocks"][0]["type"] != "header"
        };
        let all = self.messages().await;
        let text = |entry: &Value| entry["body"]["text"].as_str().unwrap_or_default().to_owned();
        let news = all.iter().filter(is_news);
        news.map(|entry| (text(entry), entry["body"]["thread_ts"].is_string())).collect()
    }

    /// The card's text.
    pub async fn says(&self, id: &str) -> String {
        self.card(id).await["body"]["text"].as_str().unwrap_or_default().to_owned()
    }

    /// What the app told one person alone, in order.
    pub async fn told(&self, user: &str) -> Vec<String> {
        let mine = |entry: &Value| {
            entry["body"]["channel"] == user || (entry["user"] == user && entry["method"] == "response_url")
        };
        let all = self.messages().await;
        let texts = all.iter().filter(|entry| mine(entry)).map(|entry| entry["body"]["text"].as_str());
        texts.map(|text| text.unwrap_or_default().to_owned()).collect()
    }

    /// The record as it is.
    pub async fn record(&self, id: &str) -> Record {
        self.world.store.read(id.parse().unwrap()).await.unwrap().expect("a record").record
    }

    /// The record's status.
    pub async fn status(&self, id: &str) -> &'static str {
        self.record(id).await.status()
    }

    /// What the history says, each line as JSON of the event's kind.
    pub async fn history(&self, id: &str) -> Vec<Value> {
        let lines = self.world.store.history(id.parse().unwrap()).await.unwrap();
        lines.iter().map(|line| serde_json::to_value(&line.event.kind).unwrap()).collect()
    }

    /// Ends a grant early through its record, as the function that hears of it would.
    pub async fn revoke(&self, id: &str, by: &str) {
        let store = &self.world.store;
        let before = store.read(id.parse().unwrap()).await.unwrap().expect("a record");
        let cause = Cause::Revoked { by: by.parse().unwrap() };
        let change = before.record.end(cause, self.sandbox().clock().now()).expect("it can be ended");
        assert!(matches!(store.write(&before, &change, false).await.unwrap(), Stored::Yes(_)));
        self.settle().await;
    }

    /// Moves the clock, no farther than needed, until packets meet every rule that is in force.
    pub async fn felt(&self) {
        while let Some(at_ms) = self.world.azure.late_until() {
            let seconds = at_ms.saturating_sub(self.sandbox().clock().now_ms()).div_ceil(1000);
            self.advance(seconds.max(1)).await;
        }
    }

    /// Whether a client's address gets through to a machine's port now.
    pub fn lets_in(&self, machine: &str, port: u16, from: &str) -> bool {
        self.world.azure.reaches(from.parse().unwrap(), machine, port, "Tcp")
    }

    /// Posts a message with the bot's token, past the product.
    pub async fn post_as_bot(&self, body: &Value) {
        let url = format!("{}chat.postMessage", self.url("slack_api_url"));
        let call = self.http.post(url).bearer_auth(self.url("bot_token"));
        let call = call.header("content-type", "application/json; charset=utf-8");
        let answer = call.body(body.to_string()).send().await.unwrap().text().await.unwrap();
        assert!(answer.contains("\"ok\":true"), "{answer}");
    }

    pub(crate) async fn end(mut self) {
        self.finished = true;
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.stop().await;
        }
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if !self.finished && !std::thread::panicking() {
            panic!("a story must end with finish(): what must hold after every story was not checked");
        }
    }
}
