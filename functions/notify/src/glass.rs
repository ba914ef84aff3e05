//! Telling those whom a break-glass has passed by.

use super::{Deps, NotShown, channel_of, saying};
use access::request::Means;
use access::wording::{self, Told};
use edge::store::{Loaded, Shown};

/// Everybody who could have approved hears of a break-glass, each once.
pub(super) async fn tell(deps: &Deps, loaded: &Loaded, shown: &mut Shown) -> Result<(), NotShown> {
    let record = &loaded.record;
    if record.wish().means != Means::BreakGlass || record.granted().is_none() {
        return Ok(());
    }
    if shown.told.contains(&Told::AllPassedBy) {
        return Ok(());
    }
    let rule = deps.store.listed_rule(&deps.policy, &record.wish().machine).await?;
    let Some(rule) = rule else {
        // The policy has changed, or the machine has left the list; the channel's card says it all the same.
        tracing::warn!(request = %record.wish().id, "nobody can be told of a break-glass: no rule is known");
        return Ok(());
    };
    let groups = deps.slack.groups(&rule.approver_groups()).await?;
    let Some(passed_by) = wording::passed_by(record, rule, &groups) else { return Ok(()) };
    for user in passed_by.people {
        let told = Told::PassedBy(user.clone());
        if shown.told.contains(&told) {
            continue;
        }
        saying::to_person(deps, user, &passed_by.message).await?;
        shown.told.push(told);
        deps.store.shown(record, shown, false).await?;
    }
    if let Some(others) = passed_by.others {
        saying::told_in_channel(deps, channel_of(deps, shown), &others).await?;
    }
    shown.told.push(Told::AllPassedBy);
    deps.store.shown(record, shown, false).await?;
    Ok(())
}
