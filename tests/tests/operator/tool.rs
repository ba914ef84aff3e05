//! Runs the tool as a library.

use ajar::{Input, Outside};
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration, OffsetDateTime};
use edge::clock::Clock;
use edge::config::Environment;
use sandbox::azure;
use sandbox::host::Sandbox;
use sandbox::host::wiring::{INSTALLATION, SECRET_ID, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// An address at which nobody listens: port 9 of this machine is for discarding.
pub(crate) const NOBODY: &str = "http://127.0.0.1:9";

/// A login that has its token already.
#[derive(Debug)]
struct Given(String);

#[async_trait::async_trait]
impl TokenCredential for Given {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(self.0.clone(), OffsetDateTime::now_utc() + Duration::hours(1)))
    }
}

/// The tool, with a configuration file of its own.
pub(crate) struct Tool {
    directory: PathBuf,
    /// What is in the file.
    pub(crate) config: Value,
    /// The environment's variables.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) clock: Clock,
    login: String,
}

/// How a run has ended.
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Ran {
    /// The output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.output)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.output, self.errors))
    }
}

impl Tool {
    /// For this sandbox, whose configuration is as Terraform prints it.
    pub(crate) fn new(sandbox: &Sandbox, world: &World) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ajar-operator-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let identity = |function: &str| {
            let all = world.azure.identities();
            all.iter().find(|one| one.function == function).unwrap().clone()
        };
        let of = |pick: fn(azure::Function) -> String| json!({"grant": pick(identity("grant")), "revoke": pick(identity("revoke")), "discover": pick(identity("discover"))});
        let addresses = sandbox.addresses();
        let config = json!({
            "installation": INSTALLATION, "region": "eu-central-1", "table": "ajar",
            "secret": format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{SECRET_ID}-a1B2c3"),
            "archive_bucket": "ajar-sandbox-archive",
            "functions": {"request": "request", "grant": "grant", "revoke": "revoke", "notify": "notify", "discover": "discover"},
            "command_url": format!("{}/slack/command", addresses.page_url()),
            "azure": {
                "tenant_id": azure::TENANT_ID,
                "subscriptions": [azure::SUBSCRIPTION_ID, azure::OTHER_SUBSCRIPTION_ID],
                "scopes": [format!("/subscriptions/{}/resourceGroups/{}", azure::SUBSCRIPTION_ID, azure::RESOURCE_GROUP)],
                "client_ids": of(|one| one.client_id.unwrap_or_default()),
                "principal_ids": of(|one| one.object_id),
            },
        });
        let operator = azure::operator();
        let variables = [
            ("AWS_ACCESS_KEY_ID", operator.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", operator.secret_access_key),
            ("AWS_ENDPOINT_URL_DYNAMODB", addresses.aws_url()),
            ("AWS_ENDPOINT_URL_LAMBDA", addresses.aws_url()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", addresses.aws_url()),
            ("AWS_ENDPOINT_URL_STS", addresses.entra_url()),
            ("AJAR_ARM_URL", addresses.arm_url()),
            ("AJAR_ENTRA_URL", addresses.entra_url()),
            ("AJAR_SLACK_API_URL", addresses.slack_api_url()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let (clock, login) = (sandbox.clock().clone(), world.azure.owner_token());
        Self { directory, config, variables, clock, login }
    }

    /// AWS is down: nobody listens, and there are no credentials.
    pub(crate) fn without_aws(mut self) -> Self {
        for (name, value) in &mut self.variables {
            if name.starts_with("AWS_ENDPOINT_URL") {
                *value = NOBODY.to_owned();
            }
        }
        self.variables.retain(|name, _| name.starts_with("AWS_ENDPOINT_URL") || name.starts_with("AJAR_"));
        self
    }

    /// The configuration's file, as it is now.
    pub(crate) fn file(&self) -> PathBuf {
        let file = self.directory.join("ajar.json");
        std::fs::write(&file, self.config.to_string()).unwrap();
        file
    }

    /// Where the file is.
    pub(crate) fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// The login's token, as `az` would give it.
    pub(crate) fn login(&self) -> &str {
        &self.login
    }

    /// Runs one command; `typed` is what it reads.
    pub(crate) async fn run(&self, arguments: &[&str], typed: &str) -> Ran {
        let file = self.file();
        let all = ["ajar", "--config", file.to_str().unwrap()].into_iter().chain(arguments.iter().copied());
        let all: Vec<_> = all.map(std::ffi::OsString::from).collect();
        let (mut output, mut errors) = (vec![], vec![]);
        let outside = Outside {
            env: Environment::of(self.variables.clone()),
            clock: self.clock.clone(),
            input: Input::Lines(Box::new(Cursor::new(typed.to_owned()))),
            output: &mut output,
            errors: &mut errors,
            login: Some(Arc::new(Given(self.login.clone()))),
        };
        let code = ajar::run(all, outside).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code, output: text(output), errors: text(errors) }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
