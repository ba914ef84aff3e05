//! Reading single values of the policy file.

use super::*;
use crate::request::{Malformed, is_disguise};

/// The most tags that a resource in Azure has, and the most characters of their names and values
/// (learn.microsoft.com, "Use tags to organize your Azure resources", limitations).
const MOST_TAGS: usize = 50;
const TAG_NAME_CHARS: usize = 512;
const TAG_VALUE_CHARS: usize = 256;

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

    /// The tags that a machine must have, none where the rule does not say; `None` where they cannot be read:
    /// with fewer it would be about more machines.
    pub(super) fn tags(&mut self, rule: &DeTable<'_>) -> Option<Vec<TagPattern>> {
        let Some(value) = rule.get("tags") else { return Some(vec![]) };
        let at = value.span().start;
        let Some(table) = value.get_ref().as_table() else {
            self.problem(at, "`tags` must be a table; write it like tags = { env = \"prod\" }");
            return None;
        };
        if table.is_empty() {
            self.problem(at, "`tags` is empty; leave it out for all");
        }
        if table.len() > MOST_TAGS {
            let message = format!(
                "`tags` names {} tags, and a machine in Azure has at most {MOST_TAGS}; no machine has them all",
                table.len()
            );
            self.problem(at, &message);
        }
        let mut tags: Vec<TagPattern> = vec![];
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            if tags.iter().any(|other| other.is_of(name)) {
                let message = format!(
                    "the tag `{}` is there twice: Azure does not tell upper from lower case in names; write it once",
                    crate::request::clip(name)
                );
                self.problem(key.span().start, &message);
            } else if let (true, Some(value)) = (self.tag_name(key), self.tag_value(name, value)) {
                tags.push(TagPattern { name: name.to_owned(), value });
            }
        }
        (!table.is_empty() && tags.len() == table.len()).then_some(tags)
    }

    /// Whether Azure could have a tag of this name. There is no `*` in one: a name is no pattern.
    fn tag_name(&mut self, key: &Spanned<toml::de::DeString<'_>>) -> bool {
        let name = key.get_ref().as_ref();
        let usable = (1..=TAG_NAME_CHARS).contains(&name.chars().count())
            && !name.contains(|c: char| is_disguise(c) || "<>%&\\?/*`".contains(c));
        if !usable {
            let name = crate::request::clip(name);
            let message = format!(
                "`{name}` is not the name of a tag; write it as Azure shows it, 1 to {TAG_NAME_CHARS} characters without < > % & \\ ? / and *"
            );
            self.problem(key.span().start, &message);
        }
        usable
    }

    fn tag_value(&mut self, name: &str, value: &Value<'_>) -> Option<String> {
        let name = crate::request::clip(name);
        let text = self.string(value, &format!("the value of the tag `{name}`"))?;
        let at = value.span().start;
        if text.is_empty() {
            self.problem(at, &format!("the value of the tag `{name}` is empty; write \"*\" for any value"));
            return None;
        }
        let usable = text.chars().count() <= TAG_VALUE_CHARS && !text.contains(is_disguise);
        if !usable {
            let message = format!(
                "the value of the tag `{name}` is no text that Azure could show; write at most {TAG_VALUE_CHARS} visible characters, * for anything"
            );
            self.problem(at, &message);
        }
        usable.then_some(text)
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

    pub(super) fn glass_breaker(&mut self, value: &Value<'_>) -> Option<Who> {
        self.who(value, "each by name: not everybody can open without approval")
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
