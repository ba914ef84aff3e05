// The page's modal, in a real browser against a running sandbox:
//   AJAR_PAGE=http://127.0.0.1:8080 npm run modal
// CHROMIUM names the browser (/usr/bin/chromium). With AJAR_SCREENSHOTS, a directory, it leaves pictures there.
// Only the view is made here, and what Slack answers to it; everything else is the sandbox's.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { ARRIVES, launch, listen, url } from "./chat.mjs";

const plain = (text) => ({ type: "plain_text", text, emoji: true });
const option = (value, words = value) => ({ text: plain(words), value });
const input = (id, label, element, more = {}) => ({
  type: "input", block_id: id, label: plain(label), optional: false, dispatch_action: false, element: { action_id: `${id}_action`, ...element }, ...more,
});

const VIEW = {
  id: "V1", type: "modal", hash: "1.a", title: plain("Enable <b>access</b>"), submit: plain("Enable"), close: plain("Leave"), state: { values: {} },
  blocks: [
    { type: "section", block_id: "intro", text: { type: "mrkdwn", text: "Which *machines* do you need?" } },
    input("machines", "Machines", { type: "checkboxes", options: [option("VM1"), { ...option("VM3", "VM3 <i>"), description: plain("in Contoso-IaaS") }], initial_options: [option("VM1")] }),
    input("port", "Port", { type: "radio_buttons", options: [option("22", "22 (SSH)"), option("3389", "3389 (RDP)")], initial_option: option("22", "22 (SSH)") }),
    input("time", "How long", {
      type: "static_select", placeholder: plain("Choose a time"),
      option_groups: [{ label: plain("Short"), options: [option("30m"), option("1h")] }, { label: plain("Long"), options: [option("8h")] }],
    }),
    input("groups", "Groups", { type: "multi_static_select", options: ["a", "b", "c"].map((value) => option(value)) }, { optional: true }),
    input("from", "From", { type: "plain_text_input", initial_value: "203.0.113.7" }, { hint: plain("One address.") }),
    input("why", "Reason", { type: "plain_text_input", multiline: true, placeholder: plain("Patching & more") }, { optional: true }),
    input("day", "Day", { type: "datepicker" }, { optional: true }),
    { type: "actions", block_id: "more", elements: [{ type: "button", action_id: "go", text: plain("More") }] },
  ],
};

let browser;
let page;
let context;
let trouble;
/** What each person's state has as `view`. */
let views;
/** What was posted, and what is answered to the next post. */
let posted;
let answers;
/** How many states the page has been given. */
let states;

before(async () => {
  browser = await launch();
});

after(async () => {
  await leave();
  await browser?.close();
});

beforeEach(async () => {
  await leave();
  await open({ viewport: { width: 1280, height: 800 } });
});

/** Ends the page; states that are on their way then are nobody's business. */
async function leave() {
  await page?.unrouteAll({ behavior: "ignoreErrors" });
  await context?.close();
}

async function open(options) {
  context = await browser.newContext(options);
  [trouble, views, posted, answers, states] = [[], {}, [], [], 0];
  page = listen(await context.newPage(), trouble);
  await page.route("**/page/state?**", async (route) => {
    const response = await route.fetch();
    const state = await response.json();
    state.chat.view = views[state.as] ?? null;
    await route.fulfill({ response, json: state });
    states += 1;
  });
  await page.route("**/page/view/**", async (route) => {
    const body = route.request().postDataJSON();
    posted.push([new URL(route.request().url()).pathname, body]);
    const answer = await answers.shift()?.();
    if (!answer || answer.ok) views[body.as] = answer?.next ?? null;
    await route.fulfill({ json: answer ?? { ok: true, error: null, errors: {} } });
  });
  await page.goto(url);
  await page.getByTestId("as-U0ANA").waitFor(ARRIVES);
}

const dialog = () => page.getByRole("dialog");
const shown = () => dialog().waitFor(ARRIVES);
const gone = () => dialog().waitFor({ state: "hidden", ...ARRIVES });
const named = (role, name) => dialog().getByRole(role, { name, exact: true });
const button = (name) => named("button", name);
const is = async (condition, argument) => page.waitForFunction(condition, argument, ARRIVES);

async function openForAna(view = VIEW) {
  views.U0ANA = view;
  await shown();
}

/** Until the page has been given states that were asked for after now. */
async function refreshed() {
  const target = states + 2;
  while (states < target) await page.waitForResponse(/\/page\/state/, ARRIVES);
}

test("a modal is shown with its title and its fields, named and described for screen readers", async () => {
  await openForAna();
  assert.equal(await dialog().getAttribute("aria-labelledby"), "modal-title");
  assert.equal(await dialog().getByRole("heading").innerText(), "Enable <b>access</b>");
  assert.equal(await dialog().locator("b").count(), 0, "text never becomes markup");
  assert.equal(await named("group", "Machines").count(), 1);
  assert.equal(await dialog().getByRole("checkbox", { name: "VM1" }).isChecked(), true);
  assert.equal(await dialog().getByRole("checkbox", { name: /VM3 <i>\s*in Contoso-IaaS/ }).isChecked(), false);
  assert.equal(await named("radio", "22 (SSH)").isChecked(), true);
  const time = named("combobox", "How long");
  assert.deepEqual(await time.locator("option").allInnerTexts(), ["Choose a time", "30m", "1h", "8h"]);
  assert.deepEqual(await time.locator("optgroup").evaluateAll((groups) => groups.map((group) => group.label)), ["Short", "Long"]);
  const from = named("textbox", "From");
  assert.equal(await from.inputValue(), "203.0.113.7");
  assert.equal(await from.getAttribute("aria-required"), "true");
  assert.equal(await page.locator(`#${await from.getAttribute("aria-describedby")}`).innerText(), "One address.");
  const why = named("textbox", "Reason (optional)");
  assert.deepEqual(await why.evaluate((field) => [field.tagName, field.placeholder]), ["TEXTAREA", "Patching & more"]);
  assert.equal(await named("textbox", "Day (optional)").isDisabled(), true, "a datepicker cannot be filled in here");
  assert.equal(await button("More").isDisabled(), true);
  assert.ok(await button("Leave").isVisible());
  assert.equal(await page.evaluate(() => document.activeElement.closest("[data-block-id]").dataset.blockId), "machines", "the first field has the focus");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.getElementById("modal").contains(document.activeElement)), true);
  assert.deepEqual(trouble, []);
});

test("nobody sees another person's modal", async () => {
  views.U0BEA = VIEW;
  await refreshed();
  assert.equal(await dialog().count(), 0);
  await page.getByTestId("as-U0BEA").click();
  await shown();
});

test("what is filled in stays while the page asks for news, and is sent as Slack has it", async () => {
  await openForAna();
  await dialog().getByRole("checkbox", { name: "VM1" }).uncheck();
  await dialog().getByRole("checkbox", { name: /VM3/ }).check();
  await named("radio", "3389 (RDP)").check();
  await named("combobox", "How long").selectOption("8h");
  await named("checkbox", "a").check();
  await named("checkbox", "c").check();
  await named("textbox", "Reason (optional)").fill("two\nlines");
  await named("textbox", "From").fill("198.51.100.9");
  await refreshed();
  assert.equal(await named("textbox", "Reason (optional)").inputValue(), "two\nlines");
  assert.equal(await page.evaluate(() => document.activeElement.id), "field-from", "the focus stays as well");
  await button("Enable").click();
  await gone();
  const vm3 = VIEW.blocks[1].element.options[1];
  assert.deepEqual(posted, [["/page/view/submit", { as: "U0ANA", values: {
    machines: { machines_action: { type: "checkboxes", selected_options: [vm3] } },
    port: { port_action: { type: "radio_buttons", selected_option: option("3389", "3389 (RDP)") } },
    time: { time_action: { type: "static_select", selected_option: option("8h") } },
    groups: { groups_action: { type: "multi_static_select", selected_options: [option("a"), option("c")] } },
    from: { from_action: { type: "plain_text_input", value: "198.51.100.9" } },
    why: { why_action: { type: "plain_text_input", value: "two\nlines" } },
  } }]]);
  assert.deepEqual(trouble, []);
});

test("what is not touched is sent as it stands, and what is empty as nothing", async () => {
  await openForAna();
  await named("textbox", "From").fill("");
  await named("textbox", "From").press("Enter");
  await gone();
  const { values } = posted[0][1];
  assert.deepEqual(values.machines.machines_action.selected_options, [option("VM1")]);
  assert.deepEqual(values.time, { time_action: { type: "static_select", selected_option: null } });
  assert.deepEqual(values.groups.groups_action.selected_options, []);
  assert.equal(values.from.from_action.value, null);
  assert.equal("day" in values, false);
});

test("errors stand beside their blocks until the block is changed", async () => {
  await openForAna();
  answers.push(() => ({ ok: false, error: null, errors: { time: "Too <b>long</b>", from: "Not an address" } }));
  await button("Enable").click();
  await page.getByTestId("wrong-from").waitFor(ARRIVES);
  const time = named("combobox", "How long");
  assert.equal(await page.getByTestId("wrong-time").innerText(), "Too <b>long</b>");
  assert.deepEqual(await time.evaluate((field) => [field.getAttribute("aria-invalid"), field.getAttribute("aria-describedby")]), ["true", "field-time-wrong"]);
  assert.equal(await named("textbox", "From").getAttribute("aria-describedby"), "field-from-hint field-from-wrong");
  assert.equal(await page.evaluate(() => document.activeElement.id), "field-time", "the first of them has the focus");
  await refreshed();
  await picture("errors");
  await time.selectOption("1h");
  assert.equal(await page.getByTestId("wrong-time").count(), 0);
  assert.equal(await time.getAttribute("aria-invalid"), null);
  assert.equal(await page.getByTestId("wrong-from").count(), 1);
  await button("Enable").click();
  await gone();
});

test("when the app gives no proper answer, Slack says so and the modal stays", async () => {
  await openForAna();
  await named("textbox", "From").fill("198.51.100.9");
  answers.push(() => ({ ok: false, error: "operation_timeout", errors: {} }));
  await button("Enable").click();
  const told = page.getByTestId("modal-trouble");
  await told.waitFor(ARRIVES);
  assert.equal(await told.innerText(), "We had some trouble connecting. Try again? (operation_timeout)");
  assert.equal(await told.getAttribute("role"), "alert");
  assert.equal(await named("textbox", "From").inputValue(), "198.51.100.9");
  await button("Enable").click();
  await gone();
});

test("while the answer is awaited nothing can be pressed twice", async () => {
  await openForAna();
  let answered;
  const waits = new Promise((resolve) => (answered = resolve));
  answers.push(() => waits);
  await button("Enable").click();
  assert.deepEqual([await button("Enable").isDisabled(), await button("Leave").isDisabled()], [true, true]);
  await page.keyboard.press("Escape");
  assert.equal(await dialog().isVisible(), true);
  answered({ ok: true, error: null, errors: {} });
  await gone();
  assert.equal(posted.length, 1);
});

for (const [how, close] of [["Escape", () => page.keyboard.press("Escape")], ["the button", () => button("Leave").click()]]) {
  test(`${how} closes the modal and gives the focus back`, async () => {
    await page.getByTestId("composer").focus();
    await openForAna();
    await close();
    await gone();
    await refreshed();
    assert.deepEqual(posted, [["/page/view/close", { as: "U0ANA" }]]);
    assert.equal(await dialog().count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement.id), "composer");
    assert.deepEqual(trouble, []);
  });
}

test("an updated view takes the place of the one before, with what stays entered", async () => {
  await openForAna();
  const next = { ...VIEW, hash: "2.b", title: plain("Again"), close: null,
    state: { values: { from: { from_action: { type: "plain_text_input", value: "198.51.100.9" } }, machines: { machines_action: { type: "checkboxes", selected_options: [] } } } } };
  answers.push(() => ({ ok: true, error: null, errors: {}, next }));
  await button("Enable").click();
  await is(() => document.getElementById("modal-title").textContent === "Again");
  assert.equal(await named("textbox", "From").inputValue(), "198.51.100.9");
  assert.equal(await dialog().getByRole("checkbox", { name: "VM1" }).isChecked(), false);
  assert.ok(await button("Cancel").isVisible(), "the word that Slack uses where the app gives none");
});

test("a coloured button keeps its colour under the mouse", async () => {
  await openForAna();
  const colour = () => button("Enable").evaluate((element) => getComputedStyle(element).backgroundColor);
  const before = await colour();
  await button("Enable").hover();
  assert.equal(await colour(), before);
});

test("a modal without inputs can only be closed", async () => {
  await openForAna({ ...VIEW, submit: null, close: null, blocks: VIEW.blocks.slice(0, 1) });
  assert.equal(await dialog().getByRole("button").count(), 1);
  await button("Close").click();
  await gone();
  assert.equal(posted[0][0], "/page/view/close");
});

for (const [name, options] of [
  ["wide", { viewport: { width: 1280, height: 800 } }],
  ["dark", { viewport: { width: 1280, height: 800 }, colorScheme: "dark" }],
  ["narrow", { viewport: { width: 360, height: 640 } }],
]) {
  test(`it fits a ${name} screen`, async () => {
    await leave();
    await open(options);
    await openForAna();
    const box = await dialog().boundingBox();
    const { width, height } = options.viewport;
    assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, JSON.stringify(box));
    const send = await button("Enable").boundingBox();
    assert.ok(send.y + send.height <= height, "the buttons stay in sight, the blocks scroll");
    assert.equal(await page.evaluate(() => document.getElementById("modal-blocks").scrollWidth <= document.getElementById("modal-blocks").clientWidth), true);
    await picture(name);
  });
}

async function picture(name) {
  const directory = process.env.AJAR_SCREENSHOTS;
  if (directory) await page.screenshot({ path: `${directory}/modal-${name}.png` });
}
