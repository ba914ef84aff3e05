//! `/jit list`: what waits, what is open, and what ended lately.

use super::card::state_of;
use super::lines::titled;
use super::*;
use crate::lifecycle::{Record, State};
use crate::request::Installation;
use std::cmp::Reverse;

/// How long what has ended is listed, in seconds: a week.
const LATELY_SECONDS: u64 = 7 * 86_400;

/// The most characters of each part: together less than the 4,000 that Slack advises for `text`
/// (docs.slack.dev, `chat.postMessage`).
const LONGEST: usize = 1_200;

/// What stands at the end of a list.
const SHOW: &str = "`/jit show` and a reference tells all of a request.";

/// The requests of the person who asks. `records`: all of theirs, in any order.
pub fn list(records: &[&Record], installation: &Installation, now: Timestamp) -> Message {
    let sorts = Sorts::of(records, now);
    if sorts.waiting.is_empty() && sorts.open.is_empty() && sorts.ended.is_empty() {
        return Message::sentence(
            "You have no request that waits or is open, and none that ended in the last 7 days. Ask with `/jit VM3 22`.",
        );
    }
    let line = |record: &&Record| line(record, false, installation, now);
    let mut parts = sorts.parts(line);
    let ended: Vec<String> = sorts.ended.iter().map(line).collect();
    parts.push(titled("Ended in the last 7 days", "none", &ended, ended.len(), LONGEST, |rest| {
        format!("… and {rest} more that ended earlier")
    }));
    message(parts, SHOW.to_owned())
}

/// What waits or is open of all that a person may decide on. `everything`: because they are an admin.
pub fn list_all(
    records: &[&Record],
    everything: bool,
    installation: &Installation,
    now: Timestamp,
) -> Message {
    // What its requester has not confirmed is nobody else's business yet.
    let asked: Vec<&Record> = records.iter().filter(|record| record.ask().is_some()).copied().collect();
    let sorts = Sorts::of(&asked, now);
    let of_which = if everything { "on any machine" } else { "on machines that you can approve for" };
    if sorts.waiting.is_empty() && sorts.open.is_empty() {
        return Message::sentence(format!("Nothing waits or is open {of_which}."));
    }
    let parts = sorts.parts(|record| line(record, true, installation, now));
    message(parts, format!("This is about what waits or is open {of_which}. {SHOW}"))
}

fn message(mut parts: Vec<String>, last: String) -> Message {
    parts.push(last);
    Message { text: parts.join("\n"), blocks: parts.iter().map(|part| section(part)).collect() }
}

/// Somebody who asks for all and may decide on nothing.
pub fn approves_nothing() -> Message {
    Message::sentence(
        "The policy lets you approve nothing, so there is nothing more to list. `/jit list` shows your own requests.",
    )
}

/// Slack did not say what somebody may decide on.
pub fn who_decides_unknown() -> Message {
    Message::sentence(
        "Slack did not say what you may decide on, which Ajar asks it every 15 minutes. Try again in a quarter of an hour.",
    )
}

/// Requests by how they stand, each sort in the order in which it is told.
#[derive(Default)]
struct Sorts<'r> {
    /// What lapses first is first.
    waiting: Vec<&'r Record>,
    /// What ends first is first.
    open: Vec<&'r Record>,
    /// What ended last is first.
    ended: Vec<&'r Record>,
}

impl<'r> Sorts<'r> {
    fn of(records: &[&'r Record], now: Timestamp) -> Self {
        let mut sorts = Self::default();
        for record in records {
            match record.state() {
                State::Draft(_) | State::Pending(_) => sorts.waiting.push(record),
                State::Closed(closed) if !closed.may_let_in() => {
                    if now.since(closed.closed_at()) <= LATELY_SECONDS {
                        sorts.ended.push(record);
                    }
                }
                _ => sorts.open.push(record),
            }
        }
        sorts.waiting.sort_by_key(|record| record.wish().lapses_at);
        sorts.open.sort_by_key(|record| record.granted().map(|granted| granted.expires_at()));
        sorts.ended.sort_by_key(|record| Reverse(ended_at(record)));
        sorts
    }

    /// What waits and what is open.
    fn parts(&self, line: impl Fn(&&Record) -> String) -> Vec<String> {
        let lines = |records: &[&Record]| records.iter().map(&line).collect::<Vec<String>>();
        let (waiting, open) = (lines(&self.waiting), lines(&self.open));
        vec![
            titled("Waiting", "none", &waiting, waiting.len(), LONGEST, |rest| {
                format!("… and {rest} more that lapse later")
            }),
            titled("Open, being opened or being shut", "none", &open, open.len(), LONGEST, |rest| {
                format!("… and {rest} more that end later")
            }),
        ]
    }
}

fn ended_at(record: &Record) -> Option<Timestamp> {
    if let State::Closed(closed) = record.state() { Some(closed.closed_at()) } else { None }
}

/// `VM3 port 22 is open, for @Ana, from 203.0.113.7, until 12:03. Ref 7F3K9-QXM2P`
fn line(record: &Record, named: bool, installation: &Installation, now: Timestamp) -> String {
    let wish = record.wish();
    let mut parts = vec![state_of(record, None, installation, now).0];
    parts.extend(named.then(|| format!("for {}", mention(&wish.requester))));
    parts.extend(record.ask().map(|ask| format!("from `{}`", ask.source)));
    parts.push(match (record.state(), record.granted()) {
        (State::Closed(closed), _) => format!("ended at {}", moment(closed.closed_at())),
        (State::Closing(closing), _) => format!("being shut since {}", moment(closing.closing_at())),
        (_, Some(granted)) => format!("until {}", moment(granted.expires_at())),
        (_, None) if now >= wish.lapses_at => format!("lapsed at {}", moment(wish.lapses_at)),
        (_, None) => format!("lapses at {}", moment(wish.lapses_at)),
    });
    format!("{}. Ref {}", parts.join(", "), wish.id)
}
