//! A simulated Azure: the management API, Entra with a stand-in for AWS STS, and the machines' ports.
//!
//! It depends on nothing of the product, so that a mistake there cannot hide here.

mod applied;
mod arm;
mod authorization;
mod core;
mod entra;
mod error;
mod graph;
mod journal;
mod keys;
mod locks;
mod machines;
mod operations;
mod packets;
mod paths;
mod ports;
mod propagation;
mod record;
mod resources;
mod roles;
mod rules;
mod services;
mod settings;
mod sigv4;
mod ssh;
mod state;
mod sts;
mod throttle;
mod views;
mod watcher;
mod wire;
mod world;
mod writes;

pub use self::core::TakeTime;
pub use applied::{Applied, Credential, Identity, RoleAssignment, RoleDefinition};
pub use journal::{Entry, What};
pub use machines::{Address, Machine, NewMachine, NewNic, Nic, Os, Port, Power};
pub use packets::{AdminRule, Judged};
pub use ports::CLIENTS;
pub use propagation::Wait;
pub use roles::Function;
pub use rules::{Access, Direction, Properties, Reference};
pub use settings::{Overlapping, Settings};
pub use sts::{AUDIENCE, ISSUER};
pub use world::{
    LOCATION, Level, NIC_NSG, NSG, OTHER_SUBSCRIPTION_ID, Place, RESOURCE_GROUP, SUBNET, SUBSCRIPTION_ID,
    TENANT_ID, VNET,
};

use self::core::Core;
use crate::faults::{Faults, Part};
use axum::Router;
use axum::extract::Request;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// How to start the simulated Azure.
pub struct Options {
    /// The sandbox's clock, milliseconds since the Unix epoch; the journal is written by it.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Waits for a moment of that clock.
    pub wait: Wait,
    /// The faults that are ordered.
    pub faults: Faults,
    /// Where everything is kept; `None`: nowhere.
    pub data_dir: Option<PathBuf>,
    /// How it behaves at first.
    pub settings: Settings,
}

/// A flow to ask about: see [`Azure::would_decide`].
#[derive(Clone, Debug)]
pub struct Probe {
    /// From which address.
    pub from: IpAddr,
    /// To which private address.
    pub to: IpAddr,
    /// To which port.
    pub port: u16,
    /// `tcp` or `udp`, in any case.
    pub protocol: String,
    /// Ids of the application security groups that the destination is in.
    pub member_of: Vec<String>,
}

/// The simulated Azure. Clones share everything.
#[derive(Clone)]
pub struct Azure(Arc<Core>);

/// The functions' identities in AWS and Azure: the same in every simulated Azure.
pub fn identities() -> Vec<Function> {
    roles::functions()
}

/// Whoever operates the installation in AWS.
pub fn operator() -> Function {
    roles::operator()
}

/// When the owner's token ends, Unix seconds: the year 2100.
const OWNER_TOKEN_UNTIL: u64 = 4_102_444_800;

impl Azure {
    /// Loads or makes the world, reserves the machines' loopback ports and opens those that the rules
    /// let somebody use. Operations that were under way when the process ended, end now.
    ///
    /// # Errors
    /// A sentence: the data directory cannot be read or written, or no loopback port is free.
    pub async fn start(options: Options) -> Result<Self, String> {
        let Options { now_ms, wait, faults, data_dir, settings } = options;
        let open =
            tokio::task::spawn_blocking(move || Core::open((now_ms, wait), faults, settings, data_dir));
        let core = Arc::new(open.await.map_err(|error| error.to_string())??);
        core.ports.reserve(&core).await.map_err(|error| format!("no loopback port is free: {error}"))?;
        operations::resume(&core).await;
        propagation::resume(&core);
        core.sync_ports().await;
        Ok(Self(core))
    }

    /// The management API. Addresses of operations are built from the `Host` that the caller used.
    pub fn arm_router(&self) -> Router {
        let core = Arc::clone(&self.0);
        Router::new().fallback(move |request: Request| {
            let core = Arc::clone(&core);
            async move {
                let faults = core.faults.clone();
                wire::serve(&faults, Part::Arm, request, |call, ending| arm::answer(core, call, ending)).await
            }
        })
    }

    /// Entra's token endpoint (`/{tenant}/oauth2/v2.0/token`) and the STS stand-in (`/`).
    pub fn entra_router(&self) -> Router {
        let core = Arc::clone(&self.0);
        Router::new().fallback(move |request: Request| {
            let core = Arc::clone(&core);
            async move {
                let faults = core.faults.clone();
                let part = if sts::is_for(request.uri().path()) { Part::Sts } else { Part::Entra };
                wire::serve(&faults, part, request, move |call, _| async move {
                    match part {
                        Part::Sts => sts::answer(&core, &call),
                        _ => entra::answer(&core, &call).unwrap_or_else(|| wire::empty(404)),
                    }
                })
                .await
            }
        })
    }

    /// What is ordered from outside: identities beside the functions' own, and tokens of the account's issuer.
    pub fn orders(&self) -> Router {
        applied::router(Arc::clone(&self.0))
    }

    /// Replaces the identities, credentials and roles beside the functions' own.
    pub fn apply(&self, applied: Applied) {
        self.0.change(|state| state.applied = applied);
    }

    /// The network and the machines, for the page and for `/sandbox.json`.
    pub fn state(&self) -> serde_json::Value {
        let now_ms = self.0.now();
        self.0.read(|state| state::network(&state.world, now_ms))
    }

    /// A bearer token of the subscription's owner, with all rights, good until the year 2100.
    pub fn owner_token(&self) -> String {
        self.0.keys.access_token(&roles::owner(), OWNER_TOKEN_UNTIL)
    }

    /// A bearer token of a function's managed identity that ends at `expires_at` (Unix seconds, real
    /// time; may be past). `None` when there is no such function or it has no identity in Azure.
    pub fn token_of(&self, function: &str, expires_at: u64) -> Option<String> {
        let who = self.0.functions.iter().find(|one| one.function == function && one.client_id.is_some())?;
        Some(self.0.keys.access_token(who, expires_at))
    }

    /// As [`Azure::token_of`], a token that was meant for another audience or comes from another tenant.
    pub fn token_from(&self, function: &str, audience: &str, tenant_id: &str) -> Option<String> {
        let who = self.0.functions.iter().find(|one| one.function == function && one.client_id.is_some())?;
        Some(self.0.keys.access_token_for(who, audience, tenant_id, OWNER_TOKEN_UNTIL))
    }

    /// The functions' identities in AWS and Azure.
    pub fn identities(&self) -> &[Function] {
        &self.0.functions
    }

    /// Signs any claims as the STS stand-in would, to try what Entra refuses.
    ///
    /// # Errors
    /// What the signing library says.
    pub fn sign_web_identity(&self, claims: &serde_json::Value) -> Result<String, String> {
        self.0.keys.sign(claims)
    }

    /// Takes the federated credential of a function's identity away or gives it back: a new one takes
    /// minutes to be known everywhere, and until then Entra answers AADSTS70021.
    pub fn federate(&self, function: &str, known: bool) {
        let Some(client) = self.0.functions.iter().find(|one| one.function == function) else { return };
        let Some(client) = client.client_id.clone() else { return };
        self.0.change(|state| {
            state.unfederated.retain(|one| *one != client);
            if !known {
                state.unfederated.push(client);
            }
        });
    }

    /// What happened to rules, in order; the latest 5,000 entries.
    pub fn journal(&self) -> Vec<Entry> {
        self.0.read(|state| state.journal.entries.clone())
    }

    /// Whether an operation that was accepted is still under way, or a rule is just reaching the packets.
    pub fn is_busy(&self) -> bool {
        let now_ms = self.0.now();
        self.0.read(|state| {
            state.operations.iter().any(operations::Operation::running)
                || propagation::awaited(state).any(|from_ms| from_ms <= now_ms)
        })
    }

    /// The moment, in milliseconds of the sandbox's clock, from which packets meet every rule that is in force
    /// now; `None` when they do already.
    pub fn late_until(&self) -> Option<u64> {
        self.0.read(|state| propagation::awaited(state).max())
    }

    /// Lets operations take their time by another clock than the real one; the first to say so decides.
    pub fn take_time_with(&self, take_time: TakeTime) {
        let _ = self.0.take_time.set(take_time);
    }

    /// How many writes came while another one to the same group was under way.
    pub fn overlaps(&self) -> u64 {
        self.0.read(|state| state.journal.overlaps)
    }

    /// Changes how Azure behaves from now on.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.0.set(change);
    }

    /// Whether a packet from `from` reaches the machine's port now, at any of its addresses.
    /// The machine is named as `VM3` or `group/VM3`. `protocol` is `Tcp`, `Udp` or `Icmp` in any case.
    pub fn reaches(&self, from: IpAddr, machine: &str, port: u16, protocol: &str) -> bool {
        let by = propagation::By::Packets(self.0.now());
        self.0.reaches((from, packets::SOME_SOURCE_PORT), machine, port, protocol, by)
    }

    /// As [`Azure::reaches`], by the rules that Azure says are in force: packets may meet one that allows a
    /// little later.
    pub fn allows(&self, from: IpAddr, machine: &str, port: u16, protocol: &str) -> bool {
        let by = propagation::By::Rules;
        self.0.reaches((from, packets::SOME_SOURCE_PORT), machine, port, protocol, by)
    }

    /// What becomes of a TCP or UDP flow that meets all of these groups, each a list of rules as they are
    /// sent to the management API. Nothing of this Azure's own state is looked at: it is for comparing
    /// this evaluator with another one.
    ///
    /// # Errors
    /// A rule that the management API would refuse: why.
    pub fn would_decide(groups: &[Vec<serde_json::Value>], probe: &Probe) -> Result<Judged, String> {
        let parse = |rule: &serde_json::Value| {
            let name = rule["name"].as_str().unwrap_or("rule").to_owned();
            let properties =
                rules::read(rule, &format!("/{name}")).map_err(|error| format!("{name}: {error:?}"))?;
            Ok::<_, String>(world::Rule { name, properties, state: "Succeeded".to_owned() })
        };
        let parsed: Vec<Vec<world::Rule>> = groups
            .iter()
            .map(|group| group.iter().map(parse).collect::<Result<_, _>>())
            .collect::<Result<_, _>>()?;
        let flow = packets::Flow {
            source: probe.from,
            source_port: packets::SOME_SOURCE_PORT,
            destination: probe.to,
            port: probe.port,
            protocol: &probe.protocol,
            member_of: &probe.member_of,
        };
        Ok(packets::judge(&[], parsed.iter().map(Vec::as_slice), &flow))
    }

    /// Puts rules of Azure Virtual Network Manager over the whole network, or takes them all off.
    pub async fn admin_rules(&self, rules: Vec<AdminRule>) {
        self.0.change(|state| state.world.admin_rules = rules);
        self.0.sync_ports().await;
    }

    /// The loopback address that stands for a machine's port.
    pub fn loopback(&self, machine: &str, port: u16) -> Option<std::net::SocketAddr> {
        let port = self.0.read(|state| {
            let machine = state.world.machine(machine)?;
            state.world.loopback.get(&ports::key(machine, port)).copied()
        })?;
        Some((std::net::Ipv4Addr::LOCALHOST, port).into())
    }

    /// Adds a machine with one interface, `<name>-nic`, in the lab's subnet.
    ///
    /// # Errors
    /// A sentence: the name is taken, or no loopback port is free.
    pub async fn add_machine(&self, name: &str, os: Os, ports: Vec<Port>) -> Result<(), String> {
        self.added(&Place::lab(), name, |world| world.add_machine(name, os, ports, None)).await
    }

    /// Adds a machine as it is described, in its resource group.
    ///
    /// # Errors
    /// A sentence: the name is taken there, or no loopback port is free.
    pub async fn add(&self, new: &NewMachine) -> Result<(), String> {
        self.added(&new.place, &new.name, |world| world.add(new)).await
    }

    async fn added(
        &self,
        place: &Place,
        name: &str,
        add: impl FnOnce(&mut world::World),
    ) -> Result<(), String> {
        self.0.change(|state| {
            if state.world.machine_at(place, name).is_some() {
                return Err(format!("there is a machine {name} already"));
            }
            add(&mut state.world);
            Ok(())
        })?;
        self.0.ports.reserve(&self.0).await.map_err(|error| format!("no loopback port is free: {error}"))?;
        self.0.sync_ports().await;
        Ok(())
    }

    /// Adds a network security group with default rules only; does nothing when there is one.
    pub fn add_nsg(&self, name: &str) {
        self.0.change(|state| {
            if state.world.nsg(name).is_none() {
                state.world.nsgs.push(world::Nsg::new(name));
            }
        });
    }

    /// Puts a group on an interface, or takes it off.
    pub async fn associate_nic(&self, nic: &str, nsg: Option<&str>) {
        self.0.change(|state| state.world.associate_nic(nic, nsg.map(str::to_owned)));
        self.0.sync_ports().await;
    }

    /// Deletes a machine, by its name or `group/name`; its interfaces stay. Answers whether there was one.
    pub async fn delete_machine(&self, name: &str) -> bool {
        let deleted = self.0.change(|state| state.world.delete_machine(name));
        self.0.sync_ports().await;
        deleted
    }

    /// Starts or stops a machine, by its name or `group/name`. Answers whether there is one.
    pub async fn set_power(&self, name: &str, power: Power) -> bool {
        let changed = self.0.change(|state| state.world.change_machine(name, |one| one.power = power));
        self.0.sync_ports().await;
        changed
    }

    /// Gives an interface's first IP configuration another private address. Answers whether there is one.
    pub async fn move_nic(&self, nic: &str, private: IpAddr) -> bool {
        let moved = self.0.change(|state| state.world.move_nic(nic, private));
        self.0.sync_ports().await;
        moved
    }

    /// Puts a group on the subnet, or takes it off.
    pub async fn associate_subnet(&self, nsg: Option<&str>) {
        self.0.change(|state| state.world.associate_subnet(&world::subnet_id(), nsg.map(str::to_owned)));
        self.0.sync_ports().await;
    }

    /// Shuts every machine's port and cuts their connections.
    pub async fn shutdown(&self) {
        self.0.ports.shutdown().await;
    }
}
