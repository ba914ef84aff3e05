//! Commands that only look: `/jit list`, `/jit show` and `/jit why`.

use super::{BREAK_GLASS, Command, CommandError, Words, ask};
use crate::request::{RequestId, clip};

/// What begins with one of these words; `None` for anything else.
pub(super) fn parse(first: &str, rest: &str) -> Option<Result<Command, CommandError>> {
    let is = |word: &str| first.eq_ignore_ascii_case(word);
    if is("list") {
        Some(list(rest))
    } else if is("show") {
        Some(show(rest))
    } else if is("why") {
        Some(why(rest))
    } else {
        None
    }
}

fn list(rest: &str) -> Result<Command, CommandError> {
    let mut words = rest.split_whitespace();
    let all = match words.next() {
        None => return Ok(Command::List { all: false }),
        Some(word) if word.eq_ignore_ascii_case("mine") => false,
        Some(word) if word.eq_ignore_ascii_case("all") => true,
        Some(word) => return Err(unexpected(word, "list all".to_owned())),
    };
    match words.next() {
        None => Ok(Command::List { all }),
        Some(word) => Err(unexpected(word, if all { "list all" } else { "list" }.to_owned())),
    }
}

fn show(rest: &str) -> Result<Command, CommandError> {
    // Cards end with `Ref 7F3K9-QXM2P`, and people copy all of that.
    let mut words = rest.split_whitespace().skip_while(|word| word.eq_ignore_ascii_case("ref"));
    let typed = words.next().ok_or(CommandError::ReferenceMissing)?;
    let request = RequestId::typed(typed).map_err(|_| CommandError::Reference(clip(typed)))?;
    match words.next() {
        None => Ok(Command::Show { request }),
        Some(word) => Err(unexpected(word, format!("show {request}"))),
    }
}

/// The line that opens a port, without what is not asked here.
fn why(rest: &str) -> Result<Command, CommandError> {
    let mut words = Words { rest };
    let Some(first) = words.next() else { return Err(CommandError::WhyWhat("VM3".to_owned())) };
    let asked = ask(first, words).map_err(|why| match why {
        CommandError::PortMissing { machine } => CommandError::WhyWhat(machine.to_string()),
        CommandError::Reasonless { machine, ports } => {
            unexpected(BREAK_GLASS, format!("why {machine} {ports}"))
        }
        other => other,
    })?;
    let (machine, ports, source, ttl, justification) = match asked {
        Command::Ask { machine, ports, source, ttl, justification, .. } => {
            (machine, ports, source, ttl, justification)
        }
        Command::Form { machine: Some(machine) } => return Err(CommandError::WhyWhat(machine.to_string())),
        other => return Ok(other),
    };
    let word = ttl.map(|_| "for").or(justification.map(|_| "because"));
    match word {
        None => Ok(Command::Why { machine, ports, source }),
        Some(word) => Err(unexpected(word, format!("why {machine} {}", ports.to_string().replace(' ', "")))),
    }
}

fn unexpected(word: &str, meant: String) -> CommandError {
    CommandError::Unexpected { word: clip(word), meant: Some(meant) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    #[test]
    fn what_is_looked_at() {
        let request = RequestId::typed("7F3K9-QXM2P").unwrap();
        for (text, expected) in [
            ("list", Command::List { all: false }),
            ("List Mine", Command::List { all: false }),
            ("LIST all", Command::List { all: true }),
            ("show 7F3K9-QXM2P", Command::Show { request }),
            ("Show Ref 7f3k9qxm2p", Command::Show { request }),
        ] {
            assert_eq!(command::parse(text), Ok(expected), "{text}");
        }
        assert_eq!(command::parse("show"), Err(CommandError::ReferenceMissing));
        assert_eq!(command::parse("show ref"), Err(CommandError::ReferenceMissing));
        assert_eq!(command::parse("show VM3"), Err(CommandError::Reference("VM3".to_owned())));
        for (text, word, meant) in [
            ("list VM3", "VM3", "list all"),
            ("list all VM3", "VM3", "list all"),
            ("list mine too", "too", "list"),
            ("show 7F3K9-QXM2P please", "please", "show 7F3K9-QXM2P"),
        ] {
            let (word, meant) = (word.to_owned(), Some(meant.to_owned()));
            assert_eq!(command::parse(text), Err(CommandError::Unexpected { word, meant }), "{text}");
        }
    }

    #[test]
    fn why_names_a_machine_and_its_ports() {
        let query = |text: &str| text.parse::<crate::request::MachineQuery>().unwrap();
        let ports = crate::request::Ports::new(vec![22, 3389]).unwrap();
        assert_eq!(
            command::parse("Why Blue/VM3 ssh, 3389 from 203.0.113.7"),
            Ok(Command::Why {
                machine: query("Blue/VM3"),
                ports,
                source: Some("203.0.113.7".parse().unwrap())
            })
        );
        for (text, machine) in [("why", "VM3"), ("why VM9", "VM9"), ("why VM9 from 203.0.113.7", "VM9")] {
            assert_eq!(command::parse(text), Err(CommandError::WhyWhat(machine.to_owned())), "{text}");
        }
        for (text, word) in [
            ("why VM3 22,3389 for 30m", "for"),
            ("why VM3 22,3389 because it hangs", "because"),
            ("why VM3 22,3389 break-glass", "break-glass"),
            ("why VM3 22,3389 break-glass because it hangs", "because"),
        ] {
            let meant = Some("why VM3 22,3389".to_owned());
            let expected = CommandError::Unexpected { word: word.to_owned(), meant };
            assert_eq!(command::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_machine_may_be_called_like_that() {
        for name in ["list", "show", "why"] {
            let Ok(Command::Ask { machine, .. }) = command::parse(&format!("{name} 22")) else {
                panic!("{name} with a port is a machine")
            };
            assert_eq!(machine.to_string(), name);
        }
    }
}
