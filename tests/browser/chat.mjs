// What the stories in a browser have in common: one page of a running sandbox, whose address is AJAR_PAGE, and what people do
// in its chat. CHROMIUM names the browser (/usr/bin/chromium). Pictures go to docs/, or to the directory AJAR_SCREENSHOTS.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const url = process.env.AJAR_PAGE;
export const ARRIVES = { timeout: 20_000 };
const pictures = process.env.AJAR_SCREENSHOTS ?? fileURLToPath(new URL("../../docs", import.meta.url));

/** The page, from the first step of a story on. */
export let page;
/** What the browser complains about. */
const trouble = [];

export function launch() {
  assert.ok(url, "AJAR_PAGE must be the address of a running sandbox's page");
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** Whatever a page complains about is put into `into`. */
export function listen(to, into = trouble) {
  to.on("pageerror", (error) => into.push(String(error)));
  to.on("console", (message) => message.type() === "error" && into.push(message.text()));
  return to;
}

/**
 * A story in steps, on a page of this size. Each step needs the one before it: what comes after a broken one is skipped. At its end the browser
 * must have had nothing to complain about but what is `forgiven`.
 */
export function story(name, { viewport, forgiven = /$^/ }, tell) {
  let browser;
  before(async () => {
    browser = await launch();
    page = listen(await browser.newPage({ viewport }));
    await page.goto(url);
  });
  after(() => browser?.close());
  test(name, async (whole) => {
    let broken = false;
    const step = (what, carryOut) =>
      whole.test(what, { skip: broken && "an earlier step failed" }, async () => {
        broken = true;
        await carryOut();
        broken = false;
      });
    await tell(step);
    await step("the browser had nothing to complain about", () => {
      assert.deepEqual(trouble.filter((text) => !forgiven.test(text)), []);
    });
  });
}

/** From now on one is this person, and looks at the channel. */
export async function become(id) {
  await page.getByTestId(`as-${id}`).click();
  await page.locator(`[data-testid="as-${id}"][aria-pressed="true"]`).waitFor(ARRIVES);
  await page.getByTestId("conversation-C0JIT").click();
}

/** What the app has written to whoever one is. */
export const direct = () => page.getByTestId("conversation-dm").click();

export async function type(text) {
  await page.getByTestId("composer").fill(text);
  await page.getByTestId("composer").press("Enter");
}

/** The newest message that has this text. */
export const message = (text) => page.getByTestId("message").filter({ hasText: text }).last();
export const heading = (title) => page.getByTestId("messages").getByRole("heading", { name: title, exact: true });
/** The newest message whose heading this is. */
export const card = (title) => page.getByTestId("message").filter({ has: page.getByRole("heading", { name: title, exact: true }) }).last();
/** By what a screen reader says: the label names machine and port, the face only the verb. */
export const button = (on, name) => on.getByRole("button", { name, exact: true });
export const press = (on, name) => button(on, name).click(ARRIVES);
export const confirmed = () => page.locator("#confirm-yes").click(ARRIVES);

export const dialog = () => page.getByRole("dialog");
export const gone = () => dialog().waitFor({ state: "hidden", ...ARRIVES });

/** A port of the network, in this state. */
export const port = (machine, number, state) => page.locator(`[data-testid="port-${machine}-${number}"][data-state="${state}"]`);
/** The rules of ours in a group of the network. */
export const rulesIn = (group) => page.getByTestId(`nsg-${group}`).locator("tr.ours");

/** Moves the sandbox's clock on. */
export async function advance(seconds) {
  const moved = await page.request.post(`${url}/sandbox/clock`, { data: { advance_seconds: seconds } });
  assert.equal(moved.status(), 200);
}

/** A picture of an element, or of a page with these `options`. */
export async function picture(name, of, options = {}) {
  await mkdir(pictures, { recursive: true });
  await of.screenshot({ path: `${pictures}/${name}.png`, ...options });
}
