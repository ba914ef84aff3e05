//! Slack's secrets: one JSON object in Secrets Manager. Read at the start of a function, and again now and then,
//! so that who rotates them deploys nothing.

use crate::clock::Clock;
use crate::config::{ConfigError, Environment};
use access::click::App;
use access::lease::Timestamp;
use access::signature::{RetiredSecret, SigningKeys, SigningSecret};
use serde::Deserialize;
use std::sync::{Arc, PoisonError, RwLock};

/// After this long the secrets are read again, in seconds: for so long a signing secret that was retired is still
/// taken for Slack's.
pub const FRESH_SECONDS: u64 = 300;

/// Where something was signed with an unknown secret, or Slack does not know the token, they are read again, but not
/// more often than this, in seconds: anybody can send what Slack did not sign.
pub const AGAIN_SECONDS: u64 = 30;

/// What the secret should be.
const SHAPE: &str = "the secret is not {\"signing_secret\": \"…\", \"bot_token\": \"xoxb-…\"}";

/// The secret as it is stored.
#[derive(Deserialize)]
struct Stored {
    signing_secret: String,
    bot_token: String,
    team_id: Option<String>,
    app_id: Option<String>,
    #[serde(default)]
    retired: Vec<StoredRetired>,
}

#[derive(Deserialize)]
struct StoredRetired {
    signing_secret: String,
    retired_at: Timestamp,
}

/// Slack's secrets at one moment.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// What Slack signs with, and signed with before.
    pub keys: SigningKeys,
    bot_token: String,
    team_id: Option<String>,
    app_id: Option<String>,
}

impl Secrets {
    /// Reads the JSON object.
    ///
    /// # Errors
    /// It is not what it should be. The value is never part of the error.
    pub fn parse(json: &str) -> Result<Self, ConfigError> {
        let stored: Stored = serde_json::from_str(json).map_err(|_| ConfigError::Secret(SHAPE.to_owned()))?;
        // Whoever knows nothing could sign with an empty secret.
        if stored.signing_secret.is_empty() || stored.retired.iter().any(|one| one.signing_secret.is_empty())
        {
            return Err(ConfigError::Secret("a signing secret is empty".to_owned()));
        }
        let retired = stored.retired.into_iter().map(|one| RetiredSecret {
            secret: SigningSecret::new(one.signing_secret),
            retired_at: one.retired_at,
        });
        Ok(Self {
            keys: SigningKeys::new(SigningSecret::new(stored.signing_secret), retired.collect()),
            bot_token: stored.bot_token,
            team_id: stored.team_id,
            app_id: stored.app_id,
        })
    }
}

/// Slack's secrets as they are now. Clones share them.
#[derive(Clone)]
pub struct SlackSecrets(Arc<Shared>);

struct Shared {
    client: aws_sdk_secretsmanager::Client,
    id: String,
    clock: Clock,
    held: RwLock<Held>,
}

struct Held {
    secrets: Arc<Secrets>,
    tried_at: Timestamp,
}

impl SlackSecrets {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// Missing configuration, or a secret that cannot be read or is not what it should be.
    pub async fn read(env: &Environment, clock: &Clock) -> Result<Self, ConfigError> {
        let client = crate::aws::secrets_manager(env)?;
        let id = env.required("AJAR_SECRET_ID")?.to_owned();
        let secrets = Arc::new(fetch(&client, &id).await?);
        let held = RwLock::new(Held { secrets, tried_at: clock.now() });
        Ok(Self(Arc::new(Shared { client, id, clock: clock.clone(), held })))
    }

    /// As they were read last.
    pub fn current(&self) -> Arc<Secrets> {
        Arc::clone(&self.0.held.read().unwrap_or_else(PoisonError::into_inner).secrets)
    }

    /// The bot's token, `xoxb-…`.
    pub(crate) fn bot_token(&self) -> String {
        self.current().bot_token.clone()
    }

    /// Reads them again where that was last tried longer ago than this, in seconds. What cannot be read is logged, and
    /// what is known holds on.
    pub async fn renew(&self, older_than_seconds: u64) {
        let now = self.0.clock.now();
        {
            let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
            if now.since(held.tried_at) <= older_than_seconds {
                return;
            }
            held.tried_at = now;
        }
        match fetch(&self.0.client, &self.0.id).await {
            Ok(secrets) => {
                self.0.held.write().unwrap_or_else(PoisonError::into_inner).secrets = Arc::new(secrets);
            }
            Err(error) => tracing::warn!(error = %error, "Slack's secrets could not be read again"),
        }
    }

    /// The Slack workspace and app: from the environment, or else as the secret says.
    ///
    /// # Errors
    /// Neither says.
    pub fn app(&self, env: &Environment) -> Result<App, ConfigError> {
        let secrets = self.current();
        let of = |name: &'static str, stored: &Option<String>| {
            let said = env.optional(name).map(str::to_owned).or_else(|| stored.clone());
            said.filter(|id| !id.is_empty()).ok_or(ConfigError::Missing(name))
        };
        Ok(App {
            team_id: of("AJAR_SLACK_TEAM_ID", &secrets.team_id)?,
            app_id: of("AJAR_SLACK_APP_ID", &secrets.app_id)?,
        })
    }
}

async fn fetch(client: &aws_sdk_secretsmanager::Client, id: &str) -> Result<Secrets, ConfigError> {
    let answer = client.get_secret_value().secret_id(id).send().await.map_err(|error| {
        let service = error.into_service_error();
        ConfigError::Secret(service.meta().code().unwrap_or("Secrets Manager did not answer").to_owned())
    })?;
    Secrets::parse(answer.secret_string().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_or_said_not_to_be_one_without_its_value() {
        let full = r#"{"signing_secret": "a", "bot_token": "xoxb-1", "team_id": "T1", "app_id": "A1",
            "retired": [{"signing_secret": "b", "retired_at": 17}]}"#;
        let secrets = Secrets::parse(full).unwrap();
        assert_eq!(secrets.keys.current().key_id(), SigningSecret::new("a").key_id());
        let old = SigningSecret::new("b").sign("17", b"x");
        assert!(secrets.keys.verify_evidence(None, "17", &old, b"x").is_ok());
        assert!(Secrets::parse(r#"{"signing_secret": "a", "bot_token": "xoxb-1"}"#).is_ok());
        for (bad, why) in [
            ("", SHAPE),
            ("hunter2", SHAPE),
            (r#"{"signing_secret": "hunter2"}"#, SHAPE),
            (
                r#"{"signing_secret": "hunter2", "bot_token": "t", "retired": [{"signing_secret": "b"}]}"#,
                SHAPE,
            ),
            (r#"{"signing_secret": "", "bot_token": "hunter2"}"#, "a signing secret is empty"),
            (
                r#"{"signing_secret": "hunter2", "bot_token": "t", "retired": [{"signing_secret": "", "retired_at": 1}]}"#,
                "a signing secret is empty",
            ),
        ] {
            let said = Secrets::parse(bad).unwrap_err().to_string();
            assert!(said.contains(why) && !said.contains("hunter2"), "{bad}: {said}");
        }
    }
}
