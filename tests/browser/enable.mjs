// SSH that was left open for good becomes access for a while, in a real browser against a running sandbox:
//   AJAR_PAGE=http://127.0.0.1:8080 npm run enable
// It leaves the pictures enable.png and order.png (chat.mjs says where). The sandbox must be fresh: nothing is enabled in it, and no rule of Ajar's is there.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { before } from "node:test";
import { ARRIVES, advance, become, button, dialog, gone, heading, message, page, picture, port, press, rulesIn, story, type, url } from "./chat.mjs";

const LAB = ["VM1", "VM2", "VM3", "VM4"];
const QUARTER_SECONDS = 900;
// High enough for the whole of the message about the order.
const WINDOW = { viewport: { width: 1440, height: 1180 } };

let about;

before(async () => {
  about = await (await fetch(`${url}/sandbox.json`)).json();
});

/** What stands beside a machine of what `/jit vms` says. */
const badge = (machine, says) => page.getByTestId(`listed-${machine}`).filter({ hasText: says });
const closingIn = (group) => rulesIn(group).filter({ hasText: "closing rule" });
const grantIn = (group) => rulesIn(group).filter({ hasNotText: "closing rule" });
const priorityOf = async (row) => Number(await row.getByTestId("priority").innerText());

const loopback = (machine, number) => about.machines.find((one) => one.name === machine).ports.find((one) => one.port === number).address;

/** What a connection to a machine's port meets: what is said first, or why there is none. */
function greeted(machine, number) {
  const [host, at] = loopback(machine, number).split(":");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(at), timeout: ARRIVES.timeout });
    const end = (met) => {
      socket.destroy();
      resolve(met);
    };
    socket.once("data", (data) => end(data.toString().trim()));
    socket.once("error", (error) => end(error.code));
    socket.once("timeout", () => end("nothing said"));
  });
}

async function websiteAnswers() {
  const response = await fetch(`http://${loopback("VM1", 80)}/`);
  assert.equal(response.status, 200);
  assert.match(await response.text(), /Served by VM1\./);
}

/** The owner lets everybody in by SSH, in a group of the network. */
async function leaveOpen(group) {
  const path = `/subscriptions/${about.subscription_id}/resourceGroups/Contoso-IaaS/providers/Microsoft.Network/networkSecurityGroups/${group}/securityRules/allow-ssh?api-version=2025-05-01`;
  const properties = {
    priority: 1010, direction: "Inbound", access: "Allow", protocol: "Tcp", sourceAddressPrefix: "*", sourcePortRange: "*", destinationAddressPrefix: "*", destinationPortRange: "22",
  };
  const written = await fetch(about.arm_url + path, {
    method: "PUT",
    headers: { authorization: `Bearer ${about.arm_token}`, "content-type": "application/json" },
    body: JSON.stringify({ properties }),
  });
  assert.ok([200, 201].includes(written.status), `${written.status} ${await written.text()}`);
}

story("ports that were open to everybody are enabled, shut, asked for, and shut again", WINDOW, async (step) => {
  await step("SSH is left open to everybody by the owner's rule", async () => {
    await port("VM3", 22, "shut").waitFor(ARRIVES);
    assert.equal(await greeted("VM3", 22), "ECONNREFUSED");
    for (const machine of LAB) await badge(machine, /^Recommended: shielded, not enabled$/).waitFor(ARRIVES);
    for (const group of ["Contoso-NSG", "VM3-nsg"]) await leaveOpen(group);
    await advance(QUARTER_SECONDS);
    await port("VM3", 22, "open").waitFor(ARRIVES);
    assert.match(await greeted("VM3", 22), /^SSH-2\.0-/);
    await websiteAnswers();
  });

  await step("Ana's list recommends all four machines, and says by which rule they are open", async () => {
    await become("U0ANA");
    await type("/jit vms");
    const list = message("Recommended (4)");
    await list.waitFor(ARRIVES);
    const said = await list.innerText();
    assert.match(said, /Configured: nothing is enabled yet/);
    for (const machine of LAB) {
      const group = machine === "VM3" ? "VM3-nsg" : "Contoso-NSG";
      assert.ok(said.includes(`${machine} in Contoso-IaaS: 22 is open to everybody on the Internet by the rule allow-ssh in ${group}`), said);
    }
    assert.match(said, /Unsupported: none/);
    assert.equal(await list.getByRole("checkbox").count(), 0, "boxes are for admins");
    for (const machine of LAB) await badge(machine, /^Recommended: 22 is open to everybody by allow-ssh$/).waitFor(ARRIVES);
  });

  await step("Chris, an admin, can tick them under his list, and gets the form for those", async () => {
    await become("U0CHRIS");
    await type("/jit vms");
    const list = message("Recommended (4)");
    const enable = () => press(list, "Enable JIT on the ticked machines");
    await enable();
    await message("No machine is ticked.").waitFor(ARRIVES);
    assert.equal(await dialog().isVisible(), false);
    const box = (machine) => list.getByRole("checkbox", { name: new RegExp(`^${machine}`) });
    for (const machine of LAB) assert.equal(await box(machine).isChecked(), false);
    for (const machine of ["VM1", "VM2", "VM3"]) await box(machine).check();
    await box("VM2").uncheck();
    await enable();
    await dialog().waitFor(ARRIVES);
    assert.match(await dialog().innerText(), /From now on these ports of VM1 and VM3 can be asked for/);
    await press(dialog(), "Cancel");
    await gone();
    assert.deepEqual(await Promise.all(LAB.map((machine) => box(machine).isChecked())), [true, false, true, false], "what is ticked stays");
    await become("U0ANA");
    await message("Recommended (4)").waitFor(ARRIVES);
    await become("U0CHRIS");
    await box("VM1").waitFor(ARRIVES);
    assert.deepEqual(await Promise.all(LAB.map((machine) => box(machine).isChecked())), [true, false, true, false], "also when the page draws it anew");
  });

  await step("Chris enables them in a form with the suggested ports", async () => {
    await type(`/jit enable ${LAB.join(" ")}`);
    await dialog().waitFor(ARRIVES);
    assert.equal(await dialog().getByRole("heading").innerText(), "Enable JIT");
    const ports = dialog().getByRole("group", { name: /^Ports/ }).getByRole("checkbox");
    const names = ["22 (SSH)", "3389 (RDP)", "5985 (WinRM)", "5986 (WinRM by HTTPS)"];
    assert.equal(await ports.count(), names.length);
    assert.equal(await dialog().getByRole("checkbox", { name: names[0], exact: true }).isChecked(), true, "Linux machines are among them");
    for (const name of names) await dialog().getByRole("checkbox", { name, exact: true }).check();
    await picture("enable", dialog());
    await press(dialog(), "Enable");
    await gone();
  });

  const order = () => message("JIT enabled: VM1, VM2, VM3 and VM4");
  const write = () => button(order(), "Write the closing rules");

  await step("the channel is told what is not shut, and nothing has changed yet", async () => {
    await write().waitFor(ARRIVES);
    const said = await order().innerText();
    assert.match(said, /Chris( \(you\))? has enabled JIT access\./);
    for (const machine of LAB) assert.match(said, new RegExp(`• ${machine}: 22, 3389, 5985, 5986 up to 3 hours; 22 is open to everybody on the Internet by the rule allow-ssh in .*: not shut`));
    assert.match(said, /An admin can order these 5 closing rules/);
    for (const machine of LAB) await badge(machine, /^Configured: 22, 3389, 5985, 5986$/).waitFor(ARRIVES);
    assert.equal(await rulesIn("Contoso-NSG").count() + await rulesIn("VM3-nsg").count(), 0);
    await picture("order", order());
  });

  await step("Chris orders the closing rules, and nothing listens at port 22 any more", async () => {
    await write().click();
    await port("VM3", 22, "shut").waitFor(ARRIVES);
    await order().filter({ hasText: "Done:" }).waitFor(ARRIVES);
    assert.equal((await order().innerText()).match(/: shut by jit-sandbox-shut-/g)?.length, 5);
    assert.equal(await write().count(), 0, "nothing is left to click");
    assert.equal(await closingIn("Contoso-NSG").count(), 4);
    assert.equal(await closingIn("VM3-nsg").count(), 1);
    assert.doesNotMatch(await page.getByTestId("nsg-Contoso-NSG").innerText(), /no end is known/);
    assert.equal(await page.getByTestId("to-end").isDisabled(), true, "a closing rule is no grant");
    assert.equal(await greeted("VM3", 22), "ECONNREFUSED");
    await websiteAnswers();
  });

  await step("Ana asks for VM3, and Bea approves", async () => {
    await become("U0ANA");
    await type("/jit VM3 22 for 30m because patching");
    await become("U0BEA");
    await heading("VM3 port 22: waiting for approval").waitFor(ARRIVES);
    await press(page.getByTestId("messages"), "Approve VM3 port 22");
    await heading("VM3 port 22 is open").waitFor(ARRIVES);
  });

  await step("her rule stands above the closing rules, and the port greets her", async () => {
    const grant = grantIn("Contoso-NSG");
    await grant.waitFor(ARRIVES);
    assert.equal(await grant.count(), 1);
    assert.match(await grant.innerText(), /203\.0\.113\.7\/32/);
    const closing = await Promise.all((await closingIn("Contoso-NSG").all()).map(priorityOf));
    assert.ok(await priorityOf(grant) < Math.min(...closing), `before ${closing}`);
    // Packets meet a rule that allows up to 80 seconds after Azure has it in force.
    await advance(80);
    await port("VM3", 22, "open").waitFor(ARRIVES);
    assert.match(await port("VM3", 22, "open").innerText(), /lets in 203\.0\.113\.7/);
    assert.match(await greeted("VM3", 22), /^SSH-2\.0-/);
    await websiteAnswers();
  });

  await step("at the end the port is refused again, and the closing rules stay", async () => {
    await page.getByTestId("to-end").click();
    await port("VM3", 22, "shut").waitFor(ARRIVES);
    await heading("VM3 port 22 is shut").waitFor(ARRIVES);
    await grantIn("Contoso-NSG").waitFor({ state: "detached", ...ARRIVES });
    assert.equal(await closingIn("Contoso-NSG").count(), 4);
    assert.equal(await greeted("VM3", 22), "ECONNREFUSED");
    await websiteAnswers();
  });
});
