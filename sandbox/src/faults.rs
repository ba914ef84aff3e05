//! Failures that a person or a test orders for the next calls to a simulated part.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A simulated part that can be told to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Azure's management API.
    Arm,
    /// Slack's Web API and `response_url`s.
    Slack,
    /// Microsoft Entra's token endpoint.
    Entra,
    /// The stand-in for AWS STS.
    Sts,
    /// DynamoDB's API.
    Dynamodb,
}

/// How a call fails.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum How {
    /// Answered with this status, headers and body instead of being carried out.
    Answer {
        /// HTTP status.
        status: u16,
        /// Extra headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body; JSON is sent as JSON.
        #[serde(default)]
        body: serde_json::Value,
    },
    /// The connection is cut before the call is carried out.
    CutBefore,
    /// The call is carried out, then the connection is cut: the caller does not learn of it.
    CutAfter,
    /// The call is carried out only this much later (real time, milliseconds); the connection is cut at once.
    Late {
        /// How much later, in milliseconds.
        milliseconds: u64,
    },
    /// Answered as usual, but only after this much real time, in milliseconds.
    Slow {
        /// How long, in milliseconds.
        milliseconds: u64,
    },
    /// Every running invocation of this function is killed as the call arrives, and the call is lost
    /// with it: a crash just before it.
    CrashBefore {
        /// The function's name.
        function: String,
    },
    /// Every running invocation of this function is killed as the call arrives; the call is carried
    /// out: a crash just after it.
    CrashAfter {
        /// The function's name.
        function: String,
    },
    /// ARM only: accepted, and the asynchronous operation ends with this status and error code.
    OperationEnds {
        /// `Failed` or `Canceled`.
        status: String,
        /// The error code of the operation.
        code: String,
    },
}

/// An order: the next `count` calls that match fail.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which part.
    pub part: Part,
    /// HTTP method; absent: any.
    #[serde(default)]
    pub method: Option<String>,
    /// A piece of the path (query excluded), compared without case; absent: any.
    #[serde(default)]
    pub path: Option<String>,
    /// How it fails.
    pub how: How,
    /// How many calls fail before things work again.
    #[serde(default = "one")]
    pub count: u32,
}

fn one() -> u32 {
    1
}

/// Kills the running invocations of a function.
type Crash = Box<dyn Fn(&str) + Send + Sync>;

/// The orders that stand, shared by all simulated parts of one sandbox.
#[derive(Clone, Default)]
pub struct Faults {
    orders: Arc<Mutex<Vec<Fault>>>,
    crash: Arc<OnceLock<Crash>>,
}

impl Faults {
    /// Says how a function is killed; until then an ordered crash only cuts the connection.
    pub(crate) fn crash_with(&self, crash: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.crash.set(Box::new(crash));
    }

    /// Adds an order.
    pub fn order(&self, fault: Fault) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Takes back every order.
    pub fn clear(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether this call fails, and how. Uses up one of the order's count. A crash happens here, and
    /// what is left to do is to cut the connection.
    pub fn take(&self, part: Part, method: &str, path: &str) -> Option<How> {
        let how = self.next(part, method, path)?;
        let crash = |function: &str| self.crash.get().into_iter().for_each(|crash| crash(function));
        Some(match how {
            How::CrashBefore { function } => {
                crash(&function);
                How::CutBefore
            }
            How::CrashAfter { function } => {
                crash(&function);
                How::CutAfter
            }
            other => other,
        })
    }

    fn next(&self, part: Part, method: &str, path: &str) -> Option<How> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let path = path.to_ascii_lowercase();
        let at = orders.iter().position(|fault| {
            fault.part == part
                && fault.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && fault.path.as_ref().is_none_or(|piece| path.contains(&piece.to_ascii_lowercase()))
        })?;
        let how = orders[at].how.clone();
        orders[at].count = orders[at].count.saturating_sub(1);
        if orders[at].count == 0 {
            orders.remove(at);
        }
        Some(how)
    }
}
