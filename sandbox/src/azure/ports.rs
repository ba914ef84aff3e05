//! The machines' ports as real ones: a loopback listener that exists while the rules let somebody in,
//! and serves only whom they let in.

use super::core::{self, Core};
use super::keys::Stored;
use super::machines::Machine;
use super::packets::SOME_SOURCE_PORT;
use super::propagation::By;
use super::services::{self, Service};
use super::world::World;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

/// Whom a connection from a loopback address stands for.
pub const CLIENTS: [(Ipv4Addr, Ipv4Addr); 2] = [
    (Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(203, 0, 113, 7)),
    (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(198, 51, 100, 9)),
];

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 128;

/// All ports of all machines.
pub(super) struct Ports {
    doors: Mutex<BTreeMap<String, Door>>,
    services: services::Shared,
    closing: watch::Sender<bool>,
}

/// One port of one machine.
struct Door {
    port: u16,
    /// Bound and never listening: keeps the number ours while nobody may connect, and lets connect()
    /// be refused.
    _reserved: TcpSocket,
    listening: Option<JoinHandle<()>>,
}

/// The key of a machine's port.
pub(super) fn key(machine: &Machine, port: u16) -> String {
    format!("{}:{port}", machine.key())
}

/// Which of the known clients' addresses may pass.
pub(super) fn lets_in(world: &World, machine: &Machine, port: u16, by: By) -> Vec<Ipv4Addr> {
    CLIENTS
        .iter()
        .map(|(_, address)| *address)
        .filter(|address| {
            core::reaches(world, (IpAddr::V4(*address), SOME_SOURCE_PORT), machine, port, "Tcp", by)
        })
        .collect()
}

impl Ports {
    pub(super) fn new(keys: &Stored) -> Result<Self, String> {
        let services = services::Shared::new(keys)?;
        Ok(Self { doors: Mutex::default(), services, closing: watch::channel(false).0 })
    }

    /// Reserves a loopback port for each port of each machine: the one it had before, where that is
    /// still free.
    pub(super) async fn reserve(&self, core: &Core) -> std::io::Result<()> {
        let mut doors = self.doors.lock().await;
        let wanted: Vec<(String, Option<u16>)> = core.read(|state| {
            let world = &state.world;
            let keys = world.machines.iter().flat_map(|one| one.ports.iter().map(|port| key(one, port.port)));
            keys.map(|key| (key.clone(), world.loopback.get(&key).copied())).collect()
        });
        for (key, before) in wanted {
            if doors.contains_key(&key) {
                continue;
            }
            let reserved = match before.map(bind) {
                Some(Ok(socket)) => socket,
                _ if core.keeps() => bind_lasting()?,
                _ => bind(0)?,
            };
            let port = reserved.local_addr()?.port();
            core.change(|state| state.world.loopback.insert(key.clone(), port));
            doors.insert(key, Door { port, _reserved: reserved, listening: None });
        }
        Ok(())
    }

    /// Opens and shuts listeners, and returns when that is done.
    pub(super) async fn sync(&self, core: &Arc<Core>) {
        let mut doors = self.doors.lock().await;
        if *self.closing.borrow() {
            return;
        }
        let by = By::Packets(core.now());
        let wanted: Vec<(String, Service, bool)> = core.read(|state| {
            let machines = state.world.machines.iter();
            machines
                .flat_map(|machine| machine.ports.iter().map(move |port| (machine, port)))
                .map(|(machine, port)| {
                    let open = !lets_in(&state.world, machine, port.port, by).is_empty();
                    let service = Service {
                        machine: machine.name.clone(),
                        key: machine.key(),
                        port: port.port,
                        name: port.name.clone(),
                    };
                    (key(machine, port.port), service, open)
                })
                .collect()
        });
        for (key, door) in doors.iter_mut() {
            let is_there = wanted.iter().any(|(wanted, ..)| wanted == key);
            if let Some(listening) = door.listening.take_if(|_| !is_there) {
                listening.abort();
                let _ = listening.await;
            }
        }
        for (key, service, open) in wanted {
            let Some(door) = doors.get_mut(&key) else { continue };
            match (open, door.listening.take()) {
                (true, None) => match listen(door.port) {
                    Ok(listener) => {
                        let (core, shared) = (Arc::downgrade(core), self.services.clone());
                        let accepting = accept(listener, core, service, shared, self.closing.subscribe());
                        door.listening = Some(tokio::spawn(accepting));
                    }
                    Err(error) => tracing::error!(%key, %error, "the port could not be opened"),
                },
                (false, Some(listening)) => {
                    listening.abort();
                    // The listener is closed when its task is gone.
                    let _ = listening.await;
                }
                (_, listening) => door.listening = listening,
            }
        }
    }

    /// Shuts every port and every connection.
    pub(super) async fn shutdown(&self) {
        let mut doors = self.doors.lock().await;
        self.closing.send_replace(true);
        for door in std::mem::take(&mut *doors).into_values() {
            if let Some(listening) = door.listening {
                listening.abort();
                let _ = listening.await;
            }
        }
    }
}

/// A socket that holds a loopback port without listening. Any port is chosen before addresses may be
/// reused, so that no other socket's is; afterwards they may, so that a listener can join.
fn bind(port: u16) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(port != 0)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.set_reuseaddr(true)?;
    Ok(socket)
}

/// As [`bind`] with any port, but one that is likely to be free after a restart too: from below the
/// range that systems give to outgoing connections.
fn bind_lasting() -> std::io::Result<TcpSocket> {
    for _ in 0..100 {
        let port = rand::random_range(20_000..32_000);
        // Without address reuse, so that a port which somebody else holds is refused.
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(false)?;
        if socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok() {
            socket.set_reuseaddr(true)?;
            return Ok(socket);
        }
    }
    bind(0)
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    bind(port)?.listen(BACKLOG)
}

async fn accept(
    listener: TcpListener,
    core: Weak<Core>,
    service: Service,
    shared: services::Shared,
    closing: watch::Receiver<bool>,
) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors, most likely; try again when some were closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(core) = core.upgrade() else { return };
        if !admitted(&core, peer, &service) {
            continue;
        }
        tokio::spawn(serve(stream, service.clone(), shared.clone(), closing.clone()));
    }
}

/// Whether the rules that packets meet let this connection pass; decided once, when it is made, as in Azure.
fn admitted(core: &Core, peer: SocketAddr, service: &Service) -> bool {
    let by = By::Packets(core.now());
    CLIENTS.iter().find(|(loopback, _)| peer.ip() == IpAddr::V4(*loopback)).is_some_and(|(_, address)| {
        core.reaches((IpAddr::V4(*address), peer.port()), &service.key, service.port, "Tcp", by)
    })
}

async fn serve(
    stream: TcpStream,
    service: Service,
    shared: services::Shared,
    closing: watch::Receiver<bool>,
) {
    if let Err(error) = services::serve(stream, &service, &shared, closing).await {
        tracing::debug!(machine = service.machine, port = service.port, %error, "a connection ended");
    }
}
