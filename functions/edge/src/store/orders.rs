//! Admins' orders, and the closing rules that stand by them. `ORDER#<id>` / `ORDER`, and `CLOSING` / `<rule's id>`.
//! Nothing is deleted, and nothing of it is purged: an order is the evidence for what stands in Azure.

use super::write::Expression;
use super::*;
use access::enabled::Enabled;
use access::lifecycle::SignedClick;
use access::machine::{SeenMachine, Used};
use access::order::{ClosingRule, Order};
use access::request::ResourceId;

pub(super) const KIND: &str = "ORDER";
pub(super) const CLOSING: &str = "CLOSING";

/// How long after a change an order is taken up again where nobody has finished it, in seconds.
const AGAIN_SECONDS: u64 = 60;

/// How long a use of a machine counts, in seconds: seven days.
const WEEK_SECONDS: u64 = 7 * 86_400;

/// An order as it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct KnownOrder {
    /// The order.
    pub order: Order,
    /// What people were shown of it.
    pub shown: Shown,
    /// The version that was read.
    pub version: u64,
}

/// A closing rule that stands by an order, or should.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KnownClosing {
    /// The rule.
    pub rule: ClosingRule,
    /// The order that it rests on.
    pub order: RequestId,
    /// Since when it is known not to stand as ordered; absent while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_at: Option<Timestamp>,
    /// When it was removed by order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Beside {
    version: u64,
    #[serde(flatten)]
    shown: Shown,
}

pub(super) fn known(item: Item) -> Result<KnownOrder, StoreError> {
    let Beside { version, shown } = decode(KIND, item.clone())?;
    Ok(KnownOrder { order: decode(KIND, item)?, shown, version })
}

fn key(id: RequestId) -> (String, String) {
    (format!("{KIND}#{id}"), KIND.to_owned())
}

impl Store {
    /// An order; `None` where there is none.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item is not one.
    pub async fn order(&self, id: RequestId) -> Result<Option<KnownOrder>, StoreError> {
        let (pk, sk) = key(id);
        self.get(pk, sk).await?.map(known).transpose()
    }

    /// Stores an order as it is now, and wakes whoever has to do with it; `before` is what was read. `false` where
    /// somebody else has written meanwhile, or there is one with this id already.
    ///
    /// # Errors
    /// DynamoDB did not answer: it may or may not be stored.
    pub async fn write_order(
        &self,
        before: Option<&KnownOrder>,
        order: &Order,
        wakes_grant: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        for (attribute, value) in encode(KIND, order)? {
            expression.set(&attribute, value);
        }
        let version = before.map_or(0, |before| before.version);
        expression.set("version", number(version + 1));
        let (wake, grant) = Wake::Grant.attribute();
        expression.set_or_remove(wake, wakes_grant.then(|| text(grant)));
        let (tell, notify) = Wake::Notify.attribute();
        expression.set(tell, text(notify));
        expression.set("due_shard", text(DUE_SHARD));
        expression.set("due_at", number(now.plus(AGAIN_SECONDS).unix()));
        match before {
            None => self.update(key(order.id), expression, "attribute_not_exists(pk)", vec![]).await,
            Some(_) => {
                let extra = vec![(":before", number(version))];
                self.update(key(order.id), expression, "#version = :before", extra).await
            }
        }
    }

    /// What people were shown of an order. `done`: all of this version; then, unless something is still to be done, nobody
    /// looks at it again.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn order_shown(
        &self,
        known: &KnownOrder,
        shown: &Shown,
        done: bool,
    ) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        for (attribute, value) in encode(KIND, shown)? {
            expression.set(&attribute, value);
        }
        if !done {
            return self.update(key(known.order.id), expression, "attribute_exists(pk)", vec![]).await;
        }
        expression.remove(Wake::Notify.attribute().0);
        if !known.order.is_at_work() {
            expression.remove("due_shard");
            expression.remove("due_at");
        }
        let extra = vec![(":seen", number(known.version))];
        self.update(key(known.order.id), expression, "#version = :seen", extra).await
    }

    /// Tells the readers of the stream to look at an order again, and the tick not to for a minute.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn touch_order(&self, known: &KnownOrder, now: Timestamp) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        let grant = known.order.is_at_work().then_some(Wake::Grant);
        for wake in grant.into_iter().chain([Wake::Notify]) {
            let (attribute, value) = wake.attribute();
            expression.set(attribute, text(value));
        }
        // The stream tells only of what has changed.
        expression.set("touched_at", number(now.unix()));
        expression.set("due_at", number(now.plus(AGAIN_SECONDS).unix()));
        let extra = vec![(":version", number(known.version))];
        self.update(key(known.order.id), expression, "#version = :version", extra).await
    }

    /// A closing rule as it is remembered; `None` where it never was written.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item is not one.
    pub async fn closing_rule(&self, id: RequestId) -> Result<Option<KnownClosing>, StoreError> {
        let item = self.get(CLOSING.to_owned(), id.to_string()).await?;
        item.map(|item| decode(CLOSING, item)).transpose()
    }

    /// Every closing rule that was ever written. One that cannot be read is logged and left out.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn closing_rules(&self) -> Result<Vec<KnownClosing>, StoreError> {
        let items = self.query(None, "pk = :pk", &[(":pk", text(CLOSING))]).await?;
        let read = items.into_iter().filter_map(|item| match decode(CLOSING, item) {
            Ok(known) => Some(known),
            Err(error) => {
                tracing::error!(error = %error, "a closing rule cannot be read");
                None
            }
        });
        Ok(read.collect())
    }

    /// Remembers how a closing rule stands. One that was not removed is looked at by each tick.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn put_closing(&self, known: &KnownClosing, now: Timestamp) -> Result<(), StoreError> {
        let mut expression = Expression::default();
        let stands = known.removed_at.is_none();
        expression.set_or_remove("due_shard", stands.then(|| text(DUE_SHARD)));
        expression.set_or_remove("due_at", stands.then(|| number(now.unix())));
        let item = encode(CLOSING, known)?;
        for attribute in ["missed_at", "removed_at"] {
            if !item.contains_key(attribute) {
                expression.remove(attribute);
            }
        }
        for (attribute, value) in item {
            expression.set(&attribute, value);
        }
        self.update_always((CLOSING.to_owned(), known.rule.id().to_string()), expression).await
    }

    /// Keeps with machines what an admin has enabled on them, and the form as it was signed, `None`: nothing any more;
    /// and asks `discover` by this key what they are to be offered. All of it or nothing; `false` where that question
    /// is there already, or a machine is not known.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn put_enabled(
        &self,
        machines: &[&ResourceId],
        enabled: Option<(&Enabled, &SignedClick)>,
        (key, offer): (&str, &Offer),
    ) -> Result<bool, StoreError> {
        let unfit = |error: serde_dynamo::Error| StoreError::Item { kind: "MACHINE", why: error.to_string() };
        let (enabled, form) = enabled.unzip();
        let enabled = enabled.map(serde_dynamo::to_attribute_value).transpose().map_err(unfit)?;
        let form = form.map(serde_dynamo::to_attribute_value).transpose().map_err(unfit)?;
        let mut items = vec![self.asking_for_offer(key, offer)?];
        for machine in machines {
            let mut expression = Expression::default();
            expression.set_or_remove("enabled", enabled.clone());
            expression.set_or_remove("enabled_form", form.clone());
            let key = ("MACHINE".to_owned(), machine.key());
            items.push(expression.conditional(&self.table, key, "attribute_exists(pk)")?);
        }
        self.transact(items).await
    }

    /// How a machine was used, by the requests that are still known.
    ///
    /// # Errors
    /// DynamoDB did not answer, or an item cannot be a record.
    pub async fn used(&self, machine: &SeenMachine, now: Timestamp) -> Result<Used, StoreError> {
        let values = [(":machine", text(machine.resource_id.key()))];
        let items = self.query(Some("machine"), "machine = :machine", &values).await?;
        let asked: Vec<Timestamp> = items
            .into_iter()
            .map(|item| Ok(load(item)?.record.wish().asked_at))
            .collect::<Result<_, StoreError>>()?;
        let recent = asked.iter().filter(|at| now.since(**at) <= WEEK_SECONDS).count();
        Ok(Used {
            in_seven_days: u32::try_from(recent).unwrap_or(u32::MAX),
            last_at: asked.into_iter().max(),
        })
    }
}
