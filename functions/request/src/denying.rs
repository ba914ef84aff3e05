//! Deny asks why in a form, and the form denies.

use crate::interaction::{Declined, Deed, Outcome, Wanted, decide, key_of};
use crate::{Broken, Deps, enabling};
use access::click::{ButtonValue, Click, Submission};
use access::lease::Timestamp;
use access::lifecycle::SignedClick;
use access::request::Justification;
use access::signature::Verified;
use access::wording::{self, Message};
use serde_json::Value;

/// Opens the form for whoever may deny the request; else what to tell them.
pub(crate) async fn ask_why(
    deps: &Deps,
    click: &Click,
    signed: &SignedClick,
    at: Timestamp,
) -> Result<Outcome, Broken> {
    let wanted = Wanted::by_click(click, Deed::Deny(None));
    Ok(match decide(deps, &wanted, signed, at).await? {
        Err(refusal) => Err(refusal.into()),
        Ok(ask) => {
            let trigger_id = click.trigger_id.as_deref().unwrap_or_default();
            let opened = enabling::open_form(deps, trigger_id, Some(wording::deny_form(&ask))).await;
            opened.map(|()| None).map_err(|answer| answer.text.into())
        }
    })
}

/// The form was sent off: what Slack is answered, `None` where the form closes.
pub(crate) async fn submitted(
    deps: &Deps,
    form: &Submission,
    verified: &Verified<'_>,
    signed: &SignedClick,
) -> Result<Option<Value>, Broken> {
    let Some(ButtonValue { request, terms, .. }) = ButtonValue::parse(&form.metadata) else {
        tracing::warn!("a form that is about no request of ours");
        return Ok(None);
    };
    let reason: Justification = match form.text(wording::REASON).parse() {
        Ok(reason) => reason,
        Err(why) => return Ok(Some(wording::reason_problem(&why))),
    };
    let deed = Deed::Deny(Some(reason));
    let wanted = Wanted { user: &form.user, request, terms: &terms, card: None, deed };
    let denied = decide(deps, &wanted, signed, verified.signed_at()).await?;
    let Err(refusal) = denied else { return Ok(None) };
    let declined = Declined::from(refusal);
    if !declined.doubts.is_empty() {
        deps.doubt(key_of(&signed.signature), declined.doubts, None, None).await?;
    }
    Ok(Some(wording::form_refused(&Message::sentence(declined.text))))
}
