// The story that the page is for, in a real browser against a running sandbox:
//   AJAR_PAGE=http://127.0.0.1:8080 npm run story
// CHROMIUM names the browser (/usr/bin/chromium). The screenshot goes to docs/page.png, or to AJAR_SCREENSHOT.
// The sandbox must be fresh: nothing of Ajar's is open in it.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const url = process.env.AJAR_PAGE;
const screenshot = process.env.AJAR_SCREENSHOT ?? fileURLToPath(new URL("../../docs/page.png", import.meta.url));
const ARRIVES = { timeout: 20_000 };

let browser;
let page;
const trouble = [];

before(async () => {
  assert.ok(url, "AJAR_PAGE must be the address of a running sandbox's page");
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  await page.goto(url);
});

after(async () => {
  await browser?.close();
});

const become = async (id) => {
  await page.getByTestId(`as-${id}`).click();
  await page.locator(`[data-testid="as-${id}"][aria-pressed="true"]`).waitFor(ARRIVES);
};
// By what a screen reader says: the label names the port, the face only the verb.
const button = (verb) => page.getByTestId("messages").getByRole("button", { name: `${verb} VM3 port 22`, exact: true });
const card = (title) => page.getByTestId("messages").getByRole("heading", { name: title, exact: true });
const port = (state) => page.locator(`[data-testid="port-VM3-22"][data-state="${state}"]`);
const ruleIn = (group) => page.getByTestId(`nsg-${group}`).locator("tr.ours");
const rule = () => ruleIn("Contoso-NSG");

test("a port is asked for, approved, open, and shut at its end", async (story) => {
  // Each step needs the one before it.
  let broken = false;
  const step = (name, carryOut) =>
    story.test(name, { skip: broken && "an earlier step failed" }, async () => {
      broken = true;
      await carryOut();
      broken = false;
    });
  await step("VM3's 22 is shut, and no rule of ours is there", async () => {
    await port("shut").waitFor(ARRIVES);
    assert.equal(await rule().count(), 0);
    assert.equal(await page.getByTestId("to-end").isDisabled(), true);
  });

  await step("Ana types the command and is answered, visibly to her only", async () => {
    await become("U0ANA");
    await page.getByTestId("conversation-C0JIT").click();
    await page.getByTestId("composer").fill("/jit VM3 22 from 203.0.113.7 for 30m because patching");
    await page.getByTestId("composer").press("Enter");
    const answer = page.locator('[data-testid="message"].ephemeral', { hasNot: page.locator(".typed") });
    await answer.first().waitFor(ARRIVES);
    assert.match(await answer.first().innerText(), /VM3/);
    assert.equal(await page.getByTestId("composer").inputValue(), "");
  });

  await step("Bea sees the request with Approve and Deny, and approves", async () => {
    await become("U0BEA");
    await page.getByTestId("conversation-C0JIT").click();
    const approve = button("Approve");
    await approve.waitFor(ARRIVES);
    await button("Deny").waitFor(ARRIVES);
    assert.equal(await page.locator('[data-testid="message"].ephemeral').count(), 0, "Ana's answer is hers alone");
    await approve.click();
    const yes = page.locator("#confirm-yes");
    if (await yes.isVisible()) await yes.click();
  });

  await step("the rule appears in both groups with its priority and a countdown", async () => {
    await rule().waitFor(ARRIVES);
    assert.equal(await rule().count(), 1);
    await ruleIn("VM3-nsg").waitFor(ARRIVES);
    const priority = Number(await rule().getByTestId("priority").innerText());
    assert.ok(priority >= 100 && priority <= 499, `priority ${priority}`);
    await page.waitForFunction(
      () => /^(29|30):\d\d left$/.test(document.querySelector('tr.ours [data-testid="countdown"]')?.textContent ?? ""),
      undefined,
      ARRIVES,
    );
    assert.match(await rule().innerText(), /203\.0\.113\.7/);
  });

  await step("VM3's 22 is on its way: Azure says that the rule is in force, and packets do not meet it yet", async () => {
    await port("late").waitFor(ARRIVES);
    assert.match(await port("late").innerText(), /on its way/);
  });

  await step("one minute later the countdown has gone on", async () => {
    await page.getByTestId("plus-minute").click();
    await page.waitForFunction(
      () => /^2[89]:\d\d left$/.test(document.querySelector('tr.ours [data-testid="countdown"]')?.textContent ?? ""),
      undefined,
      ARRIVES,
    );
  });

  await step("after another minute at the latest VM3's 22 turns open, for that address", async () => {
    await page.getByTestId("plus-minute").click();
    await port("open").waitFor(ARRIVES);
    assert.match(await port("open").innerText(), /ssh -p \d+ labuser@127\.0\.0\.1/);
    assert.match(await port("open").innerText(), /lets in 203\.0\.113\.7/);
    await card("VM3 port 22 is open").waitFor(ARRIVES);
    assert.equal(await button("Approve").count(), 0, "nothing is left to click");
    await mkdir(dirname(screenshot), { recursive: true });
    await page.screenshot({ path: screenshot });
  });

  await step("at the end it is shut, and the rule is gone", async () => {
    await page.getByTestId("to-end").click();
    await port("shut").waitFor(ARRIVES);
    await rule().waitFor({ state: "detached", ...ARRIVES });
    await ruleIn("VM3-nsg").waitFor({ state: "detached", ...ARRIVES });
    await page.locator('[data-testid="to-end"]:disabled').waitFor(ARRIVES);
    await card("VM3 port 22 is shut").waitFor(ARRIVES);
  });

  await step("when its record settles half an hour later, nothing more is said of it", async () => {
    const said = async () => (await (await page.request.get(`${url}/sandbox/messages`)).json()).length;
    const before = await said();
    const moved = await page.request.post(`${url}/sandbox/clock`, { data: { advance_seconds: 2400 } });
    assert.equal(moved.status(), 200);
    assert.equal(await said(), before);
  });

  await step("the browser had nothing to complain about", () => {
    assert.deepEqual(trouble, []);
  });
});
