// A request that does not say from where, in a real browser against a running sandbox:
//   AJAR_PAGE=http://127.0.0.1:8080 npm run address
// It leaves the picture address.png (chat.mjs says where). The sandbox must be fresh: nobody has asked for VM4.
import assert from "node:assert/strict";
import { ARRIVES, advance, become, card, listen, message, page, picture, port, press, story, type, url } from "./chat.mjs";

const PHONE = { width: 360, height: 740 };
const WAITING = "VM4 port 3389: waiting for approval";
// A page that says that nothing was sent is no page that was found.
const ABOUT = { viewport: { width: 1280, height: 720 }, forgiven: /status of 410/ };

/** The contrast of every text on the page with what is behind it (WCAG 2.2, 1.4.3), the lowest first. */
const contrasts = (on) =>
  on.evaluate(() => {
    const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
    const light = (colour) => {
      const [r, g, b] = parts(colour).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (parts(colour).length === 3) return colour;
      }
      return "rgb(255, 255, 255)";
    };
    const texts = [...document.querySelectorAll("main *")].filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    const found = texts.map((element) => {
      const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
      return { what: element.textContent.trim().slice(0, 30), contrast: (a + 0.05) / (b + 0.05) };
    });
    return found.sort((x, y) => x.contrast - y.contrast);
  });

const background = (on) => on.evaluate(() => getComputedStyle(document.body).backgroundColor);

/** What must hold of the page whatever it says. */
async function isReadable(on) {
  assert.equal(await on.locator("html").getAttribute("lang"), "en");
  assert.ok(await on.title());
  assert.equal(await on.getByRole("heading", { level: 1 }).count(), 1);
  assert.equal(await on.locator("script").count(), 0);
  for (const scheme of ["light", "dark"]) {
    await on.emulateMedia({ colorScheme: scheme });
    const [lowest] = await contrasts(on);
    assert.ok(lowest.contrast >= 4.5, `${scheme}: ${JSON.stringify(lowest)}`);
  }
  const before = on.viewportSize();
  await on.setViewportSize(PHONE);
  const wide = await on.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= PHONE.width, `${wide} pixels on a phone of ${PHONE.width}`);
  await on.setViewportSize(before);
}

story("an address is confirmed on a page, and the request goes on", ABOUT, async (step) => {
  let tab;
  let href;

  await step("Ana does not say from where, and gets a link that only she sees", async () => {
    await become("U0ANA");
    await type("/jit VM4 3389 for 30m because the payroll run <b>hangs</b>");
    const link = message("From which address?").getByRole("link", { name: "Open this page", exact: true });
    await link.waitFor(ARRIVES);
    href = await link.getAttribute("href");
    assert.ok(href.startsWith(`${url}/address?link=`), href);
    await become("U0BEA");
    assert.equal(await message("From which address?").count(), 0, "Ana's answer is hers alone");
    await become("U0ANA");
    [tab] = await Promise.all([page.context().waitForEvent("page"), link.click()]);
    listen(tab);
    await tab.waitForLoadState();
  });

  await step("the page shows who asks for what, and the address that the server saw", async () => {
    const main = await tab.getByRole("main").innerText();
    for (const shown of ["VM4 port 3389: is this your address?", "203.0.113.7", "VM4 in Contoso-IaaS", "3389 (TCP)", "30 minutes", "U0ANA in Slack", "the payroll run <b>hangs</b>", "It works once"]) {
      assert.ok(main.includes(shown), `${shown}: ${main}`);
    }
    assert.equal(await tab.locator("b").count(), 0, "what Ana wrote is text");
    assert.equal(await tab.getByRole("button").count(), 1);
    await isReadable(tab);
  });

  await step("it is dark in the dark, light in the light, and fits a phone", async () => {
    await tab.emulateMedia({ colorScheme: "light" });
    assert.equal(await background(tab), "rgb(255, 255, 255)");
    await tab.emulateMedia({ colorScheme: "dark" });
    assert.equal(await background(tab), "rgb(23, 24, 27)");
    await tab.setViewportSize(PHONE);
    const button = await tab.getByRole("button").boundingBox();
    assert.ok(button.height >= 44 && button.width >= 300, "a thumb finds it");
    await tab.emulateMedia({ colorScheme: "light" });
    await picture("address", tab, { fullPage: true });
  });

  await step("to look changes nothing", async () => {
    await tab.reload();
    assert.equal(await tab.getByRole("button").count(), 1);
    assert.equal(await card(WAITING).count(), 0);
  });

  await step("the button, by the keyboard alone, sends the request on", async () => {
    await tab.keyboard.press("Tab");
    assert.equal(await tab.evaluate(() => document.activeElement.textContent), "Yes, ask for VM4 port 3389 from 203.0.113.7");
    await tab.keyboard.press("Enter");
    await tab.getByRole("heading", { name: "Sent", exact: true }).waitFor(ARRIVES);
    assert.match(await tab.getByRole("main").innerText(), /Your request for VM4 port 3389 from 203\.0\.113\.7 for 30 minutes is sent/);
    assert.equal(tab.url(), `${url}/address`, "the link does not stay in the address bar");
    await isReadable(tab);
    await card(WAITING).waitFor(ARRIVES);
  });

  await step("the link works once", async () => {
    await tab.goto(href);
    await tab.getByRole("heading", { name: "Sent before", exact: true }).waitFor(ARRIVES);
    assert.equal(await tab.getByRole("button").count(), 0);
    await isReadable(tab);
    await tab.close();
  });

  await step("Bea approves, and the port opens for that address", async () => {
    await become("U0BEA");
    await press(card(WAITING), "Approve VM4 port 3389");
    await card("VM4 port 3389 is open").waitFor(ARRIVES);
    await advance(80);
    const open = port("VM4", 3389, "open");
    await open.waitFor(ARRIVES);
    assert.match(await open.innerText(), /lets in 203\.0\.113\.7/);
  });
});
