//! A fence around what may be written in Azure: a deployed function's role is its fence; where a
//! person's own login is used, which may do anything, this one keeps to one network security group.

use access::lifecycle::NetworkFault;
use access::request::{ResourceId, RuleName};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{RwLock, RwLockReadGuard};

/// Which groups' rules may be written and deleted. Reading is free. Clones are the same fence.
#[derive(Clone, Debug, Default)]
pub struct Fence(Option<Arc<Only>>);

#[derive(Debug)]
struct Only {
    nsg: ResourceId,
    /// Whether writing has ended. Whoever writes holds it for reading until Azure has answered.
    ended: RwLock<bool>,
    /// Whether a write has had no answer: it may still land.
    unanswered: AtomicBool,
}

/// Not the id of a network security group.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{0}` is not the id of a network security group; one looks like /subscriptions/<subscription>/resourceGroups/<group>/providers/Microsoft.Network/networkSecurityGroups/<name>"
)]
pub struct NotAGroup(String);

/// Leave to write or delete one rule. Only a fence gives it, and nothing that changes anything is sent
/// without one.
#[derive(Debug)]
pub(super) struct Permit<'f> {
    path: String,
    held: Option<(&'f Only, RwLockReadGuard<'f, bool>)>,
    answered: bool,
}

/// Why there is no leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoPermit {
    /// The rule is in another group.
    Outside,
    /// Writing has ended.
    Ended,
}

impl Permit<'_> {
    /// The path of the rule.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Azure has answered: nothing of this write can land later.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Permit<'_> {
    /// Also where the caller was cut off while it waited for the answer.
    fn drop(&mut self) {
        if let Some((only, _)) = self.held.as_ref().filter(|_| !self.answered) {
            only.unanswered.store(true, Ordering::SeqCst);
        }
    }
}

impl Fence {
    /// Around this group and no other.
    ///
    /// # Errors
    /// It is not a group's id.
    pub fn around(nsg: ResourceId) -> Result<Self, NotAGroup> {
        let segments: Vec<&str> = nsg.as_str().split('/').collect();
        let shaped = matches!(segments.as_slice(),
            ["", subscriptions, subscription, groups, group, providers, network, kind, name]
                if subscriptions.eq_ignore_ascii_case("subscriptions")
                    && groups.eq_ignore_ascii_case("resourceGroups")
                    && providers.eq_ignore_ascii_case("providers")
                    && network.eq_ignore_ascii_case("Microsoft.Network")
                    && kind.eq_ignore_ascii_case("networkSecurityGroups")
                    // A segment of dots would be taken out of the address that is called.
                    && [subscription, group, name].iter().all(|one| !one.trim_matches('.').is_empty()));
        if !shaped {
            return Err(NotAGroup(nsg.as_str().to_owned()));
        }
        let only = Only { nsg, ended: RwLock::new(false), unanswered: AtomicBool::new(false) };
        Ok(Self(Some(Arc::new(only))))
    }

    /// Whether a way that leads through these groups may be opened.
    ///
    /// # Errors
    /// It leads through another group.
    pub fn admits(&self, groups: &[ResourceId]) -> Result<(), NetworkFault> {
        let Some(only) = &self.0 else { return Ok(()) };
        groups.iter().find(|group| **group != only.nsg).map_or(Ok(()), |other| {
            Err(NetworkFault::Fenced { nsg: other.name().to_owned(), only: only.nsg.name().to_owned() })
        })
    }

    /// From now on no rule is written; what is under way has been answered, or has run out of time, when
    /// this returns. Deleting goes on. Gives whether all writes have had an answer: one without may
    /// still land.
    pub async fn end_writing(&self) -> bool {
        let Some(only) = &self.0 else { return true };
        *only.ended.write().await = true;
        !only.unanswered.load(Ordering::SeqCst)
    }

    /// Leave to write a rule.
    pub(super) async fn put(&self, nsg: &ResourceId, name: &RuleName) -> Result<Permit<'_>, NoPermit> {
        let mut permit = self.delete(nsg, name)?;
        if let Some(only) = self.0.as_deref() {
            let ended = only.ended.read().await;
            if *ended {
                return Err(NoPermit::Ended);
            }
            permit.held = Some((only, ended));
        }
        Ok(permit)
    }

    /// Leave to delete a rule.
    pub(super) fn delete(&self, nsg: &ResourceId, name: &RuleName) -> Result<Permit<'_>, NoPermit> {
        if self.admits(std::slice::from_ref(nsg)).is_err() {
            return Err(NoPermit::Outside);
        }
        Ok(Permit { path: format!("{nsg}/securityRules/{name}"), held: None, answered: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const GROUP: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/one";

    fn id(text: &str) -> ResourceId {
        text.parse().unwrap()
    }

    fn rule() -> RuleName {
        RuleName::new(&"laptop".parse().unwrap(), "7F3K9-QXM2P".parse().unwrap())
    }

    #[test]
    fn only_a_groups_id_makes_a_fence() {
        assert!(Fence::around(id(GROUP)).is_ok());
        assert!(Fence::around(id(&GROUP.to_uppercase())).is_ok());
        for other in [
            "/subscriptions/s",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/one",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/one/securityRules/r",
            "/subscriptions/s/resourceGroups/./providers/Microsoft.Network/networkSecurityGroups/one",
        ] {
            assert_eq!(Fence::around(id(other)).unwrap_err(), NotAGroup(other.to_owned()));
        }
    }

    #[test]
    fn another_group_is_outside_in_any_spelling() {
        let fence = Fence::around(id(GROUP)).unwrap();
        let other = id(&GROUP.replace("/one", "/another"));
        assert_eq!(fence.admits(&[id(GROUP), id(&GROUP.to_uppercase())]), Ok(()));
        let fault = NetworkFault::Fenced { nsg: "another".to_owned(), only: "one".to_owned() };
        assert_eq!(fence.admits(&[id(GROUP), other.clone()]), Err(fault));
        assert_eq!(fence.delete(&other, &rule()).unwrap_err(), NoPermit::Outside);
        let put = fence.put(&other, &rule()).now_or_never().unwrap();
        assert_eq!(put.unwrap_err(), NoPermit::Outside);
        assert!(Fence::default().delete(&other, &rule()).is_ok());
    }

    #[test]
    fn writing_ends_when_the_last_write_is_answered() {
        let fence = Fence::around(id(GROUP)).unwrap();
        fence.put(&id(GROUP), &rule()).now_or_never().unwrap().unwrap().answered();
        assert_eq!(fence.clone().end_writing().now_or_never(), Some(true));
        let fence = Fence::around(id(GROUP)).unwrap();
        let writing = fence.put(&id(GROUP), &rule()).now_or_never().unwrap().unwrap();
        assert_eq!(writing.path(), format!("{GROUP}/securityRules/jit-laptop-7F3K9-QXM2P"));
        let mut ending = Box::pin(fence.end_writing());
        assert_eq!(ending.as_mut().now_or_never(), None);
        drop(writing);
        assert_eq!(ending.now_or_never(), Some(false));
        let put = fence.put(&id(GROUP), &rule()).now_or_never().unwrap();
        assert_eq!(put.unwrap_err(), NoPermit::Ended);
        assert!(fence.delete(&id(GROUP), &rule()).is_ok());
    }
}
