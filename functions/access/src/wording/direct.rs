//! The direct messages to a requester: that it is open and how to get in, and how it ended.

use super::card::state_of;
use super::*;
use crate::lifecycle::{Record, State};
use crate::machine::System;
use crate::request::{Installation, Protocol};
use std::net::IpAddr;

/// The direct message that the requester should have had by now, if any: when it is open, and how it
/// ended. `seen`: the machine as it was seen last, which says with which account it was made.
pub fn direct(
    record: &Record,
    seen: Option<&SeenMachine>,
    installation: &Installation,
    now: Timestamp,
) -> Option<(Told, Message)> {
    let granted = record.granted();
    let (title, sentence) = state_of(record, None, installation, now);
    let wish = record.wish();
    match record.state() {
        State::Open(_) if granted.is_some_and(|granted| now < granted.expires_at()) => {
            let text = format!("{title}. {sentence} {} Ref {}", way_in(wish, seen), wish.id);
            Some((Told::Open, Message::sentence(text)))
        }
        // Of a draft nobody has heard but its requester, who has let it lapse.
        State::Closed(_) if record.ask().is_some() => {
            Some((Told::End, Message::sentence(format!("{title}. {sentence} Ref {}", wish.id))))
        }
        _ => None,
    }
}

/// How somebody gets in by what was opened.
fn way_in(wish: &Wish, seen: Option<&SeenMachine>) -> String {
    let address = wish.machine.public_address.unwrap_or(wish.machine.private_address);
    let is_windows = seen.is_some_and(|seen| seen.system == Some(System::Windows));
    let account = seen.and_then(|seen| seen.administrator.as_deref());
    let mut ways = vec![];
    for port in wish.ports.as_slice().iter().filter(|_| wish.protocol == Protocol::Tcp) {
        match port {
            22 if !is_windows => {
                ways.push(format!(
                    "with `ssh {}{address}`",
                    account.map(|name| format!("{}@", word(name))).unwrap_or_default()
                ));
            }
            3389 => ways.push(format!("by Remote Desktop to `{}`", bracketed(address))),
            _ => {}
        }
    }
    if ways.is_empty() {
        format!("Connect to `{address}`.")
    } else {
        format!("Connect {}.", listed(&ways, "or"))
    }
}

/// An IPv6 address as programs take it where a port may follow.
fn bracketed(address: IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::seen;
    use super::*;
    use crate::request::{Machine, Ports, RequestHash, ResourceId};
    use serde_json::json;

    fn wish(ports: &[u16], protocol: Protocol, address: &str) -> Wish {
        let place = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/VM3";
        let resource_id: ResourceId = place.parse().unwrap();
        let hash = RequestHash::of("1.2", &resource_id);
        Wish {
            id: hash.candidate(0),
            hash,
            requester: "U0ANA".parse().unwrap(),
            machine: Machine {
                name: "VM3".parse().unwrap(),
                resource_id,
                private_address: "10.0.0.6".parse().unwrap(),
                public_address: Some(address.parse().unwrap()),
            },
            protocol,
            ports: Ports::new(ports.to_vec()).unwrap(),
            ttl: crate::lease::Ttl::from_minutes(30).unwrap(),
            means: Means::Approval,
            justification: None,
            moves: None,
            asked_at: Timestamp::from_unix(0),
            lapses_at: Timestamp::from_unix(3600),
        }
    }

    #[test]
    fn how_to_get_in_is_told_as_it_can_be_typed() {
        let machine = |set| seen("s/resourceGroups/g", "VM3", &set);
        let linux = machine(json!({"system": "linux", "administrator": "labuser"}));
        let windows = machine(json!({"system": "windows", "administrator": "labuser"}));
        let tcp = |ports: &[u16], address: &str| wish(ports, Protocol::Tcp, address);
        for (wish, seen, said) in [
            (tcp(&[22], "20.1.2.3"), Some(&linux), "Connect with `ssh labuser@20.1.2.3`."),
            (tcp(&[22], "2001:db8::7"), Some(&linux), "Connect with `ssh labuser@2001:db8::7`."),
            (tcp(&[22], "20.1.2.3"), None, "Connect with `ssh 20.1.2.3`."),
            (tcp(&[22, 3389], "20.1.2.3"), Some(&windows), "Connect by Remote Desktop to `20.1.2.3`."),
            (tcp(&[3389], "2001:db8::7"), Some(&windows), "Connect by Remote Desktop to `[2001:db8::7]`."),
            (
                tcp(&[22, 3389], "20.1.2.3"),
                Some(&linux),
                "Connect with `ssh labuser@20.1.2.3` or by Remote Desktop to `20.1.2.3`.",
            ),
            (tcp(&[5986], "20.1.2.3"), Some(&windows), "Connect to `20.1.2.3`."),
            (wish(&[22], Protocol::Udp, "20.1.2.3"), Some(&linux), "Connect to `20.1.2.3`."),
        ] {
            assert_eq!(way_in(&wish, seen), said);
        }
    }
}
