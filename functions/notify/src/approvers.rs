//! Telling approvers what was approved in their name: whoever holds the secret that Slack signs with could forge it.

use super::glass::GONE;
use super::{Deps, NotShown};
use access::wording::{self, Told};
use edge::slack::SlackError;
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
        match deps.slack.post(approval.by.as_str(), &message).await {
            Err(SlackError::Refused(code)) if GONE.contains(&code.as_str()) => {
                tracing::warn!(user = %approval.by, code, "an approver cannot be told");
            }
            other => drop(other?),
        }
        shown.told.push(told);
        deps.store.shown(record, shown, false).await?;
    }
    Ok(())
}
