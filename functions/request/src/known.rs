//! What decides who may do what, read from the table side by side with whatever else an answer needs. Slack is not
//! asked: `discover` does that every 15 minutes, and anew where somebody is told no. `grant` asks Slack itself before
//! anything is opened.

use crate::Deps;
use access::lifecycle::Record;
use access::machine::{SeenMachine, Tags};
use access::policy::{Admin, Groups, Policy, Rule, Subject};
use access::request::{Machine, Means, UserId};
use access::wording::{self, Message};
use edge::store::{Doubt, KnownLockdowns, StoreError};

/// What is known of people and machines.
pub(crate) struct Known {
    /// Who is in the policy's user groups.
    pub(crate) groups: Groups,
    /// What is locked down, and whose clicks do not count.
    pub(crate) locked: KnownLockdowns,
    /// The machine list, where the policy goes by tags.
    tagged: Vec<SeenMachine>,
}

impl Deps {
    /// Who is in the policy's user groups; nothing is read where it names none.
    pub(crate) async fn groups(&self) -> Result<Groups, StoreError> {
        if self.policy.groups().is_empty() {
            return Ok(Groups::default());
        }
        self.store.groups(self.clock.now()).await
    }

    /// What decides about requests that are recorded.
    pub(crate) async fn known(&self) -> Result<Known, StoreError> {
        let tagged =
            async { if self.policy.names_tags() { self.store.machines().await } else { Ok(vec![]) } };
        let (groups, locked, tagged) = tokio::try_join!(self.groups(), self.store.lockdowns(), tagged)?;
        Ok(Known { groups, locked, tagged })
    }

    /// Has `discover` ask Slack who is in these groups now.
    pub(crate) async fn doubt(
        &self,
        key: &str,
        groups: Vec<String>,
        response_url: Option<String>,
        otherwise: Option<String>,
    ) -> Result<(), StoreError> {
        let response_url = response_url.filter(|url| !url.is_empty());
        let doubt = Doubt { groups, response_url, otherwise, asked_at: self.clock.now() };
        self.store.doubt(&format!("ASK#{key}"), &doubt).await
    }
}

impl Known {
    /// The rule that decides about a machine, by its tags in the list.
    pub(crate) fn rule<'p>(&self, policy: &'p Policy, machine: &Machine) -> Option<&'p Rule> {
        rule_of(policy, machine, &self.tagged)
    }

    /// The evidence that somebody is an admin whose clicks count; else what to say.
    pub(crate) fn admin(&self, policy: &Policy, user: &UserId) -> Result<Admin, Message> {
        let Some(admin) = policy.admin(user, &self.groups) else {
            return Err(if self.groups.know_all(&policy.admin_groups()) {
                wording::not_admin(policy)
            } else {
                wording::admins_unknown()
            });
        };
        match self.locked.lockdowns.frozen(user) {
            Some(frozen) => Err(Message::sentence(wording::you_are_frozen(user, frozen.at))),
            None => Ok(admin),
        }
    }

    /// Whether somebody may end a request: who asked, who could have approved, and admins. Else the rule that says who.
    pub(crate) fn may_end<'p>(
        &self,
        policy: &'p Policy,
        record: &Record,
        user: &UserId,
    ) -> Result<(), Option<&'p Rule>> {
        let wish = record.wish();
        let rule = self.rule(policy, &wish.machine);
        let may = wish.requester == *user
            || policy.admin(user, &self.groups).is_some()
            || rule.is_some_and(|rule| rule.approver(user, &self.groups).is_some());
        if may { Ok(()) } else { Err(rule) }
    }
}

/// The rule that decides about a machine, by its tags in this list.
pub(crate) fn rule_of<'p>(policy: &'p Policy, machine: &Machine, listed: &[SeenMachine]) -> Option<&'p Rule> {
    let seen = listed.iter().find(|seen| seen.resource_id == machine.resource_id);
    let tags: Option<&Tags> = seen.map(|seen| &seen.tags);
    policy.rule_for(&Subject::of(machine, tags)).ok()
}

/// The groups over which somebody may be told no wrongly: those that a rule names for this.
pub(crate) fn in_doubt(rule: &Rule, means: Means) -> Vec<String> {
    rule.groups(means).into_iter().map(str::to_owned).collect()
}
