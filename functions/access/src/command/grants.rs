//! The commands that end a grant, and the one that lets somebody's clicks count again.

use super::{Command, CommandError, Words, keyword, parse_ports};
use crate::request::{MachineQuery, Malformed, Ports, RequestId, UserId};
use std::fmt;

/// A grant, or what is asked for, as somebody names it to end or to move it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Closing {
    /// One request, by its reference.
    Request(RequestId),
    /// What is asked for or open on a machine.
    Machine {
        /// Which machine.
        machine: MachineQuery,
        /// Exactly these ports; whichever where none was said.
        ports: Option<Ports>,
    },
}

impl fmt::Display for Closing {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => write!(f, "{id}"),
            Self::Machine { machine, ports: None } => write!(f, "{machine}"),
            Self::Machine { machine, ports: Some(ports) } => {
                write!(f, "{machine} {}", ports.to_string().replace(' ', ""))
            }
        }
    }
}

/// What ends a grant, or lets somebody's clicks count again.
pub(super) fn parse(first: &str, rest: &str) -> Option<Result<Command, CommandError>> {
    let mut words = Words { rest };
    let next = words.next();
    if first.eq_ignore_ascii_case("unfreeze") {
        let user = next.ok_or(CommandError::UnfreezeWhom).and_then(|next| Ok(person(next)?));
        return Some(user.map(|user| Command::Unfreeze { user }));
    }
    first.eq_ignore_ascii_case("close").then(|| closing(next, words).map(Command::Close))
}

fn closing(next: Option<&str>, mut words: Words<'_>) -> Result<Closing, CommandError> {
    let next = next.ok_or(CommandError::CloseWhat)?;
    let closing = named(next, &mut words)?;
    match (words.next(), &closing) {
        (None, _) => Ok(closing),
        (Some(word), Closing::Machine { ports: Some(_), .. }) => Err(CommandError::Unexpected {
            word: crate::request::clip(word),
            meant: Some(format!("/jit close {closing}")),
        }),
        (Some(word), _) => Err(Malformed::Port(crate::request::clip(word)).into()),
    }
}

/// A grant by its reference, or by its machine and ports; what follows is left.
pub(super) fn named(next: &str, words: &mut Words<'_>) -> Result<Closing, CommandError> {
    let is_port = |word: &str| parse_ports(word).is_ok();
    // A machine may be called as a reference looks, and is meant where ports follow.
    if let (Ok(id), false) = (next.to_ascii_uppercase().parse(), words.peek().is_some_and(is_port)) {
        return Ok(Closing::Request(id));
    }
    let machine: MachineQuery = next.parse()?;
    if words.peek().is_none_or(|word| keyword(word).is_some()) {
        return Ok(Closing::Machine { machine, ports: None });
    }
    let mut list = words.next().unwrap_or_default().to_owned();
    words.rest_of_list(&mut list);
    Ok(Closing::Machine { machine, ports: Some(parse_ports(&list)?) })
}

/// A person as Slack writes a mention where the app asks for it: `<@U012ABCDEF>` or `<@U012ABCDEF|bea>`
/// (docs.slack.dev, "Slash commands", `should_escape`).
fn person(text: &str) -> Result<UserId, Malformed> {
    let id = text.strip_prefix("<@").and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    id.split('|')
        .next()
        .unwrap_or_default()
        .parse()
        .map_err(|_| Malformed::UserId(crate::request::clip(text)))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn what_is_ended_is_named_by_its_machine_or_its_reference() {
        let closing = |text: &str| match parse(text) {
            Ok(Command::Close(closing)) => Ok(closing),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        };
        let machine = |ports: &[u16]| Closing::Machine {
            machine: "VM3".parse().unwrap(),
            ports: (!ports.is_empty()).then(|| Ports::new(ports.to_vec()).unwrap()),
        };
        assert_eq!(closing("close VM3"), Ok(machine(&[])));
        assert_eq!(closing("Close VM3 ssh"), Ok(machine(&[22])));
        assert_eq!(closing("close VM3 22, 3389"), Ok(machine(&[22, 3389])));
        assert_eq!(closing("close 7f3k9-qxm2p"), Ok(Closing::Request("7F3K9-QXM2P".parse().unwrap())));
        let named = Closing::Machine {
            machine: "7F3K9-QXM2P".parse().unwrap(),
            ports: Some(Ports::new(vec![22]).unwrap()),
        };
        assert_eq!(closing("close 7F3K9-QXM2P 22"), Ok(named));
        assert_eq!(closing("close"), Err(CommandError::CloseWhat));
        let why = closing("close VM3 22 now").unwrap_err();
        assert_eq!(why.to_string(), "`now` is not understood here; did you mean `/jit close VM3 22`?");
        assert!(matches!(parse("close 22"), Ok(Command::Ask { .. })), "a machine may be called like that");
    }

    #[test]
    fn a_person_is_named_as_slack_writes_it() {
        let bea = Ok(Command::Unfreeze { user: "U0BEA".parse().unwrap() });
        for text in ["unfreeze <@U0BEA>", "unfreeze <@U0BEA|bea>", "UNFREEZE U0BEA"] {
            assert_eq!(parse(text), bea, "{text}");
        }
        assert_eq!(parse("unfreeze"), Err(CommandError::UnfreezeWhom));
        let malformed = Malformed::UserId("@bea".to_owned());
        assert_eq!(parse("unfreeze @bea"), Err(CommandError::Malformed(malformed)));
    }
}
