//! The keys of the simulated clouds, and the tokens that they sign.
//!
//! Two kinds of token: the STS stand-in signs web identity tokens with RSA (RS256), because whoever
//! checks them has only the public key; Entra's access tokens are checked by the ARM beside it, so
//! one shared secret does (HS256). Both outlive a restart with the data directory.

use super::roles::Function;
use super::wire;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use rsa::pkcs8::EncodePrivateKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::{Mutex, PoisonError};

/// What is kept of the keys.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    /// PKCS#8, base64.
    rsa: String,
    /// Hexadecimal.
    access_token_secret: String,
    /// Seed of the SSH host key, hexadecimal.
    pub(super) ssh_host_seed: String,
}

impl Stored {
    /// New keys. Takes up to a second: an RSA key of 2048 bits is made. Where they are not kept, `lasting`
    /// is false, and all the clouds that a process simulates share that key.
    pub(super) fn generate(lasting: bool) -> Result<Self, String> {
        static RSA: Mutex<Option<String>> = Mutex::new(None);
        let rsa = if lasting {
            new_rsa()?
        } else {
            let mut shared = RSA.lock().unwrap_or_else(PoisonError::into_inner);
            match &*shared {
                Some(rsa) => rsa.clone(),
                None => shared.insert(new_rsa()?).clone(),
            }
        };
        Ok(Self {
            rsa,
            access_token_secret: hex::encode(wire::random(32)),
            ssh_host_seed: hex::encode(wire::random(32)),
        })
    }
}

/// PKCS#8, base64.
fn new_rsa() -> Result<String, String> {
    let rsa = rsa::RsaPrivateKey::new(&mut rand::rng(), 2048).map_err(|error| error.to_string())?;
    let document = rsa.to_pkcs8_der().map_err(|error| error.to_string())?;
    Ok(STANDARD.encode(document.as_bytes()))
}

/// The keys, ready for use.
pub(super) struct Keys {
    rsa: RsaKeyPair,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    /// The name of the RSA key, as in the issuer's key set.
    pub(super) kid: String,
    secret: Vec<u8>,
}

/// The audiences that ARM takes; Entra's tokens for our scope have the first.
pub(super) const AUDIENCES: [&str; 4] = [
    "https://management.azure.com",
    "https://management.azure.com/",
    "https://management.core.windows.net",
    "https://management.core.windows.net/",
];

/// What ARM reads in an access token.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct AccessClaims {
    pub(super) aud: String,
    pub(super) tid: String,
    pub(super) appid: String,
    pub(super) oid: String,
    iat: u64,
    pub(super) exp: u64,
    /// Whose token it is: a function's name, or `owner`.
    pub(super) name: String,
}

impl Keys {
    pub(super) fn load(stored: &Stored) -> Result<Self, String> {
        let document = STANDARD.decode(&stored.rsa).map_err(|error| error.to_string())?;
        let rsa = RsaKeyPair::from_pkcs8(&document).map_err(|error| error.to_string())?;
        let RsaPublicKeyComponents { n: modulus, e: exponent } =
            RsaPublicKeyComponents::<Vec<u8>>::from(rsa.public());
        Ok(Self {
            kid: hex::encode(&Sha256::digest(&modulus)[..8]),
            rsa,
            modulus,
            exponent,
            secret: hex::decode(&stored.access_token_secret).map_err(|error| error.to_string())?,
        })
    }

    /// The issuer's key set (RFC 7517).
    pub(super) fn jwks(&self) -> Value {
        json!({ "keys": [{ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid,
            "n": BASE64URL.encode(&self.modulus), "e": BASE64URL.encode(&self.exponent) }] })
    }

    /// Signs claims as the STS stand-in does.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, String> {
        let header = json!({ "alg": "RS256", "kid": self.kid, "typ": "JWT" });
        let message = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.rsa.public().modulus_len()];
        self.rsa
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|error| error.to_string())?;
        Ok(format!("{message}.{}", BASE64URL.encode(signature)))
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }

    /// An access token that ARM believes until `expires_at` (Unix seconds, real time).
    pub(super) fn access_token(&self, who: &Function, expires_at: u64) -> String {
        self.access_token_for(who, AUDIENCES[0], super::world::TENANT_ID, expires_at)
    }

    /// An access token for `audience`, of the tenant `tenant_id`.
    pub(super) fn access_token_for(
        &self,
        who: &Function,
        audience: &str,
        tenant_id: &str,
        expires_at: u64,
    ) -> String {
        let claims = AccessClaims {
            aud: audience.to_owned(),
            tid: tenant_id.to_owned(),
            appid: who.client_id.clone().unwrap_or_default(),
            oid: who.object_id.clone(),
            iat: wire::wall_ms() / 1000,
            exp: expires_at,
            name: who.function.clone(),
        };
        let message = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(&claims));
        let signature = self.mac(message.as_bytes()).map(|mac| mac.finalize().into_bytes().to_vec());
        format!("{message}.{}", BASE64URL.encode(signature.unwrap_or_default()))
    }

    /// The claims of an access token that Entra signed; expiry is the caller's business.
    pub(super) fn read_access_token(&self, token: &str) -> Option<AccessClaims> {
        let (message, signature) = token.rsplit_once('.')?;
        let signature = BASE64URL.decode(signature).ok()?;
        self.mac(message.as_bytes())?.verify_slice(&signature).ok()?;
        let claims = BASE64URL.decode(message.split_once('.')?.1).ok()?;
        serde_json::from_slice(&claims).ok()
    }

    fn mac(&self, message: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(message);
        Some(mac)
    }
}

/// A JSON web token taken apart, its signature not yet checked.
pub(super) struct Jwt {
    pub(super) header: Value,
    pub(super) claims: Value,
    pub(super) signature: Vec<u8>,
    /// What the signature is over.
    pub(super) message: String,
}

impl Jwt {
    /// Takes a token apart; `None` when it is not one.
    pub(super) fn split(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let json = |text: &str| serde_json::from_slice(&BASE64URL.decode(text).ok()?).ok();
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            signature: BASE64URL.decode(signature).ok()?,
            message: format!("{header}.{claims}"),
        })
    }
}

fn part(json: &impl Serialize) -> String {
    BASE64URL.encode(serde_json::to_vec(json).unwrap_or_default())
}
