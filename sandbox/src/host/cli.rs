//! The command line.

use super::ending::Ending;
use super::live::smoke::{self, Failed, Order};
use super::live::{self, Live, Target};
use super::{DEFAULT_PORT, LAST_PORT, Options, Sandbox, wiring};
use access::policy::Policy;
use access::request::Source;
use edge::clock::Clock;
use lexopt::{Arg, ValueExt};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What `--help` prints.
const HELP: &str = "\
The whole of Ajar on this machine: Slack, Azure, Entra and AWS are simulated, the functions are the real ones.

Usage: sandbox [--port N] [--data DIR] [--policy FILE]
       sandbox --azure live --subscription S --only-nsg ID [--port N] [--arm-url URL]
       sandbox smoke --azure live --subscription S --only-nsg ID [--arm-url URL]
                     [--vm NAME] [--tcp PORT] [--from ADDRESS] [--seconds N]

  --port N          the page's port; four more follow it (default 8080, 0 takes any free ports)
  --data DIR        keep everything in DIR and carry on from there
  --policy FILE     who may ask for what and who decides (default: the sandbox's own policy.toml)
  --help            print this
  --version         print the version

The real Azure, with your own login (az login); everything else stays simulated:
  --azure live      needs the next two
  --subscription S  the id of the subscription
  --only-nsg ID     the resource id of the one network security group that may be touched
  --arm-url URL     an address of this machine instead of https://management.azure.com

smoke opens one rule in that group, looks, shuts it, looks again, and prints how long each step took:
  --vm NAME         the machine (default: the first that is behind that group alone)
  --tcp PORT        the port (default 22)
  --from ADDRESS    who is let in (default 192.0.2.1, which nobody has)
  --seconds N       how long it stays open, 1 to 3600 (default 60)
";

/// What the command line asks for.
enum Command {
    /// With this policy.
    Run(Options, String),
    Live(Options, Target),
    Smoke(Target, Order),
    Print(String),
}

/// A wrong use of the program ends with this, and so does one that could not begin.
const USAGE_ERROR: u8 = 2;
/// What was begun and did not go as it should ends with this.
const FAILED: u8 = 1;

/// Runs the program: 0 after an orderly end, 2 with one line on standard error when it cannot start,
/// 1 with one line when something went wrong later.
pub fn main() -> ExitCode {
    let command = match parse(lexopt::Parser::from_env()) {
        Ok(Command::Print(text)) => {
            say(&text);
            return ExitCode::SUCCESS;
        }
        Ok(command) => command,
        Err(error) => return refuse(format!("{error}; see --help")),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(error),
    };
    let code = runtime.block_on(run(command));
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

/// The arguments as they were typed.
#[derive(Default)]
struct Typed {
    smoke: bool,
    live: bool,
    port: Option<u16>,
    data_dir: Option<PathBuf>,
    policy: Option<PathBuf>,
    subscription: Option<String>,
    only_nsg: Option<String>,
    arm_url: Option<String>,
    vm: Option<String>,
    tcp: Option<u16>,
    from: Option<Source>,
    seconds: Option<u64>,
}

fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut typed = Typed::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("port") => {
                let kind = format!("--port takes a number from 0 to {LAST_PORT}");
                typed.port = Some(read(&text(&mut arguments)?, &kind)?);
            }
            Arg::Long("data") => typed.data_dir = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("policy") => typed.policy = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("azure") => {
                typed.live = match text(&mut arguments)?.as_str() {
                    "live" => true,
                    "simulated" => false,
                    other => return Err(format!("--azure takes live or simulated, not '{other}'").into()),
                };
            }
            Arg::Long("subscription") => typed.subscription = Some(text(&mut arguments)?),
            Arg::Long("only-nsg") => typed.only_nsg = Some(text(&mut arguments)?),
            Arg::Long("arm-url") => typed.arm_url = Some(text(&mut arguments)?),
            Arg::Long("vm") => typed.vm = Some(text(&mut arguments)?),
            Arg::Long("tcp") => {
                typed.tcp = Some(read(&text(&mut arguments)?, "--tcp takes a port, 1 to 65535")?);
            }
            Arg::Long("from") => {
                typed.from = Some(read(&text(&mut arguments)?, "--from takes an address, like 203.0.113.7")?);
            }
            Arg::Long("seconds") => {
                typed.seconds =
                    Some(read(&text(&mut arguments)?, "--seconds takes a number from 1 to 3600")?);
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Print(HELP.to_owned())),
            Arg::Long("version") | Arg::Short('V') => {
                return Ok(Command::Print(format!("sandbox {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Arg::Value(word) if word == "smoke" && !typed.smoke => typed.smoke = true,
            other => return Err(other.unexpected()),
        }
    }
    typed.command().map_err(lexopt::Error::from)
}

fn text(arguments: &mut lexopt::Parser) -> Result<String, lexopt::Error> {
    arguments.value()?.string()
}

/// What stands in a policy file that has no problems.
fn policy(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|cause| format!("--policy {shown}: {cause}"))?;
    match Policy::parse(&text) {
        Ok(_) => Ok(text),
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(format!("--policy {shown}: {}", problems.join("; ")))
        }
    }
}

fn read<T: FromStr>(text: &str, takes: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{takes}, not '{text}'"))
}

impl Typed {
    /// What it means, where it fits together.
    fn command(self) -> Result<Command, String> {
        let port = self.port.unwrap_or(DEFAULT_PORT);
        let port = (port != 0).then_some(port);
        let options = Options { port, data_dir: self.data_dir, ..Options::default() };
        let given = |is: bool, name: &str, needs: &str| {
            if is { Err(format!("{name} is for {needs}")) } else { Ok(()) }
        };
        if !self.live {
            given(self.smoke, "smoke", "--azure live")?;
            given(self.subscription.is_some(), "--subscription", "--azure live")?;
            given(self.only_nsg.is_some(), "--only-nsg", "--azure live")?;
            given(self.arm_url.is_some(), "--arm-url", "--azure live")?;
        }
        if !self.smoke {
            given(self.vm.is_some(), "--vm", "smoke")?;
            given(self.tcp.is_some(), "--tcp", "smoke")?;
            given(self.from.is_some(), "--from", "smoke")?;
            given(self.seconds.is_some(), "--seconds", "smoke")?;
        }
        if !self.live {
            let policy = self.policy.as_deref().map(policy).transpose()?;
            return Ok(Command::Run(options, policy.unwrap_or_else(|| wiring::POLICY.to_owned())));
        }
        given(
            self.policy.is_some(),
            "--policy",
            "the simulated Azure; the real one has a policy of its own",
        )?;
        given(options.data_dir.is_some(), "--data", "the simulated Azure; the real one keeps its own")?;
        given(self.smoke && self.port.is_some(), "--port", "the page, and smoke has none")?;
        let subscription =
            self.subscription.ok_or("--azure live needs --subscription, the id of the subscription")?;
        let nsg = self.only_nsg.ok_or(
            "--azure live needs --only-nsg, the resource id of the one network security group that may be touched",
        )?;
        let target = Target::new(&subscription, &nsg, self.arm_url.as_deref());
        let target = target.map_err(|error| error.to_string())?;
        if !self.smoke {
            return Ok(Command::Live(options, target));
        }
        let vm = self.vm.map(|name| read(&name, "--vm takes the name of a machine, like VM3")).transpose()?;
        let port = self.tcp.unwrap_or(22);
        let seconds = self.seconds.unwrap_or(60);
        if port == 0 || !(1..=3600).contains(&seconds) {
            return Err("--tcp takes a port, 1 to 65535, and --seconds a number from 1 to 3600".to_owned());
        }
        let order = Order { vm, port, source: self.from, hold: Duration::from_secs(seconds) };
        Ok(Command::Smoke(target, order))
    }
}

async fn run(command: Command) -> ExitCode {
    // Before anything starts, so that an early Ctrl-C is an orderly end as well.
    let mut ending = match Ending::new() {
        Ok(ending) => ending,
        Err(error) => return refuse(error),
    };
    match command {
        Command::Run(options, policy) => run_simulated(options, &policy, &mut ending).await,
        Command::Live(options, target) => run_live(options, target, &mut ending).await,
        Command::Smoke(target, order) => run_smoke(target, &order, &mut ending).await,
        Command::Print(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
    }
}

async fn run_simulated(options: Options, policy: &str, ending: &mut Ending) -> ExitCode {
    let sandbox = match wiring::start(options, policy).await {
        Ok((sandbox, _)) => sandbox,
        Err(error) => return refuse(error),
    };
    log_to_stderr();
    say(&greeting(&sandbox));
    ending.wait().await;
    sandbox.stop().await;
    ExitCode::SUCCESS
}

/// A way into Azure, unless the operator ends it first.
async fn connect(target: Target, tell: live::Tell<'_>, ending: &mut Ending) -> Result<Live, ExitCode> {
    tokio::select! {
        connected = Live::connect(target, tell) => connected.map_err(refuse),
        () = ending.wait() => Err(fail("interrupted before anything was written")),
    }
}

async fn run_live(options: Options, target: Target, ending: &mut Ending) -> ExitCode {
    let mut tell = |_, what: String| say(&format!("{what}\n"));
    let live = match connect(target, &mut tell, ending).await {
        Ok(live) => live,
        Err(code) => return code,
    };
    let sandbox = match live::start(options, &live).await {
        Ok(sandbox) => sandbox,
        Err(error) => return refuse(error),
    };
    log_to_stderr();
    say(&live.greeting(&sandbox));
    ending.wait().await;
    say("Shutting what is open. Ctrl-C again leaves at once.\n");
    let ended = async {
        // First nothing more is written, then the functions are stopped: what one of them had sent has
        // been answered by then.
        live.end_writing().await;
        sandbox.stop().await;
        live.end(&mut tell).await
    };
    let ended = tokio::select! {
        ended = ended => ended,
        () = ending.wait() => Err(live.not_known("you did not wait until it was looked at")),
    };
    match ended {
        Ok(()) => {
            say("Nothing of ours is left in Azure.\n");
            ExitCode::SUCCESS
        }
        Err(still_there) => fail(still_there),
    }
}

async fn run_smoke(target: Target, order: &Order, ending: &mut Ending) -> ExitCode {
    let begun = Instant::now();
    say("      at      took  what\n");
    let mut tell = |took: Duration, what: String| {
        let at = begun.elapsed().as_secs_f64();
        say(&format!("{at:>6.2} s {:>6} ms  {what}\n", took.as_millis()));
    };
    let live = match connect(target, &mut tell, ending).await {
        Ok(live) => live,
        Err(code) => return code,
    };
    log_to_stderr();
    match smoke::run(&live, order, Clock::system().now(), &mut tell, ending).await {
        Ok(()) => {
            say("Passed: shut, open, shut again, and nothing of ours is left in Azure.\n");
            ExitCode::SUCCESS
        }
        Err(Failed::Unable(why)) => refuse(why),
        Err(Failed::Broken(why)) => fail(why),
    }
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
    let ours = ["access", "edge", "request", "grant", "revoke", "notify", "discover", "sandbox"];
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

/// It could not begin: one line on standard error.
fn refuse(error: impl std::fmt::Display) -> ExitCode {
    complain(&error);
    ExitCode::from(USAGE_ERROR)
}

/// It did not go as it should: one line on standard error.
fn fail(error: impl std::fmt::Display) -> ExitCode {
    complain(&error);
    ExitCode::from(FAILED)
}

fn complain(error: &dyn std::fmt::Display) {
    let line = error.to_string().replace('\n', " ");
    let _ = writeln!(std::io::stderr(), "sandbox: {line}");
}
