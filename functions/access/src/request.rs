//! What a person asks for, in types that cannot hold nonsense.

use crate::lease::{Timestamp, Ttl};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Why a text is not what it should be: one sentence, which names what is expected.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// Not a request id.
    #[error("`{0}` is not a request id; one looks like 7F3K9-QXM2P")]
    RequestId(String),
    /// Not a Slack user id.
    #[error("`{0}` is not a Slack user id; one looks like U012ABCDEF")]
    UserId(String),
    /// Not the name of a virtual machine.
    #[error("`{0}` is not the name of a machine; one looks like VM3")]
    MachineName(String),
    /// Not an Azure resource id.
    #[error("`{0}` is not an Azure resource id; one begins with /subscriptions/")]
    ResourceId(String),
    /// Not a port.
    #[error(
        "`{0}` is not a port; write a number from 1 to 65535, several with commas between them, or ssh, rdp, winrm"
    )]
    Port(String),
    /// Too many ports, or none.
    #[error("{0} ports are too many or too few for one request; write 1 to {max}", max = Ports::MAX)]
    PortCount(usize),
    /// Not an address or prefix.
    #[error("`{0}` is not an address; write one like 203.0.113.7 or 203.0.113.0/28")]
    Source(String),
    /// An address that can never be the source of a connection.
    #[error(
        "`{0}` cannot be where you come from; write the address that the Internet sees, like 203.0.113.7"
    )]
    SourceUnusable(String),
    /// Too long.
    #[error("the reason has {0} characters; write at most {max}", max = Justification::MAX_CHARS)]
    JustificationLength(usize),
    /// Nothing but white space.
    #[error("the reason is empty; write it after `because`")]
    JustificationEmpty,
    /// Not an installation's name.
    #[error("`{0}` is not an installation name; use 1 to 20 lower-case letters and digits, no hyphen")]
    Installation(String),
}

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

/// Makes a type that wraps a checked string usable with serde.
macro_rules! string_serde {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = Malformed;
            fn try_from(text: String) -> Result<Self, Malformed> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}
string_serde!(RequestId);
string_serde!(UserId);
string_serde!(MachineName);
string_serde!(ResourceId);
string_serde!(Source);
string_serde!(Justification);
string_serde!(Installation);

/// A Slack user: `U…`, or `W…` in an Enterprise organisation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// As Slack writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let shaped = text.len() <= 24
            && text.len() >= 2
            && text.starts_with(['U', 'W'])
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if shaped { Ok(Self(text.to_owned())) } else { Err(Malformed::UserId(clip(text))) }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a virtual machine: letters, digits, hyphen, dot, underscore, at most 64 (Azure's
/// limit for Linux). Kept as written; compared without case.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineName(String);

impl MachineName {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name the same machine: Azure ignores case.
    pub fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl FromStr for MachineName {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let shaped = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if shaped { Ok(Self(text.to_owned())) } else { Err(Malformed::MachineName(clip(text))) }
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An Azure resource id. Kept as Azure wrote it; compared without case, because providers differ in
/// the case they give.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId(String);

impl ResourceId {
    /// As Azure wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for every spelling of one id.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The last segment: the resource's own name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The resource group that it is in, where there is one.
    pub fn resource_group(&self) -> Option<&str> {
        let mut segments = self.0.split('/');
        segments.find(|segment| segment.eq_ignore_ascii_case("resourceGroups"))?;
        segments.next()
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for ResourceId {}
impl std::hash::Hash for ResourceId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl FromStr for ResourceId {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let shaped = text.len() <= 1024
            && text.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("/subscriptions/"))
            && !text.contains("//")
            && !text.contains("..")
            && !text.ends_with('/')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._()".contains(&b));
        if shaped { Ok(Self(text.to_owned())) } else { Err(Malformed::ResourceId(clip(text))) }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A transport protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "Tcp",
            Self::Udp => "Udp",
        })
    }
}

/// One or a few ports of one machine, ascending and without repetition.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<u16>", into = "Vec<u16>")]
pub struct Ports(Vec<u16>);

impl Ports {
    /// The most that one request may name.
    pub const MAX: usize = 10;

    /// Sorted, repetitions removed.
    ///
    /// # Errors
    /// No port, more than [`Ports::MAX`], or port 0.
    pub fn new(mut ports: Vec<u16>) -> Result<Self, Malformed> {
        ports.sort_unstable();
        ports.dedup();
        if ports.first() == Some(&0) {
            return Err(Malformed::Port("0".to_owned()));
        }
        if ports.is_empty() || ports.len() > Self::MAX {
            return Err(Malformed::PortCount(ports.len()));
        }
        Ok(Self(ports))
    }

    /// Ascending.
    pub fn as_slice(&self) -> &[u16] {
        &self.0
    }
}

impl TryFrom<Vec<u16>> for Ports {
    type Error = Malformed;
    fn try_from(ports: Vec<u16>) -> Result<Self, Malformed> {
        Self::new(ports)
    }
}

impl From<Ports> for Vec<u16> {
    fn from(ports: Ports) -> Self {
        ports.0
    }
}

impl fmt::Display for Ports {
    /// `22` or `5985, 5986`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(u16::to_string).collect();
        f.write_str(&texts.join(", "))
    }
}

/// Where the connection may come from: an address or a prefix, its host bits cleared (Azure refuses
/// a prefix with host bits).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Source(IpNet);

impl Source {
    /// The prefix.
    pub const fn prefix(&self) -> IpNet {
        self.0
    }

    /// Whether it is one address.
    pub fn is_single(&self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }

    /// Whether everything in `self` is in `other` too.
    pub fn is_within(&self, other: &Self) -> bool {
        other.0.contains(&self.0)
    }
}

impl FromStr for Source {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::Source(clip(text));
        let prefix = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| malformed())?.trunc(),
        };
        let first = prefix.addr();
        let link_local = match first {
            IpAddr::V4(v4) => {
                v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0 || v4.octets()[0] >= 224
            }
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
        };
        if first.is_unspecified() || first.is_loopback() || first.is_multicast() || link_local {
            return Err(Malformed::SourceUnusable(clip(text)));
        }
        Ok(Self(prefix))
    }
}

impl fmt::Display for Source {
    /// An address without its `/32` or `/128`; else the prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() { write!(f, "{}", self.0.addr()) } else { write!(f, "{}", self.0) }
    }
}

/// Why somebody asks, in their words: one line, without characters that could disguise it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Justification(String);

impl Justification {
    /// The longest, in characters.
    pub const MAX_CHARS: usize = 300;

    /// As it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Justification {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let plain: String = text.chars().map(|c| if is_disguise(c) { ' ' } else { c }).collect();
        let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.chars().count() {
            0 => Err(Malformed::JustificationEmpty),
            chars if chars > Self::MAX_CHARS => Err(Malformed::JustificationLength(chars)),
            _ => Ok(Self(line)),
        }
    }
}

impl fmt::Display for Justification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters, line breaks and the marks that change the direction of text or take no room:
/// with them one message can be made to look like another.
fn is_disguise(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}')
        || ('\u{200B}'..='\u{200F}').contains(&c)
        || ('\u{2028}'..='\u{202E}').contains(&c)
        || ('\u{2060}'..='\u{206F}').contains(&c)
        || ('\u{E0000}'..='\u{E007F}').contains(&c)
}

/// What a person wrote, cut so that an answer stays one line and cannot disguise itself.
pub(crate) fn clip(text: &str) -> String {
    let plain: String = text.chars().map(|c| if is_disguise(c) || c == '`' { ' ' } else { c }).collect();
    if plain.chars().count() <= 40 { plain } else { plain.chars().take(39).chain(['…']).collect() }
}

/// The name of one installation of Ajar, part of every rule's name: lower-case letters and digits,
/// no hyphen, so that `jit-<installation>-<id>` can be taken apart without doubt.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Installation(String);

impl FromStr for Installation {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let shaped = (1..=20).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if shaped { Ok(Self(text.to_owned())) } else { Err(Malformed::Installation(clip(text))) }
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a rule of ours: `jit-<installation>-<request id>`. The only input of PUT and DELETE,
/// so that no other rule can be touched.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RuleName {
    installation: Installation,
    request: RequestId,
}

impl RuleName {
    /// The rule of this request.
    pub fn new(installation: &Installation, request: RequestId) -> Self {
        Self { installation: installation.clone(), request }
    }

    /// The request of this installation that a rule found in Azure belongs to, or `None` where the
    /// name is not exactly one of ours.
    pub fn request_of(name: &str, installation: &Installation) -> Option<RequestId> {
        let id = name.strip_prefix("jit-")?.strip_prefix(&installation.0)?.strip_prefix('-')?;
        id.parse().ok()
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "jit-{}-{}", self.installation, self.request)
    }
}

/// A machine as a request names it: what was seen of it when the request was made.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Its name, as Azure writes it.
    pub name: MachineName,
    /// Its resource id.
    pub resource_id: ResourceId,
    /// The address that its security rules see: inbound traffic is translated before it meets them.
    pub private_address: IpAddr,
    /// The address that people connect to, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_address: Option<IpAddr>,
}

/// All of a request but where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// The request's id.
    pub id: RequestId,
    /// What the id was cut from.
    pub hash: RequestHash,
    /// Who asks.
    pub requester: UserId,
    /// For which machine.
    pub machine: Machine,
    /// Which protocol.
    pub protocol: Protocol,
    /// Which ports.
    pub ports: Ports,
    /// For how long, once approved.
    pub ttl: Ttl,
    /// Why.
    pub justification: Option<Justification>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it lapses if nobody has decided.
    pub lapses_at: Timestamp,
}

/// What is asked for. It never changes after the request was recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Everything but the source.
    pub wish: Wish,
    /// Where the connection may come from.
    pub source: Source,
}

impl std::hash::Hash for Ask {
    /// By id alone: an ask never changes, and equal asks have equal ids.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.wish.id.hash(state);
    }
}

impl std::hash::Hash for Wish {
    /// By id alone, as [`Ask`].
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// A digest of everything that an approver says yes to. The button carries it; a click counts only
/// for exactly these terms.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TermsDigest(String);

impl TermsDigest {
    /// The digest of request id, requester, machine, private address, protocol, ports, source and
    /// duration; each part with its length, so that no two different terms read the same.
    pub fn of(ask: &Ask) -> Self {
        let wish = &ask.wish;
        let parts = [
            "ajar-terms-1".to_owned(),
            wish.id.to_string(),
            wish.requester.to_string(),
            wish.machine.resource_id.key(),
            wish.machine.private_address.to_string(),
            wish.protocol.to_string(),
            wish.ports.to_string(),
            ask.source.prefix().to_string(),
            wish.ttl.minutes().to_string(),
        ];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hex::encode(hash.finalize()))
    }

    /// As hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
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
        for bad in ["", "7F3K9QXM2P", "7F3K9-QXM2", "7f3k9-qxm2p", "7F3K9-QXM2U", "7F3K9-QXM2P-1"] {
            assert_eq!(bad.parse::<RequestId>(), Err(Malformed::RequestId(bad.to_owned())));
        }
    }

    #[test]
    fn only_exact_names_are_ours() {
        let ours: Installation = "prod".parse().unwrap();
        let id: RequestId = "7F3K9-QXM2P".parse().unwrap();
        assert_eq!(RuleName::new(&ours, id).to_string(), "jit-prod-7F3K9-QXM2P");
        assert_eq!(RuleName::request_of("jit-prod-7F3K9-QXM2P", &ours), Some(id));
        for other in [
            "jit-prod-shut-7F3K9-QXM2P",
            "jit-prod2-7F3K9-QXM2P",
            "jit-pro-7F3K9-QXM2P",
            "JIT-prod-7F3K9-QXM2P",
            "jit-prod-7F3K9-QXM2P2",
            "SecurityCenter-JITRule-1-a",
        ] {
            assert_eq!(RuleName::request_of(other, &ours), None, "{other}");
        }
    }

    #[test]
    fn a_justification_is_one_plain_line() {
        let text = "patch\u{202E}ing\nthe \u{200B} thing";
        assert_eq!(text.parse::<Justification>().unwrap().as_str(), "patch ing the thing");
        assert_eq!("\u{200B}\n".parse::<Justification>(), Err(Malformed::JustificationEmpty));
        assert_eq!("x".repeat(301).parse::<Justification>(), Err(Malformed::JustificationLength(301)));
    }

    #[test]
    fn a_source_is_canonical() {
        for (text, shown) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7/28", "203.0.113.0/28"),
            ("2001:DB8::1", "2001:db8::1"),
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), shown);
        }
        for bad in
            ["0.0.0.0/0", "127.0.0.1", "224.0.0.1", "::1", "255.255.255.255", "169.254.1.1", "::ffff:1.2.3.4"]
        {
            assert_eq!(bad.parse::<Source>(), Err(Malformed::SourceUnusable(bad.to_owned())));
        }
        assert_eq!("999.1.1.1".parse::<Source>(), Err(Malformed::Source("999.1.1.1".to_owned())));
    }
}
