//! What Slack says of a token: whose it is, and what it may do. For tools that people run; the functions learn it
//! from the first call that fails.

use super::{Answer, SlackError};
use crate::config::{ConfigError, Environment};
use serde_json::Value;

/// Whose a bot token is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduced {
    /// The workspace (`T…`).
    pub team_id: String,
    /// Its name.
    pub team: String,
    /// The bot (`B…`).
    pub bot_id: String,
    /// What the token may do; empty where Slack did not say.
    pub scopes: Vec<String>,
}

/// Asks Slack about one token.
pub struct Token<'a> {
    client: reqwest::Client,
    api: reqwest::Url,
    token: &'a str,
}

impl<'a> Token<'a> {
    /// A token that is not known to be one, at the configured address.
    ///
    /// # Errors
    /// Malformed configuration.
    pub fn new(env: &Environment, token: &'a str) -> Result<Self, ConfigError> {
        let api = env.url("AJAR_SLACK_API_URL", super::API)?;
        Ok(Self { client: crate::http::client(crate::http::Limits::of(env)?)?, api, token })
    }

    /// The answer, and the scopes that Slack names in a header of each answer (docs.slack.dev, "Web API").
    async fn ask(&self, method: &str, form: String) -> Result<(Value, Vec<String>), SlackError> {
        let url = self.api.join(method).map_err(|_| SlackError::NotSlack)?;
        let call = self.client.post(url).bearer_auth(self.token).body(form);
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        let answer = call.send().await.map_err(|_| SlackError::NoAnswer)?;
        if answer.status().as_u16() == 429 {
            return Err(SlackError::RateLimited(super::retry_after(&answer)));
        }
        let scopes = answer.headers().get("x-oauth-scopes").and_then(|value| value.to_str().ok());
        let scopes = scopes.unwrap_or_default().split(',').map(|scope| scope.trim().to_owned());
        let scopes = scopes.filter(|scope| !scope.is_empty()).collect();
        let bytes = answer.bytes().await.map_err(|_| SlackError::NoAnswer)?;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| SlackError::NoAnswer)?;
        if answer.ok {
            Ok((answer.rest, scopes))
        } else {
            Err(SlackError::Refused(answer.error.unwrap_or_default()))
        }
    }

    /// Whose it is (`auth.test`).
    ///
    /// # Errors
    /// It is nobody's, or Slack did not answer.
    pub async fn introduce(&self) -> Result<Introduced, SlackError> {
        let (answer, scopes) = self.ask("auth.test", String::new()).await?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok(Introduced { team_id: text("team_id"), team: text("team"), bot_id: text("bot_id"), scopes })
    }

    /// The app (`A…`) of a bot (`bots.info`).
    ///
    /// # Errors
    /// Slack refused or did not answer.
    pub async fn app_of(&self, bot_id: &str) -> Result<String, SlackError> {
        let (answer, _) = self.ask("bots.info", format!("bot={bot_id}")).await?;
        answer["bot"]["app_id"].as_str().map(str::to_owned).ok_or(SlackError::NoAnswer)
    }
}
