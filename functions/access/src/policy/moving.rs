//! Who may move a grant of theirs to another address without approval.

use super::Rule;
use crate::request::{Ask, Means, Source, UserId, Wish};

/// Evidence that somebody may move a grant of theirs without approval. Only the policy makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mover(UserId);

impl Mover {
    /// Who.
    pub const fn user(&self) -> &UserId {
        &self.0
    }
}

impl Rule {
    /// Whether its requester may move a grant within one of `sources` without approval.
    pub const fn move_without_approval(&self) -> bool {
        self.move_without_approval
    }

    /// Whether that is within one of its prefixes, and lets no more addresses in.
    pub fn lets_move(&self, from: &Source, to: &Source) -> bool {
        let both = |allowed: &Source| from.is_within(allowed) && to.is_within(allowed);
        self.move_without_approval
            && to.prefix().prefix_len() >= from.prefix().prefix_len()
            && self.sources.iter().any(both)
    }

    /// What a request is opened by that asks for this from there: a move by its requester's own click, where that is let.
    pub fn means_of(&self, wish: &Wish, source: &Source) -> Means {
        match &wish.moves {
            Some(moves) if wish.means == Means::Approval && self.lets_move(&moves.from, source) => {
                Means::OwnMove
            }
            _ => wish.means,
        }
    }

    /// The evidence that `user` may move what this request moves without approval, or `None`.
    pub fn mover(&self, user: &UserId, ask: &Ask) -> Option<Mover> {
        let moves = ask.wish.moves.as_ref()?;
        let may = *user == ask.wish.requester && self.lets_move(&moves.from, &ask.source);
        may.then(|| Mover(user.clone()))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;

    #[test]
    fn a_move_without_approval_stays_within_one_range_and_lets_no_more_in() {
        let text = "channel = \"C0JIT\"\n[[rules]]\nname = \"a\"\nmachines = [\"*\"]\nrequesters = [\"*\"]\napprovers = [\"U0BEA\"]\nports = [22]\nmove_without_approval = true\n";
        let problem = Policy::parse(text).unwrap_err();
        assert_eq!(
            problem.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "line 8: `move_without_approval` needs `sources`: a grant is moved within one of them; name them, or write move_without_approval = false"
            ]
        );
        let with = |flag: &str| {
            let sources = "sources = [\"203.0.113.0/24\", \"198.51.100.0/24\"]\n";
            Policy::parse(&format!("{}{sources}", text.replace("= true", flag))).unwrap()
        };
        let lets = |policy: &Policy, from: &str, to: &str| {
            policy.rules()[0].lets_move(&from.parse().unwrap(), &to.parse().unwrap())
        };
        let policy = with("= true");
        for (from, to, may) in [
            ("203.0.113.7", "203.0.113.99", true),
            ("203.0.113.0/28", "203.0.113.16/28", true),
            ("203.0.113.0/28", "203.0.113.99", true),
            ("203.0.113.7", "203.0.113.16/28", false),
            ("203.0.113.7", "198.51.100.9", false),
            ("203.0.113.7", "192.0.2.1", false),
            ("192.0.2.1", "203.0.113.7", false),
        ] {
            assert_eq!(lets(&policy, from, to), may, "{from} to {to}");
        }
        assert!(!lets(&with("= false"), "203.0.113.7", "203.0.113.99"));
        assert!(!policy.rules()[0].only_enabled() && policy.rules()[0].move_without_approval());
    }
}
