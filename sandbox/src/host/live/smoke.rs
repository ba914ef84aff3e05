//! One rule opened and shut in the real Azure, each step looked at and timed.

use super::{Live, PATIENCE, PAUSE, Tell, fault, plain, rights, said};
use crate::host::ending::Ending;
use access::drive::{Acted, Standing, Verdict};
use access::lease::Timestamp;
use access::machine::{SeenMachine, Unfit};
use access::nsg::{self, Flow, OurRule};
use access::request::{Machine, MachineName, Ports, Protocol, RequestHash, RuleName, Source};
use edge::arm::WayError;
use std::time::{Duration, Instant};

/// Addresses that nobody has (RFC 5737, RFC 3849): a rule for them lets nobody in.
const NOBODY: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
/// How often a write that Azure does not take at once is sent.
const ATTEMPTS: u32 = 5;

/// What to try.
#[derive(Clone, Debug)]
pub struct Order {
    /// The machine; without one the first that is behind the group alone.
    pub vm: Option<MachineName>,
    /// The TCP port.
    pub port: u16,
    /// Who is let in; without one an address that nobody has.
    pub source: Option<Source>,
    /// How long it stays open.
    pub hold: Duration,
}

/// Why the smoke test has not passed: one line for the operator.
#[derive(Debug)]
pub enum Failed {
    /// It could not be begun: no rule was written.
    Unable(String),
    /// It went wrong on the way.
    Broken(String),
}

/// Why it was not open all the time.
enum NotOpen {
    Refused(String),
    Interrupted,
    Other(String),
}

struct Trial<'a> {
    live: &'a Live,
    machine: Machine,
    rule: OurRule,
}

/// Opens and shuts one rule. `now` is when it begins.
///
/// # Errors
/// It cannot be begun, or something is not as it should be. Whatever happens, the rule is removed, or
/// the error says that it is not and how to do it.
pub async fn run(
    live: &Live,
    order: &Order,
    now: Timestamp,
    tell: Tell<'_>,
    ending: &mut Ending,
) -> Result<(), Failed> {
    let mut trial = Trial::prepare(live, order, now, tell).await.map_err(Failed::Unable)?;
    let opened = match trial.open(tell, ending).await {
        Ok(()) => trial.hold(order.hold, tell, ending).await,
        failed => failed,
    };
    let name = trial.rule.name.to_string();
    let ended = tokio::select! {
        ended = live.end(tell) => ended,
        () = ending.wait() => Err(live.still_there(&[name], "you did not wait until it was gone".to_owned())),
    };
    ended.map_err(|still_there| Failed::Broken(still_there.to_string()))?;
    trial.is_shut(tell).await.map_err(Failed::Broken)?;
    let group = live.target.group();
    match opened {
        Ok(()) => Ok(()),
        Err(NotOpen::Refused(why)) => {
            let rights = rights(&why);
            Err(Failed::Unable(format!(
                "Azure did not take a rule in {group}, nothing is open ({why}){rights}"
            )))
        }
        Err(NotOpen::Interrupted) => Err(Failed::Broken(
            "interrupted before its end; the rule is gone and the port is shut".to_owned(),
        )),
        Err(NotOpen::Other(why)) => {
            Err(Failed::Broken(format!("{why}; the rule is gone and the port is shut")))
        }
    }
}

impl<'a> Trial<'a> {
    /// Finds a machine and a place for the rule, by reading alone.
    async fn prepare(live: &'a Live, order: &Order, now: Timestamp, tell: Tell<'_>) -> Result<Self, String> {
        let (machine, source) = choose(live, order, tell).await?;
        let name = &machine.name;
        let address = machine.private_address;
        let ports = Ports::new(vec![order.port]).map_err(|error| error.to_string())?;
        let flow = Flow { source, destination: address, protocol: Protocol::Tcp, ports, member_of: None };
        let begun = Instant::now();
        let group = live.arm.group(&live.target.nsg).await.map_err(|error| error.to_string())?;
        let what = format!("port {} of {name} for {source}", order.port);
        match nsg::evaluate(&group.rules, &flow) {
            Verdict::Denied { by } => {
                tell(begun.elapsed(), format!("{what}: shut by Azure's rules, {} decides", plain(&by)));
            }
            Verdict::Allowed { by } => {
                return Err(format!(
                    "{what} is open already by {}: choose another port with --tcp",
                    plain(&by)
                ));
            }
            Verdict::Unclear { by } => {
                return Err(format!(
                    "whether {what} is open now depends on {}: choose another port with --tcp",
                    plain(&by)
                ));
            }
        }
        let id = RequestHash::of(&format!("smoke {}", now.unix()), &machine.resource_id).candidate(0);
        let rule_name = RuleName::new(&live.installation, id);
        let priority = nsg::place(&group.rules, &flow, &rule_name).map_err(|no_room| {
            format!("no number is free before the rule {}, which denies", plain(&no_room.before))
        })?;
        let ends_at = now.plus(order.hold.as_secs());
        let rule = OurRule::trial(live.target.nsg.clone(), rule_name, priority, flow, ends_at);
        Ok(Self { live, machine, rule })
    }

    /// Writes the rule and waits until Azure's rules let the flow pass.
    async fn open(&mut self, tell: Tell<'_>, ending: &mut Ending) -> Result<(), NotOpen> {
        let accepted = self.write(tell, ending).await?;
        for reads in 1.. {
            let (standing, verdict, took) = self.look().await.map_err(NotOpen::Other)?;
            match standing {
                Standing::Allow => {
                    tell(accepted.elapsed(), format!("accepted -> Succeeded, seen at read {reads}"));
                    return self.must_be_open(&verdict, took, tell);
                }
                Standing::Changing | Standing::Absent if accepted.elapsed() < PATIENCE => {
                    pause(PAUSE, ending).await?;
                }
                other => return Err(NotOpen::Other(format!("the rule is not in force but {other:?}"))),
            }
        }
        Ok(())
    }

    /// Sends the PUT until Azure takes it.
    async fn write(&mut self, tell: Tell<'_>, ending: &mut Ending) -> Result<Instant, NotOpen> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let begun = Instant::now();
            let acted = self.live.arm.put_rule(&self.rule).await;
            let (name, priority) = (&self.rule.name, self.rule.priority);
            tell(begun.elapsed(), format!("PUT {name}, priority {priority}: {}", said(&acted)));
            last = said(&acted);
            match acted {
                Acted::Done => return Ok(Instant::now()),
                Acted::Refused(_) | Acted::Locked => return Err(NotOpen::Refused(last)),
                Acted::Conflict => {
                    let group = self.live.arm.group(&self.rule.nsg).await;
                    let group = group.map_err(|error| NotOpen::Other(error.to_string()))?;
                    self.rule.priority =
                        nsg::place(&group.rules, &self.rule.flow, &self.rule.name).map_err(|no_room| {
                            NotOpen::Other(format!("no number is free before {}", plain(&no_room.before)))
                        })?;
                }
                _ => pause(PAUSE * 4, ending).await?,
            }
        }
        Err(NotOpen::Other(format!("Azure has not taken the rule: {last}")))
    }

    /// How the rule stands, and what all rules do with the flow.
    async fn look(&self) -> Result<(Standing, Verdict, Duration), String> {
        let begun = Instant::now();
        let group = self.live.arm.group(&self.rule.nsg).await.map_err(|error| error.to_string())?;
        let verdict = nsg::evaluate(&group.rules, &self.rule.flow);
        Ok((self.rule.standing(&group.rules), verdict, begun.elapsed()))
    }

    fn must_be_open(&self, verdict: &Verdict, took: Duration, tell: Tell<'_>) -> Result<(), NotOpen> {
        let (port, name) = (&self.rule.flow.ports, &self.machine.name);
        match verdict {
            Verdict::Allowed { by } if *by == self.rule.name.to_string() => {
                tell(took, format!("port {port} of {name}: open by Azure's rules, {by} decides"));
                Ok(())
            }
            other => {
                Err(NotOpen::Other(format!("by Azure's rules port {port} of {name} is not open: {other:?}")))
            }
        }
    }

    /// Leaves it open for as long as was ordered, and looks again.
    async fn hold(&self, length: Duration, tell: Tell<'_>, ending: &mut Ending) -> Result<(), NotOpen> {
        let begun = Instant::now();
        pause(length, ending).await?;
        tell(begun.elapsed(), format!("held for {} s", length.as_secs()));
        let (standing, verdict, took) = self.look().await.map_err(NotOpen::Other)?;
        if standing != Standing::Allow {
            return Err(NotOpen::Other(format!("somebody has changed the rule meanwhile: {standing:?}")));
        }
        self.must_be_open(&verdict, took, tell)
    }

    /// After the rule is gone.
    async fn is_shut(&self, tell: Tell<'_>) -> Result<(), String> {
        let (port, name) = (&self.rule.flow.ports, &self.machine.name);
        let looked = self.look().await.map_err(|why| {
            format!("our rule is gone, but whether port {port} of {name} is shut could not be read ({why})")
        });
        let (standing, verdict, took) = looked?;
        match (standing, verdict) {
            (Standing::Absent, Verdict::Denied { by }) => {
                let by = plain(&by);
                tell(took, format!("port {port} of {name}: shut by Azure's rules, {by} decides"));
                Ok(())
            }
            (Standing::Absent, Verdict::Allowed { by } | Verdict::Unclear { by }) => Err(format!(
                "our rule is gone, but port {port} of {name} may be open by the rule {}",
                plain(&by)
            )),
            (standing, _) => Err(format!("the rule came back: {standing:?}")),
        }
    }
}

/// The machine that was ordered, or the first behind the group alone, and who is let in. Machines with
/// another group on the way are refused by the fence.
async fn choose(live: &Live, order: &Order, tell: Tell<'_>) -> Result<(Machine, Source), String> {
    let group = live.target.group();
    let wanted = |machine: &&SeenMachine| order.vm.as_ref().is_none_or(|name| machine.name.is(name));
    let candidates: Vec<&SeenMachine> = live.machines.iter().filter(wanted).collect();
    if let (Some(name), [_, _, ..]) = (&order.vm, candidates.as_slice()) {
        return Err(format!("{name} is in several resource groups: choose another machine"));
    }
    let mut first_fault = None;
    for seen in candidates {
        let begun = Instant::now();
        let (machine, source) = match reached(seen, order) {
            Ok(reached) => reached,
            Err(why) => {
                first_fault.get_or_insert(why);
                continue;
            }
        };
        match live.arm.way(&machine).await {
            Ok(_) => {
                let through = format!("the way to {} leads through {group} alone", machine.name);
                tell(begun.elapsed(), through);
                return Ok((machine, source));
            }
            Err(WayError::Fault(why)) => {
                first_fault.get_or_insert_with(|| fault(&why, &machine.name));
            }
            Err(WayError::Arm(error)) => return Err(error.to_string()),
        }
    }
    Err(match (&order.vm, first_fault) {
        (_, Some(fault)) => fault,
        (Some(name), None) => {
            format!("no machine {name} is behind {group}; these are: {}", live.machine_names())
        }
        (None, None) => format!("no machine is behind {group}"),
    })
}

/// The machine by the address at which the source arrives; without one, by the first family that it has.
fn reached(seen: &SeenMachine, order: &Order) -> Result<(Machine, Source), String> {
    let name = &seen.name;
    let nobody = NOBODY.iter().filter_map(|text| text.parse().ok());
    let sources: Vec<Source> = order.source.map_or_else(|| nobody.collect(), |source| vec![source]);
    let mut unfit = None;
    for source in sources {
        match seen.reached_from(&source) {
            Ok(machine) => return Ok((machine, source)),
            Err(why) => unfit = Some(why),
        }
    }
    Err(match unfit {
        Some(Unfit::OtherFamily { has_ipv4 }) => {
            let family = if has_ipv4 { "IPv4" } else { "IPv6" };
            format!("{name} has an {family} address only, so --from takes one of that kind")
        }
        Some(Unfit::Off { .. }) => format!("{name} does not run: start it in Azure first"),
        Some(Unfit::Unshielded) => format!("nothing shields {name}"),
        Some(Unfit::Gone { .. }) => format!("{name} does not exist any more"),
        Some(Unfit::NoAddress) | None => format!("{name} has no address"),
    })
}

/// Waits, unless the program is to end.
async fn pause(length: Duration, ending: &mut Ending) -> Result<(), NotOpen> {
    tokio::select! {
        () = tokio::time::sleep(length) => Ok(()),
        () = ending.wait() => Err(NotOpen::Interrupted),
    }
}
