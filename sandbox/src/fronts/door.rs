//! One address of one function, at which somebody listens or nobody does.

use axum::Router;
use axum::serve::ListenerExt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, OnceLock, PoisonError};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

/// An address.
pub(super) struct Door {
    address: SocketAddr,
    /// Bound and never listening: keeps the number ours, and lets connect() be refused.
    _reserved: TcpSocket,
    router: OnceLock<Router>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl Door {
    /// An address at which nobody listens yet.
    pub(super) fn reserve() -> std::io::Result<Self> {
        let reserved = TcpSocket::new_v4()?;
        // Chosen before addresses may be reused, so that no other socket's is; afterwards they may, so that
        // a listener can join.
        reserved.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        reserved.set_reuseaddr(true)?;
        let address = reserved.local_addr()?;
        Ok(Self { address, _reserved: reserved, router: OnceLock::new(), listening: Mutex::default() })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says once who answers here.
    pub(super) fn lead_to(&self, router: Router) {
        let _ = self.router.set(router);
    }

    /// Listens, where nobody does yet.
    pub(super) fn open(&self) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(router) = self.router.get().cloned().filter(|_| listening.is_none()) else { return };
        let listener = TcpSocket::new_v4().and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(self.address)?;
            socket.listen(128)
        });
        match listener {
            Ok(listener) => {
                let listener = listener.tap_io(|connection| {
                    let _ = connection.set_nodelay(true);
                });
                *listening = Some(tokio::spawn(async move {
                    if let Err(error) = axum::serve(listener, router).await {
                        tracing::error!(%error, "a front ended");
                    }
                }));
            }
            Err(error) => tracing::error!(%error, address = %self.address, "a front could not be opened"),
        }
    }

    /// Stops listening; whoever connects is refused once the task that comes back has ended.
    pub(super) fn shut(&self) -> Option<JoinHandle<()>> {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        listening.inspect(JoinHandle::abort)
    }
}
