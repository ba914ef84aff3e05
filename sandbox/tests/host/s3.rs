//! The archive's bucket is as strict as S3: signature, time, checksum, rights.

use access::lease::Timestamp;
use edge::archive::{Archive, ArchiveError};
use edge::config::Environment;
use sandbox::aws::Caller;
use sandbox::aws::s3::{BUCKET, Bucket};
use sandbox::host::{Parts, Sandbox};
use serde_json::json;

use crate::http::client;
use crate::sandbox_in;

async fn sandbox() -> (Sandbox, Bucket) {
    let bucket = Bucket::default();
    let caller = |key: &str, may_put: &[&str]| {
        let may_put = may_put.iter().map(|name| (*name).to_owned()).collect();
        let caller = Caller { may_put, secret_access_key: format!("secret of {key}"), ..Caller::default() };
        (key.to_owned(), caller)
    };
    let callers = [caller("AKIADISCOVER", &[BUCKET]), caller("AKIANOTIFY", &[])].into();
    let parts = Parts { archive: bucket.clone(), callers, ..Parts::default() };
    (sandbox_in(None, |_| parts).await, bucket)
}

/// A function's client, with what it finds in its environment.
fn archive(sandbox: &Sandbox, set: &[(&str, &str)]) -> Archive {
    let address = sandbox.addresses().aws_url();
    let mut variables: std::collections::BTreeMap<String, String> = [
        ("AJAR_ARCHIVE_BUCKET", BUCKET),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIADISCOVER"),
        ("AWS_SECRET_ACCESS_KEY", "secret of AKIADISCOVER"),
        ("AWS_ENDPOINT_URL_S3", address.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    variables.extend(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Archive::new(&Environment::of(variables)).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_kept_by_whom_it_may_be() {
    let (sandbox, bucket) = sandbox().await;
    let now = sandbox.clock().now();
    let object = json!({"format": 1, "text": "Grüße"});
    let key = "history/2026/03/7F3K9-QXM2P.json";
    archive(&sandbox, &[]).put(key, &object, now).await.unwrap();
    archive(&sandbox, &[("AWS_SESSION_TOKEN", "a session")]).put(key, &object, now).await.unwrap();
    assert_eq!(bucket.versions(key), 2, "what was stored stays");
    let kept: serde_json::Value = serde_json::from_slice(&bucket.objects()[key]).unwrap();
    assert_eq!(kept, object);

    let refused = |status, code: &str| Err(ArchiveError::Refused { status, code: code.to_owned() });
    let cases: [(&[(&str, &str)], u64, _); 6] = [
        (
            &[("AWS_ACCESS_KEY_ID", "AKIANOTIFY"), ("AWS_SECRET_ACCESS_KEY", "secret of AKIANOTIFY")],
            0,
            refused(403, "AccessDenied"),
        ),
        (&[("AWS_ACCESS_KEY_ID", "AKIANOBODY")], 0, refused(403, "InvalidAccessKeyId")),
        (&[("AWS_SECRET_ACCESS_KEY", "another")], 0, refused(403, "SignatureDoesNotMatch")),
        (&[("AJAR_ARCHIVE_BUCKET", "another")], 0, refused(404, "NoSuchBucket")),
        (&[("AWS_REGION", "us-east-1")], 0, refused(400, "AuthorizationHeaderMalformed")),
        (&[], 1000, refused(403, "RequestTimeTooSkewed")),
    ];
    for (set, ago, expected) in cases {
        let at = Timestamp::from_unix(now.unix() - ago);
        assert_eq!(archive(&sandbox, set).put(key, &object, at).await, expected, "{set:?} {ago}");
    }
    bucket.close(true);
    assert_eq!(archive(&sandbox, &[]).put(key, &object, now).await, Err(ArchiveError::NoAnswer));
    assert_eq!(bucket.versions(key), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_is_not_kept() {
    let (sandbox, bucket) = sandbox().await;
    let url = format!("{}/{BUCKET}/history/x.json", sandbox.addresses().aws_url().trim_end_matches('/'));
    let answer = client().put(&url).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("<Code>AccessDenied</Code>"));
    assert!(bucket.objects().is_empty());
}

#[test]
fn a_bucket_is_named_rightly_or_not_at_all() {
    let of = |bucket: &str| {
        let variables = [("AJAR_ARCHIVE_BUCKET", bucket), ("AWS_REGION", "eu-central-1")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Archive::new(&Environment::of(variables)).map(|archive| archive.is_some())
    };
    assert!(!of("").unwrap());
    for wrong in ["x", "Upper-case", "with.dots", "a/b"] {
        let why = of(wrong).unwrap_err().to_string();
        assert_eq!(why, format!("AJAR_ARCHIVE_BUCKET: `{wrong}` is not the name of a bucket"));
    }
}
