//! Azure's management API: only this module knows its JSON. Every call is made once, with a time
//! limit; whether it is repeated is decided by [`access::drive`].

use crate::config::{ConfigError, Environment};
use crate::entra::{NoToken, Tokens};
use crate::http::{CALL_TIMEOUT, Limits, Route};
use access::drive::Acted;
use access::lifecycle::NetworkFault;
use access::machine::TagsNow;
use access::nsg::{OurRule, Rule};
use access::order::ClosingRule;
use access::refusal::{Again, Outcome, Refusal, Verb};
use access::request::{ResourceId, RuleName};
use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::{
    ClientOptions, Context, Method, Pipeline, PipelineSendOptions, RawResponse, Request, RetryOptions,
    Transport, Url,
};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

mod answers;
mod authority;
mod fence;
mod graph;
mod machines;
mod survey;
mod types;
mod watcher;

pub use authority::{Federated, Identity, Role};
pub use fence::{Fence, NotAGroup};
use fence::{NoPermit, Permit};
pub use graph::{GraphError, Listed};
pub use survey::{ShownRule, rights, said};
use types::SecurityGroup;
pub use watcher::Said;

/// The version of the network API that our types were written against.
const NETWORK: &str = "2025-05-01";
/// The version of the compute API that our types were written against.
const COMPUTE: &str = "2024-11-01";

/// A client of Azure's management API, in the name of one function's identity, or of an operator.
#[derive(Clone)]
pub struct Arm {
    pipeline: Pipeline,
    tokens: Tokens,
    fence: Fence,
    limits: Limits,
    watchers: Arc<watcher::Watchers>,
}

/// A person's own login, in place of a function's identity. It comes with a fence, because a person may
/// do more than a function's role lets.
#[derive(Clone)]
pub struct Operator {
    /// What gives tokens.
    pub login: Arc<dyn TokenCredential>,
    /// What may be written with them.
    pub fence: Fence,
}

/// A call that brought no answer of Azure's.
#[derive(Debug, thiserror::Error)]
enum NotSent {
    /// There is no token: nothing was sent.
    #[error(transparent)]
    NoToken(#[from] NoToken),
    /// It may have been sent.
    #[error(transparent)]
    NoAnswer(#[from] azure_core::Error),
}

/// What is sent. What changes something needs a permit, which only the fence gives.
#[derive(Clone, Copy)]
enum Sent<'a> {
    Get(&'a str),
    /// A question that is asked by POST and changes nothing.
    Ask(&'a str, &'a serde_json::Value),
    Put(&'a Permit<'a>, &'a serde_json::Value),
    Delete(&'a Permit<'a>),
}

/// Why a read brought nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ArmError {
    /// There is no such resource.
    #[error("{0} was not found")]
    NotFound(String),
    /// Azure refused, and would again until somebody does something about it.
    #[error("Azure refused: {code} (correlation id {correlation_id})")]
    Refused {
        /// The error code of Azure, or of Entra where there is no token.
        code: String,
        /// What Azure's support asks for; empty where Azure was not reached.
        correlation_id: String,
    },
    /// Azure wants to be asked later than a drive lasts.
    #[error("Azure wants to be asked in {seconds} s: {code}")]
    Later {
        /// In how many seconds.
        seconds: u64,
        /// The error code.
        code: String,
    },
    /// No answer, or one that cannot be read.
    #[error("no answer from Azure: {0}")]
    NoAnswer(String),
}

/// What stands between the Internet and a machine.
#[derive(Clone, PartialEq, Debug)]
pub struct Way {
    /// The network security groups, the subnet's and the interface's; each must allow.
    pub groups: Vec<ResourceId>,
    /// The application security groups that the address is in; `None` where that is not known.
    pub member_of: Option<Vec<ResourceId>>,
    /// The machine's tags.
    pub tags: TagsNow,
}

/// Why the way to a machine is not known.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
    /// It is known, and not as it should be.
    #[error("{0:?}")]
    Fault(NetworkFault),
    /// Azure did not say.
    #[error(transparent)]
    Arm(#[from] ArmError),
}

/// A network security group as it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Its inbound rules, the default ones too.
    pub rules: Vec<Rule>,
    /// The region that it is in, and with it what it shields.
    pub location: String,
}

impl Arm {
    /// With the credential and the addresses of the configuration.
    ///
    /// # Errors
    /// Missing or malformed configuration.
    pub fn new(env: &Environment) -> Result<Self, ConfigError> {
        let limits = Limits::of(env)?;
        let route = Route::new(
            crate::http::client(limits)?,
            env.url("AJAR_ARM_URL", "https://management.azure.com")?,
            env.url("AJAR_ENTRA_URL", "https://login.microsoftonline.com")?,
        );
        let transport = Transport::new(Arc::new(route));
        let (tokens, fence) = match env.operator() {
            Some(Operator { login, fence }) => {
                let login = Arc::clone(login);
                (Tokens::new(move || Ok(Arc::clone(&login)))?, fence.clone())
            }
            None => {
                let (env, to_entra) = (env.clone(), transport.clone());
                (Tokens::new(move || crate::entra::credential(&env, &to_entra))?, Fence::default())
            }
        };
        let options = ClientOptions {
            transport: Some(transport),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let pipeline =
            Pipeline::new(Some("ajar"), Some(env!("CARGO_PKG_VERSION")), options, vec![], vec![], None);
        let watchers = Arc::new(watcher::Watchers::new(!env.on("AJAR_IP_FLOW_VERIFY")?));
        Ok(Self { pipeline, tokens, fence, limits, watchers })
    }

    /// Makes a call, and once more with a new token where Azure refuses the one it was made with. All of
    /// it has one call's time: the lock of a group is held for that long.
    async fn send(&self, what: Sent<'_>) -> Result<RawResponse, NotSent> {
        let (verb, path) = match what {
            Sent::Get(path) | Sent::Ask(path, _) => (Verb::Get, path),
            Sent::Put(permit, _) => (Verb::Put, permit.path()),
            Sent::Delete(permit) => (Verb::Delete, permit.path()),
        };
        let deadline = Instant::now() + self.limits.scale(CALL_TIMEOUT);
        let (answer, generation) = self.send_once(deadline, what).await?;
        if answer.status().is_success() || answers::refusal(&answer).outcome(verb) != Outcome::NewToken {
            return Ok(answer);
        }
        // Without the query: it may be that of a next page.
        let path = path.split('?').next().unwrap_or_default();
        tracing::info!(path, correlation_id = answers::correlation_id(&answer), "Azure wants a new token");
        self.tokens.refused(generation);
        Ok(self.send_once(deadline, what).await?.0)
    }

    /// The answer, and which token it was made with.
    async fn send_once(&self, deadline: Instant, what: Sent<'_>) -> Result<(RawResponse, u64), NotSent> {
        let written = |permit: &Permit<'_>| format!("{}?api-version={NETWORK}", permit.path());
        let (method, path, body) = match what {
            Sent::Get(path) => (Method::Get, path.to_owned(), None),
            Sent::Ask(path, body) => (Method::Post, path.to_owned(), Some(body)),
            Sent::Put(permit, body) => (Method::Put, written(permit), Some(body)),
            Sent::Delete(permit) => (Method::Delete, written(permit), None),
        };
        let url = format!("https://management.azure.com{path}");
        let url =
            Url::parse(&url).map_err(|error| azure_core::Error::new(ErrorKind::DataConversion, error))?;
        let mut request = Request::new(url, method);
        request.insert_header("accept", "application/json");
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_json(body)?;
        }
        let options = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
        let timed_out = || azure_core::Error::with_message(ErrorKind::Io, "timed out");
        let token = timeout_at(deadline, self.tokens.get()).await.unwrap_or_else(|_| {
            Err(NoToken { code: "no answer from Entra".to_owned(), outcome: Outcome::Soon })
        })?;
        request.insert_header("authorization", format!("Bearer {}", token.secret.secret()));
        let context = Context::new();
        let sent = self.pipeline.send(&context, &mut request, Some(options));
        let answer = timeout_at(deadline, sent).await.unwrap_or_else(|_| Err(timed_out()))?;
        Ok((answer, token.generation))
    }

    async fn get<T: DeserializeOwned>(&self, id: &ResourceId, api_version: &str) -> Result<T, ArmError> {
        self.read(&format!("{id}?api-version={api_version}"), id).await
    }

    /// Reads a path with its query. `what` names it where it is not found.
    async fn read<T: DeserializeOwned>(&self, path: &str, what: impl Display) -> Result<T, ArmError> {
        let answer = match self.send(Sent::Get(path)).await {
            Ok(answer) => answer,
            Err(NotSent::NoAnswer(error)) => return Err(ArmError::NoAnswer(error.to_string())),
            Err(NotSent::NoToken(NoToken { code, outcome })) => {
                let refusal = Refusal { code, ..Refusal::default() };
                return Err(unread(&refusal, outcome, what, ""));
            }
        };
        if answer.status().is_success() {
            return serde_json::from_slice(answer.body()).map_err(|error| {
                // Without what it holds.
                let (line, column) = (error.line(), error.column());
                ArmError::NoAnswer(format!("line {line}, column {column}: not as expected"))
            });
        }
        let refusal = answers::refusal(&answer);
        Err(unread(&refusal, refusal.outcome(Verb::Get), what, answers::correlation_id(&answer)))
    }

    /// A network security group with its rules.
    ///
    /// # Errors
    /// It does not exist, or Azure refused or did not answer.
    pub async fn group(&self, id: &ResourceId) -> Result<Group, ArmError> {
        let group: SecurityGroup = self.get(id, NETWORK).await?;
        let location = group.location.clone();
        Ok(Group { rules: group.inbound(), location })
    }

    /// Writes our rule. The same again writes the same.
    pub async fn put_rule(&self, rule: &OurRule) -> Acted {
        self.put(&rule.nsg, &rule.name, &types::rule_body(rule)).await
    }

    /// Writes a closing rule. The same again writes the same.
    pub async fn put_closing(
        &self,
        rule: &ClosingRule,
        name: &RuleName,
        priority: u16,
        description: &str,
    ) -> Acted {
        self.put(&rule.nsg, name, &types::closing_body(rule, priority, description)).await
    }

    async fn put(&self, nsg: &ResourceId, name: &RuleName, body: &serde_json::Value) -> Acted {
        let permit = match self.fence.put(nsg, name).await {
            Ok(permit) => permit,
            Err(why) => return not_sent(why, nsg),
        };
        let answer = self.send(Sent::Put(&permit, body)).await;
        let acted = answers::acted(&answer, permit.path(), Verb::Put);
        if acted != Acted::Unknown {
            permit.answered();
        }
        acted
    }

    /// Deletes our rule. Deleting what is not there is done too.
    pub async fn delete_rule(&self, nsg: &ResourceId, name: &RuleName) -> Acted {
        let permit = match self.fence.delete(nsg, name) {
            Ok(permit) => permit,
            Err(why) => return not_sent(why, nsg),
        };
        let answer = self.send(Sent::Delete(&permit)).await;
        answers::acted(&answer, permit.path(), Verb::Delete)
    }
}

/// What a read without success is to whoever asked.
fn unread(refusal: &Refusal, outcome: Outcome, what: impl Display, correlation_id: &str) -> ArmError {
    let (code, correlation_id) = (refusal.told(), correlation_id.to_owned());
    match (outcome, refusal.again(outcome)) {
        (_, Some(Again::After(seconds))) => ArmError::Later { seconds, code },
        (_, Some(Again::Within(_))) => {
            ArmError::NoAnswer(format!("{code} (correlation id {correlation_id})"))
        }
        (Outcome::Absent, _) => {
            let what = what.to_string();
            ArmError::NotFound(what.rsplit('/').next().unwrap_or_default().to_owned())
        }
        _ => ArmError::Refused { code, correlation_id },
    }
}

/// The inbound rules of a network security group, from the JSON that the management API sends of it.
///
/// # Errors
/// It is not the JSON of a group.
pub fn inbound_rules(body: &[u8]) -> Result<Vec<Rule>, serde_json::Error> {
    Ok(serde_json::from_slice::<SecurityGroup>(body)?.inbound())
}

/// A write for which the fence gives no leave: nothing was sent.
fn not_sent(why: NoPermit, nsg: &ResourceId) -> Acted {
    match why {
        NoPermit::Outside => {
            tracing::error!(%nsg, "a write outside of the one group that may be touched was not sent");
            Acted::Refused("OutsideTheFence".to_owned())
        }
        NoPermit::Ended => Acted::Busy { seconds: 0 },
    }
}
