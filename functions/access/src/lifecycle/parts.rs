//! A record taken apart, as it is stored, and put together again with every field checked.

use super::*;
use crate::lease::Ttl;
use crate::request::{Justification, Move, Ports, Protocol, RequestHash, RequestId};

/// Everything a record holds, flat, as the table keeps it. Optional fields are absent in states that
/// do not have them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented where the states declare it")]
pub struct Parts {
    pub id: RequestId,
    pub hash: String,
    pub version: u64,
    pub status: String,
    pub changed_at: Timestamp,
    pub requester: UserId,
    // The index `machine` is keyed by a plain attribute of that name.
    #[serde(rename = "vm")]
    pub machine: Machine,
    pub protocol: Protocol,
    pub ports: Ports,
    pub ttl_minutes: Ttl,
    pub asked_at: Timestamp,
    pub lapses_at: Timestamp,
    pub needed: u8,
    /// Whether its requester is to open it without approval.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Whether its requester is to move a grant without approval.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_move: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves: Option<Move>,
    #[serde(default)]
    pub approvals: Vec<Approval>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<Justification>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_proof: Option<OpenProof>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Vec<RuleEnd>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closure: Option<Closure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<RuleEnd>,
}

/// A stored record that cannot be one of ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Corrupt {
    /// A state that this version does not know.
    #[error("unknown status `{0}`")]
    Status(String),
    /// A field that this state must have.
    #[error("a record in status `{status}` lacks `{field}`")]
    Lacks {
        /// The status.
        status: String,
        /// The field.
        field: &'static str,
    },
    /// The hash is not 64 hexadecimal digits.
    #[error("`hash` is not 64 hexadecimal digits")]
    Hash,
}

impl Record {
    /// The word for the state, as the table's indexes and people know it.
    pub const fn status(&self) -> &'static str {
        match &self.state {
            State::Draft(_) => "DRAFT",
            State::Pending(_) => "PENDING",
            State::Approved(_) => "APPROVED",
            State::Opening(_) => "OPENING",
            State::Open(_) => "OPEN",
            State::Closing(_) => "CLOSING",
            State::Closed(_) => "CLOSED",
        }
    }

    /// Taken apart, to be stored.
    pub fn to_parts(&self) -> Parts {
        let wish = self.wish();
        let needed = match &self.state {
            State::Draft(draft) | State::Closed(Closed { ask: ClosedAsk::Draft(draft), .. }) => draft.needed,
            State::Pending(pending) | State::Closed(Closed { ask: ClosedAsk::Pending(pending), .. }) => {
                pending.needed
            }
            _ => u8::try_from(self.approvals().len()).unwrap_or(u8::MAX),
        };
        let mut parts = Parts {
            id: wish.id,
            hash: wish.hash.to_hex(),
            version: self.version,
            status: self.status().to_owned(),
            changed_at: self.changed_at,
            requester: wish.requester.clone(),
            machine: wish.machine.clone(),
            protocol: wish.protocol,
            ports: wish.ports.clone(),
            ttl_minutes: wish.ttl,
            asked_at: wish.asked_at,
            lapses_at: wish.lapses_at,
            needed,
            break_glass: wish.means == Means::BreakGlass,
            own_move: wish.means == Means::OwnMove,
            moves: wish.moves,
            approvals: self.approvals().to_vec(),
            justification: wish.justification.clone(),
            source: self.ask().map(|ask| ask.source),
            approved_at: self.granted().map(|granted| granted.approved_at),
            expires_at: self.granted().map(|granted| granted.expires_at),
            plan: self.plan().cloned(),
            planned_at: None,
            opened_at: None,
            open_proof: None,
            cause: None,
            closing_at: None,
            ends: None,
            tries: None,
            retry_at: None,
            obstacle: None,
            closure: None,
            closed_at: None,
            proof: None,
            settled: None,
            late: vec![],
        };
        match &self.state {
            State::Draft(_) | State::Pending(_) => {}
            State::Approved(approved) => parts.retry_at = approved.retry_at,
            State::Opening(opening) => {
                parts.planned_at = Some(opening.planned_at);
                parts.retry_at = opening.retry_at;
            }
            State::Open(open) => {
                parts.opened_at = Some(open.opened_at);
                parts.open_proof = Some(open.proof.clone());
            }
            State::Closing(closing) => {
                parts.cause = Some(closing.cause.clone());
                parts.closing_at = Some(closing.closing_at);
                parts.ends = Some(closing.ends.clone());
                parts.tries = Some(closing.tries);
                parts.retry_at = Some(closing.retry_at);
                parts.obstacle.clone_from(&closing.obstacle);
            }
            State::Closed(closed) => {
                parts.closure = Some(closed.closure.clone());
                parts.closed_at = Some(closed.closed_at);
                parts.proof.clone_from(&closed.proof);
                parts.settled = Some(closed.settled);
                parts.late.clone_from(&closed.late);
            }
        }
        parts
    }

    /// Put together from what the table holds.
    ///
    /// # Errors
    /// A state that is not known, or one that lacks what it must have.
    pub fn from_parts(parts: Parts) -> Result<Self, Corrupt> {
        let status = parts.status.clone();
        let lacks = |field| Corrupt::Lacks { status: status.clone(), field };
        let wish = Wish {
            id: parts.id,
            hash: RequestHash::from_hex(&parts.hash).ok_or(Corrupt::Hash)?,
            requester: parts.requester,
            machine: parts.machine,
            protocol: parts.protocol,
            ports: parts.ports,
            ttl: parts.ttl_minutes,
            means: match (parts.break_glass, parts.own_move) {
                (true, _) => Means::BreakGlass,
                (false, true) => Means::OwnMove,
                (false, false) => Means::Approval,
            },
            justification: parts.justification,
            moves: parts.moves,
            asked_at: parts.asked_at,
            lapses_at: parts.lapses_at,
        };
        let ask = parts.source.map(|source| Arc::new(Ask { wish: wish.clone(), source }));
        let pending = |ask: Option<Arc<Ask>>, approvals| {
            Ok(Pending { ask: ask.ok_or_else(|| lacks("source"))?, approvals, needed: parts.needed })
        };
        let granted = |ask: Option<Arc<Ask>>, approvals| {
            Ok(Granted {
                ask: ask.ok_or_else(|| lacks("source"))?,
                approvals,
                expires_at: parts.expires_at.ok_or_else(|| lacks("expires_at"))?,
                approved_at: parts.approved_at.ok_or_else(|| lacks("approved_at"))?,
            })
        };
        let plan = || parts.plan.clone().ok_or_else(|| lacks("plan"));
        let state = match parts.status.as_str() {
            "DRAFT" => State::Draft(Draft { wish: Arc::new(wish), needed: parts.needed }),
            "PENDING" => State::Pending(pending(ask, parts.approvals)?),
            "APPROVED" => State::Approved(Approved {
                granted: granted(ask, parts.approvals)?,
                retry_at: parts.retry_at,
            }),
            "OPENING" => State::Opening(Opening {
                granted: granted(ask, parts.approvals)?,
                plan: plan()?,
                planned_at: parts.planned_at.unwrap_or(parts.changed_at),
                retry_at: parts.retry_at,
            }),
            "OPEN" => State::Open(Open {
                granted: granted(ask, parts.approvals)?,
                plan: plan()?,
                opened_at: parts.opened_at.unwrap_or(parts.changed_at),
                proof: parts.open_proof.unwrap_or_default(),
            }),
            "CLOSING" => {
                let rules = parts.plan.as_ref().map_or(0, |plan| plan.rules().len());
                // Where the table does not say one end per rule, every rule may still stand.
                let ends = parts
                    .ends
                    .filter(|ends| ends.len() == rules)
                    .unwrap_or_else(|| vec![RuleEnd::Standing; rules]);
                State::Closing(Closing {
                    granted: granted(ask, parts.approvals)?,
                    plan: parts.plan.clone(),
                    cause: parts.cause.ok_or_else(|| lacks("cause"))?,
                    ends,
                    closing_at: parts.closing_at.unwrap_or(parts.changed_at),
                    tries: parts.tries.unwrap_or(0),
                    retry_at: parts.retry_at.unwrap_or(parts.changed_at),
                    obstacle: parts.obstacle,
                })
            }
            "CLOSED" => {
                let closure = parts.closure.ok_or_else(|| lacks("closure"))?;
                let ask = match (&closure, ask) {
                    (Closure::Ended(_), ask) => ClosedAsk::Granted(granted(ask, parts.approvals)?),
                    (_, Some(ask)) => ClosedAsk::Pending(pending(Some(ask), parts.approvals)?),
                    (_, None) => ClosedAsk::Draft(Draft { wish: Arc::new(wish), needed: parts.needed }),
                };
                State::Closed(Closed {
                    ask,
                    closure,
                    closed_at: parts.closed_at.ok_or_else(|| lacks("closed_at"))?,
                    settled: parts.settled.unwrap_or(parts.plan.is_none()),
                    plan: parts.plan.clone(),
                    proof: parts.proof,
                    late: parts.late,
                })
            }
            other => return Err(Corrupt::Status(other.to_owned())),
        };
        Ok(Self { version: parts.version, changed_at: parts.changed_at, state })
    }
}
