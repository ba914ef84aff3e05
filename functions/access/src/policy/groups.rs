//! Who is in which user group.

use super::Who;
use crate::request::UserId;
use std::collections::{BTreeMap, BTreeSet};

/// Who is in which user group, as Slack said.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Groups(pub(super) BTreeMap<String, BTreeSet<UserId>>);

impl Groups {
    /// Adds what Slack said of one group.
    pub fn insert(&mut self, group: String, members: BTreeSet<UserId>) {
        self.0.insert(group, members);
    }

    /// The members of a group; none where nothing was said of it.
    pub fn members(&self, group: &str) -> BTreeSet<UserId> {
        self.0.get(group).cloned().unwrap_or_default()
    }

    /// Whether something was said of a group.
    pub(super) fn knows(&self, group: &str) -> bool {
        self.0.contains_key(group)
    }

    /// Whether something was said of each of these.
    pub fn know_all(&self, groups: &BTreeSet<&str>) -> bool {
        groups.iter().all(|group| self.knows(group))
    }

    pub(super) fn includes(&self, who: &Who, user: &UserId) -> bool {
        match who {
            Who::User(named) => named == user,
            Who::Group(group) => self.0.get(group).is_some_and(|members| members.contains(user)),
            Who::Everybody => true,
        }
    }
}
