//! Locked down: what is open is shut at once, and nothing new is opened until an admin lifts it.
//!
//! That a lockdown stands in the table refuses grants; whoever can write the table could do that anyway. Ending what is
//! open takes more: the command as Slack signed it, by an admin, on exactly this pattern, a moment ago.

use crate::click::{App, ClickError};
use crate::command::{Command, parse};
use crate::evidence::{DECIDING_CLICK_SECONDS, Unproven, is_fresh};
use crate::frozen::Frozen;
use crate::lease::Timestamp;
use crate::lifecycle::SignedClick;
use crate::policy::{Admin, Groups, Policy, stands_for};
use crate::request::{MachineName, Malformed, RequestId, UserId};
use crate::signature::SigningKeys;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most lockdowns that are remembered, lifted ones too.
const REMEMBERED: usize = 50;

/// Names of machines, with `*` for any characters; compared without case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern(String);

impl NamePattern {
    /// The one that means every machine.
    pub fn everything() -> Self {
        Self("*".to_owned())
    }

    /// Whether a machine is meant.
    pub fn means(&self, name: &MachineName) -> bool {
        stands_for(&self.0, &name.as_str().to_ascii_lowercase())
    }
}

impl FromStr for NamePattern {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let shaped = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._*".contains(&b));
        if shaped {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(Malformed::MachineName(crate::request::clip(text)))
        }
    }
}

impl TryFrom<String> for NamePattern {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One lockdown.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Lockdown {
    /// Its id: the same for the same command, however often it is delivered.
    pub id: RequestId,
    /// Which machines.
    pub pattern: NamePattern,
    /// The admin.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// The command as Slack signed it.
    pub command: SignedClick,
    /// Who lifted it, and when; absent while it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<(UserId, Timestamp)>,
}

impl Lockdown {
    /// Whether it is in force.
    pub const fn is_in_force(&self) -> bool {
        self.lifted.is_none()
    }

    /// Whether it is so young that what it is about may still have to be ended by it. Nothing is opened later.
    pub fn ends_grants(&self, now: Timestamp) -> bool {
        self.is_in_force() && now.since(self.at) <= DECIDING_CLICK_SECONDS
    }

    /// Whether the stored command proves that an admin ordered this, so recently that it may end grants.
    ///
    /// # Errors
    /// What it does not prove.
    pub fn judge(
        &self,
        keys: &SigningKeys,
        app: &App,
        policy: &Policy,
        groups: &Groups,
        now: Timestamp,
    ) -> Result<Admin, Unproven> {
        let signed = &self.command;
        let verified = keys
            .verify_evidence(signed.key, &signed.timestamp, &signed.signature, signed.body.as_bytes())
            .map_err(|_| Unproven::Signature)?;
        let field = |name: &str| {
            form_urlencoded::parse(verified.body())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let is_ours = |name: &str| field(name).as_deref() == Some(app.team_id.as_str());
        if !(is_ours("team_id") || is_ours("enterprise_id"))
            || field("api_app_id").as_deref() != Some(&app.app_id)
        {
            return Err(Unproven::Click(ClickError::App));
        }
        let text = field("text").unwrap_or_default();
        if parse(&text) != Ok(Command::Lockdown { pattern: self.pattern.clone() }) {
            return Err(Unproven::OtherTerms);
        }
        if field("user_id").as_deref() != Some(self.by.as_str()) {
            return Err(Unproven::OtherPerson);
        }
        let admin = policy.admin(&self.by, groups);
        let admin = admin.ok_or_else(|| Unproven::NotEntitled { user: self.by.clone() })?;
        is_fresh(verified.signed_at(), now)?;
        Ok(admin)
    }
}

/// All lockdowns, and the people whose clicks do not count.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Lockdowns {
    /// The latest at the end.
    pub all: Vec<Lockdown>,
    /// People whose clicks do not count, the latest at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<Frozen>,
}

impl Lockdowns {
    /// Those in force.
    pub fn in_force(&self) -> impl Iterator<Item = &Lockdown> {
        self.all.iter().filter(|one| one.is_in_force())
    }

    /// The one by which nothing is opened on a machine; `None` where there is none.
    pub fn on(&self, machine: &MachineName) -> Option<&Lockdown> {
        self.in_force().find(|one| one.pattern.means(machine))
    }

    /// With one more. `None` where this very command is among them already, whatever became of it.
    pub fn with(&self, lockdown: Lockdown) -> Option<Self> {
        if self.all.iter().any(|one| one.id == lockdown.id) {
            return None;
        }
        let mut all = self.all.clone();
        all.push(lockdown);
        // What is in force is never forgotten.
        while all.len() > REMEMBERED {
            let Some(oldest) = all.iter().position(|one| !one.is_in_force()) else { break };
            all.remove(oldest);
        }
        Some(Self { all, ..self.clone() })
    }

    /// With all of this pattern lifted, of every pattern where none is given. `None` where none is in force.
    pub fn lifted(&self, pattern: Option<&NamePattern>, by: &UserId, at: Timestamp) -> Option<Self> {
        let mut all = self.all.clone();
        let meant =
            |one: &&mut Lockdown| one.is_in_force() && pattern.is_none_or(|pattern| one.pattern == *pattern);
        let mut lifted = 0;
        for one in all.iter_mut().filter(meant) {
            one.lifted = Some((by.clone(), at));
            lifted += 1;
        }
        (lifted > 0).then_some(Self { all, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::RequestHash;
    use crate::signature::SigningSecret;

    const POLICY: &str = "channel = \"C0JIT\"\nadmins = [\"U0CHRIS\"]\n[[rules]]\nname = \"a\"\nmachines = [\"*\"]\nrequesters = [\"*\"]\napprovers = [\"U0BEA\"]\nports = [22]\n";

    fn lockdown(text: &str, user: &str, pattern: &str, at: u64) -> Lockdown {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("team_id", "T0CONTOSO")
            .append_pair("api_app_id", "A0AJAR")
            .append_pair("text", text)
            .append_pair("user_id", user)
            .finish();
        let timestamp = at.to_string();
        let signature = SigningSecret::new("s").sign(&timestamp, body.as_bytes());
        let machine = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/a";
        Lockdown {
            id: RequestHash::of(&format!("{text}{at}"), &machine.parse().unwrap()).candidate(0),
            pattern: pattern.parse().unwrap(),
            by: user.parse().unwrap(),
            at: Timestamp::from_unix(at),
            command: SignedClick { body, timestamp, signature, key: None },
            lifted: None,
        }
    }

    #[test]
    fn only_an_admins_fresh_command_with_this_pattern_proves_it() {
        let policy = Policy::parse(POLICY).unwrap();
        let keys = SigningKeys::new(SigningSecret::new("s"), vec![]);
        let judge_for = |app: &str, one: &Lockdown, now: u64| {
            let app = App { team_id: "T0CONTOSO".to_owned(), app_id: app.to_owned() };
            one.judge(&keys, &app, &policy, &Groups::default(), Timestamp::from_unix(now))
                .map(|admin| admin.user().clone())
        };
        let judge = |one: &Lockdown, now: u64| judge_for("A0AJAR", one, now);
        let right = lockdown("lockdown db*", "U0CHRIS", "DB*", 1000);
        assert_eq!(judge_for("A0OTHER", &right, 1100), Err(Unproven::Click(ClickError::App)));
        assert_eq!(judge(&right, 1100), Ok("U0CHRIS".parse().unwrap()));
        assert_eq!(judge(&lockdown("lockdown", "U0CHRIS", "*", 1000), 1100), Ok("U0CHRIS".parse().unwrap()));
        assert_eq!(judge(&right, 1901), Err(Unproven::TooOld));
        assert_eq!(judge(&right, 600), Err(Unproven::TooOld));
        assert_eq!(judge(&lockdown("lockdown db*", "U0CHRIS", "*", 1000), 1100), Err(Unproven::OtherTerms));
        assert_eq!(judge(&lockdown("lift db*", "U0CHRIS", "db*", 1000), 1100), Err(Unproven::OtherTerms));
        let not_admin = Err(Unproven::NotEntitled { user: "U0BEA".parse().unwrap() });
        assert_eq!(judge(&lockdown("lockdown db*", "U0BEA", "db*", 1000), 1100), not_admin);
        let other =
            Lockdown { by: "U0CHRIS".parse().unwrap(), ..lockdown("lockdown db*", "U0BEA", "db*", 1000) };
        assert_eq!(judge(&other, 1100), Err(Unproven::OtherPerson));
        let mut forged = right;
        forged.command.signature = format!("v0={}", "0".repeat(64));
        assert_eq!(judge(&forged, 1100), Err(Unproven::Signature));
    }

    #[test]
    fn what_is_in_force_is_found_and_lifted() {
        let name = |text: &str| text.parse::<MachineName>().unwrap();
        let none = Lockdowns::default();
        let one = none.with(lockdown("lockdown db*", "U0CHRIS", "db*", 1000)).unwrap();
        assert_eq!(one.with(one.all[0].clone()), None, "the same command again");
        let two = one.with(lockdown("lockdown", "U0CHRIS", "*", 2000)).unwrap();
        assert_eq!(one.on(&name("DB1")).map(|one| one.id), Some(one.all[0].id));
        assert!(one.on(&name("VM3")).is_none() && two.on(&name("VM3")).is_some());
        let by: UserId = "U0CHRIS".parse().unwrap();
        let lifted = two.lifted(Some(&NamePattern::everything()), &by, Timestamp::from_unix(3000)).unwrap();
        assert!(lifted.on(&name("VM3")).is_none() && lifted.on(&name("db1")).is_some());
        let all = lifted.lifted(None, &by, Timestamp::from_unix(3001)).unwrap();
        assert_eq!(all.in_force().count(), 0);
        assert_eq!(all.lifted(None, &by, Timestamp::from_unix(3002)), None);
        assert_eq!(all.with(one.all[0].clone()), None, "a command that was lifted does not come back");
    }
}
