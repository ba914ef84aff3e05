//! Sentences to one person that `notify` is to say.

use super::write::Expression;
use super::*;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

impl Store {
    /// A sentence that waits to be sent; `None` where it was purged.
    ///
    /// # Errors
    /// DynamoDB did not answer, or the item is not a reply.
    pub async fn reply(&self, key: &str) -> Result<Option<Reply>, StoreError> {
        let item = self.get(key.to_owned(), "REPLY".to_owned()).await?;
        item.map(|item| decode("REPLY", item)).transpose()
    }

    /// Keeps a sentence to one person until `notify` has sent it; one that is kept already, or was said, is not said
    /// again. `purge_at`: when it may go.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn put_reply(&self, key: &str, reply: &Reply, purge_at: Timestamp) -> Result<(), StoreError> {
        let item = kept(key, reply, purge_at)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Err(error)
                if !error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Err(call_error("PutItem", &error))
            }
            _ => Ok(()),
        }
    }

    /// The part of a transaction that keeps a sentence, as [`Store::put_reply`].
    pub(super) fn replying(
        &self,
        key: &str,
        reply: &Reply,
        purge_at: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(kept(key, reply, purge_at)?));
        let put = put.build().map_err(|error| StoreError::Item { kind: "REPLY", why: error.to_string() })?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// A sentence was sent, or cannot be: it is not sent again. Nothing is deleted: it is purged.
    ///
    /// # Errors
    /// DynamoDB did not answer.
    pub async fn said(&self, key: &str) -> Result<bool, StoreError> {
        let mut expression = Expression::default();
        expression.set("said", AttributeValue::Bool(true));
        expression.remove(Wake::Notify.attribute().0);
        self.update((key.to_owned(), "REPLY".to_owned()), expression, "attribute_exists(pk)", vec![]).await
    }
}

fn kept(key: &str, reply: &Reply, purge_at: Timestamp) -> Result<Item, StoreError> {
    let mut item = encode("REPLY", reply)?;
    item.insert("pk".to_owned(), text(key));
    item.insert("sk".to_owned(), text("REPLY"));
    item.insert("purge_at".to_owned(), number(purge_at.unix()));
    let (tell, notify) = Wake::Notify.attribute();
    item.insert(tell.to_owned(), text(notify));
    Ok(item)
}
