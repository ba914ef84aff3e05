//! What the functions need, read from where it is granted: the Terraform of this very version.

const ROLES: &str = include_str!("../../infra/terraform/modules/azure/roles.tf");
const SLACK: &str = include_str!("../../infra/terraform/modules/slack/main.tf");

/// The actions that a role in Azure must have: `grant`, `revoke`, `discover` or `watch`.
pub(crate) fn actions(role: &str) -> Vec<&'static str> {
    let lists = ROLES.split_once("actions = {").map_or("", |(_, rest)| rest);
    texts(lists, role)
}

/// The scopes that the bot token must have.
pub(crate) fn scopes() -> Vec<&'static str> {
    texts(SLACK, "bot")
}

/// The texts of the first list of this name in a file of Terraform: `name = [ "one", "two" ]`, with comments.
fn texts(source: &'static str, name: &str) -> Vec<&'static str> {
    let mut lines = source.lines().map(|line| line.split('#').next().unwrap_or_default());
    let begins = |line: &&str| {
        line.split_once('=').is_some_and(|(left, right)| left.trim() == name && right.trim() == "[")
    };
    if lines.find(begins).is_none() {
        return vec![];
    }
    let inside = lines.take_while(|line| line.trim() != "]");
    inside.flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terraform_grants_is_what_is_needed() {
        let rules = "Microsoft.Network/networkSecurityGroups/securityRules/";
        let has = |role: &str, verb: &str| actions(role).contains(&format!("{rules}{verb}").as_str());
        assert!(has("grant", "write") && !has("grant", "delete"));
        assert!(has("revoke", "delete") && !has("revoke", "write"));
        assert!(!has("discover", "write") && !has("discover", "delete") && has("discover", "read"));
        assert!(actions("watch").contains(&"Microsoft.Network/networkWatchers/ipFlowVerify/action"));
        assert!(actions("nobody").is_empty());
        assert!(scopes().contains(&"chat:write") && scopes().contains(&"commands"), "{:?}", scopes());
    }
}
