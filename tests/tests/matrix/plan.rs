//! What is to be run: each story, each call of it, each fault.

use crate::tale::Tale;
use sandbox::fronts::{CallId, Called, FaultKind, Order, Part};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One run: a story and what happens in it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) tale: Tale,
    pub(crate) orders: Vec<Order>,
}

impl fmt::Display for Run {
    /// The name by which it can be run alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tale.name())?;
        self.orders.iter().try_for_each(|order| write!(f, "/{}/{}", order.call, order.fault))
    }
}

/// The calls of one story.
pub(crate) struct Calls {
    pub(crate) tale: Tale,
    /// Those to which faults happen, with how many calls of the same function come before each.
    pub(crate) planned: Vec<(CallId, usize)>,
    /// How many others stand for the same as one of the planned.
    pub(crate) folded: usize,
}

/// Whether nothing comes of a call, whatever it finds, if nothing else is called: it reads, or it only takes
/// a record for the time in which it is looked at.
fn is_idle(call: &CallId) -> bool {
    ["Get", "GET ", "Query ", "UpdateItem REQUEST"].iter().any(|verb| call.what.starts_with(verb))
}

/// How many calls two stories share from their beginning: the same ones at the same moments, so that the
/// whole world is the same until then.
fn shared(one: &[Called], other: &[Called]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

impl Calls {
    /// From what a story calls when nothing fails. Two sorts of calls stand for the same as others:
    ///
    /// - those of a tick in which there was nothing to do: it read the same things as a tick before, and
    ///   changed no record and no rule;
    /// - those of the beginning that the story has in common with `before`, which goes by the same policy:
    ///   whatever fails there has been taken up again before the people do something else.
    pub(crate) fn of(tale: Tale, called: &[Called], before: Option<&[Called]>) -> Self {
        let in_common = before.map_or(0, |before| shared(called, before));
        let mut invocations: BTreeMap<(&str, u32), Vec<&CallId>> = BTreeMap::new();
        for one in called {
            invocations.entry((&one.id.function, one.invocation)).or_default().push(&one.id);
        }
        let mut seen = BTreeSet::new();
        let mut idle = BTreeSet::new();
        for (of, calls) in &invocations {
            let mut shape: Vec<(Part, &str)> =
                calls.iter().map(|call| (call.part, call.what.as_str())).collect();
            shape.sort_unstable();
            if of.0 == "revoke" && calls.iter().all(|call| is_idle(call)) && !seen.insert(shape) {
                idle.insert(*of);
            }
        }
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        let mut planned = vec![];
        for (at, one) in called.iter().enumerate() {
            let before = made.entry(&one.id.function).or_default();
            if at >= in_common && !idle.contains(&(one.id.function.as_str(), one.invocation)) {
                planned.push((one.id.clone(), *before));
            }
            *before += 1;
        }
        Self { tale, folded: called.len() - planned.len(), planned }
    }

    /// Each of the calls with each fault.
    pub(crate) fn singles(&self) -> impl Iterator<Item = Run> {
        self.planned.iter().flat_map(move |(call, after)| {
            FaultKind::ALL.into_iter().map(move |fault| Run {
                tale: self.tale,
                orders: vec![Order { call: call.clone(), fault, after: *after }],
            })
        })
    }

    /// How many of the planned calls are for each part.
    fn of_part(&self, part: Part) -> usize {
        self.planned.iter().filter(|(call, _)| call.part == part).count()
    }
}

/// The faults that are combined: one of each sort. What the others do to a caller is one of these.
const PAIRED: [FaultKind; 4] =
    [FaultKind::Error500, FaultKind::ReplyLost, FaultKind::KilledBefore, FaultKind::KilledAfter];

/// How many calls after the first fault the second one may come.
const NEAR: usize = 8;

/// What may happen after a first fault: to each of the next calls of that very telling.
pub(crate) fn pairs(first: &Run, called: &[Called]) -> Vec<Run> {
    let [order] = first.orders.as_slice() else { return vec![] };
    let at = called.iter().position(|one| one.id == order.call);
    let (true, Some(at)) = (PAIRED.contains(&order.fault), at) else { return vec![] };
    let next = called.iter().skip(at + 1).take(NEAR);
    next.flat_map(|one| {
        PAIRED.into_iter().map(|fault| {
            let second = Order { call: one.id.clone(), fault, after: 0 };
            Run { tale: first.tale, orders: vec![order.clone(), second] }
        })
    })
    .collect()
}

/// The matrix as a table: stories down, parts across, each number the calls of it.
pub(crate) fn table(all: &[Calls]) -> String {
    let mut text = format!("{:<14}", "story");
    for part in Part::ALL {
        text += &format!("{:>10}", part.to_string());
    }
    text += &format!("{:>8}{:>8}{:>8}\n", "calls", "folded", "runs");
    let mut total = (0, 0);
    for calls in all {
        text += &format!("{:<14}", calls.tale.name());
        for part in Part::ALL {
            text += &format!("{:>10}", calls.of_part(part));
        }
        let (count, runs) = (calls.planned.len(), calls.planned.len() * FaultKind::ALL.len());
        text += &format!("{count:>8}{:>8}{runs:>8}\n", calls.folded);
        total = (total.0 + count, total.1 + runs);
    }
    let faults: Vec<String> = FaultKind::ALL.iter().map(ToString::to_string).collect();
    text + &format!(
        "{} stories, {} calls, {} faults ({}): {} runs",
        all.len(),
        total.0,
        faults.len(),
        faults.join(", "),
        total.1
    )
}
