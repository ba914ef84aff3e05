//! Lockdowns: what admins are answered, and what the channel is told.

use super::*;
use crate::lockdown::{Lockdown, NamePattern};
use serde::{Deserialize, Serialize};

/// What the channel was told of a lockdown, so that it is told once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockdownTold {
    /// That it is in force.
    Begun,
    /// That it was lifted.
    Lifted,
}

fn which(pattern: &NamePattern) -> String {
    if *pattern == NamePattern::everything() {
        "every machine".to_owned()
    } else {
        format!("the machines `{pattern}`")
    }
}

/// What the channel is to be told next of a lockdown; `None` where it knows all.
pub fn lockdown(one: &Lockdown, told: &[LockdownTold]) -> Option<(LockdownTold, Message)> {
    let what = which(&one.pattern);
    let by = mention(&one.by);
    let (news, text) = match &one.lifted {
        None if !told.contains(&LockdownTold::Begun) => (
            LockdownTold::Begun,
            format!(
                "*Lockdown*: {by} has locked down {what} at {}. Ajar ends what was open by grants then, and each card says when it is shut. Nothing is opened until an admin types `/jit lift {}`. Sessions that are open are not cut.",
                moment(one.at),
                one.pattern
            ),
        ),
        Some((lifter, at)) if !told.contains(&LockdownTold::Lifted) => (
            LockdownTold::Lifted,
            format!(
                "*Lockdown lifted*: {} has lifted at {} what {by} had locked down at {}: {what}. Access can be asked for again.",
                mention(lifter),
                moment(*at),
                moment(one.at)
            ),
        ),
        None | Some(_) => return None,
    };
    Some((news, Message::sentence(format!("{text} Ref {}", one.id))))
}

/// To the admin who has locked down.
pub fn locked_down(pattern: &NamePattern) -> Message {
    let are = if *pattern == NamePattern::everything() { "is" } else { "are" };
    Message::sentence(format!(
        "{} {are} locked down: Ajar ends what is open by grants, and nothing is opened until an admin types `/jit lift {pattern}`. The channel is told.",
        capital(&which(pattern))
    ))
}

/// To the admin who has lifted a lockdown.
pub fn lifted(pattern: Option<&NamePattern>) -> Message {
    let what = pattern
        .map_or_else(|| "Every lockdown".to_owned(), |pattern| format!("The lockdown of {}", which(pattern)));
    Message::sentence(format!("{what} is lifted. What was shut stays shut until somebody asks again."))
}

/// There is no such lockdown.
pub fn not_in_force(in_force: &[&NamePattern]) -> Message {
    Message::sentence(if in_force.is_empty() {
        "Nothing is locked down.".to_owned()
    } else {
        let all: Vec<String> = in_force.iter().map(|pattern| format!("`/jit lift {pattern}`")).collect();
        format!("That is not locked down. Type {}.", listed(&all, "or"))
    })
}

/// To somebody who asks for a machine that is locked down.
pub fn nothing_opens(one: &Lockdown) -> Message {
    Message::sentence(format!("{} Nothing was recorded.", in_force(one)))
}

/// Who has locked down what, and what that means.
pub(super) fn in_force(one: &Lockdown) -> String {
    format!(
        "{} has locked down {} at {}: nothing is opened until an admin lifts that.",
        mention(&one.by),
        which(&one.pattern),
        moment(one.at)
    )
}
