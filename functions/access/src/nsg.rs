//! Security rules as Azure evaluates them: by priority, the first that matches decides. Used to
//! place our rule, and to say afterwards what the rules do with the flow, and which one decides.
//!
//! A source may be a prefix. It is then split along the rules, so that "allowed" means all of it and
//! "denied" means none of it. Where membership cannot be known from the rules (other service tags,
//! application security groups, source ports), the answer is unclear, never guessed.

mod cover;
mod description;
mod evaluate;
mod permanent;
mod rule;
#[cfg(test)]
mod tests;
mod trial;

use crate::drive::{Access, Standing};
use crate::lease::Timestamp;
use crate::lifecycle::{Granted, PlannedRule};
use crate::request::{Ask, Installation, Ports, Protocol, ResourceId, RuleName, Source};
use cover::{Covered, cover};
use rule::Match;
use std::net::IpAddr;

pub use description::{Basis, Described, described, described_end, of_break_glass};
pub use evaluate::{evaluate, open_to_everyone, together};
pub use permanent::{CLOSING_BAND, Door, LEFT_FOR_GRANTS, LeftOpen, left_open, place_closing};
pub use rule::{PortSpan, Provisioning, Rule, RuleProtocol, Scope};

/// The priorities of rules that open: the highest free number that is early enough.
pub const GRANT_BAND: std::ops::RangeInclusive<u16> = 100..=499;

/// The last priority that we ever write: closing rules end here.
pub const LAST_PRIORITY: u16 = 999;

/// What a person wants to get through: from where, to which address and ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    /// From where.
    pub source: Source,
    /// The private address of the machine.
    pub destination: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The ports.
    pub ports: Ports,
    /// The application security groups that the private address is in; `None` where that is not known.
    pub member_of: Option<Vec<ResourceId>>,
}

impl Flow {
    /// The flow that was asked for.
    pub fn of(ask: &Ask) -> Self {
        let wish = &ask.wish;
        Self {
            source: ask.source,
            destination: wish.machine.private_address,
            protocol: wish.protocol,
            ports: wish.ports.clone(),
            member_of: None,
        }
    }
}

/// The name of the rule that Azure ends every group with.
const DENY_ALL: &str = "DenyAllInBound";

/// No priority of ours is free before the rule that denies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoRoom {
    /// That rule.
    pub before: String,
}

/// A priority for our rule: the highest free number of [`GRANT_BAND`] that comes before every rule
/// that would deny some of the flow. `own` is the name of our rule, whose own number counts as free.
///
/// # Errors
/// None is free; the rule in the way.
pub fn place(rules: &[Rule], flow: &Flow, own: &RuleName) -> Result<u16, NoRoom> {
    let own = own.to_string();
    let others: Vec<&Rule> = rules.iter().filter(|rule| !rule.name.eq_ignore_ascii_case(&own)).collect();
    let denies = |rule: &&&Rule| {
        let open = [flow.source.prefix()];
        let Covered { sure, maybe, .. } = cover(&rule.sources, &open);
        rule.access == Access::Deny
            && (maybe || !sure.is_empty())
            && flow.ports.as_slice().iter().any(|port| rule.reaches(flow, *port) != Match::No)
    };
    let first = others.iter().filter(denies).min_by_key(|rule| rule.priority);
    let limit = first.map_or(u16::MAX, |rule| rule.priority);
    GRANT_BAND
        .rev()
        .find(|number| *number < limit && others.iter().all(|rule| rule.priority != *number))
        .ok_or_else(|| NoRoom { before: first.map_or_else(|| DENY_ALL.to_owned(), |rule| rule.name.clone()) })
}

/// Where our rule goes when it is turned into Deny: behind every rule of ours that allows, so that
/// it takes nothing from another grant, and out of [`GRANT_BAND`], so that it takes no number from one
/// either. The last free number, so that it comes before as few rules of others as it can. `None`
/// where there is no free number: it stays where it is.
pub fn place_deny(rules: &[Rule], own: &RuleName, installation: &Installation) -> Option<u16> {
    let own = own.to_string();
    let allows = rules.iter().filter(|rule| {
        rule.access == Access::Allow
            && rule.name != own
            && RuleName::request_of(&rule.name, installation).is_some()
    });
    let behind = allows.map(|rule| rule.priority).chain([*GRANT_BAND.end()]).max()?;
    (behind.saturating_add(1)..=LAST_PRIORITY)
        .rev()
        .find(|number| rules.iter().all(|rule| rule.priority != *number || rule.name == own))
}

/// Our rule as it shall stand in one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OurRule {
    /// The group.
    pub nsg: ResourceId,
    /// The name.
    pub name: RuleName,
    /// The priority.
    pub priority: u16,
    /// Allow, or Deny where a lock forbids to remove it.
    pub access: Access,
    /// The flow.
    pub flow: Flow,
    /// What an auditor reads on it; Azure takes at most 140 characters.
    pub description: String,
    /// When the grant ends, by its record.
    pub ends_at: Timestamp,
}

impl OurRule {
    /// The rule that was planned for one group.
    pub fn planned(granted: &Granted, planned: &PlannedRule, installation: &Installation) -> Self {
        let ask = granted.ask();
        Self {
            nsg: planned.nsg.clone(),
            name: RuleName::new(installation, ask.wish.id),
            priority: planned.priority,
            access: Access::Allow,
            flow: Flow::of(ask),
            description: description::of_grant(granted),
            ends_at: granted.expires_at(),
        }
    }

    /// How the rule stands among those that were read.
    pub fn standing(&self, rules: &[Rule]) -> Standing {
        let name = self.name.to_string();
        let Some(rule) = rules.iter().find(|rule| rule.name.eq_ignore_ascii_case(&name)) else {
            return Standing::Absent;
        };
        match rule.provisioning {
            Provisioning::Changing => return Standing::Changing,
            Provisioning::Failed => return Standing::Altered,
            Provisioning::Succeeded => {}
        }
        let ports: Vec<PortSpan> =
            self.flow.ports.as_slice().iter().map(|port| PortSpan::one(*port)).collect();
        let same_flow = rule.sources == [Scope::Net(self.flow.source.prefix())]
            && rule.destinations == [Scope::Net(self.flow.destination.into())]
            && rule.source_ports == [PortSpan::ANY]
            && rule.destination_ports.len() == ports.len()
            && ports.iter().all(|span| rule.destination_ports.contains(span))
            && rule.protocol != RuleProtocol::Any
            && rule.protocol.covers(self.flow.protocol) == Match::Yes;
        match rule.access {
            Access::Deny => Standing::Deny,
            // `grant` wrote the end on the rule after it had judged the signed clicks. A record that says
            // another one was changed since: whoever can write the table cannot prolong a grant.
            Access::Allow
                if same_flow
                    && rule.priority == self.priority
                    && described_end(&rule.description) == Some(self.ends_at) =>
            {
                Standing::Allow
            }
            Access::Allow => Standing::Altered,
        }
    }
}
