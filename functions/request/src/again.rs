//! What has lapsed, or ends soon, is asked for once more with one click: the same terms, approved anew.

use crate::command::{Answer, Asking, Typed, ask_by};
use crate::interaction::{Outcome, reply_key};
use crate::{Broken, Deps};
use access::click::Click;
use access::lifecycle::SignedClick;
use access::request::MachineQuery;
use access::wording::{self, ClickRefusal};

/// Asks for the same once more; what to tell whoever clicked.
pub(crate) async fn ask_again(deps: &Deps, click: &Click, signed: &SignedClick) -> Result<Outcome, Broken> {
    let (loaded, asking) = tokio::try_join!(deps.store.read(click.request), Asking::read(deps, &click.user))?;
    let Some(loaded) = loaded else {
        return Ok(Err((ClickRefusal::NoSuchRequest, None).into()));
    };
    if click.card.is_some_and(|card| card != loaded.shown.card) {
        return Ok(Err((ClickRefusal::OldCard { request: click.request }, None).into()));
    }
    let record = &loaded.record;
    let wish = record.wish();
    let (Some(before), Some(machine)) = (record.ask(), MachineQuery::of(&wish.machine.resource_id, true))
    else {
        return Ok(Err((ClickRefusal::OtherTerms, None).into()));
    };
    if click.user != wish.requester {
        return Ok(Err(wording::not_yours_to_ask(before).into()));
    }
    let typed = Typed {
        requester: click.user.clone(),
        machine,
        ports: wish.ports.clone(),
        source: Some(before.source),
        ttl: Some(wish.ttl),
        means: wish.means,
        justification: wish.justification.clone(),
        // However often it is pressed, it is asked for once.
        trigger_id: format!("again {}", wish.id),
        response_url: click.response_url.clone().unwrap_or_default(),
        after: Some(wish.id),
        reply_to: click.response_url.clone().map(|url| (reply_key(&signed.signature), url)),
        page: None,
    };
    Ok(Ok(match ask_by(deps, typed, asking).await? {
        Answer::Told(_) => None,
        answer => Some(answer.message().text),
    }))
}
