//! What all parts of the simulated Azure share: its state, its keys, its ports.

use super::applied::Applied;
use super::graph::Graph;
use super::journal::Journal;
use super::keys::{Keys, Stored};
use super::machines::{Machine, Power};
use super::operations::Operation;
use super::packets::{self, Flow};
use super::ports::Ports;
use super::propagation::{By, Lateness, Wait};
use super::roles::{self, Function};
use super::settings::Settings;
use super::throttle::Throttle;
use super::world::World;
use crate::faults::Faults;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// What survives a restart, apart from the keys.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) operations: Vec<Operation>,
    pub(super) journal: Journal,
    /// Clients whose federated credential was taken away, by client id.
    pub(super) unfederated: Vec<String>,
    /// Identities and roles beside the functions' own.
    #[serde(default)]
    pub(super) applied: Applied,
    /// Answers of Network Watcher that are to be fetched.
    #[serde(default)]
    pub(super) watched: Vec<super::watcher::Pending>,
}

/// How operations take their time: waits so many milliseconds, and gives what is to be kept until the
/// operation has ended.
pub type TakeTime = Box<dyn Fn(u64) -> BoxFuture<'static, Box<dyn Any + Send>> + Send + Sync>;

/// Shared by the servers, the operations that run and the ports.
pub(super) struct Core {
    now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub(super) wait: Wait,
    pub(super) lateness: Lateness,
    pub(super) faults: Faults,
    settings: Mutex<Settings>,
    throttle: Mutex<Throttle>,
    state: Mutex<State>,
    pub(super) keys: Keys,
    pub(super) functions: Vec<Function>,
    pub(super) ports: Ports,
    graph: Mutex<Graph>,
    directory: Option<PathBuf>,
    /// Real time until somebody says otherwise.
    pub(super) take_time: OnceLock<TakeTime>,
}

const STATE_FILE: &str = "azure.json";
const KEY_FILE: &str = "azure-keys.json";

impl Core {
    /// Loads what is in `directory`, or begins with the lab as it was.
    pub(super) fn open(
        (now_ms, wait): (Arc<dyn Fn() -> u64 + Send + Sync>, Wait),
        faults: Faults,
        settings: Settings,
        directory: Option<PathBuf>,
    ) -> Result<Self, String> {
        let keys: Stored = match load(directory.as_deref(), KEY_FILE)? {
            Some(keys) => keys,
            None => Stored::generate(directory.is_some())?,
        };
        let state = match load(directory.as_deref(), STATE_FILE)? {
            Some(state) => state,
            None => State {
                world: World::lab(),
                operations: Vec::new(),
                journal: Journal::default(),
                unfederated: Vec::new(),
                applied: Applied::default(),
                watched: Vec::new(),
            },
        };
        if let Some(directory) = &directory {
            store(directory, KEY_FILE, &keys)?;
            store(directory, STATE_FILE, &state)?;
        }
        let ports = Ports::new(&keys)?;
        let mut graph = Graph::default();
        graph.note(&state, 0, settings.graph_lag_ms);
        Ok(Self {
            now_ms,
            wait,
            lateness: Lateness::default(),
            faults,
            settings: Mutex::new(settings),
            throttle: Mutex::default(),
            state: Mutex::new(state),
            keys: Keys::load(&keys)?,
            functions: roles::functions(),
            ports,
            graph: Mutex::new(graph),
            directory,
            take_time: OnceLock::new(),
        })
    }

    /// What Resource Graph remembers.
    pub(super) fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sandbox's clock, milliseconds.
    pub(super) fn now(&self) -> u64 {
        (self.now_ms)()
    }

    /// Waits as long as an operation takes.
    pub(super) async fn take_time(&self, milliseconds: u64) -> Box<dyn Any + Send> {
        match self.take_time.get() {
            Some(take_time) => take_time(milliseconds).await,
            None => {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                Box::new(())
            }
        }
    }

    /// Whether there is a data directory.
    pub(super) fn keeps(&self) -> bool {
        self.directory.is_some()
    }

    /// The settings as they are now.
    pub(super) fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the settings.
    pub(super) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Looks at what callers may still ask for, and takes of it.
    pub(super) fn throttle<T>(&self, take: impl FnOnce(&mut Throttle) -> T) -> T {
        take(&mut self.throttle.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the state.
    pub(super) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the state and writes it to the data directory.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let (now, longest) = (self.now(), self.settings().graph_lag_ms);
        self.graph().note(&state, now, longest);
        if let Some(directory) = &self.directory
            && let Err(error) = store(directory, STATE_FILE, &*state)
        {
            tracing::error!(%error, "the state of the simulated Azure was not written");
        }
        result
    }

    /// Makes the listeners follow the rules in force.
    pub(super) async fn sync_ports(self: &Arc<Self>) {
        self.ports.sync(self).await;
    }

    /// Whether a flow from `source` reaches a machine's port.
    pub(super) fn reaches(
        &self,
        source: (IpAddr, u16),
        machine: &str,
        port: u16,
        protocol: &str,
        by: By,
    ) -> bool {
        self.read(|state| {
            let machine = state.world.machine(machine);
            machine.is_some_and(|machine| reaches(&state.world, source, machine, port, protocol, by))
        })
    }
}

/// As [`Core::reaches`], for a state that is already at hand: whether any address of the machine lets it
/// through. What does not run answers nobody.
pub(super) fn reaches(
    world: &World,
    source: (IpAddr, u16),
    machine: &Machine,
    port: u16,
    protocol: &str,
    by: By,
) -> bool {
    let mut same_family =
        world.addresses_of(machine).filter(|(_, address)| address.private.is_ipv4() == source.0.is_ipv4());
    machine.power == Power::Running
        && same_family.any(|(nic, address)| {
            let flow = Flow {
                source: source.0,
                source_port: source.1,
                destination: address.private,
                port,
                protocol,
                member_of: &[],
            };
            let groups = world.rules_for(nic, &address.subnet, by);
            packets::judge(&world.admin_rules, groups.iter().map(Vec::as_slice), &flow).passes
        })
}

fn load<T: serde::de::DeserializeOwned>(directory: Option<&Path>, file: &str) -> Result<Option<T>, String> {
    let Some(directory) = directory else { return Ok(None) };
    let path = directory.join(file);
    match std::fs::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|error| format!("{}: {error}", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Writes beside the file and renames, so that a crash leaves the old or the new one.
fn store(directory: &Path, file: &str, content: &impl Serialize) -> Result<(), String> {
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(directory)?;
        let partial = directory.join(format!("{file}.partial"));
        std::fs::write(&partial, serde_json::to_vec(content)?)?;
        std::fs::rename(&partial, directory.join(file))
    };
    write().map_err(|error| format!("{}: {error}", directory.join(file).display()))
}
