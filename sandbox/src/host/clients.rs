//! Where those come from who connect from this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which address on the Internet a loopback address stands for.
pub const CLIENTS: [(Ipv4Addr, Ipv4Addr); 2] = [
    (Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(203, 0, 113, 7)),
    (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(198, 51, 100, 9)),
];
/// A visitor of the public door who comes by IPv6: the loopback address, and what it stands for there.
const BY_IPV6: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(127, 0, 0, 3), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));

/// The address that a connection from loopback to the public door counts as; others stay what they are.
pub fn source_of(address: IpAddr) -> IpAddr {
    if address == IpAddr::V4(BY_IPV6.0) {
        return IpAddr::V6(BY_IPV6.1);
    }
    let known = CLIENTS.iter().find(|(loopback, _)| IpAddr::V4(*loopback) == address);
    known.map_or(address, |(_, internet)| IpAddr::V4(*internet))
}
