// What the page makes of what is entered in a modal: `npm test`, no browser needed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { allOptions, before, chosen, entered } from "../../sandbox/src/page/elements.js";
import { fillable } from "../../sandbox/src/page/modal.js";

const [a, b, c] = ["a", "b", "c"].map((value) => ({ text: { type: "plain_text", text: value.toUpperCase() }, value }));
const grouped = { type: "static_select", action_id: "pick", option_groups: [{ options: [a] }, { options: [b, c] }] };
const boxes = { type: "checkboxes", action_id: "tick", options: [a, b, c] };
const text = { type: "plain_text_input", action_id: "write" };

test("options of groups count in their order", () => {
  assert.deepEqual(allOptions(grouped), [a, b, c]);
  assert.deepEqual(chosen(grouped, c), [false, false, true]);
  assert.deepEqual(chosen(grouped, null), [false, false, false]);
  assert.deepEqual(chosen(boxes, [a, c]), [true, false, true]);
});

test("what is entered is what Slack has in state.values", () => {
  assert.deepEqual(entered(text, "x"), { type: "plain_text_input", value: "x" });
  assert.deepEqual(entered(text, ""), { type: "plain_text_input", value: null });
  assert.deepEqual(entered(grouped, [2]), { type: "static_select", selected_option: c });
  assert.deepEqual(entered(grouped, []), { type: "static_select", selected_option: null });
  assert.deepEqual(entered(boxes, [0, 2]), { type: "checkboxes", selected_options: [a, c] });
  assert.deepEqual(entered({ ...boxes, type: "radio_buttons" }, [1]), { type: "radio_buttons", selected_option: b });
});

test("what was submitted goes before what the app put there, also where it was taken away", () => {
  const block = { block_id: "block" };
  const view = (element, state) => ({ state: { values: { block: { [element.action_id]: state } } } });
  const made = { ...text, initial_value: "made" };
  assert.equal(before({ state: { values: {} } }, block, made), "made");
  assert.equal(before(view(made, { value: "mine" }), block, made), "mine");
  assert.equal(before(view(made, { value: null }), block, made), null);
  assert.deepEqual(before({ state: { values: {} } }, block, { ...boxes, initial_options: [b] }), [b]);
  assert.deepEqual(before({ state: { values: {} } }, block, boxes), []);
  assert.equal(before({ state: { values: {} } }, block, grouped), null);
});

test("elements that are not modelled, or tell of each change, are not filled in", () => {
  assert.equal(fillable({ element: text, dispatch_action: false }), true);
  assert.equal(fillable({ element: text, dispatch_action: true }), false);
  assert.equal(fillable({ element: { type: "datepicker" } }), false);
});
