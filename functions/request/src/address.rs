//! The page on which a requester confirms the address that they come from. Slack does not sign what a browser sends:
//! the link's own seal is what counts. GET shows and changes nothing, because previews and scanners follow links; POST
//! sends the request on. The form holds the link's text, which no other site knows, and nothing else that the browser
//! brings along counts; so a second token would prove nothing more.

use crate::{Broken, Deps, page, within};
use access::address::{Link, NotALink, NotSent, asked_from, source_of, waiting};
use access::machine::Tags;
use access::policy::{Groups, Rule, Subject};
use access::request::Ask;
use access::wording;
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use edge::secrets::{AGAIN_SECONDS, FRESH_SECONDS};
use edge::store::{Loaded, Stored};
use serde_json::{Value, json};

/// How often a confirmation is tried anew when somebody else has written meanwhile.
const TRIES: usize = 3;

/// Handles what a browser sends to the page.
pub(crate) async fn handle(
    deps: &Deps,
    request: &LambdaFunctionUrlRequest,
    body: &[u8],
    reference: &str,
) -> Value {
    let renewed = within(deps, async {
        deps.secrets.renew(FRESH_SECONDS).await;
        Ok(())
    });
    let (answer, _) = tokio::join!(within(deps, answer(deps, request, body)), renewed);
    answer.unwrap_or_else(|broken| {
        tracing::error!(error = %edge::report::chain(&broken), reference, "the page could not be shown");
        page::answer(500, &wording::address_broke(reference), "")
    })
}

async fn answer(deps: &Deps, request: &LambdaFunctionUrlRequest, body: &[u8]) -> Result<Value, Broken> {
    let http = &request.request_context.http;
    // By the connection itself: whatever a forwarded-for header says can be written by anybody.
    let seen = http.source_ip.as_deref().unwrap_or_default();
    let query = request.raw_query_string.as_deref().unwrap_or_default();
    let (text, sends) = match http.method.as_deref() {
        Some("GET") => (link_in(query.as_bytes()), false),
        Some("POST") => (link_in(body), true),
        _ => {
            let headers = json!({"allow": "GET, POST"});
            return Ok(json!({"statusCode": 405, "headers": headers, "body": "", "isBase64Encoded": false}));
        }
    };
    let Some(link) = opened(deps, &text).await else { return Ok(refused(&NotSent::Unknown, seen, None)) };
    // The pages of this site have no referrer, and so no `Origin` either; the browser itself says whose form it was.
    let site = request.headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or_default());
    if sends && site.is_some_and(|site| !["same-origin", "none"].contains(&site)) {
        return Ok(refused(&NotSent::OtherSite, seen, None));
    }
    if sends { send(deps, &link, seen).await } else { show(deps, &link, seen, &text).await }
}

fn refused(why: &NotSent, seen: &str, loaded: Option<&Loaded>) -> Value {
    let status = match why {
        NotSent::Unknown => 404,
        NotSent::Expired | NotSent::Used | NotSent::TakenBack => 410,
        NotSent::OtherSite => 403,
        // No error of ours, which would wake somebody: Slack is silent.
        NotSent::GroupsUnknown => 424,
        NotSent::Unusable
        | NotSent::OtherFamily { .. }
        | NotSent::Outside { .. }
        | NotSent::SameAddress { .. }
        | NotSent::Changed => 409,
    };
    tracing::info!(status, "an address that was not taken");
    page::answer(status, &wording::not_sent(why, seen, loaded.map(|loaded| &loaded.record)), "")
}

/// The link in a query or a form.
fn link_in(form: &[u8]) -> String {
    form_urlencoded::parse(form)
        .find(|(name, _)| name == "link")
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// The link that a text is; made with a secret that was changed a moment ago, if need be.
async fn opened(deps: &Deps, text: &str) -> Option<Link> {
    let open = || Link::open(text, deps.secrets.current().keys.current());
    match open() {
        Err(NotALink::Seal) => {
            deps.secrets.renew(AGAIN_SECONDS).await;
            open().ok()
        }
        decided => decided.ok(),
    }
}

/// What waits for an address, and is let from the one that was seen as far as that needs nobody else.
struct Ready<'d> {
    loaded: Loaded,
    ask: Ask,
    rule: &'d Rule,
    /// Of the machine, in the list.
    tags: Tags,
    /// Who is in the policy's user groups.
    groups: Groups,
}

/// Why it is not, and what has become of the request, where there is one.
type NotReady = (NotSent, Option<Loaded>);

async fn ready<'d>(deps: &'d Deps, link: &Link, seen: &str) -> Result<Result<Ready<'d>, NotReady>, Broken> {
    let (loaded, machines, locked, groups) = tokio::try_join!(
        deps.store.read(link.request),
        deps.store.machines(),
        deps.store.lockdowns(),
        deps.groups()
    )?;
    let Some(loaded) = loaded else { return Ok(Err((NotSent::Expired, None))) };
    let judge = || {
        let now = deps.clock.now();
        let wish = waiting(&loaded.record, now)?;
        // The link's own end: nobody who writes the table makes it longer.
        if now >= link.ends_at {
            return Err(NotSent::Expired);
        }
        let listed = machines.iter().find(|machine| machine.resource_id == wish.machine.resource_id);
        let machine = listed.ok_or(NotSent::Changed)?;
        let rule = deps.policy.rule_for(&Subject::seen(machine))?;
        if locked.lockdowns.on(&wish.machine.name).is_some() {
            return Err(NotSent::Changed);
        }
        let ask = asked_from(wish, machine, rule, source_of(seen)?)?;
        Ok((ask, rule, machine.tags.clone()))
    };
    Ok(match judge() {
        Ok((ask, rule, tags)) => Ok(Ready { loaded, ask, rule, tags, groups }),
        Err(why) => Err((why, Some(loaded))),
    })
}

/// Shows who asks for what, and the address that was seen.
async fn show(deps: &Deps, link: &Link, seen: &str, text: &str) -> Result<Value, Broken> {
    Ok(match ready(deps, link, seen).await? {
        Ok(ready) => page::answer(200, &wording::confirm_address(&ready.ask), text),
        Err((why, loaded)) => refused(&why, seen, loaded.as_ref()),
    })
}

/// Sends the request on.
async fn send(deps: &Deps, link: &Link, seen: &str) -> Result<Value, Broken> {
    for _ in 0..TRIES {
        let Ready { loaded, ask, rule, tags, groups } = match ready(deps, link, seen).await? {
            Ok(ready) => ready,
            Err((why, loaded)) => return Ok(refused(&why, seen, loaded.as_ref())),
        };
        // Who may ask and who could approve is judged anew: it may have changed since the line was typed.
        if !groups.know_all(&rule.groups(ask.wish.means)) {
            return Ok(refused(&NotSent::GroupsUnknown, seen, Some(&loaded)));
        }
        if let Err(why) = deps.policy.admits(&ask, &tags, &groups) {
            return Ok(refused(&why.into(), seen, Some(&loaded)));
        }
        let now = deps.clock.now();
        let lapses_at = now.plus(rule.waits_seconds(ask.wish.means));
        let Ok(change) = loaded.record.addressed(&ask, lapses_at, now) else {
            // Its time has just ended.
            return Ok(refused(&NotSent::Expired, seen, Some(&loaded)));
        };
        if let Stored::Yes(_) = deps.store.write(&loaded, &change, false).await? {
            tracing::info!(request = %link.request, "the address is confirmed");
            return Ok(page::answer(200, &wording::address_sent(&ask), ""));
        }
    }
    Err(Broken::Contended)
}
