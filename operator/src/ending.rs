//! How a command ends.

use access::command::CommandError;
use access::request::Malformed;
use edge::arm::ArmError;
use edge::config::ConfigError;
use edge::login::NoLogin;
use edge::report::plain;
use edge::slack::SlackError;
use edge::store::StoreError;

/// The exit codes. `--help` shows the same table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Done, and nothing is wrong.
    Fine,
    /// Done, and something is wrong or was found.
    Found,
    /// The command line, the configuration or the input cannot be used.
    Unusable,
    /// No credentials, no right, or no answer.
    NoAnswer,
    /// Nothing was done: not confirmed, or what was named does not exist.
    Nothing,
}

/// The table of exit codes, for `--help`.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  done, and nothing is wrong
  1  done, and something is wrong or was found: the output says what
  2  the command line, the configuration or the input cannot be used
  3  no credentials, no right, or no answer from AWS, Azure or Slack
  4  nothing was done: not confirmed, or what was named does not exist";

impl Ending {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Found => 1,
            Self::Unusable => 2,
            Self::NoAnswer => 3,
            Self::Nothing => 4,
        }
    }

    /// [`Ending::Found`] where there is something, else [`Ending::Fine`].
    pub(crate) const fn found(something: bool) -> Self {
        if something { Self::Found } else { Self::Fine }
    }
}

/// Why a command gives nothing: one sentence that says what to do instead.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// See [`Ending::Unusable`].
    #[error("{0}")]
    Unusable(String),
    /// See [`Ending::NoAnswer`].
    #[error("{0}")]
    NoAnswer(String),
    /// See [`Ending::Nothing`].
    #[error("{0}")]
    Nothing(String),
}

impl Problem {
    pub(crate) const fn ending(&self) -> Ending {
        match self {
            Self::Unusable(_) => Ending::Unusable,
            Self::NoAnswer(_) => Ending::NoAnswer,
            Self::Nothing(_) => Ending::Nothing,
        }
    }
}

impl From<Malformed> for Problem {
    fn from(why: Malformed) -> Self {
        Self::Unusable(why.to_string())
    }
}

impl From<CommandError> for Problem {
    fn from(why: CommandError) -> Self {
        Self::Unusable(why.to_string())
    }
}

impl From<ConfigError> for Problem {
    fn from(why: ConfigError) -> Self {
        Self::Unusable(why.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(why: StoreError) -> Self {
        Self::NoAnswer(format!("the table cannot be read: {why}"))
    }
}

impl From<NoLogin> for Problem {
    fn from(why: NoLogin) -> Self {
        Self::NoAnswer(why.to_string())
    }
}

impl From<SlackError> for Problem {
    fn from(why: SlackError) -> Self {
        Self::NoAnswer(why.to_string())
    }
}

impl From<ArmError> for Problem {
    fn from(why: ArmError) -> Self {
        let rights = match &why {
            ArmError::Refused { code, .. } => edge::arm::rights(code),
            _ => "",
        };
        Self::NoAnswer(format!("{}{rights}", plain(&why.to_string())))
    }
}
