//! `/jit why`: what stands between a person and a port, and what to do about each of it.

use super::failure::network;
use super::*;
use crate::drive::Verdict;
use crate::lifecycle::{Record, State};
use crate::lockdown::Lockdown;
use crate::nsg::together;

/// What was found out about a machine and ports that somebody cannot reach.
#[derive(Clone, PartialEq, Debug)]
pub struct WhyNot<'a> {
    /// Its name, as Azure writes it.
    pub name: &'a MachineName,
    /// The machine, as it was typed.
    pub machine: &'a MachineQuery,
    /// The ports.
    pub ports: &'a Ports,
    /// From where: as it was typed, else as the asker's grant or the policy says; `None` where nobody does.
    pub source: Option<Source>,
    /// The asker's requests for it that wait, are open, or are being opened or shut.
    pub requests: Vec<&'a Record>,
    /// What Azure says.
    pub azure: InAzure,
    /// When it was looked at.
    pub at: Timestamp,
}

/// How a machine and the rules on the way to it stand in Azure.
#[derive(Clone, PartialEq, Debug)]
pub enum InAzure {
    /// Azure did not say.
    Silent,
    /// As it was seen last it cannot be reached, for the reason that this sentence gives; Azure was not asked.
    Unfit(String),
    /// It said, and there is no way to judge.
    Fault(NetworkFault),
    /// It said how everything stands.
    Seen {
        /// Whether it runs.
        power: Power,
        /// Each group on the way, by name, and what its rules do with the flow. None where the source is not known.
        groups: Vec<(String, Verdict)>,
    },
}

/// The answer to `/jit why` before anything was looked at. `locked`: the lockdown that the machine is under.
pub fn looking(locked: Option<&Lockdown>) -> Message {
    let lockdown = locked.map(|one| format!("{} ", lockdown::in_force(one))).unwrap_or_default();
    Message::sentence(format!("{lockdown}Looking; the answer comes here in a few seconds."))
}

/// Slack gave no address for a later answer.
pub fn cannot_answer_later() -> Message {
    Message::sentence("Slack gave no address for the answer, so nothing was looked at. Type it again.")
}

/// A machine without any network address.
pub fn no_address() -> String {
    "The machine has no network address.".to_owned()
}

/// What was found, a line each, and what to type or do next.
pub fn why_not(found: &WhyNot<'_>) -> String {
    let from = found.source.map(|source| format!(" from `{source}`")).unwrap_or_default();
    let word = if found.ports.as_slice().len() == 1 { "port" } else { "ports" };
    let mut lines = vec![format!(
        "*{} {word} {}{from}*, as Ajar saw it at {}:",
        found.name,
        found.ports,
        moment(found.at)
    )];
    let (grant, lets_in) = found.grant();
    lines.push(grant);
    lines.extend(found.in_azure(lets_in));
    lines.join("\n• ")
}

impl WhyNot<'_> {
    fn command(&self) -> String {
        let from = self.source.map(|source| format!(" from {source}")).unwrap_or_default();
        format!("`/jit {} {}{from}`", self.machine, typed(self.ports))
    }

    /// What the asker's own requests say, and whether one of them should let this source in now.
    fn grant(&self) -> (String, bool) {
        let covers = |record: &&&Record| {
            self.source.is_none_or(|source| record.ask().is_some_and(|ask| source.is_within(&ask.source)))
        };
        let is_open = |record: &Record| {
            let runs = record.granted().is_some_and(|granted| self.at < granted.expires_at());
            matches!(record.state(), State::Open(_)) && runs
        };
        let until = |record: &Record| {
            record.granted().map(|granted| moment(granted.expires_at())).unwrap_or_default()
        };
        let all = || self.requests.iter();
        if let Some(open) = all().filter(covers).find(|record| is_open(record)) {
            let source = open.ask().map(|ask| ask.source.to_string()).unwrap_or_default();
            let said =
                format!("You have a grant from `{source}` until {}. Ref {}", until(open), open.wish().id);
            return (said, true);
        }
        if let Some(open) = all().find(|record| is_open(record)) {
            let source = open.ask().map(|ask| ask.source.to_string()).unwrap_or_default();
            let said = format!(
                "Your grant lets in `{source}` and no other address. If you come from another one now, type {}. Ref {}",
                self.command(),
                open.wish().id
            );
            return (said, false);
        }
        let said = match all().rfind(covers).map(|record| (record, record.state())) {
            Some((record, State::Pending(_))) => format!(
                "Your request waits for a decision until {}; nothing is open before that. Ref {}",
                moment(record.wish().lapses_at),
                record.wish().id
            ),
            Some((record, State::Draft(_))) => format!(
                "Your request waits until {} for the address that you come from. Ref {}",
                moment(record.wish().lapses_at),
                record.wish().id
            ),
            Some((record, State::Approved(_) | State::Opening(_))) => format!(
                "Your request is being opened; its card says when the rule is in place. Ref {}",
                record.wish().id
            ),
            Some((record, _)) => {
                format!(
                    "Your grant is being shut. Type {} to ask again. Ref {}",
                    self.command(),
                    record.wish().id
                )
            }
            None => format!("You have no grant for it now. Type {}.", self.command()),
        };
        (said, false)
    }

    /// What Azure says. `granted`: the asker has a grant that should let them in.
    fn in_azure(&self, granted: bool) -> Vec<String> {
        let (power, groups) = match &self.azure {
            InAzure::Silent => {
                return vec![format!(
                    "Azure did not say how the machine and its rules stand now. Type `/jit why {} {}` again in a minute.",
                    self.machine,
                    typed(self.ports)
                )];
            }
            InAzure::Unfit(sentence) => return vec![sentence.clone()],
            InAzure::Fault(NetworkFault::AddressChanged) => {
                return vec![
                    "The machine's private address has changed since Ajar last looked. Type the same again in a quarter of an hour.".to_owned(),
                ];
            }
            InAzure::Fault(fault) => return vec![network(fault)],
            InAzure::Seen { power, groups } => (*power, groups),
        };
        let mut lines = vec![match power {
            Power::Stopped | Power::Deallocated => {
                format!("The machine is {}: nobody can connect. Start it in Azure.", off(power))
            }
            Power::Running => "The machine runs.".to_owned(),
            Power::Unknown => "Azure does not say whether the machine runs.".to_owned(),
        }];
        lines.push(match self.source {
            None => format!(
                "From where you come is not known, so the rules cannot be judged. Type `/jit why {} {} from` and the address that the Internet sees.",
                self.machine,
                typed(self.ports)
            ),
            Some(source) => by_rules(&source, groups, granted),
        });
        lines.push(
            "Network Watcher, Azure's own check, is asked only when a grant opens and when it is shut."
                .to_owned(),
        );
        lines
    }
}

/// What the rules of the groups do together, which one decides, and whom to ask.
fn by_rules(source: &Source, groups: &[(String, Verdict)], granted: bool) -> String {
    let verdict = together(groups.iter().map(|(_, verdict)| verdict));
    let nsg = |wanted: &Verdict| {
        let name =
            groups.iter().find(|(_, verdict)| std::ptr::eq(verdict, wanted)).map(|(nsg, _)| nsg.as_str());
        word(name.unwrap_or_default())
    };
    match verdict {
        None => network(&NetworkFault::Unshielded),
        Some(Verdict::Allowed { .. }) => {
            let each = groups.iter().filter_map(|(nsg, verdict)| match verdict {
                Verdict::Allowed { by } => Some(format!("the rule `{}` in `{}`", word(by), word(nsg))),
                Verdict::Denied { .. } | Verdict::Unclear { .. } => None,
            });
            format!(
                "By Azure's rules `{source}` is let in, by {}. It can take a minute or two until that is felt; then ask whoever runs the machine or the network: the machine's own firewall, another firewall or a network manager may stand in the way.",
                listed(&each.collect::<Vec<_>>(), "and")
            )
        }
        Some(denied @ Verdict::Denied { by }) => {
            let next = if granted {
                "Ask whoever runs the network about that rule: it decides before your grant."
            } else {
                "That is so as long as no grant is open for this address."
            };
            format!(
                "By Azure's rules `{source}` is not let in: the rule `{}` in `{}` denies. {next}",
                word(by),
                nsg(denied)
            )
        }
        Some(unclear @ Verdict::Unclear { by }) => format!(
            "Whether Azure's rules let `{source}` in cannot be told: it hangs on the rule `{}` in `{}`. Ask whoever runs the network about it.",
            word(by),
            nsg(unclear)
        ),
    }
}
