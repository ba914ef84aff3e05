//! `ajar open --break-glass`: a port opened by the operator's own rights in Azure. Nobody has approved it; the rule says
//! so, so that the sweep finds it, tells it and shuts it at its end.

use crate::azure::Azure;
use crate::cli::OpenAsked;
use crate::config::Config;
use crate::ending::Problem;
use crate::outside::Outside;
use crate::shut::remove;
use access::command::{parse_ports, parse_ttl};
use access::drive::{Access, Acted, Standing, Verdict};
use access::lease::{Timestamp, Ttl};
use access::lifecycle::NetworkFault;
use access::machine::{Found, Unfit, find};
use access::nsg::{Flow, NoRoom, OurRule, evaluate, of_break_glass, place, together};
use access::request::{
    Justification, Machine, MachineQuery, Ports, Protocol, RequestHash, RequestId, ResourceId, RuleName,
    Source,
};
use edge::arm::{Way, WayError, said};
use edge::clock::Clock;
use edge::report::plain;
use serde::Serialize;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Between two looks at what Azure does.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a rule is waited for, in seconds.
const PATIENCE_SECONDS: u64 = 120;
/// The widest prefixes that may be let in: nobody approves them.
const WIDEST_V4: u8 = 24;
const WIDEST_V6: u8 = 48;

/// What was opened.
#[derive(Serialize)]
pub(crate) struct Opened {
    pub(crate) request: RequestId,
    pub(crate) machine: String,
    pub(crate) address: String,
    pub(crate) ports: String,
    pub(crate) source: String,
    pub(crate) ends_at: Timestamp,
    pub(crate) operator: String,
    /// Each group with the rule that decides there.
    pub(crate) decided_by: Vec<(String, String)>,
}

/// What is to be opened.
struct Wish {
    query: MachineQuery,
    ports: Ports,
    source: Source,
    ttl: Ttl,
    because: Justification,
}

/// Opens the port, or leaves nothing behind.
pub(crate) async fn run(
    asked: &OpenAsked,
    config: &Config,
    outside: &mut Outside<'_>,
) -> Result<Opened, Problem> {
    let wish = read(asked)?;
    let azure = Azure::connect(config, outside).await?;
    let clock = outside.clock.clone();
    let machine = machine(&azure, config, &wish, clock.now()).await?;
    let way = way(&azure, &machine).await?;
    if let Some(group) = way.groups.iter().find(|group| !config.reaches(group)) {
        return Err(Problem::Unusable(format!(
            "{group} is outside of the scopes of this installation, so nobody would shut it at its end: add its scope, or write the rule by hand and delete it yourself"
        )));
    }
    let id = new_id(&machine, &clock);
    let ends_at = clock.now().plus(wish.ttl.seconds());
    let opening = Opening {
        azure: &azure,
        clock: &clock,
        id,
        name: RuleName::new(&config.installation, id),
        flow: Flow {
            source: wish.source,
            destination: machine.private_address,
            protocol: Protocol::Tcp,
            ports: wish.ports.clone(),
            member_of: way.member_of.clone(),
        },
        description: of_break_glass(id, &azure.who.name, ends_at, &wish.because),
        ends_at,
    };
    let mut begun = vec![];
    match opening.write_all(&way.groups, &mut begun, outside).await {
        Ok(decided_by) => Ok(Opened {
            request: id,
            machine: machine.name.to_string(),
            address: machine.public_address.unwrap_or(machine.private_address).to_string(),
            ports: wish.ports.to_string(),
            source: wish.source.to_string(),
            ends_at,
            operator: azure.who.name.clone(),
            decided_by,
        }),
        Err(why) => Err(opening.take_back(&begun, why).await),
    }
}

/// Reads what was typed.
fn read(asked: &OpenAsked) -> Result<Wish, Problem> {
    let OpenAsked { machine, ports, .. } = asked;
    if !asked.break_glass {
        return Err(Problem::Unusable(format!(
            "this opens a port that nobody has approved: say --break-glass, or type `/jit {machine} {ports}` in Slack"
        )));
    }
    let Some(because) = &asked.because else {
        return Err(Problem::Unusable(
            "a break-glass needs a reason, which is written on the rule: add --because \"AWS is down\""
                .to_owned(),
        ));
    };
    let source: Source = asked.from.parse()?;
    let widest = if source.prefix().addr().is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
    if source.prefix().prefix_len() < widest {
        return Err(Problem::Unusable(format!(
            "{source} lets in too many: a break-glass takes an address, or a prefix of /{widest} at most, like --from 203.0.113.7"
        )));
    }
    let duration = &asked.duration;
    Ok(Wish {
        query: machine.parse()?,
        ports: parse_ports(ports)?,
        source,
        ttl: parse_ttl(duration).ok_or_else(|| {
            Problem::Unusable(format!(
                "`{duration}` is not a duration between 1 minute and 24 hours; write --for 30m or --for 2h"
            ))
        })?,
        because: because.parse()?,
    })
}

/// The machine that is meant, as such a connection reaches it.
async fn machine(azure: &Azure, config: &Config, wish: &Wish, now: Timestamp) -> Result<Machine, Problem> {
    let (machines, unread) = azure.machines(config, now).await;
    let query = &wish.query;
    let seen = match find(&machines, query) {
        Found::One(seen) => seen,
        Found::Several(spelled) => {
            let spelled: Vec<String> = spelled.iter().map(ToString::to_string).collect();
            return Err(Problem::Unusable(format!(
                "several machines are called {query}: write one of {}",
                spelled.join(", ")
            )));
        }
        Found::Nothing { near } => {
            return match unread {
                Some(error) => Err(error.into()),
                None if near.is_empty() => Err(Problem::Nothing(format!(
                    "there is no machine {query} in the subscriptions of this installation"
                ))),
                None => Err(Problem::Nothing(format!(
                    "there is no machine {query}: write one of {}",
                    near.join(", ")
                ))),
            };
        }
    };
    seen.reached_from(&wish.source).map_err(|unfit| {
        Problem::Nothing(match unfit {
            Unfit::Gone { .. } => format!("{query} was deleted"),
            Unfit::Off { .. } => format!("{query} does not run: start it first"),
            Unfit::Unshielded => {
                format!("no network security group is on the way to {query}: it is open already")
            }
            Unfit::OtherFamily { has_ipv4: true } => {
                format!("{query} has IPv4 addresses only: give one with --from")
            }
            Unfit::OtherFamily { has_ipv4: false } => {
                format!("{query} has IPv6 addresses only: give one with --from")
            }
            Unfit::NoAddress => format!("{query} has no address"),
        })
    })
}

/// The groups on the way, as Azure says now.
async fn way(azure: &Azure, machine: &Machine) -> Result<Way, Problem> {
    let name = &machine.name;
    azure.arm.way(machine).await.map_err(|error| match error {
        WayError::Arm(error) => error.into(),
        WayError::Fault(NetworkFault::NotRunning { .. }) => {
            Problem::Nothing(format!("{name} does not run: start it first"))
        }
        WayError::Fault(NetworkFault::Unshielded) => {
            Problem::Nothing(format!("no network security group is on the way to {name}: it is open already"))
        }
        WayError::Fault(_) => Problem::Nothing(format!("{name} has just changed in Azure: do this again")),
    })
}

/// An id that nobody has.
fn new_id(machine: &Machine, clock: &Clock) -> RequestId {
    let unheard_of = format!("break-glass {} {:x}", clock.now_ms(), RandomState::new().hash_one(0));
    RequestHash::of(&unheard_of, &machine.resource_id).candidate(0)
}

/// What is written.
struct Opening<'a> {
    azure: &'a Azure,
    clock: &'a Clock,
    id: RequestId,
    name: RuleName,
    flow: Flow,
    description: String,
    ends_at: Timestamp,
}

impl Opening<'_> {
    /// Writes the rule in each group, and looks what decides. `begun`: where it may stand.
    async fn write_all(
        &self,
        groups: &[ResourceId],
        begun: &mut Vec<ResourceId>,
        outside: &mut Outside<'_>,
    ) -> Result<Vec<(String, String)>, String> {
        for nsg in groups {
            begun.push(nsg.clone());
            self.write(nsg).await.map_err(|why| format!("{}: {why}", nsg.name()))?;
            outside.progress(&format!("{} stands in {}", self.name, nsg.name()));
        }
        let mut verdicts = vec![];
        for nsg in groups {
            let group = self.azure.arm.group(nsg).await.map_err(|error| plain(&error.to_string()))?;
            verdicts.push((nsg, evaluate(&group.rules, &self.flow)));
        }
        let each: Vec<&Verdict> = verdicts.iter().map(|(_, verdict)| verdict).collect();
        match together(each.iter().copied()) {
            Some(Verdict::Denied { by } | Verdict::Unclear { by }) => {
                Err(format!("the rule {} decides, and not ours", plain(by)))
            }
            Some(Verdict::Allowed { .. }) | None => Ok(verdicts
                .iter()
                .map(|(nsg, verdict)| {
                    let (Verdict::Allowed { by } | Verdict::Denied { by } | Verdict::Unclear { by }) =
                        verdict;
                    (nsg.name().to_owned(), by.clone())
                })
                .collect()),
        }
    }

    /// Writes the rule in one group, and waits until it is in force.
    async fn write(&self, nsg: &ResourceId) -> Result<(), String> {
        let begun = self.clock.now();
        let at_work = self.clock.awake_now();
        let mut why = String::new();
        while self.clock.now().since(begun) <= PATIENCE_SECONDS {
            let group = self.azure.arm.group(nsg).await.map_err(|error| plain(&error.to_string()))?;
            // Never a rule whose end has come: nobody might shut it before the sweep finds it.
            if self.clock.now() >= self.ends_at {
                return Err(format!("its time was over before it was in force ({why})"));
            }
            let priority = place(&group.rules, &self.flow, &self.name).map_err(|NoRoom { before }| {
                format!("no number from 100 to 499 is free before the rule {}, which denies", plain(&before))
            })?;
            let rule = OurRule {
                nsg: nsg.clone(),
                name: self.name.clone(),
                priority,
                access: Access::Allow,
                flow: self.flow.clone(),
                description: self.description.clone(),
                ends_at: self.ends_at,
            };
            let acted = self.azure.arm.put_rule(&rule).await;
            why = said(&acted);
            match acted {
                Acted::Refused(code) => return Err(format!("{why}{}", edge::arm::rights(&code))),
                Acted::Locked => return Err(why),
                Acted::Done | Acted::Unknown if self.stands(&rule, begun).await => return Ok(()),
                _ => {}
            }
            self.clock.pause(PAUSE, &at_work).await;
        }
        Err(format!("not in force after two minutes ({why})"))
    }

    /// Whether the rule is in force as it was written, once Azure has finished.
    async fn stands(&self, rule: &OurRule, begun: Timestamp) -> bool {
        let at_work = self.clock.awake_now();
        while self.clock.now().since(begun) <= PATIENCE_SECONDS {
            if let Ok(group) = self.azure.arm.group(&rule.nsg).await {
                match rule.standing(&group.rules) {
                    Standing::Allow => return true,
                    Standing::Changing => {}
                    Standing::Absent | Standing::Deny | Standing::Altered => return false,
                }
            }
            self.clock.pause(PAUSE, &at_work).await;
        }
        false
    }

    /// Removes what may have been written, and says why.
    async fn take_back(&self, begun: &[ResourceId], why: String) -> Problem {
        let mut left = vec![];
        for nsg in begun {
            if let Err(stays) = remove(&self.azure.arm, self.clock, nsg, &self.name).await {
                left.push(format!("{} ({stays})", nsg.name()));
            }
        }
        if left.is_empty() {
            return Problem::NoAnswer(format!("not opened, and nothing is left of it: {why}"));
        }
        Problem::NoAnswer(format!(
            "not opened ({why}), and {} may still stand in {}: run `ajar shut {}`",
            self.name,
            left.join(", "),
            self.id
        ))
    }
}
