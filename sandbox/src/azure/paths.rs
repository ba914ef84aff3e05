//! What an ARM path names. Azure compares paths without case.

use super::world::{Kind, LOCATION};

/// A resource, or a list of some.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Target {
    ResourceGroup,
    List(Kind),
    One(Kind, String),
    /// The run-time state of a machine.
    InstanceView(String),
    /// The subnets of a virtual network.
    Subnets(String),
    /// A subnet of a virtual network.
    Subnet(String, String),
    Rules(String),
    Rule(String, String),
    DefaultRules(String),
    Lock {
        scope: String,
        name: String,
    },
    Operation(String),
    OperationResult(String),
}

/// A path of ARM, taken apart.
pub(super) struct Path {
    /// As the caller wrote it, without a slash at the end.
    pub(super) text: String,
    pub(super) subscription: String,
    pub(super) group: Option<String>,
    pub(super) target: Target,
}

/// Takes a path apart; `None` when it names nothing that Azure knows here.
pub(super) fn parse(path: &str) -> Option<Path> {
    let text = format!("/{}", path.trim_matches('/'));
    let text = if text.contains('%') {
        form_urlencoded::parse(text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D").as_bytes())
            .map(|(key, _)| key.into_owned())
            .collect()
    } else {
        text
    };
    let parts: Vec<&str> = text.split('/').skip(1).collect();
    let lower: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let ["subscriptions", _, rest @ ..] = lower.as_slice() else { return None };
    let subscription = parts[1].to_owned();
    if let [scope @ .., "providers", "microsoft.authorization", "locks", _] = lower.as_slice() {
        let scope = format!("/{}", parts[..scope.len()].join("/"));
        let name = (*parts.last()?).to_owned();
        let group = (rest.first() == Some(&"resourcegroups")).then(|| parts[3].to_owned());
        return Some(Path { text, subscription, group, target: Target::Lock { scope, name } });
    }
    let (group, rest, names) = match rest {
        ["resourcegroups", _, rest @ ..] => (Some(parts[3].to_owned()), rest, &parts[4..]),
        rest => (None, rest, &parts[2..]),
    };
    let name = |at: usize| names[at].to_owned();
    let target = match (group.is_some(), rest) {
        (true, []) => Target::ResourceGroup,
        (false, ["providers", "microsoft.network", "locations", place, kind, _]) if *place == LOCATION => {
            match *kind {
                "operations" => Target::Operation(name(5)),
                "operationresults" => Target::OperationResult(name(5)),
                _ => return None,
            }
        }
        (_, ["providers", space, kind]) => Target::List(kind_of(space, kind)?),
        (true, ["providers", space, kind, _]) => Target::One(kind_of(space, kind)?, name(3)),
        (true, ["providers", "microsoft.compute", "virtualmachines", _, "instanceview"]) => {
            Target::InstanceView(name(3))
        }
        (true, ["providers", "microsoft.network", "virtualnetworks", _, "subnets", rest @ ..]) => {
            match rest {
                [] => Target::Subnets(name(3)),
                [_] => Target::Subnet(name(3), name(5)),
                _ => return None,
            }
        }
        (
            true,
            ["providers", "microsoft.network", "networksecuritygroups", _, "securityrules", rest @ ..],
        ) => match rest {
            [] => Target::Rules(name(3)),
            [_] => Target::Rule(name(3), name(5)),
            _ => return None,
        },
        (true, ["providers", "microsoft.network", "networksecuritygroups", _, "defaultsecurityrules"]) => {
            Target::DefaultRules(name(3))
        }
        _ => return None,
    };
    Some(Path { text, subscription, group, target })
}

fn kind_of(space: &str, kind: &str) -> Option<Kind> {
    [Kind::Vm, Kind::Nic, Kind::Vnet, Kind::PublicIp, Kind::Nsg]
        .into_iter()
        .find(|known| known.name().eq_ignore_ascii_case(&format!("{space}/{kind}")))
}

impl Target {
    /// The network security group that it is, or is part of.
    pub(super) fn nsg(&self) -> Option<&str> {
        match self {
            Self::One(Kind::Nsg, name)
            | Self::Rules(name)
            | Self::Rule(name, _)
            | Self::DefaultRules(name) => Some(name),
            _ => None,
        }
    }

    /// The role action that `method` needs here; `None`: this method is not for this resource.
    pub(super) fn action(&self, method: &str) -> Option<String> {
        const NSG: &str = "Microsoft.Network/networkSecurityGroups";
        let (kind, methods): (String, &[&str]) = match self {
            Self::ResourceGroup => ("Microsoft.Resources/subscriptions/resourceGroups".to_owned(), &["GET"]),
            Self::List(kind) => (kind.name().to_owned(), &["GET"]),
            Self::One(kind @ Kind::Nsg, _) => (kind.name().to_owned(), &["GET", "PUT", "PATCH", "DELETE"]),
            Self::One(kind @ Kind::Vm, _) => (kind.name().to_owned(), &["GET", "PUT", "PATCH", "DELETE"]),
            Self::One(kind @ Kind::Vnet, _) => (kind.name().to_owned(), &["GET"]),
            Self::One(kind, _) => (kind.name().to_owned(), &["GET", "PUT", "DELETE"]),
            Self::InstanceView(_) => (format!("{}/instanceView", Kind::Vm.name()), &["GET"]),
            Self::Subnets(_) => ("Microsoft.Network/virtualNetworks/subnets".to_owned(), &["GET"]),
            Self::Subnet(..) => {
                ("Microsoft.Network/virtualNetworks/subnets".to_owned(), &["GET", "PUT", "DELETE"])
            }
            Self::Rules(_) => (format!("{NSG}/securityRules"), &["GET"]),
            Self::Rule(..) => (format!("{NSG}/securityRules"), &["GET", "PUT", "DELETE"]),
            Self::DefaultRules(_) => (format!("{NSG}/defaultSecurityRules"), &["GET"]),
            Self::Lock { .. } => ("Microsoft.Authorization/locks".to_owned(), &["GET", "PUT", "DELETE"]),
            Self::Operation(_) => ("Microsoft.Network/locations/operations".to_owned(), &["GET"]),
            Self::OperationResult(_) => ("Microsoft.Network/locations/operationResults".to_owned(), &["GET"]),
        };
        let verb = match method {
            "GET" => "read",
            "PUT" | "PATCH" => "write",
            _ => "delete",
        };
        methods.contains(&method).then(|| format!("{kind}/{verb}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_without_case_and_names_keep_theirs() {
        let path = parse("/SUBSCRIPTIONS/s/resourcegroups/rg/PROVIDERS/microsoft.network/NetworkSecurityGroups/Nsg/SECURITYRULES/Rule-1/").unwrap();
        assert_eq!(path.target, Target::Rule("Nsg".to_owned(), "Rule-1".to_owned()));
        assert_eq!(path.group.as_deref(), Some("rg"));
        let lock =
            parse("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Authorization/locks/L").unwrap();
        let scope = "/subscriptions/s/resourceGroups/rg".to_owned();
        assert_eq!(lock.target, Target::Lock { scope, name: "L".to_owned() });
        assert!(
            parse("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/loadBalancers/x").is_none()
        );
        assert!(parse("/").is_none());
    }

    #[test]
    fn actions_are_the_ones_of_azures_roles() {
        let rule = Target::Rule("n".to_owned(), "r".to_owned());
        assert_eq!(
            rule.action("DELETE").unwrap(),
            "Microsoft.Network/networkSecurityGroups/securityRules/delete"
        );
        assert_eq!(rule.action("PATCH"), None);
        assert_eq!(Target::List(Kind::Vm).action("GET").unwrap(), "Microsoft.Compute/virtualMachines/read");
    }
}
