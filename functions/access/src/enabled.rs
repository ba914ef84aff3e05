//! What an admin has enabled on a machine in Slack: which ports may be asked for, from where and for how long at most.
//! It narrows the policy file and never widens it.

use crate::command::{parse_ports, parse_ttl};
use crate::lease::{Timestamp, Ttl};
use crate::machine::System;
use crate::policy::{NotAllowed, Rule};
use crate::request::{Ports, Protocol, Source, UserId, Wish};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The ports that Microsoft's Just in Time access suggests: SSH, RDP, and WinRM by HTTP and HTTPS
/// (learn.microsoft.com, defender-for-cloud, enable-just-in-time-access).
pub const SUGGESTED: [u16; 4] = [22, 3389, 5985, 5986];

/// Those of [`SUGGESTED`] that people use on a system of this kind; both where it is not known.
pub fn preselected(system: Option<System>) -> &'static [u16] {
    match system {
        Some(System::Linux) => &[22],
        Some(System::Windows) => &[3389],
        None => &[22, 3389],
    }
}

/// The longest duration that is suggested.
pub const SUGGESTED_LONGEST_MINUTES: u32 = 180;

/// One port that was enabled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EnabledPort {
    /// The port.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// Where people may come from; none where only the policy says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// The longest duration.
    pub longest: Ttl,
}

impl fmt::Display for EnabledPort {
    /// As it can be typed into the form: `22`, `53/udp from 203.0.113.0/24 for 1h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.port)?;
        if self.protocol == Protocol::Udp {
            f.write_str("/udp")?;
        }
        if !self.sources.is_empty() {
            let sources: Vec<String> = self.sources.iter().map(Source::to_string).collect();
            write!(f, " from {}", sources.join(","))?;
        }
        write!(f, " for {}m", self.longest.minutes())
    }
}

/// What was enabled on one machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Enabled {
    ports: Vec<EnabledPort>,
    by: UserId,
    at: Timestamp,
}

#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    ports: Vec<EnabledPort>,
    by: UserId,
    at: Timestamp,
}

impl TryFrom<Stored> for Enabled {
    type Error = NotEnabled;
    fn try_from(Stored { ports, by, at }: Stored) -> Result<Self, NotEnabled> {
        Self::new(ports, by, at)
    }
}

impl From<Enabled> for Stored {
    fn from(Enabled { ports, by, at }: Enabled) -> Self {
        Self { ports, by, at }
    }
}

/// Why something cannot be enabled: one sentence that says what to write instead.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotEnabled {
    /// No port.
    #[error("Choose at least one port, or write one below.")]
    NoPort,
    /// Too many ports.
    #[error("These are {0} ports; at most {max} can be enabled on a machine.", max = Ports::MAX)]
    TooMany(usize),
    /// One port twice.
    #[error("Port {0} is there twice; write it once.")]
    Twice(String),
    /// A line that is not understood.
    #[error("Line {line}, `{text}`: {why}. Write for example `53/udp from 203.0.113.0/24 for 1h`.")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What it says.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A source that is none.
    #[error("{0}. Several have commas between them.")]
    Source(String),
    /// Not a duration.
    #[error("`{0}` is not a duration between 1 minute and 24 hours; write it like `30m`, `3h` or `1h30m`.")]
    Longest(String),
    /// More than the policy file lets on one of the machines.
    #[error("On {machine} the policy file lets less: {why}.")]
    BeyondPolicy {
        /// Its name.
        machine: String,
        /// What it does not let.
        why: String,
    },
}

impl Enabled {
    /// These ports, enabled by this admin.
    ///
    /// # Errors
    /// No port, too many, or one twice.
    pub fn new(mut ports: Vec<EnabledPort>, by: UserId, at: Timestamp) -> Result<Self, NotEnabled> {
        ports.sort_by_key(|one| (one.port, one.protocol == Protocol::Udp));
        if ports.is_empty() {
            return Err(NotEnabled::NoPort);
        }
        if ports.len() > Ports::MAX {
            return Err(NotEnabled::TooMany(ports.len()));
        }
        let same =
            |pair: &&[EnabledPort]| pair[0].port == pair[1].port && pair[0].protocol == pair[1].protocol;
        if let Some(twice) = ports.windows(2).find(same) {
            return Err(NotEnabled::Twice(twice[0].port.to_string()));
        }
        Ok(Self { ports, by, at })
    }

    /// By number.
    pub fn ports(&self) -> &[EnabledPort] {
        &self.ports
    }

    /// Who enabled it last.
    pub const fn by(&self) -> &UserId {
        &self.by
    }

    /// When.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The longest duration that one of its ports can be asked for.
    pub fn longest(&self) -> Ttl {
        self.ports.iter().map(|one| one.longest).max().unwrap_or(Ttl::MIN)
    }

    /// Its ports of each protocol that it has.
    pub fn by_protocol(&self) -> Vec<(Protocol, Ports)> {
        let of = |protocol| {
            let ports =
                self.ports.iter().filter(|one| one.protocol == protocol).map(|one| one.port).collect();
            Ports::new(ports).ok().map(|ports| (protocol, ports))
        };
        [Protocol::Tcp, Protocol::Udp].into_iter().filter_map(of).collect()
    }

    /// The protocol by which these ports can be asked for together: TCP where it can.
    pub fn protocol_of(&self, ports: &Ports) -> Protocol {
        let has = |protocol| {
            let has = |port: &u16| self.ports.iter().any(|one| one.port == *port && one.protocol == protocol);
            ports.as_slice().iter().all(has)
        };
        if !has(Protocol::Tcp) && has(Protocol::Udp) { Protocol::Udp } else { Protocol::Tcp }
    }

    /// Whether a request is within what was enabled. `rule`: the name of the rule that lets it.
    ///
    /// # Errors
    /// The first thing that was not enabled.
    pub fn admits(&self, wish: &Wish, source: Option<&Source>, rule: &str) -> Result<(), NotAllowed> {
        let rule = || rule.to_owned();
        for port in wish.ports.as_slice() {
            let one = self.ports.iter().find(|one| one.port == *port && one.protocol == wish.protocol);
            let Some(one) = one else {
                let offered = self.ports.iter().map(|one| one.port).collect::<BTreeSet<_>>();
                return Err(NotAllowed::Port {
                    rule: rule(),
                    port: *port,
                    offered: offered.into_iter().collect(),
                });
            };
            if wish.ttl > one.longest {
                return Err(NotAllowed::Duration { rule: rule(), longest: one.longest });
            }
            if let Some(source) = source
                && !one.sources.is_empty()
                && !one.sources.iter().any(|allowed| source.is_within(allowed))
            {
                let (source_prefix, allowed) = (*source, one.sources.clone());
                return Err(NotAllowed::Source { rule: rule(), source_prefix, allowed });
            }
        }
        Ok(())
    }

    /// Whether the policy file lets all of it on a machine that this rule decides about.
    ///
    /// # Errors
    /// What it does not let.
    pub fn is_within(&self, machine: &str, rule: &Rule) -> Result<(), NotEnabled> {
        let beyond = |why: String| Err(NotEnabled::BeyondPolicy { machine: machine.to_owned(), why });
        let name = rule.name();
        for one in &self.ports {
            if !rule.ports().contains(&one.port) {
                let offered: Vec<String> = rule.ports().iter().map(u16::to_string).collect();
                return beyond(format!(
                    "the rule `{name}` offers {} and not {}",
                    offered.join(", "),
                    one.port
                ));
            }
            if one.longest > rule.longest() {
                return beyond(format!("the rule `{name}` lets at most {}", rule.longest()));
            }
            let within = |source: &Source| rule.sources().iter().any(|allowed| source.is_within(allowed));
            if let Some(source) =
                one.sources.iter().find(|source| !rule.sources().is_empty() && !within(source))
            {
                return beyond(format!("the rule `{name}` does not let {source} in"));
            }
        }
        Ok(())
    }
}

/// What an admin has filled into the form, as text.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Filled {
    /// The suggested ports that were ticked.
    pub ticked: Vec<u16>,
    /// Sources for all of them, separated by commas; empty where only the policy says.
    pub sources: String,
    /// The longest duration for all of them.
    pub longest: String,
    /// A line for each further port, and for one that has sources or a duration of its own.
    pub lines: String,
}

/// A field of the form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// The ticked ports.
    Ports,
    /// The sources.
    Sources,
    /// The longest duration.
    Longest,
    /// The lines.
    Lines,
}

impl Field {
    /// The field's name in Slack.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Sources => "sources",
            Self::Longest => "longest",
            Self::Lines => "lines",
        }
    }
}

impl Filled {
    /// Reads what was filled in.
    ///
    /// # Errors
    /// The field that is wrong, and what to write instead.
    pub fn read(&self, by: &UserId, at: Timestamp) -> Result<Enabled, (Field, NotEnabled)> {
        let sources = sources(&self.sources).map_err(|why| (Field::Sources, NotEnabled::Source(why)))?;
        let longest = self.longest.trim();
        let longest = parse_ttl(longest)
            .ok_or_else(|| (Field::Longest, NotEnabled::Longest(crate::request::clip(longest))))?;
        let mut ports: Vec<EnabledPort> = vec![];
        for (count, text) in self.lines.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let line = line(text, &sources, longest).map_err(|why| {
                let text = crate::request::clip(text.trim());
                (Field::Lines, NotEnabled::Line { line: count + 1, text, why })
            })?;
            ports.extend(line);
        }
        let own = |port: &u16| ports.iter().any(|one| one.port == *port && one.protocol == Protocol::Tcp);
        let ticked: Vec<u16> = self.ticked.iter().copied().filter(|port| !own(port)).collect();
        let alike = |port| EnabledPort { port, protocol: Protocol::Tcp, sources: sources.clone(), longest };
        ports.extend(ticked.into_iter().map(alike));
        Enabled::new(ports, by.clone(), at).map_err(|why| {
            let field = if why == NotEnabled::NoPort { Field::Ports } else { Field::Lines };
            (field, why)
        })
    }

    /// What the form shows of what is enabled.
    pub fn of(enabled: &Enabled) -> Self {
        // What most of its ports have in common stands once.
        let plain = |one: &&EnabledPort| {
            SUGGESTED.contains(&one.port) && one.protocol == Protocol::Tcp && one.sources.is_empty()
        };
        let longest = enabled.ports.iter().filter(plain).map(|one| one.longest).max();
        let longest = longest.unwrap_or_else(|| enabled.longest());
        let (ticked, others): (Vec<_>, Vec<_>) =
            enabled.ports.iter().partition(|one| plain(one) && one.longest == longest);
        Self {
            ticked: ticked.iter().map(|one| one.port).collect(),
            sources: String::new(),
            longest: format!("{}m", longest.minutes()),
            lines: others.iter().map(|one| one.to_string()).collect::<Vec<_>>().join("\n"),
        }
    }
}

fn sources(text: &str) -> Result<Vec<Source>, String> {
    let each = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|one| !one.is_empty());
    each.map(|one| one.parse::<Source>().map_err(|why| why.to_string())).collect()
}

/// `22`, `rdp`, `53/udp from 203.0.113.0/24,198.51.100.7 for 1h`
fn line(text: &str, sources_of_all: &[Source], longest_of_all: Ttl) -> Result<Vec<EnabledPort>, String> {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let (list, protocol) = match first.rsplit_once('/') {
        None => (first, Protocol::Tcp),
        Some((list, name)) if name.eq_ignore_ascii_case("tcp") => (list, Protocol::Tcp),
        Some((list, name)) if name.eq_ignore_ascii_case("udp") => (list, Protocol::Udp),
        Some(_) => return Err("the protocol is neither tcp nor udp".to_owned()),
    };
    let ports = parse_ports(list).map_err(|why| why.to_string())?;
    let (mut own_sources, mut longest) = (None, None);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("something is missing after `{word}`"))?;
        let again = match word.to_ascii_lowercase().as_str() {
            "from" => own_sources.replace(sources(value)?).is_some(),
            "for" => {
                let ttl = parse_ttl(value).ok_or_else(|| format!("`{value}` is not a duration"))?;
                longest.replace(ttl).is_some()
            }
            _ => return Err(format!("`{word}` is not understood")),
        };
        if again {
            return Err(format!("`{word}` is there twice"));
        }
    }
    let sources = own_sources.unwrap_or_else(|| sources_of_all.to_vec());
    let longest = longest.unwrap_or(longest_of_all);
    let one = |port: &u16| EnabledPort { port: *port, protocol, sources: sources.clone(), longest };
    Ok(ports.as_slice().iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(ticked: &[u16], sources: &str, longest: &str, lines: &str) -> Filled {
        Filled {
            ticked: ticked.to_vec(),
            sources: sources.to_owned(),
            longest: longest.to_owned(),
            lines: lines.to_owned(),
        }
    }

    fn read(form: &Filled) -> Result<Enabled, (Field, NotEnabled)> {
        form.read(&"U0CHRIS".parse().unwrap(), Timestamp::from_unix(7))
    }

    fn spelled(enabled: &Enabled) -> Vec<String> {
        enabled.ports().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_form_is_read_and_shown_again() {
        let form =
            filled(&[22, 3389], "", "3h", "53/udp from 203.0.113.0/24,198.51.100.7 for 1h\n\n rdp for 30m");
        let enabled = read(&form).unwrap();
        let expected = ["22 for 180m", "53/udp from 203.0.113.0/24,198.51.100.7 for 60m", "3389 for 30m"];
        assert_eq!(spelled(&enabled), expected);
        assert_eq!(spelled(&read(&Filled::of(&enabled)).unwrap()), expected);
        let all = read(&filled(&[22], "203.0.113.0/24", "90", "winrm")).unwrap();
        let each = |port: u16| format!("{port} from 203.0.113.0/24 for 90m");
        assert_eq!(spelled(&all), [each(22), each(5985), each(5986)]);
        assert_eq!(spelled(&read(&Filled::of(&all)).unwrap()), spelled(&all));
        let stored = serde_json::to_value(&enabled).unwrap();
        assert_eq!(serde_json::from_value::<Enabled>(stored).unwrap(), enabled);
        assert_eq!(
            enabled.by_protocol(),
            [
                (Protocol::Tcp, Ports::new(vec![22, 3389]).unwrap()),
                (Protocol::Udp, Ports::new(vec![53]).unwrap())
            ]
        );
        assert_eq!(enabled.protocol_of(&Ports::new(vec![53]).unwrap()), Protocol::Udp);
        assert_eq!(enabled.protocol_of(&Ports::new(vec![22, 53]).unwrap()), Protocol::Tcp);
    }

    #[test]
    fn what_is_wrong_in_a_form_is_told_at_its_field() {
        let line = |line, text: &str, why: &str| {
            (Field::Lines, NotEnabled::Line { line, text: text.to_owned(), why: why.to_owned() })
        };
        let not_a_port = "`0` is not a port; write a number from 1 to 65535, several with commas between them, or ssh, rdp, winrm";
        for (form, expected) in [
            (filled(&[], "", "3h", ""), (Field::Ports, NotEnabled::NoPort)),
            (filled(&[22], "", "3 days", ""), (Field::Longest, NotEnabled::Longest("3 days".to_owned()))),
            (
                filled(&[22], "everywhere", "3h", ""),
                (
                    Field::Sources,
                    NotEnabled::Source(
                        "`everywhere` is not an address; write one like 203.0.113.7 or 203.0.113.0/28"
                            .to_owned(),
                    ),
                ),
            ),
            (filled(&[22], "", "3h", "\n53/sctp"), line(2, "53/sctp", "the protocol is neither tcp nor udp")),
            (filled(&[22], "", "3h", "0"), line(1, "0", not_a_port)),
            (filled(&[22], "", "3h", "53 for"), line(1, "53 for", "something is missing after `for`")),
            (filled(&[22], "", "3h", "53 for ever"), line(1, "53 for ever", "`ever` is not a duration")),
            (filled(&[22], "", "3h", "53 by bea"), line(1, "53 by bea", "`by` is not understood")),
            (
                filled(&[22], "", "3h", "53 for 1h for 2h"),
                line(1, "53 for 1h for 2h", "`for` is there twice"),
            ),
            (filled(&[22], "", "3h", "53\n53"), (Field::Lines, NotEnabled::Twice("53".to_owned()))),
            (filled(&[22], "", "3h", "1,2,3,4,5,6,7,8,9,10"), (Field::Lines, NotEnabled::TooMany(11))),
        ] {
            assert_eq!(read(&form), Err(expected), "{form:?}");
        }
    }
}
