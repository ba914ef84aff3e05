//! The page on which a requester confirms where they come from: the link to it, and what becomes of the address
//! that the server saw.

use crate::lease::Timestamp;
use crate::lifecycle::{Closure, Record, State};
use crate::machine::{SeenMachine, Unfit, is_private};
use crate::policy::{NotAllowed, Rule};
use crate::request::{Ask, RequestId, Source, Wish};
use crate::signature::SigningSecret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::net::IpAddr;

/// How long a link lives, and the draft that it belongs to, in seconds.
pub const LINK_SECONDS: u64 = 600;

/// What a seal is for: no request of Slack's begins like this, so neither can stand for the other.
const PURPOSE: &[u8] = b"ajar-address-link-1:";

/// A link to the page: of one request, until one moment. Its seal is made from Slack's signing secret, so that nothing
/// is stored, and whoever reads or writes the table can make none. It works once because a draft is addressed once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The request.
    pub request: RequestId,
    /// Until when it works; when the draft lapses.
    pub ends_at: Timestamp,
}

/// Why a text is no link of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotALink {
    /// It does not look like one.
    Shape,
    /// Its seal was not made with this secret.
    Seal,
}

impl Link {
    /// The link of a draft.
    pub const fn of(draft: &Wish) -> Self {
        Self { request: draft.id, ends_at: draft.lapses_at }
    }

    fn plain(&self) -> String {
        format!("{}.{}", self.request, self.ends_at.unix())
    }

    /// As it stands in an address: letters, digits, `.`, `-` and `_`.
    pub fn sealed(&self, secret: &SigningSecret) -> String {
        let plain = self.plain();
        let seal = secret.seal(PURPOSE, plain.as_bytes());
        format!("{plain}.{}", URL_SAFE_NO_PAD.encode(seal))
    }

    /// Reads what [`Link::sealed`] has made. Whether it still works is not judged here.
    ///
    /// # Errors
    /// It is none of ours; compared in constant time.
    pub fn open(text: &str, secret: &SigningSecret) -> Result<Self, NotALink> {
        let shaped = || {
            let mut parts = text.split('.');
            let request = parts.next()?.parse().ok()?;
            let ends_at = Timestamp::from_unix(parts.next()?.parse().ok()?);
            let seal = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
            parts.next().is_none().then_some((Self { request, ends_at }, seal))
        };
        let (link, seal) = shaped().ok_or(NotALink::Shape)?;
        if secret.has_sealed(PURPOSE, link.plain().as_bytes(), &seal) {
            Ok(link)
        } else {
            Err(NotALink::Seal)
        }
    }
}

/// Why a request was not sent on from the page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotSent {
    /// The link is none of ours.
    Unknown,
    /// Its time is over.
    Expired,
    /// It has been used.
    Used,
    /// The request was taken back before.
    TakenBack,
    /// The browser says that another site has sent the form.
    OtherSite,
    /// The address that was seen is none that the Internet sees.
    Unusable,
    /// The machine has no address of that family.
    OtherFamily {
        /// Whether it has an IPv4 address; else it has IPv6 only.
        has_ipv4: bool,
    },
    /// The address is not among those that may be let in.
    Outside {
        /// What may be.
        allowed: Vec<Source>,
    },
    /// It is to move a grant to another address, and this one is let in by it.
    SameAddress {
        /// The grant.
        grant: RequestId,
    },
    /// The policy, the machine or a lockdown is against it now, and was not when it was typed: the answer to the
    /// same command says what.
    Changed,
    /// Slack did not say who is in a user group.
    GroupsUnknown,
}

/// What a record still waits for on the page.
///
/// # Errors
/// It waits for no address any more.
pub fn waiting(record: &Record, now: Timestamp) -> Result<&Wish, NotSent> {
    match record.state() {
        State::Draft(_) if now < record.wish().lapses_at => Ok(record.wish()),
        State::Draft(_) => Err(NotSent::Expired),
        _ if record.ask().is_some() => Err(NotSent::Used),
        State::Closed(closed) if *closed.closure() == Closure::Cancelled => Err(NotSent::TakenBack),
        _ => Err(NotSent::Expired),
    }
}

/// Where somebody comes from, by the address that the server saw.
///
/// # Errors
/// No address, or none that the Internet sees: what Azure will see is another one then.
pub fn source_of(seen: &str) -> Result<Source, NotSent> {
    let address: IpAddr = seen.parse().map_err(|_| NotSent::Unusable)?;
    let source: Source = address.to_canonical().to_string().parse().map_err(|_| NotSent::Unusable)?;
    if is_private(&source) { Err(NotSent::Unusable) } else { Ok(source) }
}

/// What is asked for once it is known from where: the machine by the address that such a connection arrives at. Judged
/// by the machine as it was seen and by the rule that decides; who may ask is judged by the whole policy.
///
/// # Errors
/// It would be refused.
pub fn asked_from(wish: &Wish, seen: &SeenMachine, rule: &Rule, source: Source) -> Result<Ask, NotSent> {
    if let Some(moves) = wish.moves.filter(|moves| source.is_within(&moves.from)) {
        return Err(NotSent::SameAddress { grant: moves.grant });
    }
    let machine = seen.reached_from(&source).map_err(|why| match why {
        Unfit::OtherFamily { has_ipv4 } => NotSent::OtherFamily { has_ipv4 },
        Unfit::Gone { .. } | Unfit::Off { .. } | Unfit::Unshielded | Unfit::NoAddress => NotSent::Changed,
    })?;
    let means = rule.means_of(wish, &source);
    let ask = Ask { wish: Wish { machine, means, ..wish.clone() }, source };
    rule.lets_in(&source)?;
    rule.admits_enabled(&ask, seen.enabled.as_ref())?;
    Ok(ask)
}

impl From<NotAllowed> for NotSent {
    fn from(why: NotAllowed) -> Self {
        match why {
            NotAllowed::Source { allowed, .. } => Self::Outside { allowed },
            _ => Self::Changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_of_one_request_until_one_moment_and_made_with_the_secret() {
        let (secret, other) =
            (SigningSecret::new("8f742231b10e8888"), SigningSecret::new("8f742231b10e8889"));
        let link =
            Link { request: "7F3K9-QXM2P".parse().unwrap(), ends_at: Timestamp::from_unix(1_772_000_600) };
        let text = link.sealed(&secret);
        assert_eq!(Link::open(&text, &secret), Ok(link));
        assert_eq!(Link::open(&text, &other), Err(NotALink::Seal));
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)), "{text}");
        assert!(text.len() > 43 + 20, "a seal of 256 bits: {text}");
        let seal = text.rsplit('.').next().unwrap();
        for forged in [
            text.replace("7F3K9-QXM2P", "7F3K9-QXM2Q"),
            text.replace("1772000600", "1772000601"),
            format!("7F3K9-QXM2P.1772000600.{}", "A".repeat(43)),
            "7F3K9-QXM2P.1772000600.".to_owned(),
        ] {
            assert_eq!(Link::open(&forged, &secret), Err(NotALink::Seal), "{forged}");
        }
        for shapeless in
            ["", ".", "7F3K9-QXM2P", seal, &format!("{text}."), &format!("x{text}"), "7F3K9-QXM2P.-1.AA"]
        {
            assert_eq!(Link::open(shapeless, &secret), Err(NotALink::Shape), "{shapeless}");
        }
        assert!(Link::open(&text[..text.len() - 1], &secret).is_err(), "cut off");
        // What Slack signs is no seal, and the other way round.
        let signed = secret.sign("1772000600", b"7F3K9-QXM2P");
        assert!(!signed.contains(&hex::encode(URL_SAFE_NO_PAD.decode(seal).unwrap())));
    }

    #[test]
    fn only_what_the_internet_sees_is_a_source() {
        for (seen, source) in [
            ("203.0.113.7", "203.0.113.7"),
            ("2001:DB8::7", "2001:db8::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(source_of(seen).unwrap().to_string(), source);
        }
        for unusable in [
            "",
            "10.9.0.4",
            "192.168.1.2",
            "100.64.0.1",
            "fd00::7",
            "127.0.0.1",
            "::1",
            "fe80::1",
            "0.0.0.0/0",
            "203.0.113.7, 198.51.100.9",
        ] {
            assert_eq!(source_of(unusable), Err(NotSent::Unusable), "{unusable}");
        }
    }
}
