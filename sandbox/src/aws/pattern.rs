//! Event filter patterns, as event source mappings of AWS Lambda evaluate them.
//!
//! The rules are those of "Control which events Lambda sends to your function" and of EventBridge's
//! patterns: objects nest and all of their fields must match; an array lists alternatives; an array
//! in the event matches when one of its elements does.

use serde_json::{Map, Value};

/// A filter: which records a function is told of.
#[derive(Clone, PartialEq, Debug)]
pub struct Pattern {
    fields: Vec<(String, Rule)>,
    /// Each `$or`: one of these must match, beside all fields.
    alternatives: Vec<Vec<Pattern>>,
}

#[derive(Clone, PartialEq, Debug)]
enum Rule {
    Nested(Pattern),
    AnyOf(Vec<Matcher>),
}

#[derive(Clone, PartialEq, Debug)]
enum Matcher {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Matcher>),
    Exists(bool),
    /// All comparisons hold.
    Numeric(Vec<(Comparison, f64)>),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Why a pattern is not one that AWS would take.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("event pattern: {0}")]
pub struct Invalid(String);

fn invalid<T>(why: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid(why.into()))
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// What AWS refuses when a mapping is created: a leaf that is not an array, an empty array or
    /// object, an unknown comparison.
    pub fn parse(pattern: &Value) -> Result<Self, Invalid> {
        let Value::Object(fields) = pattern else {
            return invalid(format!("{pattern} is not an object"));
        };
        if fields.is_empty() {
            return invalid("an empty object matches nothing");
        }
        let mut parsed = Self { fields: Vec::new(), alternatives: Vec::new() };
        for (name, rule) in fields {
            match (name.as_str(), rule) {
                ("$or", Value::Array(patterns)) if patterns.len() >= 2 => {
                    parsed.alternatives.push(patterns.iter().map(Self::parse).collect::<Result<_, _>>()?);
                }
                ("$or", _) => return invalid("$or needs an array of two or more patterns"),
                (_, Value::Object(_)) => {
                    parsed.fields.push((name.clone(), Rule::Nested(Self::parse(rule)?)));
                }
                (_, Value::Array(matchers)) if !matchers.is_empty() => {
                    let matchers = matchers.iter().map(Matcher::parse).collect::<Result<_, _>>()?;
                    parsed.fields.push((name.clone(), Rule::AnyOf(matchers)));
                }
                _ => return invalid(format!("\"{name}\" must be an object or an array with values")),
            }
        }
        Ok(parsed)
    }

    /// Whether an event matches.
    pub fn matches(&self, event: &Value) -> bool {
        let fields = event.as_object();
        self.fields.iter().all(|(name, rule)| rule.matches(fields.and_then(|fields| fields.get(name))))
            && self.alternatives.iter().all(|patterns| patterns.iter().any(|pattern| pattern.matches(event)))
    }
}

impl Rule {
    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Nested(pattern) => match value {
                Some(Value::Array(elements)) => elements.iter().any(|element| pattern.matches(element)),
                // An absent object is walked too: `exists: false` may be all that is asked of it.
                value => pattern.matches(value.unwrap_or(&Value::Null)),
            },
            Self::AnyOf(matchers) => matchers.iter().any(|matcher| match value {
                Some(Value::Array(elements)) => match matcher {
                    Matcher::Exists(wanted) => *wanted != elements.is_empty(),
                    matcher => elements.iter().any(|element| matcher.matches(Some(element))),
                },
                value => matcher.matches(value),
            }),
        }
    }
}

impl Matcher {
    fn parse(matcher: &Value) -> Result<Self, Invalid> {
        match matcher {
            Value::Object(fields) => match (fields.len(), fields.iter().next()) {
                (1, Some((name, operand))) => Self::parse_comparison(name, operand),
                _ => invalid(format!("{matcher} must name one comparison")),
            },
            Value::Array(_) => invalid("an array in an array of values"),
            value => Ok(Self::Equals(value.clone())),
        }
    }

    fn parse_comparison(name: &str, operand: &Value) -> Result<Self, Invalid> {
        match (name, operand) {
            ("prefix", Value::String(text)) => Ok(Self::Prefix(text.clone())),
            ("suffix", Value::String(text)) => Ok(Self::Suffix(text.clone())),
            ("equals-ignore-case", Value::String(text)) => Ok(Self::EqualsIgnoreCase(text.to_lowercase())),
            ("exists", Value::Bool(wanted)) => Ok(Self::Exists(*wanted)),
            ("numeric", Value::Array(operands)) => Self::parse_numeric(operands),
            ("anything-but", operand) => Self::parse_anything_but(operand),
            _ => invalid(format!("no comparison \"{name}\" with {operand}")),
        }
    }

    fn parse_anything_but(operand: &Value) -> Result<Self, Invalid> {
        let scalar = |value: &Value| match value {
            Value::String(_) | Value::Number(_) => Ok(Self::Equals(value.clone())),
            _ => invalid(format!("anything-but takes strings and numbers, not {value}")),
        };
        match operand {
            Value::Array(values) if !values.is_empty() => {
                Ok(Self::AnythingBut(values.iter().map(scalar).collect::<Result<_, _>>()?))
            }
            Value::Object(_) => match Self::parse(operand)? {
                matcher @ (Self::Prefix(_) | Self::Suffix(_) | Self::EqualsIgnoreCase(_)) => {
                    Ok(Self::AnythingBut(vec![matcher]))
                }
                _ => invalid(format!("anything-but cannot hold {operand}")),
            },
            value => Ok(Self::AnythingBut(vec![scalar(value)?])),
        }
    }

    fn parse_numeric(operands: &[Value]) -> Result<Self, Invalid> {
        let pairs = operands.chunks(2).map(|pair| match pair {
            [Value::String(comparison), Value::Number(number)] => {
                let comparison = match comparison.as_str() {
                    "=" => Comparison::Equal,
                    "<" => Comparison::Less,
                    "<=" => Comparison::LessOrEqual,
                    ">" => Comparison::Greater,
                    ">=" => Comparison::GreaterOrEqual,
                    other => return invalid(format!("no numeric comparison \"{other}\"")),
                };
                Ok((comparison, number.as_f64().unwrap_or(f64::NAN)))
            }
            _ => invalid("numeric needs pairs of a comparison and a number"),
        });
        match pairs.collect::<Result<Vec<_>, _>>()? {
            pairs if pairs.is_empty() || pairs.len() > 2 => invalid("numeric needs one or two comparisons"),
            pairs => Ok(Self::Numeric(pairs)),
        }
    }

    /// Whether a leaf of the event matches; objects never do, and what is absent matches only
    /// `exists: false`.
    fn matches(&self, value: Option<&Value>) -> bool {
        let leaf = value.filter(|value| !value.is_object());
        if let Self::Exists(wanted) = self {
            return *wanted == leaf.is_some() && (*wanted || value.is_none());
        }
        let Some(leaf) = leaf else { return false };
        match self {
            Self::Equals(Value::Number(wanted)) => leaf.as_f64().is_some_and(|n| wanted.as_f64() == Some(n)),
            Self::Equals(wanted) => wanted == leaf,
            Self::EqualsIgnoreCase(wanted) => {
                leaf.as_str().is_some_and(|text| text.to_lowercase() == *wanted)
            }
            Self::Prefix(prefix) => leaf.as_str().is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => leaf.as_str().is_some_and(|text| text.ends_with(suffix)),
            Self::AnythingBut(matchers) => !matchers.iter().any(|matcher| matcher.matches(Some(leaf))),
            Self::Numeric(comparisons) => leaf.as_f64().is_some_and(|number| {
                comparisons.iter().all(|(comparison, bound)| comparison.holds(number, *bound))
            }),
            Self::Exists(_) => false,
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

/// The filters of a mapping: a record passes when one matches, or when there is none.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Filters(Vec<Pattern>);

impl Filters {
    /// Reads a list of patterns.
    pub fn parse(patterns: &[Map<String, Value>]) -> Result<Self, Invalid> {
        let patterns = patterns.iter().map(|pattern| Pattern::parse(&Value::Object(pattern.clone())));
        Ok(Self(patterns.collect::<Result<_, _>>()?))
    }

    /// Whether a record passes.
    pub fn pass(&self, record: &Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.matches(record))
    }
}
