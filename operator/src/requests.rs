//! `ajar requests`: what waits, what is open, what was.

use crate::aws::Aws;
use crate::cli::RequestsAsked;
use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use access::lease::Timestamp;
use access::lifecycle::{Record, State};
use access::request::{MachineQuery, Means, RequestId, UserId};
use serde::Serialize;

/// A request in the list.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) request: RequestId,
    pub(crate) status: &'static str,
    pub(crate) requester: UserId,
    pub(crate) machine: String,
    pub(crate) resource_id: String,
    pub(crate) ports: String,
    pub(crate) source: Option<String>,
    pub(crate) asked_at: Timestamp,
    /// When a grant ends, or a wait lapses.
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) approved_by: Vec<UserId>,
    /// Whether it is opened by its requester alone, without approval.
    pub(crate) break_glass: bool,
    /// The grant that it takes the place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) moves: Option<RequestId>,
    /// Since when it should be shut and is not.
    pub(crate) overdue_since: Option<Timestamp>,
}

/// The list.
pub(crate) struct Listed {
    pub(crate) rows: Vec<Row>,
}

/// Reads the requests that are asked for.
pub(crate) async fn run(
    asked: &RequestsAsked,
    config: &Config,
    outside: &mut Outside<'_>,
) -> Result<Listed, Problem> {
    let machine = asked.machine.as_deref().map(str::parse::<MachineQuery>).transpose()?;
    let person = asked.person.as_deref().map(str::parse::<UserId>).transpose()?;
    let aws = Aws::connect(config, outside)?;
    let records: Vec<Record> = if asked.all {
        let mut records = vec![];
        for read in aws.store.every_request().await? {
            match read {
                Ok(loaded) => records.push(loaded.record),
                Err(error) => outside.progress(&format!("left out: {error}")),
            }
        }
        records
    } else {
        aws.store.unsettled().await?.into_iter().map(|(_, loaded)| loaded.record).collect()
    };
    let now = outside.clock.now();
    let is_meant = |record: &&Record| {
        let wish = record.wish();
        let waits = matches!(record.state(), State::Draft(_) | State::Pending(_));
        // What is over stays in the index for a while, and is open only where a late rule may let somebody in.
        let opens = match record.state() {
            State::Draft(_) | State::Pending(_) => false,
            State::Closed(closed) => closed.may_let_in(),
            State::Approved(_) | State::Opening(_) | State::Open(_) | State::Closing(_) => true,
        };
        let state = match (asked.open, asked.waiting, asked.all) {
            (true, _, _) => opens,
            (_, true, _) => waits,
            (_, _, true) => true,
            _ => waits || opens,
        };
        state
            && machine.as_ref().is_none_or(|query| query.means(&wish.machine.resource_id))
            && person.as_ref().is_none_or(|person| *person == wish.requester)
    };
    let mut rows: Vec<Row> = records.iter().filter(is_meant).map(|record| row(record, now)).collect();
    rows.sort_by_key(|row| (row.asked_at, row.request));
    Ok(Listed { rows })
}

fn row(record: &Record, now: Timestamp) -> Row {
    let wish = record.wish();
    let ends_at = match (record.granted(), record.is_live()) {
        (Some(granted), _) => Some(granted.expires_at()),
        (None, true) => Some(wish.lapses_at),
        (None, false) => None,
    };
    let break_glass = wish.means == Means::BreakGlass;
    Row {
        request: wish.id,
        status: record.status(),
        requester: wish.requester.clone(),
        machine: wish.machine.name.to_string(),
        resource_id: wish.machine.resource_id.to_string(),
        ports: wish.ports.to_string(),
        source: record.ask().map(|ask| ask.source.to_string()),
        asked_at: wish.asked_at,
        ends_at,
        approved_by: if wish.means == Means::Approval {
            record.approvals().iter().map(|approval| approval.by.clone()).collect()
        } else {
            vec![]
        },
        break_glass,
        moves: wish.moves.map(|moves| moves.grant),
        overdue_since: record.overdue_since(now),
    }
}
