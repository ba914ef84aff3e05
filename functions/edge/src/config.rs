//! Configuration: the environment of a function, read once at its start. What is missing or wrong is
//! one sentence that names the variable.

use crate::arm::Operator;
use access::policy::{Policy, Problem};
use access::request::{Installation, Malformed};
use std::collections::BTreeMap;

/// Environment variables and the files they name.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    // Not a variable: nothing in its environment can make a deployed function use a person's login.
    operator: Option<Operator>,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable is not set.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A variable holds something else than it should.
    #[error("{name}: {why}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A file cannot be read.
    #[error("{name}: cannot read {path}: {cause}")]
    File {
        /// The variable that names it.
        name: &'static str,
        /// Which file.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// The policy has problems.
    #[error("the policy has {} problem(s): {}", .0.len(), joined(.0))]
    Policy(Vec<Problem>),
    /// The secret cannot be read.
    #[error("AJAR_SECRET_ID: {0}")]
    Secret(String),
    /// An HTTP client cannot be made.
    #[error("no HTTP client: {0}")]
    Http(String),
}

/// Whether an address is on this machine.
pub fn is_loopback(url: &reqwest::Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

fn joined(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<Malformed> for ConfigError {
    fn from(why: Malformed) -> Self {
        Self::Malformed { name: "AJAR_INSTALLATION", why: why.to_string() }
    }
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        Self { variables: std::env::vars().collect(), ..Self::default() }
    }

    /// One that is given instead: how several functions live in one process.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect(), ..Self::default() }
    }

    /// With a variable set to this.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a file that is not on disk.
    #[must_use]
    pub fn with_file(mut self, path: &str, contents: &str) -> Self {
        self.files.insert(path.to_owned(), contents.to_owned());
        self
    }

    /// With an operator's login in place of the function's identity in Azure.
    #[must_use]
    pub fn with_operator(mut self, operator: Operator) -> Self {
        self.operator = Some(operator);
        self
    }

    /// The operator whose login is used, if one is.
    pub(crate) const fn operator(&self) -> Option<&Operator> {
        self.operator.as_ref()
    }

    /// A variable that has a default or may be absent; an empty one counts as absent.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that must be set.
    ///
    /// # Errors
    /// It is not.
    pub fn required(&self, name: &'static str) -> Result<&str, ConfigError> {
        self.optional(name).ok_or(ConfigError::Missing(name))
    }

    /// A switch that is on unless it is `off`.
    ///
    /// # Errors
    /// Neither `on` nor `off`.
    pub fn on(&self, name: &'static str) -> Result<bool, ConfigError> {
        match self.optional(name) {
            None | Some("on") => Ok(true),
            Some("off") => Ok(false),
            Some(other) => {
                let why = format!("`{other}` is no switch; write on or off");
                Err(ConfigError::Malformed { name, why })
            }
        }
    }

    /// An address; plain HTTP only to this machine itself.
    ///
    /// # Errors
    /// Not an address, or unencrypted to somewhere else.
    pub fn url(&self, name: &'static str, default: &'static str) -> Result<reqwest::Url, ConfigError> {
        let malformed = |why: String| ConfigError::Malformed { name, why };
        let text = self.optional(name).unwrap_or(default);
        let url: reqwest::Url = text
            .parse()
            .map_err(|_| malformed(format!("`{text}` is not an address; write one like {default}")))?;
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_loopback(&url) => Ok(url),
            _ => Err(malformed(format!("`{text}` is not encrypted; write one like {default}"))),
        }
    }

    /// The name of this installation, part of every rule's name.
    ///
    /// # Errors
    /// Missing or malformed.
    pub fn installation(&self) -> Result<Installation, ConfigError> {
        Ok(self.required("AJAR_INSTALLATION")?.parse()?)
    }

    /// The Azure subscriptions whose machines may be asked for.
    ///
    /// # Errors
    /// Missing, or not ids with commas between them.
    pub fn subscriptions(&self) -> Result<Vec<String>, ConfigError> {
        const NAME: &str = "AJAR_AZURE_SUBSCRIPTIONS";
        let shaped = |id: &str| {
            (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let ids: Vec<String> = self.required(NAME)?.split(',').map(|id| id.trim().to_owned()).collect();
        match ids.iter().find(|id| !shaped(id)) {
            None => Ok(ids),
            Some(id) => Err(ConfigError::Malformed {
                name: NAME,
                why: format!("`{id}` is not a subscription's id; write ids with commas between them"),
            }),
        }
    }

    /// The policy, from the file that was delivered with the function.
    ///
    /// # Errors
    /// Missing, unreadable, or with problems, all of them.
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        const NAME: &str = "AJAR_POLICY_FILE";
        let path = self.required(NAME)?;
        let text = match self.files.get(path) {
            Some(text) => text.clone(),
            None => std::fs::read_to_string(path).map_err(|cause| ConfigError::File {
                name: NAME,
                path: path.to_owned(),
                cause,
            })?,
        };
        Policy::parse(&text).map_err(ConfigError::Policy)
    }
}
