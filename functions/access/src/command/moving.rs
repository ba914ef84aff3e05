//! The command that moves a grant to another address.

use super::{Closing, Command, CommandError, Words, grants, put};
use crate::request::Source;

/// Reads what follows `move`; `None` where something else is typed.
pub(super) fn parse(first: &str, rest: &str) -> Option<Result<Command, CommandError>> {
    first.eq_ignore_ascii_case("move").then(|| moving(Words { rest }))
}

fn moving(mut words: Words<'_>) -> Result<Command, CommandError> {
    let is_from = |word: &str| word.eq_ignore_ascii_case("from");
    let first = words.peek().filter(|word| !is_from(word)).ok_or(CommandError::MoveWhat)?;
    words.next();
    let grant = grants::named(first, &mut words)?;
    let mut to = None;
    while let Some(word) = words.next() {
        if !is_from(word) {
            return Err(unexpected(word, &grant));
        }
        let value = words.value().ok_or(CommandError::Dangling("from"))?;
        put(&mut to, value.parse()?, "from")?;
    }
    Ok(Command::Move { grant, to })
}

/// An address without `from` is what people forget most.
fn unexpected(word: &str, grant: &Closing) -> CommandError {
    let meant = match word.parse::<Source>() {
        Ok(source) => format!("/jit move {grant} from {source}"),
        Err(_) => format!("/jit move {grant}"),
    };
    CommandError::Unexpected { word: crate::request::clip(word), meant: Some(meant) }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::request::{Malformed, Ports};

    #[test]
    fn a_grant_is_named_as_for_closing_and_an_address_may_follow() {
        let by_ref = Closing::Request("7F3K9-QXM2P".parse().unwrap());
        let on = |ports: &[u16]| Closing::Machine {
            machine: "VM3".parse().unwrap(),
            ports: (!ports.is_empty()).then(|| Ports::new(ports.to_vec()).unwrap()),
        };
        let to = |address: &str| Some(address.parse().unwrap());
        for (text, grant, to) in [
            ("move 7f3k9-qxm2p", &by_ref, None),
            ("Move 7F3K9-QXM2P FROM 198.51.100.9", &by_ref, to("198.51.100.9")),
            ("move VM3", &on(&[]), None),
            ("move VM3 from 198.51.100.9", &on(&[]), to("198.51.100.9")),
            ("move VM3 22", &on(&[22]), None),
            ("move VM3 22, 3389 from 198.51.100.0/28", &on(&[22, 3389]), to("198.51.100.0/28")),
        ] {
            assert_eq!(parse(text), Ok(Command::Move { grant: grant.clone(), to }), "{text}");
        }
        let refused = |text: &str| parse(text).unwrap_err();
        assert_eq!(refused("move"), CommandError::MoveWhat);
        assert_eq!(refused("move from 198.51.100.9"), CommandError::MoveWhat);
        assert_eq!(refused("move VM3 22 from"), CommandError::Dangling("from"));
        assert_eq!(refused("move VM3 from 198.51.100.9 from 198.51.100.9"), CommandError::Twice("from"));
        let malformed = Malformed::Source("home".to_owned());
        assert_eq!(refused("move VM3 from home"), CommandError::Malformed(malformed));
        for (text, said) in [
            (
                "move 7F3K9-QXM2P 198.51.100.9",
                "`198.51.100.9` is not understood here; did you mean `/jit move 7F3K9-QXM2P from 198.51.100.9`?",
            ),
            ("move VM3 22 now", "`now` is not understood here; did you mean `/jit move VM3 22`?"),
        ] {
            assert_eq!(refused(text).to_string(), said);
        }
        assert!(matches!(parse("move 22"), Ok(Command::Ask { .. })), "a machine may be called like that");
    }
}
