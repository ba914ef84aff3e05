//! What the policy says of a request whose source is not known yet, and of the source once it is.

use super::{Asked, Groups, NotAllowed, Policy, Rule, Subject};
use crate::enabled::Enabled;
use crate::machine::Tags;
use crate::request::{Source, Wish};

impl Policy {
    /// Whether the policy lets this request be made from somewhere, for a machine that has these tags.
    ///
    /// # Errors
    /// The first thing that it does not let.
    pub fn admits_draft(&self, wish: &Wish, tags: &Tags, groups: &Groups) -> Result<&Rule, NotAllowed> {
        let rule = self.rule_for(&Subject::of(&wish.machine, Some(tags)))?;
        rule.objections(&Asked::of(wish, None), groups).into_iter().next().map_or(Ok(rule), Err)
    }
}

impl Rule {
    /// Whether a request is within what an admin has enabled on the machine, for somewhere.
    ///
    /// # Errors
    /// The first thing that was not enabled.
    pub fn admits_enabled_draft(&self, wish: &Wish, enabled: Option<&Enabled>) -> Result<(), NotAllowed> {
        self.within_enabled(wish, None, enabled)
    }

    pub(super) fn within_enabled(
        &self,
        wish: &Wish,
        source: Option<&Source>,
        enabled: Option<&Enabled>,
    ) -> Result<(), NotAllowed> {
        match enabled {
            Some(enabled) => enabled.admits(wish, source, &self.name),
            None if self.only_enabled => Err(NotAllowed::NotEnabled { rule: self.name.clone() }),
            None => Ok(()),
        }
    }

    /// Whether it lets anybody in from there.
    ///
    /// # Errors
    /// From elsewhere only.
    pub fn lets_in(&self, source: &Source) -> Result<(), NotAllowed> {
        if self.sources.is_empty() || self.sources.iter().any(|allowed| source.is_within(allowed)) {
            return Ok(());
        }
        let (rule, allowed) = (self.name.clone(), self.sources.clone());
        Err(NotAllowed::Source { rule, source_prefix: *source, allowed })
    }
}
