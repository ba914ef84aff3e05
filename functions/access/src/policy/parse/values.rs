//! Reading single values of the policy file.

use super::*;
use crate::request::Malformed;

impl Reader<'_> {
    pub(super) fn string(&mut self, value: &Value<'_>, what: &str) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.problem(value.span().start, &format!("{what} must be text; write it in quotes"));
        }
        text
    }

    pub(super) fn boolean(&mut self, value: &Value<'_>, key: &str) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.problem(value.span().start, &format!("`{key}` must be true or false"));
        }
        boolean
    }

    pub(super) fn ttl(&mut self, value: &Value<'_>, key: &str) -> Option<Ttl> {
        let ttl = value.get_ref().as_str().and_then(parse_ttl);
        if ttl.is_none() {
            self.problem(value.span().start, &format!("`{key}` must be a duration between 1 minute and 24 hours; write it like \"30m\", \"2h\" or \"1h30m\""));
        }
        ttl
    }

    pub(super) fn approvals(&mut self, value: &Value<'_>) -> Option<u8> {
        let number = value.get_ref().as_integer().and_then(|integer| integer.as_str().parse::<u8>().ok());
        let number = number.filter(|number| (1..=10).contains(number));
        if number.is_none() {
            self.problem(value.span().start, "`approvals` must be a number from 1 to 10");
        }
        number
    }

    /// The id of a subscription: Azure shows it as five groups of hexadecimal digits.
    pub(super) fn subscription(&mut self, value: &Value<'_>) -> Option<String> {
        let text = self.string(value, "a subscription")?;
        let groups: Vec<&str> = text.split('-').collect();
        let shaped = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
            && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()));
        if !shaped {
            self.problem(
                value.span().start,
                &format!(
                    "`{}` is not the id of a subscription; write one like 8f3a6f52-90c4-4c5a-8d0e-1b7a2c9d4e60",
                    crate::request::clip(&text)
                ),
            );
        }
        shaped.then_some(text)
    }

    pub(super) fn port(&mut self, value: &Value<'_>) -> Option<u16> {
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

    pub(super) fn source(&mut self, value: &Value<'_>) -> Option<Source> {
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

    pub(super) fn pattern(&mut self, value: &Value<'_>) -> Option<Pattern> {
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

    pub(super) fn requester(&mut self, value: &Value<'_>) -> Option<Who> {
        if value.get_ref().as_str() == Some("*") {
            Some(Who::Everybody)
        } else {
            self.who(value, "or \"*\" for everybody")
        }
    }

    pub(super) fn approver(&mut self, value: &Value<'_>) -> Option<Who> {
        self.who(value, "each by name: not everybody can approve")
    }

    pub(super) fn admin(&mut self, value: &Value<'_>) -> Option<Who> {
        self.who(value, "each by name: not everybody can be an admin")
    }

    pub(super) fn who(&mut self, value: &Value<'_>, hint: &str) -> Option<Who> {
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
