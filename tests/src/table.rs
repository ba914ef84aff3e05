//! The table as anybody with rights to it meets it, past the product.

use crate::{Item, Story};
use aws_sdk_dynamodb::types::AttributeValue;

impl Story {
    /// When an item of the table may be purged; `None` where it has no such moment.
    pub async fn purge_at(&self, pk: &str, sk: String) -> Option<u64> {
        let get = self.table().get_item().table_name(sandbox::host::TABLE);
        let key = get.key("pk", AttributeValue::S(pk.to_owned())).key("sk", AttributeValue::S(sk));
        let item = key.send().await.unwrap().item.expect("the item is there");
        item.get("purge_at").and_then(|value| value.as_n().ok()).and_then(|number| number.parse().ok())
    }

    /// The table as anybody with rights to write it meets it.
    pub fn table(&self) -> aws_sdk_dynamodb::Client {
        sandbox::aws::dynamodb::client(&self.url("dynamodb_url"), "writer")
    }

    /// The item of a request.
    pub async fn item(&self, id: &str) -> Item {
        let key = |text: &str| AttributeValue::S(text.to_owned());
        let get = self.table().get_item().table_name("ajar").consistent_read(true);
        let got = get.key("pk", key(&format!("REQUEST#{id}"))).key("sk", key("RECORD")).send().await;
        got.unwrap().item.expect("an item")
    }

    /// Writes an item whatever was there, and lets everything that follows be done.
    pub async fn put_item(&self, item: Item) {
        self.table().put_item().table_name("ajar").set_item(Some(item)).send().await.unwrap();
        self.settle().await;
    }

    /// The ids of all requests.
    pub async fn requests(&self) -> Vec<String> {
        let items = self.items().await;
        let text = |item: &Item, name: &str| item[name].as_s().cloned().unwrap_or_default();
        let records = items.iter().filter(|item| text(item, "sk") == "RECORD");
        records.map(|item| text(item, "pk").trim_start_matches("REQUEST#").to_owned()).collect()
    }

    /// Everything in the table.
    pub async fn items(&self) -> Vec<Item> {
        let scan = self.table().scan().table_name("ajar").consistent_read(true);
        scan.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap()
    }
}
