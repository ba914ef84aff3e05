//! AWS Signature Version 4, as the receiver checks it, for requests without a query.

use super::wire::Call;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The parts of an `Authorization` header.
pub(super) struct Authorization<'a> {
    /// Key id, day, region, service and `aws4_request`, with slashes between them.
    pub(super) credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header's value after `AWS4-HMAC-SHA256 `; `None` when a part is missing.
    pub(super) fn parse(parameters: &'a str) -> Option<Self> {
        let value = |name: &str| {
            parameters.split(',').find_map(|one| one.trim().strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            credential: value("Credential")?,
            signed_headers: value("SignedHeaders")?,
            signature: value("Signature")?,
        })
    }

    /// Whether the signature is made of this call with this secret.
    pub(super) fn signed_with(&self, secret: &str, call: &Call) -> bool {
        let Some((_, scope)) = self.credential.split_once('/') else { return false };
        let Some(date) = call.header("x-amz-date") else { return false };
        let headers: String = self
            .signed_headers
            .split(';')
            .map(|name| format!("{name}:{}\n", call.header(name).unwrap_or_default().trim()))
            .collect();
        let canonical = format!(
            "{}\n{}\n\n{headers}\n{}\n{}",
            call.method,
            call.uri.path(),
            self.signed_headers,
            hex::encode(Sha256::digest(&call.body))
        );
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            hex::encode(Sha256::digest(canonical.as_bytes()))
        );
        let key = scope.split('/').try_fold(format!("AWS4{secret}").into_bytes(), |key, part| {
            Some(mac(&key, part)?.finalize().into_bytes().to_vec())
        });
        let (Some(key), Ok(signature)) = (key, hex::decode(self.signature)) else { return false };
        mac(&key, &to_sign).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
    }
}

fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}
