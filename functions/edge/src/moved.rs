//! What a grant rests on that its requester has moved without approval.

use crate::drive::Driver;
use crate::store::StoreError;
use access::drive::Standing;
use access::evidence::MOST_MOVES;
use access::lifecycle::{Granted, Record};
use access::nsg::{OurRule, Rule};
use access::request::{Installation, Means, ResourceId};

impl Driver {
    /// The grant that this one has taken the place of, the one that it had, and so on, to the one that was approved. None
    /// for what was itself approved, or went past approval; fewer where the table lacks one.
    pub(crate) async fn moved(&self, granted: &Granted) -> Result<Vec<Record>, StoreError> {
        let mut moved: Vec<Record> = vec![];
        while moved.len() < MOST_MOVES {
            let last = moved.last().map_or(Some(granted), Record::granted).map(|last| &last.ask().wish);
            let Some(moves) = last.filter(|wish| wish.means == Means::OwnMove).and_then(|wish| wish.moves)
            else {
                break;
            };
            let Some(loaded) = self.store.read(moves.grant).await? else { break };
            moved.push(loaded.record);
        }
        Ok(moved)
    }
}

/// Whether the rule of a grant lets somebody in now, by what Azure says: the table's word that it is open could be anybody's.
pub(crate) fn stands(record: &Record, nsg: &ResourceId, rules: &[Rule], installation: &Installation) -> bool {
    let planned = record.plan().and_then(|plan| plan.rules().iter().find(|planned| planned.nsg == *nsg));
    let ours = record
        .granted()
        .zip(planned)
        .map(|(granted, planned)| OurRule::planned(granted, planned, installation));
    ours.is_some_and(|ours| ours.standing(rules) == Standing::Allow)
}
