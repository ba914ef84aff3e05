//! AWS clients: credentials and endpoints from the environment, one TLS stack, and retries and time
//! limits set by us, because the defaults can outlast a whole invocation.

use crate::config::{ConfigError, Environment};
use crate::http::Limits;
use aws_credential_types::Credentials;
use aws_smithy_http_client::{Builder, tls};
use std::time::Duration;

/// What an `aws-sdk-*` client needs, for each of the services: the same lines for four types that
/// have no trait in common.
macro_rules! sdk_config {
    ($sdk:ident, $env:expr, $endpoint:literal) => {{
        use $sdk::config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
        let env: &Environment = $env;
        let limits = Limits::of(env)?;
        let mut builder = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(env.required("AWS_REGION")?.to_owned()))
            .credentials_provider(credentials(env)?)
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

/// In whose name AWS is called.
///
/// # Errors
/// No credentials in the environment.
pub(crate) fn credentials(env: &Environment) -> Result<Credentials, ConfigError> {
    Ok(Credentials::new(
        env.required("AWS_ACCESS_KEY_ID")?,
        env.required("AWS_SECRET_ACCESS_KEY")?,
        env.optional("AWS_SESSION_TOKEN").map(str::to_owned),
        None,
        "environment",
    ))
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
