//! What the policy says to a request before anybody makes it: which rule decides, who approves, and why not.

use super::about::Covers;
use super::*;
use crate::request::{Justification, MachineQuery};

/// A request as somebody would type it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// Who asks.
    pub requester: &'q UserId,
    /// For which machine.
    pub machine: &'q MachineQuery,
    /// All tags of the machine; `None` where nobody said.
    pub tags: Option<&'q Tags>,
    /// For which ports.
    pub ports: &'q Ports,
    /// For how long; without it the rule's duration.
    pub ttl: Option<Ttl>,
    /// From where; without it the rule's source.
    pub source: Option<Source>,
    /// What it is to be opened by.
    pub means: Means,
    /// Why.
    pub justification: Option<&'q Justification>,
}

/// What the policy says to it.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation<'p> {
    /// The rules before the one that decides, and what of the machine each is not about.
    pub passed_over: Vec<(&'p Rule, Trait)>,
    /// What becomes of it.
    pub decision: Decision<'p>,
}

/// What becomes of a request.
#[derive(Clone, PartialEq, Debug)]
pub enum Decision<'p> {
    /// No rule is about the machine.
    NoRule,
    /// Whether this rule decides depends on something that the question does not say.
    Depends {
        /// The first rule that may decide.
        rule: &'p Rule,
        /// What is not known of the machine.
        on: Trait,
    },
    /// A rule decides.
    Rule(Decided<'p>),
}

/// What the rule that decides says.
#[derive(Clone, PartialEq, Debug)]
pub struct Decided<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// For how long it would be open.
    pub ttl: Ttl,
    /// From where; `None` where the requester's browser will tell.
    pub source: Option<Source>,
    /// All that the rule does not let.
    pub against: Vec<NotAllowed>,
    /// What only Slack knows, and what must come of it.
    pub provided: Vec<Provided>,
    /// Whether the requester may open for themselves without approval.
    pub break_glass: BreaksGlass,
}

/// Whether somebody may open for themselves without approval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BreaksGlass {
    /// They may.
    Yes,
    /// Only if they are in one of these user groups.
    If(Vec<String>),
    /// They may not.
    No,
}

/// Something that holds only if Slack says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Provided {
    /// The requester is in one of these user groups.
    Asks {
        /// Their ids.
        groups: Vec<String>,
    },
    /// The requester is in one of these user groups, whose members may open without approval.
    BreaksGlass {
        /// Their ids.
        groups: Vec<String>,
    },
    /// These user groups have so many members besides the requester and those who are named.
    Approve {
        /// Their ids.
        groups: Vec<String>,
        /// How many it takes.
        missing: usize,
    },
}

impl Policy {
    /// What it says to a request, given who is in which user group as far as that is known.
    pub fn explain(&self, question: &Question<'_>, groups: &Groups) -> Explanation<'_> {
        let machine = Subject::named(question.machine, question.tags);
        let mut passed_over = vec![];
        for rule in &self.rules {
            let decision = match rule.covers(&machine) {
                Covers::No(what) => {
                    passed_over.push((rule, what));
                    continue;
                }
                Covers::Depends(on) => Decision::Depends { rule, on },
                Covers::Yes => Decision::Rule(rule.decide(question, groups)),
            };
            return Explanation { passed_over, decision };
        }
        Explanation { passed_over, decision: Decision::NoRule }
    }
}

impl Rule {
    fn decide(&self, question: &Question<'_>, groups: &Groups) -> Decided<'_> {
        let ttl = question.ttl.unwrap_or(self.duration);
        let source = question.source.or(self.source);
        let asked = Asked {
            requester: question.requester,
            ports: question.ports,
            ttl,
            source: source.as_ref(),
            means: question.means,
            has_justification: question.justification.is_some(),
        };
        let unknown = |all: &[Who]| -> Vec<String> {
            let ids = all.iter().filter_map(|who| if let Who::Group(id) = who { Some(id) } else { None });
            ids.filter(|id| !groups.knows(id)).cloned().collect()
        };
        let mut provided = vec![];
        let mut against = self.objections(&asked, groups);
        against.retain(|why| {
            let condition = match why {
                NotAllowed::Requester { .. } => Provided::Asks { groups: unknown(&self.requesters) },
                NotAllowed::BreakGlass { .. } => Provided::BreaksGlass { groups: unknown(&self.break_glass) },
                NotAllowed::NobodyCouldApprove { needed, available, .. } => Provided::Approve {
                    groups: unknown(&self.approvers),
                    missing: usize::from(*needed).saturating_sub(*available),
                },
                _ => return true,
            };
            let (Provided::Asks { groups }
            | Provided::BreaksGlass { groups }
            | Provided::Approve { groups, .. }) = &condition;
            let certain = groups.is_empty();
            if !certain {
                provided.push(condition);
            }
            certain
        });
        let break_glass = match self.glass_breaker(question.requester, groups) {
            Some(_) => BreaksGlass::Yes,
            None => Some(unknown(&self.break_glass))
                .filter(|groups| !groups.is_empty())
                .map_or(BreaksGlass::No, BreaksGlass::If),
        };
        Decided { rule: self, ttl, source, against, provided, break_glass }
    }
}
