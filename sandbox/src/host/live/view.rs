//! The network as the page shows it, read from Azure while somebody looks.

use super::Live;
use access::machine::SeenMachine;
use access::request::ResourceId;
use edge::arm::{Arm, ArmError, ShownRule};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Azure is not asked more often than this, however many pages ask.
const FRESH: Duration = Duration::from_secs(1);

/// The one group and the machines behind it.
pub(super) struct View {
    arm: Arm,
    nsg: ResourceId,
    machines: Vec<SeenMachine>,
    last: Mutex<(Option<Instant>, Value)>,
}

impl View {
    pub(super) fn new(live: &Live) -> Self {
        let (arm, nsg, machines) = (live.arm.clone(), live.target.nsg.clone(), live.machines.clone());
        let view = Self { arm, nsg, machines, last: Mutex::default() };
        let empty = view.network(Ok(vec![]));
        *view.last.lock().unwrap_or_else(PoisonError::into_inner) = (None, empty);
        view
    }

    /// What was read last, without asking Azure.
    pub(super) fn last(&self) -> Value {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// What is so now, or was a moment ago. Waits for Azure: not to be called by a task.
    pub(super) fn now(&self) -> Value {
        let at = self.last.lock().unwrap_or_else(PoisonError::into_inner).0;
        if at.is_none_or(|at| at.elapsed() >= FRESH) {
            let read = Handle::current().block_on(self.arm.shown_rules(&self.nsg));
            let network = self.network(read);
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (Some(Instant::now()), network);
        }
        self.last()
    }

    /// As the page takes it. What cannot be read is said and not shown as it was.
    fn network(&self, rules: Result<Vec<ShownRule>, ArmError>) -> Value {
        let name = self.nsg.name();
        let (name, rules) = match rules {
            Ok(rules) => (name.to_owned(), rules),
            Err(error) => (format!("{name} cannot be read: {error}"), vec![]),
        };
        let machine = |machine: &SeenMachine| {
            let address = machine.nics.iter().flat_map(|nic| &nic.addresses).next();
            json!({"name": machine.name, "os": machine.system, "resource_id": machine.resource_id,
                "private_address": address.map(|one| one.private),
                "public_address": address.and_then(|one| one.public), "nics": [], "ports": []})
        };
        json!({
            "nsgs": [{"name": name, "id": self.nsg, "rules": rules}],
            "machines": self.machines.iter().map(machine).collect::<Vec<_>>(),
        })
    }
}
