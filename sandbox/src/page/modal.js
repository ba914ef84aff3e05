// The modal that is open for a person, from the very view that Slack received: drawing it, what is entered in it,
// submitting and closing it.
import { blocks } from "./blocks.js";
import { allOptions, before, choices, chosen, entered, NAMES, text, withText } from "./elements.js";
import { make, unescape } from "./mrkdwn.js";

const TROUBLE = "We had some trouble connecting. Try again?";
const CANNOT = "The sandbox's page cannot fill this in";
const byId = (id) => document.getElementById(id);

/** Whether the page can fill this block in: other elements, and those that tell the app of each change, are not modelled. */
export function fillable(block) {
  return block.element.type in NAMES && !block.dispatch_action;
}

// --- fields -----------------------------------------------------------------------------------

/** One input block: its element on the page, and `read()` for what is entered in it. */
function field(block, view, reader) {
  const element = block.element;
  const id = `field-${block.block_id}`;
  const many = "options" in element || "option_groups" in element;
  const grouped = many && element.type !== "static_select";
  const box = make(grouped ? "fieldset" : "div", "block input");
  box.dataset.testid = `input-${block.block_id}`;
  const label = withText(grouped ? "legend" : "label", "input-label", block.label, reader);
  if (block.optional) label.append(make("span", "optional", " (optional)"));
  box.append(label);
  const { control, read, focus } = fillable(block) ? draw(element, before(view, block, element), id, reader) : notFillable(element);
  if (!grouped) {
    label.htmlFor = id;
    focus.id = id;
  }
  box.append(control);
  const described = grouped ? box : focus;
  const notes = [];
  if (block.hint) {
    const hint = withText("div", "hint", block.hint, reader);
    hint.id = `${id}-hint`;
    notes.push(hint.id);
    box.append(hint);
  }
  const describe = (ids) => (ids.length > 0 ? described.setAttribute("aria-describedby", ids.join(" ")) : described.removeAttribute("aria-describedby"));
  describe(notes);
  if (!block.optional && !grouped) focus.setAttribute("aria-required", "true");
  const wrong = make("p", "failed");
  wrong.id = `${id}-wrong`;
  wrong.dataset.testid = `wrong-${block.block_id}`;
  const fail = (why) => {
    wrong.remove();
    described.removeAttribute("aria-invalid");
    describe(notes);
    if (why === undefined) return;
    wrong.textContent = why;
    control.after(wrong);
    described.setAttribute("aria-invalid", "true");
    describe([...notes, wrong.id]);
  };
  // What was wrong is not any more once it is changed.
  box.addEventListener("input", () => fail());
  return { block, box, read, focus, fail };
}

function draw(element, value, id, reader) {
  if (element.type === "plain_text_input") return textInput(element, value);
  if (element.type === "static_select") return select(element, value);
  return choices(element, value, id, reader);
}

function notFillable(element) {
  const control = make("input", "entry");
  control.disabled = true;
  control.value = `(${element.type})`;
  control.title = CANNOT;
  return { control, focus: control, read: () => undefined };
}

function textInput(element, value) {
  const control = make(element.multiline ? "textarea" : "input", "entry");
  if (element.multiline) control.rows = 3;
  else control.type = "text";
  control.value = value ?? "";
  if (element.placeholder) control.placeholder = unescape(element.placeholder.text);
  return { control, focus: control, read: () => entered(element, control.value) };
}

function select(element, value) {
  const control = make("select", "entry");
  const none = make("option", "", unescape(element.placeholder?.text ?? "Select an option"));
  none.value = "";
  control.append(none);
  const marks = chosen(element, value);
  let place = 0;
  const add = (holder, options) => {
    for (const option of options) {
      const item = make("option", "", unescape(option.text.text));
      item.value = String(place);
      item.selected = marks[place];
      holder.append(item);
      place += 1;
    }
  };
  for (const group of element.option_groups ?? []) {
    const holder = make("optgroup");
    holder.label = unescape(group.label.text);
    add(holder, group.options);
    control.append(holder);
  }
  if (!element.option_groups) add(control, element.options);
  return { control, focus: control, read: () => entered(element, control.value === "" ? [] : [Number(control.value)]) };
}

// --- the dialog -------------------------------------------------------------------------------

/**
 * The dialog. `send(path, body)` posts to the sandbox, `poll()` asks for its state. `show(view, who, reader)` is called
 * with each new state: what stands in the fields stays while the view is the same.
 */
export function modal(send, poll) {
  const dialog = byId("modal");
  const [submit, close] = [byId("modal-submit"), byId("modal-close")];
  let drawn = "";
  /** The view that the person has just closed: until Slack has been told, states that still have it are old. */
  let closing = "";
  let who = "";
  let fields = [];
  let busy = false;

  function show(view, viewer, reader) {
    const key = view ? JSON.stringify([viewer, view.id, view.hash]) : "";
    if (key !== "" && key === closing) return;
    if (key === drawn) return;
    drawn = key;
    who = viewer;
    trouble(null);
    if (!view) {
      dialog.close();
      return;
    }
    byId("modal-title").replaceChildren(...text(view.title, reader));
    fields = [];
    const add = (block) => {
      fields.push(field(block, view, reader));
      return fields.at(-1).box;
    };
    byId("modal-blocks").replaceChildren(...blocks(view.blocks, { ...reader, field: add }));
    submit.hidden = !view.submit;
    submit.textContent = unescape(view.submit?.text ?? "");
    close.textContent = unescape(view.close?.text ?? (view.submit ? "Cancel" : "Close"));
    if (!dialog.open) dialog.showModal();
    const first = fields.find((made) => made.block.element.focus_on_load) ?? fields.find((made) => !made.focus.disabled);
    (first?.focus ?? (view.submit ? submit : close)).focus();
    byId("modal-blocks").scrollTop = 0;
  }

  function trouble(why) {
    const element = byId("modal-trouble");
    element.hidden = why === null;
    element.textContent = why ?? "";
  }

  function wait(now) {
    busy = now;
    submit.disabled = now;
    close.disabled = now;
    submit.classList.toggle("busy", now);
  }

  async function press() {
    const values = {};
    for (const { block, read } of fields) {
      const state = read();
      if (state) values[block.block_id] = { [block.element.action_id]: state };
    }
    wait(true);
    trouble(null);
    const pressed = drawn;
    let answer;
    try {
      answer = await send("/page/view/submit", { as: who, values });
    } catch (error) {
      answer = { ok: false, error: error.message, errors: {} };
    }
    wait(false);
    if (pressed === drawn) {
      if (answer.error) trouble(`${TROUBLE} (${answer.error})`);
      for (const { block, fail } of fields) fail(answer.errors[block.block_id]);
      fields.find(({ block }) => block.block_id in answer.errors)?.focus.focus();
    }
    poll();
  }

  byId("modal-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!busy && !submit.hidden) press();
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("cancel", (event) => {
    // Slack's answer is on its way; what it does to the modal is seen in a moment.
    if (busy) event.preventDefault();
  });
  dialog.addEventListener("close", async () => {
    // The page itself closes it when the view is gone; another one may be open by now.
    if (drawn === "" || dialog.open) return;
    closing = drawn;
    drawn = "";
    fields = [];
    try {
      await send("/page/view/close", { as: who });
    } catch {
      // It was closed elsewhere, or the sandbox does not answer: the next state tells.
    }
    closing = "";
    poll();
  });
  return { show };
}
