//! The short id of a request, and the hash that it is cut from.

use super::{Malformed, ResourceId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The alphabet of Crockford's base 32: no I, L, O, U, so that an id can be read out.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The whole hash that a request's id is cut from: a repeated delivery of the same command makes
/// the same one, and a collision of the short ids can be told from a repetition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestHash([u8; 32]);

impl RequestHash {
    /// How many ids can be cut from one hash.
    pub const CANDIDATES: usize = 5;

    /// The hash of what Slack called the trigger of the command and the machine it is about.
    pub fn of(trigger_id: &str, machine: &ResourceId) -> Self {
        let mut hash = Sha256::new();
        hash.update(trigger_id.len().to_be_bytes());
        hash.update(trigger_id.as_bytes());
        hash.update(machine.key().as_bytes());
        Self(hash.finalize().into())
    }

    /// The `n`th 50 bits as an id. The first is used unless another request has it already.
    pub fn candidate(&self, n: usize) -> RequestId {
        let start = n.min(Self::CANDIDATES - 1) * 50;
        let bits = (start..start + 50).fold(0u64, |bits, at| {
            let bit = self.0[at / 8] >> (7 - at % 8) & 1;
            bits << 1 | u64::from(bit)
        });
        RequestId(bits)
    }

    /// As 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).ok()?.try_into().ok().map(Self)
    }
}

/// The id of a request: 50 bits, short and sayable, `7F3K9-QXM2P`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(u64);

impl RequestId {
    /// As people type it: in lower case too, and without the hyphen.
    ///
    /// # Errors
    /// Not an id.
    pub fn typed(text: &str) -> Result<Self, Malformed> {
        let spelled = text.to_ascii_uppercase();
        let halves = Some(spelled.as_str()).filter(|_| spelled.len() == 10 && spelled.is_ascii());
        let spelled = halves.map_or_else(|| spelled.clone(), |all| format!("{}-{}", &all[..5], &all[5..]));
        spelled.parse().map_err(|_| Malformed::RequestId(super::clip(text)))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in 0..10 {
            if at == 5 {
                f.write_str("-")?;
            }
            let digit = (self.0 >> (45 - 5 * at) & 31) as usize;
            write!(f, "{}", char::from(CROCKFORD[digit]))?;
        }
        Ok(())
    }
}

impl FromStr for RequestId {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::RequestId(text.to_owned());
        let (left, right) = text.split_once('-').ok_or_else(malformed)?;
        if left.len() != 5 || right.len() != 5 {
            return Err(malformed());
        }
        left.bytes()
            .chain(right.bytes())
            .try_fold(0u64, |bits, byte| {
                let digit = CROCKFORD.iter().position(|&c| c == byte).ok_or_else(malformed)?;
                Ok(bits << 5 | digit as u64)
            })
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_sayable_and_reads_back() {
        let machine: ResourceId =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/VM3"
                .parse()
                .unwrap();
        let hash = RequestHash::of("123.456", &machine);
        let ids: Vec<RequestId> = (0..RequestHash::CANDIDATES).map(|n| hash.candidate(n)).collect();
        for id in &ids {
            let text = id.to_string();
            assert_eq!(text.len(), 11);
            assert_eq!(text.parse::<RequestId>().unwrap(), *id);
        }
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
        assert_eq!(RequestHash::from_hex(&hash.to_hex()), Some(hash));
        let upper: ResourceId = machine.as_str().to_ascii_uppercase().parse().unwrap();
        assert_eq!(RequestHash::of("123.456", &upper), hash);
        for text in ["7F3K9-QXM2P", "7f3k9-qxm2p", "7f3k9qxm2p"] {
            assert_eq!(RequestId::typed(text).unwrap().to_string(), "7F3K9-QXM2P");
        }
        for bad in ["", "7F3K9-QXM2", "7F3K9QXM2PP", "7f3k9-qxm2u", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
            assert_eq!(RequestId::typed(bad), Err(Malformed::RequestId(bad.to_owned())));
        }
        for bad in ["", "7F3K9QXM2P", "7F3K9-QXM2", "7f3k9-qxm2p", "7F3K9-QXM2U", "7F3K9-QXM2P-1"] {
            assert_eq!(bad.parse::<RequestId>(), Err(Malformed::RequestId(bad.to_owned())));
        }
    }
}
