//! What Slack says of people: who is in the policy's user groups, and time zones.

use crate::{Deps, reply};
use access::request::UserId;
use access::wording::{self, ClickRefusal};
use edge::store::{Doubt, Person, StoreError};
use std::collections::BTreeSet;

/// After this long Slack is asked for a person again, in seconds: a day.
const PERSON_FRESH_SECONDS: u64 = 86_400;

/// The most people that one run asks Slack for: it takes about a hundred calls a minute
/// (docs.slack.dev, `users.info`, tier 4).
const MOST_PEOPLE: usize = 50;

/// Asks Slack for the members of the policy's groups, and for the time zones of everybody it names. What
/// Slack does not say now is asked for at the next run.
pub(crate) async fn look(deps: &Deps) -> Result<(), StoreError> {
    let now = deps.clock.now();
    let mut wanted: BTreeSet<UserId> = deps.policy.people().into_iter().cloned().collect();
    for group in deps.policy.groups() {
        wanted.extend(members(deps, group).await?.unwrap_or_default());
    }
    let known = deps.store.people().await?;
    let is_fresh = |user: &UserId| {
        known.iter().any(|one| one.user == *user && now.since(one.seen_at) < PERSON_FRESH_SECONDS)
    };
    for user in wanted.into_iter().filter(|user| !is_fresh(user)).take(MOST_PEOPLE) {
        match deps.slack.time_zone(&user).await {
            Ok(time_zone) => deps.store.put_person(&Person { user, time_zone, seen_at: now }).await?,
            Err(error) => {
                tracing::warn!(user = %user, error = %error, "Slack does not say who it is");
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Asks Slack who is in a group, and keeps it; `None` where Slack does not say.
async fn members(deps: &Deps, group: &str) -> Result<Option<BTreeSet<UserId>>, StoreError> {
    match deps.slack.groups(&BTreeSet::from([group])).await {
        Ok(groups) => {
            let members = groups.members(group);
            deps.store.put_group(group, &members, deps.clock.now()).await?;
            Ok(Some(members))
        }
        Err(error) => {
            tracing::warn!(group, error = %error, "its members are not known");
            Ok(None)
        }
    }
}

/// Somebody was told no by what Slack said of a group a while ago: asks it anew, and has them told what is so now.
pub(crate) async fn answer(deps: &Deps, key: &str, doubt: Doubt) -> Result<(), StoreError> {
    let before = deps.store.groups(deps.clock.now()).await?;
    let (mut unsaid, mut changed) = (false, false);
    for group in &doubt.groups {
        match members(deps, group).await? {
            Some(members) => {
                changed |=
                    !before.know_all(&BTreeSet::from([group.as_str()])) || before.members(group) != members;
            }
            None => unsaid = true,
        }
    }
    let Some(response_url) = doubt.response_url else { return Ok(()) };
    let text = if changed {
        Some(wording::groups_changed())
    } else if unsaid && doubt.otherwise.is_some() {
        Some(wording::refused_click(&ClickRefusal::GroupsUnknown, None))
    } else {
        doubt.otherwise
    };
    match text {
        Some(text) => reply(deps, key, text, response_url).await,
        None => Ok(()),
    }
}
