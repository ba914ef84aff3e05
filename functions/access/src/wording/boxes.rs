//! The check boxes under the list of machines, by which admins enable several at once.

use super::*;
use crate::click::{BOXES, ENABLE_TICKED, box_of};
use crate::command::MOST_MACHINES;
use crate::machine::Standing;
use crate::policy::{Policy, Subject};

/// The most characters of an option's text, and of its description (docs.slack.dev,
/// reference/block-kit/composition-objects/option-object).
const LONGEST: usize = 75;

/// The button below the boxes.
const BUTTON: &str = "Enable JIT on the ticked machines";

/// What is added to the list for an admin, as text and as blocks; `None` where there is nothing to tick.
pub(super) fn boxes(shown: &[&SeenMachine], policy: &Policy) -> Option<(String, Vec<Value>)> {
    let can_be_enabled = |machine: &&&SeenMachine| {
        machine.standing() == Standing::Recommended && policy.rule_for(&Subject::seen(machine)).is_ok()
    };
    let all: Vec<&SeenMachine> = shown.iter().filter(can_be_enabled).copied().collect();
    let offered = all.get(..MOST_MACHINES).unwrap_or(&all);
    if offered.is_empty() {
        return None;
    }
    let which =
        if offered.len() < all.len() { format!("some of the first {MOST_MACHINES} ") } else { String::new() };
    let how = format!("To enable several at once, tick {which}recommended machines and press *{BUTTON}*.");
    let spelled: Vec<(&SeenMachine, String)> =
        offered.iter().map(|machine| (*machine, spelled(machine, shown))).collect();
    let names: Vec<String> = spelled.iter().map(|(_, name)| format!("`{name}`")).collect();
    let text = format!("{how} The boxes: {}.", listed(&names, "and"));
    let options: Vec<Value> = spelled.iter().map(|(machine, spelled)| option(machine, spelled)).collect();
    let mut ticks = section(&how);
    ticks["block_id"] = json!(BOXES);
    ticks["accessory"] = json!({"type": "checkboxes", "action_id": BOXES, "options": options});
    let button = json!({"type": "button", "action_id": ENABLE_TICKED, "text": plain(BUTTON), "style": "primary", "accessibility_label": BUTTON});
    let actions = json!({"type": "actions", "block_id": ENABLE_TICKED, "elements": [button]});
    Some((text, vec![ticks, actions]))
}

/// `Contoso-IaaS/VM3`, with its subscription before it where another one is spelled so.
fn spelled(machine: &SeenMachine, shown: &[&SeenMachine]) -> String {
    let of = |with_subscription| MachineQuery::of(&machine.resource_id, with_subscription);
    let is_alone =
        |query: &MachineQuery| shown.iter().filter(|other| query.means(&other.resource_id)).count() == 1;
    let query = of(false).filter(is_alone).or_else(|| of(true));
    query.map_or_else(|| machine.name.to_string(), |query| query.to_string())
}

/// A box. What tells two machines of one name apart stands first below the name: what is too long is cut.
fn option(machine: &SeenMachine, spelled: &str) -> Value {
    let mut option = json!({
        "text": plain(machine.name.as_str()),
        "value": box_of(&machine.resource_id),
    });
    if let Some((place, _)) = spelled.rsplit_once('/') {
        let place: String = format!("in {place}").chars().take(LONGEST).collect();
        option["description"] = plain(&place);
    }
    option
}

/// The button was pressed and no box was ticked.
pub fn nothing_ticked() -> String {
    format!("No machine is ticked. Tick one or more, then press *{BUTTON}*.")
}

/// A box is of a machine that is not in the list any more.
pub fn box_unknown() -> String {
    "A machine that you ticked is not in the list any more. Type `/jit vms` for the machines there are now."
        .to_owned()
}
