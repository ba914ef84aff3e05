//! What is asked for as a whole, and the digest of it that an approver says yes to.

use super::{
    Justification, MachineName, Ports, Protocol, RequestHash, RequestId, ResourceId, Source, UserId,
};
use crate::lease::{Timestamp, Ttl};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

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

/// What a request is to be opened by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Means {
    /// The clicks of as many others as the policy wants.
    #[default]
    Approval,
    /// The requester's own click, where the policy names them for that: break-glass.
    BreakGlass,
    /// The requester's own click, where the policy lets them move a grant without approval.
    OwnMove,
}

/// An open grant that a request moves to another address. It is shut once the request is open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Move {
    /// The grant.
    pub grant: RequestId,
    /// Where it lets somebody in from.
    pub from: Source,
    /// When it ends. What takes its place ends then too, however late that is opened.
    pub until: Timestamp,
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
    /// What it is to be opened by.
    pub means: Means,
    /// Why.
    pub justification: Option<Justification>,
    /// What it takes the place of, where it moves a grant to another address.
    pub moves: Option<Move>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When it lapses if nobody has decided.
    pub lapses_at: Timestamp,
}

impl Wish {
    /// When it ends that was decided at this moment: after its duration, and no later than what it takes the place of.
    pub fn ends_by(&self, decided_at: Timestamp) -> Timestamp {
        let end = decided_at.plus(self.ttl.seconds());
        self.moves.map_or(end, |moves| end.min(moves.until))
    }

    /// When it lapses that may wait for a decision until this moment: nobody decides on what would be over.
    pub fn waits_until(&self, at: Timestamp) -> Timestamp {
        self.moves.map_or(at, |moves| at.min(moves.until))
    }
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
    /// duration, of a break-glass that it is one and why, and of a move what it moves from where and its end; each part
    /// with its length, so that no two different terms read the same.
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
        // Whoever clicks alone answers for the reason too.
        let glass = match wish.means {
            Means::Approval | Means::OwnMove => vec![],
            Means::BreakGlass => {
                let why = wish.justification.as_ref().map_or_else(String::new, ToString::to_string);
                vec!["break-glass".to_owned(), why]
            }
        };
        let moves = wish.moves.iter().flat_map(|moves| {
            let (from, until) = (moves.from.prefix().to_string(), moves.until.unix().to_string());
            ["move".to_owned(), moves.grant.to_string(), from, until]
        });
        let mut hash = Sha256::new();
        for part in parts.into_iter().chain(glass).chain(moves) {
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

    /// The digests were computed with the commands of infra/RUNBOOK.md, "How an auditor verifies a grant".
    #[test]
    fn a_digest_is_what_an_auditor_computes() {
        let resource_id: ResourceId =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/VM3"
                .parse()
                .unwrap();
        let wish = |means| Wish {
            id: "7F3K9-QXM2P".parse().unwrap(),
            hash: RequestHash::of("1.2", &resource_id),
            requester: "U0ANA".parse().unwrap(),
            machine: Machine {
                name: "VM3".parse().unwrap(),
                resource_id: resource_id.clone(),
                private_address: [10, 0, 0, 6].into(),
                public_address: None,
            },
            protocol: Protocol::Tcp,
            ports: Ports::new(vec![22, 3389]).unwrap(),
            ttl: Ttl::from_minutes(30).unwrap(),
            means,
            justification: Some("the database is down".parse().unwrap()),
            moves: None,
            asked_at: Timestamp::from_unix(0),
            lapses_at: Timestamp::from_unix(0),
        };
        for (means, digest) in [
            (Means::Approval, "c292beec6addec34b149b29173deaa4c01d3bc210cff6d0fd9959ebf73178a1f"),
            (Means::BreakGlass, "9318139a72872ede0e9ac0ef7ae8c1f8231b2f1f2893547ada186fa1db647aaf"),
        ] {
            let ask = Ask { wish: wish(means), source: "203.0.113.7".parse().unwrap() };
            assert_eq!(TermsDigest::of(&ask).as_str(), digest, "{means:?}");
        }
        let moves = Move {
            grant: "9ABCD-EFGHJ".parse().unwrap(),
            from: "198.51.100.9".parse().unwrap(),
            until: Timestamp::from_unix(1800),
        };
        let wish = Wish { moves: Some(moves), ..wish(Means::Approval) };
        let ask = Ask { wish, source: "203.0.113.7".parse().unwrap() };
        let digest = "0ee08ca7960701856251ae16932cfb93eb19d1ca9b1f6e74ed8f2f25b151a049";
        assert_eq!(TermsDigest::of(&ask).as_str(), digest, "of a move");
    }
}
