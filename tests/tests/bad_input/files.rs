//! Policies, the functions' configuration, and single texts that come from elsewhere.

use crate::{Walk, long};
use access::policy::Policy;
use access::request::{Installation, Malformed, RequestId, ResourceId, UserId};
use edge::config::{ConfigError, Environment};
use sandbox::host::TABLE;
use sandbox::host::wiring::INSTALLATION;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A policy file, or what is written at the end of a good one, and all its problems.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFile {
    #[serde(default)]
    text: String,
    #[serde(default)]
    with: String,
    problems: Vec<String>,
}

/// Seven lines without a problem, the last of a rule's.
const GOOD: &str = "channel = \"C0JIT\"\n[[rules]]\nname = \"a\"\nmachines = [\"VM*\"]\nrequesters = [\"*\"]\napprovers = [\"U0BEA\"]\nports = [22]\n";

/// Changes to a function's environment, and why it does not start.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    function: String,
    set: BTreeMap<String, String>,
    says: String,
}

/// A text that is no value of this type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parse {
    what: String,
    text: String,
    says: String,
}

pub(crate) fn policies(walk: &mut Walk, rows: &[PolicyFile]) {
    assert!(rows.len() >= 40, "{} bad policies", rows.len());
    for row in rows {
        let text = if row.with.is_empty() { row.text.clone() } else { format!("{GOOD}{}", long(&row.with)) };
        let problems = Policy::parse(&text).err().unwrap_or_default();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        walk.expect(&format!("policy {text}"), &row.problems.join("\n"), &problems.join("\n"));
    }
}

pub(crate) async fn configs(walk: &mut Walk, rows: &[Config]) {
    for row in rows {
        let identities = walk.world.azure.identities();
        let identity = identities.iter().find(|identity| identity.function == row.function).unwrap().clone();
        let at = walk.sandbox.addresses();
        let mut variables: BTreeMap<String, String> = [
            ("AJAR_INSTALLATION", INSTALLATION.to_owned()),
            ("AJAR_TABLE", TABLE.to_owned()),
            ("AJAR_POLICY_FILE", "policy.toml".to_owned()),
            ("AJAR_SECRET_ID", "ajar/slack".to_owned()),
            ("AJAR_SLACK_TEAM_ID", "T0CONTOSO".to_owned()),
            ("AJAR_SLACK_APP_ID", "A0AJAR".to_owned()),
            ("AJAR_SLACK_API_URL", at.slack_api_url()),
            ("AJAR_ARM_URL", at.arm_url()),
            ("AJAR_AZURE_SUBSCRIPTIONS", sandbox::azure::SUBSCRIPTION_ID.to_owned()),
            ("AJAR_ENTRA_URL", at.entra_url()),
            ("AJAR_AZURE_TENANT_ID", sandbox::azure::TENANT_ID.to_owned()),
            ("AJAR_AZURE_CLIENT_ID", identity.client_id.unwrap_or_default()),
            ("AJAR_REVOKE_FUNCTION", "revoke".to_owned()),
            ("AJAR_DISCOVER_FUNCTION", "discover".to_owned()),
            ("AJAR_AZURE_SUBSCRIPTIONS", sandbox::azure::SUBSCRIPTION_ID.to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", identity.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", identity.secret_access_key),
            ("AWS_ENDPOINT_URL_DYNAMODB", at.aws_url()),
            ("AWS_ENDPOINT_URL_LAMBDA", at.aws_url()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", at.aws_url()),
            ("AWS_ENDPOINT_URL_STS", at.entra_url()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        variables.extend(row.set.clone());
        let env = Environment::of(variables)
            .with_file("policy.toml", sandbox::host::wiring::POLICY)
            .with_file("broken.toml", "chanel = \"C0JIT\"");
        let clock = walk.sandbox.clock().clone();
        let error = match row.function.as_str() {
            "request" => request::Deps::new(&env, clock).await.err(),
            "grant" => grant::Deps::new(&env, clock).await.err(),
            "revoke" => revoke::Deps::new(&env, clock).await.err(),
            "discover" => discover::Deps::new(&env, clock).await.err(),
            _ => notify::Deps::new(&env, clock).await.err(),
        };
        let said = error.map_or_else(String::new, |error| {
            walk.see(&error);
            error.to_string()
        });
        walk.expect(&format!("{} with {:?}", row.function, row.set), &row.says, &said);
    }
}

pub(crate) fn parses(walk: &mut Walk, rows: &[Parse]) {
    for row in rows {
        let text = row.text.as_str();
        let error: Option<Malformed> = match row.what.as_str() {
            "request id" => text.parse::<RequestId>().err(),
            "user id" => text.parse::<UserId>().err(),
            "resource id" => text.parse::<ResourceId>().err(),
            "installation" => text.parse::<Installation>().err(),
            // What the system says when it has no certificates cannot be brought about from outside.
            _ => {
                let error = ConfigError::Http(text.to_owned());
                walk.see(&error);
                walk.expect(&row.what, &row.says, &error.to_string());
                continue;
            }
        };
        let error = error.unwrap();
        walk.see(&error);
        walk.expect(&format!("{} {text:?}", row.what), &row.says, &error.to_string());
    }
}
