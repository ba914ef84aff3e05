//! What is to be run: each story, each call of it, each fault.

use crate::tale::Tale;
use sandbox::fronts::{CallId, Called, FaultKind, Order, Outage, Part, Service};
use sandbox::host::Stepped;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One run: a story and what happens in it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) tale: Tale,
    pub(crate) orders: Vec<Order>,
    pub(crate) outage: Option<Outage>,
}

impl Run {
    /// A story in which nothing fails.
    pub(crate) const fn whole(tale: Tale) -> Self {
        Self { tale, orders: vec![], outage: None }
    }

    /// A story with these faults.
    fn with(tale: Tale, orders: &[(&CallId, FaultKind)]) -> Self {
        let order = |(call, fault): &(&CallId, FaultKind)| Order { call: (*call).clone(), fault: *fault };
        Self { orders: orders.iter().map(order).collect(), ..Self::whole(tale) }
    }
}

impl fmt::Display for Run {
    /// The name by which it can be run alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tale.name())?;
        self.orders.iter().try_for_each(|order| write!(f, "/{}/{}", order.call, order.fault))?;
        let Some(outage) = &self.outage else { return Ok(()) };
        let after = outage.from_ms / 1000 - Stepped::BEGINS.unix();
        write!(f, "/{}/{:?}/nobody-listens/{after}", outage.function, outage.service)
    }
}

/// A call to which faults happen.
struct Planned {
    id: CallId,
    /// Of the errors that DynamoDB may answer with, the one that stands for all of them.
    stands_for_errors: Option<FaultKind>,
    /// Whether a process that is killed as it makes this call was just as well killed after the call before, which
    /// was made and answered at the same moment: nothing has happened in between.
    goes_on: bool,
}

/// Whatever error DynamoDB answers with, the functions see the same: once the SDK has tried as often as it does,
/// `edge::store` makes `StoreError::Call` of it, and nobody looks at the code in it.
const ERRORS: [FaultKind; 5] = [
    FaultKind::Refused,
    FaultKind::Error500,
    FaultKind::Throttled,
    FaultKind::ThrottledWithTime,
    FaultKind::Garbage,
];

impl Planned {
    /// The faults of the call that are not the same as another's. Of one that only reads, those after it took
    /// effect are those before it: the caller sees the same, and so does everybody else.
    fn faults(&self, every: bool) -> impl Iterator<Item = FaultKind> {
        let (reads, goes_on) = (is_read(&self.id), self.goes_on);
        let of_errors = self.stands_for_errors.filter(|_| !every);
        FaultKind::ALL.into_iter().filter(move |fault| match fault {
            error if ERRORS.contains(error) => of_errors.is_none_or(|one| one == *error),
            FaultKind::ReplyLost | FaultKind::KilledAfter => !reads,
            FaultKind::KilledBefore => !goes_on,
            _ => true,
        })
    }
}

/// The calls of one story.
pub(crate) struct Calls {
    pub(crate) tale: Tale,
    /// Those to which faults happen.
    planned: Vec<Planned>,
    /// How many others stand for the same as one of the planned.
    pub(crate) folded: usize,
}

/// A tick of `revoke` waits for what is due within this, in milliseconds: a fault in it is not that of a
/// tick with nothing ahead.
const AHEAD_MS: u64 = 120_000;

/// Whether a call only reads.
fn is_read(call: &CallId) -> bool {
    const READS: [&str; 7] = [
        "Get",
        "GET ",
        "Query ",
        "POST resources",
        "POST networkWatchers/ipFlowVerify",
        "token",
        "users.info",
    ];
    READS.iter().any(|verb| call.what.starts_with(verb))
}

/// Whether nothing comes of a call, whatever it finds, if nothing else is called: it reads, or it only takes
/// a record for the time in which it is looked at.
fn is_idle(call: &CallId) -> bool {
    is_read(call) || call.what.starts_with("UpdateItem REQUEST")
}

/// How many calls two stories share from their beginning: the same ones at the same moments, so that the
/// whole world is the same until then.
fn shared(one: &[Called], other: &[Called]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// What one invocation of a function calls at one moment of the clock.
struct Episode<'a> {
    function: &'a str,
    at_ms: u64,
    calls: Vec<&'a CallId>,
}

impl Episode<'_> {
    /// The same for episodes that call the same, in whatever order.
    fn shape(&self) -> Shape {
        let mut shape: Vec<(Part, String)> =
            self.calls.iter().map(|call| (call.part, call.what.clone())).collect();
        shape.sort_unstable();
        (self.function.to_owned(), shape)
    }

    fn is_idle(&self) -> bool {
        self.calls.iter().all(|call| is_idle(call))
    }
}

type Shape = (String, Vec<(Part, String)>);

/// The episodes that were planned so far, in whatever story.
#[derive(Default)]
pub(crate) struct Seen(BTreeSet<Shape>);

impl Calls {
    /// From what a story calls when nothing fails. Three sorts of calls stand for the same as others:
    ///
    /// - those of the beginning that the story has in common with `before`, which goes by the same policy:
    ///   whatever fails there has been taken up again before the people do something else;
    /// - those of a tick, or of an invocation of `notify`, in which there was nothing to do: one before
    ///   called the same, and it changed no record and no rule; not where something falls due that a tick
    ///   already waits for;
    /// - those of `discover` where it called the same before: it alone writes what it writes, and reads
    ///   nothing else.
    pub(crate) fn of(tale: Tale, called: &[Called], before: Option<&[Called]>, seen: &mut Seen) -> Self {
        let in_common = before.map_or(0, |before| shared(called, before));
        let mut episodes: BTreeMap<(u64, &str, u32), Vec<&CallId>> = BTreeMap::new();
        for one in called {
            episodes.entry((one.at_ms, &one.id.function, one.invocation)).or_default().push(&one.id);
        }
        let episodes: Vec<Episode<'_>> = episodes
            .into_iter()
            .map(|((at_ms, function, _), calls)| Episode { function, at_ms, calls })
            .collect();
        let alone = |this: &Episode<'_>| {
            !episodes.iter().any(|other| other.at_ms == this.at_ms && other.function != this.function)
        };
        let is_awaited = |this: &Episode<'_>| {
            let ahead = this.at_ms + 1..=this.at_ms + AHEAD_MS;
            let mut acts = episodes.iter().filter(|other| other.function == "revoke" && !other.is_idle());
            acts.any(|other| ahead.contains(&other.at_ms))
        };
        let mut folded = BTreeSet::new();
        for episode in &episodes {
            let may_be = match episode.function {
                "revoke" => episode.is_idle() && alone(episode) && !is_awaited(episode),
                "notify" => episode.is_idle(),
                "discover" => true,
                _ => false,
            };
            if may_be && !seen.0.insert(episode.shape()) {
                folded.extend(episode.calls.iter().copied());
            }
        }
        let mut planned: Vec<Planned> = vec![];
        let mut last: BTreeMap<&str, &Called> = BTreeMap::new();
        for one in called.iter().skip(in_common).filter(|one| !folded.contains(&one.id)) {
            let before = last.insert(&one.id.function, one);
            let goes_on = before.is_some_and(|before| {
                let together = before.invocation == one.invocation && before.at_ms == one.at_ms;
                together && before.alone && one.alone
            });
            // Each of them in its turn.
            let turn = ERRORS.get((planned.len() + tale.name().len()) % ERRORS.len()).copied();
            let stands_for_errors = turn.filter(|_| one.id.part == Part::Dynamodb);
            planned.push(Planned { id: one.id.clone(), stands_for_errors, goes_on });
        }
        Self { tale, folded: called.len() - planned.len(), planned }
    }

    /// Each of the calls with each fault; `every`: also with those errors of DynamoDB's for which another stands.
    pub(crate) fn singles(&self, every: bool) -> impl Iterator<Item = Run> {
        self.planned.iter().flat_map(move |call| {
            call.faults(every).map(move |fault| Run::with(self.tale, &[(&call.id, fault)]))
        })
    }

    /// How many of the planned calls are for each part.
    fn of_part(&self, part: Part) -> usize {
        self.planned.iter().filter(|call| call.id.part == part).count()
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
        let second = |fault| Run::with(first.tale, &[(&order.call, order.fault), (&one.id, fault)]);
        PAIRED.into_iter().map(second)
    })
    .collect()
}

/// When nobody listens, in seconds after the first story's beginning: while somebody asks, from the click of
/// the approver on, and around the end.
const OUTAGES: [(u64, u64); 3] = [(0, 90), (20, 110), (260, 340)];

/// The first story while nobody listens at one of the addresses that a function calls in it: connections are
/// refused, and not only calls.
pub(crate) fn outages(calls: &[Called]) -> Vec<Run> {
    // `discover` has looked before a sandbox is ready, and looks again long after the last outage.
    let others = calls.iter().filter(|one| one.id.function != "discover");
    let called: BTreeSet<(&str, Service)> =
        others.map(|one| (one.id.function.as_str(), one.id.part.service())).collect();
    let at_ms = |seconds: u64| Stepped::BEGINS.plus(seconds).unix() * 1000;
    let run = |(function, service): &(&str, Service), (from, until): (u64, u64)| Run {
        outage: Some(Outage {
            function: (*function).to_owned(),
            service: *service,
            from_ms: at_ms(from),
            until_ms: at_ms(until),
        }),
        ..Run::whole(Tale::Expired)
    };
    called.iter().flat_map(|of| OUTAGES.map(|when| run(of, when))).collect()
}

/// Calls, a line each: seconds since the beginning, the invocation, the call.
pub(crate) fn listed(calls: &[Called]) -> String {
    let begun_ms = Stepped::BEGINS.unix() * 1000;
    let line = |one: &Called| {
        let after_ms = one.at_ms.saturating_sub(begun_ms);
        format!("{:>6}.{:03} {:>3} {}", after_ms / 1000, after_ms % 1000, one.invocation, one.id)
    };
    calls.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The matrix as a table: stories down, parts across, each number the calls of it.
pub(crate) fn table(all: &[Calls], every: bool) -> String {
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
        let (count, runs) = (calls.planned.len(), calls.singles(every).count());
        text += &format!("{count:>8}{:>8}{runs:>8}\n", calls.folded);
        total = (total.0 + count, total.1 + runs);
    }
    let errors = if every { "" } else { "; one error of DynamoDB's stands for all" };
    let faults: Vec<String> = FaultKind::ALL.iter().map(ToString::to_string).collect();
    text + &format!(
        "{} stories, {} calls, {} faults ({}; of a call that only reads, what comes after it took effect is the same as before; killed before a call is killed after the one before{errors}): {} runs",
        all.len(),
        total.0,
        faults.len(),
        faults.join(", "),
        total.1
    )
}
