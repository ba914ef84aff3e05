//! The archive: a bucket in which nobody can change or delete an object before its time (S3 Object Lock). The one
//! call that it takes is signed by AWS's own signer, which the other AWS clients link anyway: a client of all of S3
//! is much for one call.

use crate::config::{ConfigError, Environment};
use crate::store::{Line, Loaded};
use access::click::readable;
use access::lease::Timestamp;
use access::lifecycle::{Approval, Record};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::{Duration, UNIX_EPOCH};

/// The version of the objects' shape.
const FORMAT: u32 = 1;

/// The bucket, in the name of the function's role.
#[derive(Clone)]
pub struct Archive {
    client: reqwest::Client,
    /// The bucket's address, which ends in a slash.
    bucket: reqwest::Url,
    region: String,
    credentials: Credentials,
}

/// Why an object was not stored, as far as we know.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ArchiveError {
    /// S3 answered with an error.
    #[error("S3 answered {status} {code}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// S3's error code.
        code: String,
    },
    /// No answer: it may or may not be stored; the same again is harmless.
    #[error("no answer from S3")]
    NoAnswer,
    /// The request could not be built.
    #[error("the request could not be built: {0}")]
    Unbuilt(String),
}

/// What is kept of a request: two objects, because who may read how access was given need not see what Slack sent.
pub struct Objects {
    /// `history/2026/03/7F3K9-QXM2P.json`: the record, its history and what people were shown, without the secrets
    /// that travel in Slack's payloads.
    pub history: (String, Value),
    /// `evidence/2026/03/7F3K9-QXM2P.json`: the clicks exactly as Slack signed them; none where nobody approved.
    pub evidence: Option<(String, Value)>,
}

/// The objects of a request that is over. `card`: what its card says at last.
pub fn objects(loaded: &Loaded, lines: &[Line], card: Option<&str>) -> Objects {
    let record = &loaded.record;
    let approvals = record.approvals();
    let evidence = (!approvals.is_empty()).then(|| {
        let clicks: Vec<Value> = approvals.iter().map(signed).collect();
        (key("evidence", record), json!({"format": FORMAT, "request": record.wish().id, "clicks": clicks}))
    });
    let history = json!({
        "format": FORMAT,
        "request": record.wish().id,
        "record": readable_record(record),
        "history": lines,
        "messages": {
            "channel": loaded.shown.channel,
            "ts": loaded.shown.ts,
            "card": card,
            "told": loaded.shown.told,
        },
        "evidence": evidence.as_ref().map(|(key, value)| json!({"key": key, "sha256": hex(&digest(value))})),
    });
    Objects { history: (key("history", record), history), evidence }
}

/// A record for people: without the secrets that travel in Slack's payloads.
pub fn readable_record(record: &Record) -> Value {
    let mut parts = json!(record.to_parts());
    parts["approvals"] = record.approvals().iter().map(decided).collect();
    parts
}

/// By the month in which it was over: `history/2026/03/7F3K9-QXM2P.json`.
fn key(kind: &str, record: &Record) -> String {
    let date = record.changed_at().to_string();
    let month = date.get(..7).unwrap_or_default().replace('-', "/");
    format!("{kind}/{month}/{}.json", record.wish().id)
}

/// A click with all that its signature covers.
fn signed(approval: &Approval) -> Value {
    let click = &approval.click;
    json!({
        "by": approval.by, "at": approval.at, "key": click.key,
        "timestamp": click.timestamp, "signature": click.signature, "body": click.body,
    })
}

/// A click for people.
fn decided(approval: &Approval) -> Value {
    let click = &approval.click;
    json!({"by": approval.by, "at": approval.at, "key": click.key, "payload": readable(&click.body)})
}

fn bytes(object: &Value) -> Vec<u8> {
    let mut bytes = format!("{object:#}").into_bytes();
    bytes.push(b'\n');
    bytes
}

fn digest(object: &Value) -> [u8; 32] {
    Sha256::digest(bytes(object)).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Archive {
    /// The bucket `AJAR_ARCHIVE_BUCKET`; none where that is not set: then nothing is archived, and nothing is purged.
    ///
    /// # Errors
    /// No credentials or region in the environment, or a malformed address.
    pub fn new(env: &Environment) -> Result<Option<Self>, ConfigError> {
        const NAME: &str = "AJAR_ARCHIVE_BUCKET";
        let Some(bucket) = env.optional(NAME) else { return Ok(None) };
        // docs.aws.amazon.com, AmazonS3/latest/userguide/bucketnamingrules.html; dots would break the certificate.
        let shaped = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !shaped {
            let why = format!("`{bucket}` is not the name of a bucket");
            return Err(ConfigError::Malformed { name: NAME, why });
        }
        let region = env.required("AWS_REGION")?.to_owned();
        let bucket = match env.optional("AWS_ENDPOINT_URL_S3") {
            Some(_) => {
                let endpoint = env.url("AWS_ENDPOINT_URL_S3", "https://s3.eu-central-1.amazonaws.com")?;
                format!("{}/{bucket}/", endpoint.as_str().trim_end_matches('/'))
            }
            None => format!("https://{bucket}.s3.{region}.amazonaws.com/"),
        };
        let bucket = bucket
            .parse()
            .map_err(|_| ConfigError::Malformed { name: NAME, why: format!("`{bucket}` is no address") })?;
        let client = crate::http::client(crate::http::Limits::of(env)?)?;
        Ok(Some(Self { client, bucket, region, credentials: crate::aws::credentials(env)? }))
    }

    /// Stores an object. What was stored under the same key before stays beside it.
    ///
    /// # Errors
    /// S3 refused or did not answer.
    pub async fn put(&self, key: &str, object: &Value, now: Timestamp) -> Result<(), ArchiveError> {
        let unbuilt = |error: &dyn std::error::Error| ArchiveError::Unbuilt(error.to_string());
        let url = self.bucket.join(key).map_err(|error| unbuilt(&error))?;
        let body = bytes(object);
        // An upload with a retention period needs a checksum (docs.aws.amazon.com,
        // AmazonS3/latest/userguide/object-lock-managing.html).
        let checksum = base64::engine::general_purpose::STANDARD.encode(digest(object));
        let headers = [("content-type", "application/json"), ("x-amz-checksum-sha256", checksum.as_str())];
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        // S3 alone signs the path as it is sent (docs.aws.amazon.com, "Create a signed AWS API request").
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(UNIX_EPOCH + Duration::from_secs(now.unix()))
            .settings(settings)
            .build()
            .map_err(|error| unbuilt(&error))?
            .into();
        let signable =
            SignableRequest::new("PUT", url.as_str(), headers.into_iter(), SignableBody::Bytes(&body))
                .map_err(|error| unbuilt(&error))?;
        let (signed, _) = sign(signable, &params).map_err(|error| unbuilt(&error))?.into_parts();
        let mut put = self.client.put(url).body(body);
        for (name, value) in headers.into_iter().chain(signed.headers()) {
            put = put.header(name, value);
        }
        let answer = put.send().await.map_err(|_| ArchiveError::NoAnswer)?;
        let status = answer.status().as_u16();
        // S3 names the object's hash; what else says 200 is not S3.
        if status == 200 && answer.headers().contains_key("etag") {
            return Ok(());
        }
        if matches!(status, 200 | 500..) {
            return Err(ArchiveError::NoAnswer);
        }
        let text = answer.text().await.unwrap_or_default();
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        let code = code.map_or_else(|| "an unnamed error".to_owned(), |(code, _)| code.to_owned());
        Err(ArchiveError::Refused { status, code })
    }
}
