//! The limits of Block Kit's blocks, of messages and of modals.
//!
//! Source: Slack's own type definitions (node-slack-sdk `types/block-kit/blocks.ts`), docs.slack.dev
//! (reference/block-kit, surfaces/modals, methods/views.open).

use super::check::{Check, Texts};
use super::elements::{Place, element, image, image_source};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Most blocks of a message.
const MESSAGE_BLOCKS: usize = 50;
/// Most blocks of a modal.
const VIEW_BLOCKS: usize = 100;

/// What is wrong with a message's blocks; empty when nothing is.
pub(super) fn message_problems(blocks: &[Value]) -> Vec<String> {
    let mut check = Check::default();
    check.count(blocks.len(), "/blocks", 0, MESSAGE_BLOCKS);
    check_blocks(&mut check, blocks, "/blocks");
    check.problems
}

/// What is wrong with a modal; empty when nothing is.
pub(super) fn view_problems(view: &Value) -> Vec<String> {
    let mut check = Check::default();
    let at = "/view";
    let known = [
        "title",
        "submit",
        "close",
        "blocks",
        "private_metadata",
        "callback_id",
        "external_id",
        "clear_on_close",
        "notify_on_close",
        "submit_disabled",
    ];
    check.fields(view, at, &known);
    check.required(view, "type", at);
    check.one_of(view, "type", at, &["modal"]);
    check.required_text(view, "title", at, Texts::Plain, 24);
    check.text(view, "submit", at, Texts::Plain, 24);
    check.text(view, "close", at, Texts::Plain, 24);
    for (field, most) in [("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)] {
        // All three may be empty, unlike the strings of blocks.
        if view.get(field).and_then(Value::as_str) != Some("") {
            check.string(view, field, at, most);
        }
    }
    let blocks = check.list(view, "blocks", at, 1, VIEW_BLOCKS);
    if blocks.iter().any(|block| block["type"] == "input") {
        check.required(view, "submit", at);
    }
    check_blocks(&mut check, blocks, "/view/blocks");
    check.problems
}

fn check_blocks(check: &mut Check, blocks: &[Value], at: &str) {
    let mut block_ids = HashSet::new();
    let mut markdown = 0;
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("{at}/{index}");
        check.string(block, "block_id", &at, 255);
        if let Some(id) = block.get("block_id").and_then(Value::as_str)
            && !block_ids.insert(id)
        {
            check.wrong(&format!("block_id {id} already exists"), &format!("{at}/block_id"));
        }
        if block["type"] == "markdown" {
            markdown += block["text"].as_str().unwrap_or_default().chars().count();
        }
        check_block(check, block, &at);
    }
    // The 12,000 characters are for all markdown blocks of a message together.
    if markdown > 12_000 {
        check.wrong("must be less than 12001 characters", at);
    }
}

/// Blocks that this simulator has no use for (rich_text, video, file, table ...) are refused like
/// unknown ones.
fn check_block(check: &mut Check, block: &Value, at: &str) {
    let Some(kind) = block.get("type").and_then(Value::as_str) else {
        check.wrong("missing required field: type", at);
        return;
    };
    match kind {
        "section" => section(check, block, at),
        "divider" => check.fields(block, at, &["block_id"]),
        "header" => {
            check.fields(block, at, &["block_id", "text"]);
            check.required_text(block, "text", at, Texts::Plain, 150);
        }
        "context" => {
            check.fields(block, at, &["block_id", "elements"]);
            for (index, entry) in check.list(block, "elements", at, 1, 10).iter().enumerate() {
                let at = format!("{at}/elements/{index}");
                if entry["type"] == "image" {
                    image(check, entry, &at);
                } else {
                    check.text_object(entry, &at, Texts::Any, 3000);
                }
            }
        }
        "actions" => {
            check.fields(block, at, &["block_id", "elements"]);
            let mut action_ids = HashSet::new();
            for (index, entry) in check.list(block, "elements", at, 1, 25).iter().enumerate() {
                element(check, entry, &format!("{at}/elements/{index}"), Place::Actions, &mut action_ids);
            }
        }
        "image" => {
            check.fields(block, at, &["block_id", "image_url", "slack_file", "alt_text", "title"]);
            image_source(check, block, at);
            check.text(block, "title", at, Texts::Plain, 2000);
        }
        "input" => {
            let known = ["block_id", "label", "element", "hint", "optional", "dispatch_action"];
            check.fields(block, at, &known);
            check.required_text(block, "label", at, Texts::Plain, 2000);
            check.text(block, "hint", at, Texts::Plain, 2000);
            check.required(block, "element", at);
            if let Some(entry) = block.get("element") {
                element(check, entry, &format!("{at}/element"), Place::Input, &mut HashSet::new());
            }
        }
        "markdown" => {
            check.fields(block, at, &["block_id", "text"]);
            check.required_string(block, "text", at, 12_000);
        }
        unknown => check.wrong(&format!("unsupported type: {unknown}"), &format!("{at}/type")),
    }
}

fn section(check: &mut Check, block: &Value, at: &str) {
    check.fields(block, at, &["block_id", "text", "fields", "accessory", "expand"]);
    if block.get("text").is_none() && block.get("fields").is_none() {
        check.wrong("missing required field: text", at);
    }
    check.text(block, "text", at, Texts::Any, 3000);
    if block.get("fields").is_some() {
        for (index, field) in check.list(block, "fields", at, 1, 10).iter().enumerate() {
            check.text_object(field, &format!("{at}/fields/{index}"), Texts::Any, 2000);
        }
    }
    if let Some(entry) = block.get("accessory") {
        element(check, entry, &format!("{at}/accessory"), Place::Accessory, &mut HashSet::new());
    }
}

/// Blocks as Slack keeps and returns them: ids given where the app gave none, and the flags of text
/// objects, input blocks and text inputs at their defaults. `next_id` makes ids.
pub(super) fn filled_in(mut blocks: Vec<Value>, next_id: &mut dyn FnMut() -> String) -> Vec<Value> {
    for block in &mut blocks {
        if block.get("block_id").is_none() {
            block["block_id"] = json!(next_id());
        }
        fill_in(block, next_id);
    }
    blocks
}

/// As [`filled_in`], for any part of a message or a view.
pub(super) fn fill_in(value: &mut Value, next_id: &mut dyn FnMut() -> String) {
    match value {
        Value::Array(entries) => entries.iter_mut().for_each(|entry| fill_in(entry, next_id)),
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
            match kind.as_str() {
                "plain_text" => _ = object.entry("emoji").or_insert(json!(true)),
                "mrkdwn" => _ = object.entry("verbatim").or_insert(json!(false)),
                "input" => {
                    object.entry("optional").or_insert(json!(false));
                    object.entry("dispatch_action").or_insert(json!(false));
                }
                "button"
                | "static_select"
                | "multi_static_select"
                | "overflow"
                | "radio_buttons"
                | "checkboxes"
                | "users_select"
                | "datepicker"
                | "timepicker"
                | "plain_text_input" => {
                    object.entry("action_id").or_insert_with(|| json!(next_id()));
                }
                _ => {}
            }
            if kind == "plain_text_input" {
                let on_enter = json!({ "trigger_actions_on": ["on_enter_pressed"] });
                object.entry("dispatch_action_config").or_insert(on_enter);
            }
            object.values_mut().for_each(|value| fill_in(value, next_id));
        }
        _ => {}
    }
}

/// The button with this action id in this block of a message.
pub(super) fn find_button<'a>(blocks: &'a [Value], block_id: &str, action_id: &str) -> Option<&'a Value> {
    let block = blocks.iter().find(|block| block["block_id"] == block_id)?;
    let elements = block.get("elements").and_then(Value::as_array).into_iter().flatten();
    elements
        .chain(block.get("accessory"))
        .find(|element| element["type"] == "button" && element["action_id"] == action_id)
}
