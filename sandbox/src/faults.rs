//! Failures that a person or a test orders for the next calls to a simulated part.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

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

/// The orders that stand, shared by all simulated parts of one sandbox.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Fault>>>);

impl Faults {
    /// Adds an order.
    pub fn order(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Takes back every order.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether this call fails, and how. Uses up one of the order's count.
    pub fn take(&self, part: Part, method: &str, path: &str) -> Option<How> {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
