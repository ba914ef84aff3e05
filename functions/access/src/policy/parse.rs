//! Reading the policy file: every problem at once, each with its line.

use super::*;
use crate::request::Malformed;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something in the policy file that must be written otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to write instead, one sentence.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

const TOP: &[&str] = &["channel", "defaults", "rules"];
const DEFAULTS: &[&str] = &[
    "duration",
    "longest",
    "undecided",
    "approvals",
    "source",
    "sources",
    "ports",
    "justification_required",
];
const RULE: &[&str] = &[
    "name",
    "machines",
    "resource_groups",
    "requesters",
    "approvers",
    "duration",
    "longest",
    "undecided",
    "approvals",
    "source",
    "sources",
    "ports",
    "justification_required",
];

type Value<'a> = Spanned<DeValue<'a>>;

/// Collects problems while values are read.
struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

/// What `defaults` and each rule may both say.
#[derive(Clone)]
struct Common {
    duration: Option<Ttl>,
    longest: Option<Ttl>,
    undecided: Option<Ttl>,
    approvals: Option<u8>,
    source: Option<Source>,
    sources: Option<Vec<Source>>,
    ports: Option<Vec<u16>>,
    justification_required: Option<bool>,
}

pub(super) fn parse(text: &str) -> Result<Policy, Vec<Problem>> {
    let mut reader = Reader { text, problems: vec![] };
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            reader.problem(at, &format!("this is not TOML: {}", error.message().replace('\n', ", ")));
            return Err(reader.problems);
        }
    };
    let policy = reader.policy(table.get_ref());
    match policy {
        Some(policy) if reader.problems.is_empty() => Ok(policy),
        _ => {
            reader.problems.sort_by_key(|problem| problem.line);
            Err(reader.problems)
        }
    }
}

impl Reader<'_> {
    fn problem(&mut self, at: usize, message: &str) {
        let line = self.text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        self.problems.push(Problem { line, message: message.to_owned() });
    }

    fn unknown_keys(&mut self, table: &DeTable<'_>, known: &[&str], place: &str) {
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let message =
                    format!("`{}` is not a key of {place}; it knows {}", key.get_ref(), known.join(", "));
                self.problem(key.span().start, &message);
            }
        }
    }

    fn policy(&mut self, table: &DeTable<'_>) -> Option<Policy> {
        self.unknown_keys(table, TOP, "the policy");
        let channel = match table.get("channel") {
            None => {
                self.problem(0, "`channel` is missing; write the id of the channel for requests, like channel = \"C012ABCDEF\"");
                None
            }
            Some(value) => self.channel(value),
        };
        let defaults = match table.get("defaults").map(|value| (value, value.get_ref())) {
            None => self.common(&DeTable::new()),
            Some((_, DeValue::Table(defaults))) => {
                self.unknown_keys(defaults, DEFAULTS, "[defaults]");
                self.common(defaults)
            }
            Some((value, _)) => {
                self.problem(value.span().start, "`defaults` must be a table; write [defaults]");
                self.common(&DeTable::new())
            }
        };
        let mut rules = vec![];
        match table.get("rules").map(|value| (value, value.get_ref())) {
            None => self.problem(0, "there are no rules; write at least one [[rules]]"),
            Some((_, DeValue::Array(array))) => {
                for value in array.iter() {
                    match value.get_ref() {
                        DeValue::Table(rule) => rules.extend(self.rule(rule, value.span().start, &defaults)),
                        _ => self
                            .problem(value.span().start, "each of `rules` must be a table; write [[rules]]"),
                    }
                }
                if array.is_empty() {
                    self.problem(0, "there are no rules; write at least one [[rules]]");
                }
            }
            Some((value, _)) => {
                self.problem(value.span().start, "`rules` must be a list of tables; write [[rules]]");
            }
        }
        Some(Policy { channel: channel?, rules })
    }

    fn channel(&mut self, value: &Value<'_>) -> Option<String> {
        let channel = self.string(value, "`channel`")?;
        let shaped = channel.len() >= 3
            && channel.starts_with(['C', 'G'])
            && channel.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !shaped {
            self.problem(value.span().start, &format!("`{channel}` is not a channel id; write one like C012ABCDEF, from the channel's details in Slack"));
        }
        shaped.then_some(channel)
    }

    fn rule(&mut self, table: &DeTable<'_>, at: usize, defaults: &Common) -> Option<Rule> {
        self.unknown_keys(table, RULE, "[[rules]]");
        let own = self.common(table);
        let name = match table.get("name") {
            None => {
                self.problem(at, "a rule has no `name`; write one, like name = \"databases\"");
                None
            }
            Some(value) => self.string(value, "`name`").filter(|name| {
                let usable = (1..=60).contains(&name.chars().count()) && !name.contains(['`', '\n']);
                if !usable {
                    self.problem(
                        value.span().start,
                        "the name of a rule has 1 to 60 characters, no backtick, no line break",
                    );
                }
                usable
            }),
        };
        let machines = self.required(table, at, "machines", "like machines = [\"VM*\"]", Self::pattern);
        let requesters = self.required(table, at, "requesters", "like requesters = [\"*\"]", Self::requester);
        let approvers =
            self.required(table, at, "approvers", "like approvers = [\"U012ABCDEF\"]", Self::approver);
        let resource_groups =
            table.get("resource_groups").map(|value| self.list(value, "resource_groups", Self::pattern));
        let ports = own.ports.or_else(|| defaults.ports.clone());
        if ports.is_none() {
            self.problem(
                at,
                "a rule has no `ports`; write them here or in [defaults], like ports = [22, 3389]",
            );
        }
        let or_minutes = |ttl: Option<Ttl>, default: Option<Ttl>, minutes| {
            ttl.or(default).or(Ttl::from_minutes(minutes)).unwrap_or(Ttl::MAX)
        };
        let longest = or_minutes(own.longest, defaults.longest, 180);
        let duration = match own.duration.or(defaults.duration) {
            None => or_minutes(None, None, 60).min(longest),
            Some(duration) => duration,
        };
        if duration > longest {
            self.problem(
                at,
                &format!("`duration` ({duration}) is longer than `longest` ({longest}); write a shorter one"),
            );
        }
        let sources = own.sources.or_else(|| defaults.sources.clone()).unwrap_or_default();
        let source = own.source.or(defaults.source);
        if let Some(source) = source
            && !sources.is_empty()
            && !sources.iter().any(|allowed| source.is_within(allowed))
        {
            self.problem(
                at,
                &format!("`source` ({source}) is not within `sources`; add it there or take it away"),
            );
        }
        let approvals = own.approvals.or(defaults.approvals).unwrap_or(1);
        if let Some(approvers) = &approvers
            // Where none could be read, that is the problem.
            && !approvers.is_empty()
            && approvers.iter().all(|who| matches!(who, Who::User(_)))
        {
            let people = approvers.iter().collect::<BTreeSet<_>>().len();
            if people < usize::from(approvals) {
                let message = format!(
                    "it takes {approvals} approvals and `approvers` names {people} of the people who could give them; name more"
                );
                self.problem(at, &message);
            }
        }
        Some(Rule {
            name: name?,
            machines: machines?,
            resource_groups: resource_groups.unwrap_or_default(),
            requesters: requesters?,
            approvers: approvers?,
            ports: ports?,
            sources,
            source,
            duration,
            longest,
            undecided: or_minutes(own.undecided, defaults.undecided, 60),
            approvals,
            justification_required: own
                .justification_required
                .or(defaults.justification_required)
                .unwrap_or(false),
        })
    }

    fn common(&mut self, table: &DeTable<'_>) -> Common {
        Common {
            duration: table.get("duration").and_then(|value| self.ttl(value, "duration")),
            longest: table.get("longest").and_then(|value| self.ttl(value, "longest")),
            undecided: table.get("undecided").and_then(|value| self.ttl(value, "undecided")),
            approvals: table.get("approvals").and_then(|value| self.approvals(value)),
            source: table.get("source").and_then(|value| self.source(value)),
            sources: table.get("sources").map(|value| self.list(value, "sources", Self::source)),
            ports: table.get("ports").map(|value| self.list(value, "ports", Self::port)),
            justification_required: table.get("justification_required").and_then(|value| self.boolean(value)),
        }
    }

    fn required<T>(
        &mut self,
        table: &DeTable<'_>,
        at: usize,
        key: &str,
        example: &str,
        read: fn(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(value) = table.get(key) else {
            self.problem(at, &format!("a rule has no `{key}`; write them, {example}"));
            return None;
        };
        let list = self.list(value, key, read);
        if list.is_empty() && value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            self.problem(value.span().start, &format!("`{key}` is empty; write at least one, {example}"));
        }
        Some(list)
    }

    fn list<T>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        read: fn(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(array) = value.get_ref().as_array() else {
            self.problem(value.span().start, &format!("`{key}` must be a list; write it in brackets"));
            return vec![];
        };
        array.iter().filter_map(|item| read(self, item)).collect()
    }

    fn string(&mut self, value: &Value<'_>, what: &str) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.problem(value.span().start, &format!("{what} must be text; write it in quotes"));
        }
        text
    }

    fn boolean(&mut self, value: &Value<'_>) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.problem(value.span().start, "`justification_required` must be true or false");
        }
        boolean
    }

    fn ttl(&mut self, value: &Value<'_>, key: &str) -> Option<Ttl> {
        let ttl = value.get_ref().as_str().and_then(parse_ttl);
        if ttl.is_none() {
            self.problem(value.span().start, &format!("`{key}` must be a duration between 1 minute and 24 hours; write it like \"30m\", \"2h\" or \"1h30m\""));
        }
        ttl
    }

    fn approvals(&mut self, value: &Value<'_>) -> Option<u8> {
        let number = value.get_ref().as_integer().and_then(|integer| integer.as_str().parse::<u8>().ok());
        let number = number.filter(|number| (1..=10).contains(number));
        if number.is_none() {
            self.problem(value.span().start, "`approvals` must be a number from 1 to 10");
        }
        number
    }

    fn port(&mut self, value: &Value<'_>) -> Option<u16> {
        let port = value
            .get_ref()
            .as_integer()
            .and_then(|integer| integer.as_str().parse::<u16>().ok())
            .filter(|port| *port > 0);
        if port.is_none() {
            self.problem(value.span().start, "each of `ports` must be a number from 1 to 65535");
        }
        port
    }

    fn source(&mut self, value: &Value<'_>) -> Option<Source> {
        let text = self.string(value, "an address")?;
        match text.parse() {
            Ok(source) => Some(source),
            Err(Malformed::SourceUnusable(text)) => {
                let message = format!(
                    "`{text}` cannot be where people come from; write addresses that the Internet sees, like 203.0.113.0/24, or leave `sources` out to let any be asked for"
                );
                self.problem(value.span().start, &message);
                None
            }
            Err(malformed) => {
                self.problem(value.span().start, &malformed.to_string());
                None
            }
        }
    }

    fn pattern(&mut self, value: &Value<'_>) -> Option<Pattern> {
        let text = self.string(value, "a name pattern")?;
        let shaped = !text.is_empty()
            && text.len() <= 90
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._*()".contains(&b));
        if !shaped {
            self.problem(
                value.span().start,
                &format!(
                    "`{}` is not a name pattern; use letters, digits, - . _ and * for anything",
                    crate::request::clip(&text)
                ),
            );
        }
        shaped.then_some(Pattern(text))
    }

    fn requester(&mut self, value: &Value<'_>) -> Option<Who> {
        if value.get_ref().as_str() == Some("*") {
            Some(Who::Everybody)
        } else {
            self.who(value, "or \"*\" for everybody")
        }
    }

    fn approver(&mut self, value: &Value<'_>) -> Option<Who> {
        self.who(value, "each by name: not everybody can approve")
    }

    fn who(&mut self, value: &Value<'_>, hint: &str) -> Option<Who> {
        let text = self.string(value, "a person or user group")?;
        let group = text.len() >= 3
            && text.starts_with('S')
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let who = if group { Some(Who::Group(text.clone())) } else { text.parse().ok().map(Who::User) };
        if who.is_none() {
            let text = crate::request::clip(&text);
            self.problem(value.span().start, &format!("`{text}` is neither a person nor a user group; write ids like U012ABCDEF or S012ABCDEF, {hint}"));
        }
        who
    }
}
