//! Which machines a rule is about: by their names, by where they are, and by their tags.

use super::{Policy, Rule};
use crate::machine::{SeenMachine, Tags};
use crate::request::{Machine, MachineName, MachineQuery, ResourceId};

/// A machine as the policy sees it. Whoever makes one says where its tags are from: a request itself has none.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'m> {
    pub(super) name: &'m MachineName,
    group: Option<&'m str>,
    subscription: Option<&'m str>,
    /// `None` where they are not known.
    tags: Option<&'m Tags>,
}

impl<'m> Subject<'m> {
    /// As the machine list has it.
    pub fn seen(machine: &'m SeenMachine) -> Self {
        Self::at(&machine.name, &machine.resource_id, Some(&machine.tags))
    }

    /// As a request names it, with tags from elsewhere; `None` where nobody knows them.
    pub fn of(machine: &'m Machine, tags: Option<&'m Tags>) -> Self {
        Self::at(&machine.name, &machine.resource_id, tags)
    }

    fn at(name: &'m MachineName, id: &'m ResourceId, tags: Option<&'m Tags>) -> Self {
        let group = Some(id.resource_group().unwrap_or_default());
        Self { name, group, subscription: Some(id.subscription()), tags }
    }

    /// As a person named it: what is not said is not known.
    pub fn named(query: &'m MachineQuery, tags: Option<&'m Tags>) -> Self {
        Self { name: query.name(), group: query.group(), subscription: query.subscription(), tags }
    }
}

/// Whether a text is this one, in which each `*` stands for any characters.
pub(crate) fn stands_for(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// A name with `*` for any characters, compared without case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pattern(pub(super) String);

impl Pattern {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        stands_for(&self.0.to_ascii_lowercase(), &name.to_ascii_lowercase())
    }

    /// Whether all that another one matches is certainly matched by this one.
    fn includes(&self, other: &Self) -> bool {
        // Read as a name, the `*` of the other stand for themselves: whatever takes them takes anything there.
        self.0.bytes().all(|b| b == b'*') || self.matches(&other.0)
    }
}

/// A tag that a machine must have: the name without case, the value with it and with `*` for any characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TagPattern {
    pub(super) name: String,
    pub(super) value: String,
}

impl TagPattern {
    fn matches(&self, tags: &Tags) -> bool {
        tags.has(&self.name, |value| stands_for(&self.value, value))
    }

    /// Whether they are of one tag.
    pub(super) fn is_of(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.to_lowercase()
    }

    /// As that of [`Pattern`].
    fn includes(&self, other: &Self) -> bool {
        self.is_of(&other.name) && stands_for(&self.value, &other.value)
    }
}

/// What a machine is told apart by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trait {
    /// Its name.
    Name,
    /// The resource group that it is in.
    ResourceGroup,
    /// The subscription that it is in.
    Subscription,
    /// Its tags.
    Tags,
}

/// Whether a rule is about a machine of which not everything may be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Covers {
    /// It is.
    Yes,
    /// It is not, for this.
    No(Trait),
    /// It depends on this, which is not known.
    Depends(Trait),
}

impl Policy {
    /// The first rule that is about a machine; `None` also where one may be, and what is known does not tell.
    pub(super) fn rule_about(&self, machine: &Subject<'_>) -> Option<&Rule> {
        let first = self.rules.iter().map(|rule| (rule, rule.covers(machine)));
        let (rule, covers) = first.into_iter().find(|(_, covers)| !matches!(covers, Covers::No(_)))?;
        (covers == Covers::Yes).then_some(rule)
    }

    /// Whether there is a rule that is only about machines with certain tags.
    pub fn names_tags(&self) -> bool {
        self.rules.iter().any(|rule| !rule.tags.is_empty())
    }

    /// Whether its tags decide which rule is about a machine.
    pub fn goes_by_tags(&self, machine: &Machine) -> bool {
        let untagged = Subject::of(machine, None);
        let mut all = self.rules.iter().map(|rule| rule.covers(&untagged));
        matches!(all.find(|covers| !matches!(covers, Covers::No(_))), Some(Covers::Depends(_)))
    }
}

impl Rule {
    /// Whether it is about this machine.
    pub(super) fn covers(&self, machine: &Subject<'_>) -> Covers {
        if !self.machines.iter().any(|pattern| pattern.matches(machine.name.as_str())) {
            return Covers::No(Trait::Name);
        }
        let groups = |group: &str| self.resource_groups.iter().any(|pattern| pattern.matches(group));
        let subscriptions = |id: &str| self.subscriptions.iter().any(|named| named.eq_ignore_ascii_case(id));
        let tags = |tags: &Tags| self.tags.iter().all(|wanted| wanted.matches(tags));
        let mut answer = Covers::Yes;
        for (what, matched, any) in [
            (Trait::ResourceGroup, machine.group.map(groups), self.resource_groups.is_empty()),
            (Trait::Subscription, machine.subscription.map(subscriptions), self.subscriptions.is_empty()),
            (Trait::Tags, machine.tags.map(tags), self.tags.is_empty()),
        ] {
            match matched {
                _ if any => {}
                Some(true) => {}
                Some(false) => return Covers::No(what),
                None => answer = Covers::Depends(what),
            }
        }
        answer
    }

    /// Whether it is about all machines that `later` is about, so that `later` never decides.
    pub(super) fn hides(&self, later: &Self) -> bool {
        let all = |of: &[Pattern], by: &[Pattern]| {
            of.iter().all(|pattern| by.iter().any(|wider| wider.includes(pattern)))
        };
        let groups = self.resource_groups.is_empty()
            || (!later.resource_groups.is_empty() && all(&later.resource_groups, &self.resource_groups));
        let known = |id: &String| self.subscriptions.iter().any(|named| named.eq_ignore_ascii_case(id));
        let subscriptions = self.subscriptions.is_empty()
            || (!later.subscriptions.is_empty() && later.subscriptions.iter().all(known));
        let tags = self.tags.iter().all(|wider| later.tags.iter().any(|other| wider.includes(other)));
        all(&later.machines, &self.machines) && groups && subscriptions && tags
    }
}
