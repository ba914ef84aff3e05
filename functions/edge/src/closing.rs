//! Writes and removes closing rules: each under the lock of its group, like every write, and each looked at afterwards.

use crate::arm::{ArmError, WayError};
use crate::clock::Awake;
use crate::drive::{Checker, Driver, PAUSE};
use crate::line::Place;
use crate::orphan::Removal;
use crate::secrets::AGAIN_SECONDS;
use crate::store::{KnownClosing, KnownOrder, StoreError};
use access::drive::{Acted, Locked, Standing};
use access::evidence::Unproven;
use access::nsg::{self, Door};
use access::order::{Change, ClosingRule, Order, Outcome};
use access::policy::Admin;

impl Driver {
    /// Carries out what is left of an order, one rule after the other, as far as it can now. What is not done is taken up by
    /// the next trigger.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn carry_out(
        &self,
        checker: &Checker,
        known: KnownOrder,
        invocation: &str,
        at_work: &Awake,
    ) -> Result<(), StoreError> {
        let mut known = known;
        for at in 0..known.order.rules.len() {
            if known.order.outcomes.get(at).is_none_or(Outcome::is_final) {
                continue;
            }
            // For each rule anew: time passes, and the policy's groups may change.
            let outcome = match self.admin_of(checker, &known.order).await {
                None => return Ok(()),
                Some(Err(why)) => {
                    tracing::warn!(order = %known.order.id, why = %why, "the evidence does not prove this order");
                    Outcome::Unproven { why }
                }
                Some(Ok(admin)) => self.one(&known, at, &admin, invocation, at_work).await?,
            };
            if !outcome.is_final() {
                return Ok(());
            }
            self.remember(&known.order, at, &outcome).await?;
            let mut order = known.order.clone();
            order.outcomes[at] = outcome;
            if !self.store.write_order(Some(&known), &order, false, self.clock.now()).await? {
                return Ok(());
            }
            known = KnownOrder { order, version: known.version + 1, ..known };
        }
        Ok(())
    }

    /// The admin whose click proves the order; `None` where Slack does not say who is one.
    async fn admin_of(&self, checker: &Checker, order: &Order) -> Option<Result<Admin, Unproven>> {
        let Checker { secrets, app, policy, slack } = checker;
        let groups = slack.groups(&policy.admin_groups()).await.ok()?;
        let judge = || order.judge(&secrets.current().keys, app, policy, &groups, self.clock.now());
        let judged = judge();
        if judged == Err(Unproven::Signature) {
            // It may have been signed with a secret that is newer than ours.
            secrets.renew(AGAIN_SECONDS).await;
            return Some(judge());
        }
        Some(judged)
    }

    async fn one(
        &self,
        known: &KnownOrder,
        at: usize,
        admin: &Admin,
        invocation: &str,
        at_work: &Awake,
    ) -> Result<Outcome, StoreError> {
        let rule = &known.order.rules[at];
        if known.order.change == Change::Remove {
            let name = rule.rule_name(&self.installation);
            return Ok(match self.remove(&rule.nsg, &name, invocation, at_work).await? {
                Removal::Gone => Outcome::Gone,
                Removal::Refused(code) => Outcome::Refused { code },
                Removal::Unfinished => Outcome::Waiting,
            });
        }
        let doors = match self.doors(rule).await {
            Ok(doors) => doors,
            Err(outcome) => return Ok(outcome),
        };
        let holder = format!("{invocation}/closing/{}", rule.id());
        let mut place = self.lines.place();
        let description = rule.description(known.order.id, admin.user());
        let outcome =
            self.write_in_turn(known, rule, &doors, &description, (&mut place, &holder), at_work).await;
        place.leave(&self.store).await;
        outcome
    }

    /// The doors that a rule shuts, where Azure says that the machine still has this address behind this group.
    async fn doors(&self, rule: &ClosingRule) -> Result<Vec<Door>, Outcome> {
        match self.arm.way_to(&rule.machine, rule.address).await {
            Ok(way) if way.groups.contains(&rule.nsg) => {
                let with = |door| Door { member_of: way.member_of.clone(), ..door };
                Ok(rule.doors().map(with).collect())
            }
            Ok(_) | Err(WayError::Fault(_)) => Err(Outcome::Changed),
            Err(WayError::Arm(error)) => Err(unread(error)),
        }
    }

    async fn write_in_turn(
        &self,
        known: &KnownOrder,
        rule: &ClosingRule,
        doors: &[Door],
        description: &str,
        (place, holder): (&mut Place, &str),
        at_work: &Awake,
    ) -> Result<Outcome, StoreError> {
        let begun = self.clock.now();
        let in_time = || self.clock.now().since(begun) < self.tempo.budget_seconds;
        let name = rule.rule_name(&self.installation);
        for _ in 0..self.tempo.attempts {
            while self.lock(place, &rule.nsg, holder, false, at_work).await? != Locked::Held {
                if !in_time() {
                    return Ok(Outcome::Waiting);
                }
                self.clock.pause(PAUSE, at_work).await;
            }
            let rules = match self.arm.group(&rule.nsg).await {
                Ok(group) => group.rules,
                Err(error) => return Ok(unread(error)),
            };
            let priority = match nsg::place_closing(&rules, doors, &name, &self.installation) {
                Ok(priority) => priority,
                Err(no_room) => return Ok(Outcome::NoRoom { before: no_room.before }),
            };
            // Once more just before the write: whether the order is as it was judged, and whether it is our turn.
            let now_known = self.store.order(known.order.id).await?;
            let held = match place.lease() {
                Some(lease) => self.store.lock(&rule.nsg).is_held(&lease, self.clock.now()).await?,
                None => false,
            };
            if now_known.is_none_or(|now_known| now_known.version != known.version) {
                return Ok(Outcome::Waiting);
            }
            if !held {
                continue;
            }
            match self.arm.put_closing(rule, &name, priority, description).await {
                Acted::Locked => return Ok(Outcome::Refused { code: "ScopeLocked".to_owned() }),
                Acted::Refused(code) => return Ok(Outcome::Refused { code }),
                Acted::Later { .. } => return Ok(Outcome::Waiting),
                Acted::Busy { seconds } => {
                    self.clock.pause(PAUSE.max(std::time::Duration::from_secs(seconds)), at_work).await;
                    continue;
                }
                // Whatever a lost reply hides, the group shows.
                Acted::Done | Acted::Conflict | Acted::Unknown => {}
            }
            if let Some(outcome) = self.look_for(rule, doors, priority, &in_time, at_work).await {
                if outcome == Outcome::Waiting {
                    // Azure may still be at it.
                    place.abandon();
                }
                return Ok(outcome);
            }
            if !in_time() {
                break;
            }
        }
        Ok(Outcome::Waiting)
    }

    /// How a rule stands that was just written, once Azure is done with it; `None` where it is not there as written.
    async fn look_for(
        &self,
        rule: &ClosingRule,
        doors: &[Door],
        priority: u16,
        in_time: &impl Fn() -> bool,
        at_work: &Awake,
    ) -> Option<Outcome> {
        loop {
            self.clock.pause(PAUSE, at_work).await;
            let rules = match self.arm.group(&rule.nsg).await {
                Ok(group) => group.rules,
                Err(_) if in_time() => continue,
                Err(_) => return Some(Outcome::Waiting),
            };
            match rule.standing(&rules, &self.installation) {
                Standing::Deny => {
                    let open = doors.iter().find_map(|door| nsg::left_open(&rules, door, &self.installation));
                    return Some(match open {
                        None => Outcome::Shut { priority },
                        Some(open) => Outcome::StillOpen { priority, by: open.by },
                    });
                }
                Standing::Changing if in_time() => {}
                Standing::Changing => return Some(Outcome::Waiting),
                Standing::Absent | Standing::Allow | Standing::Altered => return None,
            }
        }
    }

    /// A rule that stands is compared with Azure each minute from now on, and one that is gone no more.
    async fn remember(&self, order: &Order, at: usize, outcome: &Outcome) -> Result<(), StoreError> {
        let now = self.clock.now();
        let removed_at = match outcome {
            Outcome::Shut { .. } | Outcome::StillOpen { .. } => None,
            Outcome::Gone => Some(now),
            _ => return Ok(()),
        };
        let rule = order.rules[at].clone();
        let known = KnownClosing { rule, order: order.id, missed_at: None, removed_at };
        self.store.put_closing(&known, now).await
    }
}

/// What a group or a machine that cannot be read means for the rule.
fn unread(error: ArmError) -> Outcome {
    tracing::warn!(error = %error, "a closing rule could not be placed");
    match error {
        ArmError::Refused { code, .. } => Outcome::Refused { code },
        ArmError::NotFound(_) => Outcome::Changed,
        ArmError::NoAnswer(_) | ArmError::Later { .. } => Outcome::Waiting,
    }
}
