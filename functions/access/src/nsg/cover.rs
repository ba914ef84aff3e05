//! Which part of a flow's source a rule's sources mean.

use super::rule::{Match, Scope, of_net};
use ipnet::IpNet;

/// What a rule's sources say of the part of the flow that is still undecided.
pub(super) struct Covered {
    /// Surely meant.
    pub(super) sure: Vec<IpNet>,
    /// Whether some of it may be meant.
    pub(super) maybe: bool,
    /// Surely not meant, or only perhaps.
    pub(super) rest: Vec<IpNet>,
}

/// Where Azure's health probes and other services of the host come from: the tags `AzureLoadBalancer`
/// and `VirtualNetwork` both hold it (learn.microsoft.com, service-tags-overview).
const HOST: &str = "168.63.129.16/32";

/// Addresses that can be part of a virtual network or of what is connected to it, and that the Internet
/// never reaches.
const PRIVATE: [&str; 5] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];

/// What is no address of a host on the Internet, besides [`PRIVATE`] and [`HOST`].
const NOBODY: [&str; 4] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"];

fn nets<'a>(texts: impl IntoIterator<Item = &'a &'a str>) -> Vec<IpNet> {
    texts.into_iter().filter_map(|text| text.parse().ok()).collect()
}

/// Every address from which somebody on the Internet may come.
pub(super) fn everybody(ipv4: bool) -> Vec<IpNet> {
    if !ipv4 {
        return nets(&["2000::/3"]);
    }
    let besides = nets(PRIVATE.iter().chain(&NOBODY).chain([&HOST]));
    nets(&["0.0.0.0/0"]).into_iter().flat_map(|all| without(all, &besides).1).collect()
}

/// Splits what is still undecided along a rule's sources.
pub(super) fn cover(sources: &[Scope], open: &[IpNet]) -> Covered {
    let mut covered = Covered { sure: vec![], maybe: false, rest: open.to_vec() };
    let (host, private) = (nets(&[HOST]), nets(&PRIVATE));
    for scope in sources {
        let mut rest = vec![];
        for part in std::mem::take(&mut covered.rest) {
            let (mut sure, mut perhaps, mut not) = (vec![], vec![], vec![]);
            match scope {
                Scope::Any => sure.push(part),
                Scope::Net(net) if of_net(*net, part) == Match::Maybe => perhaps.push(part),
                Scope::Net(net) => (sure, not) = without(part, &[*net]),
                Scope::AzureLoadBalancer => (sure, not) = without(part, &host),
                Scope::Internet => {
                    let (inside, outside) = without(part, &private);
                    perhaps = inside;
                    for part in outside {
                        let (host, public) = without(part, &host);
                        sure.extend(public);
                        not.extend(host);
                    }
                }
                Scope::VirtualNetwork => {
                    let (of_host, others) = without(part, &host);
                    sure = of_host;
                    for part in others {
                        let (inside, outside) = without(part, &private);
                        perhaps.extend(inside);
                        not.extend(outside);
                    }
                }
                // Its members are network interfaces, known by their private addresses.
                Scope::Group(_) => (perhaps, not) = without(part, &private),
                Scope::Unknown(_) => perhaps.push(part),
            }
            covered.maybe |= !perhaps.is_empty();
            covered.sure.extend(sure);
            rest.extend(perhaps.into_iter().chain(not));
        }
        covered.rest = rest;
    }
    covered
}

/// The pieces of `part` inside any of `nets`, and those outside all of them.
fn without(part: IpNet, nets: &[IpNet]) -> (Vec<IpNet>, Vec<IpNet>) {
    let (mut inside, mut outside) = (vec![], vec![part]);
    for net in nets {
        for part in std::mem::take(&mut outside) {
            let (within, without) = split(part, *net);
            inside.extend(within);
            outside.extend(without);
        }
    }
    (inside, outside)
}

/// The piece of `part` inside `net`, and the pieces outside.
fn split(part: IpNet, net: IpNet) -> (Option<IpNet>, Vec<IpNet>) {
    if net.contains(&part) {
        return (Some(part), vec![]);
    }
    if !part.contains(&net) {
        return (None, vec![part]);
    }
    let mut outside = vec![];
    let mut around = part;
    while around != net {
        let Ok(halves) = around.subnets(around.prefix_len() + 1) else { break };
        for half in halves {
            if half.contains(&net) {
                around = half;
            } else {
                outside.push(half);
            }
        }
    }
    (Some(net), outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_is_neither_lost_nor_doubled() {
        let part: IpNet = "203.0.113.0/24".parse().unwrap();
        let net: IpNet = "203.0.113.64/26".parse().unwrap();
        let (inside, outside) = split(part, net);
        assert_eq!(inside, Some(net));
        let mut all: Vec<IpNet> = outside;
        all.push(net);
        assert_eq!(IpNet::aggregate(&all), vec![part]);
    }

    #[test]
    fn everybody_is_the_internet_and_nobody_else() {
        let all = everybody(true);
        let holds =
            |text: &str| all.iter().any(|net| net.contains(&text.parse::<std::net::IpAddr>().unwrap()));
        for public in ["1.1.1.1", "203.0.113.7", "168.63.129.15", "9.255.255.255", "11.0.0.0"] {
            assert!(holds(public), "{public}");
        }
        for other in ["10.0.0.4", "168.63.129.16", "127.0.0.1", "192.168.1.1", "224.0.0.1", "100.64.0.1"] {
            assert!(!holds(other), "{other}");
        }
        let Covered { rest, maybe, .. } = cover(&[Scope::Internet], &all);
        assert!(rest.is_empty() && !maybe, "the tag Internet means them all");
    }
}
