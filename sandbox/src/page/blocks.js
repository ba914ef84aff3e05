// Block Kit, from the very JSON that Slack received.
import { before, choices, text, withText } from "./elements.js";
import { make } from "./mrkdwn.js";

/**
 * All blocks of a message or a modal. `view` has `names` and `nowMs`, and where it can be done `click(block, button,
 * element)`, `choose(block, element, state)` with what was entered before as `state`, and, to draw an input block,
 * `field(block)`.
 */
export function blocks(list, view) {
  return list.map((block) => {
    const draw = DRAW[block.type];
    const element = draw ? draw(block, view) : make("div", "block unknown", `(${block.type})`);
    element.dataset.blockId = block.block_id;
    return element;
  });
}

const DRAW = {
  header: (block, view) => withText("h3", "block header", block.text, view),
  divider: () => make("hr", "block divider"),
  section(block, view) {
    const element = make("div", "block section");
    const body = make("div", "section-body");
    if (block.text) body.append(withText("div", "section-text", block.text, view));
    if (block.fields) {
      const fields = make("div", "fields");
      fields.append(...block.fields.map((field) => withText("div", "field", field, view)));
      body.append(fields);
    }
    element.append(body);
    if (block.accessory) element.append(interactive(block, block.accessory, view));
    return element;
  },
  context(block, view) {
    const element = make("div", "block context");
    element.append(
      ...block.elements.map((entry) => (entry.type === "image" ? make("span", "image", entry.alt_text) : withText("span", "", entry, view))),
    );
    return element;
  },
  actions(block, view) {
    const element = make("div", "block actions");
    element.append(...block.elements.map((entry) => interactive(block, entry, view)));
    return element;
  },
  // Nothing is loaded from elsewhere, so an image is shown as those who cannot see it know it.
  image: (block) => make("div", "block image", block.alt_text),
  markdown: (block) => make("div", "block markdown", block.text),
  input: (block, view) => view.field?.(block) ?? withText("div", "block input", block.label, view),
};

function interactive(block, element, view) {
  if (element.type === "image") return make("span", "image", element.alt_text);
  if (element.type === "checkboxes" && view.choose) return boxes(block, element, view);
  if (element.type !== "button") {
    const other = make("button", "button", element.placeholder?.text ?? element.type);
    other.disabled = true;
    other.title = "The sandbox's page cannot change this";
    return other;
  }
  const button = withText("button", `button ${element.style ?? ""}`, element.text, view);
  button.type = "button";
  button.dataset.testid = `action-${element.action_id}`;
  button.dataset.actionId = element.action_id;
  if (!view.click) {
    button.disabled = true;
    button.title = "The sandbox's page can click buttons of messages only";
  }
  if (element.accessibility_label) button.setAttribute("aria-label", element.accessibility_label);
  button.addEventListener("click", async () => {
    if (element.confirm && !(await confirmed(element.confirm, view))) return;
    view.click(block, element, button);
  });
  return button;
}

/** Check boxes of a message: each change is told. */
function boxes(block, element, view) {
  const { control, read } = choices(element, before(view, block, element), `boxes-${view.id}-${block.block_id}`, view);
  control.dataset.testid = `boxes-${element.action_id}`;
  control.setAttribute("role", "group");
  control.setAttribute("aria-label", block.text?.text ?? "Choices");
  control.addEventListener("change", () => view.choose(block, element, read()));
  return control;
}

/** Slack's confirm dialog. */
function confirmed(dialog, view) {
  const box = document.getElementById("confirm");
  const [yes, no] = [document.getElementById("confirm-yes"), document.getElementById("confirm-no")];
  document.getElementById("confirm-title").replaceChildren(...text(dialog.title, view));
  document.getElementById("confirm-text").replaceChildren(...text(dialog.text, view));
  yes.replaceChildren(...text(dialog.confirm, view));
  no.replaceChildren(...text(dialog.deny, view));
  yes.className = `button ${dialog.style ?? "primary"}`;
  return new Promise((decided) => {
    box.returnValue = "";
    yes.onclick = () => box.close("yes");
    no.onclick = () => box.close("no");
    box.onclose = () => decided(box.returnValue === "yes");
    box.showModal();
  });
}
