//! A security rule as it was read from Azure, each field parsed once. What cannot be read is kept as
//! such: it may or may not match, and is never guessed.

use super::Flow;
use crate::drive::Access;
use crate::request::{Ports, Protocol, ResourceId};
use ipnet::IpNet;
use std::net::IpAddr;

/// An inbound rule of a network security group, as read from Azure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// 100 to 4096; default rules 65000 and later. Lower decides first.
    pub priority: u16,
    /// What it does.
    pub access: Access,
    /// Which protocol.
    pub protocol: RuleProtocol,
    /// Which sources.
    pub sources: Vec<Scope>,
    /// Which source ports.
    pub source_ports: Vec<PortSpan>,
    /// Which destinations.
    pub destinations: Vec<Scope>,
    /// Which destination ports.
    pub destination_ports: Vec<PortSpan>,
    /// Whether an operation on it has not ended or has failed.
    pub provisioning: Provisioning,
    /// The free text on it.
    pub description: String,
}

/// How far Azure is with a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Provisioning {
    /// In force.
    Succeeded,
    /// Being written or deleted.
    Changing,
    /// The last write failed: what of it is in force is not known.
    Failed,
}

/// The protocol of a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleProtocol {
    /// `*`; in effective rules `All`.
    Any,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP, ESP, AH: never a port.
    Other,
    /// A word that is none of Azure's.
    Unreadable,
}

impl RuleProtocol {
    /// As Azure writes it, in whatever case (real groups hold `TCP`, `tcp` and `Tcp`).
    pub fn of(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "*" | "all" | "any" => Self::Any,
            "tcp" => Self::Tcp,
            "udp" => Self::Udp,
            "icmp" | "icmpv6" | "esp" | "ah" => Self::Other,
            _ => Self::Unreadable,
        }
    }

    pub(super) const fn covers(self, protocol: Protocol) -> Match {
        match (self, protocol) {
            (Self::Any, _) | (Self::Tcp, Protocol::Tcp) | (Self::Udp, Protocol::Udp) => Match::Yes,
            (Self::Unreadable, _) => Match::Maybe,
            _ => Match::No,
        }
    }
}

/// Which addresses one side of a rule is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// `*`
    Any,
    /// An address or prefix.
    Net(IpNet),
    /// The service tag `Internet`: what the public Internet reaches outside the virtual network.
    Internet,
    /// The service tag `VirtualNetwork`: the network, what is connected to it, and the host's own
    /// address.
    VirtualNetwork,
    /// The service tag `AzureLoadBalancer`: the host's address, where health probes come from.
    AzureLoadBalancer,
    /// An application security group: the addresses of some network interfaces of one virtual network.
    Group(ResourceId),
    /// Another service tag, or what cannot be read: who is in it is not known here.
    Unknown(String),
}

impl Scope {
    /// As Azure writes it. The names with underscores are those of the classic deployment model
    /// (learn.microsoft.com, service-tags-overview).
    pub fn of(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "*" | "any" => Self::Any,
            "internet" => Self::Internet,
            "virtualnetwork" | "virtual_network" => Self::VirtualNetwork,
            "azureloadbalancer" | "azure_loadbalancer" => Self::AzureLoadBalancer,
            _ => match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
                (Ok(net), _) => Self::Net(net.trunc()),
                (_, Ok(address)) => Self::Net(address.into()),
                _ => Self::Unknown(text.to_owned()),
            },
        }
    }

    /// Whether the machine's private address is meant. It is always in its virtual network, and never
    /// on the Internet: inbound rules see it after the translation of the public one.
    fn means(&self, flow: &Flow) -> Match {
        match self {
            Self::Any | Self::VirtualNetwork => Match::Yes,
            Self::Net(net) => of_net(*net, flow.destination.into()),
            Self::Internet | Self::AzureLoadBalancer => Match::No,
            Self::Group(group) => match &flow.member_of {
                Some(groups) if groups.contains(group) => Match::Yes,
                Some(_) => Match::No,
                None => Match::Maybe,
            },
            Self::Unknown(_) => Match::Maybe,
        }
    }
}

/// Whether a rule's prefix holds another one whole. A prefix of one family holds nothing of the other;
/// of `0.0.0.0/0` Azure's pages say "all IP addresses", and none says whether IPv6 is among them.
pub(super) fn of_net(net: IpNet, part: IpNet) -> Match {
    let everything_v4 = net.prefix_len() == 0 && matches!(net, IpNet::V4(_));
    match (net.contains(&part), part) {
        (true, _) => Match::Yes,
        (false, IpNet::V6(_)) if everything_v4 => Match::Maybe,
        (false, _) => Match::No,
    }
}

/// Ports from the first to the last, or a text that is no such range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortSpan(Option<(u16, u16)>);

impl PortSpan {
    /// All ports.
    pub const ANY: Self = Self(Some((0, u16::MAX)));

    /// One port.
    pub const fn one(port: u16) -> Self {
        Self(Some((port, port)))
    }

    /// `*`, `22` or `5985-5986`. Anything else, also a range that ends before it begins, may be about
    /// any port.
    pub fn of(text: &str) -> Self {
        if text == "*" || text.eq_ignore_ascii_case("any") {
            return Self::ANY;
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse::<u16>().ok();
        Self(number(first).zip(number(last)).filter(|(first, last)| first <= last))
    }

    fn covers(self, port: u16) -> Match {
        self.0.map_or(Match::Maybe, |(first, last)| Match::from(first <= port && port <= last))
    }
}

/// Whether something is meant by a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Match {
    /// Surely not.
    No,
    /// The rule does not say, or not so that it can be known here.
    Maybe,
    /// Surely.
    Yes,
}

impl From<bool> for Match {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl Rule {
    /// The flow that a rule of ours is about; `None` where it is not one as we write them: one source, one
    /// address, single ports.
    pub fn flow(&self) -> Option<Flow> {
        let ([Scope::Net(source)], [Scope::Net(destination)]) =
            (self.sources.as_slice(), self.destinations.as_slice())
        else {
            return None;
        };
        let protocol = match self.protocol {
            RuleProtocol::Tcp => Protocol::Tcp,
            RuleProtocol::Udp => Protocol::Udp,
            RuleProtocol::Any | RuleProtocol::Other | RuleProtocol::Unreadable => return None,
        };
        let single = |span: &PortSpan| span.0.filter(|(first, last)| first == last).map(|(port, _)| port);
        let ports: Option<Vec<u16>> = self.destination_ports.iter().map(single).collect();
        Some(Flow {
            source: source.to_string().parse().ok()?,
            destination: (destination.prefix_len() == destination.max_prefix_len())
                .then(|| destination.addr())?,
            protocol,
            ports: Ports::new(ports?).ok()?,
            member_of: None,
        })
    }

    /// Whether the rule is about this flow's destination, protocol and this port of it.
    pub(super) fn reaches(&self, flow: &Flow, port: u16) -> Match {
        let any = |all: &mut dyn Iterator<Item = Match>| all.max().unwrap_or(Match::No);
        let families = Match::from(flow.source.prefix().addr().is_ipv4() == flow.destination.is_ipv4());
        let destination = any(&mut self.destinations.iter().map(|scope| scope.means(flow)));
        let ports = any(&mut self.destination_ports.iter().map(|span| span.covers(port)));
        // The port that a connection comes from is not known beforehand.
        let from_any = self.source_ports.contains(&PortSpan::ANY);
        let source_ports = if from_any { Match::Yes } else { Match::Maybe };
        // What a failed write has left in force is not known.
        let in_force = if self.provisioning == Provisioning::Failed { Match::Maybe } else { Match::Yes };
        families
            .min(self.protocol.covers(flow.protocol))
            .min(destination)
            .min(ports)
            .min(source_ports)
            .min(in_force)
    }
}
