//! AWS clients: credentials and endpoints from the environment, one TLS stack, and retries and time
//! limits set by us, because the defaults can outlast a whole invocation.

use crate::config::{ConfigError, Environment};
use crate::http::Limits;
use aws_smithy_http_client::{Builder, tls};
use serde::Deserialize;
use std::time::Duration;

/// What an `aws-sdk-*` client needs, for each of the services: the same lines for four types that
/// have no trait in common.
macro_rules! sdk_config {
    ($sdk:ident, $env:expr, $endpoint:literal) => {{
        use $sdk::config::{
            BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig,
        };
        let env: &Environment = $env;
        let limits = Limits::of(env)?;
        let credentials = Credentials::new(
            env.required("AWS_ACCESS_KEY_ID")?,
            env.required("AWS_SECRET_ACCESS_KEY")?,
            env.optional("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        );
        let mut builder = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(env.required("AWS_REGION")?.to_owned()))
            .credentials_provider(credentials)
            .retry_config(
                RetryConfig::standard().with_max_attempts(3).with_max_backoff(Duration::from_millis(500)),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(limits.scale(Duration::from_secs(1)))
                    .operation_attempt_timeout(limits.scale(Duration::from_secs(3)))
                    .operation_timeout(limits.scale(Duration::from_secs(8)))
                    .build(),
            )
            .http_client(
                Builder::new()
                    .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
                    .build_https(),
            );
        if let Some(endpoint) = env.optional($endpoint) {
            builder = builder.endpoint_url(endpoint);
        }
        $sdk::Client::from_conf(builder.build())
    }};
}

/// DynamoDB.
///
/// # Errors
/// No credentials or region in the environment.
pub fn dynamodb(env: &Environment) -> Result<aws_sdk_dynamodb::Client, ConfigError> {
    Ok(sdk_config!(aws_sdk_dynamodb, env, "AWS_ENDPOINT_URL_DYNAMODB"))
}

/// STS, regional: the API that issues web identity tokens is not on the global endpoint.
///
/// # Errors
/// No credentials or region in the environment.
pub fn sts(env: &Environment) -> Result<aws_sdk_sts::Client, ConfigError> {
    Ok(sdk_config!(aws_sdk_sts, env, "AWS_ENDPOINT_URL_STS"))
}

/// Lambda.
///
/// # Errors
/// No credentials or region in the environment.
pub fn lambda(env: &Environment) -> Result<aws_sdk_lambda::Client, ConfigError> {
    Ok(sdk_config!(aws_sdk_lambda, env, "AWS_ENDPOINT_URL_LAMBDA"))
}

/// Secrets Manager.
///
/// # Errors
/// No credentials or region in the environment.
pub fn secrets_manager(env: &Environment) -> Result<aws_sdk_secretsmanager::Client, ConfigError> {
    Ok(sdk_config!(aws_sdk_secretsmanager, env, "AWS_ENDPOINT_URL_SECRETS_MANAGER"))
}

/// The two secrets of Slack, one JSON object in Secrets Manager.
#[derive(Clone, Deserialize)]
pub struct Secrets {
    /// What Slack signs with.
    pub signing_secret: String,
    /// The bot's token, `xoxb-…`.
    pub bot_token: String,
}

/// Reads the secrets, once at the start of a function.
///
/// # Errors
/// Missing, unreadable, or not what it should be. The value is never part of the error.
pub async fn secrets(env: &Environment) -> Result<Secrets, ConfigError> {
    let client = secrets_manager(env)?;
    let id = env.required("AJAR_SECRET_ID")?;
    let answer = client.get_secret_value().secret_id(id).send().await.map_err(|error| {
        let service = error.into_service_error();
        ConfigError::Secret(service.meta().code().unwrap_or("Secrets Manager did not answer").to_owned())
    })?;
    let text = answer.secret_string().unwrap_or_default();
    serde_json::from_str(text).map_err(|_| {
        ConfigError::Secret(
            "the secret is not {\"signing_secret\": \"…\", \"bot_token\": \"xoxb-…\"}".to_owned(),
        )
    })
}
