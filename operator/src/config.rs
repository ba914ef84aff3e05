//! The operator's configuration, as Terraform prints it.

use crate::ending::Problem;
use access::request::{Installation, ResourceId};
use edge::config::{Environment, is_loopback};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// How the file is made.
const MAKE: &str = "terraform -chdir=infra/terraform output -raw operator > ajar.json";

/// Addresses that a test or a rehearsal redirects to this machine.
const REDIRECTED: [&str; 7] = [
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_STS",
    "AJAR_ARM_URL",
    "AJAR_ENTRA_URL",
    "AJAR_SLACK_API_URL",
];

/// One installation.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) installation: Installation,
    pub(crate) region: String,
    pub(crate) table: String,
    /// The ARN of Slack's secret.
    pub(crate) secret: String,
    /// Where requests are kept that are over.
    pub(crate) archive_bucket: String,
    /// The functions' names in AWS.
    pub(crate) functions: Functions,
    /// Where Slack sends commands.
    pub(crate) command_url: String,
    pub(crate) azure: Azure,
}

/// The functions' names in AWS.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Functions {
    pub(crate) request: String,
    pub(crate) grant: String,
    pub(crate) revoke: String,
    pub(crate) notify: String,
    pub(crate) discover: String,
}

/// The Azure side.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Azure {
    pub(crate) tenant_id: String,
    /// Whose machines may be asked for.
    pub(crate) subscriptions: Vec<String>,
    /// Where rules may be written.
    pub(crate) scopes: Vec<ResourceId>,
    /// As the functions name their identities to Entra.
    pub(crate) client_ids: Identities,
    /// As Azure's roles name them.
    pub(crate) principal_ids: Identities,
}

/// One id for each function that has an identity in Azure.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identities {
    pub(crate) grant: String,
    pub(crate) revoke: String,
    pub(crate) discover: String,
}

impl Config {
    /// Reads the file: that which was named, or `AJAR_CONFIG`, or `ajar.json` here.
    pub(crate) fn read(named: Option<&Path>, env: &Environment) -> Result<Self, Problem> {
        let path = named.map(Path::to_path_buf);
        let path = path.or_else(|| env.optional("AJAR_CONFIG").map(PathBuf::from));
        let path = path.unwrap_or_else(|| PathBuf::from("ajar.json"));
        let shown = path.display();
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            Problem::Unusable(format!("{shown} cannot be read ({cause}); make it with `{MAKE}`"))
        })?;
        let config: Self = serde_json::from_str(&text).map_err(|error| {
            Problem::Unusable(format!(
                "{shown} is not the operator's configuration ({error}); make it with `{MAKE}`"
            ))
        })?;
        config.check().map_err(|why| Problem::Unusable(format!("{shown}: {why}; make it with `{MAKE}`")))?;
        for name in REDIRECTED {
            let elsewhere =
                env.optional(name).filter(|text| !text.parse().is_ok_and(|url| is_loopback(&url)));
            if let Some(text) = elsewhere {
                return Err(Problem::Unusable(format!(
                    "{name} is {text}, and only an address of this machine may stand there, because your credentials are sent to it: unset it"
                )));
            }
        }
        Ok(config)
    }

    /// What serde does not check.
    fn check(&self) -> Result<(), String> {
        let Functions { request, grant, revoke, notify, discover } = &self.functions;
        let Azure { subscriptions, scopes, principal_ids, .. } = &self.azure;
        let Identities { grant: one, revoke: two, discover: three } = principal_ids;
        let texts = [
            ("region", &self.region),
            ("table", &self.table),
            ("secret", &self.secret),
            ("archive_bucket", &self.archive_bucket),
            ("functions.request", request),
            ("functions.grant", grant),
            ("functions.revoke", revoke),
            ("functions.notify", notify),
            ("functions.discover", discover),
            ("azure.principal_ids.grant", one),
            ("azure.principal_ids.revoke", two),
            ("azure.principal_ids.discover", three),
        ];
        if let Some((name, _)) = texts.iter().find(|(_, text)| text.is_empty()) {
            return Err(format!("{name} is empty"));
        }
        if subscriptions.is_empty() || scopes.is_empty() {
            return Err("azure.subscriptions and azure.scopes must each name one at least".to_owned());
        }
        let shaped = |id: &&String| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if let Some(other) = subscriptions.iter().find(|id| id.is_empty() || !shaped(id)) {
            return Err(format!("azure.subscriptions: `{other}` is not a subscription's id"));
        }
        let url = self.command_url.parse::<reqwest::Url>().ok();
        if !url.is_some_and(|url| url.scheme() == "https" || is_loopback(&url)) {
            return Err("command_url is not an address that begins with https://".to_owned());
        }
        Ok(())
    }

    /// The environment of the clients that ask AWS, without credentials.
    pub(crate) fn environment(&self, env: &Environment) -> Environment {
        env.clone()
            .with("AWS_REGION", &self.region)
            .with("AJAR_SECRET_ID", &self.secret)
            .with("AJAR_TABLE", &self.table)
    }

    /// Whether rules may be written there.
    pub(crate) fn reaches(&self, nsg: &ResourceId) -> bool {
        let key = nsg.key();
        self.azure.scopes.iter().any(|scope| key.starts_with(&format!("{}/", scope.key())))
    }
}
