//! What the checks of blocks, elements and views have in common: a list of problems, each with the
//! place in the JSON, worded as Slack words `response_metadata.messages`.

use serde_json::Value;

/// Which text objects are allowed somewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// `plain_text` only.
    Plain,
    /// `plain_text` or `mrkdwn`.
    Any,
}

/// The problems found so far.
#[derive(Default)]
pub(super) struct Check {
    pub problems: Vec<String>,
}

impl Check {
    /// Notes a problem at a JSON pointer.
    pub(super) fn wrong(&mut self, what: &str, at: &str) {
        self.problems.push(format!("[ERROR] {what} [json-pointer:{at}]"));
    }

    /// Only these fields may be there.
    pub(super) fn fields(&mut self, object: &Value, at: &str, known: &[&str]) {
        for field in object.as_object().into_iter().flat_map(|object| object.keys()) {
            if field != "type" && !known.contains(&field.as_str()) {
                self.wrong(&format!("invalid additional property: {field}"), at);
            }
        }
    }

    /// A string of at least one and at most `most` characters, if it is there.
    pub(super) fn string(&mut self, object: &Value, field: &str, at: &str, most: usize) {
        let at = format!("{at}/{field}");
        match object.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => self.length(text, &at, most),
            Some(_) => self.wrong("must be a string", &at),
        }
    }

    /// As [`Check::string`], and it must be there.
    pub(super) fn required_string(&mut self, object: &Value, field: &str, at: &str, most: usize) {
        self.required(object, field, at);
        self.string(object, field, at, most);
    }

    /// The field must be there.
    pub(super) fn required(&mut self, object: &Value, field: &str, at: &str) {
        if object.get(field).is_none_or(Value::is_null) {
            self.wrong(&format!("missing required field: {field}"), at);
        }
    }

    /// A text object of 1 to `most` characters, if it is there.
    pub(super) fn text(&mut self, object: &Value, field: &str, at: &str, texts: Texts, most: usize) {
        if let Some(text) = object.get(field).filter(|text| !text.is_null()) {
            self.text_object(text, &format!("{at}/{field}"), texts, most);
        }
    }

    /// As [`Check::text`], and it must be there.
    pub(super) fn required_text(&mut self, object: &Value, field: &str, at: &str, texts: Texts, most: usize) {
        self.required(object, field, at);
        self.text(object, field, at, texts, most);
    }

    /// A text object of 1 to `most` characters.
    pub(super) fn text_object(&mut self, text: &Value, at: &str, texts: Texts, most: usize) {
        match (text.get("type").and_then(Value::as_str), texts) {
            (Some("plain_text"), _) => self.fields(text, at, &["text", "emoji"]),
            (Some("mrkdwn"), Texts::Any) => self.fields(text, at, &["text", "verbatim"]),
            (Some("mrkdwn"), Texts::Plain) => {
                self.wrong("must be one of the allowed values: plain_text", &format!("{at}/type"));
            }
            (Some(other), _) => self.wrong(&format!("unsupported type: {other}"), &format!("{at}/type")),
            (None, _) => self.wrong("missing required field: type", at),
        }
        for flag in ["emoji", "verbatim"] {
            if text.get(flag).is_some_and(|flag| !flag.is_boolean()) {
                self.wrong("must be a boolean", &format!("{at}/{flag}"));
            }
        }
        self.required_string(text, "text", at, most);
    }

    /// A list of `least` to `most` entries; empty when it is none.
    pub(super) fn list<'a>(
        &mut self,
        object: &'a Value,
        field: &str,
        at: &str,
        least: usize,
        most: usize,
    ) -> &'a [Value] {
        let at = format!("{at}/{field}");
        let Some(list) = object.get(field).and_then(Value::as_array) else {
            if object.get(field).is_some_and(|list| !list.is_null()) {
                self.wrong("must be an array", &at);
            } else if least > 0 {
                self.wrong(&format!("missing required field: {field}"), &at);
            }
            return &[];
        };
        self.count(list.len(), &at, least, most);
        list
    }

    /// A number of entries.
    pub(super) fn count(&mut self, entries: usize, at: &str, least: usize, most: usize) {
        if entries > most {
            self.wrong(&format!("no more than {most} items allowed"), at);
        } else if entries < least {
            self.wrong(&format!("must have at least {least} items"), at);
        }
    }

    /// One of these values, if it is there.
    pub(super) fn one_of(&mut self, object: &Value, field: &str, at: &str, allowed: &[&str]) {
        if let Some(value) = object.get(field).filter(|value| !value.is_null())
            && !value.as_str().is_some_and(|value| allowed.contains(&value))
        {
            let what = format!("must be one of the allowed values: {}", allowed.join(", "));
            self.wrong(&what, &format!("{at}/{field}"));
        }
    }

    fn length(&mut self, text: &str, at: &str, most: usize) {
        let characters = text.chars().count();
        if characters > most {
            self.wrong(&format!("must be less than {} characters", most + 1), at);
        } else if characters == 0 {
            self.wrong("must be more than 0 characters", at);
        }
    }
}
