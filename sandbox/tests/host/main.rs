//! The host with small functions of the tests' own: stream, clock, HTTP and command line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cli;
mod clock;
mod http;
mod live;
mod mapping;
mod pattern;
mod s3;
mod stream;

use aws_sdk_dynamodb::types::AttributeValue;
use sandbox::aws::lambda::{Functions, Handler, Invocation};
use sandbox::host::{Ground, Options, Parts, Sandbox};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// What a function saw, in order.
#[derive(Clone)]
struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Seen<T> {
    fn push(&self, value: T) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(value);
        all.len()
    }

    fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

/// A handler from an async closure.
fn handler<F, Out>(code: F) -> Handler
where
    F: Fn(Value, Invocation) -> Out + Send + Sync + 'static,
    Out: Future<Output = Result<Value, String>> + Send + 'static,
{
    Arc::new(move |event, invocation| Box::pin(code(event, invocation)))
}

/// A sandbox of these functions on any free ports.
async fn sandbox(functions: Functions) -> Sandbox {
    sandbox_in(None, |_| Parts { functions, ..Parts::default() }).await
}

async fn sandbox_in(data_dir: Option<&Path>, parts: impl FnOnce(Ground) -> Parts) -> Sandbox {
    let options = Options { data_dir: data_dir.map(PathBuf::from), ..Options::default() };
    Sandbox::start_with(options, async move |ground| Ok(parts(ground))).await.unwrap()
}

/// The client that a function would have.
fn dynamodb(url: &str) -> aws_sdk_dynamodb::Client {
    sandbox::aws::dynamodb::client(url, "function")
}

/// Writes an item with these string attributes.
async fn put(client: &aws_sdk_dynamodb::Client, id: &str, attributes: &[(&str, &str)]) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let mut call = client.put_item().table_name("ajar").item("pk", text(id)).item("sk", text("RECORD"));
    for (name, value) in attributes {
        call = call.item(*name, text(value));
    }
    call.send().await.unwrap();
}

async fn exists(client: &aws_sdk_dynamodb::Client, id: &str) -> bool {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let got = client.get_item().table_name("ajar").key("pk", text(id)).key("sk", text("RECORD")).send();
    got.await.unwrap().item.is_some()
}

/// A directory that is gone after the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ajar-host-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
