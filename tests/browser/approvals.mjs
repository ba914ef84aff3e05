// Two of three people must approve, in a real browser against a running sandbox with the policy sandbox/two-of-three.toml:
//   AJAR_PAGE=http://127.0.0.1:8080 npm run approvals
// It leaves the picture one-of-two.png (chat.mjs says where). The sandbox must be fresh: nobody has asked for VM3.
import assert from "node:assert/strict";
import { ARRIVES, advance, become, button, card, direct, message, picture, port, press, rulesIn, story, type } from "./chat.mjs";

const WAITING = "VM3 port 22: waiting for approval";

story("two of three approve", { viewport: { width: 1440, height: 1000 } }, async (step) => {
  /** The card as soon as it says this. */
  const saying = async (text) => {
    const shown = card(WAITING).filter({ hasText: text });
    await shown.waitFor(ARRIVES);
    return shown.innerText();
  };

  await step("Ana asks, and the card says that two must approve", async () => {
    await become("U0ANA");
    await type("/jit VM3 22 for 30m because patching");
    assert.match(await saying("0 of 2 approvals so far"), /Bea.*Chris.*Eve/s);
  });

  await step("Bea approves: the card says one of two, and who", async () => {
    await become("U0BEA");
    await press(card(WAITING), "Approve VM3 port 22");
    assert.match(await saying("1 of 2 approvals so far"), /Approved with Slack by .*Bea/);
    await picture("one-of-two", card(WAITING));
    assert.equal(await rulesIn("Contoso-NSG").count(), 0, "one is not enough");
  });

  await step("Bea's second click counts nothing, and she is told so", async () => {
    await press(card(WAITING), "Approve VM3 port 22");
    await message("You have approved this already").waitFor(ARRIVES);
    await saying("1 of 2 approvals so far");
  });

  await step("Ana cannot approve what she asked for", async () => {
    await become("U0ANA");
    await press(card(WAITING), "Approve VM3 port 22");
    await message("You asked for this yourself").waitFor(ARRIVES);
    await saying("1 of 2 approvals so far");
    assert.equal(await rulesIn("Contoso-NSG").count(), 0);
    await port("VM3", 22, "shut").waitFor(ARRIVES);
  });

  await step("Eve approves as the second, and it opens", async () => {
    await become("U0EVE");
    await press(card(WAITING), "Approve VM3 port 22");
    const open = card("VM3 port 22 is open");
    await open.waitFor(ARRIVES);
    assert.match(await open.innerText(), /Approved with Slack by .*Bea.* and .*Eve/);
    assert.equal(await button(open, "Approve VM3 port 22").count(), 0, "nothing is left to approve");
    assert.equal(await rulesIn("Contoso-NSG").count(), 1);
    // Packets meet a rule that allows up to 80 seconds after Azure has it in force.
    await advance(80);
    await port("VM3", 22, "open").waitFor(ARRIVES);
  });

  await step("each of the two has a message that they approved, and Chris has none", async () => {
    for (const [id, count] of [["U0BEA", 1], ["U0EVE", 1], ["U0CHRIS", 0]]) {
      await become(id);
      await direct();
      if (count) await message("You approved VM3 port 22").waitFor(ARRIVES);
      assert.equal(await message("You approved VM3 port 22").count(), count, id);
    }
  });
});
