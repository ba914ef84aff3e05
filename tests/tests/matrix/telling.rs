//! One telling of a story, with the faults that were ordered.

use crate::tale::{Faults, Tale};
use ajar_tests::Story;
use sandbox::fronts::{Called, FaultKind, Fronts, Order, Outage};
use sandbox::host::Stepped;
use serde_json::{Value, json};

/// A hanging call is waited for in real time: so much of the deployed limits is enough on one machine.
const HASTE_PERCENT: u32 = 30;

/// What became of a telling.
pub(crate) struct Told {
    /// The calls of the functions, in order.
    pub(crate) calls: Vec<Called>,
    /// The ordered faults whose call did not come.
    pub(crate) unfired: Vec<Order>,
    /// What is not as it must be after every telling.
    pub(crate) wrong: Vec<String>,
}

/// Tells a story with these faults.
pub(crate) async fn tell(tale: Tale, orders: &[Order], outage: Option<&Outage>) -> Told {
    let fronts = Fronts::default();
    orders.iter().for_each(|order| fronts.order(order.clone()));
    outage.into_iter().for_each(|outage| fronts.fail(outage.clone()));
    let hang = orders.iter().filter(|order| order.fault == FaultKind::Timeout);
    let limits_percent = hang.map(|order| (order.call.function.clone(), HASTE_PERCENT)).collect();
    let stepped = Stepped { fronts: fronts.clone(), limits_percent, ..Stepped::default() };
    let story = Story::begin_stepped(&tale.policy(), stepped).await;
    let mut wrong = vec![];
    let requests = tale.tell(&story, &Faults { fronts: &fronts, orders }, &mut wrong).await;
    let mut found = story.requests().await;
    found.sort();
    let mut asked = requests.clone();
    asked.sort();
    asked.dedup();
    if found != asked {
        wrong.push(format!("{asked:?} were asked for, and {found:?} recorded"));
    }
    for (id, closure) in requests.iter().zip(tale.closures()) {
        let events = story.history(id).await;
        let given_up = json!({"ended": {"failed": "no_answer"}});
        // An opening may be given up when two of its calls fail.
        let closure = if orders.len() > 1 && is_closed_as(&events, &given_up) { given_up } else { closure };
        wrong.extend(history(&events, &closure).into_iter().map(|why| format!("{id}: {why}")));
    }
    wrong.extend(story.judged().await);
    if outage.is_some() {
        // What fails for so long is given up by the stream's readers, and taken up by the tick.
        wrong.retain(|why| !why.starts_with("dead letters"));
    }
    Told { calls: fronts.calls(), unfired: fronts.unfired(), wrong }
}

/// The kind of an event.
fn kind(event: &Value) -> &str {
    let named = || event.as_object().and_then(|fields| fields.keys().next().map(String::as_str));
    event.as_str().or_else(named).unwrap_or_default()
}

fn is_closed_as(events: &[Value], closure: &Value) -> bool {
    events.iter().any(|event| event["closed"]["closure"] == *closure)
}

/// What is wrong with a history that must end so. That it is whole is looked at elsewhere.
fn history(events: &[Value], closure: &Value) -> Vec<String> {
    let kinds: Vec<&str> = events.iter().map(kind).collect();
    let count = |wanted: &str| kinds.iter().filter(|kind| **kind == wanted).count();
    let mut wrong = vec![];
    let mut must = |holds: bool, why: String| {
        if !holds {
            wrong.push(why);
        }
    };
    must(
        kinds.first() == Some(&"asked") && count("asked") == 1,
        format!("it does not begin with asked: {kinds:?}"),
    );
    must(count("closed") == 1, format!("it is not closed once: {kinds:?}"));
    must(count("opened") <= 1, format!("it is opened twice: {kinds:?}"));
    if let Some(closed) = events.iter().find(|event| kind(event) == "closed") {
        must(
            &closed["closed"]["closure"] == closure,
            format!("it is closed as {}, not {closure}", closed["closed"]),
        );
    }
    // What was granted says why it ends before it ends, and nothing else is ended.
    must(count("closing") == usize::from(count("approved") > 0), format!("closing: {kinds:?}"));
    if let Some(closing) = events.iter().find(|event| kind(event) == "closing") {
        must(
            closure["ended"] == closing["closing"]["cause"],
            format!("it is closing for {}", closing["closing"]),
        );
    }
    // Whatever may have been written is compared with Azure to the end.
    must(count("settled") == usize::from(count("planned") > 0), format!("settled: {kinds:?}"));
    wrong
}
