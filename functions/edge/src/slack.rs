//! Slack's Web API and the addresses to which sentences for one person go.

use crate::config::{ConfigError, Environment};
use crate::secrets::{AGAIN_SECONDS, SlackSecrets};
use access::policy::Groups;
use access::request::UserId;
use access::unsaid::{self, Unsaid};
use access::wording::Message;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

mod token;

pub use token::{Introduced, Token};

/// Where Slack's Web API is.
const API: &str = "https://slack.com/api/";

/// A client in the name of the app's bot.
#[derive(Clone)]
pub struct Slack {
    client: reqwest::Client,
    api: reqwest::Url,
    secrets: SlackSecrets,
}

/// Why Slack did not do what was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SlackError {
    /// Too many requests; Slack says when to come back.
    #[error("Slack wants us to wait {0} s")]
    RateLimited(u64),
    /// Slack answered with an error.
    #[error("Slack answered {0}")]
    Refused(String),
    /// No answer, or one that cannot be read: it may or may not have been done.
    #[error("no answer from Slack")]
    NoAnswer,
    /// Not an address of Slack's.
    #[error("the response_url is not one of Slack's")]
    NotSlack,
}

impl SlackError {
    /// What is to be done about it.
    pub fn outcome(&self) -> Unsaid {
        match self {
            Self::RateLimited(_) => Unsaid::Later,
            Self::Refused(code) => unsaid::outcome(code),
            Self::NoAnswer => Unsaid::MaybeSaid,
            Self::NotSlack => Unsaid::Nobody,
        }
    }
}

/// Where a message is.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Posted {
    /// The channel's id.
    pub channel: String,
    /// The message's timestamp, its name within the channel.
    pub ts: String,
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    error: Option<String>,
    #[serde(flatten)]
    rest: Value,
}

/// What Slack says of a token that is none, or none any more (docs.slack.dev, errors of `auth.test`).
const TOKEN_ERRORS: [&str; 4] = ["invalid_auth", "account_inactive", "token_revoked", "token_expired"];

/// Hosts that Slack gives out in `response_url` (docs.slack.dev, and GovSlack).
const RESPONSE_HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

impl Slack {
    /// With the bot's token of these secrets, at the configured address.
    ///
    /// # Errors
    /// Missing or malformed configuration.
    pub fn new(env: &Environment, secrets: SlackSecrets) -> Result<Self, ConfigError> {
        let api = env.url("AJAR_SLACK_API_URL", API)?;
        Ok(Self { client: crate::http::client(crate::http::Limits::of(env)?)?, api, secrets })
    }

    /// Where Slack does not take the token, there may be a new one.
    async fn call(&self, method: &str, body: &Value) -> Result<Value, SlackError> {
        let token = self.secrets.bot_token();
        let answer = self.call_as(&token, method, body).await;
        let is_stale = |why: &str| TOKEN_ERRORS.contains(&why);
        if !matches!(&answer, Err(SlackError::Refused(why)) if is_stale(why)) {
            return answer;
        }
        self.secrets.renew(AGAIN_SECONDS).await;
        let renewed = self.secrets.bot_token();
        if renewed == token { answer } else { self.call_as(&renewed, method, body).await }
    }

    async fn call_as(&self, token: &str, method: &str, body: &Value) -> Result<Value, SlackError> {
        let url = self.api.join(method).map_err(|_| SlackError::NotSlack)?;
        let sent = self
            .client
            .post(url)
            .bearer_auth(token)
            .header("content-type", "application/json; charset=utf-8");
        let answer = sent.body(body.to_string()).send().await.map_err(|_| SlackError::NoAnswer)?;
        if answer.status().as_u16() == 429 {
            return Err(SlackError::RateLimited(retry_after(&answer)));
        }
        let bytes = answer.bytes().await.map_err(|_| SlackError::NoAnswer)?;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| SlackError::NoAnswer)?;
        if answer.ok { Ok(answer.rest) } else { Err(SlackError::Refused(answer.error.unwrap_or_default())) }
    }

    /// Says something: whole, or where Slack does not take what we made of it, as a shorter text, so that people hear
    /// of it all the same.
    async fn say(&self, method: &str, mut body: Value, message: &Message) -> Result<Value, SlackError> {
        body["text"] = json!(message.text);
        body["blocks"] = json!(message.blocks);
        let said = self.call(method, &body).await;
        let Err(error) = &said else { return said };
        if error.outcome() != Unsaid::Ours {
            return said;
        }
        tracing::error!(error = %error, method, "Slack does not take a message as it was made; a shorter text is sent");
        body["text"] = json!(message.shortened());
        // To an update, a text without blocks takes away those that are there (docs.slack.dev, `chat.update`).
        body.as_object_mut().map(|body| body.remove("blocks"));
        self.call(method, &body).await
    }

    /// Posts a message into a channel, or to a person (`U…`).
    ///
    /// # Errors
    /// Slack refused or did not answer.
    pub async fn post(&self, channel: &str, message: &Message) -> Result<Posted, SlackError> {
        let body = json!({"channel": channel, "unfurl_links": false, "unfurl_media": false});
        let answer = self.say("chat.postMessage", body, message).await?;
        serde_json::from_value(answer).map_err(|_| SlackError::NoAnswer)
    }

    /// Posts a message into the thread of another one.
    ///
    /// # Errors
    /// Slack refused or did not answer.
    pub async fn reply(&self, to: &Posted, message: &Message) -> Result<(), SlackError> {
        let body = json!({
            "channel": to.channel, "thread_ts": to.ts, "unfurl_links": false, "unfurl_media": false,
        });
        self.say("chat.postMessage", body, message).await.map(|_| ())
    }

    /// Replaces a message of ours.
    ///
    /// # Errors
    /// Slack refused or did not answer.
    pub async fn update(&self, at: &Posted, message: &Message) -> Result<(), SlackError> {
        let body = json!({"channel": at.channel, "ts": at.ts, "parse": "none"});
        self.say("chat.update", body, message).await.map(|_| ())
    }

    /// Opens a form for whoever has just done something in Slack; `trigger_id` lasts for three seconds, and once
    /// (docs.slack.dev, `views.open`).
    ///
    /// # Errors
    /// Slack refused or did not answer.
    pub async fn open_form(&self, trigger_id: &str, form: &Value) -> Result<(), SlackError> {
        self.call("views.open", &json!({"trigger_id": trigger_id, "view": form})).await.map(|_| ())
    }

    /// Who is in these user groups now.
    ///
    /// # Errors
    /// Slack refused or did not answer for one of them.
    pub async fn groups(&self, ids: &BTreeSet<&str>) -> Result<Groups, SlackError> {
        let mut groups = Groups::default();
        for id in ids {
            let answer = self.call("usergroups.users.list", &json!({"usergroup": id})).await?;
            let users: Vec<UserId> =
                serde_json::from_value(answer["users"].clone()).map_err(|_| SlackError::NoAnswer)?;
            groups.insert((*id).to_owned(), users.into_iter().collect());
        }
        Ok(groups)
    }

    /// A person's time zone, as the IANA names it; `None` where Slack does not say.
    ///
    /// # Errors
    /// Slack refused or did not answer.
    pub async fn time_zone(&self, user: &UserId) -> Result<Option<String>, SlackError> {
        let answer = self.call("users.info", &json!({"user": user})).await?;
        Ok(answer["user"]["tz"].as_str().filter(|zone| !zone.is_empty()).map(str::to_owned))
    }

    /// Says one sentence to the person whose click or command came with this address; or puts it in the place of the
    /// message that was clicked on, for everybody who sees that.
    ///
    /// # Errors
    /// Not an address of Slack's; or Slack refused or did not answer.
    pub async fn respond(
        &self,
        response_url: &str,
        sentence: &str,
        replaces: bool,
    ) -> Result<(), SlackError> {
        let url: reqwest::Url = response_url.parse().map_err(|_| SlackError::NotSlack)?;
        let host = url.host_str().unwrap_or_default();
        let slacks = url.scheme() == "https" && RESPONSE_HOSTS.contains(&host);
        // The stand-in for Slack is one address for everything.
        let stand_in = self.api.scheme() == "http" && url.origin() == self.api.origin();
        if !slacks && !stand_in {
            return Err(SlackError::NotSlack);
        }
        let message = Message::sentence(sentence);
        let body = if replaces {
            json!({"replace_original": true, "text": message.text, "blocks": message.blocks})
        } else {
            let mut body = message.ephemeral();
            body["replace_original"] = json!(false);
            body
        };
        let sent = self
            .client
            .post(url)
            .header("content-type", "application/json; charset=utf-8")
            .body(body.to_string());
        let answer = sent.send().await.map_err(|_| SlackError::NoAnswer)?;
        match answer.status().as_u16() {
            200 => Ok(()),
            429 => Err(SlackError::RateLimited(retry_after(&answer))),
            500.. => Err(SlackError::NoAnswer),
            status => Err(SlackError::Refused(status.to_string())),
        }
    }
}

/// How long Slack wants to be left alone, in seconds.
fn retry_after(answer: &reqwest::Response) -> u64 {
    answer
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(30)
}
