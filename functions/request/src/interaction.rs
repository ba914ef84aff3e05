//! A click on one of our buttons, or a form that was sent off.

use crate::known::in_doubt;
use crate::{Broken, Deps, again, asking, denying, enabling, ending, freezing, json, ordering, status};
use access::click::{Action, Click, ClickError, Submission, Ticking};
use access::lease::Timestamp;
use access::lifecycle::{Change, Closure, NotNow, Record, SignedClick, State};
use access::policy::{Approver, GlassBreaker, Groups, Mover, Rule};
use access::request::{Ask, Justification, Means, RequestId, TermsDigest, UserId};
use access::signature::Verified;
use access::wording::{self, ClickRefusal, refused_click};
use edge::store::{Loaded, Reply, Stored};
use serde_json::Value;

/// How often a decision is tried anew when somebody else has written meanwhile.
const TRIES: usize = 5;

/// How long a sentence to the clicker is kept at most, in seconds: Slack takes it for 30 minutes.
pub(crate) const REPLY_SECONDS: u64 = 30 * 60;

pub(crate) async fn handle(
    deps: &Deps,
    verified: &Verified<'_>,
    signed: SignedClick,
    page: Option<String>,
) -> Result<Value, Broken> {
    let click = match Click::parse(verified, &deps.app) {
        Ok(click) => click,
        Err(why) => {
            if let (ClickError::Kind, Ok(form)) = (why, Submission::parse(verified, &deps.app)) {
                let answer = match form.form.as_str() {
                    wording::DENY_FORM => denying::submitted(deps, &form, verified, &signed).await?,
                    wording::CHOOSE_FORM => Some(asking::chosen(deps, &form).await?),
                    wording::ASK_FORM => asking::submitted(deps, &form, &signed, page).await?,
                    _ => enabling::submitted(deps, &form, &signed).await?,
                };
                return Ok(answer.map_or_else(|| status(200), |answer| json(&answer)));
            }
            match Ticking::parse(verified, &deps.app) {
                Ok(Ticking::Pressed(ticked)) => {
                    if let Err(text) = enabling::enable_ticked(deps, &ticked).await? {
                        tell(deps, text, ticked.response_url, &signed.signature).await?;
                    }
                    return Ok(status(200));
                }
                // What is ticked counts when the button is pressed.
                Ok(Ticking::Box) => return Ok(status(200)),
                Err(_) => {}
            }
            tracing::warn!(why = %why, "a signed interaction that is not a click on one of our buttons");
            // Slack asks for an empty 200 for whatever an app does not want.
            return Ok(status(if why == ClickError::Body { 400 } else { 200 }));
        }
    };
    let at = verified.signed_at();
    let outcome = match click.action {
        Action::Approve => by_click(deps, &click, Deed::Approve, &signed, at).await?,
        Action::BreakGlass => by_click(deps, &click, Deed::BreakGlass, &signed, at).await?,
        Action::Move => by_click(deps, &click, Deed::Move, &signed, at).await?,
        Action::Deny => denying::ask_why(deps, &click, &signed, at).await?,
        Action::End => ending::by_click(deps, &click).await?,
        Action::NotMe => freezing::not_me(deps, &click).await?,
        Action::AskAgain => again::ask_again(deps, &click, &signed).await?,
        Action::WriteClosing | Action::RemoveClosing => {
            ordering::take(deps, &click, &signed, at).await?.map(|()| None).map_err(Declined::from)
        }
    };
    let said = match outcome {
        Ok(text) => text.map(Declined::from),
        Err(declined) => {
            let action = click.action.id();
            tracing::info!(request = %click.request, action, refusal = declined.text, "a click that changes nothing");
            Some(declined)
        }
    };
    if let Some(Declined { text, replaces, doubts }) = said {
        if doubts.is_empty() {
            say(deps, text, click.response_url, &signed.signature, replaces).await?;
        } else {
            deps.doubt(key_of(&signed.signature), doubts, click.response_url, Some(text)).await?;
        }
    }
    Ok(status(200))
}

/// Decides on a request by a click: what to tell the clicker.
async fn by_click(
    deps: &Deps,
    click: &Click,
    deed: Deed,
    signed: &SignedClick,
    at: Timestamp,
) -> Result<Outcome, Broken> {
    let decided = decide(deps, &Wanted::by_click(click, deed), signed, at).await?;
    Ok(decided.map(|_| None).map_err(Declined::from))
}

/// Has `notify` say a sentence to whoever clicked, where Slack has given an address for it.
async fn tell(
    deps: &Deps,
    text: String,
    response_url: Option<String>,
    signature: &str,
) -> Result<(), Broken> {
    say(deps, text, response_url, signature, false).await
}

/// As [`tell`]; or where it `replaces`, has the sentence take the place of the message that was clicked on.
async fn say(
    deps: &Deps,
    text: String,
    response_url: Option<String>,
    signature: &str,
    replaces: bool,
) -> Result<(), Broken> {
    let Some(response_url) = response_url else { return Ok(()) };
    let reply = Reply { text, response_url, replaces, said: false };
    // The same delivery twice is one sentence.
    Ok(deps.store.put_reply(&reply_key(signature), &reply, deps.clock.now().plus(REPLY_SECONDS)).await?)
}

/// By what a sentence to whoever clicked is kept.
pub(crate) fn reply_key(signature: &str) -> String {
    format!("REPLY#{}", key_of(signature))
}

/// What the same delivery twice is known by.
pub(crate) fn key_of(signature: &str) -> &str {
    signature.trim_start_matches("v0=")
}

/// What is said to whoever clicked. Where it `replaces`, it takes the place of the message that was clicked on.
pub(crate) struct Declined {
    pub(crate) text: String,
    pub(crate) replaces: bool,
    /// The user groups over which it may be wrong: Slack is asked who is in them before it is said.
    pub(crate) doubts: Vec<String>,
}

impl From<String> for Declined {
    fn from(text: String) -> Self {
        Self { text, replaces: false, doubts: vec![] }
    }
}

impl From<Refusal<'_>> for Declined {
    fn from((refusal, rule): Refusal<'_>) -> Self {
        let replaces = matches!(refusal, ClickRefusal::OldCard { .. });
        let means = match refusal {
            ClickRefusal::NotEntitled => Some(Means::Approval),
            ClickRefusal::NoBreakGlass => Some(Means::BreakGlass),
            _ => None,
        };
        let doubts = rule.zip(means).map(|(rule, means)| in_doubt(rule, means)).unwrap_or_default();
        Self { text: refused_click(&refusal, rule), replaces, doubts }
    }
}

/// What to say once a click was carried out, if anything; or why it was not.
pub(crate) type Outcome = Result<Option<String>, Declined>;

/// Why somebody cannot do what they want, and the rule that says who could.
pub(crate) type Refusal<'a> = (ClickRefusal, Option<&'a Rule>);

/// What somebody wants to do to a request that waits for a decision.
pub(crate) struct Wanted<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) request: RequestId,
    /// The digest of the terms that they saw.
    pub(crate) terms: &'a str,
    /// On which of the request's cards, where it was on one.
    pub(crate) card: Option<u64>,
    pub(crate) deed: Deed,
}

impl<'a> Wanted<'a> {
    pub(crate) fn by_click(click: &'a Click, deed: Deed) -> Self {
        Self { user: &click.user, request: click.request, terms: &click.terms, card: click.card, deed }
    }
}

/// What is done to a request that waits for a decision.
#[derive(Clone)]
pub(crate) enum Deed {
    Approve,
    BreakGlass,
    Move,
    /// To be denied; without a reason nothing is denied yet.
    Deny(Option<Justification>),
}

impl Deed {
    const fn means(&self) -> Means {
        match self {
            Self::Approve | Self::Deny(_) => Means::Approval,
            Self::BreakGlass => Means::BreakGlass,
            Self::Move => Means::OwnMove,
        }
    }
}

/// Records what somebody wants, where they may; gives the request as it was.
pub(crate) async fn decide<'a>(
    deps: &'a Deps,
    wanted: &Wanted<'_>,
    signed: &SignedClick,
    at: Timestamp,
) -> Result<Result<Ask, Refusal<'a>>, Broken> {
    for _ in 0..TRIES {
        let (loaded, known) = tokio::try_join!(deps.store.read(wanted.request), deps.known())?;
        let Some(loaded) = loaded else { return Ok(Err((ClickRefusal::NoSuchRequest, None))) };
        if is_old(wanted, &loaded) {
            return Ok(Err((ClickRefusal::OldCard { request: wanted.request }, None)));
        }
        let Some(ask) = loaded.record.ask() else { return Ok(Err((ClickRefusal::OtherTerms, None))) };
        if wanted.terms != TermsDigest::of(ask).as_str() {
            return Ok(Err((ClickRefusal::OtherTerms, None)));
        }
        let Some(rule) = known.rule(&deps.policy, &ask.wish.machine) else {
            return Ok(Err((ClickRefusal::NotEntitled, None)));
        };
        let means = ask.wish.means;
        if wanted.deed.means() != means {
            return Ok(Err((ClickRefusal::OtherTerms, Some(rule))));
        }
        if means == Means::Approval && *wanted.user == ask.wish.requester {
            return Ok(Err((ClickRefusal::OwnRequest, Some(rule))));
        }
        let entitled = match entitled(wanted, ask, rule, &known.groups) {
            Ok(entitled) => entitled,
            Err(refusal) => return Ok(Err((refusal, Some(rule)))),
        };
        if let Some(frozen) = known.locked.lockdowns.frozen(wanted.user) {
            return Ok(Err((
                ClickRefusal::Frozen { user: frozen.user.clone(), since: frozen.at },
                Some(rule),
            )));
        }
        if is_done(&loaded.record, wanted, signed) {
            return Ok(Ok(ask.clone()));
        }
        match changed(&loaded.record, &entitled, signed, at, deps.clock.now()) {
            Err(not_now) => return Ok(Err((refusal(&not_now, &loaded), Some(rule)))),
            Ok(None) => return Ok(Ok(ask.clone())),
            Ok(Some(change)) => {
                if let Stored::Yes(_) = deps.store.write(&loaded, &change, false).await? {
                    tracing::info!(request = %wanted.request, by = %wanted.user, "decided");
                    return Ok(Ok(ask.clone()));
                }
            }
        }
    }
    Err(Broken::Contended)
}

/// Whether a button is on another card than the request's newest one. The button of a break-glass is on none: it is on the
/// answer that its requester alone sees. Nor is a form.
fn is_old(wanted: &Wanted<'_>, loaded: &Loaded) -> bool {
    let on_a_card = matches!(wanted.deed, Deed::Approve | Deed::Deny(None));
    on_a_card && wanted.card.unwrap_or_default() != loaded.shown.card
}

/// Whether this very thing was recorded before: Slack or the network has delivered it twice.
fn is_done(record: &Record, wanted: &Wanted<'_>, signed: &SignedClick) -> bool {
    let denied = match (record.state(), &wanted.deed) {
        (State::Closed(closed), Deed::Deny(Some(reason))) => {
            *closed.closure() == Closure::Denied { by: wanted.user.clone(), reason: Some(reason.clone()) }
        }
        _ => false,
    };
    denied || record.approvals().iter().any(|approval| approval.click.signature == signed.signature)
}

/// What somebody does, with the evidence that they may do it.
enum Entitled {
    Approve(Approver),
    Deny(Approver, Option<Justification>),
    BreakGlass(GlassBreaker),
    Move(Mover),
}

fn entitled(wanted: &Wanted<'_>, ask: &Ask, rule: &Rule, groups: &Groups) -> Result<Entitled, ClickRefusal> {
    let approver = || rule.approver(wanted.user, groups).ok_or(ClickRefusal::NotEntitled);
    match &wanted.deed {
        Deed::Approve => approver().map(Entitled::Approve),
        Deed::Deny(reason) => approver().map(|approver| Entitled::Deny(approver, reason.clone())),
        Deed::BreakGlass => {
            let breaker = rule.glass_breaker(wanted.user, groups).ok_or(ClickRefusal::NoBreakGlass);
            breaker.map(Entitled::BreakGlass)
        }
        Deed::Move => {
            let mover = rule.mover(wanted.user, ask);
            mover.map(Entitled::Move).ok_or(ClickRefusal::NoMove { request: ask.wish.id })
        }
    }
}

/// The change, where there is one.
fn changed(
    record: &Record,
    entitled: &Entitled,
    signed: &SignedClick,
    at: Timestamp,
    now: Timestamp,
) -> Result<Option<Change>, NotNow> {
    match entitled {
        Entitled::Approve(approver) => record.approve(approver, signed.clone(), at, now).map(Some),
        Entitled::Deny(approver, None) => record.deniable(approver, now).map(|_| None),
        Entitled::Deny(approver, Some(reason)) => record.deny(approver, reason.clone(), now).map(Some),
        Entitled::Move(mover) => record.move_alone(mover, signed.clone(), at, now).map(Some),
        Entitled::BreakGlass(breaker) => record.break_glass(breaker, signed.clone(), at, now).map(Some),
    }
}

/// Who decided what and when, to somebody who came too late.
fn refusal(why: &NotNow, loaded: &Loaded) -> ClickRefusal {
    let record = &loaded.record;
    match why {
        NotNow::OwnRequest => ClickRefusal::OwnRequest,
        NotNow::AlreadyApproved => ClickRefusal::AlreadyApproved,
        NotNow::Lapsed => ClickRefusal::Lapsed { at: record.wish().lapses_at },
        NotNow::State => {
            let what = match record.wish().means {
                Means::Approval => "approved",
                Means::BreakGlass => "has gone past approval for",
                Means::OwnMove => "has moved",
            };
            let approved = |by: Option<UserId>, at| ClickRefusal::Decided { what, by, at };
            match (record.state(), record.granted()) {
                (State::Closed(closed), _) => match closed.closure() {
                    Closure::Lapsed => ClickRefusal::Lapsed { at: closed.closed_at() },
                    Closure::Denied { by, .. } => {
                        ClickRefusal::Decided { what: "denied", by: Some(by.clone()), at: closed.closed_at() }
                    }
                    Closure::Cancelled => {
                        ClickRefusal::Decided { what: "was taken back", by: None, at: closed.closed_at() }
                    }
                    Closure::Disowned { .. } | Closure::Ended(_) => {
                        ClickRefusal::Decided { what: "ended", by: None, at: closed.closed_at() }
                    }
                },
                (_, Some(granted)) => {
                    approved(granted.approvals().last().map(|a| a.by.clone()), granted.approved_at())
                }
                (_, None) => ClickRefusal::OtherTerms,
            }
        }
    }
}
