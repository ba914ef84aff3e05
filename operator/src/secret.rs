//! `ajar secret`: Slack's signing secret and bot token, put where the functions read them.

use crate::aws::Aws;
use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use access::click::App;
use edge::slack::{Introduced, SlackError, Token};
use serde::Serialize;

/// What was put. No value is part of it.
#[derive(Serialize)]
pub(crate) struct Put {
    pub(crate) signing_secret: Signing,
    /// Which signing secret is in use.
    pub(crate) key: String,
    /// Which one was before, where it is another.
    pub(crate) key_before: Option<String>,
    pub(crate) team: String,
    pub(crate) team_id: String,
    pub(crate) app_id: String,
}

/// What became of the signing secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signing {
    /// There was none.
    First,
    /// It is the one that was there.
    Kept,
    /// It takes the place of another one.
    New,
}

/// Asks for the secrets, checks them with Slack, and puts them.
pub(crate) async fn run(
    bot_token_only: bool,
    config: &Config,
    outside: &mut Outside<'_>,
) -> Result<Put, Problem> {
    let aws = Aws::connect(config, outside)?;
    let signing_secret = if bot_token_only { None } else { Some(ask_signing_secret(outside)?) };
    let token = ask_token(outside)?;
    let (known, app) = whose(&aws, &token).await?;
    let mut held = aws.vault.read().await?.unwrap_or_default();
    let before = held.key();
    let signing = match &signing_secret {
        Some(secret) => match (before, held.rotate(secret, outside.clock.now())) {
            (None, _) => Signing::First,
            (Some(_), false) => Signing::Kept,
            (Some(_), true) => Signing::New,
        },
        None if before.is_none() => {
            return Err(Problem::Unusable(
                "there is no signing secret yet: run `ajar secret` without --bot-token-only".to_owned(),
            ));
        }
        None => {
            if let Some(other) = held.app_id().filter(|id| *id != app.app_id) {
                return Err(Problem::Unusable(format!(
                    "the token is of the app {}, and the signing secret is that of {other}: run `ajar secret` without --bot-token-only",
                    app.app_id
                )));
            }
            Signing::Kept
        }
    };
    held.take_token(&token, &app);
    aws.vault.put(&held).await?;
    Ok(Put {
        signing_secret: signing,
        key: held.key().map_or_else(String::new, |key| key.to_string()),
        key_before: before.filter(|before| Some(*before) != held.key()).map(|key| key.to_string()),
        team: known.team,
        team_id: app.team_id,
        app_id: app.app_id,
    })
}

fn ask_signing_secret(outside: &mut Outside<'_>) -> Result<String, Problem> {
    let typed = outside.secret("Signing secret").unwrap_or_default();
    let shaped = typed.len() == 32 && typed.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if shaped {
        return Ok(typed);
    }
    Err(Problem::Unusable(
        "that is not a signing secret: it has 32 digits from 0 to f and stands on the page Basic Information of the app, at App Credentials".to_owned(),
    ))
}

fn ask_token(outside: &mut Outside<'_>) -> Result<String, Problem> {
    let typed = outside.secret("Bot token").unwrap_or_default();
    let rest = typed.strip_prefix("xoxb-").unwrap_or_default();
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(typed);
    }
    Err(Problem::Unusable(
        "that is not a bot token: it begins with xoxb- and stands on the page OAuth & Permissions of the app, once it is installed".to_owned(),
    ))
}

/// Asks Slack whose a token is.
async fn whose(aws: &Aws, token: &str) -> Result<(Introduced, App), Problem> {
    let asked = Token::new(&aws.env, token)?;
    let refused = |error: SlackError| {
        match error {
        SlackError::Refused(why) if why == "missing_scope" => Problem::Unusable(
            "Slack lets this token ask for no app (missing_scope): install the app again, so that it has all its scopes".to_owned(),
        ),
        SlackError::Refused(why) => Problem::Unusable(format!(
            "Slack does not take this token ({why}): copy the Bot User OAuth Token of the page OAuth & Permissions again"
        )),
        other => other.into(),
    }
    };
    let known = asked.introduce().await.map_err(refused)?;
    let app_id = asked.app_of(&known.bot_id).await.map_err(refused)?;
    let team_id = known.team_id.clone();
    Ok((known, App { team_id, app_id }))
}
