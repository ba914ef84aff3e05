//! What a person has entered in a modal or a message: `state.values`, and what Slack itself does not let
//! anybody submit (docs.slack.dev, reference/block-kit/block-elements, reference/interaction-payloads).
//!
//! What Slack sends of an element that nobody has touched and that has no initial value is in no page
//! of its documentation. `null`, and an empty list where several things can be chosen, is what
//! recorded payloads have.

use super::elements::{LONGEST_INPUT, all_options};
use serde_json::{Map, Value, json};

/// Why Slack does not let a person submit what is in a block.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WhyNot {
    /// The block is not `optional`. The sentence is Slack's.
    #[error("Please complete this required field.")]
    Empty,
    /// The text has fewer characters than `min_length`.
    #[error("Please enter at least {0} characters.")]
    TooShort(u64),
    /// The text has more characters than `max_length`, or than any text may have.
    #[error("Please enter at most {0} characters.")]
    TooLong(u64),
    /// More is chosen than `max_selected_items`.
    #[error("Please choose at most {0}.")]
    TooMany(u64),
    /// There is no such element; nobody can have filled it in.
    #[error("there is no element {0} here")]
    NoSuchElement(String),
    /// The element does not offer this option, or it is there twice.
    #[error("{0} cannot be chosen here")]
    NoSuchOption(String),
    /// Not what `state.values` holds for such an element.
    #[error("this is no value of a {0}")]
    NoValue(String),
    /// The sandbox cannot fill this element in: it is of a kind that is not modelled, or Slack would
    /// tell the app of each change with `block_actions`.
    #[error("the sandbox cannot fill in this {0}")]
    CannotFillIn(String),
}

/// A block that keeps a person from submitting a modal.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{block_id}: {why}")]
pub struct FieldProblem {
    /// The block.
    pub block_id: String,
    /// What is wrong with what is in it.
    pub why: WhyNot,
}

/// An element of a view that has a state.
struct Field<'a> {
    block: &'a Value,
    element: &'a Value,
}

impl<'a> Field<'a> {
    /// All of them. Since 2020 those outside of `input` blocks count as well
    /// (docs.slack.dev, changelog/2020-09-full-state-on-view-submisson-and-block-actions).
    fn all(view: &'a Value) -> impl Iterator<Item = Self> {
        let blocks = view["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
        blocks.iter().flat_map(|block| {
            let several = block["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
            let elements = [&block["element"], &block["accessory"]].into_iter().chain(several);
            elements.filter(|element| names(element).is_some()).map(move |element| Self { block, element })
        })
    }

    fn block_id(&self) -> &'a str {
        self.block["block_id"].as_str().unwrap_or_default()
    }

    fn action_id(&self) -> &'a str {
        self.element["action_id"].as_str().unwrap_or_default()
    }

    fn kind(&self) -> &'a str {
        self.element["type"].as_str().unwrap_or_default()
    }

    /// What stands in it in this view, before the person changes anything.
    fn before(&self, view: &Value) -> Value {
        match view["state"]["values"][self.block_id()].get(self.action_id()) {
            Some(entered) => entered.clone(),
            None => self.initial(),
        }
    }

    /// What stands in it as the app has made it.
    fn initial(&self) -> Value {
        let Some((initial, name)) = names(self.element) else { return Value::Null };
        let value = self.element.get(initial).filter(|value| !value.is_null() && **value != "");
        let nothing = if name == "selected_options" { json!([]) } else { Value::Null };
        self.state(name, value.unwrap_or(&nothing))
    }

    fn state(&self, name: &str, value: &Value) -> Value {
        json!({ "type": self.kind(), name: value })
    }

    /// Whether Slack tells the app of each change of it, and not only when a modal is submitted.
    fn tells(&self) -> bool {
        self.block["type"] != "input" || self.block["dispatch_action"] == true
    }

    /// What the person enters, as Slack sends it.
    fn entered(&self, given: &Value) -> Result<Value, WhyNot> {
        let no_value = || WhyNot::NoValue(self.kind().to_owned());
        let cannot = Err(WhyNot::CannotFillIn(self.kind().to_owned()));
        if given.get("type").is_some_and(|kind| kind != self.kind()) {
            return Err(no_value());
        }
        let Some((_, name)) = names(self.element) else { return cannot };
        let value = given.get(name).ok_or_else(no_value)?;
        let value = match (self.kind(), value) {
            ("plain_text_input", Value::Null) => Value::Null,
            ("plain_text_input", Value::String(text)) if text.is_empty() => Value::Null,
            ("plain_text_input", Value::String(text)) => {
                if text.contains('\n') && self.element["multiline"] != true {
                    return Err(no_value());
                }
                value.clone()
            }
            ("static_select" | "radio_buttons", Value::Null) => Value::Null,
            ("static_select" | "radio_buttons", option) => self.option(option)?.clone(),
            ("checkboxes" | "multi_static_select", Value::Array(options)) => {
                let mut chosen: Vec<&Value> = Vec::new();
                for option in options {
                    let option = self.option(option)?;
                    if chosen.contains(&option) {
                        return Err(WhyNot::NoSuchOption(option["value"].to_string()));
                    }
                    chosen.push(option);
                }
                json!(chosen)
            }
            ("plain_text_input" | "checkboxes" | "multi_static_select", _) => return Err(no_value()),
            _ => return cannot,
        };
        Ok(self.state(name, &value))
    }

    /// The option that is meant: Slack's clients tell options apart by their `value`.
    fn option(&self, given: &Value) -> Result<&'a Value, WhyNot> {
        let value = given.get("value").ok_or_else(|| WhyNot::NoValue(self.kind().to_owned()))?;
        let mut options = all_options(self.element);
        options
            .find(|option| &option["value"] == value)
            .ok_or_else(|| WhyNot::NoSuchOption(value.to_string()))
    }

    /// Whether this may be submitted.
    fn check(&self, state: &Value) -> Result<(), WhyNot> {
        let Some((_, name)) = names(self.element) else { return Ok(()) };
        let value = &state[name];
        if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
            let needed = self.block["type"] == "input" && self.block["optional"] != true;
            let fillable = !matches!(name, "selected_user" | "selected_date" | "selected_time");
            return match (needed, fillable) {
                (false, _) => Ok(()),
                (true, true) => Err(WhyNot::Empty),
                (true, false) => Err(WhyNot::CannotFillIn(self.kind().to_owned())),
            };
        }
        let limit = |field: &str| self.element.get(field).and_then(Value::as_u64);
        if let Some(text) = value.as_str().filter(|_| name == "value") {
            let characters = text.chars().count() as u64;
            let least = limit("min_length").unwrap_or_default();
            let most = limit("max_length").unwrap_or(LONGEST_INPUT as u64);
            if characters < least {
                return Err(WhyNot::TooShort(least));
            }
            if characters > most {
                return Err(WhyNot::TooLong(most));
            }
        }
        match (value.as_array(), limit("max_selected_items")) {
            (Some(chosen), Some(most)) if chosen.len() as u64 > most => Err(WhyNot::TooMany(most)),
            _ => Ok(()),
        }
    }
}

/// What an element's state is called where the app gives it, and where Slack tells it; `None` for one
/// that has no state.
fn names(element: &Value) -> Option<(&'static str, &'static str)> {
    match element["type"].as_str()? {
        "plain_text_input" => Some(("initial_value", "value")),
        "static_select" | "radio_buttons" => Some(("initial_option", "selected_option")),
        "checkboxes" | "multi_static_select" => Some(("initial_options", "selected_options")),
        "users_select" => Some(("initial_user", "selected_user")),
        "datepicker" => Some(("initial_date", "selected_date")),
        "timepicker" => Some(("initial_time", "selected_time")),
        _ => None,
    }
}

/// `state.values` of a view in which a person has changed what `given` says: all elements that have a
/// state, the others as they are.
///
/// # Errors
///
/// Each block that Slack does not let the person submit.
pub(super) fn filled_in(view: &Value, given: &Value) -> Result<Value, Vec<FieldProblem>> {
    let mut problems = strangers(view, given);
    let mut values = json!({});
    for field in Field::all(view) {
        let state = match given.get(field.block_id()).and_then(|block| block.get(field.action_id())) {
            Some(_) if field.tells() => Err(WhyNot::CannotFillIn(field.kind().to_owned())),
            Some(given) => field.entered(given),
            None => Ok(field.before(view)),
        };
        match state.and_then(|state| field.check(&state).map(|()| state)) {
            Ok(state) => values[field.block_id()][field.action_id()] = state,
            Err(why) => problems.push(FieldProblem { block_id: field.block_id().to_owned(), why }),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// `state.values` of what a person has before them: all elements that have a state.
pub(super) fn values(view: &Value) -> Value {
    let mut values = json!({});
    for field in Field::all(view) {
        values[field.block_id()][field.action_id()] = field.before(view);
    }
    values
}

/// What stands in an element of a message once a person has chosen this.
///
/// # Errors
///
/// The message has no such element, or it does not hold this. What is written into an input block of a message is not
/// modelled.
pub(super) fn chosen(view: &Value, block_id: &str, action_id: &str, given: &Value) -> Result<Value, WhyNot> {
    let mut fields = Field::all(view);
    let meant = fields.find(|field| (field.block_id(), field.action_id()) == (block_id, action_id));
    let field = meant.ok_or_else(|| WhyNot::NoSuchElement(action_id.to_owned()))?;
    if !field.tells() {
        return Err(WhyNot::CannotFillIn(field.kind().to_owned()));
    }
    let state = field.entered(given)?;
    field.check(&state).map(|()| state)
}

/// What is given for elements that the view does not have.
fn strangers(view: &Value, given: &Value) -> Vec<FieldProblem> {
    let nothing = Map::new();
    let mut problems = Vec::new();
    for (block_id, actions) in given.as_object().unwrap_or(&nothing) {
        for action_id in actions.as_object().unwrap_or(&nothing).keys() {
            let known =
                Field::all(view).any(|field| (field.block_id(), field.action_id()) == (block_id, action_id));
            if !known {
                let why = WhyNot::NoSuchElement(action_id.clone());
                problems.push(FieldProblem { block_id: block_id.clone(), why });
            }
        }
    }
    problems
}

/// What stays entered when `after` takes the place of `before`: what is in elements with the same
/// block, id and kind (docs.slack.dev, reference/views/modal-views: "Preserving `input` entry").
pub(super) fn kept(before: &Value, after: &Value) -> Value {
    let mut values = json!({});
    for field in Field::all(after) {
        let entered = &before["state"]["values"][field.block_id()][field.action_id()];
        if entered["type"] == field.kind() {
            values[field.block_id()][field.action_id()] = entered.clone();
        }
    }
    values
}
