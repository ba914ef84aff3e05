//! Lockdowns, and whose clicks do not count: one item, `LOCKDOWN` / `LOCKDOWN`, so that one read says all of it.

use super::write::Expression;
use super::*;
use access::lockdown::Lockdowns;
use access::wording::{LockdownTold, frozen, lockdown};
use aws_sdk_dynamodb::types::TransactWriteItem;

pub(super) const KIND: &str = "LOCKDOWN";

/// The lockdowns as they were read.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct KnownLockdowns {
    /// All that are remembered.
    pub lockdowns: Lockdowns,
    /// What the channel was told, by the lockdown's id and by [`Frozen::key`](access::frozen::Frozen::key).
    pub told: BTreeMap<String, Vec<LockdownTold>>,
    version: u64,
}

#[derive(Deserialize)]
struct Beside {
    #[serde(default)]
    version: u64,
    #[serde(default)]
    told: BTreeMap<String, Vec<LockdownTold>>,
}

impl KnownLockdowns {
    /// Whether there is something that the channel does not know.
    pub fn is_untold(&self) -> bool {
        self.lockdowns.all.iter().any(|one| lockdown(one, self.told(&one.id.to_string())).is_some())
            || self.lockdowns.frozen.iter().any(|one| frozen(one, self.told(&one.key()), &[]).is_some())
    }

    /// What the channel was told of one of them.
    pub fn told(&self, key: &str) -> &[LockdownTold] {
        self.told.get(key).map(Vec::as_slice).unwrap_or_default()
    }
}

fn key() -> (String, String) {
    (KIND.to_owned(), KIND.to_owned())
}

pub(super) fn known(item: Item) -> Result<KnownLockdowns, StoreError> {
    let Beside { version, told } = decode(KIND, item.clone())?;
    Ok(KnownLockdowns { lockdowns: decode(KIND, item)?, told, version })
}

impl Store {
    /// What is locked down.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item is not what it should be.
    pub async fn lockdowns(&self) -> Result<KnownLockdowns, StoreError> {
        let (pk, sk) = key();
        self.get(pk, sk).await?.map_or_else(|| Ok(KnownLockdowns::default()), known)
    }

    /// Writes the lockdowns as they are now and has the channel told; `before` is what was read. As long as one is in
    /// force each tick sees them. `false` where somebody else has written meanwhile.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn write_lockdowns(
        &self,
        before: &KnownLockdowns,
        lockdowns: &Lockdowns,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.transact(vec![self.changing_lockdowns(before, lockdowns, now)?]).await
    }

    /// Stores that an approval is not its approver's, on the condition that nobody else has written: the end of what it
    /// opened, and that nothing more is decided in the approver's name, each where there is one. `false` where somebody
    /// else has written.
    ///
    /// # Errors
    /// DynamoDB did not answer: it may or may not be stored; the same again is harmless.
    pub async fn disown(
        &self,
        (before, change): (&Loaded, Option<&Change>),
        (known, frozen): (&KnownLockdowns, Option<&Lockdowns>),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut items = match change {
            Some(change) => self.changing(before, change, false)?.0,
            None => vec![],
        };
        if let Some(frozen) = frozen {
            items.push(self.changing_lockdowns(known, frozen, now)?);
        }
        self.transact(items).await
    }

    /// The part of a transaction that writes the lockdowns.
    fn changing_lockdowns(
        &self,
        before: &KnownLockdowns,
        lockdowns: &Lockdowns,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut expression = Expression::default();
        for (attribute, value) in encode(KIND, lockdowns)? {
            expression.set(&attribute, value);
        }
        expression.set("version", number(before.version + 1));
        let (tell, notify) = Wake::Notify.attribute();
        expression.set(tell, text(notify));
        expression.set("due_shard", text(DUE_SHARD));
        expression.set("due_at", number(now.unix()));
        if before.version == 0 {
            return expression.conditional(&self.table, key(), "attribute_not_exists(pk)");
        }
        expression.expect(":before", number(before.version));
        expression.conditional(&self.table, key(), "#version = :before")
    }

    /// What the channel was told. `done`: it knows all; then the tick has no more to do with what was lifted.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn lockdowns_told(&self, known: &KnownLockdowns, done: bool) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        let told = serde_dynamo::to_attribute_value(&known.told)
            .map_err(|error| StoreError::Item { kind: KIND, why: error.to_string() })?;
        expression.set("told", told);
        if !done {
            return self.update(key(), expression, "attribute_exists(pk)", vec![]).await;
        }
        expression.remove(Wake::Notify.attribute().0);
        if known.lockdowns.in_force().next().is_none() {
            expression.remove("due_shard");
            expression.remove("due_at");
        }
        let extra = vec![(":seen", number(known.version))];
        self.update(key(), expression, "#version = :seen", extra).await
    }

    /// Has `notify` look at the lockdowns again, of which the channel does not know all yet.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn touch_lockdowns(&self, known: &KnownLockdowns, now: Timestamp) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        let (tell, notify) = Wake::Notify.attribute();
        expression.set(tell, text(notify));
        expression.set("touched_at", number(now.unix()));
        let extra = vec![(":version", number(known.version))];
        self.update(key(), expression, "#version = :version", extra).await
    }
}
