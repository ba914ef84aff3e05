//! The rules that every group ends with.

use super::{Access, Direction, Properties};

/// An inbound rule about everything, with the lowest priority number that there is.
pub(in crate::azure) fn any(access: Access) -> Properties {
    let star = || Some("*".to_owned());
    Properties {
        description: None,
        protocol: "*".to_owned(),
        source_port_range: star(),
        destination_port_range: star(),
        source_address_prefix: star(),
        destination_address_prefix: star(),
        access,
        priority: 100,
        direction: Direction::Inbound,
        source_port_ranges: Vec::new(),
        destination_port_ranges: Vec::new(),
        source_address_prefixes: Vec::new(),
        destination_address_prefixes: Vec::new(),
        source_application_security_groups: Vec::new(),
        destination_application_security_groups: Vec::new(),
    }
}

/// The six rules that every group ends with: name, description, source, destination, access, priority,
/// direction.
pub(in crate::azure) fn defaults() -> Vec<(&'static str, Properties)> {
    use Access::{Allow, Deny};
    use Direction::{Inbound, Outbound};
    let rule = |description: &str, source: &str, destination: &str, access, priority, direction| Properties {
        description: Some(description.to_owned()),
        source_address_prefix: Some(source.to_owned()),
        destination_address_prefix: Some(destination.to_owned()),
        priority,
        direction,
        ..any(access)
    };
    let vnet = "VirtualNetwork";
    vec![
        (
            "AllowVnetInBound",
            rule("Allow inbound traffic from all VMs in VNET", vnet, vnet, Allow, 65_000, Inbound),
        ),
        (
            "AllowAzureLoadBalancerInBound",
            rule(
                "Allow inbound traffic from azure load balancer",
                "AzureLoadBalancer",
                "*",
                Allow,
                65_001,
                Inbound,
            ),
        ),
        ("DenyAllInBound", rule("Deny all inbound traffic", "*", "*", Deny, 65_500, Inbound)),
        (
            "AllowVnetOutBound",
            rule(
                "Allow outbound traffic from all VMs to all VMs in VNET",
                vnet,
                vnet,
                Allow,
                65_000,
                Outbound,
            ),
        ),
        (
            "AllowInternetOutBound",
            rule("Allow outbound traffic from all VMs to Internet", "*", "Internet", Allow, 65_001, Outbound),
        ),
        ("DenyAllOutBound", rule("Deny all outbound traffic", "*", "*", Deny, 65_500, Outbound)),
    ]
}
