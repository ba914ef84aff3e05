//! A person's own login at the Azure CLI. No function uses it: it is for tools that people run.

use crate::report::plain;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::time::{Duration as TokenDuration, OffsetDateTime};
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions};
use base64::Engine as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// What a token is asked for.
const SCOPE: &str = "https://management.azure.com/.default";
/// How long `az` may take at the start: it is a large program, and slow after an update.
const START: Duration = Duration::from_secs(60);
/// How long before its end a token is replaced.
const BEFORE_ITS_END: TokenDuration = TokenDuration::minutes(5);

/// A login whose token is shared and kept until shortly before its end: each `az` is a process that
/// takes a second or more.
#[derive(Clone, Debug)]
struct Login {
    az: Arc<AzureCliCredential>,
    last: Arc<Mutex<Option<AccessToken>>>,
}

impl Login {
    async fn token(self) -> azure_core::Result<AccessToken> {
        let mut last = self.last.lock().await;
        let fresh =
            last.as_ref().filter(|token| token.expires_on > OffsetDateTime::now_utc() + BEFORE_ITS_END);
        if let Some(token) = fresh {
            return Ok(token.clone());
        }
        let token = self.az.get_token(&[SCOPE], None).await?;
        *last = Some(token.clone());
        Ok(token)
    }
}

#[async_trait::async_trait]
impl TokenCredential for Login {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        // A task of its own: where the caller's time runs out first, the next call finds the token.
        let asked = tokio::spawn(self.clone().token()).await;
        asked.unwrap_or_else(|error| Err(azure_core::Error::new(ErrorKind::Credential, error)))
    }
}

/// Why there is no login: one line for the person.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoLogin {
    /// `az` is not installed.
    #[error("the Azure CLI is not on the PATH: install az, run az login, then this again")]
    NoCli,
    /// Nobody is logged in, or the login has ended.
    #[error("you are not logged in to Azure: run az login, then this again")]
    NotLoggedIn,
    /// The login is for other subscriptions.
    #[error("your login does not reach the subscription {0}: run az login with an account that does")]
    OtherAccount(String),
    /// `az` failed otherwise.
    #[error("az gave no token: {0}")]
    NoToken(String),
}

/// Asks `az` for a token for this subscription.
///
/// # Errors
/// `az` gives none: what the person can do about it.
pub async fn log_in(subscription: &str) -> Result<Arc<dyn TokenCredential>, NoLogin> {
    let options = AzureCliCredentialOptions {
        subscription: Some(subscription.to_owned()),
        ..AzureCliCredentialOptions::default()
    };
    let az = AzureCliCredential::new(Some(options));
    let az = az.map_err(|error| NoLogin::NoToken(plain(&error.to_string())))?;
    let login = Login { az, last: Arc::default() };
    match tokio::time::timeout(START, login.get_token(&[SCOPE], None)).await {
        Ok(Ok(_)) => Ok(Arc::new(login)),
        Ok(Err(error)) => Err(no_token(&error.to_string(), subscription)),
        Err(_) => Err(NoLogin::NoToken(format!("it takes longer than {} s", START.as_secs()))),
    }
}

/// Whose login it is, as its token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whose {
    /// A name, or the id of an app.
    pub name: String,
    /// The tenant that it is of; empty where the token does not say.
    pub tenant_id: String,
}

/// Whose login it is. The token is not verified: that is for Azure, which does nothing for one that is wrong.
pub async fn whose(login: &Arc<dyn TokenCredential>) -> Whose {
    let token = login.get_token(&[SCOPE], None).await.ok();
    let claims = token.and_then(|token| {
        let payload = token.token.secret().split('.').nth(1)?.to_owned();
        let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
        serde_json::from_slice::<serde_json::Value>(&json).ok()
    });
    let claims = claims.unwrap_or_default();
    let named = ["upn", "unique_name", "preferred_username", "email", "appid", "oid"];
    let name = named.iter().find_map(|name| claims[*name].as_str());
    Whose {
        name: name.map_or_else(|| "unknown".to_owned(), plain),
        tenant_id: claims["tid"].as_str().map_or_else(String::new, plain),
    }
}

/// What `az` said when it gave no token. It says so to people only, so its sentences are all there is:
/// "Please run 'az login' to setup account.", "Interactive authentication is needed. Please run: az
/// login ...", "Subscription '...' not found. ..." (azure-cli, `_profile.py` and `auth/util.py`).
fn no_token(said: &str, subscription: &str) -> NoLogin {
    if said.contains("not found on PATH") {
        NoLogin::NoCli
    } else if said.contains("az login") {
        NoLogin::NotLoggedIn
    } else if said.contains(subscription) && said.contains("not found") {
        NoLogin::OtherAccount(subscription.to_owned())
    } else {
        // The SDK adds a link of its own in a second line.
        let line = said.split("failed. ").last().unwrap_or(said).lines().next().unwrap_or_default();
        NoLogin::NoToken(plain(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";

    #[test]
    fn what_az_says_is_told_in_one_line() {
        let cases = [
            (
                "AzureCliCredential authentication failed. az not found on PATH\nTo troubleshoot, visit https://…",
                NoLogin::NoCli.to_string(),
            ),
            (
                "AzureCliCredential authentication failed. ERROR: Please run 'az login' to setup account.\n\nTo …",
                NoLogin::NotLoggedIn.to_string(),
            ),
            (
                "AzureCliCredential authentication failed. ERROR: AADSTS700082: The refresh token has expired.\nInteractive authentication is needed. Please run:\naz login --scope https://…\n",
                NoLogin::NotLoggedIn.to_string(),
            ),
            (
                "AzureCliCredential authentication failed. ERROR: Subscription '11111111-2222-3333-4444-555555555555' not found. Check the spelling and casing and try again.\n",
                NoLogin::OtherAccount(SUBSCRIPTION.to_owned()).to_string(),
            ),
            (
                "AzureCliCredential authentication failed. ERROR: \u{1b}[31mboom\nTo …",
                "az gave no token: ERROR:  [31mboom".to_owned(),
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(no_token(said, SUBSCRIPTION).to_string(), expected);
        }
    }
}
