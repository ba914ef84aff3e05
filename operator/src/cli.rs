//! The command line.

use crate::ending::{Ending, TABLE};
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

/// Version and commit.
static VERSION: LazyLock<String> = LazyLock::new(|| edge::report::BUILD.to_string());

#[derive(Parser)]
#[command(
    name = "ajar",
    bin_name = "ajar",
    version = VERSION.as_str(),
    about = "Looks after an installation of Ajar.",
    after_help = TABLE,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    /// The operator's configuration, made with `terraform -chdir=infra/terraform output -raw operator > ajar.json`
    /// [default: $AJAR_CONFIG, or ./ajar.json]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Prints JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Looks what is wrong, and says how to mend it
    Doctor,
    /// Puts Slack's signing secret and bot token where the functions read them
    #[command(
        long_about = "Asks for Slack's signing secret and bot token (or reads two lines from a pipe), asks Slack \
        whose they are, and puts them where the functions read them. A signing secret that was there before stays \
        good for what it has signed. Running functions take what is new within five minutes."
    )]
    Secret {
        /// Asks for the bot token alone, and keeps the signing secret
        #[arg(long)]
        bot_token_only: bool,
    },
    /// Lists requests: what waits and what is open, unless told otherwise
    Requests(RequestsAsked),
    /// Shows one request: its record, each line of its history, and whether each click was signed by Slack
    History {
        /// The reference that people see: 7F3K9-QXM2P, also in lower case and without the hyphen
        #[arg(value_name = "REF")]
        request: String,
    },
    /// Prints every request with its history, one line of JSON each
    Export {
        /// Only what has changed since then: 2026-03-12
        #[arg(long, value_name = "DATE")]
        since: Option<String>,
    },
    /// Looks a policy file through, or says what it says to a request; only the file is read
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Lists the rules of this installation in Azure, by your own login there; AWS is not asked
    Rules,
    /// Deletes rules of this installation in Azure, by your own login there; AWS is not asked
    Shut(ShutAsked),
    /// Opens a port by your own rights in Azure, past all approvals; AWS is not asked
    #[command(
        long_about = "Opens a port by your own rights in Azure, for the night when AWS is down. Nobody approves it, \
        so the rule says in Azure who has opened it, until when and why. Once the functions run again they find it, tell \
        the channel, and shut it at its end. Until then nobody but you shuts it: use `ajar shut`."
    )]
    Open(OpenAsked),
}

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Lists all that is wrong in the file, with lines and what to write instead; else its rules
    Check {
        /// The policy, a TOML file: see docs/policy.md
        file: PathBuf,
    },
    /// Says which rule decides about a request, who approves it, and why not
    Explain(ExplainAsked),
}

#[derive(Args)]
pub(crate) struct ExplainAsked {
    /// The policy, a TOML file
    pub(crate) file: PathBuf,
    /// Who asks, by Slack user id
    #[arg(long = "as", value_name = "USER")]
    pub(crate) requester: String,
    /// Who is in a user group, as Slack would say: S012ABCDEF=U012ABCDEF,U034GHIJKL
    #[arg(long, value_name = "GROUP=USERS")]
    pub(crate) members: Vec<String>,
    /// A tag of the machine, once for each that it has: env=prod
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<String>,
    /// What is asked for, as after /jit: VM3 22 from 203.0.113.7 for 1h because patching
    #[arg(required = true, value_name = "REQUEST")]
    pub(crate) words: Vec<String>,
}

#[derive(Args)]
pub(crate) struct RequestsAsked {
    /// Only what is open, is being opened or is being shut
    #[arg(long, conflicts_with_all = ["waiting", "all"])]
    pub(crate) open: bool,
    /// Only what waits for an address or an approver
    #[arg(long, conflicts_with = "all")]
    pub(crate) waiting: bool,
    /// What is over too
    #[arg(long)]
    pub(crate) all: bool,
    /// Only for this machine, named as in /jit
    #[arg(long, value_name = "MACHINE")]
    pub(crate) machine: Option<String>,
    /// Only of this person, by Slack user id
    #[arg(long, value_name = "USER")]
    pub(crate) person: Option<String>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The rules of this request: 7F3K9-QXM2P
    #[arg(value_name = "REF")]
    pub(crate) request: Option<String>,
    /// The rules whose end has passed, and those that say no end
    #[arg(long)]
    pub(crate) overdue: bool,
    /// All rules of this installation
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args)]
pub(crate) struct ShutAsked {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Does not ask before it deletes
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct OpenAsked {
    /// The machine, named as in /jit
    pub(crate) machine: String,
    /// The ports: 22, or 22,3389, or ssh, rdp, winrm
    pub(crate) ports: String,
    /// From where: an address or a narrow prefix
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: String,
    /// For how long: 30m, 2h, at most a day
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) duration: String,
    /// Why; it is written on the rule
    #[arg(long, value_name = "REASON")]
    pub(crate) because: Option<String>,
    /// Says that this is to be opened past all approvals
    #[arg(long)]
    pub(crate) break_glass: bool,
}

/// There is nothing to carry out: a text, and how the command ends with it.
pub(crate) struct Stop {
    pub(crate) text: String,
    pub(crate) ending: Ending,
}

/// Reads the command line.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Stop> {
    Arguments::try_parse_from(arguments).map_err(|error| {
        // Help and version are no errors.
        let ending = if error.use_stderr() { Ending::Unusable } else { Ending::Fine };
        Stop { text: error.render().to_string(), ending }
    })
}
