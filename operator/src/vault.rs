//! Slack's secret as the operator changes it. Its values are shown to nobody.

use crate::ending::Problem;
use access::click::App;
use access::lease::Timestamp;
use access::signature::{KeyId, RetiredSecret, SigningKeys, SigningSecret};
use edge::config::Environment;
use serde_json::{Map, Value, json};

/// The secret in Secrets Manager.
pub(crate) struct Vault {
    client: aws_sdk_secretsmanager::Client,
    id: String,
}

/// What it holds. Fields that we do not know are kept.
#[derive(Clone, Default)]
pub(crate) struct Held {
    fields: Map<String, Value>,
    /// Since when.
    pub(crate) made_at: Option<Timestamp>,
}

impl Vault {
    pub(crate) const fn new(client: aws_sdk_secretsmanager::Client, id: String) -> Self {
        Self { client, id }
    }

    /// What it holds; `None` where nothing was ever put there.
    pub(crate) async fn read(&self) -> Result<Option<Held>, Problem> {
        let answer = match self.client.get_secret_value().secret_id(&self.id).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            Err(error) => {
                let code = error.into_service_error();
                return Err(self.refused("read", code.meta().code()));
            }
        };
        let fields = serde_json::from_str(answer.secret_string().unwrap_or_default()).map_err(|_| {
            Problem::Unusable(
                "the secret is not a JSON object; run `ajar secret` to put a new one".to_owned(),
            )
        })?;
        let made_at = answer.created_date().and_then(|at| u64::try_from(at.secs()).ok());
        Ok(Some(Held { fields, made_at: made_at.map(Timestamp::from_unix) }))
    }

    /// Puts a new version of it.
    pub(crate) async fn put(&self, held: &Held) -> Result<(), Problem> {
        let text = Value::Object(held.fields.clone()).to_string();
        let put = self.client.put_secret_value().secret_id(&self.id).secret_string(text).send().await;
        put.map(|_| ()).map_err(|error| self.refused("written", error.into_service_error().meta().code()))
    }

    fn refused(&self, what: &str, code: Option<&str>) -> Problem {
        let code = code.unwrap_or("no answer");
        let id = &self.id;
        Problem::NoAnswer(format!(
            "the secret {id} cannot be {what} ({code}): use credentials that may, and its region"
        ))
    }
}

impl Held {
    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The bot token.
    pub(crate) fn bot_token(&self) -> Option<&str> {
        self.text("bot_token")
    }

    /// The app that it is of.
    pub(crate) fn app_id(&self) -> Option<&str> {
        self.text("app_id")
    }

    /// The workspace that it is of.
    pub(crate) fn team_id(&self) -> Option<&str> {
        self.text("team_id")
    }

    /// Which signing secret is in use.
    pub(crate) fn key(&self) -> Option<KeyId> {
        self.text("signing_secret").map(|text| SigningSecret::new(text).key_id())
    }

    /// How many signing secrets were in use before.
    pub(crate) fn retired(&self) -> usize {
        self.fields.get("retired").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// What Slack signs with, and signed with before.
    pub(crate) fn keys(&self) -> Option<SigningKeys> {
        let retired = self.fields.get("retired").and_then(Value::as_array).cloned().unwrap_or_default();
        let retired = retired.iter().filter_map(|one| {
            Some(RetiredSecret {
                secret: SigningSecret::new(one["signing_secret"].as_str()?),
                retired_at: Timestamp::from_unix(one["retired_at"].as_u64()?),
            })
        });
        Some(SigningKeys::new(SigningSecret::new(self.text("signing_secret")?), retired.collect()))
    }

    /// Whose app it is: as the environment says, or else the secret.
    pub(crate) fn app(&self, env: &Environment) -> Option<App> {
        let of = |name: &str, held: Option<&str>| env.optional(name).or(held).map(str::to_owned);
        Some(App {
            team_id: of("AJAR_SLACK_TEAM_ID", self.team_id())?,
            app_id: of("AJAR_SLACK_APP_ID", self.app_id())?,
        })
    }

    /// Takes another signing secret into use; one that was in use before stays good for what it has signed. Gives
    /// whether there was one.
    pub(crate) fn rotate(&mut self, signing_secret: &str, now: Timestamp) -> bool {
        let before =
            self.text("signing_secret").filter(|before| *before != signing_secret).map(str::to_owned);
        self.fields.insert("signing_secret".to_owned(), json!(signing_secret));
        let mut retired = self.fields.remove("retired").unwrap_or_else(|| json!([]));
        if let Some(all) = retired.as_array_mut() {
            all.retain(|one| one["signing_secret"] != signing_secret);
            all.extend(before.iter().map(|old| json!({"signing_secret": old, "retired_at": now.unix()})));
            if !all.is_empty() {
                self.fields.insert("retired".to_owned(), retired);
            }
        }
        before.is_some()
    }

    /// Takes a bot token into use, of this workspace and app.
    pub(crate) fn take_token(&mut self, token: &str, app: &App) {
        for (name, value) in [("bot_token", token), ("team_id", &app.team_id), ("app_id", &app.app_id)] {
            self.fields.insert(name.to_owned(), json!(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(value: &Value) -> Held {
        Held { fields: value.as_object().cloned().unwrap(), made_at: None }
    }

    #[test]
    fn a_signing_secret_that_was_in_use_stays_good_for_what_it_signed() {
        let mut held = held(&json!({"signing_secret": "one", "other": 1}));
        assert!(held.rotate("two", Timestamp::from_unix(5)));
        assert!(!held.rotate("two", Timestamp::from_unix(6)), "the same again");
        assert_eq!(held.fields["retired"], json!([{"signing_secret": "one", "retired_at": 5}]));
        assert_eq!(held.fields["other"], 1, "what is not known is kept");
        assert!(held.rotate("one", Timestamp::from_unix(7)), "back to the first");
        assert_eq!(held.fields["retired"], json!([{"signing_secret": "two", "retired_at": 7}]));
        assert_eq!((held.key(), held.retired()), (Some(SigningSecret::new("one").key_id()), 1));
    }
}
