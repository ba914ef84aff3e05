// The story that the page is for, in a real browser against a running sandbox:
//   AJAR_PAGE=http://127.0.0.1:8080 npm run story
// It leaves the picture page.png (chat.mjs says where). The sandbox must be fresh: nothing of Ajar's is open in it.
import assert from "node:assert/strict";
import { ARRIVES, advance, become, button, heading, page, picture, port, press, rulesIn, story, type, url } from "./chat.mjs";

const vm3 = (state) => port("VM3", 22, state);
const messages = () => page.getByTestId("messages");
const rule = () => rulesIn("Contoso-NSG");

story("a port is asked for, approved, open, and shut at its end", { viewport: { width: 1280, height: 720 } }, async (step) => {
  await step("VM3's 22 is shut, and no rule of ours is there", async () => {
    await vm3("shut").waitFor(ARRIVES);
    assert.equal(await rule().count(), 0);
    assert.equal(await page.getByTestId("to-end").isDisabled(), true);
  });

  await step("Ana types the command and is answered, visibly to her only", async () => {
    await become("U0ANA");
    await type("/jit VM3 22 from 203.0.113.7 for 30m because patching");
    const answer = page.locator('[data-testid="message"].ephemeral', { hasNot: page.locator(".typed") });
    await answer.first().waitFor(ARRIVES);
    assert.match(await answer.first().innerText(), /VM3/);
    assert.equal(await page.getByTestId("composer").inputValue(), "");
  });

  await step("Bea sees the request with Approve and Deny, and approves", async () => {
    await become("U0BEA");
    await button(messages(), "Approve VM3 port 22").waitFor(ARRIVES);
    await button(messages(), "Deny VM3 port 22").waitFor(ARRIVES);
    assert.equal(await page.locator('[data-testid="message"].ephemeral').count(), 0, "Ana's answer is hers alone");
    await press(messages(), "Approve VM3 port 22");
  });

  await step("the rule appears in both groups with its priority and a countdown", async () => {
    await rule().waitFor(ARRIVES);
    assert.equal(await rule().count(), 1);
    await rulesIn("VM3-nsg").waitFor(ARRIVES);
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
    await vm3("late").waitFor(ARRIVES);
    assert.match(await vm3("late").innerText(), /on its way/);
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
    await vm3("open").waitFor(ARRIVES);
    assert.match(await vm3("open").innerText(), /ssh -p \d+ labuser@127\.0\.0\.1/);
    assert.match(await vm3("open").innerText(), /lets in 203\.0\.113\.7/);
    await heading("VM3 port 22 is open").waitFor(ARRIVES);
    assert.equal(await button(messages(), "Approve VM3 port 22").count(), 0, "nothing is left to click");
    await picture("page", page);
  });

  await step("at the end it is shut, and the rule is gone", async () => {
    await page.getByTestId("to-end").click();
    await vm3("shut").waitFor(ARRIVES);
    await rule().waitFor({ state: "detached", ...ARRIVES });
    await rulesIn("VM3-nsg").waitFor({ state: "detached", ...ARRIVES });
    await page.locator('[data-testid="to-end"]:disabled').waitFor(ARRIVES);
    await heading("VM3 port 22 is shut").waitFor(ARRIVES);
  });

  await step("when its record settles half an hour later, nothing more is said of it", async () => {
    const said = async () => (await (await page.request.get(`${url}/sandbox/messages`)).json()).length;
    const before = await said();
    await advance(2400);
    assert.equal(await said(), before);
  });
});
