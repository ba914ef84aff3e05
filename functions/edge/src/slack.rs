//! Slack's Web API and the addresses to which sentences for one person go.

use crate::clock::Clock;
use crate::config::{ConfigError, Environment};
use crate::secrets::{AGAIN_SECONDS, SlackSecrets};
use access::policy::Groups;
use access::request::UserId;
use access::unsaid::{self, Unsaid};
use access::wording::Message;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

mod pace;
mod token;

use pace::Pace;
pub use token::{Introduced, Token};

/// Where Slack's Web API is.
const API: &str = "https://slack.com/api/";

/// A client in the name of the app's bot.
#[derive(Clone)]
pub struct Slack {
    client: reqwest::Client,
    api: reqwest::Url,
    secrets: SlackSecrets,
    /// Where whoever calls must not be held up by Slack.
    pace: Option<Pace>,
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
    /// Nobody took the call: nothing was done.
    #[error("Slack cannot be reached")]
    Unreached,
    /// No answer, or one that cannot be read: it may or may not have been done.
    #[error("no answer from Slack")]
    NoAnswer,
    /// No answer within the time limit: as [`SlackError::NoAnswer`], and it has cost that time.
    #[error("no answer from Slack in time")]
    Hung,
    /// Not an address of Slack's.
    #[error("the response_url is not one of Slack's")]
    NotSlack,
}

impl SlackError {
    /// What is to be done about it.
    pub fn outcome(&self) -> Unsaid {
        match self {
            Self::RateLimited(_) | Self::Unreached => Unsaid::Later,
            Self::Refused(code) => unsaid::outcome(code),
            Self::NoAnswer | Self::Hung => Unsaid::MaybeSaid,
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

/// As what answers at a `response_url` are counted together.
const ANSWERS: &str = "response_url";

impl Slack {
    /// With the bot's token of these secrets, at the configured address.
    ///
    /// # Errors
    /// Missing or malformed configuration.
    pub fn new(env: &Environment, secrets: SlackSecrets) -> Result<Self, ConfigError> {
        let api = env.url("AJAR_SLACK_API_URL", API)?;
        Ok(Self { client: crate::http::client(crate::http::Limits::of(env)?)?, api, secrets, pace: None })
    }

    /// For somebody who has other things to do: what Slack refuses for now, and all of it while it hangs, is refused
    /// here without asking, as [`SlackError::RateLimited`]; and where Slack wants a moment's patience now and then, it
    /// is waited for.
    #[must_use]
    pub fn paced(mut self, clock: Clock) -> Self {
        self.pace = Some(Pace::new(clock));
        self
    }

    /// For what can wait: nothing is waited for, so that whatever is more urgent has all the patience there is.
    #[must_use]
    pub fn without_patience(&self) -> Self {
        Self { pace: self.pace.as_ref().map(Pace::without_patience), ..self.clone() }
    }

    async fn call(&self, method: &str, body: &Value) -> Result<Value, SlackError> {
        let counted_as = Pace::counted_as(method, body);
        loop {
            let answer = match self.foreseen(&counted_as) {
                Some(refused) => Err(refused),
                None => self.learned(&counted_as, self.call_renewing(method, body).await),
            };
            match answer {
                Err(SlackError::RateLimited(seconds)) if self.waits(seconds).await => {}
                answer => return answer,
            }
        }
    }

    /// What Slack would say now, where that is known without asking.
    fn foreseen(&self, counted_as: &str) -> Option<SlackError> {
        self.pace.as_ref().and_then(|pace| pace.foreseen(counted_as))
    }

    /// What Slack has said, once it is remembered.
    fn learned<T>(&self, counted_as: &str, answer: Result<T, SlackError>) -> Result<T, SlackError> {
        self.pace.iter().for_each(|pace| pace.learn(counted_as, &answer));
        answer
    }

    /// Waits this many seconds, where there is patience for it.
    async fn waits(&self, seconds: u64) -> bool {
        match &self.pace {
            Some(pace) => pace.wait(seconds).await,
            None => false,
        }
    }

    /// Where Slack does not take the token, there may be a new one.
    async fn call_renewing(&self, method: &str, body: &Value) -> Result<Value, SlackError> {
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
        let answer = sent.body(body.to_string()).send().await.map_err(|error| unanswered(&error))?;
        if answer.status().as_u16() == 429 {
            return Err(SlackError::RateLimited(retry_after(&answer)));
        }
        let bytes = answer.bytes().await.map_err(|error| unanswered(&error))?;
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
        if !is_slacks(&url, &self.api) {
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
        loop {
            let answer = match self.foreseen(ANSWERS) {
                Some(refused) => Err(refused),
                None => self.learned(ANSWERS, self.answer_at(url.clone(), &body).await),
            };
            match answer {
                Err(SlackError::RateLimited(seconds)) if self.waits(seconds).await => {}
                answer => return answer,
            }
        }
    }

    async fn answer_at(&self, url: reqwest::Url, body: &Value) -> Result<(), SlackError> {
        let sent = self.client.post(url).header("content-type", "application/json; charset=utf-8");
        let answer = sent.body(body.to_string()).send().await.map_err(|error| unanswered(&error))?;
        match answer.status().as_u16() {
            200 => Ok(()),
            429 => Err(SlackError::RateLimited(retry_after(&answer))),
            500.. => Err(SlackError::NoAnswer),
            status => Err(SlackError::Refused(status.to_string())),
        }
    }
}

/// What a call without an answer may have done, and whether it has cost its time.
fn unanswered(error: &reqwest::Error) -> SlackError {
    match (error.is_timeout(), error.is_connect()) {
        (true, _) => SlackError::Hung,
        (false, true) => SlackError::Unreached,
        (false, false) => SlackError::NoAnswer,
    }
}

/// Whether an address is one of those at which Slack takes answers. Nor does the client follow a redirect from there.
fn is_slacks(url: &reqwest::Url, api: &reqwest::Url) -> bool {
    let slacks = url.scheme() == "https"
        && url.port().is_none()
        && RESPONSE_HOSTS.contains(&url.host_str().unwrap_or_default());
    // The stand-in for Slack is one address for everything.
    slacks || (api.scheme() == "http" && url.origin() == api.origin())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_slack_and_to_nobody_else() {
        let api: reqwest::Url = API.parse().unwrap();
        let takes = |url: &str, api: &reqwest::Url| is_slacks(&url.parse().unwrap(), api);
        for slacks in ["https://hooks.slack.com/actions/T/1/x", "https://HOOKS.slack-gov.com/commands/T/1/x"]
        {
            assert!(takes(slacks, &api), "{slacks}");
        }
        for other in [
            "http://hooks.slack.com/actions/T/1/x",
            "https://hooks.slack.com:8443/actions/T/1/x",
            "https://hooks.slack.com.evil.example/actions/T/1/x",
            "https://hooks.slack.com@evil.example/actions/T/1/x",
            "https://evil.example/hooks.slack.com",
            "https://hooks.slack.com./actions/T/1/x",
            "https://slack.com/api/chat.postMessage",
            "http://169.254.169.254/latest/meta-data/",
            "https://127.0.0.1/",
            "file:///etc/passwd",
        ] {
            assert!(!takes(other, &api), "{other}");
        }
        let stand_in: reqwest::Url = "http://127.0.0.1:8082/api/".parse().unwrap();
        assert!(takes("http://127.0.0.1:8082/actions/T/1/x", &stand_in));
        for other in ["http://127.0.0.1:8083/x", "http://localhost:8082/x", "https://127.0.0.1:8082/x"] {
            assert!(!takes(other, &stand_in), "{other}");
        }
    }
}
