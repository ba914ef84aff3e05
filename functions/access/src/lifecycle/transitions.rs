//! What may follow what. Every change of a record goes through here and carries its line of history.

use super::*;
use crate::request::Justification;

/// A changed record and the line of history that tells of the change; written together, on the
/// condition that nobody else has written since.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Change {
    /// The record as it shall be.
    pub record: Record,
    /// What happened.
    pub event: Event,
}

/// One line of a request's history.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
}

/// What happened to a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It was asked.
    Asked {
        /// By whom.
        by: UserId,
    },
    /// The requester confirmed where the connection comes from.
    Addressed {
        /// From where.
        source: Source,
    },
    /// An approver said yes.
    Approved {
        /// Who.
        by: UserId,
        /// How many have said yes.
        approvals: u8,
        /// How many it takes.
        needed: u8,
    },
    /// The requester opens it without approval.
    BrokeGlass {
        /// Who.
        by: UserId,
    },
    /// The requester moves a grant without approval.
    MovedAlone {
        /// Who.
        by: UserId,
    },
    /// The rules were planned.
    Planned {
        /// Where and at which priority.
        plan: Plan,
    },
    /// Azure takes no changes for now.
    Delayed {
        /// Until when.
        until: Timestamp,
    },
    /// Every rule was seen in place.
    Opened,
    /// It must be shut.
    Closing {
        /// Why.
        cause: Cause,
    },
    /// A try to shut it did not finish.
    NotYetShut {
        /// How far each rule has come.
        ends: Vec<RuleEnd>,
    },
    /// It is shut, but Azure refuses to remove the rule, because of a lock or otherwise.
    Neutralised {
        /// How far each rule has come.
        ends: Vec<RuleEnd>,
    },
    /// It is finished.
    Closed {
        /// How.
        closure: Closure,
    },
    /// A rule that appeared after all looked finished was removed.
    LateRuleRemoved,
    /// A rule appeared after all looked finished, and Azure refuses to remove it.
    LateRuleLocked {
        /// How far each rule has come.
        ends: Vec<RuleEnd>,
    },
    /// Azure was compared for long enough; nothing more is to be done.
    Settled,
}

/// Why something cannot be done to a request now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotNow {
    /// It is not in a state in which this can be done.
    #[error("the request is in another state")]
    State,
    /// Nobody approves their own request.
    #[error("nobody approves their own request")]
    OwnRequest,
    /// This person has said yes already.
    #[error("this person has approved already")]
    AlreadyApproved,
    /// The time for a decision is over.
    #[error("the time for a decision is over")]
    Lapsed,
}

/// What was decided by these clicks, the last of which was signed at `clicked_at`.
pub(super) fn granted(
    ask: Arc<Ask>,
    approvals: Vec<Approval>,
    clicked_at: Timestamp,
    now: Timestamp,
) -> State {
    let expires_at = ask.wish.ends_by(clicked_at.min(now));
    let granted = Granted { ask, approvals, expires_at, approved_at: now };
    State::Approved(Approved { granted, retry_at: None })
}

impl Record {
    /// A request as it is first recorded: waiting for approvers, or for the requester's address.
    /// `needed` approvals decide; 0 counts as 1.
    pub fn asked(wish: Wish, source: Option<Source>, needed: u8) -> Change {
        let (asked_at, by) = (wish.asked_at, wish.requester.clone());
        let needed = needed.max(1);
        let state = match source {
            None => State::Draft(Draft { wish: Arc::new(wish), needed }),
            Some(source) => {
                State::Pending(Pending { ask: Arc::new(Ask { wish, source }), approvals: vec![], needed })
            }
        };
        let record = Self { version: 1, changed_at: asked_at, state };
        Change { record, event: Event { at: asked_at, kind: EventKind::Asked { by } } }
    }

    pub(super) fn change(&self, now: Timestamp, state: State, kind: EventKind) -> Change {
        let record = Self { version: self.version + 1, changed_at: now, state };
        Change { record, event: Event { at: now, kind } }
    }

    /// The requester's address is known, and with it the machine's own at which such a connection arrives, and what a
    /// move is to be opened by. From now on it waits for a decision, until `lapses_at`.
    ///
    /// # Errors
    /// Not a draft, or of another machine; or lapsed.
    pub fn addressed(&self, ask: &Ask, lapses_at: Timestamp, now: Timestamp) -> Result<Change, NotNow> {
        let State::Draft(draft) = &self.state else { return Err(NotNow::State) };
        let (machine, means, source) = (ask.wish.machine.clone(), ask.wish.means, ask.source);
        if machine.resource_id != draft.wish.machine.resource_id {
            return Err(NotNow::State);
        }
        if now >= draft.wish.lapses_at {
            return Err(NotNow::Lapsed);
        }
        let lapses_at = draft.wish.waits_until(lapses_at);
        let ask = Arc::new(Ask { wish: Wish { machine, means, lapses_at, ..(*draft.wish).clone() }, source });
        let state = State::Pending(Pending { ask, approvals: vec![], needed: draft.needed });
        Ok(self.change(now, state, EventKind::Addressed { source }))
    }

    /// An approver says yes. The deciding yes fixes the end: the signed time of the click plus the
    /// duration that was asked for.
    ///
    /// # Errors
    /// Not waiting for others, lapsed, the requester's own, or a second yes of one person.
    pub fn approve(
        &self,
        approver: &Approver,
        click: SignedClick,
        clicked_at: Timestamp,
        now: Timestamp,
    ) -> Result<Change, NotNow> {
        let pending = self.waiting(Means::Approval, now)?;
        if *approver.user() == pending.ask.wish.requester {
            return Err(NotNow::OwnRequest);
        }
        if pending.approvals.iter().any(|approval| approval.by == *approver.user()) {
            return Err(NotNow::AlreadyApproved);
        }
        let mut approvals = pending.approvals.clone();
        approvals.push(Approval { by: approver.user().clone(), at: clicked_at, click: Arc::new(click) });
        let count = u8::try_from(approvals.len()).unwrap_or(u8::MAX);
        let kind =
            EventKind::Approved { by: approver.user().clone(), approvals: count, needed: pending.needed };
        let ask = Arc::clone(&pending.ask);
        let state = if count < pending.needed {
            State::Pending(Pending { ask, approvals, needed: pending.needed })
        } else {
            granted(ask, approvals, clicked_at, now)
        };
        Ok(self.change(now, state, kind))
    }

    /// The requester opens it without approval. The click fixes the end, as a deciding yes does.
    ///
    /// # Errors
    /// Not waiting for this, lapsed, or somebody else than the requester.
    pub fn break_glass(
        &self,
        by: &GlassBreaker,
        click: SignedClick,
        clicked_at: Timestamp,
        now: Timestamp,
    ) -> Result<Change, NotNow> {
        let pending = self.waiting(Means::BreakGlass, now)?;
        if *by.user() != pending.ask.wish.requester {
            return Err(NotNow::State);
        }
        let by = by.user().clone();
        let own = Approval { by: by.clone(), at: clicked_at, click: Arc::new(click) };
        let state = granted(Arc::clone(&pending.ask), vec![own], clicked_at, now);
        Ok(self.change(now, state, EventKind::BrokeGlass { by }))
    }

    /// What waits to be opened by these means.
    pub(super) fn waiting(&self, means: Means, now: Timestamp) -> Result<&Pending, NotNow> {
        match &self.state {
            State::Pending(pending) if pending.ask.wish.means == means => {
                if now >= pending.ask.wish.lapses_at { Err(NotNow::Lapsed) } else { Ok(pending) }
            }
            _ => Err(NotNow::State),
        }
    }

    /// An approver says no, and why.
    ///
    /// # Errors
    /// See [`Record::deniable`].
    pub fn deny(&self, approver: &Approver, reason: Justification, now: Timestamp) -> Result<Change, NotNow> {
        let pending = self.deniable(approver, now)?;
        let closure = Closure::Denied { by: approver.user().clone(), reason: Some(reason) };
        Ok(self.close(ClosedAsk::Pending(pending.clone()), closure, now))
    }

    /// What an approver may say no to now.
    ///
    /// # Errors
    /// Not waiting for others, lapsed, or the requester's own.
    pub fn deniable(&self, approver: &Approver, now: Timestamp) -> Result<&Pending, NotNow> {
        let pending = self.waiting(Means::Approval, now)?;
        if *approver.user() == pending.ask.wish.requester {
            return Err(NotNow::OwnRequest);
        }
        Ok(pending)
    }

    /// Somebody says that the approval in their name is not theirs: it is shut, or cannot be approved any more.
    ///
    /// # Errors
    /// Nobody has approved it in their name, or it is being shut or over.
    pub fn disown(&self, by: &UserId, now: Timestamp) -> Result<Change, NotNow> {
        if !self.approvals().iter().any(|approval| approval.by == *by) {
            return Err(NotNow::State);
        }
        match &self.state {
            State::Pending(pending) => {
                Ok(self.close(ClosedAsk::Pending(pending.clone()), Closure::Disowned { by: by.clone() }, now))
            }
            _ => self.end(Cause::Disowned { by: by.clone() }, now),
        }
    }

    /// An admin takes away what it asks for before it is decided: nobody can approve it any more.
    ///
    /// # Errors
    /// Not waiting for a decision.
    pub fn refuse(&self, admin: &Admin, now: Timestamp) -> Result<Change, NotNow> {
        let State::Pending(pending) = &self.state else { return Err(NotNow::State) };
        let closure = Closure::Denied { by: admin.user().clone(), reason: None };
        Ok(self.close(ClosedAsk::Pending(pending.clone()), closure, now))
    }

    /// The requester takes it back before it is decided.
    ///
    /// # Errors
    /// It is decided already.
    pub fn cancel(&self, now: Timestamp) -> Result<Change, NotNow> {
        Ok(self.close(self.undecided()?, Closure::Cancelled, now))
    }

    /// Nobody decided in time.
    ///
    /// # Errors
    /// It is decided already, or its time is not over.
    pub fn lapse(&self, now: Timestamp) -> Result<Change, NotNow> {
        let undecided = self.undecided()?;
        if now < self.wish().lapses_at {
            return Err(NotNow::State);
        }
        Ok(self.close(undecided, Closure::Lapsed, now))
    }

    fn undecided(&self) -> Result<ClosedAsk, NotNow> {
        match &self.state {
            State::Draft(draft) => Ok(ClosedAsk::Draft(draft.clone())),
            State::Pending(pending) => Ok(ClosedAsk::Pending(pending.clone())),
            _ => Err(NotNow::State),
        }
    }

    fn close(&self, ask: ClosedAsk, closure: Closure, now: Timestamp) -> Change {
        let kind = EventKind::Closed { closure: closure.clone() };
        let closed =
            Closed { ask, closure, closed_at: now, plan: None, proof: None, late: vec![], settled: true };
        self.change(now, State::Closed(closed), kind)
    }

    /// The rules are planned, or planned anew at other priorities in the same groups.
    ///
    /// # Errors
    /// Neither approved nor opening, or a new plan for other groups than the old one: rules may
    /// stand in those already.
    pub fn planned(&self, plan: Plan, now: Timestamp) -> Result<Change, NotNow> {
        let granted = match &self.state {
            State::Approved(approved) => &approved.granted,
            State::Opening(opening) if opening.plan.same_groups(&plan) => &opening.granted,
            _ => return Err(NotNow::State),
        };
        let kind = EventKind::Planned { plan: plan.clone() };
        let opening = Opening { granted: granted.clone(), plan, planned_at: now, retry_at: None };
        Ok(self.change(now, State::Opening(opening), kind))
    }

    /// Azure takes no changes before `until`: nothing is checked or written for this grant before.
    ///
    /// # Errors
    /// Neither approved nor opening.
    pub fn delayed(&self, until: Timestamp, now: Timestamp) -> Result<Change, NotNow> {
        let retry_at = Some(until);
        let state = match &self.state {
            State::Approved(approved) => State::Approved(Approved { retry_at, ..approved.clone() }),
            State::Opening(opening) => State::Opening(Opening { retry_at, ..opening.clone() }),
            _ => return Err(NotNow::State),
        };
        Ok(self.change(now, state, EventKind::Delayed { until }))
    }

    /// Every planned rule was seen in place and lets the flow pass.
    ///
    /// # Errors
    /// Not opening, or not one deciding rule for each planned one.
    pub fn opened(&self, proof: OpenProof, now: Timestamp) -> Result<Change, NotNow> {
        let State::Opening(Opening { granted, plan, .. }) = &self.state else { return Err(NotNow::State) };
        if proof.decided_by.len() != plan.rules().len() {
            return Err(NotNow::State);
        }
        let open = Open { granted: granted.clone(), plan: plan.clone(), opened_at: now, proof };
        Ok(self.change(now, State::Open(open), EventKind::Opened))
    }

    /// It must be shut, for whatever reason. Even a certain refusal is certain only for one's own
    /// write, so the rules must be seen gone before the request may close.
    ///
    /// # Errors
    /// Not approved, opening or open.
    pub fn end(&self, cause: Cause, now: Timestamp) -> Result<Change, NotNow> {
        let (granted, plan) = match &self.state {
            State::Approved(Approved { granted, .. }) => (granted, None),
            State::Opening(Opening { granted, plan, .. }) | State::Open(Open { granted, plan, .. }) => {
                (granted, Some(plan.clone()))
            }
            State::Draft(_) | State::Pending(_) | State::Closing(_) | State::Closed(_) => {
                return Err(NotNow::State);
            }
        };
        let kind = EventKind::Closing { cause: cause.clone() };
        let closing = Closing {
            granted: granted.clone(),
            ends: plan.iter().flat_map(|plan| plan.rules()).map(|_| RuleEnd::Standing).collect(),
            plan,
            cause,
            closing_at: now,
            tries: 0,
            retry_at: now,
            obstacle: None,
        };
        Ok(self.change(now, State::Closing(closing), kind))
    }

    /// A try to shut it ended with rules still there, because of `obstacle`. Tried again at `retry_at`.
    ///
    /// # Errors
    /// Not closing, or not one end per planned rule.
    pub fn tried(
        &self,
        ends: Vec<RuleEnd>,
        obstacle: Option<Obstacle>,
        retry_at: Timestamp,
        now: Timestamp,
    ) -> Result<Change, NotNow> {
        let State::Closing(closing) = &self.state else { return Err(NotNow::State) };
        if ends.len() != closing.ends.len() {
            return Err(NotNow::State);
        }
        let next =
            Closing { ends: ends.clone(), obstacle, retry_at, tries: closing.tries + 1, ..closing.clone() };
        let kind =
            if next.is_shut() { EventKind::Neutralised { ends } } else { EventKind::NotYetShut { ends } };
        Ok(self.change(now, State::Closing(next), kind))
    }

    /// Every planned rule was seen gone. The only way from a grant to [`Closed`].
    ///
    /// # Errors
    /// Not closing, or a rule that was not seen gone.
    pub fn gone(&self, ends: &[RuleEnd], proof: Option<Proof>, now: Timestamp) -> Result<Change, NotNow> {
        let State::Closing(closing) = &self.state else { return Err(NotNow::State) };
        if ends.len() != closing.ends.len() || ends.iter().any(|end| *end != RuleEnd::Gone) {
            return Err(NotNow::State);
        }
        let closure = Closure::Ended(closing.cause.clone());
        let kind = EventKind::Closed { closure: closure.clone() };
        let closed = Closed {
            ask: ClosedAsk::Granted(closing.granted.clone()),
            closure,
            closed_at: now,
            settled: closing.plan.is_none(),
            plan: closing.plan.clone(),
            proof,
            late: vec![],
        };
        Ok(self.change(now, State::Closed(closed), kind))
    }

    /// A rule of this closed request was found and removed.
    ///
    /// # Errors
    /// Not closed.
    pub fn late_rule_removed(&self, now: Timestamp) -> Result<Change, NotNow> {
        let State::Closed(closed) = &self.state else { return Err(NotNow::State) };
        let closed = Closed { late: vec![], ..closed.clone() };
        Ok(self.change(now, State::Closed(closed), EventKind::LateRuleRemoved))
    }

    /// A rule of this closed request was found, and Azure refuses to remove it: `grant` must turn it
    /// into Deny, or has.
    ///
    /// # Errors
    /// Not closed, or not one end per planned rule.
    pub fn late_rule_locked(&self, ends: Vec<RuleEnd>, now: Timestamp) -> Result<Change, NotNow> {
        let State::Closed(closed) = &self.state else { return Err(NotNow::State) };
        if closed.plan.as_ref().map_or(0, |plan| plan.rules().len()) != ends.len() {
            return Err(NotNow::State);
        }
        let kind = EventKind::LateRuleLocked { ends: ends.clone() };
        Ok(self.change(now, State::Closed(Closed { late: ends, settled: false, ..closed.clone() }), kind))
    }

    /// Azure was compared for long enough.
    ///
    /// # Errors
    /// Not closed, or settled already.
    pub fn settled(&self, now: Timestamp) -> Result<Change, NotNow> {
        let State::Closed(closed) = &self.state else { return Err(NotNow::State) };
        if closed.settled {
            return Err(NotNow::State);
        }
        let closed = Closed { settled: true, ..closed.clone() };
        Ok(self.change(now, State::Closed(closed), EventKind::Settled))
    }
}
