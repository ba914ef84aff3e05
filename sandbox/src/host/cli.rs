//! The command line.

use super::{DEFAULT_PORT, LAST_PORT, Options, Sandbox};
use lexopt::{Arg, ValueExt};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What `--help` prints.
const HELP: &str = "\
The whole of Ajar on this machine: Slack, Azure, Entra and AWS are simulated, the functions are the real ones.

Usage: sandbox [--port N] [--data DIR]

  --port N     the page's port; four more follow it (default 8080, 0 takes any free ports)
  --data DIR   keep everything in DIR and carry on from there
  --help       print this
  --version    print the version
";

/// What the command line asks for.
enum Command {
    Run(Options),
    Print(String),
}

/// A wrong use of the program ends with this.
const USAGE_ERROR: u8 = 2;

/// Runs the program: 0 after an orderly end, 2 with one line on standard error when it cannot start.
pub fn main() -> ExitCode {
    let options = match parse(lexopt::Parser::from_env()) {
        Ok(Command::Run(options)) => options,
        Ok(Command::Print(text)) => {
            say(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(format!("{error}; see --help")),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(error),
    };
    let code = runtime.block_on(run(options));
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut options = Options { port: Some(DEFAULT_PORT), ..Options::default() };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("port") => {
                let value = arguments.value()?.string()?;
                let port: u16 = value
                    .parse()
                    .map_err(|_| format!("--port takes a number from 0 to {LAST_PORT}, not '{value}'"))?;
                options.port = (port != 0).then_some(port);
            }
            Arg::Long("data") => options.data_dir = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Print(HELP.to_owned())),
            Arg::Long("version") | Arg::Short('V') => {
                return Ok(Command::Print(format!("sandbox {}\n", env!("CARGO_PKG_VERSION"))));
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Run(options))
}

async fn run(options: Options) -> ExitCode {
    // Before anything starts, so that an early Ctrl-C is an orderly end as well.
    let (interrupt, terminate) = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        (Err(error), _) | (_, Err(error)) => return refuse(error),
    };
    let (mut interrupt, mut terminate) = (interrupt, terminate);
    let sandbox = match Sandbox::start(options).await {
        Ok(sandbox) => sandbox,
        Err(error) => return refuse(error),
    };
    log_to_stderr();
    say(&greeting(&sandbox));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    sandbox.stop().await;
    ExitCode::SUCCESS
}

fn greeting(sandbox: &Sandbox) -> String {
    let at = sandbox.addresses();
    format!(
        "Ajar's sandbox is running. Open the page: {page}/\n\
         \n  Slack's request URLs     {page}/slack/command and {page}/slack/interaction\
         \n  Azure's management API   {}\
         \n  Slack's Web API          {}\
         \n  Entra and STS            {}\
         \n  DynamoDB and Lambda      {}\
         \n  To drive it from outside {page}/sandbox.json\
         \n\nCtrl-C ends it.\n",
        at.arm_url(),
        at.slack_api_url(),
        at.entra_url(),
        at.aws_url(),
        page = at.page_url(),
    )
}

/// Warnings and errors of our own code; the libraries' would repeat them.
fn log_to_stderr() {
    let ours = ["access", "edge", "request", "grant", "revoke", "notify", "sandbox"];
    let targets = tracing_subscriber::filter::Targets::new()
        .with_targets(ours.map(|target| (target, tracing::Level::WARN)));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(targets).init();
}

/// Prints, and does not mind when nobody reads.
fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// One line on standard error.
fn refuse(error: impl std::fmt::Display) -> ExitCode {
    let line = error.to_string().replace('\n', " ");
    let _ = writeln!(std::io::stderr(), "sandbox: {line}");
    ExitCode::from(USAGE_ERROR)
}
