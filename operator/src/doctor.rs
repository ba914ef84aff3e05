//! `ajar doctor`: what is wrong, and how to mend it. Each part looks for itself, so that one that cannot be looked at
//! hides no other.

mod amazon;
mod deleted;
mod microsoft;
mod slack;

use crate::aws::Aws;
use crate::azure::Azure;
use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use access::lease::Timestamp;
use edge::http::Limits;
use serde::Serialize;

/// By how many seconds a clock may be off.
const CLOCK_SECONDS: u64 = 60;

/// How it is with one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Wrong,
    /// Not known.
    Unknown,
}

/// What was found out about one thing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Finding {
    /// Which thing.
    pub(crate) subject: String,
    pub(crate) state: State,
    /// How it is.
    pub(crate) said: String,
    /// How to mend it.
    pub(crate) mend: Option<String>,
    /// Lines for somebody's own Terraform.
    pub(crate) snippet: Option<String>,
}

/// All that was found out.
#[derive(Serialize)]
pub(crate) struct Findings {
    pub(crate) findings: Vec<Finding>,
}

impl Finding {
    fn new(state: State, subject: impl Into<String>, said: impl Into<String>) -> Self {
        Self { subject: subject.into(), state, said: said.into(), mend: None, snippet: None }
    }

    pub(crate) fn ok(subject: impl Into<String>, said: impl Into<String>) -> Self {
        Self::new(State::Ok, subject, said)
    }

    pub(crate) fn wrong(
        subject: impl Into<String>,
        said: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { mend: Some(mend.into()), ..Self::new(State::Wrong, subject, said) }
    }

    pub(crate) fn unknown(subject: impl Into<String>, said: impl Into<String>) -> Self {
        Self::new(State::Unknown, subject, said)
    }
}

/// Looks at everything.
pub(crate) async fn run(config: Result<Config, Problem>, outside: &Outside<'_>) -> Findings {
    let config = match config {
        Ok(config) => config,
        Err(problem) => {
            let mend = "see what it says; without it nothing else can be looked at";
            return Findings { findings: vec![Finding::wrong("configuration", problem.to_string(), mend)] };
        }
    };
    let mut findings = vec![Finding::ok(
        "configuration",
        format!(
            "installation {} in {}, {} Azure subscription(s), {} scope(s)",
            config.installation,
            config.region,
            config.azure.subscriptions.len(),
            config.azure.scopes.len()
        ),
    )];
    findings.extend(clocks(&config, outside).await);
    let mut subjects = None;
    match Aws::connect(&config, outside) {
        Ok(aws) => {
            let (seen, roles) = amazon::look(&aws, &config, outside.clock.now()).await;
            findings.extend(seen);
            subjects = roles;
            findings.extend(slack::look(&aws).await);
            findings.extend(deleted::look(&aws, outside.clock.now()).await);
        }
        Err(problem) => {
            findings.push(Finding::wrong(
                "AWS credentials",
                problem.to_string(),
                "log in, then run this again",
            ));
            findings.push(Finding::unknown(
                "AWS",
                "the table, the secret, Slack and the functions were not looked at",
            ));
        }
    }
    match Azure::connect(&config, outside).await {
        Ok(azure) => findings.extend(microsoft::look(&azure, &config, subjects.as_ref()).await),
        Err(problem) => {
            findings.push(Finding::wrong("Azure login", problem.to_string(), "log in, then run this again"));
            findings.push(Finding::unknown("Azure", "the identities and their roles were not looked at"));
        }
    }
    Findings { findings }
}

/// This machine's clock against those of the others: what is signed with a wrong clock is refused, and what is overdue is
/// told by it.
async fn clocks(config: &Config, outside: &Outside<'_>) -> Vec<Finding> {
    let client = match edge::http::client(Limits::DEPLOYED) {
        Ok(client) => client,
        Err(error) => return vec![Finding::unknown("clock", error.to_string())],
    };
    let aws = format!("https://dynamodb.{}.amazonaws.com", config.region);
    let asked = [
        ("AWS", outside.env.optional("AWS_ENDPOINT_URL_DYNAMODB").unwrap_or(&aws)),
        ("Azure", outside.env.optional("AJAR_ARM_URL").unwrap_or("https://management.azure.com")),
        ("Slack", outside.env.optional("AJAR_SLACK_API_URL").unwrap_or("https://slack.com/api/")),
    ];
    let mut findings = vec![];
    for (name, url) in asked {
        let Ok(url) = url.parse() else { continue };
        let theirs = edge::http::moment_at(&client, url).await;
        findings.push(clock(name, theirs, outside.clock.now()));
    }
    findings
}

fn clock(name: &str, theirs: Option<Timestamp>, ours: Timestamp) -> Finding {
    let subject = format!("clock against {name}");
    let Some(theirs) = theirs else {
        return Finding::unknown(subject, format!("{name} did not say what time it is"));
    };
    let off = theirs.since(ours).max(ours.since(theirs));
    if off <= CLOCK_SECONDS {
        return Finding::ok(subject, format!("{off} s apart"));
    }
    let which = if ours > theirs { "ahead" } else { "behind" };
    Finding::wrong(
        subject,
        format!("this machine is {off} s {which}"),
        "set its clock (on Linux: timedatectl set-ntp true)",
    )
}
