//! A simulated Slack workspace: the Web API and `response_url`s as a real HTTP server, as strict as
//! the original, and the slash commands and clicks that Slack sends, signed as Slack signs them.
//!
//! What it keeps is what people would see ([`Slack::state`]) and, for tests, everything the app sent
//! together with what the network looked like at that instant ([`Slack::messages`]).
//!
//! `block_id`: Slack advises a new one for each update of a message and does not refuse the old one;
//! neither does this simulator.

mod blocks;
mod check;
mod choosing;
mod elements;
mod form;
mod hooks;
mod limits;
mod methods;
mod outgoing;
pub(crate) mod recording;
mod serve;
mod store;
mod submitting;
mod views;
pub mod world;

pub use choosing::NotChosen;
pub use form::{FieldProblem, WhyNot};
pub use outgoing::{ClickOutcome, CommandOutcome, NotPossible};
pub use submitting::{CloseOutcome, NotSubmitted, SubmitOutcome};

use crate::faults::Faults;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Disk, Message, Received, Store, Trigger};

/// The time, in milliseconds since the Unix epoch.
pub type NowMs = Arc<dyn Fn() -> u64 + Send + Sync>;
/// What the network looks like at this instant. It is called while the simulator's lock is held, so
/// it must not call the simulator.
pub type Snapshot = Arc<dyn Fn() -> Value + Send + Sync>;

/// What a simulated Slack needs to know.
#[derive(Clone)]
pub struct Options {
    /// The clock: timestamps, signatures and lifetimes follow it.
    pub now_ms: NowMs,
    /// Failures ordered for the next calls ([`crate::faults::Part::Slack`]).
    pub faults: Faults,
    /// The key that requests to the app are signed with.
    pub signing_secret: String,
    /// The bot token that the Web API accepts (`xoxb-...`).
    pub bot_token: String,
    /// The bot scopes the app is installed with; usually [`world::SCOPES`].
    pub scopes: Vec<String>,
    /// Where everything is kept over a restart; `None`: in memory only.
    pub data_dir: Option<PathBuf>,
    /// Called for every entry of [`Slack::messages`].
    pub snapshot: Snapshot,
    /// Real time within which the app must answer; Slack's is three seconds.
    pub ack_within: Duration,
}

/// Where things listen: known only after their sockets are bound.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// This simulator (`http://127.0.0.1:8082`): the start of every `response_url`.
    pub slack_url: String,
    /// The app's request URL of the slash command.
    pub command_url: String,
    /// The app's request URL of interactivity.
    pub interaction_url: String,
}

/// The simulated workspace. Clones are the same workspace.
#[derive(Clone)]
pub struct Slack(Arc<Inner>);

struct Inner {
    options: Options,
    addresses: Mutex<Addresses>,
    store: Mutex<Store>,
    limited: AtomicBool,
    bot_token: Mutex<String>,
    disk: Disk,
    client: reqwest::Client,
}

impl Slack {
    /// A workspace, as it was kept in `data_dir` if something was.
    ///
    /// # Errors
    ///
    /// When what was kept cannot be read, or the HTTP client cannot be built.
    pub fn new(options: Options) -> std::io::Result<Self> {
        let disk = Disk::new(options.data_dir.as_deref());
        let store = disk.load()?;
        // Said here because a client without a process-wide TLS provider cannot be built; all
        // addresses are plain HTTP on loopback.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("Slackbot 1.0 (+https://api.slack.com/robots)")
            .build()
            .map_err(std::io::Error::other)?;
        let bot_token = Mutex::new(options.bot_token.clone());
        Ok(Self(Arc::new(Inner {
            bot_token,
            options,
            addresses: Mutex::default(),
            store: Mutex::new(store),
            limited: AtomicBool::new(false),
            disk,
            client,
        })))
    }

    /// Tells where everything listens. Until then nothing can be sent to the app.
    pub fn set_addresses(&self, addresses: Addresses) {
        *self.0.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// The app was installed anew: it has another token, and the one before is none any more.
    pub fn set_bot_token(&self, token: &str) {
        token.clone_into(&mut self.0.bot_token.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// From now on refuses with 429 (`ratelimited`) what Slack's rate limits do not let an app ask for, by the sandbox's
    /// clock: a message a second in a channel, and each method so often a minute. The sandbox starts without, because
    /// Slack lets short bursts pass and does not say how long ones.
    pub fn limit_rates(&self) {
        self.0.limited.store(true, Ordering::SeqCst);
    }

    /// The Web API (`POST /api/<method>`) and the `response_url`s.
    pub fn router(&self) -> axum::Router {
        serve::router(self)
    }

    /// Everything that the app sent and that people could see or that was refused, in order: each
    /// message, update, ephemeral message, answer to a command, `response_url` post, view and answer
    /// to a submitted view that was not empty. An entry has `seq`, `at` (Unix seconds), `method` (a
    /// Web API method, `response_url`, `command_answer` or `view_answer`), `user`, `channel`, `ts`, `body` as received, `ok`, `error`, and `network`
    /// as it was at that instant.
    pub fn messages(&self) -> Vec<Value> {
        self.0.store().record.clone()
    }

    /// What one person sees now: the conversations that the person is in with their messages, own
    /// ephemeral ones included, and as `view` the modal that is open for the person, as the app knows
    /// it. Its `state.values` is what the person had entered when submitting it last.
    pub fn state(&self, viewer: &str) -> Value {
        self.0.store().seen_by(viewer)
    }

    /// The signature that Slack puts on a request (docs.slack.dev, authentication/verifying-requests).
    pub fn sign(&self, timestamp: u64, body: &str) -> String {
        format!("v0={}", self.0.mac(&format!("v0:{timestamp}:{body}")))
    }
}

impl Inner {
    fn now_ms(&self) -> u64 {
        (self.options.now_ms)()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn addresses(&self) -> Addresses {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// HMAC-SHA256 under the signing secret, in lower-case hex.
    fn mac(&self, text: &str) -> String {
        // A key of any length is fine for HMAC; the error type exists for fixed-length MACs.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.options.signing_secret.as_bytes()) else {
            return String::new();
        };
        mac.update(text.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// A name nobody can guess and that was not given out before.
    fn unguessable(&self, store: &mut Store, purpose: &str) -> String {
        let number = store.next_number();
        self.mac(&format!("{purpose}:{number}:{}", self.now_ms()))[..32].to_owned()
    }

    fn new_trigger(&self, store: &mut Store, user: &str) -> String {
        let number = store.next_number();
        let id = format!("{}.{number}.{}", self.now_ms(), self.unguessable(store, "trigger"));
        let trigger = Trigger { user: user.to_owned(), sent_at_ms: self.now_ms(), used: false };
        store.triggers.insert(id.clone(), trigger);
        id
    }

    /// Blocks as Slack keeps them.
    fn filled_in(&self, store: &mut Store, blocks: Vec<Value>) -> Vec<Value> {
        blocks::filled_in(blocks, &mut || self.unguessable(store, "block")[..5].to_owned())
    }

    /// Adds a message and returns its `ts`.
    fn post(&self, store: &mut Store, mut message: Message) -> String {
        message.ts = store.next_ts(self.now_ms());
        message.blocks = message.blocks.map(|blocks| self.filled_in(store, blocks));
        let ts = message.ts.clone();
        store.messages.push(message);
        ts
    }

    /// Puts something on record, with the network as it is now.
    fn record(&self, store: &mut Store, call: &Received<'_>) {
        let network = (self.options.snapshot)();
        store.received(self.now_ms(), &network, call);
    }

    /// Keeps everything. A full disk must not stop the story; it is said in the log.
    fn save(&self, store: &Store) {
        if let Err(error) = self.disk.save(store) {
            tracing::error!(%error, "the simulated Slack could not be saved");
        }
    }
}

/// A message of the app, before it has a `ts`.
fn app_message(channel: &str, text: String, blocks: Option<Vec<Value>>, visible_to: Option<&str>) -> Message {
    Message {
        channel: channel.to_owned(),
        ts: String::new(),
        author: world::BOT_USER_ID.to_owned(),
        text,
        blocks,
        visible_to: visible_to.map(str::to_owned),
        edited: None,
        thread_ts: None,
        command: false,
        entered: BTreeMap::new(),
    }
}

/// The people of the workspace, for the page.
pub fn people() -> Value {
    world::PEOPLE
        .iter()
        .map(|person| json!({ "id": person.id, "name": person.name, "handle": person.handle, "role": person.role }))
        .collect()
}
