//! The names of the rules that we write in Azure.

use super::{Installation, RequestId};
use std::fmt;

/// The name of a rule of ours: `jit-<installation>-<request id>`, or `jit-<installation>-shut-<id>` of a closing rule.
/// The only input of PUT and DELETE, so that no other rule can be touched.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RuleName {
    installation: Installation,
    id: RequestId,
    shuts: bool,
}

/// What stands before the id in the name of a closing rule.
const SHUT: &str = "shut-";

impl RuleName {
    /// The rule of this request.
    pub fn new(installation: &Installation, request: RequestId) -> Self {
        Self { installation: installation.clone(), id: request, shuts: false }
    }

    /// The closing rule with this id.
    pub fn closing(installation: &Installation, id: RequestId) -> Self {
        Self { installation: installation.clone(), id, shuts: true }
    }

    /// The request of this installation that a rule found in Azure belongs to, or `None` where the
    /// name is not exactly one of ours.
    pub fn request_of(name: &str, installation: &Installation) -> Option<RequestId> {
        Self::after_prefix(name, installation)?.parse().ok()
    }

    /// The id of the closing rule of this installation that a rule found in Azure is, or `None` where the name is not
    /// exactly one of ours.
    pub fn closing_id_of(name: &str, installation: &Installation) -> Option<RequestId> {
        Self::after_prefix(name, installation)?.strip_prefix(SHUT)?.parse().ok()
    }

    fn after_prefix<'n>(name: &'n str, installation: &Installation) -> Option<&'n str> {
        name.strip_prefix("jit-")?.strip_prefix(&installation.0)?.strip_prefix('-')
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "jit-{}-{}{}", self.installation, if self.shuts { SHUT } else { "" }, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_ours() {
        let ours: Installation = "prod".parse().unwrap();
        let id: RequestId = "7F3K9-QXM2P".parse().unwrap();
        assert_eq!(RuleName::new(&ours, id).to_string(), "jit-prod-7F3K9-QXM2P");
        assert_eq!(RuleName::request_of("jit-prod-7F3K9-QXM2P", &ours), Some(id));
        for other in [
            "jit-prod-shut-7F3K9-QXM2P",
            "jit-prod2-7F3K9-QXM2P",
            "jit-pro-7F3K9-QXM2P",
            "JIT-prod-7F3K9-QXM2P",
            "jit-prod-7F3K9-QXM2P2",
            "SecurityCenter-JITRule-1-a",
        ] {
            assert_eq!(RuleName::request_of(other, &ours), None, "{other}");
        }
    }

    #[test]
    fn closing_rules_have_names_of_their_own() {
        let ours: Installation = "prod".parse().unwrap();
        let id: RequestId = "7F3K9-QXM2P".parse().unwrap();
        let name = RuleName::closing(&ours, id).to_string();
        assert_eq!(name, "jit-prod-shut-7F3K9-QXM2P");
        assert_eq!(RuleName::closing_id_of(&name, &ours), Some(id));
        for other in
            ["jit-prod-7F3K9-QXM2P", "jit-prod-shut-7F3K9", "jit-prod2-shut-7F3K9-QXM2P", "shut-7F3K9-QXM2P"]
        {
            assert_eq!(RuleName::closing_id_of(other, &ours), None, "{other}");
        }
    }
}
