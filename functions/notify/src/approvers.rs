//! Telling approvers what was approved in their name: whoever holds the secret that Slack signs with could forge it.

use super::{Deps, NotShown, saying};
use access::wording::{self, Told};
use edge::store::{Loaded, Shown};

/// Each approver hears directly what was approved in their name, once.
pub(super) async fn tell(deps: &Deps, loaded: &Loaded, shown: &mut Shown) -> Result<(), NotShown> {
    let record = &loaded.record;
    for approval in record.approvals() {
        let told = Told::Approved(approval.by.clone());
        if shown.told.contains(&told) {
            continue;
        }
        let Some(message) = wording::approved_by_you(record, approval) else { continue };
        saying::to_person(deps, &approval.by, &message).await?;
        shown.told.push(told);
        deps.store.shown(record, shown, false).await?;
    }
    Ok(())
}
