//! Deny asks why in a form, and the form denies.

use crate::interaction::{Deed, Wanted, decide, said};
use crate::{Broken, Deps, enabling};
use access::click::{Click, Submission, parse_value};
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
) -> Result<Result<Option<String>, String>, Broken> {
    let wanted =
        Wanted { user: &click.user, request: click.request, terms: &click.terms, deed: Deed::Deny(None) };
    Ok(match decide(deps, &wanted, signed, at).await? {
        Err(refusal) => Err(said(&refusal)),
        Ok(ask) => {
            let trigger_id = click.trigger_id.as_deref().unwrap_or_default();
            let opened = enabling::open_form(deps, trigger_id, Some(wording::deny_form(&ask))).await;
            opened.map(|()| None).map_err(|answer| answer.text)
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
    let Some((request, terms)) = parse_value(&form.metadata) else {
        tracing::warn!("a form that is about no request of ours");
        return Ok(None);
    };
    let reason: Justification = match form.text(wording::REASON).parse() {
        Ok(reason) => reason,
        Err(why) => return Ok(Some(wording::reason_problem(&why))),
    };
    let deed = Deed::Deny(Some(reason));
    let wanted = Wanted { user: &form.user, request, terms: &terms, deed };
    let denied = decide(deps, &wanted, signed, verified.signed_at()).await?;
    Ok(denied.err().map(|refusal| wording::form_refused(&Message::sentence(said(&refusal)))))
}
