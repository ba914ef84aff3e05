//! Removes a rule that no record answers for: under the lock of its group, like every write.

use crate::arm::ArmError;
use crate::drive::{Driver, PAUSE};
use crate::store::StoreError;
use access::drive::Acted;
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
    ) -> Result<Removal, StoreError> {
        let holder = format!("{invocation}/orphan/{name}");
        let lock = self.store.lock(nsg, &holder);
        let begun = self.clock.now();
        while !lock.take(true, self.clock.now()).await?
            && self.clock.now().since(begun) < self.tempo.delete_patience_seconds
        {
            tokio::time::sleep(PAUSE).await;
        }
        let removal = self.delete_and_look(nsg, name).await;
        if let Err(error) = lock.give_back().await {
            // The lease ends by itself.
            tracing::warn!(error = %error, "a lock was not given back");
        }
        Ok(removal)
    }

    async fn delete_and_look(&self, nsg: &ResourceId, name: &RuleName) -> Removal {
        let begun = self.clock.now();
        let in_time = || self.clock.now().since(begun) < self.tempo.budget_seconds;
        for _ in 0..self.tempo.attempts {
            match self.arm.delete_rule(nsg, name).await {
                Acted::Locked => return Removal::Refused("ScopeLocked".to_owned()),
                Acted::Refused(code) => return Removal::Refused(code),
                Acted::Done | Acted::Busy | Acted::Conflict | Acted::Unknown => {}
            }
            // Whatever a lost reply hides, the group shows.
            loop {
                match self.rule(nsg, name).await {
                    Ok(None) => return Removal::Gone,
                    Ok(Some(rule))
                        if rule.provisioning == access::nsg::Provisioning::Changing && in_time() => {}
                    _ => break,
                }
                tokio::time::sleep(PAUSE).await;
            }
            if !in_time() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Removal::Unfinished
    }
}
