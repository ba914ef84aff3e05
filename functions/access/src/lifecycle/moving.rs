//! A grant moves to another address: a request takes its place, and it is shut once that one is open.

use super::{Cause, Change, NotNow, Record, State};
use crate::lease::Timestamp;
use crate::request::{Move, Wish};

impl Record {
    /// What it has taken the place of: it is open, so what it moves is to be shut. `None` where it moves nothing, and
    /// where it is not open.
    pub fn has_moved(&self) -> Option<&Move> {
        match &self.state {
            State::Open(_) => self.wish().moves.as_ref(),
            _ => None,
        }
    }

    /// The grant is shut, because `to` has taken its place. Its own end holds all the same, whatever becomes of this.
    ///
    /// # Errors
    /// It is being shut or over, `to` is not open, or has not taken the place of this one.
    pub fn moved_to(&self, to: &Self, now: Timestamp) -> Result<Change, NotNow> {
        let (old, new) = (self.wish(), to.wish());
        if to.has_moved().is_none_or(|moves| moves.grant != old.id) || !stays_the_same(old, new) {
            return Err(NotNow::State);
        }
        self.end(Cause::Moved { by: new.requester.clone(), to: new.id }, now)
    }
}

/// Whether both are of one person, for the same ports of the same machine.
fn stays_the_same(one: &Wish, other: &Wish) -> bool {
    one.requester == other.requester
        && one.machine.resource_id == other.machine.resource_id
        && one.protocol == other.protocol
        && one.ports == other.ports
}
