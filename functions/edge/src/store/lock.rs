//! One writer per network security group: concurrent writes to one group cancel each other in Azure.

use super::*;
use access::request::ResourceId;

/// How long a lock is held without being renewed, in seconds. Longer than one call's time limit, so
/// that whoever held it has stopped waiting for Azure when somebody else takes it.
const LEASE_SECONDS: u64 = 30;

/// A write begins only if the lock is held for at least this much longer, in seconds: the time limit
/// of a call and a little.
const ENOUGH_SECONDS: u64 = 12;

/// How long a waiting delete keeps PUTs from taking the lock, in seconds. It asks again well before.
const WAITING_SECONDS: u64 = 5;

/// The lock row of one group.
pub struct Lock<'a> {
    store: &'a Store,
    key: (String, String),
    holder: String,
}

impl<'a> Lock<'a> {
    pub(super) fn new(store: &'a Store, nsg: &ResourceId, holder: &str) -> Self {
        Self { store, key: (format!("NSG#{}", nsg.key()), "LOCK".to_owned()), holder: holder.to_owned() }
    }

    /// Takes the lock, or renews it. `first`: for a delete, which goes before every waiting PUT; it
    /// leaves word that it waits.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn take(&self, first: bool, now: Timestamp) -> Result<bool, StoreError> {
        let mine = || (":me", text(&self.holder));
        let until = number(now.plus(LEASE_SECONDS).unix());
        let free = "(attribute_not_exists(holder) OR holder = :me OR held_until < :now)";
        let nobody_waits = "(attribute_not_exists(delete_waits_until) OR delete_waits_until < :now)";
        let condition = if first { free.to_owned() } else { format!("{free} AND {nobody_waits}") };
        let set = vec![("holder", text(&self.holder)), ("held_until", until)];
        let remove: &[&str] = if first { &["delete_waits_until"] } else { &[] };
        let taken = self
            .store
            .update_lock(
                self.key.clone(),
                set,
                remove,
                &condition,
                vec![mine(), (":now", number(now.unix()))],
            )
            .await?;
        if first && !taken {
            let set = vec![("delete_waits_until", number(now.plus(WAITING_SECONDS).unix()))];
            self.store.update_lock(self.key.clone(), set, &[], "attribute_exists(pk)", vec![]).await?;
        }
        Ok(taken)
    }

    /// Whether the lock is still held, for long enough to make a call.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn is_held(&self, now: Timestamp) -> Result<bool, StoreError> {
        let Some(item) = self.store.get(self.key.0.clone(), self.key.1.clone()).await? else {
            return Ok(false);
        };
        let holder = item.get("holder").and_then(|value| value.as_s().ok());
        let until =
            item.get("held_until").and_then(|value| value.as_n().ok()).and_then(|n| n.parse::<u64>().ok());
        Ok(holder == Some(&self.holder)
            && until.is_some_and(|until| until >= now.plus(ENOUGH_SECONDS).unix()))
    }

    /// Gives the lock back, if it is still ours.
    ///
    /// # Errors
    /// DynamoDB did not answer; the lease ends by itself.
    pub async fn give_back(&self) -> Result<(), StoreError> {
        let mine = vec![(":me", text(&self.holder))];
        self.store
            .update_lock(self.key.clone(), vec![], &["holder", "held_until"], "holder = :me", mine)
            .await?;
        Ok(())
    }
}
