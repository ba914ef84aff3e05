//! `ajar rules`: what this installation has in Azure, from Azure alone.

use crate::azure::{Azure, Ours};
use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use access::lease::Timestamp;
use access::nsg::Basis;
use serde::Serialize;

/// A rule as it is listed.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) request: String,
    pub(crate) rule: String,
    pub(crate) nsg: String,
    pub(crate) allows: bool,
    pub(crate) priority: u16,
    pub(crate) source: Option<String>,
    pub(crate) destination: Option<String>,
    pub(crate) ports: Option<String>,
    pub(crate) requester: Option<String>,
    pub(crate) approved_by: Option<String>,
    /// Why it was opened past all approvals, where it says so.
    pub(crate) break_glass: Option<String>,
    /// The approved grant that its requester has moved, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) moved_from: Option<String>,
    /// The end that it says.
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) overdue: bool,
}

/// The list.
#[derive(Serialize)]
pub(crate) struct Listed {
    pub(crate) rules: Vec<Row>,
    /// Subscriptions that could not be read, and why.
    pub(crate) unread: Vec<(String, String)>,
}

/// Reads the rules of all subscriptions.
pub(crate) async fn run(config: &Config, outside: &Outside<'_>) -> Result<Listed, Problem> {
    let found = Azure::connect(config, outside).await?.rules(config).await?;
    let now = outside.clock.now();
    Ok(Listed { rules: found.rules.iter().map(|ours| row(ours, now)).collect(), unread: found.unread })
}

/// One rule, for people.
pub(crate) fn row(ours: &Ours, now: Timestamp) -> Row {
    let flow = ours.rule.flow();
    let (approved_by, break_glass, moved_from) = match ours.said.as_ref().map(|said| &said.basis) {
        Some(Basis::Approved(by)) => (Some(by.clone()), None, None),
        Some(Basis::BreakGlass(why)) => (None, Some(why.clone()), None),
        Some(Basis::Moved(grant)) => (None, None, Some(grant.clone())),
        None => (None, None, None),
    };
    Row {
        request: ours.request.to_string(),
        rule: ours.name.to_string(),
        nsg: ours.nsg.to_string(),
        allows: ours.allows(),
        priority: ours.rule.priority,
        source: flow.as_ref().map(|flow| flow.source.to_string()),
        destination: flow.as_ref().map(|flow| flow.destination.to_string()),
        ports: flow.as_ref().map(|flow| flow.ports.to_string()),
        requester: ours.said.as_ref().map(|said| said.requester.clone()),
        approved_by,
        break_glass,
        moved_from,
        ends_at: ours.said.as_ref().map(|said| said.ends_at),
        overdue: ours.is_overdue(now),
    }
}
