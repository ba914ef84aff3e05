//! What a person asks for, in types that cannot hold nonsense.

mod id;
mod query;
mod rule_name;
mod terms;

pub use id::{RequestHash, RequestId};
pub use query::MachineQuery;
pub use rule_name::RuleName;
pub use terms::{Ask, Machine, Means, Move, TermsDigest, Wish};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
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
string_serde!(MachineQuery);
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

    /// The subscription that it is in.
    pub fn subscription(&self) -> &str {
        self.0.split('/').nth(2).unwrap_or_default()
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
    /// Every address of one family. Nobody can ask for it; a closing rule is about it.
    pub(crate) fn anywhere(ipv4: bool) -> Self {
        Self(if ipv4 { IpNet::V4(Ipv4Net::default()) } else { IpNet::V6(Ipv6Net::default()) })
    }

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
        let line = one_line(text);
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

/// Control characters, line breaks, the marks that change the direction of text or take no room, and the
/// letters that show nothing: with them one message can be made to look like another.
pub(crate) fn is_disguise(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}')
        || ('\u{200B}'..='\u{200F}').contains(&c)
        || ('\u{2028}'..='\u{202E}').contains(&c)
        || ('\u{2060}'..='\u{206F}').contains(&c)
        || ('\u{FFF9}'..='\u{FFFC}').contains(&c)
        || ('\u{1D173}'..='\u{1D17A}').contains(&c)
        || ('\u{E0000}'..='\u{E007F}').contains(&c)
        || matches!(
            c,
            '\u{034F}'
                | '\u{115F}'
                | '\u{1160}'
                | '\u{17B4}'
                | '\u{17B5}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{FFA0}'
        )
}

/// Marks that are drawn over the letter before them: many in a row are drawn over the lines above and below.
fn is_mark(c: char) -> bool {
    ('\u{0300}'..='\u{036F}').contains(&c)
        || ('\u{0483}'..='\u{0489}').contains(&c)
        || ('\u{1AB0}'..='\u{1AFF}').contains(&c)
        || ('\u{1DC0}'..='\u{1DFF}').contains(&c)
        || ('\u{20D0}'..='\u{20FF}').contains(&c)
        || ('\u{FE00}'..='\u{FE0F}').contains(&c)
        || ('\u{FE20}'..='\u{FE2F}').contains(&c)
}

/// What a person wrote as one line without anything that could disguise it; of the marks over one letter the first two.
pub(crate) fn one_line(text: &str) -> String {
    let mut marks = 0;
    let kept = text.chars().filter(|c| {
        marks = if is_mark(*c) { marks + 1 } else { 0 };
        marks <= 2
    });
    let plain: String = kept.map(|c| if is_disguise(c) { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_justification_is_one_plain_line() {
        let text = "patch\u{202E}ing\nthe \u{200B} thing";
        assert_eq!(text.parse::<Justification>().unwrap().as_str(), "patch ing the thing");
        for nothing in ["\u{200B}\n", "\u{3164}", "\u{2800}\u{115F}", "\0", "\u{FFF9}\u{E0041}", ""] {
            assert_eq!(nothing.parse::<Justification>(), Err(Malformed::JustificationEmpty), "{nothing:?}");
        }
        let tall = format!("a{}b e\u{301}", "\u{301}".repeat(50));
        assert_eq!(tall.parse::<Justification>().unwrap().as_str(), "a\u{301}\u{301}b e\u{301}");
        assert_eq!("x".repeat(10_000).parse::<Justification>(), Err(Malformed::JustificationLength(10_000)));
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
