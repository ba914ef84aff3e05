//! Reading the policy file: every problem at once, each with its line.

use super::*;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

mod values;

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

/// The keys of the file itself. docs/policy.md describes each; a test compares them.
pub(super) const TOP: &[&str] = &["channel", "admins", "ceilings", "defaults", "rules"];
/// The keys of `[ceilings]`.
pub(super) const CEILINGS: &[&str] = &["longest", "sources", "ports"];
/// The keys of `[defaults]`.
pub(super) const DEFAULTS: &[&str] = &[
    "duration",
    "longest",
    "undecided",
    "approvals",
    "source",
    "sources",
    "ports",
    "justification_required",
    "only_enabled",
    "move_without_approval",
];
/// The keys of a rule.
pub(super) const RULE: &[&str] = &[
    "name",
    "machines",
    "resource_groups",
    "subscriptions",
    "tags",
    "requesters",
    "approvers",
    "channel",
    "break_glass",
    "duration",
    "longest",
    "undecided",
    "approvals",
    "source",
    "sources",
    "ports",
    "justification_required",
    "only_enabled",
    "move_without_approval",
];

type Value<'a> = Spanned<DeValue<'a>>;

/// What to write instead of an empty list of them.
const NO_SOURCES: &str = "leave it out to let any be asked for";
const NO_ADMINS: &str = "leave it out for none, or name one, like admins = [\"U012ABCDEF\"]";
const NO_BREAK_GLASS: &str = "leave it out for nobody, or name one, like break_glass = [\"U012ABCDEF\"]";
const NO_PORTS: &str = "write at least one, like ports = [22, 3389]";

/// Collects problems while values are read.
struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

/// What `defaults` and each rule may both say.
#[derive(Clone, Default)]
struct Common {
    duration: Option<Ttl>,
    longest: Option<Ttl>,
    undecided: Option<Ttl>,
    approvals: Option<u8>,
    source: Option<Source>,
    sources: Option<Vec<Source>>,
    ports: Option<Vec<u16>>,
    justification_required: Option<bool>,
    only_enabled: Option<bool>,
    move_without_approval: Option<bool>,
}

/// What no rule may exceed.
#[derive(Default)]
struct Ceilings {
    longest: Option<Ttl>,
    sources: Option<Vec<Source>>,
    ports: Option<Vec<u16>>,
}

/// The key's own place where a table has one of these, else the table's.
fn place(table: &DeTable<'_>, keys: &[&str], at: usize) -> usize {
    keys.iter().find_map(|key| table.get(*key)).map_or(at, |value| value.span().start)
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
        let admins = self.some(table, "admins", NO_ADMINS, Self::admin).unwrap_or_default();
        let ceilings =
            self.table(table, "ceilings").map_or_else(Ceilings::default, |ceilings| self.ceilings(ceilings));
        let defaults = match self.table(table, "defaults") {
            None => Common::default(),
            Some(defaults) => {
                self.unknown_keys(defaults, DEFAULTS, "[defaults]");
                self.common(defaults)
            }
        };
        let mut rules = vec![];
        match table.get("rules").map(|value| (value, value.get_ref())) {
            None => self.problem(0, "there are no rules; write at least one [[rules]]"),
            Some((_, DeValue::Array(array))) => {
                for value in array.iter() {
                    let at = value.span().start;
                    match value.get_ref() {
                        DeValue::Table(rule) => {
                            let rule = self.rule(rule, at, &defaults, &ceilings);
                            rules.extend(rule.map(|rule| (at, rule)));
                        }
                        _ => self.problem(at, "each of `rules` must be a table; write [[rules]]"),
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
        self.order(&rules);
        Some(Policy { channel: channel?, admins, rules: rules.into_iter().map(|(_, rule)| rule).collect() })
    }

    /// The table of this name, where there is one.
    fn table<'t>(&mut self, all: &'t DeTable<'t>, key: &str) -> Option<&'t DeTable<'t>> {
        let value = all.get(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.problem(value.span().start, &format!("`{key}` must be a table; write [{key}]"));
        }
        table
    }

    /// Rules that no machine comes to, and names that are there twice.
    fn order(&mut self, rules: &[(usize, Rule)]) {
        for (count, (at, rule)) in rules.iter().enumerate() {
            let before = || rules.iter().take(count).map(|(_, before)| before);
            if before().any(|before| before.name == rule.name) {
                let message = format!("two rules are called `{}`; give each a name of its own", rule.name);
                self.problem(*at, &message);
            } else if let Some(first) = before().find(|before| before.hides(rule)) {
                let message = format!(
                    "no machine comes to the rule `{}`: `{}` before it decides about all of them; write it further up, or take it away",
                    rule.name, first.name
                );
                self.problem(*at, &message);
            }
        }
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

    fn ceilings(&mut self, table: &DeTable<'_>) -> Ceilings {
        self.unknown_keys(table, CEILINGS, "[ceilings]");
        Ceilings {
            longest: table.get("longest").and_then(|value| self.ttl(value, "longest")),
            // Of what cannot be read nothing is beyond.
            sources: self.some(table, "sources", NO_SOURCES, Self::source).filter(|list| !list.is_empty()),
            ports: self.some(table, "ports", NO_PORTS, Self::port).filter(|list| !list.is_empty()),
        }
    }

    fn name(&mut self, table: &DeTable<'_>, at: usize) -> Option<String> {
        let Some(value) = table.get("name") else {
            self.problem(at, "a rule has no `name`; write one, like name = \"databases\"");
            return None;
        };
        let name = self.string(value, "`name`")?;
        let usable = (1..=60).contains(&name.chars().count()) && !name.contains(['`', '\n']);
        if !usable {
            self.problem(
                value.span().start,
                "the name of a rule has 1 to 60 characters, no backtick, no line break",
            );
        }
        usable.then_some(name)
    }

    fn rule(
        &mut self,
        table: &DeTable<'_>,
        at: usize,
        defaults: &Common,
        ceilings: &Ceilings,
    ) -> Option<Rule> {
        self.unknown_keys(table, RULE, "[[rules]]");
        let own = self.common(table);
        let name = self.name(table, at);
        let machines = self.required(table, at, "machines", "like machines = [\"VM*\"]", Self::pattern);
        let requesters = self.required(table, at, "requesters", "like requesters = [\"*\"]", Self::requester);
        let approvers =
            self.required(table, at, "approvers", "like approvers = [\"U012ABCDEF\"]", Self::approver);
        let channel = table.get("channel").and_then(|value| self.channel(value));
        let break_glass = self.some(table, "break_glass", NO_BREAK_GLASS, Self::glass_breaker);
        let resource_groups = self.some(table, "resource_groups", "leave it out for all", Self::pattern);
        let subscriptions = self.some(table, "subscriptions", "leave it out for all", Self::subscription);
        let tags = self.tags(table);
        let ports = own.ports.or_else(|| defaults.ports.clone());
        if ports.is_none() {
            self.problem(
                at,
                "a rule has no `ports`; write them here or in [defaults], like ports = [22, 3389]",
            );
        }
        let minutes = |minutes| Ttl::from_minutes(minutes).unwrap_or(Ttl::MAX);
        let longest = own.longest.or(defaults.longest);
        let longest = longest.unwrap_or_else(|| minutes(180).min(ceilings.longest.unwrap_or(Ttl::MAX)));
        let duration = own.duration.or(defaults.duration).unwrap_or_else(|| minutes(60).min(longest));
        if duration > longest {
            self.problem(
                place(table, &["duration", "longest"], at),
                &format!("`duration` ({duration}) is longer than `longest` ({longest}); write a shorter one"),
            );
        }
        let sources = own.sources.or_else(|| defaults.sources.clone());
        let sources = sources.or_else(|| ceilings.sources.clone()).unwrap_or_default();
        let source = own.source.or(defaults.source);
        if let Some(source) = source
            && !sources.is_empty()
            && !sources.iter().any(|allowed| source.is_within(allowed))
        {
            self.problem(
                place(table, &["source", "sources"], at),
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
                self.problem(place(table, &["approvers"], at), &message);
            }
        }
        let move_without_approval =
            own.move_without_approval.or(defaults.move_without_approval).unwrap_or(false);
        if move_without_approval && sources.is_empty() {
            self.problem(
                place(table, &["move_without_approval"], at),
                "`move_without_approval` needs `sources`: a grant is moved within one of them; name them, or write move_without_approval = false",
            );
        }
        self.beyond(table, at, ceilings, longest, ports.as_deref().unwrap_or_default(), &sources);
        Some(Rule {
            name: name?,
            machines: machines?,
            resource_groups: resource_groups.unwrap_or_default(),
            subscriptions: subscriptions.unwrap_or_default(),
            tags: tags?,
            requesters: requesters?,
            approvers: approvers?,
            channel,
            break_glass: break_glass.unwrap_or_default(),
            ports: ports?,
            sources,
            source,
            duration,
            longest,
            undecided: own.undecided.or(defaults.undecided).unwrap_or_else(|| minutes(60)),
            approvals,
            justification_required: own
                .justification_required
                .or(defaults.justification_required)
                .unwrap_or(false),
            only_enabled: own.only_enabled.or(defaults.only_enabled).unwrap_or(false),
            move_without_approval,
        })
    }

    /// What of a rule is beyond the ceilings.
    fn beyond(
        &mut self,
        table: &DeTable<'_>,
        at: usize,
        ceilings: &Ceilings,
        longest: Ttl,
        ports: &[u16],
        sources: &[Source],
    ) {
        if let Some(ceiling) = ceilings.longest.filter(|ceiling| longest > *ceiling) {
            let message = format!(
                "`longest` ({longest}) is beyond that of [ceilings] ({ceiling}); write a shorter one here, or a longer one there"
            );
            self.problem(place(table, &["longest"], at), &message);
        }
        let beyond = |port: &&u16| ceilings.ports.as_ref().is_some_and(|ceiling| !ceiling.contains(port));
        if let Some(port) = ports.iter().find(beyond) {
            let message =
                format!("port {port} is not among `ports` of [ceilings]; take it away here, or add it there");
            self.problem(place(table, &["ports"], at), &message);
        }
        let beyond = |source: &&Source| {
            let within = |ceiling: &Vec<Source>| ceiling.iter().any(|allowed| source.is_within(allowed));
            ceilings.sources.as_ref().is_some_and(|ceiling| !within(ceiling))
        };
        if let Some(source) = sources.iter().find(beyond) {
            let message =
                format!("{source} is not within `sources` of [ceilings]; take it away here, or add it there");
            self.problem(place(table, &["sources"], at), &message);
        }
    }

    fn common(&mut self, table: &DeTable<'_>) -> Common {
        Common {
            duration: table.get("duration").and_then(|value| self.ttl(value, "duration")),
            longest: table.get("longest").and_then(|value| self.ttl(value, "longest")),
            undecided: table.get("undecided").and_then(|value| self.ttl(value, "undecided")),
            approvals: table.get("approvals").and_then(|value| self.approvals(value)),
            source: table.get("source").and_then(|value| self.source(value)),
            sources: self.some(table, "sources", NO_SOURCES, Self::source),
            ports: self.some(table, "ports", NO_PORTS, Self::port),
            justification_required: self.flag(table, "justification_required"),
            only_enabled: self.flag(table, "only_enabled"),
            move_without_approval: self.flag(table, "move_without_approval"),
        }
    }

    fn flag(&mut self, table: &DeTable<'_>, key: &str) -> Option<bool> {
        table.get(key).and_then(|value| self.boolean(value, key))
    }

    fn required<T>(
        &mut self,
        table: &DeTable<'_>,
        at: usize,
        key: &str,
        example: &str,
        read: fn(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let list = self.some(table, key, &format!("write at least one, {example}"), read);
        if list.is_none() {
            self.problem(at, &format!("a rule has no `{key}`; write them, {example}"));
        }
        list
    }

    /// A list, where there is one. One without anything in it is a problem: it could mean all as well as none.
    fn some<T>(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        instead: &str,
        read: fn(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = table.get(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.problem(value.span().start, &format!("`{key}` must be a list; write it in brackets"));
            return Some(vec![]);
        };
        if array.is_empty() {
            self.problem(value.span().start, &format!("`{key}` is empty; {instead}"));
        }
        Some(array.iter().filter_map(|item| read(self, item)).collect())
    }
}
