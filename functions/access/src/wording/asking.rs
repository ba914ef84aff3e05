//! The forms by which somebody asks without typing a line: which machine, then what on it.

use super::machines::label_of;
use super::*;
use crate::click::box_of;
use crate::enabled::preselected;
use crate::request::{Justification, Malformed};

/// The form that asks which machine is meant.
pub const CHOOSE_FORM: &str = "choose_machine";

/// The form that asks for access to one.
pub const ASK_FORM: &str = "ask";

/// The most machines that one may choose among (docs.slack.dev, select menu element, options); where there are more, the
/// name is typed.
const MOST_CHOICES: usize = 100;

/// The most check boxes of one element (docs.slack.dev, checkbox group element, options).
const MOST_BOXES: usize = 10;

/// A field of these forms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskField {
    /// Which machine, chosen or typed.
    Machine,
    /// Which ports.
    Ports,
    /// From where.
    Source,
    /// For how long.
    Duration,
    /// Why.
    Reason,
}

impl AskField {
    /// Its block and its action.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Ports => "ports",
            Self::Source => "source",
            Self::Duration => "duration",
            Self::Reason => "reason",
        }
    }
}

/// The form that asks which of these machines is meant.
pub fn choose_form(machines: &[&SeenMachine]) -> Value {
    let element = if machines.len() > MOST_CHOICES || machines.is_empty() {
        json!({
            "type": "plain_text_input", "action_id": AskField::Machine.id(),
            "placeholder": plain("VM3"), "max_length": 250,
        })
    } else {
        let option = |machine: &&SeenMachine| {
            let group = machine.resource_id.resource_group().unwrap_or_default();
            json!({
                "text": plain(machine.name.as_str()),
                "description": plain(&shortened(&format!("in {group}"), 75)),
                "value": box_of(&machine.resource_id),
            })
        };
        json!({
            "type": "static_select", "action_id": AskField::Machine.id(),
            "placeholder": plain("Choose a machine"),
            "options": machines.iter().map(option).collect::<Vec<_>>(),
        })
    };
    let input = field(AskField::Machine, "Machine", None, false, &element);
    modal(CHOOSE_FORM, "Ask for access", "Next", "", &[input])
}

/// The form that asks for access to this machine. `offered`: the ports that can be asked for on it.
pub fn ask_form(machine: &SeenMachine, rule: &Rule, offered: &[u16]) -> Value {
    let group = machine.resource_id.resource_group().unwrap_or_default();
    let how_many = if rule.approvals() > 1 { format!("{} of ", rule.approvals()) } else { String::new() };
    let intro = section(&format!(
        "`{}` in `{}`. {how_many}{} can approve it.",
        machine.name,
        word(group),
        people(rule.approvers())
    ));
    let source = rule.source().map_or_else(
        || "Empty: you confirm the address that Ajar sees.".to_owned(),
        |source| format!("Empty: {source}."),
    );
    let longest =
        machine.enabled.as_ref().map_or(rule.longest(), |enabled| enabled.longest().min(rule.longest()));
    let blocks = [
        intro,
        ports_input(machine, offered),
        field(AskField::Source, "From which address", Some(&source), true, &line("203.0.113.7", "", 50)),
        field(
            AskField::Duration,
            "For how long",
            Some(&format!("At most {longest}. Like 30m, 2h or 1h30m.")),
            false,
            &line("1h", &format!("{}m", rule.duration().min(longest).minutes()), 20),
        ),
        field(
            AskField::Reason,
            "Why",
            None,
            !rule.justification_required(),
            &line("Patching for the audit", "", Justification::MAX_CHARS),
        ),
    ];
    modal(ASK_FORM, "Ask for access", "Ask", machine.resource_id.as_str(), &blocks)
}

fn ports_input(machine: &SeenMachine, offered: &[u16]) -> Value {
    let ports = AskField::Ports;
    if offered.len() > MOST_BOXES {
        let all = listed(&offered.iter().map(u16::to_string).collect::<Vec<_>>(), "and");
        let hint = format!("These can be asked for: {all}. Several have commas between them.");
        return field(ports, "Ports", Some(&shortened(&hint, 2000)), false, &line("22", "", 100));
    }
    let option = |port: &u16| json!({"text": plain(&label_of(*port)), "value": port.to_string()});
    let mut boxes = json!({
        "type": "checkboxes", "action_id": ports.id(),
        "options": offered.iter().map(option).collect::<Vec<_>>(),
    });
    let usual = |port: &&u16| {
        offered.len() == 1 || machine.system.is_some() && preselected(machine.system).contains(port)
    };
    let ticked: Vec<Value> = offered.iter().filter(usual).map(option).collect();
    if !ticked.is_empty() {
        boxes["initial_options"] = json!(ticked);
    }
    field(ports, "Ports", None, false, &boxes)
}

fn line(placeholder: &str, initial: &str, max_length: usize) -> Value {
    let mut element = json!({
        "type": "plain_text_input", "placeholder": plain(placeholder), "max_length": max_length,
    });
    if !initial.is_empty() {
        element["initial_value"] = json!(initial);
    }
    element
}

fn field(field: AskField, label: &str, hint: Option<&str>, optional: bool, element: &Value) -> Value {
    let mut element = element.clone();
    element["action_id"] = json!(field.id());
    let mut block = json!({
        "type": "input", "block_id": field.id(), "label": plain(label), "optional": optional, "element": element,
    });
    if let Some(hint) = hint {
        block["hint"] = plain(hint);
    }
    block
}

fn modal(id: &str, title: &str, submit: &str, metadata: &str, blocks: &[Value]) -> Value {
    json!({
        "type": "modal", "callback_id": id, "private_metadata": metadata,
        "title": plain(title), "submit": plain(submit), "close": plain("Cancel"), "blocks": blocks,
    })
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        text.chars().take(most - 1).chain(['…']).collect()
    }
}

/// The next form, in the place of the one that was sent off.
pub fn next_form(form: &Value) -> Value {
    json!({"response_action": "update", "view": form})
}

/// What is wrong in a field, for Slack to show beside it, as plain text.
pub fn ask_problem(field: AskField, why: &Message) -> Value {
    json!({"response_action": "errors", "errors": {field.id(): why.text.replace('`', "")}})
}

/// A field that cannot be understood.
pub fn malformed(why: &Malformed) -> Message {
    Message::sentence(format!("{}.", capital(&why.to_string())))
}

/// A duration that is none.
pub fn no_duration() -> Message {
    Message::sentence("Write a duration between 1 minute and 24 hours, like 30m, 2h or 1h30m.")
}

/// No port was chosen.
pub fn no_port() -> Message {
    Message::sentence("Choose at least one port.")
}

/// What has become of what a form asked for, in the form's place.
pub fn form_answered(answer: &Message) -> Value {
    json!({"response_action": "update", "view": {
        "type": "modal", "title": plain("Your request"), "close": plain("Close"), "blocks": answer.blocks,
    }})
}

/// A request that was refused, above the form, which stays as it was filled in.
pub fn form_above(answer: &Message) -> Value {
    json!({"response_action": "push", "view": {
        "type": "modal", "title": plain("Not asked for"), "close": plain("Back"), "blocks": answer.blocks,
    }})
}
