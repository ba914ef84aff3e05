//! What commands have found, as text for people and as JSON for programs. Nothing is decided here.

mod audit;
mod doctor;
mod policy;

use crate::ending::Ending;
use crate::open::Opened;
use crate::requests;
use crate::rules::{Listed, Row};
use crate::secret::{Put, Signing};
use crate::shut::{Done, Left, Shut};
use access::lease::Timestamp;
use edge::report::plain;
use serde::Serialize;
use serde_json::{Value, json};

/// What a command has found.
pub(crate) trait Told {
    /// For people.
    fn text(&self) -> String;
    /// For programs.
    fn json(&self) -> String;
    /// How the command ends with it.
    fn ending(&self) -> Ending;
}

/// JSON over several lines.
fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value)
        .unwrap_or_else(|error| json!({"error": error.to_string()}).to_string())
}

/// `1 rule`, `2 rules`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Subscriptions that could not be read.
pub(crate) fn unread(all: &[(String, String)]) -> String {
    let each = all.iter().map(|(subscription, why)| format!("\nNot read: {subscription} ({})", plain(why)));
    each.collect()
}

/// Columns, as wide as they must be, and a line of titles.
fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let all =
        || std::iter::once(titles.iter().map(|title| (*title).to_owned()).collect()).chain(rows.to_vec());
    let width = |column: usize| {
        all()
            .filter_map(|row: Vec<String>| row.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |row: Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

fn or_dash(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), plain)
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

/// The last segment of an id.
fn name(id: &str) -> String {
    id.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Rules as people read them.
pub(crate) fn rows(rules: &[Row]) -> String {
    let row = |row: &Row| {
        let basis = match (&row.approved_by, &row.break_glass, &row.moved_from) {
            (Some(by), _, _) => format!("approved by {}", plain(by)),
            (None, Some(why), _) => format!("break-glass: {}", plain(why)),
            (None, None, Some(grant)) => format!("moved from {}", plain(grant)),
            (None, None, None) => "says nothing that can be read".to_owned(),
        };
        vec![
            row.request.clone(),
            name(&row.nsg),
            format!("{} {}", or_dash(row.destination.as_deref()), or_dash(row.ports.as_deref())),
            or_dash(row.source.as_deref()),
            if row.allows { "allows".to_owned() } else { "denies".to_owned() },
            moment(row.ends_at),
            if row.overdue { "OVERDUE".to_owned() } else { String::new() },
            or_dash(row.requester.as_deref()),
            basis,
        ]
    };
    let titles = ["REQUEST", "GROUP", "TO", "FROM", "RULE", "ENDS", "", "FOR", "BASIS"];
    table(&titles, &rules.iter().map(row).collect::<Vec<_>>())
}

impl Told for Listed {
    fn text(&self) -> String {
        let unread = unread(&self.unread);
        if self.rules.is_empty() {
            return format!("No rule of this installation is in Azure.{unread}");
        }
        let overdue = self.rules.iter().filter(|row| row.overdue).count();
        let hint = match overdue {
            0 => String::new(),
            count => format!("\n{} overdue: `ajar shut --overdue` deletes them.", counted(count, "rule")),
        };
        format!("{}{hint}{unread}", rows(&self.rules))
    }

    fn json(&self) -> String {
        pretty(self)
    }

    fn ending(&self) -> Ending {
        if self.rules.iter().any(|row| row.overdue) {
            Ending::Found
        } else if self.unread.is_empty() {
            Ending::Fine
        } else {
            Ending::NoAnswer
        }
    }
}

fn done(done: &Done) -> String {
    let group = name(&done.row.nsg);
    let rule = &done.row.rule;
    if let Some(why) = &done.why {
        return format!("{rule} is still in {group}: {}", plain(why));
    }
    let what = format!(
        "{} {} from {}",
        or_dash(done.row.destination.as_deref()),
        or_dash(done.row.ports.as_deref()),
        or_dash(done.row.source.as_deref())
    );
    let left = match &done.left {
        Some(Left::Shut { by }) => format!("{what} is shut by Azure's rules: {} decides", plain(by)),
        Some(Left::Open { by }) => format!("{what} is still open, by the rule {}", plain(by)),
        Some(Left::Unclear { by }) => {
            format!("whether {what} is shut cannot be told from the rules: {} may let it in", plain(by))
        }
        None => format!("what becomes of {what} now was not seen"),
    };
    format!("{rule} is gone from {group}; {left}.")
}

impl Told for Shut {
    fn text(&self) -> String {
        let unread = unread(&self.unread);
        if self.rules.is_empty() {
            return format!("There is nothing to shut.{unread}");
        }
        let lines: Vec<String> = self.rules.iter().map(done).collect();
        format!("{}{unread}", lines.join("\n"))
    }

    fn json(&self) -> String {
        pretty(self)
    }

    fn ending(&self) -> Ending {
        let shut =
            |done: &Done| done.gone && !matches!(done.left, Some(Left::Open { .. } | Left::Unclear { .. }));
        if !self.rules.iter().all(shut) {
            Ending::Found
        } else if self.unread.is_empty() {
            Ending::Fine
        } else {
            Ending::NoAnswer
        }
    }
}

impl Told for Opened {
    fn text(&self) -> String {
        let decided: Vec<String> =
            self.decided_by.iter().map(|(group, rule)| format!("{} in {group}", plain(rule))).collect();
        format!(
            "{} port {} ({}) is open from {} until {}, by Azure's rules: {}. Azure can take a minute or two.\n\
             Nobody has approved it. Once the functions run they tell the channel of it, and shut it at its end.\n\
             To shut it before, and while they do not run: ajar shut {}",
            self.machine,
            self.ports,
            self.address,
            self.source,
            self.ends_at,
            decided.join(", "),
            self.request
        )
    }

    fn json(&self) -> String {
        pretty(self)
    }

    fn ending(&self) -> Ending {
        Ending::Fine
    }
}

impl Told for Put {
    fn text(&self) -> String {
        let key = &self.key;
        let signing = match (self.signing_secret, &self.key_before) {
            (Signing::First, _) => format!("The signing secret is put (key {key})."),
            (Signing::Kept, _) => format!("The signing secret is the one that was there (key {key})."),
            (Signing::New, before) => format!(
                "The signing secret is new (key {key}); the one before (key {}) stays good for what it has signed.",
                or_dash(before.as_deref())
            ),
        };
        format!(
            "The token is of Slack's workspace {} ({}), app {}.\n{signing}\n\
             Running functions take them within five minutes, or at the first signature that they do not know. Slack cannot be asked whether the signing secret is right: type /jit help.",
            plain(&self.team),
            self.team_id,
            self.app_id
        )
    }

    fn json(&self) -> String {
        pretty(self)
    }

    fn ending(&self) -> Ending {
        Ending::Fine
    }
}

impl Told for requests::Listed {
    fn text(&self) -> String {
        if self.rows.is_empty() {
            return "There is no such request.".to_owned();
        }
        let row = |row: &requests::Row| {
            let by: Vec<String> = row.approved_by.iter().map(ToString::to_string).collect();
            vec![
                row.request.to_string(),
                row.status.to_owned(),
                format!("{} {}", row.machine, row.ports),
                or_dash(row.source.as_deref()),
                row.requester.to_string(),
                match by.as_slice() {
                    _ if row.break_glass => "nobody: break-glass".to_owned(),
                    [] => row.moves.map_or_else(|| "-".to_owned(), |grant| format!("as {grant}")),
                    by => by.join(" "),
                },
                row.asked_at.to_string(),
                moment(row.ends_at),
                if row.overdue_since.is_some() { "OVERDUE".to_owned() } else { String::new() },
            ]
        };
        let titles =
            ["REQUEST", "STATUS", "MACHINE", "FROM", "REQUESTER", "APPROVED BY", "ASKED", "ENDS", ""];
        table(&titles, &self.rows.iter().map(row).collect::<Vec<_>>())
    }

    fn json(&self) -> String {
        pretty(&self.rows)
    }

    fn ending(&self) -> Ending {
        Ending::found(self.rows.iter().any(|row| row.overdue_since.is_some()))
    }
}

/// A word for people of what is JSON for programs: `opened`, `closed (ended: expired)`.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Object(fields) => {
            let each: Vec<String> = fields
                .iter()
                .map(|(name, inner)| match inner {
                    Value::Object(_) => format!("{name} ({})", words(inner)),
                    _ => format!("{name}: {}", words(inner)),
                })
                .collect();
            each.join(", ")
        }
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}
