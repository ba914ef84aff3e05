//! The function `request`: hears Slack and the page of addresses, and records. The only part that the Internet can
//! reach; it holds no Azure identity.

use access::click::App;
use access::lifecycle::SignedClick;
use access::policy::Policy;
use access::request::Installation;
use access::signature::{SignatureError, Verified, verify};
use access::wording::{self, Message};
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use base64::Engine;
use edge::clock::Clock;
use edge::config::{ConfigError, Environment};
use edge::secrets::{AGAIN_SECONDS, FRESH_SECONDS, SlackSecrets};
use edge::slack::Slack;
use edge::store::{Store, StoreError};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::{Value, json};
use std::time::Duration;

mod address;
mod again;
mod asking;
mod command;
mod denying;
mod draft;
mod enabling;
mod ending;
mod freezing;
mod interaction;
mod known;
mod lockdown;
mod looking;
mod moving;
mod ordering;
mod page;

/// Slack shows an error when an answer takes longer than 3 s; ours must be there before.
const ANSWER_WITHIN: Duration = Duration::from_millis(2500);

/// What the function works with.
pub struct Deps {
    clock: Clock,
    store: Store,
    slack: Slack,
    policy: Policy,
    app: App,
    installation: Installation,
    secrets: SlackSecrets,
    /// What is left of [`ANSWER_WITHIN`].
    answer_within: Duration,
}

/// Why an interaction could not be carried through.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("somebody else wrote the record again and again")]
    Contended,
    #[error("no free id in five tries")]
    Ids,
    #[error("took longer than Slack waits")]
    TooSlow,
}

impl Deps {
    /// From the environment, with the secrets read.
    ///
    /// # Errors
    /// Missing or malformed configuration.
    pub async fn new(env: &Environment, clock: Clock) -> Result<Self, ConfigError> {
        let secrets = SlackSecrets::read(env, &clock).await?;
        Ok(Self {
            clock,
            store: Store::new(edge::aws::dynamodb(env)?, env.required("AJAR_TABLE")?.to_owned()),
            slack: Slack::new(env, secrets.clone())?,
            policy: env.policy()?,
            app: secrets.app(env)?,
            installation: env.installation()?,
            secrets,
            answer_within: edge::http::Limits::of(env)?.scale(ANSWER_WITHIN),
        })
    }
}

/// Handles one HTTP request (payload format 2.0 of an HTTP API or a function URL).
///
/// # Errors
/// Never: whatever breaks is an answer.
pub async fn handle(deps: &Deps, event: LambdaEvent<LambdaFunctionUrlRequest>) -> Result<Value, Error> {
    let (request, context) = event.into_parts();
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let Some(body) = raw_body(&request) else { return Ok(status(400)) };
    let path = request.raw_path.as_deref().unwrap_or_default();
    let kind = path.rsplit('/').next();
    let reference = reference(&context.request_id);
    // A browser's, which Slack does not sign.
    if kind == Some("address") {
        return Ok(address::handle(deps, &request, &body, &reference).await);
    }
    let timestamp = header("x-slack-request-timestamp");
    let signature = header("x-slack-signature");
    let verified = match signed(deps, timestamp, signature, &body).await {
        Ok(verified) => verified,
        Err(why) => {
            tracing::warn!(why = %why, "a request that Slack did not sign");
            return Ok(status(401));
        }
    };
    // What is kept as evidence.
    let as_signed = SignedClick {
        body: String::from_utf8_lossy(verified.body()).into_owned(),
        timestamp: timestamp.unwrap_or_default().to_owned(),
        signature: signature.unwrap_or_default().to_owned(),
        key: Some(verified.key()),
    };
    let domain = request.request_context.domain_name.as_deref().unwrap_or_default();
    let page = draft::page_url(domain, path);
    let answered = async {
        match kind {
            Some("command") => command::handle(deps, &verified, as_signed, page).await,
            Some("interaction") => interaction::handle(deps, &verified, as_signed, page).await,
            _ => Ok(status(404)),
        }
    };
    // Beside it, so that nobody waits for it as well.
    let renewed = within(deps, async {
        deps.secrets.renew(FRESH_SECONDS).await;
        Ok(())
    });
    let (answer, _) = tokio::join!(within(deps, answered), renewed);
    Ok(answer.unwrap_or_else(|broken| {
        tracing::error!(error = %edge::report::chain(&broken), reference, "could not answer Slack");
        // Slack shows no body to somebody who clicked, but a warning when the status is not 200.
        if kind == Some("command") { message(&wording::broke(&reference)) } else { status(500) }
    }))
}

/// Whether Slack signed this now; with a secret that was changed a moment ago, if need be.
async fn signed<'a>(
    deps: &Deps,
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &'a [u8],
) -> Result<Verified<'a>, SignatureError> {
    let verify_now = || {
        let secrets = deps.secrets.current();
        verify(secrets.keys.current(), timestamp, signature, body, deps.clock.now())
    };
    match verify_now() {
        Err(SignatureError::Wrong) => {
            deps.secrets.renew(AGAIN_SECONDS).await;
            verify_now()
        }
        decided => decided,
    }
}

async fn within<T>(deps: &Deps, answer: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    tokio::time::timeout(deps.answer_within, answer).await.unwrap_or(Err(Broken::TooSlow))
}

/// The first part of the invocation's id: enough to find its log line.
fn reference(request_id: &str) -> String {
    request_id.split('-').next().unwrap_or_default().to_owned()
}

/// The bytes that Slack signed: form bodies arrive base64-encoded.
fn raw_body(request: &LambdaFunctionUrlRequest) -> Option<Vec<u8>> {
    let body = request.body.as_deref().unwrap_or_default();
    if request.is_base64_encoded {
        base64::engine::general_purpose::STANDARD.decode(body).ok()
    } else {
        Some(body.as_bytes().to_vec())
    }
}

/// A value of a signed form.
fn field(verified: &Verified<'_>, name: &str) -> Option<String> {
    form_urlencoded::parse(verified.body()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn status(code: u16) -> Value {
    json!({"statusCode": code, "headers": {}, "body": "", "isBase64Encoded": false})
}

/// An answer that only the person sees.
fn message(message: &Message) -> Value {
    json(&message.ephemeral())
}

fn json(body: &Value) -> Value {
    json!({
        "statusCode": 200,
        "headers": {"content-type": "application/json; charset=utf-8"},
        "body": body.to_string(),
        "isBase64Encoded": false,
    })
}
