//! The life of a request: its states, what may follow what, and [`next_step`], which says what is
//! to be done now. Read this first.
//!
//! ```text
//!  Draft ──source known──> Pending ──approve (n of m)──> Approved ──planned──> Opening ──all rules seen──> Open
//!    │ lapse                 │ deny / cancel / lapse        │ lease over, refused, revoke   │                │
//!    └──────────┐            │                              └───────────────> Closing <─────┴────────────────┘
//!               v            v                                                  │ every rule seen gone
//!             Closed{lapsed, cancelled, denied, expired, revoked, failed} <─────┘
//! ```
//!
//! One type per state with private fields. After approval only [`Closing`] leads to [`Closed`], and
//! only when every planned rule was seen gone. [`Closed`] leads nowhere.

use crate::lease::Timestamp;
use crate::policy::{Admin, Approver, GlassBreaker};
use crate::request::{Ask, Machine, Means, ResourceId, Source, UserId, Wish};
use crate::signature::KeyId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod ending;
mod moving;
mod parts;
mod step;
#[cfg(test)]
mod tests;
mod transitions;

pub use ending::{Cause, Closure, Failure, NetworkFault, Obstacle, OpenProof, Proof, RuleEnd};
pub use moving::rest_on;
pub use parts::{Corrupt, Parts};
pub use step::{Step, Tempo, due_at, next_step, wants_grant};
pub use transitions::{Change, Event, EventKind, NotNow};

/// A click as Slack signed it: the evidence of a decision, kept with the record.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignedClick {
    /// The raw body.
    pub body: String,
    /// The header `X-Slack-Request-Timestamp`, as sent.
    pub timestamp: String,
    /// The header `X-Slack-Signature`.
    pub signature: String,
    /// With which of Slack's signing secrets; absent in records from before secrets had names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
}

impl std::fmt::Debug for SignedClick {
    /// Without the body: it holds a token and a `response_url`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedClick").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

/// One approver's yes; of a break-glass the requester's own.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: UserId,
    /// When, by Slack's signed timestamp.
    pub at: Timestamp,
    /// The signed click.
    pub click: Arc<SignedClick>,
}

/// A rule that we intend to write: where, and at which priority.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct PlannedRule {
    /// The network security group.
    pub nsg: ResourceId,
    /// The priority, 100 to 4096.
    pub priority: u16,
    /// The rule that let everybody on the Internet pass this group already when ours was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_by: Option<String>,
}

/// What was recorded before Azure heard of it: one rule in each network security group on the way.
/// Never empty.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<PlannedRule>", into = "Vec<PlannedRule>")]
pub struct Plan(Vec<PlannedRule>);

impl Plan {
    /// A plan of these rules, or `None` without any: where nothing shields a machine there is
    /// nothing to open.
    pub fn new(rules: Vec<PlannedRule>) -> Option<Self> {
        let mut keys: Vec<String> = rules.iter().map(|rule| rule.nsg.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        if rules.is_empty() || keys.len() != rules.len() { None } else { Some(Self(rules)) }
    }

    /// The rules.
    pub fn rules(&self) -> &[PlannedRule] {
        &self.0
    }

    /// The same plan with one rule at the priority that another plan has for its group.
    #[must_use]
    pub fn moved(&self, rule: usize, other: &Self) -> Self {
        let mut rules = self.0.clone();
        if let Some(moved) = rules.get_mut(rule)
            && let Some(found) = other.0.iter().find(|found| found.nsg == moved.nsg)
        {
            moved.priority = found.priority;
        }
        Self(rules)
    }

    /// The rules by which the ports were open to everybody already, one for each group; `None` where some
    /// group stood in the way.
    pub fn open_already(&self) -> Option<Vec<(&ResourceId, &str)>> {
        self.0.iter().map(|rule| Some((&rule.nsg, rule.open_by.as_deref()?))).collect()
    }

    /// Whether both plans concern the same network security groups.
    pub fn same_groups(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|rule| other.0.iter().any(|r| r.nsg == rule.nsg))
    }
}

impl TryFrom<Vec<PlannedRule>> for Plan {
    type Error = &'static str;
    fn try_from(rules: Vec<PlannedRule>) -> Result<Self, Self::Error> {
        Self::new(rules).ok_or("a plan names each of its network security groups once, and at least one")
    }
}

impl From<Plan> for Vec<PlannedRule> {
    fn from(plan: Plan) -> Self {
        plan.0
    }
}

/// Waits for the requester's address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Draft {
    wish: Arc<Wish>,
    needed: u8,
}

/// Waits for approvers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pending {
    ask: Arc<Ask>,
    approvals: Vec<Approval>,
    needed: u8,
}

/// What every state after approval carries.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Granted {
    ask: Arc<Ask>,
    approvals: Vec<Approval>,
    expires_at: Timestamp,
    approved_at: Timestamp,
}

/// Approved; nothing is planned yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Approved {
    granted: Granted,
    /// Azure wants to be asked again only then.
    retry_at: Option<Timestamp>,
}

/// Planned and recorded; the rules are being written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Opening {
    granted: Granted,
    plan: Plan,
    planned_at: Timestamp,
    /// Azure wants to be asked again only then.
    retry_at: Option<Timestamp>,
}

/// Every rule was seen in place, and the evaluated rules allow the flow.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Open {
    granted: Granted,
    plan: Plan,
    opened_at: Timestamp,
    proof: OpenProof,
}

/// Must be shut; stays so until every rule was seen gone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Closing {
    granted: Granted,
    plan: Option<Plan>,
    cause: Cause,
    /// One per planned rule.
    ends: Vec<RuleEnd>,
    closing_at: Timestamp,
    tries: u32,
    retry_at: Timestamp,
    /// What kept the last try from its end.
    obstacle: Option<Obstacle>,
}

/// Finished.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Closed {
    ask: ClosedAsk,
    closure: Closure,
    closed_at: Timestamp,
    /// What was planned, where it ever was: it is compared with Azure for a while.
    plan: Option<Plan>,
    proof: Option<Proof>,
    /// How far the end of each planned rule has come, where one appeared late and a lock keeps it;
    /// else empty.
    late: Vec<RuleEnd>,
    settled: bool,
}

/// A draft closes without a source.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum ClosedAsk {
    Draft(Draft),
    Pending(Pending),
    Granted(Granted),
}

/// The state of a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// See [`Draft`].
    Draft(Draft),
    /// See [`Pending`].
    Pending(Pending),
    /// See [`Approved`].
    Approved(Approved),
    /// See [`Opening`].
    Opening(Opening),
    /// See [`Open`].
    Open(Open),
    /// See [`Closing`].
    Closing(Closing),
    /// See [`Closed`].
    Closed(Closed),
}

/// The record of a request: its state and how often it has changed. Every write is conditional on
/// the version that was read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Record {
    version: u64,
    changed_at: Timestamp,
    state: State,
}

impl Record {
    /// How often it has changed; 1 when it is first recorded.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// When it last changed.
    pub const fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    /// The state.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Everything that was asked but the source.
    pub fn wish(&self) -> &Wish {
        match &self.state {
            State::Draft(draft) | State::Closed(Closed { ask: ClosedAsk::Draft(draft), .. }) => &draft.wish,
            State::Pending(pending) | State::Closed(Closed { ask: ClosedAsk::Pending(pending), .. }) => {
                &pending.ask.wish
            }
            State::Approved(Approved { granted, .. })
            | State::Opening(Opening { granted, .. })
            | State::Open(Open { granted, .. })
            | State::Closing(Closing { granted, .. })
            | State::Closed(Closed { ask: ClosedAsk::Granted(granted), .. }) => &granted.ask.wish,
        }
    }

    /// What was asked, once the source is known.
    pub fn ask(&self) -> Option<&Ask> {
        match &self.state {
            State::Draft(_) | State::Closed(Closed { ask: ClosedAsk::Draft(_), .. }) => None,
            State::Pending(pending) | State::Closed(Closed { ask: ClosedAsk::Pending(pending), .. }) => {
                Some(&pending.ask)
            }
            _ => self.granted().map(|granted| &*granted.ask),
        }
    }

    /// What was granted, once it is approved.
    pub fn granted(&self) -> Option<&Granted> {
        match &self.state {
            State::Draft(_) | State::Pending(_) => None,
            State::Approved(approved) => Some(&approved.granted),
            State::Opening(opening) => Some(&opening.granted),
            State::Open(open) => Some(&open.granted),
            State::Closing(closing) => Some(&closing.granted),
            State::Closed(closed) => match &closed.ask {
                ClosedAsk::Granted(granted) => Some(granted),
                ClosedAsk::Draft(_) | ClosedAsk::Pending(_) => None,
            },
        }
    }

    /// When Azure wants to be asked again about an opening, where it has said so.
    pub const fn delayed_until(&self) -> Option<Timestamp> {
        match &self.state {
            State::Approved(Approved { retry_at, .. }) | State::Opening(Opening { retry_at, .. }) => {
                *retry_at
            }
            _ => None,
        }
    }

    /// The yeses so far.
    pub fn approvals(&self) -> &[Approval] {
        match &self.state {
            State::Pending(pending) | State::Closed(Closed { ask: ClosedAsk::Pending(pending), .. }) => {
                &pending.approvals
            }
            _ => self.granted().map_or(&[], |granted| &granted.approvals),
        }
    }

    /// What was recorded before Azure heard of it.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.state {
            State::Draft(_) | State::Pending(_) | State::Approved(_) => None,
            State::Opening(opening) => Some(&opening.plan),
            State::Open(open) => Some(&open.plan),
            State::Closing(closing) => closing.plan.as_ref(),
            State::Closed(closed) => closed.plan.as_ref(),
        }
    }

    /// Since when it should have been shut, while that it is was not seen: from the end of the grant on,
    /// or from the moment when it was ended early. `None` where nothing of it is to be shut now.
    pub fn overdue_since(&self, now: Timestamp) -> Option<Timestamp> {
        let expires_at = self.granted()?.expires_at();
        match &self.state {
            State::Draft(_) | State::Pending(_) => None,
            State::Approved(_) | State::Opening(_) | State::Open(_) => {
                (now >= expires_at).then_some(expires_at)
            }
            State::Closing(closing) => (!closing.is_shut()).then_some(expires_at.min(closing.closing_at)),
            State::Closed(closed) => closed.may_let_in().then_some(closed.closed_at),
        }
    }

    /// Whether it waits for somebody or may let somebody in: a repetition of the same command is
    /// answered with it.
    pub const fn is_live(&self) -> bool {
        !matches!(self.state, State::Closing(_) | State::Closed(_))
    }
}

impl Granted {
    /// What was asked.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// The yeses that decided; of a break-glass the one of its requester.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// When it ends. Fixed at approval.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// When the deciding approval was recorded.
    pub const fn approved_at(&self) -> Timestamp {
        self.approved_at
    }
}

impl Pending {
    /// How many approvals it takes.
    pub const fn needed(&self) -> u8 {
        self.needed
    }
}

impl Opening {
    /// When its rules were planned, or planned anew.
    pub const fn planned_at(&self) -> Timestamp {
        self.planned_at
    }
}

impl Open {
    /// Since when.
    pub const fn opened_at(&self) -> Timestamp {
        self.opened_at
    }

    /// The rule that decides in each group, beside the planned rule there, and whether Azure's own check
    /// has said the same. A record of an earlier version does not name the rule that decides.
    pub fn decided(&self) -> impl Iterator<Item = (&PlannedRule, Option<&str>)> {
        let named = self.proof.decided_by.iter().map(|by| Some(by.as_str()));
        self.plan.rules().iter().zip(named.chain(std::iter::repeat(None)))
    }

    /// Whether Azure's own check has said that it is open.
    pub const fn is_confirmed(&self) -> bool {
        self.proof.confirmed
    }
}

impl Closing {
    /// Why.
    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// How far each planned rule has come.
    pub fn ends(&self) -> &[RuleEnd] {
        &self.ends
    }

    /// Since when.
    pub const fn closing_at(&self) -> Timestamp {
        self.closing_at
    }

    /// How often it was tried in vain.
    pub const fn tries(&self) -> u32 {
        self.tries
    }

    /// When the next try to shut it is.
    pub const fn retry_at(&self) -> Timestamp {
        self.retry_at
    }

    /// What kept the last try from its end; `None` before the first try has ended.
    pub const fn obstacle(&self) -> Option<&Obstacle> {
        self.obstacle.as_ref()
    }

    /// Whether nobody is let in any more: every rule denies or is gone.
    pub fn is_shut(&self) -> bool {
        self.ends.iter().all(|end| matches!(end, RuleEnd::Denied | RuleEnd::Gone))
    }
}

impl Closed {
    /// How it ended.
    pub const fn closure(&self) -> &Closure {
        &self.closure
    }

    /// When.
    pub const fn closed_at(&self) -> Timestamp {
        self.closed_at
    }

    /// Whether Azure was compared for long enough; nothing more is to be done.
    pub const fn is_settled(&self) -> bool {
        self.settled
    }

    /// How far the end of each planned rule has come, where a write landed after all was seen gone
    /// and a lock forbids to remove what it wrote. Empty where nothing of ours is known to stand.
    pub fn late(&self) -> &[RuleEnd] {
        &self.late
    }

    /// Whether a rule that came back late may let somebody in.
    pub fn may_let_in(&self) -> bool {
        self.late.iter().any(|end| matches!(end, RuleEnd::Locked | RuleEnd::Standing))
    }

    /// What the rules said of the flow at the end.
    pub const fn proof(&self) -> Option<&Proof> {
        self.proof.as_ref()
    }
}
