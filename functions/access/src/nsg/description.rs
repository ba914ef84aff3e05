//! What a rule of ours says of itself, so that it can be judged from Azure alone: request, requester, end, and what
//! it rests on. The end comes before what may be cut off.

use crate::lease::Timestamp;
use crate::lifecycle::Granted;
use crate::request::{Justification, Means, RequestId, is_disguise};

/// The most characters that Azure takes.
const LONGEST: usize = 140;

/// The most characters of an operator's name: the reason must have room behind it.
const LONGEST_OPERATOR: usize = 40;

/// How a rule begins to say why it was opened past all approvals.
const BREAK_GLASS: &str = "break-glass: ";

/// How a rule begins to say what its requester has moved without approval.
const MOVED: &str = "moved from ";

/// What a rule of a grant says. The approvers are cut off where there are many, and a reason where it is long.
pub(super) fn of_grant(granted: &Granted) -> String {
    let approvers: Vec<&str> = granted.approvals().iter().map(|approval| approval.by.as_str()).collect();
    let wish = &granted.ask().wish;
    let by = match (wish.means, &wish.justification) {
        (Means::BreakGlass, Some(because)) => format!("{BREAK_GLASS}{because}"),
        (Means::BreakGlass, None) => BREAK_GLASS.to_owned(),
        (Means::OwnMove, _) => {
            let grant = wish.moves.map(|moves| moves.grant.to_string()).unwrap_or_default();
            format!("{MOVED}{grant}")
        }
        (Means::Approval, _) => format!("approved by {}", approvers.join(" ")),
    };
    describe(wish.id, wish.requester.as_str(), granted.expires_at(), &by)
}

/// What a rule says that an operator opens by his own rights in Azure, past all approvals.
pub fn of_break_glass(id: RequestId, operator: &str, ends_at: Timestamp, because: &Justification) -> String {
    let name = |c: &char| c.is_ascii_alphanumeric() || "@._-".contains(*c);
    let operator: String = operator.chars().filter(name).take(LONGEST_OPERATOR).collect();
    describe(id, &operator, ends_at, &format!("{BREAK_GLASS}{because}"))
}

fn describe(id: RequestId, requester: &str, ends_at: Timestamp, basis: &str) -> String {
    let text = format!("Ajar {id} for {requester}, until {ends_at}, {basis}");
    text.chars().take(LONGEST).collect()
}

/// The end that a rule says; `None` where somebody wrote something else, and where it was cut off.
pub fn described_end(description: &str) -> Option<Timestamp> {
    let (_, rest) = description.split_once(", until ")?;
    rest.split_once(',')?.0.parse().ok()
}

/// What a rule rests on, by what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Basis {
    /// Approvals, by these people; the last one may be cut off.
    Approved(String),
    /// An operator's own rights, or those that the policy gives its requester, for this reason; its end may be
    /// cut off.
    BreakGlass(String),
    /// An approval of this grant, which its requester has moved.
    Moved(String),
}

/// A description as it was read. Anybody who may write the rule may have written it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// For whom it was opened: a requester, or an operator.
    pub requester: String,
    /// Its end.
    pub ends_at: Timestamp,
    /// What it rests on.
    pub basis: Basis,
}

/// Reads a description; `None` where it is not one of ours.
pub fn described(text: &str) -> Option<Described> {
    let (_, rest) = text.strip_prefix("Ajar ")?.split_once(" for ")?;
    let (requester, _) = rest.split_once(", until ")?;
    let ends_at = described_end(text)?;
    let (_, rest) = rest.split_once(", until ")?.1.split_once(", ")?;
    let plain = |text: &str| text.chars().map(|c| if is_disguise(c) { ' ' } else { c }).collect::<String>();
    let basis = match (rest.strip_prefix("approved by "), rest.strip_prefix(BREAK_GLASS)) {
        (Some(people), _) => Basis::Approved(plain(people)),
        (None, Some(why)) => Basis::BreakGlass(plain(why)),
        (None, None) => Basis::Moved(plain(rest.strip_prefix(MOVED)?)),
    };
    Some(Described { requester: plain(requester), ends_at, basis })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_glass_says_who_until_when_and_why() {
        let id = "7F3K9-QXM2P".parse().unwrap();
        let end = Timestamp::from_unix(1_773_342_180);
        let because = "the table is gone, until tomorrow, say".parse().unwrap();
        let text = of_break_glass(id, "ops, until 2099-01-01 00:00:00 UTC,@contoso.example", end, &because);
        assert_eq!(
            text,
            "Ajar 7F3K9-QXM2P for opsuntil2099-01-01000000UTC@contoso.exam, until 2026-03-12 19:03:00 UTC, break-glass: the table is gone, until tomorrow"
        );
        assert_eq!(text.chars().count(), LONGEST);
        assert_eq!(described_end(&text), Some(end), "nobody's name prolongs it");
        let read = described(&text).unwrap();
        assert_eq!((read.requester.len(), read.ends_at), (40, end));
        assert_eq!(read.basis, Basis::BreakGlass("the table is gone, until tomorrow".to_owned()));
    }

    #[test]
    fn what_is_not_ours_is_not_read() {
        let ours = "Ajar 7F3K9-QXM2P for U0ANA, until 2026-03-12 19:03:00 UTC, approved by U0BEA U0CHRIS";
        assert_eq!(described(ours).unwrap().basis, Basis::Approved("U0BEA U0CHRIS".to_owned()));
        let moved = "Ajar 7F3K9-QXM2P for U0ANA, until 2026-03-12 19:03:00 UTC, moved from 9ABCD-EFGHJ";
        assert_eq!(described(moved).unwrap().basis, Basis::Moved("9ABCD-EFGHJ".to_owned()));
        for other in [
            "",
            "mine",
            "Ajar, until tomorrow, or so",
            "Ajar 7F3K9-QXM2P for U0ANA, until 2026-03-12 19:03:00 UTC",
            "Ajar 7F3K9-QXM2P for U0ANA, until 2026-03-12 19:03:00 UTC, approved",
            "Ajar 7F3K9-QXM2P for U0ANA, until tomorrow, approved by U0BEA",
        ] {
            assert_eq!(described(other), None, "{other}");
        }
    }
}
