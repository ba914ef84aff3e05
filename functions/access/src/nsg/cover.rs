//! Which part of a flow's source a rule's sources mean.

use super::Scope;
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

/// Splits what is still undecided along a rule's sources.
pub(super) fn cover(sources: &[Scope], open: &[IpNet]) -> Covered {
    let mut covered = Covered { sure: vec![], maybe: false, rest: open.to_vec() };
    for scope in sources {
        let mut rest = vec![];
        for part in std::mem::take(&mut covered.rest) {
            match scope {
                Scope::Any => covered.sure.push(part),
                Scope::Net(net) => {
                    let (inside, outside) = split(part, *net);
                    covered.sure.extend(inside);
                    rest.extend(outside);
                }
                Scope::Internet => match place_of(&part) {
                    Place::Public => covered.sure.push(part),
                    Place::Private | Place::Mixed => {
                        covered.maybe = true;
                        rest.push(part);
                    }
                },
                Scope::VirtualNetwork => {
                    covered.maybe |= !matches!(place_of(&part), Place::Public);
                    rest.push(part);
                }
                Scope::AzureLoadBalancer => rest.push(part),
                Scope::Unknown(_) => {
                    covered.maybe = true;
                    rest.push(part);
                }
            }
        }
        covered.rest = rest;
    }
    covered
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

enum Place {
    Public,
    Private,
    Mixed,
}

/// Whether addresses can be part of a virtual network or what is connected to it.
fn place_of(part: &IpNet) -> Place {
    const PRIVATE: [&str; 5] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
    let mut nets = PRIVATE.iter().filter_map(|text| text.parse::<IpNet>().ok());
    if nets.clone().any(|net| net.contains(part)) {
        Place::Private
    } else if nets.any(|net| part.contains(&net)) {
        Place::Mixed
    } else {
        Place::Public
    }
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
}
