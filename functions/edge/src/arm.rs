//! Azure's management API: only this module knows its JSON. Every call is made once, with a time
//! limit; whether it is repeated is decided by [`access::drive`].

use crate::config::{ConfigError, Environment};
use crate::http::{CALL_TIMEOUT, Limits, Route};
use access::drive::Acted;
use access::lifecycle::NetworkFault;
use access::nsg::{OurRule, Rule};
use access::request::{ResourceId, RuleName};
use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{
    ClientOptions, Context, Method, Pipeline, PipelineSendOptions, RawResponse, Request, RetryOptions,
    Transport, Url,
};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::sync::Arc;

mod answers;
mod fence;
mod machines;
mod survey;
mod types;
mod watcher;

use answers::{Refused, refused};
pub use fence::{Fence, NotAGroup};
use fence::{NoPermit, Permit};
pub use survey::ShownRule;
use types::SecurityGroup;
pub use watcher::Said;

/// The version of the network API that our types were written against.
const NETWORK: &str = "2025-05-01";
/// The version of the compute API that our types were written against.
const COMPUTE: &str = "2024-11-01";
/// What a token is asked for.
const SCOPE: &str = "https://management.azure.com/.default";

/// A client of Azure's management API, in the name of one function's identity, or of an operator.
#[derive(Clone)]
pub struct Arm {
    pipeline: Pipeline,
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

/// What is sent. What changes something needs a permit, which only the fence gives.
enum Sent<'a> {
    Get(&'a str),
    /// A question that does not fit into an address: Network Watcher's.
    Ask(&'a str, &'a serde_json::Value),
    Put(&'a Permit<'a>, &'a serde_json::Value),
    Delete(&'a Permit<'a>),
}

/// Why a read brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// There is no such resource.
    #[error("{0} was not found")]
    NotFound(String),
    /// Azure refused.
    #[error("Azure answered {status} {code}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Azure's error code.
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
        let (credential, fence) = match env.operator() {
            Some(Operator { login, fence }) => (Arc::clone(login), fence.clone()),
            None => (crate::entra::credential(env, &transport)?, Fence::default()),
        };
        let options = ClientOptions {
            transport: Some(transport),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let bearer = Arc::new(BearerTokenAuthorizationPolicy::new(credential, [SCOPE]));
        let pipeline =
            Pipeline::new(Some("ajar"), Some(env!("CARGO_PKG_VERSION")), options, vec![], vec![bearer], None);
        let watchers = Arc::new(watcher::Watchers::new(!env.on("AJAR_IP_FLOW_VERIFY")?));
        Ok(Self { pipeline, fence, limits, watchers })
    }

    async fn send(&self, what: Sent<'_>) -> azure_core::Result<RawResponse> {
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
        let context = Context::new();
        let sent = self.pipeline.send(&context, &mut request, Some(options));
        // A token, then the call: each has its own limit, and the whole has one too.
        match tokio::time::timeout(self.limits.scale(CALL_TIMEOUT), sent).await {
            Ok(answer) => answer,
            Err(_) => Err(azure_core::Error::with_message(ErrorKind::Io, "timed out")),
        }
    }

    async fn get<T: DeserializeOwned>(&self, id: &ResourceId, api_version: &str) -> Result<T, ArmError> {
        self.read(&format!("{id}?api-version={api_version}"), id).await
    }

    /// Reads a path with its query. `what` names it where it is not found.
    async fn read<T: DeserializeOwned>(&self, path: &str, what: impl Display) -> Result<T, ArmError> {
        let answer = self.send(Sent::Get(path)).await;
        let answer = answer.map_err(|error| ArmError::NoAnswer(error.to_string()))?;
        let status = u16::from(answer.status());
        if status == 200 {
            return serde_json::from_slice(answer.body())
                .map_err(|error| ArmError::NoAnswer(error.to_string()));
        }
        let Refused { code, .. } = refused(&answer);
        match status {
            // It says nothing of the resource: the subscription is not in our tenant, or not known to it yet.
            404 if code == "SubscriptionNotFound" => Err(ArmError::Refused { status, code }),
            404 => {
                let what = what.to_string();
                Err(ArmError::NotFound(what.rsplit('/').next().unwrap_or_default().to_owned()))
            }
            429 | 408 | 500.. => Err(ArmError::NoAnswer(format!("{status} {code}"))),
            _ => Err(ArmError::Refused { status, code }),
        }
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
        let permit = match self.fence.put(&rule.nsg, &rule.name).await {
            Ok(permit) => permit,
            Err(why) => return not_sent(why, &rule.nsg),
        };
        let body = types::rule_body(rule);
        let answer = self.send(Sent::Put(&permit, &body)).await;
        let acted = answers::acted(&answer, permit.path(), "PUT");
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
        answers::acted(&answer, permit.path(), "DELETE")
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
        NoPermit::Ended => Acted::Busy,
    }
}
