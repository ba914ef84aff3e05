//! The signature check against vectors: those of this file, and those beside the repository where
//! they are.

use access::lease::Timestamp;
use access::signature::{SignatureError, SigningSecret, verify};
use serde_json::Value;
use std::path::Path;

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const TIMESTAMP: &str = "1531420618";
const NOW: Timestamp = Timestamp::from_unix(1_531_420_618);

fn check(secret: &str, timestamp: &str, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
    verify(&SigningSecret::new(secret), Some(timestamp), Some(signature), body, NOW).map(drop)
}

/// Computed with Python's `hmac` and `hashlib`, not with the code that is tested.
const OURS: &[(&[u8], &str)] = &[
    (b"", "v0=55f41ec73231010289b54e669149ea021fccab11b5524355523533ce930cb739"),
    (b"a=b\n", "v0=25ba13dfe5db5e7bfb235ffa864ef78bb708ba58cd73df961c2bd9d81dde77cd"),
    (
        b"token=x&team_id=T0CONTOSO&command=%2Fjit&text=VM3+22",
        "v0=284b979889b7d1108561ed4e6ab63d07c93bee30071a61dcc7c3fb61120d6ca8",
    ),
    (
        b"text=f\xc3\xbcr VM3 \xe2\x80\x94 22",
        "v0=27cf797a76313b1c9f25c94cdc1d76bbcd0babc0125a854098fe0d7f96e4123d",
    ),
    (b"text=\xff\x00", "v0=4576780ef8fea7d2ef456f8ebe13717c90423a0d9492e2fb64c350131406cfaa"),
    (
        b"payload=%7B%22type%22%3A%22block_actions%22%7D",
        "v0=9dffc25b49a4a7fc2e15c9c9450bf8af09eb501fcef9039eaea3deb58af0c82c",
    ),
];

#[test]
fn our_own_vectors() {
    for (body, signature) in OURS {
        let name = String::from_utf8_lossy(body);
        assert_eq!(check(SECRET, TIMESTAMP, signature, body), Ok(()), "{name}");
        assert_eq!(SigningSecret::new(SECRET).sign(TIMESTAMP, body), *signature, "{name}");
        let mut more = body.to_vec();
        more.push(b' ');
        assert_eq!(check(SECRET, TIMESTAMP, signature, &more), Err(SignatureError::Wrong), "{name}");
        assert_eq!(check(SECRET, "1531420617", signature, body), Err(SignatureError::Wrong), "{name}");
        assert_eq!(check("other", TIMESTAMP, signature, body), Err(SignatureError::Wrong), "{name}");
    }
}

#[test]
fn the_vectors_beside_the_repository() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join("shared/slack/signing_test_vectors.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        assert!(std::env::var_os("CI").is_none(), "{} is not there", file.display());
        println!("skipped: {} is not there", file.display());
        return;
    };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let mut counted = 0;
    for (kind, valid) in [("valid", true), ("invalid", false)] {
        for vector in vectors[kind].as_array().unwrap() {
            let get = |name: &str| vector[name].as_str().unwrap_or_default();
            let checked = check(get("secret"), get("timestamp"), get("signature"), get("body").as_bytes());
            assert_eq!(checked.is_ok(), valid, "{}: {checked:?}", get("name"));
            counted += 1;
        }
    }
    assert!(counted >= 13, "only {counted} vectors");
    println!("{counted} vectors");
}
