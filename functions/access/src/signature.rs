//! Slack's request signature, scheme v0: HMAC-SHA256 over `v0:<timestamp>:<raw body>`
//! (docs.slack.dev, "Verifying requests from Slack").

use crate::lease::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Slack's advice: a request whose timestamp is further away than this is refused. Both directions:
/// a timestamp from the future would stay usable for longer.
pub const WINDOW_SECONDS: u64 = 300;

/// The secret that Slack and the app share, as text (it is not hex-decoded).
#[derive(Clone)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// Wraps the secret so that it does not print.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The signature that Slack would send.
    pub fn sign(&self, timestamp: &str, body: &[u8]) -> String {
        format!("v0={}", hex::encode(self.mac(timestamp, body).finalize().into_bytes()))
    }

    /// Which secret this is, for people and records.
    pub fn key_id(&self) -> KeyId {
        let digest = Sha256::new().chain_update(b"ajar signing key\n").chain_update(self.0.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(digest.finalize());
        KeyId([a, b, c, d])
    }

    /// A seal of our own on a text: only who knows the secret can make it. What it is for stands before the text and
    /// must not begin like what Slack signs, `v0:`.
    pub(crate) fn seal(&self, purpose: &[u8], text: &[u8]) -> [u8; 32] {
        self.mac_of(&[purpose, text]).finalize().into_bytes().into()
    }

    /// Whether a text bears this seal; in constant time.
    pub(crate) fn has_sealed(&self, purpose: &[u8], text: &[u8], seal: &[u8]) -> bool {
        self.mac_of(&[purpose, text]).verify_slice(seal).is_ok()
    }

    fn mac(&self, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        self.mac_of(&[b"v0:", timestamp.as_bytes(), b":", body])
    }

    fn mac_of(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // HMAC takes a key of any length; the error type is one of a trait that serves others too.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes())
            .unwrap_or_else(|_| Hmac::new(&Default::default()));
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// Names a signing secret without giving it away: the first four bytes of a hash of it, in hexadecimal. A secret
/// has 128 random bits, which nobody finds by trying.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; 4]);

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for KeyId {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 4];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// A signing secret that Slack does not use any more. What it signed before stays proved.
#[derive(Clone, Debug)]
pub struct RetiredSecret {
    /// The secret.
    pub secret: SigningSecret,
    /// Since when it signs nothing. Whoever has got hold of it can still date back what he signs; what that
    /// is worth ends 15 minutes later, because no older click decides anything.
    pub retired_at: Timestamp,
}

/// The secret that Slack signs with, and those that it signed with before.
#[derive(Clone, Debug)]
pub struct SigningKeys {
    current: SigningSecret,
    retired: Vec<RetiredSecret>,
}

impl SigningKeys {
    /// Of one secret in use and any number of retired ones.
    pub const fn new(current: SigningSecret, retired: Vec<RetiredSecret>) -> Self {
        Self { current, retired }
    }

    /// The one in use. What arrives now is judged by no other.
    pub const fn current(&self) -> &SigningSecret {
        &self.current
    }

    /// Whether Slack signed this body, at any time, with the secret of this id; where none is named, with one of
    /// them. For evidence, whose age is judged separately.
    ///
    /// # Errors
    /// As [`verify_at_any_time`], where a secret that is not among these counts as wrong; or it was signed with a
    /// secret that was retired by then.
    pub fn verify_evidence<'a>(
        &self,
        key: Option<KeyId>,
        timestamp: &str,
        signature: &str,
        body: &'a [u8],
    ) -> Result<Verified<'a>, NotSigned> {
        let retired = self.retired.iter().map(|one| (&one.secret, Some(one.retired_at)));
        let mut why = NotSigned::Signature(SignatureError::Wrong);
        for (secret, retired_at) in std::iter::once((&self.current, None)).chain(retired) {
            if key.is_some_and(|key| key != secret.key_id()) {
                continue;
            }
            match verify_at_any_time(secret, timestamp, signature, body) {
                Ok(verified) if retired_at.is_some_and(|at| verified.signed_at > at) => {
                    why = NotSigned::Retired;
                }
                Err(SignatureError::Wrong) => {}
                decided => return Ok(decided?),
            }
        }
        Err(why)
    }
}

/// Why a request does not count as Slack's. The caller is told nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    /// No `X-Slack-Signature`, or not one of scheme v0 in lower-case hexadecimal.
    #[error("the signature is missing or not of scheme v0")]
    Scheme,
    /// No `X-Slack-Request-Timestamp`, or not a number.
    #[error("the timestamp is missing or not a number")]
    Timestamp,
    /// Older or newer than [`WINDOW_SECONDS`].
    #[error("the timestamp is outside the window")]
    Window,
    /// The signature is not that of this body.
    #[error("the signature is wrong")]
    Wrong,
}

/// Why evidence does not count as signed by Slack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotSigned {
    /// With none of our secrets.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// With one that signed nothing any more by then.
    #[error("it was signed with a secret that was retired before")]
    Retired,
}

/// A body that Slack signed, and when.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    body: &'a [u8],
    signed_at: Timestamp,
    key: KeyId,
}

impl<'a> Verified<'a> {
    /// The raw bytes, exactly as they were signed.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The signed timestamp.
    pub const fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// With which secret.
    pub const fn key(&self) -> KeyId {
        self.key
    }
}

/// Whether Slack signed this body, at any time. For evidence, whose age is judged separately.
///
/// # Errors
/// Not a well-formed signature and timestamp, or not that of this body.
pub fn verify_at_any_time<'a>(
    secret: &SigningSecret,
    timestamp: &str,
    signature: &str,
    body: &'a [u8],
) -> Result<Verified<'a>, SignatureError> {
    let digits =
        timestamp.len() <= 15 && !timestamp.is_empty() && timestamp.bytes().all(|b| b.is_ascii_digit());
    let seconds = timestamp.parse::<u64>().ok().filter(|_| digits).ok_or(SignatureError::Timestamp)?;
    let hexadecimal = signature.strip_prefix("v0=").ok_or(SignatureError::Scheme)?;
    if hexadecimal.len() != 64
        || !hexadecimal.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    {
        return Err(SignatureError::Scheme);
    }
    let claimed = hex::decode(hexadecimal).map_err(|_| SignatureError::Scheme)?;
    // Constant time.
    secret.mac(timestamp, body).verify_slice(&claimed).map_err(|_| SignatureError::Wrong)?;
    Ok(Verified { body, signed_at: Timestamp::from_unix(seconds), key: secret.key_id() })
}

/// Whether Slack signed this body within the last five minutes.
///
/// # Errors
/// As [`verify_at_any_time`], or a timestamp outside the window.
pub fn verify<'a>(
    secret: &SigningSecret,
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &'a [u8],
    now: Timestamp,
) -> Result<Verified<'a>, SignatureError> {
    let timestamp = timestamp.ok_or(SignatureError::Timestamp)?;
    let signature = signature.ok_or(SignatureError::Scheme)?;
    let verified = verify_at_any_time(secret, timestamp, signature, body)?;
    if now.unix().abs_diff(verified.signed_at.unix()) > WINDOW_SECONDS {
        return Err(SignatureError::Window);
    }
    Ok(verified)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

    #[test]
    fn the_window_is_five_minutes_both_ways() {
        let secret = SigningSecret::new(SECRET);
        let signature = secret.sign("1531420618", b"a=b\n");
        let verify_at = |now| {
            verify(&secret, Some("1531420618"), Some(&signature), b"a=b\n", Timestamp::from_unix(now))
                .map(|v| v.signed_at().unix())
        };
        assert_eq!(verify_at(1_531_420_618 + 300), Ok(1_531_420_618));
        assert_eq!(verify_at(1_531_420_618 - 300), Ok(1_531_420_618));
        assert_eq!(verify_at(1_531_420_618 + 301), Err(SignatureError::Window));
        assert_eq!(verify_at(1_531_420_618 - 301), Err(SignatureError::Window));
    }

    #[test]
    fn a_retired_secret_proves_what_it_signed_before() {
        let (old, new) = (SigningSecret::new(SECRET), SigningSecret::new("another"));
        let retired = RetiredSecret { secret: old.clone(), retired_at: Timestamp::from_unix(1000) };
        let keys = SigningKeys::new(new.clone(), vec![retired]);
        let verify = |secret: &SigningSecret, key, at: &str| {
            let signed = secret.sign(at, b"x");
            keys.verify_evidence(key, at, &signed, b"x").map(|verified| verified.key())
        };
        let wrong = Err(NotSigned::Signature(SignatureError::Wrong));
        for key in [None, Some(old.key_id())] {
            assert_eq!(verify(&old, key, "1000"), Ok(old.key_id()));
            assert_eq!(verify(&old, key, "1001"), Err(NotSigned::Retired));
        }
        for key in [None, Some(new.key_id())] {
            assert_eq!(verify(&new, key, "5000"), Ok(new.key_id()));
            assert_eq!(verify(&SigningSecret::new("a third"), key, "1"), wrong);
        }
        assert_eq!(verify(&old, Some(new.key_id()), "1"), wrong, "signed with another than it says");
        let scheme = keys.verify_evidence(None, "1", "v1=00", b"x").map(drop);
        assert_eq!(scheme, Err(NotSigned::Signature(SignatureError::Scheme)));
    }

    #[test]
    fn a_key_s_id_is_stored_as_text_and_gives_nothing_away() {
        let id = SigningSecret::new(SECRET).key_id();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json.len(), 10, "{json}");
        assert_eq!(serde_json::from_str::<KeyId>(&json).unwrap(), id);
        assert!(!SECRET.contains(&id.to_string()));
        assert_ne!(id, SigningSecret::new("another").key_id());
        for bad in ["\"\"", "\"0011223\"", "\"001122334\"", "\"0011223g\""] {
            assert!(serde_json::from_str::<KeyId>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        let secret = SigningSecret::new(SECRET);
        let good = secret.sign("1", b"x");
        let now = Timestamp::from_unix(1);
        let cases = [
            (None, Some(good.as_str()), SignatureError::Timestamp),
            (Some("1"), None, SignatureError::Scheme),
            (Some("1.5"), Some(&good), SignatureError::Timestamp),
            (Some("+1"), Some(&good), SignatureError::Timestamp),
            (Some(""), Some(&good), SignatureError::Timestamp),
            (Some("2"), Some(&good), SignatureError::Wrong),
            (Some("1"), Some(""), SignatureError::Scheme),
            (Some("1"), Some(&good[1..]), SignatureError::Scheme),
        ];
        for (timestamp, signature, expected) in cases {
            assert_eq!(
                verify(&secret, timestamp, signature, b"x", now).unwrap_err(),
                expected,
                "{timestamp:?}"
            );
        }
        let upper = format!("v0={}", good[3..].to_ascii_uppercase());
        assert_eq!(verify(&secret, Some("1"), Some(&upper), b"x", now).unwrap_err(), SignatureError::Scheme);
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }
}
