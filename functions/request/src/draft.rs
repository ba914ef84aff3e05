//! A request that does not say from where: it waits for the page on which its requester confirms an address.

use crate::command::{Answer, record};
use crate::{Broken, Deps};
use access::address::Link;
use access::enabled::Enabled;
use access::lifecycle::{Record, State};
use access::machine::Tags;
use access::policy::{Groups, NotAllowed, Rule};
use access::request::{Means, Wish};
use access::wording::{self, Message};
use edge::store::Loaded;

/// What decides about a draft.
pub(crate) struct Decides<'d> {
    pub(crate) rule: &'d Rule,
    pub(crate) tags: &'d Tags,
    pub(crate) enabled: Option<&'d Enabled>,
    /// Who is in the policy's user groups.
    pub(crate) groups: &'d Groups,
    /// What its requester asked for before, and is not over.
    pub(crate) live: &'d [Loaded],
}

/// Records it, or finds one like it; the answer has the link to the page, whose address is `page`. Else what the policy
/// does not let.
pub(crate) async fn draft(
    deps: &Deps,
    wish: &Wish,
    page: &str,
    decides: Decides<'_>,
) -> Result<Result<Answer, NotAllowed>, Broken> {
    let Decides { rule, tags, enabled, groups, live } = decides;
    let admitted = deps.policy.admits_draft(wish, tags, groups).map(|_| ());
    if let Err(why) = admitted.and_then(|()| rule.admits_enabled_draft(wish, enabled)) {
        return Ok(Err(why));
    }
    // People type a command again when they saw no answer, or have lost the link.
    let alike = || live.iter().map(|loaded| &loaded.record).filter(|record| is_alike(record, wish));
    if let Some((ask, record)) = alike().find_map(|record| Some((record.ask()?, record))) {
        let waits = matches!(record.state(), State::Pending(_));
        // Whose button it is sees it here.
        return Ok(Ok(Answer::Recorded(if waits && ask.wish.means == Means::BreakGlass {
            wording::asked(ask, rule)
        } else {
            wording::asked_before_from(ask, record.status())
        })));
    }
    if let Some(draft) = alike().find(|record| deps.clock.now() < record.wish().lapses_at) {
        return Ok(Ok(Answer::Recorded(linked(deps, draft.wish(), page))));
    }
    let (recorded, _) = record(deps, wish, None, rule, None).await?;
    Ok(Ok(Answer::Recorded(linked(deps, recorded.wish(), page))))
}

pub(crate) fn linked(deps: &Deps, wish: &Wish, page: &str) -> Message {
    let link = Link::of(wish).sealed(deps.secrets.current().keys.current());
    wording::draft(wish, &format!("{page}?link={link}"))
}

/// Whether a request asks for the same from somewhere. One that waits for others does not stand in the way of a
/// break-glass.
fn is_alike(record: &Record, wish: &Wish) -> bool {
    let other = record.wish();
    (other.means == wish.means || record.granted().is_some())
        && other.machine.resource_id == wish.machine.resource_id
        && other.protocol == wish.protocol
        && other.ports == wish.ports
}

/// The page's address, beside that of the request URL which was called: the host by which API Gateway was reached, and
/// the path before `/slack/…`, where a domain of one's own is mapped below one. `None` where that cannot be told.
pub(crate) fn page_url(domain: &str, path: &str) -> Option<String> {
    let (before, _) = path.rsplit_once("/slack/")?;
    let plain = |text: &str, marks: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || marks.as_bytes().contains(&b))
    };
    if domain.is_empty() || !plain(domain, ".-:") || !plain(before, ".-_/") {
        return None;
    }
    // API Gateway speaks HTTPS only; on one machine nobody has a certificate.
    let host = domain.split(':').next().unwrap_or_default();
    let scheme = if ["127.0.0.1", "localhost"].contains(&host) { "http" } else { "https" };
    Some(format!("{scheme}://{domain}{before}/address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_beside_the_request_url() {
        let here = "abcdefghij.execute-api.eu-west-1.amazonaws.com";
        for (domain, path, url) in [
            (here, "/slack/command", Some(format!("https://{here}/address"))),
            ("ajar.example", "/ops/slack/command", Some("https://ajar.example/ops/address".to_owned())),
            ("127.0.0.1:8080", "/slack/command", Some("http://127.0.0.1:8080/address".to_owned())),
            ("127.0.0.1.example", "/slack/command", Some("https://127.0.0.1.example/address".to_owned())),
            ("", "/slack/command", None),
            ("evil.example|x>", "/slack/command", None),
            (here, "/command", None),
            (here, "/<x>/slack/command", None),
        ] {
            assert_eq!(page_url(domain, path), url, "{domain} {path}");
        }
    }
}
