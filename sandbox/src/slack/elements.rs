//! The limits of Block Kit's interactive elements and of the objects they are made of.
//!
//! Source: Slack's own type definitions (node-slack-sdk `types/block-kit/block-elements.ts`,
//! `composition-objects.ts`) and docs.slack.dev, reference/block-kit.

use super::check::{Check, Texts};
use serde_json::Value;
use std::collections::HashSet;

/// Most characters of a text input, whether it says a limit of its own or not.
pub(super) const LONGEST_INPUT: usize = 3000;

/// Where an element stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Actions,
    Accessory,
    Input,
}

/// Checks one element; `action_ids` are those already met in the same block.
///
/// Elements that this simulator has no use for (rich text, files, workflow buttons, external and
/// conversation selects) are refused like unknown ones.
pub(super) fn element(
    check: &mut Check,
    element: &Value,
    at: &str,
    place: Place,
    action_ids: &mut HashSet<String>,
) {
    let Some(kind) = element.get("type").and_then(Value::as_str) else {
        check.wrong("missing required field: type", at);
        return;
    };
    let input_only = kind == "plain_text_input";
    let never_input = matches!(kind, "button" | "overflow" | "image");
    let misplaced = match place {
        Place::Input => never_input,
        Place::Actions => input_only || matches!(kind, "image" | "multi_static_select"),
        Place::Accessory => input_only,
    };
    if misplaced {
        check.wrong(&format!("unsupported type: {kind}"), &format!("{at}/type"));
        return;
    }
    match kind {
        "image" => image(check, element, at),
        "button" => button(check, element, at),
        "static_select" => {
            let known = ["action_id", "options", "option_groups", "initial_option", "placeholder", "confirm"];
            check.fields(element, at, &[&known[..], &["focus_on_load"]].concat());
            select_options(check, element, at);
            initially_chosen(check, element, at);
        }
        "multi_static_select" => {
            let known =
                ["action_id", "options", "option_groups", "initial_options", "placeholder", "confirm"];
            check.fields(element, at, &[&known[..], &["focus_on_load", "max_selected_items"]].concat());
            select_options(check, element, at);
            initially_chosen(check, element, at);
            if element
                .get("max_selected_items")
                .is_some_and(|most| most.as_u64().is_none_or(|most| most == 0))
            {
                check.wrong("must be more than 0", &format!("{at}/max_selected_items"));
            }
        }
        "overflow" => {
            check.fields(element, at, &["action_id", "options", "confirm"]);
            options(check, element, at, 1, 5, Texts::Plain);
        }
        "radio_buttons" | "checkboxes" => {
            let initial = if kind == "checkboxes" { "initial_options" } else { "initial_option" };
            check.fields(element, at, &["action_id", "options", "confirm", "focus_on_load", initial]);
            options(check, element, at, 1, 10, Texts::Any);
            initially_chosen(check, element, at);
        }
        "users_select" => {
            let known = ["action_id", "initial_user", "placeholder", "confirm", "focus_on_load"];
            check.fields(element, at, &known);
        }
        "datepicker" | "timepicker" => {
            let known = ["action_id", "initial_date", "initial_time", "placeholder", "confirm", "timezone"];
            check.fields(element, at, &[&known[..], &["focus_on_load"]].concat());
        }
        "plain_text_input" => text_input(check, element, at),
        unknown => check.wrong(&format!("unsupported type: {unknown}"), &format!("{at}/type")),
    }
    check.text(element, "placeholder", at, Texts::Plain, 150);
    confirm(check, element, at);
    check.string(element, "action_id", at, 255);
    if let Some(id) = element.get("action_id").and_then(Value::as_str)
        && !action_ids.insert(id.to_owned())
    {
        check.wrong(&format!("action_id {id} already exists in this block"), &format!("{at}/action_id"));
    }
}

/// An image, as a block's accessory or in a context block. Its title belongs to the image *block*.
pub(super) fn image(check: &mut Check, image: &Value, at: &str) {
    check.fields(image, at, &["image_url", "slack_file", "alt_text"]);
    image_source(check, image, at);
}

/// Where an image comes from, and the text for whoever cannot see it.
pub(super) fn image_source(check: &mut Check, image: &Value, at: &str) {
    if image.get("slack_file").is_none() {
        check.required_string(image, "image_url", at, 3000);
    }
    check.required_string(image, "alt_text", at, 2000);
}

fn button(check: &mut Check, button: &Value, at: &str) {
    let known = ["text", "action_id", "url", "value", "style", "confirm", "accessibility_label"];
    check.fields(button, at, &known);
    check.required_text(button, "text", at, Texts::Plain, 75);
    check.string(button, "value", at, 2000);
    check.string(button, "url", at, 3000);
    check.string(button, "accessibility_label", at, 75);
    check.one_of(button, "style", at, &["primary", "danger"]);
}

fn confirm(check: &mut Check, element: &Value, at: &str) {
    let Some(dialog) = element.get("confirm").filter(|dialog| !dialog.is_null()) else { return };
    let at = format!("{at}/confirm");
    check.fields(dialog, &at, &["title", "text", "confirm", "deny", "style"]);
    check.required_text(dialog, "title", &at, Texts::Plain, 100);
    check.required_text(dialog, "text", &at, Texts::Any, 300);
    check.required_text(dialog, "confirm", &at, Texts::Plain, 30);
    check.required_text(dialog, "deny", &at, Texts::Plain, 30);
    check.one_of(dialog, "style", &at, &["primary", "danger"]);
}

fn text_input(check: &mut Check, input: &Value, at: &str) {
    let known = ["action_id", "initial_value", "multiline", "min_length", "max_length", "placeholder"];
    check.fields(input, at, &[&known[..], &["focus_on_load", "dispatch_action_config"]].concat());
    // It may be empty, unlike the strings of blocks.
    if input.get("initial_value").and_then(Value::as_str) != Some("") {
        check.string(input, "initial_value", at, LONGEST_INPUT);
    }
    for (field, least) in [("min_length", 0), ("max_length", 1)] {
        if let Some(length) = input.get(field)
            && !length.as_u64().is_some_and(|length| (least..=LONGEST_INPUT as u64).contains(&length))
        {
            let what = format!("must be between {least} and {LONGEST_INPUT}");
            check.wrong(&what, &format!("{at}/{field}"));
        }
    }
}

/// A select has options or groups of options.
fn select_options(check: &mut Check, select: &Value, at: &str) {
    if select.get("option_groups").is_none() {
        options(check, select, at, 1, 100, Texts::Plain);
        return;
    }
    let groups = check.list(select, "option_groups", at, 1, 100);
    for (index, group) in groups.iter().enumerate() {
        let at = format!("{at}/option_groups/{index}");
        check.fields(group, &at, &["label", "options"]);
        check.required_text(group, "label", &at, Texts::Plain, 75);
        options(check, group, &at, 1, 100, Texts::Plain);
    }
}

/// All options of an element, those of its groups included.
pub(super) fn all_options(element: &Value) -> impl Iterator<Item = &Value> {
    let grouped = entries(element, "option_groups").iter().flat_map(|group| entries(group, "options"));
    entries(element, "options").iter().chain(grouped)
}

fn entries<'a>(holder: &'a Value, field: &str) -> &'a [Value] {
    holder.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// What is chosen at first is one of the options, word for word.
fn initially_chosen(check: &mut Check, element: &Value, at: &str) {
    let one = element.get("initial_option").filter(|option| !option.is_null());
    let one = one.map(|option| (option, format!("{at}/initial_option")));
    let several = check.list(element, "initial_options", at, 0, usize::MAX).iter().enumerate();
    let several = several.map(|(index, option)| (option, format!("{at}/initial_options/{index}")));
    for (initial, at) in one.into_iter().chain(several) {
        if !all_options(element).any(|option| option == initial) {
            check.wrong("must match one of the options", &at);
        }
    }
}

fn options(check: &mut Check, holder: &Value, at: &str, least: usize, most: usize, texts: Texts) {
    for (index, option) in check.list(holder, "options", at, least, most).iter().enumerate() {
        let at = format!("{at}/options/{index}");
        check.fields(option, &at, &["text", "value", "description", "url"]);
        check.required_text(option, "text", &at, texts, 75);
        check.required_string(option, "value", &at, 150);
        check.text(option, "description", &at, texts, 75);
    }
}
