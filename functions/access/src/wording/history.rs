//! What has happened to a request: a sentence for each step, which the thread of its card and `/jit show` both tell.

use super::card::projection;
use super::failure::ended;
use super::*;
use crate::lifecycle::{Closure, Event, EventKind, Plan, Record, RuleEnd};
use crate::request::{Installation, RequestId};

/// The most characters of the whole answer (docs.slack.dev, `chat.postMessage`: `text` under 4,000).
const LONGEST: usize = 3_900;

/// The most characters of the history in it: Slack takes 3,000 of a section.
const LONGEST_HISTORY: usize = 2_900;

/// What stands above the history in the answer to `/jit show`.
const TITLE: &str = "*History*";

/// What happened and who did it, true whenever it is read. `means`: how the request was to be opened.
pub fn step_of(kind: &EventKind, means: Means) -> String {
    match kind {
        EventKind::Asked { by } => match means {
            Means::Approval | Means::OwnMove => format!("{} asked for it.", mention(by)),
            Means::BreakGlass => format!("{} asked to open it without approval (break-glass).", mention(by)),
        },
        EventKind::Addressed { source } => {
            format!("Its requester confirmed `{source}` as the address to connect from.")
        }
        EventKind::Approved { by, needed: 0 | 1, .. } => format!("{} approved it.", mention(by)),
        EventKind::Approved { by, approvals, needed } => {
            format!("{} approved it, as number {approvals} of {needed}.", mention(by))
        }
        EventKind::BrokeGlass { by } => format!("{} went past approval (break-glass).", mention(by)),
        EventKind::MovedAlone { by } => format!("{} moved it without another approval.", mention(by)),
        EventKind::Planned { plan } => format!("Ajar planned its rule: {}.", places(plan)),
        EventKind::Delayed { until } => {
            format!("Azure took no changes; Ajar put it off until {}.", moment(*until))
        }
        EventKind::Opened => "Ajar saw its rule in place, and by Azure's rules it was open.".to_owned(),
        EventKind::Closing { cause } => {
            format!("Ajar began to shut it. The reason then: {}", ended(cause, means))
        }
        EventKind::NotYetShut { ends } => format!(
            "Ajar tried to shut it, and that did not finish: {} could still have let somebody in.",
            rules(ends, |end| matches!(end, RuleEnd::Standing | RuleEnd::Locked))
        ),
        EventKind::Neutralised { ends } => format!(
            "Ajar saw that nobody was let in any more. {} denied, because Azure refused to remove it.",
            capital(&rules(ends, |end| *end == RuleEnd::Denied))
        ),
        EventKind::Closed { closure } => match closure {
            Closure::Lapsed => "It lapsed: nobody had decided in time. Nothing was opened.".to_owned(),
            Closure::Cancelled => "Its requester took it back. Nothing was opened.".to_owned(),
            Closure::Denied { by, reason } => {
                let why =
                    reason.as_ref().map_or_else(String::new, |why| format!(": {}", quoted(why.as_str())));
                format!("{} denied it{why}. Nothing was opened.", mention(by))
            }
            Closure::Disowned { by } => {
                format!(
                    "{} said that the approval in their name is not theirs. Nothing was opened.",
                    mention(by)
                )
            }
            Closure::Ended(_) => "It was over: Ajar saw that no rule of it was left in Azure.".to_owned(),
        },
        EventKind::LateRuleRemoved => {
            "Ajar removed its rule again, which a delayed write in Azure had brought back.".to_owned()
        }
        EventKind::LateRuleLocked { .. } => {
            "A delayed write in Azure brought its rule back, and Azure refused to remove it.".to_owned()
        }
        EventKind::Settled => "Ajar had looked for late rules of it for long enough, and stopped.".to_owned(),
    }
}

/// `number 499 in Contoso-NSG and number 498 in VM3-nsg`
fn places(plan: &Plan) -> String {
    let each = plan.rules().iter();
    let each = each.map(|rule| format!("number {} in `{}`", rule.priority, word(rule.nsg.name())));
    listed(&each.collect::<Vec<_>>(), "and")
}

/// `its rule`, `1 of its 2 rules`
fn rules(ends: &[RuleEnd], are: impl Fn(&RuleEnd) -> bool) -> String {
    let count = ends.iter().filter(|end| are(end)).count();
    if ends.len() == 1 { "its rule".to_owned() } else { format!("{count} of its {} rules", ends.len()) }
}

/// `/jit show`: how a request stands, its terms, and its whole history, or as much of it as a message holds. `rule`: the
/// policy's, where it waits.
pub fn shown(
    record: &Record,
    history: &[Event],
    rule: Option<&Rule>,
    installation: &Installation,
    now: Timestamp,
) -> Message {
    let mut message = projection(record, rule, installation, now);
    let lines = steps(history, record.wish().means);
    let room = LONGEST.saturating_sub(message.text.chars().count()).min(LONGEST_HISTORY);
    let history = in_room(TITLE, &lines, record.wish().id, room);
    message.text = format!("{}\n{history}", message.text);
    message.blocks.push(section(&history));
    message
}

/// A line for each step; what happened again and again is one.
fn steps(history: &[Event], means: Means) -> Vec<String> {
    steps_of(&history.iter().map(|event| (event.at, step_of(&event.kind, means))).collect::<Vec<_>>())
}

/// A line for each of these steps; the same again and again is one.
pub(super) fn steps_of(told: &[(Timestamp, String)]) -> Vec<String> {
    let line = |same: &[(Timestamp, String)]| match same {
        [] => String::new(),
        [(at, step)] => format!("• {}: {step}", moment(*at)),
        [(first, step), .., (last, _)] => {
            let times = same.len();
            format!("• {}: {step} The same {times} times, the last at {}.", moment(*first), moment(*last))
        }
    };
    told.chunk_by(|one, other| one.1 == other.1).map(line).collect()
}

/// These lines below a title, or as many of them as a message holds.
pub(super) fn cut(title: &str, lines: &[String], id: RequestId) -> String {
    in_room(title, lines, id, LONGEST_HISTORY)
}

/// The history in this many characters: its beginning and its end, and how much is left out between.
fn in_room(title: &str, lines: &[String], id: RequestId, room: usize) -> String {
    let whole = format!("{title}\n{}", lines.join("\n"));
    if whole.chars().count() <= room {
        return whole;
    }
    let left_out = |count: usize| {
        let lines = if count == 1 { "1 line more is".to_owned() } else { format!("{count} lines more are") };
        format!(
            "… {lines} too much for a message; whoever runs Ajar sees all of them with `ajar history {id}`"
        )
    };
    let length = |line: &String| line.chars().count() + 1;
    let Some((first, rest)) = lines.split_first() else { return whole };
    let mut used = title.chars().count() + length(first) + length(&left_out(lines.len()));
    if used > room {
        return format!("{title}\n{}", left_out(lines.len()));
    }
    let newest = rest.iter().rev().take_while(|line| {
        used += length(line);
        used <= room
    });
    let newest = newest.count();
    let (left, told) = rest.split_at(rest.len() - newest);
    let mut all = vec![title.to_owned(), first.clone(), left_out(left.len())];
    all.extend(told.iter().cloned());
    all.join("\n")
}

/// Somebody asks for a request that is not there, or not for them: which of both is not said.
pub fn not_to_be_shown(id: RequestId) -> Message {
    Message::sentence(format!(
        "Ajar has no request {id} to show you. A request is shown to its requester, to those who can approve it, and to admins."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::{Cause, Failure};

    fn event(at: u64, kind: EventKind) -> Event {
        Event { at: Timestamp::from_unix(at), kind }
    }

    #[test]
    fn what_happens_again_and_again_is_one_line() {
        let tried = |at| event(at, EventKind::NotYetShut { ends: vec![RuleEnd::Standing, RuleEnd::Gone] });
        let asked = event(1, EventKind::Asked { by: "U0ANA".parse().unwrap() });
        let over = event(300, EventKind::Closed { closure: Closure::Ended(Cause::Expired) });
        let lines = steps(&[asked, tried(60), tried(120), tried(180), over], Means::Approval);
        let at = |second| moment(Timestamp::from_unix(second));
        assert_eq!(
            lines,
            [
                format!("• {}: <@U0ANA> asked for it.", at(1)),
                format!(
                    "• {}: Ajar tried to shut it, and that did not finish: 1 of its 2 rules could still have let somebody in. The same 3 times, the last at {}.",
                    at(60),
                    at(180)
                ),
                format!("• {}: It was over: Ajar saw that no rule of it was left in Azure.", at(300)),
            ]
        );
    }

    #[test]
    fn a_long_history_keeps_its_beginning_and_its_end() {
        let id = RequestId::typed("7F3K9-QXM2P").unwrap();
        let lines: Vec<String> = (0..100).map(|n| format!("• line {n}")).collect();
        let all = in_room(TITLE, &lines, id, 2_000);
        assert_eq!(all.lines().count(), 101);
        let cut = in_room(TITLE, &lines, id, 300);
        let cut: Vec<&str> = cut.lines().collect();
        assert_eq!(cut[..2], ["*History*", "• line 0"]);
        // Told are all lines of it but the title and what is said of the rest.
        let left = lines.len() + 2 - cut.len();
        assert!(cut[2].starts_with(&format!("… {left} lines more are too much")), "{cut:?}");
        assert_eq!((cut[3], *cut.last().unwrap()), (format!("• line {}", left + 1).as_str(), "• line 99"));
        assert!(cut.join("\n").chars().count() <= 300, "{cut:?}");
        let none = in_room(TITLE, &lines, id, 20);
        assert!(none.starts_with("*History*\n… 100 lines more are too much"), "{none}");
    }

    #[test]
    fn every_step_is_told_as_past() {
        let by: UserId = "U0BEA".parse().unwrap();
        let told = |kind: &EventKind| step_of(kind, Means::Approval);
        let approved = |approvals, needed| told(&EventKind::Approved { by: by.clone(), approvals, needed });
        assert_eq!(approved(1, 1), "<@U0BEA> approved it.");
        assert_eq!(approved(1, 2), "<@U0BEA> approved it, as number 1 of 2.");
        let failed = EventKind::Closing { cause: Cause::Failed(Failure::NoAnswer) };
        assert_eq!(
            told(&failed),
            "Ajar began to shut it. The reason then: Azure did not answer, three times in a row."
        );
        let denied = EventKind::Neutralised { ends: vec![RuleEnd::Denied] };
        assert_eq!(
            told(&denied),
            "Ajar saw that nobody was let in any more. Its rule denied, because Azure refused to remove it."
        );
        let asked = EventKind::Asked { by };
        assert_eq!(
            step_of(&asked, Means::BreakGlass),
            "<@U0BEA> asked to open it without approval (break-glass)."
        );
    }
}
