//! How a person names a machine.

use super::{MachineName, Malformed, ResourceId, clip};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A machine as a person names it: `VM3`, with its resource group in front where the name alone is not
/// enough (`Contoso-IaaS/VM3`), and with the subscription's id in front of that. Compared without case.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineQuery {
    subscription: Option<String>,
    group: Option<String>,
    name: MachineName,
}

impl MachineQuery {
    /// The machine's own name.
    pub const fn name(&self) -> &MachineName {
        &self.name
    }

    /// The resource group, where one is said.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The subscription's id, where one is said.
    pub fn subscription(&self) -> Option<&str> {
        self.subscription.as_deref()
    }

    /// The one that means this machine, with its resource group and perhaps its subscription; `None`
    /// where the id is not a machine's.
    pub fn of(machine: &ResourceId, with_subscription: bool) -> Option<Self> {
        Some(Self {
            subscription: with_subscription.then(|| machine.subscription().to_owned()),
            group: Some(machine.resource_group()?.to_owned()),
            name: machine.name().parse().ok()?,
        })
    }

    /// Whether this machine is meant: in Azure a machine's name ends its id.
    pub fn means(&self, machine: &ResourceId) -> bool {
        let same = |wanted: &Option<String>, is: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(is))
        };
        same(&self.subscription, machine.subscription())
            && same(&self.group, machine.resource_group().unwrap_or_default())
            && self.name.as_str().eq_ignore_ascii_case(machine.name())
    }
}

impl FromStr for MachineQuery {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        // Azure's rule for resource groups, as far as ids can hold them: no full stop at the end.
        let shaped = |part: &&str| {
            (1..=90).contains(&part.len())
                && !part.ends_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._()".contains(&b))
        };
        let (places, name) = text.rsplit_once('/').map_or(("", text), |(places, name)| (places, name));
        let mut places: Vec<&str> = if places.is_empty() { vec![] } else { places.split('/').collect() };
        if places.len() > 2 || !places.iter().all(shaped) || text.starts_with('/') {
            return Err(Malformed::MachineName(clip(text)));
        }
        let group = places.pop().map(str::to_owned);
        let subscription = places.pop().map(str::to_owned);
        Ok(Self { subscription, group, name: name.parse().map_err(|_| Malformed::MachineName(clip(text)))? })
    }
}

impl fmt::Display for MachineQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in [&self.subscription, &self.group].into_iter().flatten() {
            write!(f, "{place}/")?;
        }
        write!(f, "{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stand_in_front_of_the_name() {
        for text in ["VM3", "Contoso-IaaS/VM3", "8f3a6f52-90c4/rg_(1)/VM3"] {
            assert_eq!(text.parse::<MachineQuery>().unwrap().to_string(), text);
        }
        for bad in ["", "/VM3", "a//VM3", "a/b/c/VM3", "a./VM3", "a/", "a b/VM3", "<a>/VM3"] {
            assert_eq!(bad.parse::<MachineQuery>(), Err(Malformed::MachineName(clip(bad))), "{bad}");
        }
    }
}
