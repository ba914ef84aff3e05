//! Writes and the asynchronous operations that carry them out.
//!
//! A write changes what ARM lists at once and what packets meet when its operation ends. Only one
//! operation runs per group: a second write supersedes the first, as in Azure, or is turned away.

use super::core::{Core, State};
use super::error::{ArmError, Detail};
use super::journal::What;
use super::propagation;
use super::settings::Overlapping;
use super::wire::{self, Ending};
use super::world::{Kind, Rule};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// How many operations can still be asked about.
const KEPT: usize = 500;

/// What an operation does; Azure's name for it has `Operation` at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Work {
    PutSecurityRule,
    DeleteSecurityRule,
    PutNetworkSecurityGroup,
    DeleteNetworkSecurityGroup,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}Operation")
    }
}

/// How far an operation is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Status {
    InProgress,
    Succeeded,
    Failed { code: String },
    Canceled { detail: Detail },
}

/// An asynchronous operation.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Operation {
    pub(super) id: String,
    work: Work,
    nsg: String,
    /// Empty when the whole group is written.
    rule: String,
    by: String,
    status: Status,
    /// The group's rules before, to go back to.
    before: Vec<Rule>,
    ending: Option<Ending>,
}

/// A write that is to begin.
pub(super) struct Write<'a> {
    pub(super) work: Work,
    pub(super) nsg: &'a str,
    pub(super) rule: &'a str,
    pub(super) by: &'a str,
    pub(super) ending: Option<Ending>,
}

impl Operation {
    pub(super) fn running(&self) -> bool {
        self.status == Status::InProgress
    }

    /// The body of `GET .../operations/{id}`.
    pub(super) fn view(&self) -> Value {
        match &self.status {
            Status::InProgress => json!({ "status": "InProgress" }),
            Status::Succeeded => json!({ "status": "Succeeded" }),
            Status::Failed { code } => json!({ "status": "Failed",
                "error": { "code": code, "message": "An error occurred.", "details": [] } }),
            Status::Canceled { detail } => json!({ "status": "Canceled",
                "error": { "code": "Canceled", "message": "Operation was canceled.", "details": [detail] } }),
        }
    }

    /// The status of `GET .../operationResults/{id}`: 202 while it runs, 204 when done, else the error.
    pub(super) fn result(&self) -> Result<u16, Value> {
        match &self.status {
            Status::InProgress => Ok(202),
            Status::Succeeded => Ok(204),
            Status::Failed { .. } | Status::Canceled { .. } => Err(json!({ "error": self.view()["error"] })),
        }
    }
}

/// Begins a write: deals with one that is under way, then remembers the operation. The caller
/// changes the group's rules afterwards, and calls [`run`] when the state is unlocked.
///
/// # Errors
/// 429 or 409 when another write is under way and the settings say to turn the second one away.
pub(super) fn begin(core: &Core, state: &mut State, write: &Write) -> Result<String, ArmError> {
    let id = wire::guid();
    let now = core.now();
    if let Some(at) =
        state.operations.iter().position(|one| one.running() && one.nsg.eq_ignore_ascii_case(write.nsg))
    {
        let earlier = state.operations[at].clone();
        state.journal.add_overlap(now, write, &earlier.by);
        let settings = core.settings();
        match settings.overlapping {
            Overlapping::Supersede => {
                let detail = Detail {
                    code: "CanceledAndSupersededDueToAnotherOperation".to_owned(),
                    message: format!(
                        "Operation {} ({}) was canceled and superseded by operation {} ({id}).",
                        earlier.work, earlier.id, write.work
                    ),
                };
                state.journal.add(now, &earlier.nsg, &earlier.rule, What::Superseded, &earlier.by, None);
                cancel(core, state, at, detail);
            }
            Overlapping::Retryable => return Err(retryable(&earlier)),
            Overlapping::InProgress => return Err(in_progress(&earlier)),
        }
    }
    let before = state.world.nsg(write.nsg).map(|nsg| nsg.rules.clone()).unwrap_or_default();
    state.operations.push(Operation {
        id: id.clone(),
        work: write.work,
        nsg: write.nsg.to_owned(),
        rule: write.rule.to_owned(),
        by: write.by.to_owned(),
        status: Status::InProgress,
        before,
        ending: write.ending.clone(),
    });
    let surplus = state.operations.len().saturating_sub(KEPT);
    state.operations.drain(..surplus);
    if let Some(nsg) = state.world.nsg_mut(write.nsg) {
        nsg.etag = wire::guid();
        nsg.state = "Updating".to_owned();
    }
    Ok(id)
}

/// Refuses to touch what refers to a group while the group is being written.
///
/// # Errors
/// 429 `RetryableError` with `ReferencedResourceNotProvisioned`.
pub(super) fn provisioned(state: &State, nsg: Option<&str>, user: &str) -> Result<(), ArmError> {
    let Some(nsg) = nsg else { return Ok(()) };
    let Some(earlier) =
        state.operations.iter().find(|one| one.running() && one.nsg.eq_ignore_ascii_case(nsg))
    else {
        return Ok(());
    };
    let message = format!(
        "Cannot proceed with operation because resource {} used by resource {user} is not in Succeeded state. Resource is in Updating state and the last operation that updated/is updating the resource is {}.",
        Kind::Nsg.id(nsg),
        earlier.work
    );
    Err(ArmError::provider(429, "RetryableError", "A retryable error occurred.")
        .detail("ReferencedResourceNotProvisioned", message))
}

fn retryable(earlier: &Operation) -> ArmError {
    let message = format!(
        "Operation {} ({}) is updating resource {}. The call can be retried in 12 seconds.",
        earlier.work,
        earlier.id,
        Kind::Nsg.id(&earlier.nsg)
    );
    ArmError::provider(429, "RetryableError", "A retryable error occurred.")
        .detail("RetryableErrorDueToAnotherOperation", message)
}

fn in_progress(earlier: &Operation) -> ArmError {
    let message = format!(
        "Another operation on this or dependent resource is in progress. To retrieve status of the operation use uri: https://management.azure.com/subscriptions/{}/providers/Microsoft.Network/locations/{}/operations/{}?api-version=2025-05-01.",
        super::world::SUBSCRIPTION_ID,
        super::world::LOCATION,
        earlier.id
    );
    ArmError::provider(409, "AnotherOperationInProgress", message)
}

/// Ends an operation as canceled, and takes back what it had changed when the settings say so.
fn cancel(core: &Core, state: &mut State, at: usize, detail: Detail) {
    let operation = state.operations[at].clone();
    state.operations[at].status = Status::Canceled { detail };
    let keep = core.settings().keep_superseded;
    if let Some(nsg) = state.world.nsg_mut(&operation.nsg) {
        nsg.etag = wire::guid();
        nsg.state = "Succeeded".to_owned();
        match (keep, operation.work) {
            (false, _) => nsg.rules = operation.before,
            (true, Work::DeleteSecurityRule) => {
                nsg.rules.retain(|rule| !rule.name.eq_ignore_ascii_case(&operation.rule));
            }
            (true, _) => {}
        }
        for rule in &mut nsg.rules {
            rule.state = "Succeeded".to_owned();
        }
    }
    if !keep {
        state.journal.add(core.now(), &operation.nsg, &operation.rule, What::RolledBack, &operation.by, None);
    }
}

/// Lets an operation take the time that it takes, then ends it.
pub(super) async fn run(core: &Arc<Core>, id: String) {
    let milliseconds = core.settings().provisioning_ms;
    if milliseconds == 0 {
        return finish(core, &id).await;
    }
    let core = Arc::clone(core);
    tokio::spawn(async move {
        let _at_work = core.take_time(milliseconds).await;
        finish(&core, &id).await;
    });
}

/// Ends every operation that was under way when the process ended.
pub(super) async fn resume(core: &Arc<Core>) {
    let running: Vec<String> = core.read(|state| {
        state.operations.iter().filter(|one| one.running()).map(|one| one.id.clone()).collect()
    });
    for id in running {
        finish(core, &id).await;
    }
}

async fn finish(core: &Arc<Core>, id: &str) {
    if !core.change(|state| enforce(core, state, id)) {
        return;
    }
    // What ARM reports must be true: the ports follow before the operation ends.
    core.sync_ports().await;
    let nsg = core.change(|state| complete(core, state, id));
    nsg.iter().for_each(|nsg| propagation::watch(core, nsg));
}

fn position(state: &State, id: &str) -> Option<usize> {
    state.operations.iter().position(|one| one.id == id && one.running())
}

/// Puts the group's rules into force. Answers whether the operation goes on to succeed.
fn enforce(core: &Core, state: &mut State, id: &str) -> bool {
    let Some(at) = position(state, id) else { return false };
    let operation = state.operations[at].clone();
    if let Some(ending) = operation.ending.clone() {
        end_badly(core, state, at, &operation, ending);
        return false;
    }
    if let Some(nsg) = state.world.nsg_mut(&operation.nsg) {
        let mut rules = nsg.rules.clone();
        if operation.work == Work::DeleteSecurityRule {
            rules.retain(|rule| !rule.name.eq_ignore_ascii_case(&operation.rule));
        }
        propagation::enforce(core, nsg, rules);
    }
    true
}

/// A failed write stays listed as `Failed` and does not decide packets until the next write to the
/// group succeeds and brings the whole group into force.
fn end_badly(core: &Core, state: &mut State, at: usize, operation: &Operation, ending: Ending) {
    if ending.status == "Canceled" {
        let message = format!("Operation {} ({}) was canceled.", operation.work, operation.id);
        state.journal.add(core.now(), &operation.nsg, &operation.rule, What::Superseded, &operation.by, None);
        return cancel(core, state, at, Detail { code: ending.code, message });
    }
    state.operations[at].status = Status::Failed { code: ending.code };
    if let Some(nsg) = state.world.nsg_mut(&operation.nsg) {
        nsg.etag = wire::guid();
        nsg.state = "Failed".to_owned();
        if let Some(rule) = nsg.rule_mut(&operation.rule) {
            rule.state = "Failed".to_owned();
        }
    }
    state.journal.add(core.now(), &operation.nsg, &operation.rule, What::Failed, &operation.by, None);
}

/// Ends an operation well: the group's name.
fn complete(core: &Core, state: &mut State, id: &str) -> Option<String> {
    let at = position(state, id)?;
    let operation = state.operations[at].clone();
    state.operations[at].status = Status::Succeeded;
    let name = &operation.nsg;
    if operation.work == Work::DeleteNetworkSecurityGroup {
        state.world.nsgs.retain(|nsg| !nsg.name.eq_ignore_ascii_case(name));
    }
    let mut properties = None;
    if let Some(nsg) = state.world.nsg_mut(name) {
        nsg.etag = wire::guid();
        nsg.state = "Succeeded".to_owned();
        nsg.rules.clone_from(&nsg.enforced);
        for rule in nsg.rules.iter_mut().chain(&mut nsg.enforced) {
            rule.state = "Succeeded".to_owned();
        }
        properties = nsg.rule(&operation.rule).map(|rule| rule.properties.clone());
    }
    let what = match operation.work {
        Work::PutSecurityRule | Work::PutNetworkSecurityGroup => What::Enforced,
        Work::DeleteSecurityRule | Work::DeleteNetworkSecurityGroup => What::Removed,
    };
    state.journal.add(core.now(), name, &operation.rule, what, &operation.by, properties.as_ref());
    Some(operation.nsg)
}
