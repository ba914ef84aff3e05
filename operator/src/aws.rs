//! AWS in the operator's name: the credentials of the environment, or else those that the AWS CLI gives.

use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use crate::vault::Vault;
use edge::config::Environment;
use edge::report::plain;
use edge::store::Store;
use serde::Deserialize;
use std::process::Command;

/// AWS, with credentials.
pub(crate) struct Aws {
    pub(crate) env: Environment,
    pub(crate) store: Store,
    pub(crate) vault: Vault,
}

/// What `aws configure export-credentials --format process` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Aws {
    /// Finds credentials; asks nobody yet.
    pub(crate) fn connect(config: &Config, outside: &Outside<'_>) -> Result<Self, Problem> {
        let env = config.environment(&outside.env);
        let env = if env.optional("AWS_ACCESS_KEY_ID").is_some() { env } else { exported(env)? };
        let store = Store::new(edge::aws::dynamodb(&env)?, config.table.clone());
        let vault = Vault::new(edge::aws::secrets_manager(&env)?, config.secret.clone());
        Ok(Self { env, store, vault })
    }
}

/// The environment with the credentials of the AWS CLI: of a profile, or of a login of AWS's single sign-on.
fn exported(env: Environment) -> Result<Environment, Problem> {
    let none = |why: &str| {
        Problem::NoAnswer(format!(
            "no AWS credentials ({why}): run aws sso login or aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ))
    };
    let arguments = ["configure", "export-credentials", "--format", "process"];
    let ran =
        Command::new("aws").args(arguments).output().map_err(|_| none("the AWS CLI is not on the PATH"))?;
    if !ran.status.success() {
        return Err(none(&plain(&String::from_utf8_lossy(&ran.stderr))));
    }
    // What cannot be read is not shown: it may hold a key.
    let exported: Exported =
        serde_json::from_slice(&ran.stdout).map_err(|_| none("what the AWS CLI prints is not understood"))?;
    let env = env
        .with("AWS_ACCESS_KEY_ID", &exported.access_key_id)
        .with("AWS_SECRET_ACCESS_KEY", &exported.secret_access_key);
    Ok(match exported.session_token {
        Some(token) => env.with("AWS_SESSION_TOKEN", &token),
        None => env,
    })
}
