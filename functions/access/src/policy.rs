//! Who may ask for what, for how long and from where, and who decides: one TOML file, delivered with
//! the deployment. Ordered rules; the first that matches the machine decides.

use crate::command::parse_ttl;
use crate::enabled::Enabled;
use crate::evidence::DECIDING_CLICK_SECONDS;
use crate::lease::Ttl;
use crate::machine::Tags;
use crate::request::{Ask, Means, Ports, Source, UserId, Wish};
use std::collections::BTreeSet;
use std::fmt;

mod about;
mod draft;
mod explain;
mod groups;
mod moving;
mod parse;

pub(crate) use about::stands_for;
use about::{Pattern, TagPattern};
pub use about::{Subject, Trait};
pub use explain::{BreaksGlass, Decided, Decision, Explanation, Provided, Question};
pub use groups::Groups;
pub use moving::Mover;
pub use parse::Problem;

/// The policy of one installation.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// The Slack channel that requests are shown in.
    channel: String,
    admins: Vec<Who>,
    rules: Vec<Rule>,
}

/// One rule of the policy, defaults filled in.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    name: String,
    machines: Vec<Pattern>,
    resource_groups: Vec<Pattern>,
    /// By id.
    subscriptions: Vec<String>,
    tags: Vec<TagPattern>,
    requesters: Vec<Who>,
    approvers: Vec<Who>,
    /// Where its requests are shown; `None` where in the policy's own channel.
    channel: Option<String>,
    /// Who may open for themselves without approval.
    break_glass: Vec<Who>,
    ports: Vec<u16>,
    sources: Vec<Source>,
    source: Option<Source>,
    duration: Ttl,
    longest: Ttl,
    undecided: Ttl,
    approvals: u8,
    justification_required: bool,
    only_enabled: bool,
    /// Within one of `sources`.
    move_without_approval: bool,
}

/// A person, a Slack user group, or everybody.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Who {
    /// One person.
    User(UserId),
    /// The members of a user group (`S…`), as Slack says at the moment of asking.
    Group(String),
    /// Everybody in the workspace. Only for asking, never for deciding.
    Everybody,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "{user}"),
            Self::Group(group) => f.write_str(group),
            Self::Everybody => f.write_str("*"),
        }
    }
}

/// Evidence that somebody may decide on a request. Only the policy makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approver(UserId);

impl Approver {
    /// Who.
    pub const fn user(&self) -> &UserId {
        &self.0
    }
}

/// Evidence that somebody may open for themselves without approval. Only the policy makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GlassBreaker(UserId);

impl GlassBreaker {
    /// Who.
    pub const fn user(&self) -> &UserId {
        &self.0
    }
}

/// Evidence that somebody is an admin. Only the policy makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admin(UserId);

impl Admin {
    /// Who.
    pub const fn user(&self) -> &UserId {
        &self.0
    }
}

/// The user groups among these.
fn groups_of<'w>(all: impl IntoIterator<Item = &'w Who>) -> impl Iterator<Item = &'w str> {
    all.into_iter().filter_map(|who| if let Who::Group(group) = who { Some(group.as_str()) } else { None })
}

/// Why the policy does not let a request through.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum NotAllowed {
    /// No rule is about this machine.
    #[error("no rule of the policy is about {machine}")]
    Machine {
        /// Its name.
        machine: String,
    },
    /// The requester is not among those who may ask.
    #[error("the rule `{rule}` does not let {requester} ask")]
    Requester {
        /// The rule that decides.
        rule: String,
        /// Who asked.
        requester: UserId,
    },
    /// A port that the rule does not offer.
    #[error("the rule `{rule}` does not offer port {port}")]
    Port {
        /// The rule that decides.
        rule: String,
        /// The first such port.
        port: u16,
        /// What it offers.
        offered: Vec<u16>,
    },
    /// Longer than the rule lets.
    #[error("the rule `{rule}` lets at most {longest}")]
    Duration {
        /// The rule that decides.
        rule: String,
        /// The longest.
        longest: Ttl,
    },
    /// From somewhere else.
    #[error("the rule `{rule}` does not let {source_prefix} in")]
    Source {
        /// The rule that decides.
        rule: String,
        /// What was asked for.
        source_prefix: Source,
        /// What it lets in.
        allowed: Vec<Source>,
    },
    /// A reason is required and missing.
    #[error("the rule `{rule}` wants a reason")]
    Justification {
        /// The rule that decides.
        rule: String,
    },
    /// Only machines that an admin has enabled can be asked for, and this one is not.
    #[error("the rule `{rule}` is only about machines that an admin has enabled")]
    NotEnabled {
        /// The rule that decides.
        rule: String,
    },
    /// The requester is not among those who may open without approval.
    #[error("the rule `{rule}` does not let {requester} open without approval")]
    BreakGlass {
        /// The rule that decides.
        rule: String,
        /// Who asked.
        requester: UserId,
    },
    /// Not enough people could approve.
    #[error("the rule `{rule}` needs {needed} approvals and names {available} people who could give them")]
    NobodyCouldApprove {
        /// The rule that decides.
        rule: String,
        /// How many it takes.
        needed: u8,
        /// How many there are besides the requester.
        available: usize,
    },
}

impl Policy {
    /// Reads a policy. All problems are reported at once, each with its line and what to write
    /// instead.
    ///
    /// # Errors
    /// Every problem found.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        parse::parse(text)
    }

    /// The channel that requests are shown in whose rule names none, and all that is about no rule.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The channel that requests are shown in which this rule decides about.
    pub fn channel_for<'p>(&'p self, rule: Option<&'p Rule>) -> &'p str {
        rule.and_then(|rule| rule.channel.as_deref()).unwrap_or(&self.channel)
    }

    /// The rule that decides about a machine.
    ///
    /// # Errors
    /// No rule is about it; or its tags are not known and decide which one is.
    pub fn rule_for(&self, machine: &Subject<'_>) -> Result<&Rule, NotAllowed> {
        self.rule_about(machine).ok_or_else(|| NotAllowed::Machine { machine: machine.name.to_string() })
    }

    /// Its rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Who may enable and disable machines, and lock everything down.
    pub fn admins(&self) -> &[Who] {
        &self.admins
    }

    /// The user groups whose members must be known to tell who is an admin.
    pub fn admin_groups(&self) -> BTreeSet<&str> {
        groups_of(&self.admins).collect()
    }

    /// The evidence that `user` is an admin, or `None`.
    pub fn admin(&self, user: &UserId, groups: &Groups) -> Option<Admin> {
        self.admins.iter().any(|who| groups.includes(who, user)).then(|| Admin(user.clone()))
    }

    /// The user groups that it names.
    pub fn groups(&self) -> BTreeSet<&str> {
        let named = self.rules.iter().flat_map(|rule| groups_of(&rule.break_glass));
        let asked = self.rules.iter().flat_map(|rule| rule.groups(Means::Approval));
        asked.chain(named).chain(self.admin_groups()).collect()
    }

    /// The people whom it names one by one.
    pub fn people(&self) -> BTreeSet<&UserId> {
        let all = self
            .rules
            .iter()
            .flat_map(|rule| rule.requesters.iter().chain(&rule.approvers).chain(&rule.break_glass));
        let all = all.chain(&self.admins);
        all.filter_map(|who| if let Who::User(user) = who { Some(user) } else { None }).collect()
    }

    /// Whether the policy lets this request be made and granted, for a machine that has these tags.
    ///
    /// # Errors
    /// The first thing that it does not let.
    pub fn admits(&self, ask: &Ask, tags: &Tags, groups: &Groups) -> Result<&Rule, NotAllowed> {
        let rule = self.rule_for(&Subject::of(&ask.wish.machine, Some(tags)))?;
        rule.objections(&Asked::of(&ask.wish, Some(&ask.source)), groups)
            .into_iter()
            .next()
            .map_or(Ok(rule), Err)
    }
}

/// What a rule judges.
struct Asked<'a> {
    requester: &'a UserId,
    ports: &'a Ports,
    ttl: Ttl,
    /// Without one, the requester's browser will tell, and then it is judged again.
    source: Option<&'a Source>,
    means: Means,
    has_justification: bool,
}

impl<'a> Asked<'a> {
    const fn of(wish: &'a Wish, source: Option<&'a Source>) -> Self {
        Self {
            requester: &wish.requester,
            ports: &wish.ports,
            ttl: wish.ttl,
            source,
            means: wish.means,
            has_justification: wish.justification.is_some(),
        }
    }
}

impl Rule {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Patterns of names: it is about machines that one of these matches.
    pub fn machines(&self) -> impl Iterator<Item = &str> {
        self.machines.iter().map(|pattern| pattern.as_str())
    }

    /// Patterns of resource groups; none where it is about all.
    pub fn resource_groups(&self) -> impl Iterator<Item = &str> {
        self.resource_groups.iter().map(|pattern| pattern.as_str())
    }

    /// The ids of the subscriptions that it is about; none where it is about all.
    pub fn subscriptions(&self) -> &[String] {
        &self.subscriptions
    }

    /// The tags that a machine must have, each with the pattern of its value; none where it is about all.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tags.iter().map(|wanted| (wanted.name.as_str(), wanted.value.as_str()))
    }

    /// The ports that it offers.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Where people may come from; none where any address may be asked for.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The longest duration that it lets.
    pub const fn longest(&self) -> Ttl {
        self.longest
    }

    /// Whether it wants a reason.
    pub const fn justification_required(&self) -> bool {
        self.justification_required
    }

    /// Whether only machines that an admin has enabled in Slack can be asked for.
    pub const fn only_enabled(&self) -> bool {
        self.only_enabled
    }

    /// Whether a request is within what an admin has enabled on the machine.
    ///
    /// # Errors
    /// The first thing that was not enabled.
    pub fn admits_enabled(&self, ask: &Ask, enabled: Option<&Enabled>) -> Result<(), NotAllowed> {
        self.within_enabled(&ask.wish, Some(&ask.source), enabled)
    }

    /// The duration of a request that does not say one.
    pub const fn duration(&self) -> Ttl {
        self.duration
    }

    /// The source of a request that does not say one, where the rule has one.
    pub const fn source(&self) -> Option<Source> {
        self.source
    }

    /// How long a request waits for a decision.
    pub const fn undecided(&self) -> Ttl {
        self.undecided
    }

    /// How many approvals it takes.
    pub const fn approvals(&self) -> u8 {
        self.approvals
    }

    /// Who may decide.
    pub fn approvers(&self) -> &[Who] {
        &self.approvers
    }

    /// Who may ask.
    pub fn requesters(&self) -> &[Who] {
        &self.requesters
    }

    /// Who may open for themselves without approval.
    pub fn break_glass(&self) -> &[Who] {
        &self.break_glass
    }

    /// How long a request waits for a decision, in seconds: its own requester presses at once or not at all.
    pub fn waits_seconds(&self, means: Means) -> u64 {
        match means {
            Means::Approval => self.undecided.seconds(),
            Means::BreakGlass | Means::OwnMove => self.undecided.seconds().min(DECIDING_CLICK_SECONDS),
        }
    }

    /// The user groups whose members must be known to judge a request.
    pub fn groups(&self, means: Means) -> BTreeSet<&str> {
        let decide = match means {
            // What is moved was approved once, which is judged again.
            Means::Approval | Means::OwnMove => &self.approvers,
            Means::BreakGlass => &self.break_glass,
        };
        groups_of(self.requesters.iter().chain(decide)).collect()
    }

    /// The user groups of those who may ask.
    pub fn requester_groups(&self) -> BTreeSet<&str> {
        groups_of(&self.requesters).collect()
    }

    /// The user groups of those who may approve.
    pub fn approver_groups(&self) -> BTreeSet<&str> {
        groups_of(&self.approvers).collect()
    }

    /// The evidence that `user` may open for themselves without approval, or `None`.
    pub fn glass_breaker(&self, user: &UserId, groups: &Groups) -> Option<GlassBreaker> {
        self.break_glass.iter().any(|who| groups.includes(who, user)).then(|| GlassBreaker(user.clone()))
    }

    /// The evidence that `user` may decide, or `None`. Whether it is the requester's own request is
    /// judged by the lifecycle.
    pub fn approver(&self, user: &UserId, groups: &Groups) -> Option<Approver> {
        self.approvers.iter().any(|who| groups.includes(who, user)).then(|| Approver(user.clone()))
    }

    /// The people besides the requester who could approve: those who are named first, in their order.
    pub fn could_approve<'r>(&'r self, requester: &UserId, groups: &'r Groups) -> Vec<&'r UserId> {
        let named =
            self.approvers.iter().filter_map(|who| if let Who::User(user) = who { Some(user) } else { None });
        let members = groups_of(&self.approvers).filter_map(|group| groups.0.get(group)).flatten();
        let mut people: Vec<&UserId> = vec![];
        for user in named.chain(members) {
            if user != requester && !people.contains(&user) {
                people.push(user);
            }
        }
        people
    }

    /// Whether somebody may ask for the machines that it is about.
    pub fn lets_ask(&self, user: &UserId, groups: &Groups) -> bool {
        self.requesters.iter().any(|who| groups.includes(who, user))
    }

    /// All that it does not let, the first of which people are told.
    fn objections(&self, asked: &Asked<'_>, groups: &Groups) -> Vec<NotAllowed> {
        let rule = || self.name.clone();
        let mut against = vec![];
        if !self.lets_ask(asked.requester, groups) {
            against.push(NotAllowed::Requester { rule: rule(), requester: asked.requester.clone() });
        }
        if let Some(port) = asked.ports.as_slice().iter().find(|port| !self.ports.contains(port)) {
            against.push(NotAllowed::Port { rule: rule(), port: *port, offered: self.ports.clone() });
        }
        if asked.ttl > self.longest {
            against.push(NotAllowed::Duration { rule: rule(), longest: self.longest });
        }
        against.extend(asked.source.and_then(|source| self.lets_in(source).err()));
        let breaks_glass = asked.means == Means::BreakGlass;
        if breaks_glass && self.glass_breaker(asked.requester, groups).is_none() {
            let requester = asked.requester.clone();
            against.push(NotAllowed::BreakGlass { rule: rule(), requester });
        }
        if (self.justification_required || breaks_glass) && !asked.has_justification {
            against.push(NotAllowed::Justification { rule: rule() });
        }
        let available = self.could_approve(asked.requester, groups).len();
        if !breaks_glass && available < usize::from(self.approvals) {
            against.push(NotAllowed::NobodyCouldApprove { rule: rule(), needed: self.approvals, available });
        }
        against
    }
}

#[cfg(test)]
mod tests;
