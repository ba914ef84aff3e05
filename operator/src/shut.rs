//! `ajar shut`: deletes rules of this installation, and looks what still lets the port in.

use crate::azure::{Azure, Ours};
use crate::cli::ShutAsked;
use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use crate::render;
use crate::rules::{self, Row};
use access::drive::{Acted, Verdict};
use access::machine::SeenMachine;
use access::nsg::Flow;
use access::request::{RequestId, ResourceId, RuleName};
use edge::arm::{Arm, ArmError, said};
use edge::clock::Clock;
use edge::report::plain;
use serde::Serialize;
use std::time::Duration;

/// Between two looks at what Azure does.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a rule is tried to be removed, in seconds.
const PATIENCE_SECONDS: u64 = 120;

/// What became of one rule.
#[derive(Serialize)]
pub(crate) struct Done {
    #[serde(flatten)]
    pub(crate) row: Row,
    /// Whether it was seen gone.
    pub(crate) gone: bool,
    /// Why it is not gone.
    pub(crate) why: Option<String>,
    /// What becomes of its flow now: `None` where that cannot be told.
    pub(crate) left: Option<Left>,
}

/// What the rules do with the flow of a rule that is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Left {
    /// It is denied.
    Shut {
        /// By this rule.
        by: String,
    },
    /// It is still let in.
    Open {
        /// By this rule.
        by: String,
    },
    /// Some of it may be let in.
    Unclear {
        /// Because of this rule.
        by: String,
    },
}

/// What was done.
#[derive(Serialize)]
pub(crate) struct Shut {
    pub(crate) rules: Vec<Done>,
    pub(crate) unread: Vec<(String, String)>,
}

/// Deletes the rules that are meant, once that is confirmed.
pub(crate) async fn run(
    asked: &ShutAsked,
    config: &Config,
    outside: &mut Outside<'_>,
) -> Result<Shut, Problem> {
    let wanted = asked.which.request.as_deref().map(RequestId::typed).transpose()?;
    let azure = Azure::connect(config, outside).await?;
    let found = azure.rules(config).await?;
    let now = outside.clock.now();
    let is_meant = |ours: &Ours| match wanted {
        Some(request) => ours.request == request,
        None => asked.which.all || ours.is_overdue(now),
    };
    let meant: Vec<Ours> = found.rules.into_iter().filter(is_meant).collect();
    if meant.is_empty() {
        return match wanted {
            Some(request) => Err(Problem::Nothing(format!(
                "there is no rule of the request {request} in the subscriptions that your login reads{}",
                render::unread(&found.unread)
            ))),
            None => Ok(Shut { rules: vec![], unread: found.unread }),
        };
    }
    let rows: Vec<Row> = meant.iter().map(|ours| rules::row(ours, now)).collect();
    if !asked.yes {
        outside.progress(&format!("To be deleted:\n{}", render::rows(&rows)));
        let question = format!("Delete {}?", render::counted(rows.len(), "rule"));
        if !outside.agrees(&question) {
            return Err(Problem::Nothing("nothing was deleted: answer yes, or say --yes".to_owned()));
        }
    }
    let mut done = vec![];
    for (ours, row) in meant.iter().zip(rows) {
        let why = remove(&azure.arm, &outside.clock, &ours.nsg, &ours.name).await.err();
        let said = why.as_deref().unwrap_or("is gone");
        outside.progress(&format!("{} in {}: {said}", ours.name, ours.nsg.name()));
        done.push(Done { row, gone: why.is_none(), why, left: None });
    }
    let (machines, _) = azure.machines(config, now).await;
    for (ours, done) in meant.iter().zip(&mut done).filter(|(_, done)| done.gone) {
        done.left = left(&azure, &machines, ours).await;
    }
    Ok(Shut { rules: done, unread: found.unread })
}

/// Deletes one rule and sees it gone.
pub(crate) async fn remove(
    arm: &Arm,
    clock: &Clock,
    nsg: &ResourceId,
    name: &RuleName,
) -> Result<(), String> {
    let begun = clock.now();
    let (at_work, shown) = (clock.awake_now(), name.to_string());
    loop {
        let acted = arm.delete_rule(nsg, name).await;
        let refused = match &acted {
            Acted::Locked => {
                Some("a lock in Azure forbids it: remove the lock, then do this again".to_owned())
            }
            Acted::Refused(code) => Some(format!("{}{}", said(&acted), edge::arm::rights(code))),
            _ => None,
        };
        if let Some(why) = refused {
            // What is not there need not be deleted.
            let read = arm.group(nsg).await;
            let is_gone = read.is_ok_and(|group| group.rules.iter().all(|rule| rule.name != shown));
            return if is_gone { Ok(()) } else { Err(why) };
        }
        // Whatever a lost reply hides, the group shows. It is deleted anew only once Azure has finished.
        let mut why = said(&acted);
        loop {
            match arm.group(nsg).await {
                Ok(group) => match group.rules.iter().find(|rule| rule.name == shown) {
                    None => return Ok(()),
                    Some(rule) if rule.provisioning != access::nsg::Provisioning::Changing => {
                        clock.pause(PAUSE, &at_work).await;
                        break;
                    }
                    Some(_) => {}
                },
                Err(ArmError::NotFound(_)) => return Ok(()),
                Err(error) => why = plain(&error.to_string()),
            }
            if clock.now().since(begun) > PATIENCE_SECONDS {
                return Err(format!("not gone after two minutes ({why}): do this again"));
            }
            clock.pause(PAUSE, &at_work).await;
        }
        if clock.now().since(begun) > PATIENCE_SECONDS {
            return Err(format!("not gone after two minutes ({why}): do this again"));
        }
    }
}

/// What becomes of the flow of a rule that is gone, on the whole way where the machine is known, else in its group.
async fn left(azure: &Azure, machines: &[SeenMachine], ours: &Ours) -> Option<Left> {
    let flow: Flow = ours.rule.flow()?;
    let ways = machines.iter().map(|machine| machine.groups(flow.destination));
    let way = ways.into_iter().find(|groups| groups.contains(&&ours.nsg));
    let groups: Vec<ResourceId> =
        way.map_or_else(|| vec![ours.nsg.clone()], |groups| groups.into_iter().cloned().collect());
    Some(match azure.judge(&groups, &flow).await.ok()?? {
        Verdict::Allowed { by } => Left::Open { by },
        Verdict::Denied { by } => Left::Shut { by },
        Verdict::Unclear { by } => Left::Unclear { by },
    })
}
