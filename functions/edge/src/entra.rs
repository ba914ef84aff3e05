//! Azure's token without a stored secret: AWS STS vouches for the function's role, and Entra trusts
//! that (a federated credential of a user-assigned managed identity).

use crate::config::{ConfigError, Environment};
use access::refusal::{Outcome, without_token};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientMethodOptions, ClientOptions, RetryOptions, Transport};
use azure_identity::{ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

/// The audience that Entra expects in a federated token (Microsoft: "Workload identity federation").
pub const AUDIENCE: &str = "api://AzureADTokenExchange";

/// How long AWS vouches for us, in seconds. The exchange happens at once.
const ASSERTION_SECONDS: i32 = 300;

/// What a token is asked for.
const SCOPE: &str = "https://management.azure.com/.default";

/// AWS's word for who we are.
#[derive(Debug)]
struct WebIdentity {
    sts: aws_sdk_sts::Client,
}

/// STS gives no web identity token.
#[derive(Debug, thiserror::Error)]
#[error("no web identity token: {code}")]
struct NotVouchedFor {
    /// HTTP status; 0 without an answer.
    status: u16,
    code: String,
}

#[async_trait::async_trait]
impl ClientAssertion for WebIdentity {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        // Entra takes RS256 only.
        let answer = self
            .sts
            .get_web_identity_token()
            .audience(AUDIENCE)
            .signing_algorithm("RS256")
            .duration_seconds(ASSERTION_SECONDS)
            .send()
            .await
            .map_err(|error| {
                let status = error.raw_response().map_or(0, |answer| answer.status().as_u16());
                let service = error.into_service_error();
                let code = service.meta().code().unwrap_or("STS did not answer").to_owned();
                azure_core::Error::new(ErrorKind::Credential, NotVouchedFor { status, code })
            })?;
        answer.web_identity_token().map(str::to_owned).ok_or_else(|| {
            let code = "STS sent no web identity token".to_owned();
            azure_core::Error::new(ErrorKind::Credential, NotVouchedFor { status: 0, code })
        })
    }
}

/// The credential of a function's managed identity. It caches its token until five minutes before it
/// expires.
///
/// # Errors
/// Missing or malformed configuration.
pub fn credential(env: &Environment, transport: &Transport) -> Result<Arc<dyn TokenCredential>, ConfigError> {
    let options = ClientAssertionCredentialOptions {
        client_options: ClientOptions {
            transport: Some(transport.clone()),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        },
    };
    let credential = ClientAssertionCredential::new(
        env.required("AJAR_AZURE_TENANT_ID")?.to_owned(),
        env.required("AJAR_AZURE_CLIENT_ID")?.to_owned(),
        WebIdentity { sts: crate::aws::sts(env)? },
        Some(options),
    );
    Ok(credential
        .map_err(|error| ConfigError::Malformed { name: "AJAR_AZURE_TENANT_ID", why: error.to_string() })?)
}

/// There is no token, and what is to be done about that.
#[derive(Debug, thiserror::Error)]
#[error("no token for Azure: {code}")]
pub struct NoToken {
    /// Entra's or STS's code, to tell people and the log.
    pub code: String,
    /// What is to be done.
    pub outcome: Outcome,
}

/// A token, and which one it was: whoever is refused with it asks for one that is newer.
pub struct Token {
    /// What is sent to Azure.
    pub secret: Secret,
    /// Counts the credentials; each keeps its token to itself until shortly before its end.
    pub generation: u64,
}

type Make = dyn Fn() -> Result<Arc<dyn TokenCredential>, ConfigError> + Send + Sync;

/// The tokens of one identity. A credential hands out its cached token until shortly before its end,
/// even one that Azure has just refused; so a refused token is replaced together with its credential.
#[derive(Clone)]
pub struct Tokens {
    make: Arc<Make>,
    current: Arc<Mutex<(u64, Arc<dyn TokenCredential>)>>,
}

impl Tokens {
    /// Of credentials that are made like this.
    ///
    /// # Errors
    /// The first one cannot be made.
    pub fn new(
        make: impl Fn() -> Result<Arc<dyn TokenCredential>, ConfigError> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        let first = make()?;
        Ok(Self { make: Arc::new(make), current: Arc::new(Mutex::new((0, first))) })
    }

    /// A token, cached or new.
    ///
    /// # Errors
    /// Entra or STS refused, or did not answer.
    pub async fn get(&self) -> Result<Token, NoToken> {
        let (generation, credential) = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match credential.get_token(&[SCOPE], None).await {
            Ok(token) => Ok(Token { secret: token.token, generation }),
            Err(error) => Err(no_token(&error)),
        }
    }

    /// Azure has refused a token of this generation. Of many who say so at once the first replaces the
    /// credential.
    pub fn refused(&self, generation: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != generation {
            return;
        }
        match (self.make)() {
            Ok(credential) => *current = (generation + 1, credential),
            Err(error) => tracing::error!(error = %error, "a new credential could not be made"),
        }
    }
}

/// Why there is no token: what is told in the chain of an error's causes.
fn no_token(error: &azure_core::Error) -> NoToken {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(NotVouchedFor { status, code }) = one.downcast_ref() {
            return NoToken { code: format!("STS {code}"), outcome: without_token(*status, code) };
        }
        let known = one.downcast_ref::<azure_core::Error>().map(azure_core::Error::kind);
        if let Some(ErrorKind::HttpResponse { status, error_code, .. }) = known {
            let status = u16::from(*status);
            // Several codes are told together; the first is the one that decides.
            let code = error_code.as_deref().and_then(|codes| codes.split(',').next()).unwrap_or_default();
            let told = if code.is_empty() { format!("Entra {status}") } else { format!("AADSTS{code}") };
            return NoToken { code: told, outcome: without_token(status, code) };
        }
        cause = one.source();
    }
    NoToken { code: "no answer from Entra".to_owned(), outcome: without_token(0, "") }
}
