//! The archive's bucket: S3's `PutObject` (docs.aws.amazon.com, AmazonS3/latest/API/API_PutObject.html) on a bucket with
//! Object Lock. What is stored stays: there is no other operation.

use super::{Callers, Unknown, caller};
use access::lease::Timestamp;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use edge::clock::Clock;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Far more than a request's history needs.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// How far a signature's time may be from now, in seconds.
const SKEW_SECONDS: u64 = 900;

/// The name of the sandbox's bucket.
pub const BUCKET: &str = "ajar-sandbox-archive";

/// The bucket. Clones share what is stored.
#[derive(Clone, Default)]
pub struct Bucket {
    objects: Arc<Mutex<BTreeMap<String, Vec<Vec<u8>>>>>,
    /// Where objects are kept as files as well, for people to look at.
    folder: Option<PathBuf>,
    closed: Arc<AtomicBool>,
}

impl Bucket {
    /// An empty bucket; with a folder, what is stored is written there too.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, ..Self::default() }
    }

    /// The latest version of each object, by key.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.iter().filter_map(|(key, versions)| Some((key.clone(), versions.last()?.clone()))).collect()
    }

    /// How many versions of an object there are.
    pub fn versions(&self, key: &str) -> usize {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).get(key).map_or(0, Vec::len)
    }

    /// Has the bucket refuse everything, as S3 does that is busy; or takes that back.
    pub fn close(&self, closed: bool) {
        self.closed.store(closed, Ordering::SeqCst);
    }

    /// Whether a call is for S3: everything else of AWS's is called at `/`.
    pub fn is_called(request: &Request) -> bool {
        request.uri().path().len() > 1
    }

    /// Answers a call.
    pub async fn call(&self, callers: &Callers, clock: &Clock, request: Request) -> Response {
        if self.closed.load(Ordering::SeqCst) {
            return refuse(503, "SlowDown", "Please reduce your request rate.");
        }
        let (head, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
            return refuse(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
        };
        match self.put(callers, clock.now(), &head, &body) {
            Ok(etag) => {
                let mut response = Response::new(Body::empty());
                for (name, value) in [("etag", etag), ("x-amz-version-id", super::uuid().replace('-', ""))] {
                    if let Ok(value) = HeaderValue::from_str(&value) {
                        response.headers_mut().insert(name, value);
                    }
                }
                response
            }
            Err((status, code, message)) => refuse(status, code, message),
        }
    }

    fn put(&self, callers: &Callers, now: Timestamp, head: &Parts, body: &[u8]) -> Result<String, Refusal> {
        let path = head.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        if bucket != BUCKET {
            return Err((404, "NoSuchBucket", "The specified bucket does not exist"));
        }
        let caller = caller(callers, &head.headers).map_err(|unknown| match unknown {
            Unknown::Unsigned => (403, "AccessDenied", "Access Denied"),
            Unknown::Key => (
                403,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            ),
        })?;
        let hash = hex::encode(Sha256::digest(body));
        match header(&head.headers, "x-amz-content-sha256") {
            None => {
                return Err((
                    400,
                    "InvalidRequest",
                    "Missing required header for this request: x-amz-content-sha256",
                ));
            }
            Some(said) if said != hash => {
                return Err((
                    400,
                    "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                ));
            }
            Some(_) => {}
        }
        signed(head, &hash, &caller.secret_access_key, now)?;
        if head.method != "PUT" || key.is_empty() {
            return Err((
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            ));
        }
        if !caller.may_put.iter().any(|bucket| bucket == BUCKET) {
            return Err((403, "AccessDenied", "Access Denied"));
        }
        let checksum = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(body));
        match header(&head.headers, "x-amz-checksum-sha256") {
            None => {
                return Err((
                    400,
                    "InvalidRequest",
                    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
                ));
            }
            Some(said) if said != checksum => {
                return Err((
                    400,
                    "BadDigest",
                    "The SHA256 you specified did not match the calculated checksum.",
                ));
            }
            Some(_) => {}
        }
        if let Some(folder) = &self.folder
            && let Err(error) = write(&folder.join(key), body)
        {
            tracing::warn!(%error, "the archive's folder cannot be written");
        }
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.entry(key.to_owned()).or_default().push(body.to_vec());
        Ok(format!("\"{}\"", &hash[..32]))
    }
}

/// Status, code and message of a refusal.
type Refusal = (u16, &'static str, &'static str);

fn write(path: &std::path::Path, body: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, body)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether the request was signed with this secret: Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API
/// request"), computed here from its description.
fn signed(head: &Parts, payload: &str, secret: &str, now: Timestamp) -> Result<(), Refusal> {
    const MALFORMED: Refusal = (400, "AuthorizationHeaderMalformed", "The authorization header is malformed");
    let authorization = header(&head.headers, "authorization").unwrap_or_default();
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(&format!("{name}="))?;
        rest.split(',').next().map(str::trim)
    };
    let (Some(credential), Some(names), Some(signature)) =
        (part("Credential"), part("SignedHeaders"), part("Signature"))
    else {
        return Err(MALFORMED);
    };
    let scope = credential.split_once('/').map(|(_, scope)| scope).unwrap_or_default();
    let [day, region, "s3", "aws4_request"] = *scope.split('/').collect::<Vec<_>>() else {
        return Err(MALFORMED);
    };
    let time = header(&head.headers, "x-amz-date").unwrap_or_default();
    if region != super::REGION || !time.starts_with(day) {
        return Err(MALFORMED);
    }
    if moment(time).is_none_or(|at| at.unix().abs_diff(now.unix()) > SKEW_SECONDS) {
        return Err((
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the server's time is too large.",
        ));
    }
    let mut lines = String::new();
    for name in names.split(';') {
        let value = match name {
            "host" => head
                .uri
                .authority()
                .map(ToString::to_string)
                .or_else(|| header(&head.headers, "host").map(str::to_owned)),
            name => header(&head.headers, name).map(str::to_owned),
        };
        let value = value.unwrap_or_default();
        lines.push_str(&format!("{name}:{}\n", value.trim()));
    }
    // Every header of Amazon's must be signed.
    let unsigned = head
        .headers
        .keys()
        .any(|name| name.as_str().starts_with("x-amz-") && !names.split(';').any(|one| one == name.as_str()));
    if unsigned || !names.split(';').any(|name| name == "host") {
        return Err((403, "AccessDenied", "There were headers present in the request which were not signed"));
    }
    let (method, path, query) = (&head.method, head.uri.path(), head.uri.query().unwrap_or_default());
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}");
    let digest = hex::encode(Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for piece in scope.split('/').chain([to_sign.as_str()]) {
        key = mac(&key, piece.as_bytes());
    }
    if hex::encode(&key) == signature {
        Ok(())
    } else {
        Err((
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        ))
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length; the error type is one of a trait that serves others too.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// `20260312T190300Z`
fn moment(text: &str) -> Option<Timestamp> {
    let part = |from: usize, to: usize| text.get(from..to);
    let (date, time) = (format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?), text.get(8..)?);
    let time = time.strip_prefix('T')?.strip_suffix('Z')?;
    let clock = format!("{}:{}:{}", time.get(0..2)?, time.get(2..4)?, time.get(4..)?);
    format!("{date} {clock} UTC").parse().ok()
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
