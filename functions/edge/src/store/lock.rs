//! One writer per network security group: concurrent writes to one group cancel each other in Azure.

use super::write::Expression;
use super::*;
use access::request::ResourceId;

/// How long a lock is held without being renewed, in seconds. Longer than one call's time limit, so
/// that whoever held it has stopped waiting for Azure when somebody else takes it.
const LEASE_SECONDS: u64 = 30;

/// A write begins only if the lock is held for at least this much longer, in seconds: the time limit
/// of a call and a little.
const ENOUGH_SECONDS: u64 = 12;

/// A lock that is held for less than this is renewed, in seconds.
const RENEW_SECONDS: u64 = 20;

/// How long a waiting delete keeps PUTs from taking the lock, in seconds. It asks again well before.
const WAITING_SECONDS: u64 = 5;

/// The lock row of one group.
pub struct Lock<'a> {
    store: &'a Store,
    key: (String, String),
}

/// One taking of a lock. The row counts its takings: whoever slept through the end of a lease finds
/// another number there and does not write, also when the lock was last taken in the same name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    holder: String,
    epoch: u64,
    until: Timestamp,
}

/// What came of trying to take a lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is held.
    Yes(Lease),
    /// Somebody else holds it, or a delete waits for it.
    No {
        /// Whoever holds it deletes.
        deletes: bool,
    },
}

impl Lease {
    /// Whether it should be renewed.
    pub fn ends_soon(&self, now: Timestamp) -> bool {
        self.until < now.plus(RENEW_SECONDS)
    }
}

impl<'a> Lock<'a> {
    pub(super) fn new(store: &'a Store, nsg: &ResourceId) -> Self {
        Self { store, key: (format!("NSG#{}", nsg.key()), "LOCK".to_owned()) }
    }

    /// Takes the lock in the name of `holder`. `first`: for a delete, which goes before every waiting
    /// PUT; it leaves word that it waits.
    ///
    /// # Errors
    /// DynamoDB did not answer; it may be held in this name, and can be taken in it again.
    pub async fn take(&self, holder: &str, first: bool, now: Timestamp) -> Result<Taken, StoreError> {
        let free = "(attribute_not_exists(holder) OR holder = :me OR held_until < :now)";
        let values = vec![(":me", text(holder)), (":now", number(now.unix()))];
        let until = now.plus(LEASE_SECONDS);
        let mut change = Expression::default();
        change.set("holder", text(holder));
        change.set("held_until", number(until.unix()));
        change.set("deletes", AttributeValue::Bool(first));
        change.count("epoch");
        if first {
            change.remove("delete_waits_until");
        }
        let taken = self.store.update(self.key.clone(), change, &waits(free, !first), values).await?;
        let row = self.store.get(self.key.0.clone(), self.key.1.clone()).await?.unwrap_or_default();
        if taken {
            // Nobody else takes it before the lease ends, so the number is this taking's.
            let epoch = Row(&row).number("epoch").unwrap_or_default();
            return Ok(Taken::Yes(Lease { holder: holder.to_owned(), epoch, until }));
        }
        if first {
            let mut word = Expression::default();
            word.set("delete_waits_until", number(now.plus(WAITING_SECONDS).unix()));
            self.store.update(self.key.clone(), word, "attribute_exists(pk)", vec![]).await?;
        }
        let deletes = row.get("deletes").and_then(|value| value.as_bool().ok()).copied().unwrap_or(false);
        Ok(Taken::No { deletes: deletes && row.contains_key("holder") })
    }

    /// Holds a lock for longer that is still held; where it `gives_way`, only while no delete waits.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn renew(
        &self,
        lease: &mut Lease,
        gives_way: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let until = now.plus(LEASE_SECONDS);
        let mut change = Expression::default();
        change.set("held_until", number(until.unix()));
        let values =
            vec![(":me", text(&lease.holder)), (":mine", number(lease.epoch)), (":now", number(now.unix()))];
        let mine = "holder = :me AND epoch = :mine AND held_until >= :now";
        let renewed = self.store.update(self.key.clone(), change, &waits(mine, gives_way), values).await?;
        if renewed {
            lease.until = until;
        }
        Ok(renewed)
    }

    /// Whether this very taking of the lock still counts, for long enough to make a call.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn is_held(&self, lease: &Lease, now: Timestamp) -> Result<bool, StoreError> {
        let Some(item) = self.store.get(self.key.0.clone(), self.key.1.clone()).await? else {
            return Ok(false);
        };
        let holder = item.get("holder").and_then(|value| value.as_s().ok());
        let row = Row(&item);
        Ok(holder == Some(&lease.holder)
            && row.number("epoch") == Some(lease.epoch)
            && row.number("held_until").is_some_and(|until| until >= now.plus(ENOUGH_SECONDS).unix()))
    }

    /// Gives the lock back, if it is still held by this taking.
    ///
    /// # Errors
    /// DynamoDB did not answer; the lease ends by itself.
    pub async fn give_back(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut change = Expression::default();
        change.remove("holder");
        change.remove("held_until");
        let mine = vec![(":me", text(&lease.holder)), (":mine", number(lease.epoch))];
        self.store.update(self.key.clone(), change, "holder = :me AND epoch = :mine", mine).await?;
        Ok(())
    }
}

/// A lock row as it was read.
struct Row<'a>(&'a Item);

impl Row<'_> {
    fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(|value| value.as_n().ok()).and_then(|n| n.parse().ok())
    }
}

/// A condition, and where it gives way also that no delete waits.
fn waits(condition: &str, gives_way: bool) -> String {
    let nobody_waits = "(attribute_not_exists(delete_waits_until) OR delete_waits_until < :now)";
    if gives_way { format!("{condition} AND {nobody_waits}") } else { condition.to_owned() }
}
