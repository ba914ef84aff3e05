//! A grant moves to another address: a request takes its place, and it is shut once that one is open.

use super::transitions::granted;
use super::{Approval, Cause, Change, EventKind, NotNow, Record, SignedClick, State};
use crate::lease::Timestamp;
use crate::policy::Mover;
use crate::request::{Means, Move, RequestId, Wish};
use std::sync::Arc;

impl Record {
    /// What it has taken the place of: it is open, so what it moves is to be shut. `None` where it moves nothing, and
    /// where it is not open.
    pub fn has_moved(&self) -> Option<&Move> {
        match &self.state {
            State::Open(_) => self.wish().moves.as_ref(),
            _ => None,
        }
    }

    /// The requester moves a grant without approval. The click fixes the end, as a deciding yes does.
    ///
    /// # Errors
    /// Not waiting for this, lapsed, or somebody else than the requester.
    pub fn move_alone(
        &self,
        by: &Mover,
        click: SignedClick,
        clicked_at: Timestamp,
        now: Timestamp,
    ) -> Result<Change, NotNow> {
        let pending = self.waiting(Means::OwnMove, now)?;
        if *by.user() != pending.ask.wish.requester {
            return Err(NotNow::State);
        }
        let by = by.user().clone();
        let own = Approval { by: by.clone(), at: clicked_at, click: Arc::new(click) };
        let state = granted(Arc::clone(&pending.ask), vec![own], clicked_at, now);
        Ok(self.change(now, state, EventKind::MovedAlone { by }))
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

/// Those of `all` that rest on what was approved for this grant: its requester has moved it without approval, and perhaps
/// what has taken its place, too.
pub fn rest_on<'r>(grant: RequestId, all: &[&'r Record]) -> Vec<&'r Record> {
    let mut rest: Vec<&Record> = vec![];
    let mut from = vec![grant];
    while let Some(grant) = from.pop() {
        let is_moved = |record: &&&Record| {
            let wish = record.wish();
            wish.means == Means::OwnMove && wish.moves.is_some_and(|moves| moves.grant == grant)
        };
        for record in all.iter().filter(is_moved) {
            let id = record.wish().id;
            if rest.iter().all(|other| other.wish().id != id) {
                rest.push(record);
                from.push(id);
            }
        }
    }
    rest
}

/// Whether both are of one person, for the same ports of the same machine.
fn stays_the_same(one: &Wish, other: &Wish) -> bool {
    one.requester == other.requester
        && one.machine.resource_id == other.machine.resource_id
        && one.protocol == other.protocol
        && one.ports == other.ports
}
