//! Rules that no record answers for: what is remembered of each, so that people are told once and it is
//! shut at its end. `ORPHAN` / `<group's key>#<request>`; nothing is deleted, what is over is purged.

use super::write::Expression;
use super::*;
use access::orphan::{Keeper, Orphan, keeper};
use access::request::ResourceId;
use access::wording::OrphanTold;

const KIND: &str = "ORPHAN";

/// How long one that is over is remembered, in seconds: thirty days.
const KEPT_SECONDS: u64 = 30 * 86_400;

/// An orphan as it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct KnownOrphan {
    /// The orphan.
    pub orphan: Orphan,
    /// What people were told.
    pub told: Vec<OrphanTold>,
    /// Whether there is something that people were not told yet.
    pub untold: bool,
    version: u64,
}

#[derive(Deserialize)]
struct Beside {
    version: u64,
    #[serde(default)]
    told: Vec<OrphanTold>,
    tell: Option<String>,
}

fn known(item: Item) -> Result<KnownOrphan, StoreError> {
    let Beside { version, told, tell } = decode(KIND, item.clone())?;
    Ok(KnownOrphan { orphan: decode(KIND, item)?, told, untold: tell.is_some(), version })
}

fn key(orphan: &Orphan) -> (String, String) {
    (KIND.to_owned(), format!("{}#{}", orphan.nsg.key(), orphan.request))
}

impl Store {
    /// Every orphan that is remembered. One that cannot be read is logged and left out.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn orphans(&self) -> Result<Vec<KnownOrphan>, StoreError> {
        let items = self.query(None, "pk = :pk", &[(":pk", text(KIND))]).await?;
        let read = items.into_iter().filter_map(|item| match known(item) {
            Ok(known) => Some(known),
            Err(error) => {
                tracing::error!(error = %error, "an orphan cannot be read");
                None
            }
        });
        Ok(read.collect())
    }

    /// One orphan, by its sort key; `None` where it was purged.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item is not one.
    pub async fn orphan(&self, sort_key: &str) -> Result<Option<KnownOrphan>, StoreError> {
        self.get(KIND.to_owned(), sort_key.to_owned()).await?.map(known).transpose()
    }

    /// Who answers for the rule of this request in this group, and the record where it was only hidden.
    /// A record that cannot be read answers for nothing.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn keeper(
        &self,
        request: RequestId,
        nsg: &ResourceId,
    ) -> Result<(Keeper, Option<Record>), StoreError> {
        let (pk, sk) = record_key(request);
        let Some(item) = self.get(pk, sk).await? else { return Ok((Keeper::Nobody, None)) };
        let listed =
            item.get("due_shard").and_then(|value| value.as_s().ok()).is_some_and(|shard| shard == DUE_SHARD)
                && item.get("due_at").is_some_and(|value| value.as_n().is_ok());
        let record = match load(item) {
            Ok(loaded) => Some(loaded.record),
            Err(error) => {
                tracing::error!(%request, error = %error, "the record of a rule cannot be read");
                None
            }
        };
        Ok((keeper(record.as_ref(), listed, nsg, &Tempo::DEPLOYED), record))
    }

    /// Remembers what is so of an orphan now, and has people told; `before` is what was remembered.
    /// `false` where somebody else has written meanwhile.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn write_orphan(
        &self,
        before: Option<&KnownOrphan>,
        orphan: &Orphan,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        let item = encode(KIND, orphan)?;
        for attribute in ["described_end", "break_glass"] {
            if !item.contains_key(attribute) {
                expression.remove(attribute);
            }
        }
        for (attribute, value) in item {
            expression.set(&attribute, value);
        }
        let version = before.map_or(0, |before| before.version);
        expression.set("version", number(version + 1));
        let (tell, notify) = Wake::Notify.attribute();
        expression.set(tell, text(notify));
        expression.set_or_remove("purge_at", orphan.is_over().then(|| number(now.plus(KEPT_SECONDS).unix())));
        if before.is_some_and(|before| before.orphan.is_over()) {
            // It is back: that is news.
            expression.remove("told");
        }
        match before {
            None => self.update(key(orphan), expression, "attribute_not_exists(pk)", vec![]).await,
            Some(_) => {
                let extra = vec![(":before", number(version))];
                self.update(key(orphan), expression, "#version = :before", extra).await
            }
        }
    }

    /// Takes an orphan for `seconds`, so that two ticks do not both remove it. Efficiency, not safety.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn claim_orphan(
        &self,
        known: &KnownOrphan,
        now: Timestamp,
        seconds: u64,
    ) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        expression.set("claimed_until", number(now.plus(seconds).unix()));
        let condition =
            "#version = :version AND (attribute_not_exists(claimed_until) OR claimed_until < :now)";
        let extra = vec![(":version", number(known.version)), (":now", number(now.unix()))];
        self.update(key(&known.orphan), expression, condition, extra).await
    }

    /// Has `notify` look at an orphan again, of which people do not know all yet.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn touch_orphan(&self, known: &KnownOrphan, now: Timestamp) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        expression.set("touched_at", number(now.unix()));
        let extra = vec![(":version", number(known.version))];
        self.update(key(&known.orphan), expression, "#version = :version", extra).await
    }

    /// What people were told of an orphan. `done`: they know all of it.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn orphan_told(
        &self,
        known: &KnownOrphan,
        told: &[OrphanTold],
        done: bool,
    ) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        let told = serde_dynamo::to_attribute_value(told)
            .map_err(|error| StoreError::Item { kind: KIND, why: error.to_string() })?;
        expression.set("told", told);
        if !done {
            // Also where it has changed meanwhile: what was said must not be said again.
            return self.update(key(&known.orphan), expression, "attribute_exists(pk)", vec![]).await;
        }
        expression.remove(Wake::Notify.attribute().0);
        let extra = vec![(":seen", number(known.version))];
        self.update(key(&known.orphan), expression, "#version = :seen", extra).await
    }
}
