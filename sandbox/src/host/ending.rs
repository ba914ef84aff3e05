//! What ends the program in order: Ctrl-C, a request to terminate, a terminal that is closed.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the signals. From its making on they no longer end the process by themselves.
pub struct Ending {
    signals: [Signal; 3],
}

impl Ending {
    /// Takes the signals over.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn new() -> io::Result<Self> {
        let signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        Ok(Self { signals })
    }

    /// Waits for the next one.
    pub async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
