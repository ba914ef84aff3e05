//! The proof that a grant rests on: signed clicks on exactly these terms, by people who may decide.
//! `grant` judges it again before anything is written, so that whoever can write the table but does
//! not have Slack's signing secret cannot open a port.

use crate::click::{Action, App, Click};
use crate::lease::Timestamp;
use crate::lifecycle::{Approval, Granted};
use crate::machine::TagsNow;
use crate::policy::{Groups, NotAllowed, Policy, Rule};
use crate::request::{Ask, Means, TermsDigest, UserId};
use crate::signature::{SigningKeys, Verified};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

mod moved;

pub use moved::MOST_MOVES;

/// The deciding click may not be older than this when the rule is written, in seconds.
pub const DECIDING_CLICK_SECONDS: u64 = 15 * 60;

/// What the clicks do not prove.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    /// A click is not signed by Slack.
    #[error("a click is not signed by Slack")]
    Signature,
    /// A signed body is not a click on one of our buttons.
    #[error("a signed body is not a click on one of our buttons")]
    Click(crate::click::ClickError),
    /// A click did not approve.
    #[error("a click did not approve")]
    NotApprove,
    /// Its requester did not click to open it without approval.
    #[error("its requester did not click to open it without approval")]
    NotBreakGlass,
    /// Its requester did not click to move it.
    #[error("its requester did not click to move it")]
    NotMove,
    /// What it moves is no such grant.
    #[error("there is no such grant of the same person that it could move")]
    NothingMoved,
    /// It takes an approval to move it there.
    #[error("the policy does not let it be moved there without approval")]
    OtherRange,
    /// What it moves is not open, by Azure's rules.
    #[error("the grant that it moves is not open any more")]
    NotOpen,
    /// The grant that it moves without approval is not proven itself.
    #[error("the grant that it moves was not rightly approved ({0})")]
    Moved(Box<Unproven>),
    /// A click is about another request.
    #[error("a click is about another request")]
    OtherRequest,
    /// What was clicked on are not the terms of the record.
    #[error("the terms are not those that were approved")]
    OtherTerms,
    /// A click is not by the person the record says.
    #[error("a click is not by the person whom the record names")]
    OtherPerson,
    /// Somebody approved who may not.
    #[error("{user} may not approve this")]
    NotEntitled {
        /// Who.
        user: UserId,
    },
    /// Clicks of somebody who approved do not count.
    #[error("clicks of {user} do not count")]
    Frozen {
        /// Who.
        user: UserId,
    },
    /// The requester approved.
    #[error("the requester approved")]
    OwnRequest,
    /// Too few different people approved.
    #[error("it takes {needed} approvals and has {got}")]
    TooFew {
        /// How many there are.
        got: usize,
        /// How many it takes.
        needed: u8,
    },
    /// The deciding click is too old, or from the future.
    #[error("the deciding click is older than 15 minutes, or from the future")]
    TooOld,
    /// An earlier click is older than a request may wait.
    #[error("an earlier click is older than a request may wait")]
    EarlierTooOld,
    /// The record ends later than the approvers said.
    #[error("the record ends later than was approved")]
    EndsTooLate,
    /// The policy does not let it.
    #[error("{0}")]
    Policy(NotAllowed),
}

/// What a grant is judged by, once its clicks are proven.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// The function's own copy of the policy.
    pub policy: &'a Policy,
    /// The machine's tags, as Azure said just now.
    pub tags: &'a TagsNow,
    /// The members of the policy's user groups, as Slack said just now.
    pub groups: &'a Groups,
}

/// A grant of which each click is signed by Slack, on exactly its terms, by whom the record says. Only
/// [`proven`] makes one, and only one can be judged: Azure and Slack are not asked for anything else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proven<'a> {
    granted: &'a Granted,
    /// When each click was signed.
    signed_at: Vec<Timestamp>,
    /// What it takes the place of, where its requester has moved that without approval.
    moved: Option<Box<Self>>,
}

/// What one click proves, whenever it is looked at: that this person said yes to exactly these terms: somebody else
/// than the requester, or of a break-glass and of a move without approval the requester. Whether they were entitled to is not part of it.
///
/// # Errors
/// The first thing that it does not prove.
pub fn prove<'a>(
    approval: &'a Approval,
    ask: &Ask,
    keys: &SigningKeys,
    app: &App,
) -> Result<Verified<'a>, Unproven> {
    let signed = &approval.click;
    let verified = keys
        .verify_evidence(signed.key, &signed.timestamp, &signed.signature, signed.body.as_bytes())
        .map_err(|_| Unproven::Signature)?;
    let click = Click::parse(&verified, app).map_err(Unproven::Click)?;
    match ask.wish.means {
        Means::Approval if click.action != Action::Approve => return Err(Unproven::NotApprove),
        Means::BreakGlass if click.action != Action::BreakGlass => return Err(Unproven::NotBreakGlass),
        Means::OwnMove if click.action != Action::Move => return Err(Unproven::NotMove),
        Means::Approval | Means::BreakGlass | Means::OwnMove => {}
    }
    if click.request != ask.wish.id {
        return Err(Unproven::OtherRequest);
    }
    // On which of the request's cards the button was is no part of the terms: each of them showed the same, and which one
    // counts is what the table says, so that it would prove nothing. `request` goes by it, so that a card that hangs
    // somewhere beside the newest one decides nothing.
    if click.terms != TermsDigest::of(ask).as_str() {
        return Err(Unproven::OtherTerms);
    }
    if click.user != approval.by {
        return Err(Unproven::OtherPerson);
    }
    match (ask.wish.means, click.user == ask.wish.requester) {
        (Means::Approval, true) => Err(Unproven::OwnRequest),
        (Means::BreakGlass | Means::OwnMove, false) => Err(Unproven::OtherPerson),
        (Means::Approval, false) | (Means::BreakGlass | Means::OwnMove, true) => Ok(verified),
    }
}

/// Whether what Slack signed then may decide now.
///
/// # Errors
/// It is older than [`DECIDING_CLICK_SECONDS`], or from the future.
pub(crate) fn is_fresh(signed_at: Timestamp, now: Timestamp) -> Result<(), Unproven> {
    // Slack's clock and ours may differ by as much as a signature may be off.
    let from_the_future = signed_at.since(now) > crate::signature::WINDOW_SECONDS;
    if now.since(signed_at) > DECIDING_CLICK_SECONDS || from_the_future {
        return Err(Unproven::TooOld);
    }
    Ok(())
}

/// Whether Slack signed each click of a grant, on exactly its terms. `moved`: what it rests on where its requester has moved
/// it without approval, each the one that the one before has taken the place of; the last one was approved.
///
/// # Errors
/// The first thing that they do not prove.
pub fn proven<'a>(
    granted: &'a Granted,
    moved: &[&'a Granted],
    keys: &SigningKeys,
    app: &App,
) -> Result<Proven<'a>, Unproven> {
    let ask = granted.ask();
    // The policy goes by names, the digest by resource ids: in Azure a machine's name ends its id, and
    // a record in which it does not would be judged by another machine's rule.
    let machine = &ask.wish.machine;
    if !machine.name.as_str().eq_ignore_ascii_case(machine.resource_id.name()) {
        return Err(Unproven::OtherTerms);
    }
    let clicks = granted.approvals().iter().map(|approval| prove(approval, ask, keys, app));
    let signed_at =
        clicks.map(|click| click.map(|verified| verified.signed_at())).collect::<Result<_, _>>()?;
    let moved = match (ask.wish.means, moved) {
        (Means::Approval | Means::BreakGlass, _) => None,
        (Means::OwnMove, []) => return Err(Unproven::NothingMoved),
        (Means::OwnMove, [old, rest @ ..]) => {
            moved::continues(granted, old)?;
            let old = proven(old, rest, keys, app).map_err(|why| Unproven::Moved(Box::new(why)))?;
            Some(Box::new(old))
        }
    };
    Ok(Proven { granted, signed_at, moved })
}

impl Proven<'_> {
    /// Whether exactly this may be opened now.
    ///
    /// # Errors
    /// The first thing that the clicks do not prove.
    pub fn judge(&self, by: &Judge<'_>, now: Timestamp) -> Result<(), Unproven> {
        let ask = self.granted.ask();
        let rule = by.policy.admits(ask, by.tags.tags(), by.groups).map_err(Unproven::Policy)?;
        let deciding = match ask.wish.means {
            Means::Approval => self.approved(rule, by.groups)?,
            // Whose it is was proven, and that the rule names them is part of what it admits.
            Means::BreakGlass => match self.signed_at.as_slice() {
                [own] => *own,
                _ => return Err(Unproven::NotBreakGlass),
            },
            Means::OwnMove => self.moved_alone(rule, by.groups)?,
        };
        is_fresh(deciding, now)?;
        self.within(rule, deciding)
    }

    /// Whether what was decided then covers its earlier clicks and its end.
    fn within(&self, rule: &Rule, deciding: Timestamp) -> Result<(), Unproven> {
        if self.signed_at.iter().any(|at| deciding.since(*at) > rule.undecided().seconds()) {
            return Err(Unproven::EarlierTooOld);
        }
        if self.granted.expires_at() > self.granted.ask().wish.ends_by(deciding) {
            return Err(Unproven::EndsTooLate);
        }
        Ok(())
    }

    /// When enough people who may had approved.
    fn approved(&self, rule: &Rule, groups: &Groups) -> Result<Timestamp, Unproven> {
        let mut people = BTreeSet::new();
        for approval in self.granted.approvals() {
            if rule.approver(&approval.by, groups).is_none() {
                return Err(Unproven::NotEntitled { user: approval.by.clone() });
            }
            people.insert(&approval.by);
        }
        let needed = rule.approvals();
        let deciding = self.signed_at.iter().max().filter(|_| people.len() >= usize::from(needed));
        deciding.copied().ok_or(Unproven::TooFew { got: people.len(), needed })
    }
}

#[cfg(test)]
mod tests;
