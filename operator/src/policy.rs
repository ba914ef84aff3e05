//! `ajar policy`: what is wrong in a policy file, and what it says to a request. The file alone is read; nobody is
//! asked.

use crate::cli::ExplainAsked;
use crate::ending::Problem;
use access::command::{self, Command};
use access::machine::Tags;
use access::policy::{BreaksGlass, Decided, Decision, Groups, Policy, Provided, Question, Rule, Trait, Who};
use access::request::{Means, UserId};
use edge::report::plain;
use serde::Serialize;
use std::path::Path;

/// A rule as it is after the defaults were filled in.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) machines: Vec<String>,
    pub(crate) resource_groups: Vec<String>,
    pub(crate) subscriptions: Vec<String>,
    /// What a machine must be tagged with, as `name=pattern`.
    pub(crate) tags: Vec<String>,
    pub(crate) requesters: Vec<String>,
    pub(crate) ports: Vec<u16>,
    /// Where people may come from; nothing where any address may be asked for.
    pub(crate) sources: Vec<String>,
    pub(crate) longest_minutes: u32,
    pub(crate) justification_required: bool,
    pub(crate) approvals: u8,
    pub(crate) approvers: Vec<String>,
    /// Who may open for themselves without approval.
    pub(crate) break_glass: Vec<String>,
    /// As people write it.
    #[serde(skip)]
    pub(crate) longest: String,
}

/// Something that must be written otherwise.
#[derive(Serialize)]
pub(crate) struct Wrong {
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// A policy file that was looked through: its rules, or all that is wrong with it.
#[derive(Serialize)]
pub(crate) struct Checked {
    pub(crate) file: String,
    pub(crate) admins: Vec<String>,
    pub(crate) rules: Vec<Row>,
    pub(crate) problems: Vec<Wrong>,
}

/// A rule that does not decide.
#[derive(Serialize)]
pub(crate) struct Passed {
    pub(crate) rule: String,
    /// What of the machine it is not about.
    pub(crate) not_its: &'static str,
}

/// What the rule that decides says.
#[derive(Serialize)]
pub(crate) struct Verdict {
    pub(crate) rule: String,
    pub(crate) duration: String,
    /// Where it opens for; nothing where the requester's browser will tell.
    pub(crate) source: Option<String>,
    /// All that the rule does not let.
    pub(crate) against: Vec<String>,
    /// What only Slack knows.
    pub(crate) provided: Vec<String>,
    pub(crate) approvals: u8,
    /// Who may approve, without the requester.
    pub(crate) approvers: Vec<String>,
    /// Whether it is asked for without approval.
    pub(crate) asks_break_glass: bool,
    /// Whether the requester may open without approval; nothing where only Slack knows.
    pub(crate) may_break_glass: Option<bool>,
    /// The user groups, one of which the requester must be in for that.
    pub(crate) break_glass_groups: Vec<String>,
}

/// What a policy says to a request.
#[derive(Serialize)]
pub(crate) struct Explained {
    pub(crate) requester: UserId,
    pub(crate) machine: String,
    pub(crate) ports: String,
    pub(crate) passed_over: Vec<Passed>,
    /// The first rule that may decide, and what must be known of the machine.
    pub(crate) depends: Option<Passed>,
    pub(crate) verdict: Option<Verdict>,
}

/// Looks a file through.
pub(crate) fn check(file: &Path) -> Result<Checked, Problem> {
    let (admins, rules, problems) = match Policy::parse(&read(file)?) {
        Ok(policy) => {
            let admins = policy.admins().iter().map(ToString::to_string).collect();
            (admins, policy.rules().iter().map(row).collect(), vec![])
        }
        Err(problems) => {
            let wrong = |one: access::policy::Problem| Wrong {
                line: one.line,
                message: one.message.replace(char::is_control, " "),
            };
            (vec![], vec![], problems.into_iter().map(wrong).collect())
        }
    };
    Ok(Checked { file: file.display().to_string(), admins, rules, problems })
}

/// Says what becomes of a request.
pub(crate) fn explain(asked: &ExplainAsked) -> Result<Explained, Problem> {
    let file = asked.file.display();
    let policy = Policy::parse(&read(&asked.file)?).map_err(|problems| {
        let count = crate::render::counted(problems.len(), "problem");
        Problem::Unusable(format!("{file} has {count}; see them with: ajar policy check {file}"))
    })?;
    let requester: UserId = asked.requester.parse()?;
    let (groups, tags) = (members(&asked.members)?, tags(&asked.tags)?);
    let Command::Ask { machine, ports, source, ttl, means, justification } =
        command::parse(&asked.words.join(" "))?
    else {
        return Err(Problem::Unusable("say what is asked for, like VM3 22 for 1h".to_owned()));
    };
    let justification = justification.as_ref();
    let (requester, tags) = (&requester, tags.as_ref());
    let question =
        Question { requester, machine: &machine, tags, ports: &ports, ttl, source, means, justification };
    let explanation = policy.explain(&question, &groups);
    let passed = |rule: &Rule, what| Passed { rule: rule.name().to_owned(), not_its: word(what) };
    let passed_over = explanation.passed_over.iter().map(|(rule, what)| passed(rule, *what)).collect();
    let (depends, verdict) = match &explanation.decision {
        Decision::NoRule => (None, None),
        Decision::Depends { rule, on } => (Some(passed(rule, *on)), None),
        Decision::Rule(decided) => (None, Some(verdict(decided, requester, means))),
    };
    let (machine, ports) = (machine.to_string(), ports.to_string());
    let requester = requester.clone();
    Ok(Explained { requester, machine, ports, passed_over, depends, verdict })
}

fn read(file: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(file)
        .map_err(|error| Problem::Unusable(format!("cannot read {}: {error}", file.display())))
}

/// `S012ABCDEF=U012ABCDEF,U034GHIJKL`, once for each group.
fn members(typed: &[String]) -> Result<Groups, Problem> {
    let mut groups = Groups::default();
    for text in typed {
        let Some((group, members)) = text.split_once('=').filter(|(group, _)| group.starts_with('S')) else {
            let text = plain(text);
            return Err(Problem::Unusable(format!(
                "`{text}` does not say who is in which user group; write it like --members S012ABCDEF=U012ABCDEF,U034GHIJKL"
            )));
        };
        let members = members.split(',').filter(|member| !member.is_empty()).map(str::parse);
        groups.insert(group.to_owned(), members.collect::<Result<_, _>>()?);
    }
    Ok(groups)
}

/// `env=prod`, once for each tag of the machine; `None` where none is named.
fn tags(typed: &[String]) -> Result<Option<Tags>, Problem> {
    let tag = |text: &String| {
        let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
        parts.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| {
            let text = plain(text);
            Problem::Unusable(format!("`{text}` is not a tag with its value; write it like --tag env=prod"))
        })
    };
    let tags: Tags = typed.iter().map(tag).collect::<Result<_, _>>()?;
    Ok(Some(tags).filter(|tags| !tags.is_empty()))
}

fn verdict(decided: &Decided<'_>, requester: &UserId, means: Means) -> Verdict {
    let rule = decided.rule;
    let provided = decided.provided.iter().map(|condition| match condition {
        Provided::Asks { groups } => format!("{requester} is in {}", groups.join(" or ")),
        Provided::BreaksGlass { groups } => {
            format!("{requester} is in {} (break-glass)", groups.join(" or "))
        }
        Provided::Approve { groups, missing } => {
            format!("at least {missing} more in {} could approve", groups.join(" or "))
        }
    });
    let others = rule.approvers().iter().filter(|who| !matches!(who, Who::User(user) if user == requester));
    let (may_break_glass, break_glass_groups) = match &decided.break_glass {
        BreaksGlass::Yes => (Some(true), vec![]),
        BreaksGlass::If(groups) => (None, groups.clone()),
        BreaksGlass::No => (Some(false), vec![]),
    };
    Verdict {
        rule: rule.name().to_owned(),
        duration: decided.ttl.to_string(),
        source: decided.source.map(|source| source.to_string()),
        against: decided.against.iter().map(ToString::to_string).collect(),
        provided: provided.collect(),
        approvals: rule.approvals(),
        approvers: others.map(ToString::to_string).collect(),
        asks_break_glass: means == Means::BreakGlass,
        may_break_glass,
        break_glass_groups,
    }
}

fn row(rule: &Rule) -> Row {
    let owned = |text: &str| text.to_owned();
    Row {
        name: rule.name().to_owned(),
        machines: rule.machines().map(owned).collect(),
        resource_groups: rule.resource_groups().map(owned).collect(),
        subscriptions: rule.subscriptions().to_vec(),
        tags: rule.tags().map(|(name, value)| format!("{name}={value}")).collect(),
        requesters: rule.requesters().iter().map(ToString::to_string).collect(),
        ports: rule.ports().to_vec(),
        sources: rule.sources().iter().map(ToString::to_string).collect(),
        longest_minutes: rule.longest().minutes(),
        justification_required: rule.justification_required(),
        approvals: rule.approvals(),
        approvers: rule.approvers().iter().map(ToString::to_string).collect(),
        break_glass: rule.break_glass().iter().map(ToString::to_string).collect(),
        longest: rule.longest().to_string(),
    }
}

const fn word(what: Trait) -> &'static str {
    match what {
        Trait::Name => "name",
        Trait::ResourceGroup => "resource group",
        Trait::Subscription => "subscription",
        Trait::Tags => "tags",
    }
}
