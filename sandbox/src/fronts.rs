//! Addresses of its own for each function, so that it is known who calls; and exactly one fault.
//!
//! Behind a front is the same router as behind the shared address. The front writes down each call,
//! and does to one of them what was ordered: not to the next that comes, but to the one with that
//! name. An SDK of AWS makes a call again and again by itself; its tries are one call here, and meet the
//! same fault. An address can also be without anybody who listens for a while ([`Outage`]).

mod call;
mod door;
mod fault;

pub use call::{CallId, Part, Service};
pub use fault::FaultKind;

use crate::host::Addresses;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use call::classify;
use door::Door;
use edge::clock::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// DynamoDB takes bodies up to 16 MB, more than anybody else.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// What a caller that hangs loses of the sandbox's time: the longest that one call may take.
const HANGS: Duration = edge::http::CALL_TIMEOUT;

/// A call that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Called {
    /// Its name.
    pub id: CallId,
    /// Which invocation of its function made it, counted from 0.
    pub invocation: u32,
    /// When, by the sandbox's clock, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Whether no other call of its function was under way when it was made.
    pub alone: bool,
}

/// One fault that is to happen to one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Which call.
    pub call: CallId,
    /// What happens to it.
    pub fault: FaultKind,
}

/// For a while nobody listens at an address: whoever connects is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outage {
    /// Whose calls are refused.
    pub function: String,
    /// What it calls.
    pub service: Service,
    /// From when on, by the sandbox's clock: milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// Until when.
    pub until_ms: u64,
}

/// An order that stands or was carried out.
struct Standing {
    order: Order,
    /// The tries of the SDK that belong to the call.
    tries: BTreeSet<String>,
    fired: bool,
}

/// A function's reads of the table that are answered once so many are under way at once.
struct Gathering {
    function: String,
    wanted: usize,
    come: watch::Sender<usize>,
}

/// What is known of the calls so far.
#[derive(Default)]
struct Ledger {
    calls: Vec<Called>,
    /// How many calls there were of each name (its occurrence is 0 here).
    counts: BTreeMap<CallId, u32>,
    /// How many calls of each function are under way.
    under_way: BTreeMap<String, u32>,
    /// How many invocations of each function have ended.
    invocations: BTreeMap<String, u32>,
    orders: Vec<Standing>,
    /// The requests, in the order in which they were asked.
    requests: Vec<String>,
}

impl Ledger {
    /// Which request a call is about: `r1` for the one that was asked first; nothing where it is about
    /// several or none.
    fn about(&mut self, path: &str, body: &[u8]) -> String {
        let text = format!("{path} {}", String::from_utf8_lossy(body));
        if let Some(id) = call::new_request(body)
            && !self.requests.contains(&id)
        {
            self.requests.push(id);
        }
        let mut named = (1..).zip(&self.requests).filter(|(_, id)| text.contains(id.as_str()));
        match (named.next(), named.next()) {
            (Some((number, _)), None) => format!("r{number}"),
            _ => String::new(),
        }
    }
}

/// Kills the running invocations of a function.
type Crash = Box<dyn Fn(&str) + Send + Sync>;

#[derive(Default)]
struct Shared {
    doors: Mutex<BTreeMap<(String, Service), Arc<Door>>>,
    ledger: Mutex<Ledger>,
    outages: Mutex<Vec<Outage>>,
    crash: Mutex<Option<Crash>>,
    gathering: Mutex<Option<Gathering>>,
    clock: OnceLock<Clock>,
}

/// A call that is under way, until it is dropped: a caller may go away before it is answered.
struct UnderWay {
    fronts: Fronts,
    function: String,
}

impl UnderWay {
    fn begin(fronts: &Fronts, function: &str) -> Self {
        *fronts.ledger().under_way.entry(function.to_owned()).or_default() += 1;
        Self { fronts: fronts.clone(), function: function.to_owned() }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(calls) = self.fronts.ledger().under_way.get_mut(&self.function) {
            *calls -= 1;
        }
    }
}

/// The addresses that each function has for itself. Clones share everything.
#[derive(Clone, Default)]
pub struct Fronts(Arc<Shared>);

impl Fronts {
    /// Orders a fault, before the sandbox is started.
    pub fn order(&self, order: Order) {
        self.ledger().orders.push(Standing { order, tries: BTreeSet::new(), fired: false });
    }

    /// Orders an outage, before the sandbox is started.
    pub fn fail(&self, outage: Outage) {
        self.0.outages.lock().unwrap_or_else(PoisonError::into_inner).push(outage);
    }

    /// From now on this function's reads of the table are answered only once so many are under way at once: if it
    /// waits for one before it makes the next, it waits for good.
    pub fn gather(&self, function: &str, wanted: usize) {
        let gathering = Gathering { function: function.to_owned(), wanted, come: watch::Sender::new(0) };
        *self.gathering() = Some(gathering);
    }

    fn gathering(&self) -> MutexGuard<'_, Option<Gathering>> {
        self.0.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until as many reads have come as are to be under way at once, where that was asked for.
    async fn gathered(&self, function: &str, part: Part, what: &str) {
        let reads = part == Part::Dynamodb && (what.starts_with("GetItem") || what.starts_with("Query"));
        let gathers = |one: &&Gathering| reads && one.function == function;
        let waits = self.gathering().as_ref().filter(gathers).map(|one| {
            one.come.send_modify(|come| *come += 1);
            (one.come.subscribe(), one.wanted)
        });
        if let Some((mut come, wanted)) = waits {
            // Where another gathering has taken its place, nobody waits for this one any more.
            let _ = come.wait_for(|come| *come >= wanted).await;
        }
    }

    /// The calls so far, in order.
    pub fn calls(&self) -> Vec<Called> {
        self.ledger().calls.clone()
    }

    /// The orders that were not carried out: their call has not come.
    pub fn unfired(&self) -> Vec<Order> {
        let orders = &self.ledger().orders;
        orders.iter().filter(|standing| !standing.fired).map(|standing| standing.order.clone()).collect()
    }

    /// The addresses of one function; they answer once the sandbox has started.
    ///
    /// # Errors
    /// No loopback port is free.
    pub(crate) fn addresses(&self, function: &str, shared: Addresses) -> std::io::Result<Addresses> {
        let mut doors = self.0.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let mut address = |service: Service| {
            let door = match doors.get(&(function.to_owned(), service)) {
                Some(door) => Arc::clone(door),
                None => {
                    let door = Arc::new(Door::reserve()?);
                    doors.insert((function.to_owned(), service), Arc::clone(&door));
                    door
                }
            };
            Ok::<_, std::io::Error>(door.address())
        };
        Ok(Addresses {
            page: shared.page,
            arm: address(Service::Arm)?,
            slack_api: address(Service::Slack)?,
            entra: address(Service::Entra)?,
            aws: address(Service::Aws)?,
        })
    }

    /// Says how a function is killed, and whose time a hanging call costs.
    pub(crate) fn attach(&self, clock: Clock, crash: impl Fn(&str) + Send + Sync + 'static) {
        *self.0.crash.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(crash));
        let _ = self.0.clock.set(clock);
    }

    /// An invocation has ended.
    pub(crate) fn ended(&self, function: &str) {
        *self.ledger().invocations.entry(function.to_owned()).or_default() += 1;
    }

    /// It is about to be this late: nobody listens where there is an outage then, and everywhere else
    /// somebody does.
    pub(crate) async fn about_to_be(&self, now_ms: u64) {
        let outages = self.0.outages.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for Outage { function, service, from_ms, until_ms } in outages {
            let Some(door) = self.door(&function, service) else { continue };
            if (from_ms..until_ms).contains(&now_ms) {
                if let Some(listening) = door.shut() {
                    let _ = listening.await;
                }
            } else {
                door.open();
            }
        }
    }

    /// Opens the doors of a service.
    pub(crate) fn serve(&self, service: Service, router: &Router) {
        let doors = self.0.doors.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((function, of), door) in doors {
            if of == service {
                let fronts = self.clone();
                let front = middleware::from_fn(move |request: Request, next: Next| {
                    fronts.clone().answer(function.clone(), service, request, next)
                });
                door.lead_to(router.clone().layer(front));
                door.open();
            }
        }
    }

    /// Shuts every door for good, and lets go of the functions, which have these addresses.
    pub(crate) fn stop(&self) {
        *self.0.crash.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let doors = std::mem::take(&mut *self.0.doors.lock().unwrap_or_else(PoisonError::into_inner));
        doors.values().for_each(|door| drop(door.shut()));
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn door(&self, function: &str, service: Service) -> Option<Arc<Door>> {
        let doors = self.0.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.get(&(function.to_owned(), service)).cloned()
    }

    async fn answer(self, function: String, service: Service, request: Request, next: Next) -> Response {
        let _under_way = UnderWay::begin(&self, &function);
        let (head, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else { return fault::cut() };
        let (part, what) = classify(service, &head.method, head.uri.path(), &head.headers, &body);
        let about = self.ledger().about(head.uri.path(), &body);
        let what = format!("{what} {about}").trim_end().to_owned();
        let of_sdk = head.headers.get("amz-sdk-invocation-id").and_then(|value| value.to_str().ok());
        let (fault, is_first) = self.note(&function, part, what.clone(), of_sdk);
        self.gathered(&function, part, &what).await;
        let carry_out = next.run(Request::from_parts(head, axum::body::Body::from(body)));
        let mut response = match fault {
            None => carry_out.await,
            Some(kind) => self.do_to(kind, part, &function, is_first, carry_out).await,
        };
        // A connection that is kept would outlast the door that is shut.
        if !self.0.outages.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Writes a call down: the fault that it meets, and whether it is the first try.
    fn note(
        &self,
        function: &str,
        part: Part,
        what: String,
        of_sdk: Option<&str>,
    ) -> (Option<FaultKind>, bool) {
        let mut ledger = self.ledger();
        let again = |standing: &&Standing| of_sdk.is_some_and(|id| standing.tries.contains(id));
        if let Some(standing) = ledger.orders.iter().find(again) {
            return (Some(standing.order.fault), false);
        }
        let mut id = CallId { function: function.to_owned(), part, what, occurrence: 0 };
        let count = ledger.counts.entry(id.clone()).or_default();
        *count += 1;
        id.occurrence = *count;
        let invocation = ledger.invocations.get(function).copied().unwrap_or_default();
        let at_ms = self.0.clock.get().map_or(0, Clock::now_ms);
        // This one is counted.
        let alone = ledger.under_way.get(function).copied().unwrap_or_default() <= 1;
        ledger.calls.push(Called { id: id.clone(), invocation, at_ms, alone });
        let ordered = ledger.orders.iter_mut().find(|standing| standing.order.call == id && !standing.fired);
        let fault = ordered.map(|standing| {
            standing.fired = true;
            standing.tries.extend(of_sdk.map(str::to_owned));
            standing.order.fault
        });
        (fault, true)
    }

    async fn do_to(
        &self,
        kind: FaultKind,
        part: Part,
        function: &str,
        is_first: bool,
        carry_out: impl Future<Output = Response> + Send,
    ) -> Response {
        let crash = || {
            let crash = self.0.crash.lock().unwrap_or_else(PoisonError::into_inner);
            crash.iter().for_each(|crash| crash(function));
        };
        match kind {
            FaultKind::Refused => fault::cut(),
            FaultKind::Error500
            | FaultKind::Throttled
            | FaultKind::ThrottledWithTime
            | FaultKind::Garbage => fault::answer(kind, part),
            FaultKind::Timeout => {
                if let (true, Some(clock)) = (is_first, self.0.clock.get()) {
                    clock.advance_ms(u64::try_from(HANGS.as_millis()).unwrap_or_default());
                }
                // Until the caller goes away.
                std::future::pending().await
            }
            FaultKind::ReplyLost => {
                carry_out.await;
                fault::cut()
            }
            FaultKind::KilledBefore => {
                crash();
                fault::cut()
            }
            FaultKind::KilledAfter => {
                carry_out.await;
                crash();
                fault::cut()
            }
        }
    }
}
