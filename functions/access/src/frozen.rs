//! People whose clicks do not count: an approval in their name was not theirs.
//!
//! Somebody may use their Slack account, or know the secret that Slack signs with. Until an admin lifts it nothing that
//! is clicked in their name decides anything. It stands beside the lockdowns, which whoever decides reads anyway.

use crate::lease::Timestamp;
use crate::lockdown::Lockdowns;
use crate::request::{MachineName, RequestId, UserId};
use serde::{Deserialize, Serialize};

/// The most that are remembered, lifted ones too.
const REMEMBERED: usize = 50;

/// Somebody whose clicks do not count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Frozen {
    /// Who.
    pub user: UserId,
    /// Since when.
    pub at: Timestamp,
    /// The request that was approved in their name.
    pub request: RequestId,
    /// Who asked for it.
    pub requester: UserId,
    /// For which machine.
    pub machine: MachineName,
    /// Who lifted it, and when; absent while it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<(UserId, Timestamp)>,
}

impl Frozen {
    /// What tells this one from all others.
    pub fn key(&self) -> String {
        format!("{} {}", self.user, self.at.unix())
    }
}

impl Lockdowns {
    /// Why somebody's clicks do not count; `None` where they do.
    pub fn frozen(&self, user: &UserId) -> Option<&Frozen> {
        self.frozen.iter().find(|one| one.lifted.is_none() && one.user == *user)
    }

    /// With one more whose clicks do not count. `None` where they do not already.
    pub fn freezing(&self, frozen: Frozen) -> Option<Self> {
        if self.frozen(&frozen.user).is_some() {
            return None;
        }
        let mut with = self.clone();
        with.frozen.push(frozen);
        // Who is frozen is never forgotten.
        while with.frozen.len() > REMEMBERED {
            let Some(oldest) = with.frozen.iter().position(|one| one.lifted.is_some()) else { break };
            with.frozen.remove(oldest);
        }
        Some(with)
    }

    /// With somebody's clicks counting again. `None` where they do already.
    pub fn thawed(&self, user: &UserId, by: &UserId, at: Timestamp) -> Option<Self> {
        let mut with = self.clone();
        let frozen = with.frozen.iter_mut().find(|one| one.lifted.is_none() && one.user == *user)?;
        frozen.lifted = Some((by.clone(), at));
        Some(with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frozen(user: &str, at: u64) -> Frozen {
        Frozen {
            user: user.parse().unwrap(),
            at: Timestamp::from_unix(at),
            request: "7F3K9-QXM2P".parse().unwrap(),
            requester: "U0ANA".parse().unwrap(),
            machine: "VM3".parse().unwrap(),
            lifted: None,
        }
    }

    #[test]
    fn clicks_count_again_only_once_it_is_lifted() {
        let (bea, chris): (UserId, UserId) = ("U0BEA".parse().unwrap(), "U0CHRIS".parse().unwrap());
        let none = Lockdowns::default();
        assert_eq!(none.frozen(&bea), None);
        let one = none.freezing(frozen("U0BEA", 1000)).unwrap();
        assert_eq!(one.frozen(&bea).map(|one| one.at.unix()), Some(1000));
        assert_eq!(one.frozen(&chris), None);
        assert_eq!(one.freezing(frozen("U0BEA", 2000)), None, "the first moment stays");
        assert_eq!(one.thawed(&chris, &chris, Timestamp::from_unix(3000)), None);
        let again = one.thawed(&bea, &chris, Timestamp::from_unix(3000)).unwrap();
        assert_eq!(again.frozen(&bea), None);
        let twice = again.freezing(frozen("U0BEA", 4000)).unwrap();
        assert_eq!(twice.frozen(&bea).map(|one| one.at.unix()), Some(4000));
    }

    #[test]
    fn who_is_frozen_is_not_forgotten_for_others() {
        let mut all = Lockdowns::default().freezing(frozen("U0BEA", 1)).unwrap();
        for n in 0..2 * REMEMBERED {
            let user = format!("U0X{n}");
            all = all.freezing(frozen(&user, 2)).unwrap();
            let by = "U0CHRIS".parse().unwrap();
            all = all.thawed(&user.parse().unwrap(), &by, Timestamp::from_unix(3)).unwrap();
        }
        assert!(all.frozen(&"U0BEA".parse().unwrap()).is_some());
        assert_eq!(all.frozen.len(), REMEMBERED);
    }
}
