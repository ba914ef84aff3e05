//! What the simulated Slack knows: messages as they are now, and the record of all it received.

use super::limits::Asked;
use super::world::{self, Conversation, Kind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A message as it is now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub channel: String,
    pub ts: String,
    /// User id of the author; the app's is [`world::BOT_USER_ID`].
    pub author: String,
    pub text: String,
    pub blocks: Option<Vec<Value>>,
    /// The only person who sees it, for an ephemeral message.
    pub visible_to: Option<String>,
    /// When it was last changed, as a `ts`.
    pub edited: Option<String>,
    pub thread_ts: Option<String>,
    /// A typed slash command. Slack itself shows it only with an `in_channel` answer; the sandbox's
    /// page also shows it to the person who typed it.
    pub command: bool,
    /// By user: what stands in the elements of the message that have a state, as `state.values`. Slack keeps it for each
    /// person until the message changes.
    #[serde(default)]
    pub entered: BTreeMap<String, Value>,
}

impl Message {
    /// As [`super::form`] reads it: what this person has before them.
    pub(super) fn as_view_of(&self, user: &str) -> Value {
        json!({ "blocks": self.blocks, "state": { "values": self.entered.get(user) } })
    }

    /// What the message shows from now on instead.
    pub(super) fn replace(&mut self, text: String, blocks: Option<Vec<Value>>, edited: String) {
        self.text = text;
        self.blocks = blocks;
        self.edited = Some(edited);
        self.entered.clear();
    }

    /// The message as the Web API and payloads show it.
    pub(super) fn as_slack_shows_it(&self) -> Value {
        let mut shown = json!({
            "type": "message", "user": self.author, "ts": self.ts, "text": self.text, "team": world::TEAM_ID,
        });
        if self.author == world::BOT_USER_ID {
            shown["bot_id"] = json!(world::BOT_ID);
            shown["app_id"] = json!(world::APP_ID);
        }
        if let Some(blocks) = &self.blocks {
            shown["blocks"] = json!(blocks);
        }
        if let Some(thread) = &self.thread_ts {
            shown["thread_ts"] = json!(thread);
        }
        if let Some(ts) = &self.edited {
            shown["edited"] = json!({ "user": self.author, "ts": ts });
        }
        shown
    }
}

/// A `trigger_id` that was sent to the app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Trigger {
    pub user: String,
    pub sent_at_ms: u64,
    pub used: bool,
}

/// A `response_url` that was sent to the app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hook {
    pub channel: String,
    pub user: String,
    /// The clicked message; a slash command has none.
    pub original: Option<String>,
    pub made_at_ms: u64,
    pub uses: u32,
}

/// A call of the app, or an answer of its, to be put on record.
pub(super) struct Received<'a> {
    pub method: &'a str,
    pub user: Option<&'a str>,
    pub channel: Option<&'a str>,
    pub ts: Option<&'a str>,
    pub body: &'a Value,
    pub error: Option<&'a str>,
}

/// Everything that survives a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Store {
    /// Counts everything that needs a name of its own.
    counter: u64,
    /// The last `ts`, in microseconds.
    last_ts_us: u64,
    pub conversations: BTreeMap<String, Conversation>,
    pub messages: Vec<Message>,
    pub record: Vec<Value>,
    pub triggers: BTreeMap<String, Trigger>,
    pub hooks: BTreeMap<String, Hook>,
    /// By user: the views of the modal that is open, as Slack shows them to the app; the person sees
    /// the last one. What was entered when a view was submitted is in its `state`.
    #[serde(default)]
    pub modals: BTreeMap<String, Vec<Value>>,
    /// How much the app has asked for.
    #[serde(default)]
    pub asked: Asked,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            counter: 0,
            last_ts_us: 0,
            conversations: world::conversations(),
            messages: Vec::new(),
            record: Vec::new(),
            triggers: BTreeMap::new(),
            hooks: BTreeMap::new(),
            modals: BTreeMap::new(),
            asked: Asked::default(),
        }
    }

    /// A number that was not given out before.
    pub(super) fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A `ts` that no message has yet: seconds, a dot, microseconds.
    pub(super) fn next_ts(&mut self, now_ms: u64) -> String {
        self.last_ts_us = (now_ms * 1000).max(self.last_ts_us + 1);
        format!("{}.{:06}", self.last_ts_us / 1_000_000, self.last_ts_us % 1_000_000)
    }

    /// The direct messages between the app and one person, opened now if they never were.
    pub(super) fn dm(&mut self, user: &str) -> String {
        let id = format!("D{}", user.trim_start_matches(['U', 'W']));
        self.conversations.entry(id.clone()).or_insert_with(|| Conversation {
            name: "directmessage".to_owned(),
            kind: Kind::Dm,
            members: vec![user.to_owned()],
            archived: false,
            has_app: true,
        });
        id
    }

    /// The direct messages between the app and several people; the same people, the same id.
    pub(super) fn group_dm(&mut self, users: &[String]) -> String {
        let mut members = users.to_vec();
        members.sort();
        let known = self
            .conversations
            .iter()
            .find(|(_, known)| known.kind == Kind::Group && known.members == members);
        if let Some((id, _)) = known {
            return id.clone();
        }
        let id = format!("G0{:06}", self.next_number());
        let group = Conversation {
            name: "mpdm".to_owned(),
            kind: Kind::Group,
            members,
            archived: false,
            has_app: true,
        };
        self.conversations.insert(id.clone(), group);
        id
    }

    /// Whether this person is in this conversation.
    pub(super) fn is_member(&self, channel: &str, user: &str) -> bool {
        self.conversations.get(channel).is_some_and(|known| known.members.iter().any(|member| member == user))
    }

    /// A message, by its place.
    pub(super) fn message_mut(&mut self, channel: &str, ts: &str) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.channel == channel && message.ts == ts)
    }

    /// A message that this person sees.
    pub(super) fn message_seen_by(&self, user: &str, channel: &str, ts: &str) -> Option<&Message> {
        self.messages.iter().find(|message| {
            message.channel == channel
                && message.ts == ts
                && message.visible_to.as_deref().is_none_or(|only| only == user)
        })
    }

    /// The view that this person sees.
    pub(super) fn view_of(&self, user: &str) -> Option<&Value> {
        self.modals.get(user)?.last()
    }

    /// Puts something on record.
    pub(super) fn received(&mut self, at_ms: u64, network: &Value, call: &Received<'_>) {
        let seq = self.record.len() + 1;
        self.record.push(json!({
            "seq": seq,
            "at": json!(at_ms as f64 / 1000.0),
            "method": call.method,
            "user": call.user,
            "channel": call.channel,
            "ts": call.ts,
            "body": call.body,
            "ok": call.error.is_none(),
            "error": call.error,
            "network": network,
        }));
    }

    /// What one person sees now.
    pub(super) fn seen_by(&self, viewer: &str) -> Value {
        let conversations: Vec<Value> = self
            .conversations
            .iter()
            .filter(|(id, known)| !known.archived && self.is_member(id, viewer))
            .map(|(id, known)| {
                let messages: Vec<Value> = self
                    .messages
                    .iter()
                    .filter(|message| message.channel == *id)
                    .filter(|message| message.visible_to.as_deref().is_none_or(|only| only == viewer))
                    .map(|message| {
                        let mut shown = message.as_slack_shows_it();
                        shown["ephemeral"] = json!(message.visible_to.is_some());
                        shown["command"] = json!(message.command);
                        if let Some(entered) = message.entered.get(viewer) {
                            shown["state"] = json!({ "values": entered });
                        }
                        shown
                    })
                    .collect();
                json!({
                    "id": id, "name": known.name, "kind": known.kind, "has_app": known.has_app,
                    "messages": messages,
                })
            })
            .collect();
        json!({ "conversations": conversations, "view": self.view_of(viewer) })
    }
}

/// Where the store is kept, or nowhere.
pub(super) struct Disk(Option<PathBuf>);

impl Disk {
    /// Keeps the store as `slack.json` in this directory, which must exist.
    pub(super) fn new(directory: Option<&Path>) -> Self {
        Self(directory.map(|directory| directory.join("slack.json")))
    }

    /// What was kept, or a new store.
    pub(super) fn load(&self) -> std::io::Result<Store> {
        let Some(path) = &self.0 else { return Ok(Store::new()) };
        match std::fs::read(path) {
            Ok(kept) => Ok(serde_json::from_slice(&kept)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Store::new()),
            Err(error) => Err(error),
        }
    }

    /// Keeps the store; whoever reads sees the old file or the new one, never a part of it.
    pub(super) fn save(&self, store: &Store) -> std::io::Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        let beside = path.with_extension("json.new");
        std::fs::write(&beside, serde_json::to_vec(store)?)?;
        std::fs::rename(&beside, path)
    }
}
