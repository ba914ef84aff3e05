//! Rules by a name of ours that no record answers for: the record was deleted or taken out of the list
//! of what is looked at, a write landed long after all was over, or somebody else has written the rule.
//!
//! Such a rule says itself until when it may stand (see [`nsg::described_end`]); it is shut then, or at
//! once where it says nothing that can be believed.

use crate::lease::{Timestamp, Ttl};
use crate::lifecycle::{Record, Tempo, due_at};
use crate::nsg::{self, Rule};
use crate::request::{Installation, RequestId, ResourceId, RuleName};
use serde::{Deserialize, Serialize};

/// Who answers for a rule that was found in Azure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeper {
    /// A record names it, and is looked at each minute.
    Record,
    /// A record names it and should be looked at, but is not in the list of what is.
    Hidden,
    /// Nobody.
    Nobody,
}

/// Who answers for the rule of this request in this group. `record`: the request's, if there is one that
/// can be read; `listed`: whether it is in the list of what is looked at.
pub fn keeper(record: Option<&Record>, listed: bool, nsg: &ResourceId, tempo: &Tempo) -> Keeper {
    let names =
        |record: &&Record| record.plan().is_some_and(|plan| plan.rules().iter().any(|rule| rule.nsg == *nsg));
    match record.filter(names).map(|record| due_at(record, tempo)) {
        Some(Some(_)) if listed => Keeper::Record,
        Some(Some(_)) => Keeper::Hidden,
        // Settled: its rule was seen gone for long enough, and is back.
        Some(None) | None => Keeper::Nobody,
    }
}

/// What has become of an orphan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It stands, until its end.
    Standing,
    /// It should be gone, and Azure has not removed it.
    Hindered {
        /// Since when it is tried.
        since: Timestamp,
        /// Azure's error code, where it refuses; `None` where it does not answer or does not finish.
        code: Option<String>,
    },
    /// It was seen gone.
    Gone {
        /// When.
        at: Timestamp,
    },
    /// A record answers for it: it is no orphan any more.
    Kept,
    /// It is none: its record was only missing in the list of what is looked at, and is back there.
    Hidden,
}

/// A rule that no record answers for, as it is remembered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Orphan {
    /// The group that it is in.
    pub nsg: ResourceId,
    /// The request that its name is made of.
    pub request: RequestId,
    /// When it was found.
    pub found_at: Timestamp,
    /// Whether it allowed when it was found.
    pub allows: bool,
    /// The end that it says, where that can be believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub described_end: Option<Timestamp>,
    /// Whether it says that an operator has opened it past all approvals: who, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// What has become of it.
    pub fate: Fate,
}

/// What a rule says of itself that was opened past all approvals. Whoever may write rules may have written it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BreakGlass {
    /// Who.
    pub by: String,
    /// Why.
    pub because: String,
}

impl BreakGlass {
    fn of(rule: &Rule) -> Option<Self> {
        let said = nsg::described(&rule.description)?;
        match said.basis {
            nsg::Basis::BreakGlass(because) => Some(Self { by: said.requester, because }),
            nsg::Basis::Approved(_) | nsg::Basis::Moved(_) => None,
        }
    }
}

impl Orphan {
    /// One that was just found.
    pub fn found(nsg: ResourceId, request: RequestId, rule: &Rule, now: Timestamp) -> Self {
        Self {
            nsg,
            request,
            found_at: now,
            allows: rule.access == crate::drive::Access::Allow,
            described_end: believable(rule, now),
            break_glass: BreakGlass::of(rule),
            fate: Fate::Standing,
        }
    }

    /// A record that was missing in the list of what is looked at, and is back there.
    pub fn hidden(nsg: ResourceId, request: RequestId, now: Timestamp) -> Self {
        let (described_end, break_glass) = (None, None);
        Self { nsg, request, found_at: now, allows: true, described_end, break_glass, fate: Fate::Hidden }
    }

    /// The name of the rule.
    pub fn name(&self, installation: &Installation) -> RuleName {
        RuleName::new(installation, self.request)
    }

    /// When it must be shut: at the end that it says, or since it was found. A rule that denies goes at
    /// once.
    pub fn shut_at(&self) -> Timestamp {
        self.described_end.filter(|_| self.allows).unwrap_or(self.found_at)
    }

    /// Whether nothing is left to be done about it.
    pub const fn is_over(&self) -> bool {
        matches!(self.fate, Fate::Gone { .. } | Fate::Kept | Fate::Hidden)
    }

    /// As it is when the rule was read again: an end that was written anew prolongs nothing.
    #[must_use]
    pub fn seen_again(&self, rule: &Rule) -> Self {
        let ends = self.described_end.zip(believable(rule, self.found_at));
        Self { described_end: ends.map(|(before, now)| before.min(now)), ..self.clone() }
    }

    /// As it is after a try to remove it in vain.
    #[must_use]
    pub fn hindered(&self, code: Option<String>, now: Timestamp) -> Self {
        let since = match self.fate {
            Fate::Hindered { since, .. } => since,
            _ => now,
        };
        Self { fate: Fate::Hindered { since, code }, ..self.clone() }
    }
}

/// The end that a rule says, unless it is further off than any grant lasts.
fn believable(rule: &Rule, found_at: Timestamp) -> Option<Timestamp> {
    let end = nsg::described_end(&rule.description)?;
    (end <= found_at.plus(Ttl::MAX.seconds())).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::Access;
    use crate::nsg::{Provisioning, RuleProtocol};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(1_773_342_000 + seconds)
    }

    fn rule(access: Access, description: &str) -> Rule {
        Rule {
            name: "jit-sandbox-7F3K9-QXM2P".to_owned(),
            priority: 499,
            access,
            protocol: RuleProtocol::Tcp,
            sources: vec![],
            source_ports: vec![],
            destinations: vec![],
            destination_ports: vec![],
            provisioning: Provisioning::Succeeded,
            description: description.to_owned(),
        }
    }

    fn says(end: Timestamp) -> String {
        format!("Ajar 7F3K9-QXM2P for U0ANA, until {end}, approved by U0BEA")
    }

    fn orphan(access: Access, description: &str) -> Orphan {
        let nsg = "/subscriptions/s/resourceGroups/g/nsg".parse().unwrap();
        Orphan::found(nsg, "7F3K9-QXM2P".parse().unwrap(), &rule(access, description), at(0))
    }

    #[test]
    fn it_is_shut_at_the_end_that_it_says_or_at_once() {
        assert_eq!(orphan(Access::Allow, &says(at(600))).shut_at(), at(600));
        assert_eq!(orphan(Access::Deny, &says(at(600))).shut_at(), at(0), "what denies is of no use");
        let day = Ttl::MAX.seconds();
        assert_eq!(orphan(Access::Allow, &says(at(day))).shut_at(), at(day));
        let cut = says(at(600));
        let cut = cut.split_once(", approved").unwrap().0;
        for beyond in [says(at(day + 1)).as_str(), "mine", "", cut, "Ajar, until tomorrow, or so"] {
            assert_eq!(orphan(Access::Allow, beyond).shut_at(), at(0), "{beyond}");
        }
    }

    #[test]
    fn a_break_glass_says_so_itself() {
        let said = |text: &str| orphan(Access::Allow, text).break_glass;
        let glass = BreakGlass { by: "ops@contoso.example".to_owned(), because: "AWS is down".to_owned() };
        let text =
            format!("Ajar 7F3K9-QXM2P for ops@contoso.example, until {}, break-glass: AWS is down", at(9));
        assert_eq!(said(&text), Some(glass));
        assert_eq!(said(&says(at(9))), None);
    }

    #[test]
    fn nobody_prolongs_it_by_writing_on_it() {
        let orphan = orphan(Access::Allow, &says(at(600)));
        let again = |description: &str| orphan.seen_again(&rule(Access::Allow, description)).shut_at();
        assert_eq!(again(&says(at(900))), at(600));
        assert_eq!(again(&says(at(300))), at(300));
        assert_eq!(again("mine"), at(0));
        let late = orphan.hindered(None, at(700)).hindered(Some("ScopeLocked".to_owned()), at(760));
        assert_eq!(late.fate, Fate::Hindered { since: at(700), code: Some("ScopeLocked".to_owned()) });
    }
}
