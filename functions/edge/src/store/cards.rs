//! What `notify` writes of a card before it is there.

use super::write::Expression;
use super::*;

impl Store {
    /// Has the tick look at a record that was not shown at `at`, or when its lifecycle wants it if that comes first; until
    /// then its reader of the stream is left alone.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn put_off(&self, record: &Record, at: Timestamp) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        expression.remove(Wake::Notify.attribute().0);
        let own = lifecycle::due_at(record, &Tempo::DEPLOYED);
        expression.due(record, [own, Some(at)].into_iter().flatten().min());
        let extra = vec![(":version", number(record.version()))];
        self.update(record_key(record.wish().id), expression, "#version = :version", extra).await
    }

    /// Stores the number of the card that is about to be posted, one more than the last one's.
    ///
    /// # Errors
    /// Somebody else has stored it first, or DynamoDB did not answer.
    pub async fn number_card(&self, record: &Record, shown: &mut Shown) -> Result<(), StoreError> {
        let mut expression = Expression::default();
        expression.set("card", number(shown.card + 1));
        // Whoever numbers it is about to show it: the write is no reason to be told again at once.
        expression.remove(Wake::Notify.attribute().0);
        let (condition, extra) = match shown.card {
            0 => ("attribute_exists(pk) AND attribute_not_exists(card)", vec![]),
            last => ("card = :last", vec![(":last", number(last))]),
        };
        if !self.update(record_key(record.wish().id), expression, condition, extra).await? {
            let code = "another process posts this card".to_owned();
            return Err(StoreError::Call { operation: "UpdateItem", code });
        }
        shown.card += 1;
        Ok(())
    }
}
