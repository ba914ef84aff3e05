//! Invocations one after the other, in an order that does not depend on how fast a machine is.
//!
//! Where the clock stands, the one who moves it lets an invocation begin once all that is running has
//! ended or waits for a later moment. Everything that has been started by then waits here, so that the
//! order is always the same.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// The order among those that wait: what shuts, what opens, what tells, what looks.
const ORDER: [&str; 4] = ["revoke", "grant", "notify", "discover"];

/// By the place of the function in [`ORDER`], then by the number of the invocation.
type Line = Mutex<BTreeMap<(usize, u64), oneshot::Sender<()>>>;

/// Those that wait for their turn; by default nobody waits.
#[derive(Clone, Default)]
pub(super) struct Turns(Option<Arc<Line>>);

impl Turns {
    /// Turns that are taken one after the other.
    pub(super) fn taken() -> Self {
        Self(Some(Arc::default()))
    }

    /// Takes a place in the line. What comes back is ready when the turn has come.
    pub(super) fn line_up(&self, function: &str, number: u64) -> Option<impl Future<Output = ()> + use<>> {
        let line = self.0.as_ref()?;
        let (begin, turn) = oneshot::channel();
        let place = ORDER.iter().position(|name| *name == function).unwrap_or(ORDER.len());
        line.lock().unwrap_or_else(PoisonError::into_inner).insert((place, number), begin);
        Some(async move {
            // An error means that the sandbox ends.
            let _ = turn.await;
        })
    }

    /// Whether this invocation waits.
    pub(super) fn has(&self, number: u64) -> bool {
        let waits = |line: &Arc<Line>| {
            line.lock().unwrap_or_else(PoisonError::into_inner).keys().any(|(_, other)| *other == number)
        };
        self.0.as_ref().is_some_and(waits)
    }

    /// Lets the first one begin; `false` where nobody waits.
    pub(super) fn next(&self) -> bool {
        let first = |line: &Arc<Line>| line.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
        match self.0.as_ref().and_then(first) {
            Some((_, begin)) => {
                let _ = begin.send(());
                true
            }
            None => false,
        }
    }
}
