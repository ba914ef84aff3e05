//! The text after `/jit`, and what to type instead when it cannot be understood.

use crate::lease::Ttl;
use crate::lockdown::NamePattern;
use crate::request::{
    Justification, MachineName, MachineQuery, Malformed, Means, Ports, RequestId, Source, UserId,
};

mod grants;
mod looking;
mod moving;

pub use grants::Closing;

/// What somebody typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// `/jit help`
    Help,
    /// `/jit` alone and `/jit <vm>`: what is asked for is filled in a form.
    Form {
        /// Which machine; where none was said the form asks first.
        machine: Option<MachineQuery>,
    },
    /// `/jit [[<subscription>/]<resource group>/]<vm> <port>[,<port>] [from <address>] [for <duration>] [break-glass] [because <text>]`
    Ask {
        /// Which machine.
        machine: MachineQuery,
        /// Which ports.
        ports: Ports,
        /// From where; without it the policy's default.
        source: Option<Source>,
        /// For how long; without it the policy's default.
        ttl: Option<Ttl>,
        /// Who is to open it; a break-glass has a reason.
        means: Means,
        /// Why.
        justification: Option<Justification>,
    },
    /// `/jit vms [<pattern>]`: which machines there are, and how they stand.
    Machines {
        /// Part of their names.
        part: Option<MachineName>,
    },
    /// `/jit enable <vm> …` and `/jit edit <vm>`: which ports may be asked for.
    Enable {
        /// Which machines, each once.
        machines: Vec<MachineQuery>,
    },
    /// `/jit disable <vm> …`
    Disable {
        /// Which machines, each once.
        machines: Vec<MachineQuery>,
    },
    /// `/jit lockdown [<pattern>]`: shut what is open, and open nothing until it is lifted.
    Lockdown {
        /// Which machines; all where none was said.
        pattern: NamePattern,
    },
    /// `/jit lift [<pattern>]`
    Lift {
        /// The lockdown's; every lockdown where none was said.
        pattern: Option<NamePattern>,
    },
    /// `/jit close <vm> [<port>…]` and `/jit close <ref>`: end it early, or take it back.
    Close(Closing),
    /// `/jit move <ref> [from <address>]` and `/jit move <vm> [<port>…] [from <address>]`: one's own grant to another address.
    Move {
        /// Which grant.
        grant: Closing,
        /// To where; without it the page tells.
        to: Option<Source>,
    },
    /// `/jit unfreeze <person>`: their clicks count again.
    Unfreeze {
        /// Who.
        user: UserId,
    },
    /// `/jit list [all]`: what waits, is open, and ended lately.
    List {
        /// All that the person may decide on, and not only their own.
        all: bool,
    },
    /// `/jit show <ref>`: a request with its history.
    Show {
        /// Which.
        request: RequestId,
    },
    /// `/jit why <vm> <port>[,<port>] [from <address>]`: why somebody cannot get in.
    Why {
        /// Which machine.
        machine: MachineQuery,
        /// Which ports.
        ports: Ports,
        /// From where, where they say it.
        source: Option<Source>,
    },
}

/// The most machines that can be enabled or disabled at once.
pub const MOST_MACHINES: usize = 10;

/// The line that always works, shown wherever one cannot be understood.
pub const EXAMPLE: &str = "/jit VM3 22 from 203.0.113.7 for 30m because patching";

/// A line that shows a request.
const SHOW_EXAMPLE: &str = "/jit show 7F3K9-QXM2P";

/// The word with which people ask to open without approval.
pub const BREAK_GLASS: &str = "break-glass";

/// Why a command cannot be understood. Each says what to type instead.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommandError {
    /// A machine without a port.
    #[error("a port is missing; type for example `/jit {machine} 22`, or ssh, rdp, winrm instead of 22")]
    PortMissing {
        /// The machine.
        machine: MachineQuery,
    },
    /// `enable`, `edit` or `disable` without a machine.
    #[error("the names of the machines are missing; type for example `/jit {word} VM1 VM2`")]
    MachinesMissing {
        /// The word.
        word: &'static str,
    },
    /// `close` and nothing else.
    #[error(
        "what to close is missing; type for example `/jit close VM3 22`, or its reference: `/jit close 7F3K9-QXM2P`"
    )]
    CloseWhat,
    /// `move` and nothing else.
    #[error(
        "what to move is missing; type the reference of your grant, like `/jit move 7F3K9-QXM2P`, or its machine and port: `/jit move VM3 22`"
    )]
    MoveWhat,
    /// `unfreeze` without a person.
    #[error(
        "the person is missing; the message about them in the channel has the line to type, like `/jit unfreeze U012ABCDEF`"
    )]
    UnfreezeWhom,
    /// More machines than can be enabled or disabled at once.
    #[error("these are {0} machines; name at most {max} at once", max = MOST_MACHINES)]
    TooManyMachines(usize),
    /// A part is not what it should be.
    #[error("{0}. For example: `{EXAMPLE}`")]
    Malformed(#[from] Malformed),
    /// Not a duration.
    #[error(
        "`{0}` is not a duration between 1 minute and 24 hours; write it like `for 30m`, `for 2h` or `for 1h30m`"
    )]
    Duration(String),
    /// `from` or `for` at the very end.
    #[error("something is missing after `{0}`. For example: `{EXAMPLE}`")]
    Dangling(&'static str),
    /// A word in a place where none is expected.
    #[error("`{word}` is not understood here; {}", instead(meant.as_deref()))]
    Unexpected {
        /// The word.
        word: String,
        /// What was probably meant by it.
        meant: Option<String>,
    },
    /// To be opened without approval, without a reason.
    #[error(
        "`{BREAK_GLASS}` opens without approval and needs a reason; type for example `/jit {machine} {ports} {BREAK_GLASS} because the database is down`"
    )]
    Reasonless {
        /// The machine.
        machine: MachineQuery,
        /// The ports, as they are typed.
        ports: String,
    },
    /// `why` without a machine or without a port.
    #[error("which machine, and which port? Type for example `/jit why {0} 22`")]
    WhyWhat(String),
    /// `show` without a reference.
    #[error(
        "the reference of the request is missing; type it as its card ends, for example `{SHOW_EXAMPLE}`"
    )]
    ReferenceMissing,
    /// `show` with something else.
    #[error(
        "`{0}` is not the reference of a request; type it as its card ends, for example `{SHOW_EXAMPLE}`"
    )]
    Reference(String),
    /// `from`, `for`, `break-glass` or `because` twice.
    #[error("`{0}` is there twice; write it once. For example: `{EXAMPLE}`")]
    Twice(&'static str),
}

/// Reads the text after `/jit`.
///
/// # Errors
/// What was wrong, and what to type instead.
pub fn parse(text: &str) -> Result<Command, CommandError> {
    let mut words = Words { rest: text.trim() };
    let Some(first) = words.next() else { return Ok(Command::Form { machine: None }) };
    if first.eq_ignore_ascii_case("help") && words.rest.is_empty() {
        return Ok(Command::Help);
    }
    // A machine may be called like any of them, and is asked for with a port.
    let is_command = words.peek().is_none_or(|next| parse_ports(next).is_err());
    let command = || {
        about_machines(first, words.rest)
            .or_else(|| grants::parse(first, words.rest))
            .or_else(|| moving::parse(first, words.rest))
            .or_else(|| looking::parse(first, words.rest))
    };
    if let Some(command) = is_command.then(command).flatten() {
        return command;
    }
    ask(first, words)
}

/// A machine and ports, and what else is asked for.
fn ask(first: &str, mut words: Words<'_>) -> Result<Command, CommandError> {
    let machine: MachineQuery = first.parse()?;
    let mut list = match words.peek() {
        None => return Ok(Command::Form { machine: Some(machine) }),
        Some(word) if keyword(word).is_some() => return Err(CommandError::PortMissing { machine }),
        Some(word) => word.to_owned(),
    };
    words.next();
    words.rest_of_list(&mut list);
    let ports = parse_ports(&list)?;
    let (mut source, mut ttl, mut means, mut justification) = (None, None, None, None);
    while let Some(word) = words.next() {
        match keyword(word) {
            None => {
                let (word, meant) = (crate::request::clip(word), meant(word, &ports));
                return Err(CommandError::Unexpected { word, meant });
            }
            Some("from") => {
                let value = words.value().ok_or(CommandError::Dangling("from"))?;
                put(&mut source, value.parse()?, "from")?;
            }
            Some("for") => {
                let value = words.value().ok_or(CommandError::Dangling("for"))?;
                let parsed =
                    parse_ttl(value).ok_or_else(|| CommandError::Duration(crate::request::clip(value)))?;
                put(&mut ttl, parsed, "for")?;
            }
            Some(BREAK_GLASS) => put(&mut means, Means::BreakGlass, BREAK_GLASS)?,
            Some(_) => {
                // The rest of the line, whatever it holds.
                let rest = std::mem::take(&mut words.rest);
                put(&mut justification, rest.parse()?, "because")?;
            }
        }
    }
    if means.is_some() && justification.is_none() {
        return Err(CommandError::Reasonless { machine, ports: ports.to_string().replace(' ', "") });
    }
    Ok(Command::Ask { machine, ports, source, ttl, means: means.unwrap_or_default(), justification })
}

/// What the list of machines and the admins' commands begin with.
fn about_machines(first: &str, rest: &str) -> Option<Result<Command, CommandError>> {
    let word = ["vms", "enable", "edit", "disable", "lockdown", "lift"]
        .into_iter()
        .find(|word| first.eq_ignore_ascii_case(word))?;
    let next = rest.split_whitespace().next();
    let pattern = || next.map(str::parse::<NamePattern>).transpose();
    Some(match word {
        "vms" => next
            .map(str::parse)
            .transpose()
            .map(|part| Command::Machines { part })
            .map_err(CommandError::from),
        "lockdown" => Ok(Command::Lockdown {
            pattern: match pattern() {
                Ok(pattern) => pattern.unwrap_or_else(NamePattern::everything),
                Err(why) => return Some(Err(why.into())),
            },
        }),
        "lift" => pattern().map(|pattern| Command::Lift { pattern }).map_err(CommandError::from),
        "disable" => named_machines(word, rest).map(|machines| Command::Disable { machines }),
        _ => named_machines(word, rest).map(|machines| Command::Enable { machines }),
    })
}

fn named_machines(word: &'static str, rest: &str) -> Result<Vec<MachineQuery>, CommandError> {
    let mut machines: Vec<MachineQuery> = vec![];
    let separated = |c: char| c.is_whitespace() || c == ',';
    for name in rest.split(separated).filter(|name| !name.is_empty()) {
        let machine: MachineQuery = name.parse()?;
        if !machines.contains(&machine) {
            machines.push(machine);
        }
    }
    match machines.len() {
        0 => Err(CommandError::MachinesMissing { word }),
        many if many > MOST_MACHINES => Err(CommandError::TooManyMachines(many)),
        _ => Ok(machines),
    }
}

/// What to write instead of a word that has no place.
fn instead(meant: Option<&str>) -> String {
    meant.map_or_else(
        || format!("after the port come `from`, `for` and `because`. For example: `{EXAMPLE}`"),
        |meant| format!("did you mean `{meant}`?"),
    )
}

/// A value without its keyword, or a port without its comma, is what people forget most.
fn meant(word: &str, ports: &Ports) -> Option<String> {
    if word.to_ascii_lowercase().replace(['-', '_'], "") == "breakglass" {
        return Some(BREAK_GLASS.to_owned());
    }
    if let Ok(port) = parse_ports(word) {
        return Some(format!("{ports},{port}").replace(' ', ""));
    }
    if let Ok(source) = word.parse::<Source>() {
        return Some(format!("from {source}"));
    }
    parse_ttl(word).map(|ttl| format!("for {}m", ttl.minutes()))
}

fn put<T>(place: &mut Option<T>, value: T, word: &'static str) -> Result<(), CommandError> {
    if place.replace(value).is_some() { Err(CommandError::Twice(word)) } else { Ok(()) }
}

fn keyword(word: &str) -> Option<&'static str> {
    ["from", "for", BREAK_GLASS, "because"].into_iter().find(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// Words of a line, with the rest of it at hand.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.rest.split_whitespace().next()
    }

    /// The next word, unless it begins the next part.
    fn value(&mut self) -> Option<&'a str> {
        if self.peek().is_some_and(|word| keyword(word).is_some()) { None } else { self.next() }
    }

    /// People write `22, 3389` as well as `22,3389`.
    fn rest_of_list(&mut self, list: &mut String) {
        while list.ends_with(',') || self.peek().is_some_and(|word| word.starts_with(',')) {
            match self.next() {
                Some(more) => list.push_str(more),
                None => break,
            }
        }
    }

    fn next(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        let start = self.rest.trim_start();
        self.rest = start[word.len()..].trim_start();
        Some(word)
    }
}

/// `22`, `22,3389`, `ssh`, `rdp`, `winrm`.
///
/// # Errors
/// Not ports, or too many.
pub fn parse_ports(list: &str) -> Result<Ports, Malformed> {
    let mut ports = vec![];
    for item in list.split(',').filter(|item| !item.is_empty()) {
        match item.to_ascii_lowercase().as_str() {
            "ssh" => ports.push(22),
            "rdp" => ports.push(3389),
            "winrm" => ports.extend([5985, 5986]),
            digits => {
                let number =
                    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
                let number = number.filter(|number| *number > 0);
                ports.push(number.ok_or_else(|| Malformed::Port(crate::request::clip(item)))?);
            }
        }
    }
    Ports::new(ports)
}

/// `30m`, `2h`, `1h30m`, `90` (minutes), `PT2H`.
pub fn parse_ttl(text: &str) -> Option<Ttl> {
    let lower = text.to_ascii_lowercase();
    let units = lower.strip_prefix("pt").unwrap_or(&lower);
    let number = |digits: &str| {
        let shaped = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        shaped.then(|| digits.parse::<u32>().ok()).flatten()
    };
    let (hours, rest) = match units.split_once('h') {
        Some((hours, rest)) => (number(hours)?, rest),
        None => (0, units),
    };
    let minutes = match rest {
        "" if units.contains('h') => 0,
        _ => number(rest.strip_suffix("min").or(rest.strip_suffix('m')).unwrap_or(rest))?,
    };
    Ttl::from_minutes(hours * 60 + minutes)
}

#[cfg(test)]
mod tests;
