//! What the channel is told of a rule that no record answers for.

use super::card::OVERDUE_SECONDS;
use super::*;
use crate::orphan::{BreakGlass, Fate, Orphan};
use crate::request::Installation;
use serde::{Deserialize, Serialize};

/// What the channel was told of an orphan, so that it is told once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrphanTold {
    /// That it is there.
    Found,
    /// That it should be gone and is not.
    Stuck,
    /// That it is gone.
    Over,
}

/// What the channel is to be told next; `None` where it knows all.
pub fn orphan(
    orphan: &Orphan,
    told: &[OrphanTold],
    installation: &Installation,
    now: Timestamp,
) -> Option<(OrphanTold, Message)> {
    let group = word(orphan.nsg.name());
    let name = orphan.name(installation);
    let known = |what| told.contains(&what);
    let rule = format!("The rule `{name}` in `{group}`");
    let (what, text) = match &orphan.fate {
        Fate::Kept => return None,
        Fate::Hidden if known(OrphanTold::Found) => return None,
        Fate::Hidden => (
            OrphanTold::Found,
            format!(
                "Somebody has taken the request of the rule `{name}` in `{group}` out of the list of what Ajar looks at each minute. It is back there, and ends as it was approved. Ask who can write Ajar's table."
            ),
        ),
        Fate::Gone { at } if !known(OrphanTold::Over) => (
            OrphanTold::Over,
            format!("{rule}, which none of Ajar's requests answers for, was gone by {}.", moment(*at)),
        ),
        Fate::Gone { .. } => return None,
        Fate::Standing | Fate::Hindered { .. } if !known(OrphanTold::Found) => (
            OrphanTold::Found,
            format!(
                "{rule} was found, and none of Ajar's requests answers for it. {}{}",
                glass(orphan),
                plan(orphan, now)
            ),
        ),
        Fate::Hindered { since, code }
            if !known(OrphanTold::Stuck) && now.since(*since) > OVERDUE_SECONDS =>
        {
            let why = code.as_ref().map_or_else(
                || "should be gone, and Azure does not say that it is".to_owned(),
                |code| format!("should be gone and is not: Azure refuses to remove it ({})", word(code)),
            );
            let text = format!(
                "{rule}, which none of Ajar's requests answers for, {why}. Whoever may change `{group}` can delete it there by hand. Ajar tries again each minute and says here when it is gone."
            );
            (OrphanTold::Stuck, text)
        }
        Fate::Standing | Fate::Hindered { .. } => return None,
    };
    Some((what, Message::sentence(format!("{text} Ref {}", orphan.request))))
}

/// That it was opened past all approvals, where it says so.
fn glass(orphan: &Orphan) -> String {
    orphan.break_glass.as_ref().map_or_else(String::new, |BreakGlass { by, because }| {
        format!(
            "By what it says, `{}` has opened it past all approvals (break-glass), because {}. ",
            word(by),
            quoted(because)
        )
    })
}

/// What becomes of it, and what somebody can do before.
fn plan(orphan: &Orphan, now: Timestamp) -> String {
    if !orphan.allows {
        return "It lets nobody in; Ajar removes it.".to_owned();
    }
    match orphan.described_end {
        Some(end) if now < end => format!(
            "By what it says it ends at {}, and Ajar removes it then. Whoever does not know of it should delete it in Azure now.",
            moment(end)
        ),
        Some(end) => format!("By what it says it has ended at {}; Ajar removes it now.", moment(end)),
        None => "It says no end that can be believed; Ajar removes it now.".to_owned(),
    }
}
