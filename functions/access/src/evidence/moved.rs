//! What a grant rests on that its requester has moved without approval: their own click, and that others approved what
//! it takes the place of, or what that has taken the place of.

use super::{Proven, Unproven};
use crate::lease::Timestamp;
use crate::lifecycle::Granted;
use crate::policy::{Groups, Rule};
use crate::request::Means;

/// The longest chain of moves without approval; after so many it takes one.
pub const MOST_MOVES: usize = 10;

/// Whether one takes the place of the other: of the same person, for the same ports of the same machine, until the same
/// end.
pub(super) fn continues(new: &Granted, old: &Granted) -> Result<(), Unproven> {
    let (ask, before) = (new.ask(), old.ask());
    let (wish, was) = (&ask.wish, &before.wish);
    let moves = wish.moves.ok_or(Unproven::NothingMoved)?;
    let same = moves.grant == was.id
        && moves.from == before.source
        && moves.until == old.expires_at()
        && wish.requester == was.requester
        && wish.machine.resource_id == was.machine.resource_id
        && wish.machine.private_address == was.machine.private_address
        && wish.protocol == was.protocol
        && wish.ports == was.ports;
    if same { Ok(()) } else { Err(Unproven::NothingMoved) }
}

impl Proven<'_> {
    /// When its requester moved it, where the policy lets them, from what was approved.
    pub(super) fn moved_alone(&self, rule: &Rule, groups: &Groups) -> Result<Timestamp, Unproven> {
        let ask = self.granted.ask();
        let ([own], Some(moved)) = (self.signed_at.as_slice(), &self.moved) else {
            return Err(Unproven::NotMove);
        };
        if rule.mover(&ask.wish.requester, ask).is_none() {
            return Err(Unproven::OtherRange);
        }
        moved.was_granted(rule, groups).map_err(|why| Unproven::Moved(Box::new(why)))?;
        Ok(*own)
    }

    /// Whether it was approved until its end, however long ago.
    fn was_granted(&self, rule: &Rule, groups: &Groups) -> Result<(), Unproven> {
        let decided = match self.granted.ask().wish.means {
            Means::Approval => self.approved(rule, groups)?,
            Means::OwnMove => self.moved_alone(rule, groups)?,
            // Nobody else has ever said yes to it.
            Means::BreakGlass => return Err(Unproven::NothingMoved),
        };
        self.within(rule, decided)
    }
}
