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

impl Stepped {
    /// 2026-03-12 09:00:07 UTC: not at a whole minute, as nothing does.
    pub const BEGINS: Timestamp = Timestamp::from_unix(1_773_306_007);
}

impl Default for Stepped {
    /// As deployed, without anything that is ordered.
    fn default() -> Self {
        Self { at: Self::BEGINS, fronts: Fronts::default(), limits_percent: BTreeMap::new() }
    }
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
