//! Removes a rule that no record answers for: under the lock of its group, like every write.

use crate::arm::ArmError;
use crate::clock::Awake;
use crate::drive::{Driver, PAUSE};
use crate::line::Place;
use crate::store::StoreError;
use access::drive::{Acted, Locked};
use access::nsg::Rule;
use access::request::{ResourceId, RuleName};

/// What became of a try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Removal {
    /// It was seen gone.
    Gone,
    /// Azure refuses it with this code.
    Refused(String),
    /// Azure did not answer, or has not finished.
    Unfinished,
}

impl Driver {
    /// The rule as it stands in its group; `None` where there is none.
    ///
    /// # Errors
    /// Azure refused or did not answer.
    pub async fn rule(&self, nsg: &ResourceId, name: &RuleName) -> Result<Option<Rule>, ArmError> {
        let name = name.to_string();
        match self.arm.group(nsg).await {
            Ok(group) => Ok(group.rules.into_iter().find(|rule| rule.name == name)),
            Err(ArmError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes a rule and sees it gone. As every delete it goes before waiting PUTs, and without the
    /// lock once its patience is over.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn remove(
        &self,
        nsg: &ResourceId,
        name: &RuleName,
        invocation: &str,
        at_work: &Awake,
    ) -> Result<Removal, StoreError> {
        let holder = format!("{invocation}/orphan/{name}");
        let mut place = self.lines.place();
        let removal = self.remove_in_turn(nsg, name, (&mut place, &holder), at_work).await;
        place.leave(&self.store).await;
        removal
    }

    async fn remove_in_turn(
        &self,
        nsg: &ResourceId,
        name: &RuleName,
        (place, holder): (&mut Place, &str),
        at_work: &Awake,
    ) -> Result<Removal, StoreError> {
        let begun = self.clock.now();
        loop {
            match self.lock(place, nsg, holder, true, at_work).await? {
                Locked::Held => break,
                Locked::Elsewhere { since }
                    if self.clock.now().since(since) >= self.tempo.delete_patience_seconds =>
                {
                    break;
                }
                // Tried again at the next tick.
                _ if self.clock.now().since(begun) >= self.tempo.budget_seconds => {
                    return Ok(Removal::Unfinished);
                }
                Locked::InLine | Locked::Elsewhere { .. } => self.clock.pause(PAUSE, at_work).await,
            }
        }
        Ok(self.delete_and_look(nsg, name, place, at_work).await)
    }

    async fn delete_and_look(
        &self,
        nsg: &ResourceId,
        name: &RuleName,
        place: &mut Place,
        at_work: &Awake,
    ) -> Removal {
        let begun = self.clock.now();
        let in_time = || self.clock.now().since(begun) < self.tempo.budget_seconds;
        for _ in 0..self.tempo.attempts {
            match self.arm.delete_rule(nsg, name).await {
                Acted::Locked => return Removal::Refused("ScopeLocked".to_owned()),
                Acted::Refused(code) => return Removal::Refused(code),
                // Tried again at the next tick, which is soon enough for what Azure puts off.
                Acted::Later { .. } => return Removal::Unfinished,
                Acted::Done | Acted::Busy { .. } | Acted::Conflict | Acted::Unknown => {}
            }
            // Whatever a lost reply hides, the group shows.
            loop {
                match self.rule(nsg, name).await {
                    Ok(None) => return Removal::Gone,
                    Ok(Some(rule)) if rule.provisioning == access::nsg::Provisioning::Changing => {
                        if !in_time() {
                            place.abandon();
                            return Removal::Unfinished;
                        }
                    }
                    _ => break,
                }
                self.clock.pause(PAUSE, at_work).await;
            }
            if !in_time() {
                break;
            }
            self.clock.pause(PAUSE, at_work).await;
        }
        Removal::Unfinished
    }
}
