//! What Slack sends to the app: slash commands and clicks, signed, with three seconds to answer
//! (docs.slack.dev, interactivity/implementing-slash-commands, handling-user-interaction).

use super::hooks::{is_ephemeral, new_hook};
use super::methods::Content;
use super::serve::Arguments;
use super::store::{Hook, Message, Received, Store};
use super::world;
use super::{Slack, app_message, blocks, form};
use serde_json::{Value, json};

/// Why a person cannot do this in Slack at all; nothing was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotPossible {
    /// Nobody with this id is in the workspace.
    #[error("nobody with this id is in the workspace")]
    NoSuchPerson,
    /// The person is not in such a conversation.
    #[error("this person is in no such conversation")]
    NotInChannel,
    /// The person sees no such message, or it has no such button now.
    #[error("this person sees no message with this button now")]
    NoSuchButton,
    /// No modal is open for the person.
    #[error("no modal is open for this person")]
    NoView,
    /// The modal has no button to submit it with.
    #[error("this modal cannot be submitted")]
    NoSubmit,
    /// [`Slack::set_addresses`] was not called.
    #[error("the app's request URLs are not known yet")]
    NoAddress,
}

/// What became of a slash command.
#[derive(Clone, Debug)]
pub struct CommandOutcome {
    /// The HTTP status of the app's answer; `None` when none came in time.
    pub status: Option<u16>,
    /// Slack's name for the failure that the person is shown; `None` when it went well.
    pub error: Option<&'static str>,
    /// The message that the person sees as a result, as it is now; `None` for an empty answer.
    pub shown: Option<Value>,
    /// The `response_url` that was sent.
    pub response_url: String,
    /// The `trigger_id` that was sent.
    pub trigger_id: String,
}

/// What became of a click.
#[derive(Clone, Debug)]
pub struct ClickOutcome {
    /// The HTTP status of the app's answer; `None` when none came in time.
    pub status: Option<u16>,
    /// Slack's name for the failure; the person sees a warning beside the message. `None` when the
    /// app took the click.
    pub error: Option<&'static str>,
    /// The `response_url` that was sent.
    pub response_url: String,
    /// The `trigger_id` that was sent.
    pub trigger_id: String,
}

/// An answer of the app.
pub(super) struct Reply {
    pub status: u16,
    /// Whether it says that it is JSON.
    pub json: bool,
    pub body: Vec<u8>,
}

/// A message that somebody sees, and the address that hears of what is done with it.
pub(super) struct Place {
    person: &'static world::Person,
    url: String,
    channel_name: String,
    pub message: Message,
}

/// What Slack is about to send of an interaction with a message.
pub(super) struct Sending {
    url: String,
    payload: Value,
    response_url: String,
    trigger_id: String,
}

impl Slack {
    /// Somebody types `/jit` and this text. Returns when the app has answered or the time is over;
    /// what the person sees then is already in [`Slack::state`]. Dropping the future does not take
    /// the command back.
    ///
    /// # Errors
    ///
    /// When Slack would not let the person do this.
    pub async fn command(
        &self,
        user: &str,
        channel: &str,
        text: &str,
    ) -> Result<CommandOutcome, NotPossible> {
        let person = world::person(user).ok_or(NotPossible::NoSuchPerson)?;
        let url = self.0.addresses().command_url;
        if url.is_empty() {
            return Err(NotPossible::NoAddress);
        }
        let text = text.trim();
        let (response_url, trigger_id, name, typed_ts) = {
            let mut store = self.0.store();
            if !store.is_member(channel, user) {
                return Err(NotPossible::NotInChannel);
            }
            let name = store.conversations.get(channel).map(|known| known.name.clone()).unwrap_or_default();
            let typed = format!("{} {}", world::COMMAND, escape(text));
            let typed = person_message(channel, user, typed.trim_end().to_owned(), true);
            let typed_ts = self.0.post(&mut store, typed);
            let hook = Hook {
                channel: channel.to_owned(),
                user: user.to_owned(),
                original: None,
                made_at_ms: self.0.now_ms(),
                uses: 0,
            };
            let response_url = new_hook(&self.0, &mut store, "commands", hook);
            let trigger_id = self.0.new_trigger(&mut store, user);
            self.0.save(&store);
            (response_url, trigger_id, name, typed_ts)
        };
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", "deprecated-verification-token")
            .append_pair("team_id", world::TEAM_ID)
            .append_pair("team_domain", world::TEAM_DOMAIN)
            .append_pair("channel_id", channel)
            .append_pair("channel_name", &name)
            .append_pair("user_id", user)
            .append_pair("user_name", person.handle)
            .append_pair("command", world::COMMAND)
            .append_pair("text", text)
            .append_pair("api_app_id", world::APP_ID)
            .append_pair("is_enterprise_install", "false")
            .append_pair("response_url", &response_url)
            .append_pair("trigger_id", &trigger_id)
            .finish();
        let (slack, user, channel) = (self.clone(), user.to_owned(), channel.to_owned());
        let delivery = tokio::spawn(async move {
            let reply = slack.deliver(&url, body).await;
            let status = reply.as_ref().ok().map(|reply| reply.status);
            let (error, shown) = match reply.and_then(acknowledged) {
                Ok(reply) => slack.command_answer(&user, &channel, &typed_ts, &reply),
                Err(error) => (Some(error), None),
            };
            let shown = match error {
                Some(error) => Some(slack.command_failed(&user, &channel, error)),
                None => shown,
            };
            (status, error, shown)
        });
        let (status, error, shown) = delivery.await.unwrap_or((None, Some("internal_error"), None));
        Ok(CommandOutcome { status, error, shown, response_url, trigger_id })
    }

    /// Somebody clicks a button of a message that the person sees and that has this button now.
    /// Returns when the app has answered or the time is over.
    ///
    /// # Errors
    ///
    /// When the person could not click that in Slack.
    pub async fn click(
        &self,
        user: &str,
        channel: &str,
        message_ts: &str,
        block_id: &str,
        action_id: &str,
    ) -> Result<ClickOutcome, NotPossible> {
        let sending = {
            let mut store = self.0.store();
            let place = self.place(&store, user, channel, message_ts)?;
            let blocks = place.message.blocks.as_deref().unwrap_or_default();
            let button = blocks::find_button(blocks, block_id, action_id).ok_or(NotPossible::NoSuchButton)?;
            let mut action = json!({
                "type": "button", "action_id": action_id, "block_id": block_id, "text": button["text"],
            });
            for optional in ["value", "style", "url", "confirm"] {
                if let Some(value) = button.get(optional) {
                    action[optional] = value.clone();
                }
            }
            self.block_action(&mut store, place, action)
        };
        Ok(self.act(sending).await)
    }

    /// A message that this person sees and can do something with.
    pub(super) fn place(
        &self,
        store: &Store,
        user: &str,
        channel: &str,
        message_ts: &str,
    ) -> Result<Place, NotPossible> {
        let person = world::person(user).ok_or(NotPossible::NoSuchPerson)?;
        let url = self.0.addresses().interaction_url;
        if url.is_empty() {
            return Err(NotPossible::NoAddress);
        }
        let known = store.conversations.get(channel).filter(|_| store.is_member(channel, user));
        let channel_name = known.ok_or(NotPossible::NotInChannel)?.name.clone();
        let message =
            store.message_seen_by(user, channel, message_ts).cloned().ok_or(NotPossible::NoSuchButton)?;
        Ok(Place { person, url, channel_name, message })
    }

    /// What Slack sends when something was done with an element of a message: with it goes what stands in all elements
    /// of the message for this person.
    pub(super) fn block_action(&self, store: &mut Store, place: Place, mut action: Value) -> Sending {
        let Place { person, url, channel_name, message } = place;
        action["action_ts"] = json!(store.next_ts(self.0.now_ms()));
        let hook = Hook {
            channel: message.channel.clone(),
            user: person.id.to_owned(),
            original: Some(message.ts.clone()),
            made_at_ms: self.0.now_ms(),
            uses: 0,
        };
        let response_url = new_hook(&self.0, store, "actions", hook);
        let trigger_id = self.0.new_trigger(store, person.id);
        self.0.save(store);
        let ephemeral = message.visible_to.is_some();
        let mut payload = with_sender(
            person,
            json!({
                "type": "block_actions",
                "container": {
                    "type": "message", "message_ts": message.ts, "channel_id": message.channel,
                    "is_ephemeral": ephemeral,
                },
                "trigger_id": trigger_id,
                "channel": { "id": message.channel, "name": channel_name },
                "state": { "values": form::values(&message.as_view_of(person.id)) },
                "response_url": response_url,
                "actions": [action],
            }),
        );
        if !ephemeral {
            payload["message"] = message.as_slack_shows_it();
        }
        Sending { url, payload, response_url, trigger_id }
    }

    /// Sends it, and waits for the answer. Dropping the future does not take it back.
    pub(super) async fn act(&self, sending: Sending) -> ClickOutcome {
        let Sending { url, payload, response_url, trigger_id } = sending;
        let slack = self.clone();
        let delivery = tokio::spawn(async move { slack.interact(&url, &payload).await });
        let reply = delivery.await.unwrap_or(Err("internal_error"));
        let status = reply.as_ref().ok().map(|reply| reply.status);
        let error = reply.and_then(acknowledged).err();
        ClickOutcome { status, error, response_url, trigger_id }
    }

    /// Somebody writes an ordinary message. The app does not hear of it: it subscribes to no events.
    ///
    /// # Errors
    ///
    /// When the person is in no such conversation.
    pub fn say(&self, user: &str, channel: &str, text: &str) -> Result<(), NotPossible> {
        world::person(user).ok_or(NotPossible::NoSuchPerson)?;
        let mut store = self.0.store();
        if !store.is_member(channel, user) {
            return Err(NotPossible::NotInChannel);
        }
        self.0.post(&mut store, person_message(channel, user, escape(text), false));
        self.0.save(&store);
        Ok(())
    }

    /// Sends the payload of an interaction.
    pub(super) async fn interact(&self, url: &str, payload: &Value) -> Result<Reply, &'static str> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &payload.to_string())
            .finish();
        self.deliver(url, body).await
    }

    /// Posts a signed form and waits for the answer as long as Slack does.
    async fn deliver(&self, url: &str, body: String) -> Result<Reply, &'static str> {
        let timestamp = self.0.now_ms() / 1000;
        let request = self
            .0
            .client
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json,*/*")
            .header("X-Slack-Request-Timestamp", timestamp.to_string())
            .header("X-Slack-Signature", self.sign(timestamp, &body))
            .body(body);
        let exchange = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
            let json = kind.is_some_and(|kind| kind.starts_with("application/json"));
            Ok::<_, reqwest::Error>(Reply { status, json, body: response.bytes().await?.to_vec() })
        };
        match tokio::time::timeout(self.0.options.ack_within, exchange).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) => Err("dispatch_failed"),
            Err(_) => Err("operation_timeout"),
        }
    }

    /// Shows the app's answer to a command. Returns what is wrong with it, and the message.
    fn command_answer(
        &self,
        user: &str,
        channel: &str,
        typed_ts: &str,
        reply: &Reply,
    ) -> (Option<&'static str>, Option<Value>) {
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        if text.is_empty() {
            return (None, None);
        }
        let body = match (reply.json, serde_json::from_str::<Value>(&text)) {
            (true, Ok(body)) => body,
            (true, Err(_)) => Value::Null,
            (false, _) => json!({ "text": text }),
        };
        // An object without anything to show is an acknowledgement, like an empty body.
        if body.as_object().is_some_and(|body| !body.contains_key("text") && !body.contains_key("blocks")) {
            return (None, None);
        }
        let content = if body.is_object() {
            let arguments = Arguments(body.clone());
            Content::read(&arguments).and_then(Content::required).ok().zip(is_ephemeral(&body).ok())
        } else {
            None
        };
        let mut store = self.0.store();
        let Some((content, ephemeral)) = content else {
            let raw = json!(text);
            let error = "invalid_command_response";
            let received = Received {
                method: "command_answer",
                user: Some(user),
                channel: Some(channel),
                ts: None,
                body: if body.is_null() { &raw } else { &body },
                error: Some(error),
            };
            self.0.record(&mut store, &received);
            self.0.save(&store);
            return (Some(error), None);
        };
        let visible_to = ephemeral.then_some(user);
        if !ephemeral {
            // An answer for everybody shows everybody the command too.
            if let Some(typed) = store.message_mut(channel, typed_ts) {
                typed.visible_to = None;
            }
        }
        let message = app_message(channel, content.text.unwrap_or_default(), content.blocks, visible_to);
        let ts = self.0.post(&mut store, message);
        let received = Received {
            method: "command_answer",
            user: visible_to,
            channel: Some(channel),
            ts: Some(&ts),
            body: &body,
            error: None,
        };
        self.0.record(&mut store, &received);
        self.0.save(&store);
        (None, store.message_mut(channel, &ts).map(|message| message.as_slack_shows_it()))
    }

    /// Slackbot tells the person that the command failed.
    fn command_failed(&self, user: &str, channel: &str, error: &str) -> Value {
        let mut store = self.0.store();
        let text = format!("{} failed with the error \"{error}\"", world::COMMAND);
        let mut message = person_message(channel, world::SLACKBOT_ID, text, false);
        message.visible_to = Some(user.to_owned());
        let ts = self.0.post(&mut store, message);
        self.0.save(&store);
        store.message_mut(channel, &ts).map(|message| message.as_slack_shows_it()).unwrap_or_default()
    }

    /// The direct messages of a person with the app, opened if they never were: its channel id.
    pub fn direct_messages(&self, user: &str) -> Option<String> {
        world::person(user)?;
        let mut store = self.0.store();
        let id = store.dm(user);
        self.0.save(&store);
        Some(id)
    }
}

/// The payload of an interaction, with what all of them say: who did it, where, and to which app.
pub(super) fn with_sender(person: &world::Person, mut payload: Value) -> Value {
    payload["user"] = json!({
        "id": person.id, "username": person.handle, "name": person.handle, "team_id": world::TEAM_ID,
    });
    payload["api_app_id"] = json!(world::APP_ID);
    payload["token"] = json!("deprecated-verification-token");
    payload["team"] = json!({ "id": world::TEAM_ID, "domain": world::TEAM_DOMAIN });
    payload["enterprise"] = Value::Null;
    payload["is_enterprise_install"] = json!(false);
    payload
}

/// Slack takes nothing but 200.
pub(super) fn acknowledged(reply: Reply) -> Result<Reply, &'static str> {
    match reply.status {
        200 => Ok(reply),
        400..=499 => Err("http_client_error"),
        _ => Err("http_service_error"),
    }
}

/// What a person wrote, before it has a `ts`. A command is seen by its author only.
fn person_message(channel: &str, author: &str, text: String, command: bool) -> Message {
    Message {
        author: author.to_owned(),
        command,
        visible_to: command.then(|| author.to_owned()),
        ..app_message(channel, text, None, None)
    }
}

/// As Slack keeps what people type: the three characters that its markup uses
/// (docs.slack.dev, messaging/formatting-message-text#escaping).
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
