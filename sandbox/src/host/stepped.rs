//! A sandbox that goes step by step.

use super::{Addresses, Ground, StartError};
use crate::fronts::Fronts;
use access::lease::Timestamp;
use std::collections::BTreeMap;

/// A sandbox in which all that happens happens in the same order each time: its clock stands until it is
/// moved, the functions run one after the other, and each calls through addresses of its own.
#[derive(Clone)]
pub struct Stepped {
    /// When it begins.
    pub at: Timestamp,
    /// The addresses.
    pub fronts: Fronts,
    /// The time limits of these functions' calls, in percent of the deployed ones.
    pub limits_percent: BTreeMap<String, u32>,
}

impl Ground {
    /// Where a function finds each part.
    ///
    /// # Errors
    /// No loopback port is free for an address of its own.
    pub fn addresses_for(&self, function: &str) -> Result<Addresses, StartError> {
        match &self.stepped {
            Some(stepped) => Ok(stepped.fronts.addresses(function, self.addresses)?),
            None => Ok(self.addresses),
        }
    }
}
