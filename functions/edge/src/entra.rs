//! Azure's token without a stored secret: AWS STS vouches for the function's role, and Entra trusts
//! that (a federated credential of a user-assigned managed identity).

use crate::config::{ConfigError, Environment};
use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::{ClientMethodOptions, ClientOptions, RetryOptions, Transport};
use azure_identity::{ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions};
use std::sync::Arc;

/// The audience that Entra expects in a federated token (Microsoft: "Workload identity federation").
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// How long AWS vouches for us, in seconds. The exchange happens at once.
const ASSERTION_SECONDS: i32 = 300;

/// AWS's word for who we are.
#[derive(Debug)]
struct WebIdentity {
    sts: aws_sdk_sts::Client,
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
                let service = error.into_service_error();
                let code = service.meta().code().unwrap_or("STS did not answer").to_owned();
                azure_core::Error::with_message(
                    ErrorKind::Credential,
                    format!("no web identity token: {code}"),
                )
            })?;
        answer.web_identity_token().map(str::to_owned).ok_or_else(|| {
            azure_core::Error::with_message(ErrorKind::Credential, "STS sent no web identity token")
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
