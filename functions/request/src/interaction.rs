//! A click on one of our buttons, or a form that was sent off.

use crate::{Broken, Deps, enabling, json, ordering, status};
use access::click::{Action, Click, ClickError, Submission, Ticking};
use access::lease::Timestamp;
use access::lifecycle::{Change, Closure, NotNow, Record, SignedClick, State};
use access::policy::{Approver, GlassBreaker, Groups, Rule};
use access::request::{Means, TermsDigest, UserId};
use access::signature::Verified;
use access::wording::{ClickRefusal, refused_click};
use edge::store::{Loaded, Reply, Stored};
use serde_json::Value;

/// How often a decision is tried anew when somebody else has written meanwhile.
const TRIES: usize = 5;

/// How long a sentence to the clicker is kept at most, in seconds: Slack takes it for 30 minutes.
const REPLY_SECONDS: u64 = 30 * 60;

pub(crate) async fn handle(
    deps: &Deps,
    verified: &Verified<'_>,
    signed: SignedClick,
) -> Result<Value, Broken> {
    let click = match Click::parse(verified, &deps.app) {
        Ok(click) => click,
        Err(why) => {
            if let (ClickError::Kind, Ok(form)) = (why, Submission::parse(verified, &deps.app)) {
                let answer = enabling::submitted(deps, &form, &signed).await?;
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
    let refused = match click.action {
        Action::Approve | Action::Deny | Action::BreakGlass => decide(deps, &click, &signed, at)
            .await?
            .map_err(|(refusal, rule)| (format!("{refusal:?}"), refused_click(&refusal, rule))),
        Action::WriteClosing | Action::RemoveClosing => {
            ordering::take(deps, &click, &signed, at).await?.map_err(|text| (text.clone(), text))
        }
    };
    if let Err((refusal, text)) = refused {
        tracing::info!(request = %click.request, refusal, "a click that changes nothing");
        tell(deps, text, click.response_url, &signed.signature).await?;
    }
    Ok(status(200))
}

/// Has `notify` say a sentence to whoever clicked, where Slack has given an address for it.
async fn tell(
    deps: &Deps,
    text: String,
    response_url: Option<String>,
    signature: &str,
) -> Result<(), Broken> {
    let Some(response_url) = response_url else { return Ok(()) };
    let reply = Reply { text, response_url, said: false };
    // The same delivery twice is one sentence.
    let key = format!("REPLY#{}", signature.trim_start_matches("v0="));
    Ok(deps.store.put_reply(&key, &reply, deps.clock.now().plus(REPLY_SECONDS)).await?)
}

type Refusal<'a> = (ClickRefusal, Option<&'a Rule>);

async fn decide<'a>(
    deps: &'a Deps,
    click: &Click,
    signed: &SignedClick,
    at: Timestamp,
) -> Result<Result<(), Refusal<'a>>, Broken> {
    for _ in 0..TRIES {
        let Some(loaded) = deps.store.read(click.request).await? else {
            return Ok(Err((ClickRefusal::NoSuchRequest, None)));
        };
        let Some(ask) = loaded.record.ask() else { return Ok(Err((ClickRefusal::OtherTerms, None))) };
        if click.terms != TermsDigest::of(ask).as_str() {
            return Ok(Err((ClickRefusal::OtherTerms, None)));
        }
        let Some(rule) = deps.store.listed_rule(&deps.policy, &ask.wish.machine).await? else {
            return Ok(Err((ClickRefusal::NotEntitled, None)));
        };
        let means = ask.wish.means;
        if click.action.means() != Some(means) {
            return Ok(Err((ClickRefusal::OtherTerms, Some(rule))));
        }
        if means == Means::Approval && click.user == ask.wish.requester {
            return Ok(Err((ClickRefusal::OwnRequest, Some(rule))));
        }
        let Ok(groups) = deps.groups(rule, means).await else {
            return Ok(Err((ClickRefusal::GroupsUnknown, Some(rule))));
        };
        let entitled = match entitled(click, rule, &groups) {
            Ok(entitled) => entitled,
            Err(refusal) => return Ok(Err((refusal, Some(rule)))),
        };
        // The very same click again: Slack or the network has delivered it twice.
        let again =
            loaded.record.approvals().iter().any(|approval| approval.click.signature == signed.signature);
        if again {
            return Ok(Ok(()));
        }
        match changed(&loaded.record, &entitled, signed, at, deps.clock.now()) {
            Err(not_now) => return Ok(Err((refusal(&not_now, &loaded), Some(rule)))),
            Ok(change) => {
                if let Stored::Yes(_) = deps.store.write(&loaded, &change, false).await? {
                    tracing::info!(request = %click.request, by = %click.user, action = click.action.id(), "decided");
                    return Ok(Ok(()));
                }
            }
        }
    }
    Err(Broken::Contended)
}

/// What a click does, with the evidence that the clicker may do it.
enum Entitled {
    Approve(Approver),
    Deny(Approver),
    BreakGlass(GlassBreaker),
}

fn entitled(click: &Click, rule: &Rule, groups: &Groups) -> Result<Entitled, ClickRefusal> {
    let approver = || rule.approver(&click.user, groups).ok_or(ClickRefusal::NotEntitled);
    match click.action {
        // Of an order and not of a request.
        Action::WriteClosing | Action::RemoveClosing => Err(ClickRefusal::OtherTerms),
        Action::Approve => approver().map(Entitled::Approve),
        Action::Deny => approver().map(Entitled::Deny),
        Action::BreakGlass => {
            let breaker = rule.glass_breaker(&click.user, groups).ok_or(ClickRefusal::NoBreakGlass);
            breaker.map(Entitled::BreakGlass)
        }
    }
}

fn changed(
    record: &Record,
    entitled: &Entitled,
    signed: &SignedClick,
    at: Timestamp,
    now: Timestamp,
) -> Result<Change, NotNow> {
    match entitled {
        Entitled::Approve(approver) => record.approve(approver, signed.clone(), at, now),
        Entitled::Deny(approver) => record.deny(approver, now),
        Entitled::BreakGlass(breaker) => record.break_glass(breaker, signed.clone(), at, now),
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
            };
            let approved = |by: Option<UserId>, at| ClickRefusal::Decided { what, by, at };
            match (record.state(), record.granted()) {
                (State::Closed(closed), _) => match closed.closure() {
                    Closure::Lapsed => ClickRefusal::Lapsed { at: closed.closed_at() },
                    Closure::Denied { by } => {
                        ClickRefusal::Decided { what: "denied", by: Some(by.clone()), at: closed.closed_at() }
                    }
                    Closure::Cancelled => {
                        ClickRefusal::Decided { what: "was taken back", by: None, at: closed.closed_at() }
                    }
                    Closure::Ended(_) => {
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
