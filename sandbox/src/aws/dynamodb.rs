//! DynamoDB: `dynoxide` in this process, behind a front that carries out ordered faults.

use super::faulty;
use crate::faults::{Faults, Part};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::Response;
use dynoxide::Database;
use edge::clock::Clock;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// DynamoDB takes bodies up to 16 MB.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// What went wrong with the embedded database.
#[derive(Debug, thiserror::Error)]
#[error("the embedded DynamoDB: {0}")]
pub struct Error(String);

impl Error {
    pub(crate) fn new(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

/// The table and the server in front of it.
#[derive(Clone)]
pub struct Dynamodb {
    table: String,
    database: Database,
    address: SocketAddr,
    client: aws_sdk_dynamodb::Client,
    http: reqwest::Client,
    faults: Faults,
    writes: Arc<watch::Sender<u64>>,
}

impl Dynamodb {
    /// Opens the database in `file`, or in memory without one, makes the table if it is not there,
    /// and serves it on a loopback address of its own until `stop` turns true. That address knows no
    /// faults and is for the sandbox itself; the functions get [`Dynamodb::call`].
    pub async fn start(
        file: Option<&Path>,
        table: &str,
        faults: Faults,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(Self, JoinHandle<()>), Error> {
        let database = match file {
            Some(file) => Database::new(&file.to_string_lossy()),
            None => Database::memory(),
        };
        let database = database.map_err(Error::new)?;
        create_table(&database, table)?;
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::new)?;
        let address = listener.local_addr().map_err(Error::new)?;
        let served = database.clone();
        let server = tokio::spawn(async move {
            let stopped = async move {
                let _ = stop.wait_for(|stop| *stop).await;
            };
            if let Err(error) = dynoxide::server::serve_with_shutdown(listener, served, stopped).await {
                tracing::error!(error, "the embedded DynamoDB ended");
            }
        });
        let client = client(&format!("http://{address}"), "sandbox");
        let http = http_client().map_err(Error::new)?;
        let writes = Arc::new(watch::channel(0).0);
        Ok((Self { table: table.to_owned(), database, address, client, http, faults, writes }, server))
    }

    /// Answers a call as the functions see it, with the ordered faults. A fault's method is the
    /// operation (`UpdateItem`), its path the table's name.
    pub async fn call(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned();
        let how = self.faults.take(Part::Dynamodb, &operation, &table_of(&body));
        let dynamodb = self.clone();
        // A task of its own: a caller that goes away does not stop what DynamoDB has begun.
        let call = async move {
            let call = tokio::spawn(forward(dynamodb, head, body, operation));
            call.await.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR))
        };
        faulty::carry_out(how, call).await
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// A client of the table that meets no ordered fault.
    pub fn client(&self) -> &aws_sdk_dynamodb::Client {
        &self.client
    }

    /// The database itself.
    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Counts the calls that may have written something; a reader of the stream that saw this number
    /// before it read the stream to its end has seen everything.
    pub(crate) fn writes(&self) -> watch::Receiver<u64> {
        self.writes.subscribe()
    }

    /// Deletes items whose `purge_at` has passed, as DynamoDB's time to live does, but by the
    /// sandbox's clock. Answers how many.
    pub async fn purge(&self, clock: &Clock) -> Result<usize, Error> {
        let now = AttributeValue::N(clock.now().unix().to_string());
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression("purge_at <= :now")
            .projection_expression("pk, sk")
            .expression_attribute_values(":now", now.clone())
            .into_paginator()
            .items()
            .send();
        let mut purged = 0;
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Error::new(describe(&error)))?;
            let deleted = self
                .client
                .delete_item()
                .table_name(&self.table)
                .set_key(Some(item))
                .condition_expression("purge_at <= :now")
                .expression_attribute_values(":now", now.clone())
                .send()
                .await;
            match deleted {
                Ok(_) => purged += 1,
                // Somebody gave the item a later end meanwhile.
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|e| e.is_conditional_check_failed_exception()) => {}
                Err(error) => return Err(Error::new(describe(&error))),
            }
        }
        if purged > 0 {
            self.writes.send_modify(|writes| *writes += 1);
        }
        Ok(purged)
    }

    /// The earliest `expires_at` later than now among the records of the index `due`, in Unix seconds.
    pub async fn next_end(&self, clock: &Clock) -> Result<Option<u64>, Error> {
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .index_name("due")
            .filter_expression("expires_at > :now")
            .projection_expression("expires_at")
            .expression_attribute_values(":now", AttributeValue::N(clock.now().unix().to_string()))
            .into_paginator()
            .items()
            .send();
        let mut earliest: Option<u64> = None;
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Error::new(describe(&error)))?;
            let end = item.get("expires_at").and_then(|value| value.as_n().ok()?.parse().ok());
            earliest = [earliest, end].into_iter().flatten().min();
        }
        Ok(earliest)
    }
}

/// An SDK error with its causes in one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// A DynamoDB client of `url` that signs with this access key id.
pub fn client(url: &str, key: &str) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static(super::REGION))
        .endpoint_url(url)
        .credentials_provider(Credentials::new(key, "sandbox", None, None, "sandbox"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// A plain HTTP client for loopback: no proxy, and a TLS configuration only because the library wants one.
fn http_client() -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .timeout(Duration::from_secs(60))
        .build()?)
}

fn create_table(database: &Database, table: &str) -> Result<(), Error> {
    let from = |value: Value| serde_json::from_value(value);
    let names: Vec<String> =
        database.list_tables(from(json!({})).map_err(Error::new)?).map_err(Error::new)?.table_names;
    if names.iter().any(|name| name == table) {
        return Ok(());
    }
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let index = |name: &str, hash: &str, range: &str| {
        json!({
            "IndexName": name,
            "KeySchema": [key(hash, "HASH"), key(range, "RANGE")],
            "Projection": {"ProjectionType": "ALL"},
        })
    };
    let attributes: Vec<Value> = [
        ("pk", "S"),
        ("sk", "S"),
        ("due_shard", "S"),
        ("due_at", "N"),
        ("machine", "S"),
        ("person", "S"),
        ("status", "S"),
    ]
    .iter()
    .map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind}))
    .collect();
    let request = json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": true,
        "AttributeDefinitions": attributes,
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "GlobalSecondaryIndexes": [
            index("due", "due_shard", "due_at"),
            index("machine", "machine", "status"),
            index("person", "person", "status"),
        ],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    });
    database.create_table(serde_json::from_value(request).map_err(Error::new)?).map_err(Error::new)?;
    let ttl = json!({
        "TableName": table,
        "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "purge_at"},
    });
    database.update_time_to_live(serde_json::from_value(ttl).map_err(Error::new)?).map_err(Error::new)?;
    Ok(())
}

/// Hands a call to the database.
async fn forward(
    dynamodb: Dynamodb,
    mut head: axum::http::request::Parts,
    body: Bytes,
    operation: String,
) -> Response {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("http://{}{path}", dynamodb.address);
    head.headers.remove(header::HOST);
    head.headers.remove(header::CONNECTION);
    head.headers.remove(header::TRANSFER_ENCODING);
    let call = dynamodb.http.request(head.method, url).headers(head.headers).body(body);
    let answer = async {
        let mut answer = call.send().await?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
    };
    let answer = answer.await;
    let reads = ["Get", "BatchGet", "TransactGet", "Query", "Scan", "Describe", "List"];
    if !reads.iter().any(|prefix| operation.starts_with(prefix)) {
        dynamodb.writes.send_modify(|writes| *writes += 1);
    }
    match answer {
        Ok((status, mut headers, body)) => {
            headers.remove(header::CONNECTION);
            headers.remove(header::TRANSFER_ENCODING);
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        Err(error) => {
            tracing::error!(error = %describe(&error), "the embedded DynamoDB does not answer");
            refuse(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn refuse(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The first table that a call names, as a path; `/` when it names none.
fn table_of(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let named = |value: &Value| Some(value.get("TableName")?.as_str()?.to_owned());
    let in_transaction = || {
        let entry = body.get("TransactItems")?.get(0)?.as_object()?.values().next()?;
        named(entry)
    };
    let in_batch = || Some(body.get("RequestItems")?.as_object()?.keys().next()?.clone());
    named(&body).or_else(in_transaction).or_else(in_batch).unwrap_or_else(|| "/".to_owned())
}
