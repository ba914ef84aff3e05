//! What can be done with a machine: whether ports are enabled on it, could be, or cannot.

use super::{Power, SeenMachine};
use crate::enabled::Enabled;

/// Which of three sorts a machine is of, as it was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing<'m> {
    /// An admin has enabled ports on it.
    Configured(&'m Enabled),
    /// Ports can be enabled on it.
    Recommended,
    /// Enabling ports on it would be of no use.
    Unsupported(Unsupported),
}

/// Why enabling ports on a machine would be of no use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsupported {
    /// No network security group is on its way, so nothing can shut it.
    Bare,
    /// It has no network address.
    NoAddress,
    /// It holds no place in Azure now.
    Deallocated,
}

impl SeenMachine {
    /// Which sort it is of.
    pub fn standing(&self) -> Standing<'_> {
        match &self.enabled {
            Some(enabled) => Standing::Configured(enabled),
            None if self.is_bare() => Standing::Unsupported(Unsupported::Bare),
            None if self.addresses().is_empty() => Standing::Unsupported(Unsupported::NoAddress),
            None if self.power == Power::Deallocated => Standing::Unsupported(Unsupported::Deallocated),
            None => Standing::Recommended,
        }
    }
}
