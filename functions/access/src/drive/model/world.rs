//! The small world: table, groups, locks, drivers, clock; and how it is told apart from another.

use super::super::*;
use super::print::Fingerprint;
use super::search::{ByPrint, Mix};
use crate::lifecycle::{Obstacle, Plan, PlannedRule, SignedClick};
use crate::policy::{Approver, Groups, Policy, Subject};
use crate::request::{Machine, Ports, Protocol, RequestHash, Wish};
use std::cell::RefCell;
use std::hash::Hash;
use std::sync::Arc;

/// Seconds in one tick of the clock.
pub(super) const TICK: u64 = 60;
/// Ticks until a call without an answer is given up.
pub(super) const TIMEOUT: u8 = 1;
/// Ticks that a lock is held for: longer than one call.
pub(super) const LEASE: u8 = 2;
/// Ticks after it was sent that a write without an answer may still take effect: longer than the lock
/// of its driver lasts. Together with a call's time-out it is shorter than the sweep.
pub(super) const LATE: u8 = 2;
/// Names of ours that a group can hold rules by.
const NAMES: usize = 4;

/// The lengths of time, in ticks of the model.
pub(super) const TEMPO: Tempo = Tempo {
    idle_seconds: TICK,
    sweep_seconds: 4 * TICK,
    retry_seconds: TICK,
    locked_retry_seconds: 2 * TICK,
    delete_patience_seconds: TICK,
    unfinished_patience_seconds: 3 * TICK,
    propagation_seconds: TICK,
    budget_seconds: TICK,
    attempts: 2,
};

/// The moment of a tick.
pub(super) fn at(tick: u8) -> Timestamp {
    Timestamp::from_unix(1_000_000_000 + TICK * u64::from(tick))
}

/// Where the exploration begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Begin {
    /// Nobody has asked; two approvals are needed, and the source is not known.
    Asked,
    /// All requests have just been approved.
    Approved,
    /// The first request is open, its rules are in place; the second has just been approved.
    FirstOpen,
    /// The first request is closing and a `CanNotDelete` lock keeps its rule; the second is open.
    FirstLocked,
}

/// What is explored: everything up to these numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) name: &'static str,
    pub(super) begin: Begin,
    pub(super) requests: usize,
    pub(super) groups: usize,
    /// How many drivers may be at work at once.
    pub(super) slots: usize,
    /// Faults of all kinds together.
    pub(super) faults: u8,
    pub(super) crashes: u8,
    /// Answers that are lost, writes that float.
    pub(super) losses: u8,
    /// Refusals by Slack or Azure, and checks without an answer.
    pub(super) refusals: u8,
    /// Changes of our rules by somebody else.
    pub(super) strangers: u8,
    /// How often the `CanNotDelete` lock is put on. Not a fault.
    pub(super) locks: u8,
}

/// The design, whole or with one safety rule taken away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Design {
    pub(super) safety: Safety,
    /// Rule 2 taken away: each PUT has a new name; the last one is remembered.
    pub(super) new_name_each_time: bool,
    /// Rule 4 taken away: the table takes every write.
    pub(super) no_compare_and_swap: bool,
    /// Rule 7 taken away: the rule is named after the flow, not after the request.
    pub(super) name_of_the_flow: bool,
    /// Rule 8 taken away in part: a rule turned into Deny keeps its place.
    pub(super) deny_stays_in_front: bool,
}

impl Design {
    /// All rules hold.
    pub(super) const WHOLE: Self = Self {
        safety: Safety::Whole,
        new_name_each_time: false,
        no_compare_and_swap: false,
        name_of_the_flow: false,
        deny_stays_in_front: false,
    };
}

/// A value with the fingerprint of all of it but its times, so that it is hashed once.
#[derive(Clone, Debug)]
pub(super) struct Known<T> {
    pub(super) value: T,
    pub(super) print: u128,
}

impl<T: Fingerprint> Known<T> {
    pub(super) fn new(value: T) -> Arc<Self> {
        let mut mix = Mix::default();
        value.timeless(&mut mix);
        let print = mix.print();
        Arc::new(Self { value, print })
    }
}

/// What the table holds of one request.
#[derive(Clone, Debug)]
pub(super) enum Row {
    NotYet,
    Here(Arc<Known<Record>>),
    Purged,
}

/// How a rule of ours is in a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Rule {
    pub(super) standing: Standing,
    /// It appeared by a PUT that was sent before the rule was last deleted, denied or seen gone.
    pub(super) late: bool,
}

/// Who holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Holder {
    Driver(u8),
    /// A driver that is no more.
    Gone,
}

/// One network security group and its lock row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) rules: [Rule; NAMES],
    pub(super) lock: Option<(Holder, u8)>,
    /// A delete waits; until this tick no PUT gets the lock.
    pub(super) delete_waits_until: Option<u8>,
    /// Somebody's rule before ours denies the flow.
    pub(super) overruled: bool,
}

/// A write to one rule of one group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Act {
    Allow,
    Deny,
    Delete,
}

/// A write without a driver that waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Floating {
    pub(super) group: u8,
    pub(super) name: u8,
    pub(super) act: Act,
    /// The last tick at which it may take effect.
    pub(super) until: u8,
    /// Azure has accepted it and shows that it is in progress.
    pub(super) accepted: bool,
    /// It was sent under the group's lock.
    pub(super) in_turn: bool,
    pub(super) overtaken: bool,
}

/// A driver and the call that it waits for.
#[derive(Clone, Debug)]
pub(super) struct Driver {
    pub(super) request: u8,
    pub(super) drive: Drive,
    pub(super) call: Call,
    /// For a write to Azure that has been decided there: the answer on its way.
    pub(super) answer: Option<Answer>,
    pub(super) since: u8,
    /// For a write: the name it goes to.
    pub(super) name: u8,
    /// For a PUT: its rule was deleted, denied or seen gone since it was sent.
    pub(super) overtaken: bool,
}

impl Driver {
    /// The write to Azure that the driver waits for: group and act.
    pub(super) const fn write(&self) -> Option<(usize, Act)> {
        match self.call {
            Call::Put { rule, access: Access::Allow } => Some((rule, Act::Allow)),
            Call::Put { rule, access: Access::Deny } => Some((rule, Act::Deny)),
            Call::Delete { rule } => Some((rule, Act::Delete)),
            _ => None,
        }
    }
}

/// What may still go wrong.
#[derive(Clone, Copy, Hash, Debug)]
pub(super) struct Left {
    pub(super) faults: u8,
    pub(super) crashes: u8,
    pub(super) losses: u8,
    pub(super) refusals: u8,
    pub(super) strangers: u8,
    pub(super) locks: u8,
}

/// Everything there is at one moment.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: u8,
    pub(super) rows: [Row; 2],
    pub(super) groups: [Group; 2],
    pub(super) drivers: [Option<Arc<Known<Driver>>>; 2],
    pub(super) floating: Vec<Floating>,
    /// The `CanNotDelete` lock.
    pub(super) azure_lock: bool,
    pub(super) left: Left,
    /// Whether a delete may be refused at all: only then is a rule turned into Deny.
    pub(super) locks: bool,
    /// How often a priority was taken: the next plan has another.
    pub(super) conflicts: u8,
    /// The last name used for a request, where each PUT has a new one.
    pub(super) names: [u8; 2],
    /// Somebody else has changed this request's rules.
    pub(super) touched: [bool; 2],
    /// When each grant ends, once it is approved. For the rule that it never moves.
    pub(super) ends_at: [Option<Timestamp>; 2],
}

/// What never changes during one exploration.
pub(super) struct Setting {
    pub(super) bounds: Bounds,
    pub(super) design: Design,
    pub(super) approvers: [Approver; 2],
    pub(super) click: SignedClick,
    wishes: [Wish; 2],
    plans: [Vec<Plan>; 2],
    /// The records that were stored so far.
    stored: RefCell<ByPrint<()>>,
}

const POLICY: &str = r#"
channel = "C0JIT"
[[rules]]
name = "all"
machines = ["*"]
requesters = ["U0"]
approvers = ["U1", "U2"]
ports = [22]
"#;

impl Setting {
    pub(super) fn new(bounds: Bounds, design: Design) -> Self {
        let machine = Machine {
            name: "VM3".parse().unwrap(),
            resource_id: "/subscriptions/s/vm".parse().unwrap(),
            private_address: [10, 0, 0, 6].into(),
            public_address: None,
        };
        let policy = Policy::parse(POLICY).unwrap();
        let rule = policy.rule_for(&Subject::of(&machine, None)).unwrap();
        let approver = |user: &str| rule.approver(&user.parse().unwrap(), &Groups::default()).unwrap();
        let wish = |trigger: &str, minutes| {
            let hash = RequestHash::of(trigger, &machine.resource_id);
            Wish {
                id: hash.candidate(0),
                hash,
                requester: "U0".parse().unwrap(),
                machine: machine.clone(),
                protocol: Protocol::Tcp,
                ports: Ports::new(vec![22]).unwrap(),
                ttl: crate::lease::Ttl::from_minutes(minutes).unwrap(),
                means: Default::default(),
                justification: None,
                moves: None,
                asked_at: at(0),
                lapses_at: at(2),
            }
        };
        let plan = |groups: usize, conflicts: u16| {
            let rule = |group| PlannedRule {
                nsg: format!("/subscriptions/{group}").parse().unwrap(),
                priority: 499 - conflicts,
                open_by: None,
            };
            Plan::new((0..groups).map(rule).collect()).unwrap()
        };
        Self {
            wishes: [wish("1", 1), wish("2", 2)],
            plans: [1, bounds.groups].map(|groups| (0..4).map(|n| plan(groups, n)).collect()),
            approvers: [approver("U1"), approver("U2")],
            click: SignedClick {
                body: "b".into(),
                timestamp: "1".into(),
                signature: "v0=".into(),
                key: None,
            },
            stored: RefCell::default(),
            bounds,
            design,
        }
    }

    /// Whether no such record was stored before.
    pub(super) fn first_seen(&self, record: &Record) -> bool {
        let mut mix = Mix::default();
        record.hash(&mut mix);
        self.stored.borrow_mut().insert(mix.print(), ()).is_none()
    }

    /// The plan after so many conflicts, for all groups or only the first.
    pub(super) fn plan(&self, all: bool, conflicts: u8) -> Plan {
        self.plans[usize::from(all)][usize::from(conflicts)].clone()
    }

    /// A request as it is first recorded: without its source.
    pub(super) fn asked(&self, request: usize) -> Record {
        Record::asked(self.wishes[request].clone(), None, 2).record
    }

    /// The name that a request's rule has in the groups.
    pub(super) fn name(&self, world: &World, request: usize) -> usize {
        if self.design.new_name_each_time { usize::from(world.names[request]) } else { self.name_of(request) }
    }

    const fn name_of(&self, request: usize) -> usize {
        if self.design.name_of_the_flow { 0 } else { request }
    }

    pub(super) fn first(&self) -> World {
        let absent = Rule { standing: Standing::Absent, late: false };
        let group = Group { rules: [absent; NAMES], lock: None, delete_waits_until: None, overruled: false };
        let bounds = &self.bounds;
        let mut world = World {
            now: 0,
            rows: [Row::NotYet, Row::NotYet],
            groups: [group; 2],
            drivers: [None, None],
            floating: vec![],
            azure_lock: false,
            left: Left {
                faults: bounds.faults,
                crashes: bounds.crashes,
                losses: bounds.losses,
                refusals: bounds.refusals,
                strangers: bounds.strangers,
                locks: bounds.locks,
            },
            // A delete that is refused otherwise leads to a Deny as well.
            locks: bounds.locks > 0 || bounds.refusals > 0 || bounds.begin == Begin::FirstLocked,
            conflicts: 0,
            names: [0; 2],
            touched: [false; 2],
            ends_at: [None; 2],
        };
        if bounds.begin != Begin::Asked {
            for request in 0..bounds.requests {
                let wish = self.wishes[request].clone();
                let pending = Record::asked(wish, Some("192.0.2.1".parse().unwrap()), 1).record;
                let click = self.click.clone();
                let mut record = pending.approve(&self.approvers[0], click, at(0), at(0)).unwrap().record;
                if bounds.begin == Begin::FirstLocked || bounds.begin == Begin::FirstOpen && request == 0 {
                    let opening = record.planned(self.plan(true, 0), at(0)).unwrap().record;
                    let decided_by = vec!["ours".to_owned(); bounds.groups];
                    let proof = crate::lifecycle::OpenProof { decided_by, confirmed: false };
                    record = opening.opened(proof, at(0)).unwrap().record;
                    if bounds.begin == Begin::FirstLocked && request == 0 {
                        world.azure_lock = true;
                        let closing = record.end(Cause::Altered, at(0)).unwrap().record;
                        let ends = vec![RuleEnd::Locked; bounds.groups];
                        record = closing.tried(ends, Some(Obstacle::Lock), at(1), at(0)).unwrap().record;
                    }
                    for group in &mut world.groups[..bounds.groups] {
                        group.rules[self.name_of(request)].standing = Standing::Allow;
                    }
                }
                world.ends_at[request] = record.granted().map(|granted| granted.expires_at());
                world.rows[request] = Row::Here(Known::new(record));
            }
        }
        world
    }
}

impl World {
    pub(super) fn time(&self) -> Timestamp {
        at(self.now)
    }

    pub(super) fn record(&self, request: usize) -> Option<&Record> {
        match &self.rows[request] {
            Row::Here(record) => Some(&record.value),
            Row::NotYet | Row::Purged => None,
        }
    }
}
