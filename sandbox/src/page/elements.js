// Texts, and elements in which something is chosen, of modals and messages alike.
import { make, mrkdwn, unescape } from "./mrkdwn.js";

/** A text object. plain_text has no markup but emoji, and escapes. */
export function text(object, view) {
  if (object.type === "mrkdwn") return mrkdwn(object.text, view.names, view.nowMs, { verbatim: object.verbatim });
  const parts = unescape(object.text).split("\n");
  return parts.flatMap((part, index) => (index === 0 ? [document.createTextNode(part)] : [make("br"), document.createTextNode(part)]));
}

/** An element that holds a text object. */
export function withText(name, className, object, view) {
  const element = make(name, className);
  element.append(...text(object, view));
  return element;
}

/** The state of an element is called this where the app gives it, and where Slack tells it. */
export const NAMES = {
  plain_text_input: ["initial_value", "value"],
  static_select: ["initial_option", "selected_option"],
  radio_buttons: ["initial_option", "selected_option"],
  checkboxes: ["initial_options", "selected_options"],
  multi_static_select: ["initial_options", "selected_options"],
};

/** All options of an element, those of its groups included, in the order in which they are shown. */
export function allOptions(element) {
  return element.option_groups?.flatMap((group) => group.options) ?? element.options;
}

/** What stands in an element of a modal or a message before the person changes anything: what was entered last, or what the app put there. */
export function before(view, block, element) {
  const [initial, name] = NAMES[element.type];
  const entered = view.state?.values?.[block.block_id]?.[element.action_id];
  return entered ? entered[name] : (element[initial] ?? (name === "selected_options" ? [] : null));
}

/** Which of the options are chosen, by their place. */
export function chosen(element, value) {
  const values = [value ?? []].flat().map((option) => option.value);
  return allOptions(element).map((option) => values.includes(option.value));
}

/** What is entered, as Slack has it in `state.values`. `given` is a text, or the places of the chosen options. */
export function entered(element, given) {
  const [, name] = NAMES[element.type];
  if (name === "value") return { type: element.type, value: given === "" ? null : given };
  const options = given.map((place) => allOptions(element)[place]);
  return { type: element.type, [name]: name === "selected_options" ? options : (options[0] ?? null) };
}

/** Checkboxes and radio buttons. A select for several is shown as checkboxes, too: nobody has to hold a key. */
export function choices(element, value, id, reader) {
  const control = make("div", element.type === "multi_static_select" ? "choices several" : "choices");
  const marks = chosen(element, value);
  const inputs = [];
  const add = (options) => {
    for (const option of options) {
      const row = make("label", "choice");
      const input = make("input");
      input.type = element.type === "radio_buttons" ? "radio" : "checkbox";
      input.name = id;
      input.checked = marks[inputs.length];
      inputs.push(input);
      const words = make("span");
      words.append(...text(option.text, reader));
      if (option.description) words.append(withText("small", "hint", option.description, reader));
      row.append(input, words);
      control.append(row);
    }
  };
  for (const group of element.option_groups ?? []) {
    control.append(withText("div", "choice-group", group.label, reader));
    add(group.options);
  }
  if (!element.option_groups) add(element.options);
  const read = () => entered(element, inputs.flatMap((input, place) => (input.checked ? [place] : [])));
  // Of radio buttons only the chosen one can be reached with Tab.
  const focus = inputs.find((input) => input.type === "radio" && input.checked) ?? inputs[0];
  return { control, focus, read };
}
