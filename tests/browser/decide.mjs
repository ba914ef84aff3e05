// What people do with a request in Slack, in a real browser against a running sandbox:
//   AJAR_PAGE=http://127.0.0.1:8080 npm run decide
// It leaves the pictures form.png, waiting.png, open.png and shut.png (chat.mjs says where). The sandbox must be fresh: nothing of
// Ajar's is open in it.
import assert from "node:assert/strict";
import { ARRIVES, advance, become, card, confirmed, dialog, direct, gone, message, page, picture, press, story, type } from "./chat.mjs";

const MINUTE = 60;

/** Ana asks, and somebody approves: the card when it is open. */
async function opened(approver) {
  await become("U0ANA");
  await type("/jit VM3 22 for 30m because patching");
  await become(approver);
  await press(card("VM3 port 22: waiting for approval"), "Approve VM3 port 22");
  const open = card("VM3 port 22 is open");
  await open.waitFor(ARRIVES);
  return open;
}

story("a request is asked for in a form, denied, approved, ended, prolonged, disowned and lapses", { viewport: { width: 1440, height: 1000 } }, async (step) => {
  await step("Ana asks in a form: first which machine, then what on it", async () => {
    await become("U0ANA");
    await type("/jit");
    await dialog().waitFor(ARRIVES);
    await dialog().getByLabel("Machine").selectOption({ label: "VM3" });
    await dialog().getByRole("button", { name: "Next", exact: true }).click();
    await dialog().getByText("VM3 in Contoso-IaaS.").waitFor(ARRIVES);
    assert.equal(await dialog().getByRole("checkbox", { name: "22 (SSH)", exact: true }).isChecked(), true, "it runs Linux");
    await dialog().getByLabel(/^For how long/).fill("soon");
    await dialog().getByLabel(/^Why/).fill("patching for the <b>audit</b>");
    await dialog().getByRole("button", { name: "Ask", exact: true }).click();
    await dialog().getByText("Write a duration between 1 minute and 24 hours, like 30m, 2h or 1h30m.").waitFor(ARRIVES);
    await dialog().getByLabel(/^For how long/).fill("30m");
    await picture("form", dialog());
    await dialog().getByRole("button", { name: "Ask", exact: true }).click();
    await dialog().getByText(/^You asked for VM3 port 22 from 203\.0\.113\.7 for 30 minutes\./).waitFor(ARRIVES);
    await dialog().getByRole("button", { name: "Close", exact: true }).last().click();
    await gone();
  });

  await step("Bea sees who asks for what, and denies with a reason", async () => {
    await become("U0BEA");
    const waiting = card("VM3 port 22: waiting for approval");
    await waiting.waitFor(ARRIVES);
    assert.match(await waiting.innerText(), /patching for the <b>audit<\/b>/);
    await picture("waiting", waiting);
    await press(waiting, "Deny VM3 port 22");
    await dialog().waitFor(ARRIVES);
    await dialog().getByLabel("Why?").fill("The audit runs until Friday");
    await dialog().getByRole("button", { name: "Deny", exact: true }).click();
    await gone();
    const denied = card("VM3 port 22: denied");
    await denied.waitFor(ARRIVES);
    assert.match(await denied.innerText(), /Bea.* denied it at .*: “The audit runs until Friday”\. Nothing was opened\./);
    assert.equal(await denied.getByRole("button").count(), 0);
  });

  await step("Ana asks again, Bea approves, and Ana ends it early from its card", async () => {
    const open = await opened("U0BEA");
    await picture("open", open);
    await become("U0ANA");
    await press(open, "End now VM3 port 22");
    await confirmed();
    const shut = card("VM3 port 22 is shut");
    await shut.waitFor(ARRIVES);
    assert.match(await shut.innerText(), /Ana.* ended it early\./);
    await picture("shut", shut);
  });

  await step("before its end Ana is told, and asks for more", async () => {
    await opened("U0CHRIS");
    await advance(21 * MINUTE);
    await become("U0ANA");
    await direct();
    const soon = message("VM3 port 22 shuts at");
    await press(soon, "Ask for more VM3 port 22");
    await become("U0CHRIS");
    await press(card("VM3 port 22: waiting for approval"), "Approve VM3 port 22");
    await page.getByRole("heading", { name: "VM3 port 22 is open", exact: true }).nth(1).waitFor(ARRIVES);
    await advance(10 * MINUTE);
    await card("VM3 port 22 is open").waitFor(ARRIVES);
    await become("U0ANA");
    await type("/jit close VM3 22");
    await message("You have ended VM3 port 22.").waitFor(ARRIVES);
    await page.getByRole("heading", { name: "VM3 port 22 is open", exact: true }).waitFor({ state: "detached", ...ARRIVES });
  });

  await step("an approval in Bea's name was not hers: it is shut, and her clicks do not count", async () => {
    await opened("U0BEA");
    await direct();
    const approved = message("You approved VM3 port 22");
    await press(approved, "Not me VM3 port 22");
    await confirmed();
    await become("U0ANA");
    await message(/^.*Not me: .*Bea/).waitFor(ARRIVES);
    await message("says that the approval in their name is not theirs.").waitFor(ARRIVES);
    await type("/jit VM3 22 for 30m");
    await become("U0BEA");
    await press(card("VM3 port 22: waiting for approval"), "Approve VM3 port 22");
    await message("Your clicks do not count since").waitFor(ARRIVES);
    await become("U0CHRIS");
    await type("/jit unfreeze U0BEA");
    await message("count again. The channel is told.").waitFor(ARRIVES);
  });

  await step("nobody decides: it is told once, lapses, and is asked for again with a click", async () => {
    await advance(31 * MINUTE);
    await message("still waits for VM3 port 22").waitFor(ARRIVES);
    await advance(31 * MINUTE);
    const lapsed = card("VM3 port 22: lapsed");
    await lapsed.waitFor(ARRIVES);
    await become("U0ANA");
    await press(lapsed, "Ask again VM3 port 22");
    const again = card("VM3 port 22: waiting for approval");
    await again.waitFor(ARRIVES);
    await type("/jit close VM3 22");
    await card("VM3 port 22: taken back").waitFor(ARRIVES);
  });
});
