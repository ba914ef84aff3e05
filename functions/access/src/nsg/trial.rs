//! The rule of a smoke test.

use super::{Flow, OurRule};
use crate::drive::Access;
use crate::lease::Timestamp;
use crate::request::{ResourceId, RuleName};

impl OurRule {
    /// A rule that an operator tries Azure with, in the name of no request. It says when it ends, as
    /// every rule of ours does.
    pub fn trial(nsg: ResourceId, name: RuleName, priority: u16, flow: Flow, ends_at: Timestamp) -> Self {
        let description = format!("Ajar smoke test, until {ends_at}, approved by nobody");
        Self { nsg, name, priority, access: Access::Allow, flow, description, ends_at }
    }
}
