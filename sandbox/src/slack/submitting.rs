//! A person submits or closes the modal that is open: what Slack sends, and what the app's answer does
//! (docs.slack.dev, surfaces/modals, reference/interaction-payloads/view-interactions-payload).

use super::Slack;
use super::form::{self, FieldProblem};
use super::outgoing::{NotPossible, Reply, acknowledged, with_sender};
use super::store::{Received, Store};
use super::views::{self, Place};
use super::world;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why a modal was not submitted; nothing was sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotSubmitted {
    /// There is nothing that this person could submit.
    #[error(transparent)]
    NotPossible(#[from] NotPossible),
    /// Slack refuses what is in these blocks. They are in the order of the modal, after those that it
    /// does not have.
    #[error("{}", said(.0))]
    Fields(Vec<FieldProblem>),
}

fn said(problems: &[FieldProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What became of a submitted modal.
#[derive(Clone, Debug)]
pub struct SubmitOutcome {
    /// The HTTP status of the app's answer; `None` when none came in time.
    pub status: Option<u16>,
    /// A name for the failure; the person reads "We had some trouble connecting. Try again?" and the
    /// modal stays as it is. `None` when the app gave an answer that Slack takes.
    pub error: Option<&'static str>,
    /// What the app says is wrong, by block; the modal stays open then.
    pub errors: BTreeMap<String, String>,
    /// The view that the person sees now; `None` when the modal is closed.
    pub view: Option<Value>,
    /// The `trigger_id` that was sent.
    pub trigger_id: String,
}

/// What became of a modal that was closed. The person sees nothing of how the app took it.
#[derive(Clone, Debug)]
pub struct CloseOutcome {
    /// Whether the app was told: only where the view's `notify_on_close` is true.
    pub notified: bool,
    /// The HTTP status of the app's answer; `None` when it was not told or none came in time.
    pub status: Option<u16>,
    /// A name for the failure; `None` when the app was not told or took it.
    pub error: Option<&'static str>,
    /// The view that the person sees now: the one that was below, if there was one.
    pub view: Option<Value>,
}

impl Slack {
    /// Somebody submits the modal that is open. `values` is what the person has changed since it was
    /// shown, as `state.values` has it: by block and by action, the objects that Slack sends; an option
    /// is found by its `value`. Whatever is not named stays as it is. Returns when the app has answered
    /// or the time is over; what the person sees then is already in [`Slack::state`]. Dropping the
    /// future does not take it back.
    ///
    /// # Errors
    ///
    /// When there is nothing to submit, or Slack itself refuses what is filled in.
    pub async fn submit_view(&self, user: &str, values: &Value) -> Result<SubmitOutcome, NotSubmitted> {
        let person = world::person(user).ok_or(NotPossible::NoSuchPerson)?;
        let url = self.0.addresses().interaction_url;
        if url.is_empty() {
            return Err(NotPossible::NoAddress.into());
        }
        let (payload, view_id, trigger_id) = {
            let mut store = self.0.store();
            let view = store.modals.get_mut(user).and_then(|stack| stack.last_mut());
            let view = view.ok_or(NotPossible::NoView)?;
            if view["submit"].is_null() {
                return Err(NotPossible::NoSubmit.into());
            }
            let entered = form::filled_in(view, values).map_err(NotSubmitted::Fields)?;
            view["state"]["values"] = entered;
            let view = view.clone();
            let trigger_id = self.0.new_trigger(&mut store, user);
            self.0.save(&store);
            let view_id = view["id"].as_str().unwrap_or_default().to_owned();
            let payload = json!({
                "type": "view_submission", "trigger_id": trigger_id, "view": view, "response_urls": [],
            });
            (with_sender(person, payload), view_id, trigger_id)
        };
        let (slack, user) = (self.clone(), user.to_owned());
        let delivery = tokio::spawn(async move {
            let reply = slack.interact(&url, &payload).await;
            let status = reply.as_ref().ok().map(|reply| reply.status);
            let answered = reply.and_then(acknowledged);
            let answered = answered.and_then(|reply| slack.view_answer(&user, &view_id, &reply));
            (status, answered, slack.0.store().view_of(&user).cloned())
        });
        let (status, answered, view) = delivery.await.unwrap_or((None, Err("internal_error"), None));
        let (error, errors) = match answered {
            Ok(errors) => (None, errors),
            Err(error) => (Some(error), BTreeMap::new()),
        };
        Ok(SubmitOutcome { status, error, errors, view, trigger_id })
    }

    /// Somebody closes the view that is in front, with its button or the Escape key: the view below
    /// comes back, unless the view says `clear_on_close`. Returns when the app, where it wants to know,
    /// has answered or the time is over. Dropping the future does not take it back.
    ///
    /// # Errors
    ///
    /// When there is nothing to close.
    pub async fn close_view(&self, user: &str) -> Result<CloseOutcome, NotPossible> {
        let person = world::person(user).ok_or(NotPossible::NoSuchPerson)?;
        let url = self.0.addresses().interaction_url;
        if url.is_empty() {
            return Err(NotPossible::NoAddress);
        }
        let (mut closed, view) = {
            let mut store = self.0.store();
            let closed = store.modals.get_mut(user).and_then(Vec::pop).ok_or(NotPossible::NoView)?;
            if closed["clear_on_close"] == true {
                store.modals.remove(user);
            }
            self.0.save(&store);
            (closed, store.view_of(user).cloned())
        };
        if closed["notify_on_close"] != true {
            return Ok(CloseOutcome { notified: false, status: None, error: None, view });
        }
        // What was entered and not submitted is nobody's business.
        closed["state"] = json!({ "values": {} });
        let cleared = closed["clear_on_close"].clone();
        let payload = json!({ "type": "view_closed", "view": closed, "is_cleared": cleared });
        let (slack, payload) = (self.clone(), with_sender(person, payload));
        let delivery = tokio::spawn(async move { slack.interact(&url, &payload).await });
        let reply = delivery.await.unwrap_or(Err("internal_error"));
        let status = reply.as_ref().ok().map(|reply| reply.status);
        Ok(CloseOutcome { notified: true, status, error: reply.and_then(acknowledged).err(), view })
    }

    /// Does what the app answers to a submitted view. Returns what the app says is wrong, by block.
    fn view_answer(
        &self,
        user: &str,
        view_id: &str,
        reply: &Reply,
    ) -> Result<BTreeMap<String, String>, &'static str> {
        let store = &mut *self.0.store();
        // Meanwhile the person may have closed it; then there is nothing that an answer could change.
        let place =
            store.modals.get(user).and_then(|stack| stack.iter().position(|view| view["id"] == view_id));
        if reply.body.is_empty() {
            if let (Some(place), Some(stack)) = (place, store.modals.get_mut(user)) {
                stack.truncate(place);
            }
            self.0.save(store);
            return Ok(BTreeMap::new());
        }
        let body = serde_json::from_slice::<Value>(&reply.body).ok().filter(|_| reply.json);
        let result = match &body {
            Some(body) => self.carry_out(store, user, place, body),
            None => Err("invalid_view_response"),
        };
        let received = Received {
            method: "view_answer",
            user: Some(user),
            channel: None,
            ts: None,
            body: &body.unwrap_or_else(|| json!(String::from_utf8_lossy(&reply.body))),
            error: result.as_ref().err().copied(),
        };
        self.0.record(store, &received);
        self.0.save(store);
        result
    }

    /// Carries out a `response_action`. An object without one is refused: an app closes a view with an
    /// empty body.
    fn carry_out(
        &self,
        store: &mut Store,
        user: &str,
        place: Option<usize>,
        body: &Value,
    ) -> Result<BTreeMap<String, String>, &'static str> {
        let Some(place) = place else { return Ok(BTreeMap::new()) };
        let stack = store.modals.get(user).cloned().unwrap_or_default();
        let view = &stack[place];
        match body["response_action"].as_str() {
            Some("errors") => return errors(view, &body["errors"]).ok_or("invalid_view_response"),
            Some("clear") => _ = store.modals.remove(user),
            Some("update") => {
                views::check(store, &body["view"], view["id"].as_str()).map_err(|failure| failure.error)?;
                let shown = views::shown(&self.0, store, &body["view"], Place::InsteadOf(view));
                let mut stack = stack.clone();
                stack[place] = shown;
                store.modals.insert(user.to_owned(), stack);
            }
            Some("push") => {
                if place + 1 == views::DEEPEST {
                    return Err("push_limit_reached");
                }
                views::check(store, &body["view"], None).map_err(|failure| failure.error)?;
                let shown = views::shown(&self.0, store, &body["view"], Place::Over(view));
                let below = stack[..=place].iter().cloned();
                store.modals.insert(user.to_owned(), below.chain([shown]).collect());
            }
            _ => return Err("invalid_view_response"),
        }
        Ok(BTreeMap::new())
    }
}

/// What the app says is wrong: a text for each block, which must be one that a person fills in.
fn errors(view: &Value, given: &Value) -> Option<BTreeMap<String, String>> {
    let blocks = view["blocks"].as_array()?;
    let is_input = |id: &str| blocks.iter().any(|block| block["type"] == "input" && block["block_id"] == id);
    let given = given.as_object().filter(|given| !given.is_empty())?;
    given
        .iter()
        .map(|(id, text)| Some((id.clone(), text.as_str().filter(|_| is_input(id))?.to_owned())))
        .collect()
}
