// The sandbox's page: who you are, the chat, the network, the clock.
import { blocks } from "./blocks.js";
import { modal } from "./modal.js";
import { make, mrkdwn } from "./mrkdwn.js";
import * as network from "./network.js";

const POLL_MS = 700;
const byId = (id) => document.getElementById(id);
const SLACKBOT = "USLACKBOT";

let me = sessionStorage.getItem("as") ?? "U0ANA";
let conversation = sessionStorage.getItem("conversation") ?? "C0JIT";
let state = null;
/** performance.now() when `state` came: the clock runs on from there. */
let cameAt = 0;
/** Message elements by `ts`, with the JSON they were made from: only what changed is made anew. */
let drawn = new Map();
let drawnFor = "";
let networkDrawn = "";
let rulesSeen = null;
const unfolded = new Set();
/** The newest `ts` seen, by person and conversation. */
const read = new Map();

const nowMs = () => (state ? state.now_ms + performance.now() - cameAt : Date.now());

const names = {
  isMe: (id) => id === me,
  user: (id) => (id === state.app.id ? state.app.name : id === SLACKBOT ? "Slackbot" : state.people.find((person) => person.id === id)?.name),
  channel: (id) => state.chat.conversations.find((known) => known.id === id)?.name,
  group: (id) => state.groups.find((group) => group.id === id)?.handle,
};

// --- talking to the sandbox -------------------------------------------------------------------

async function send(path, body) {
  const response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const text = await response.text();
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // Not every refusal is JSON.
  }
  if (!response.ok) throw new Error(answer.error ?? (text || `HTTP ${response.status}`));
  return answer;
}

/** Counts polls, so that an answer for somebody who is no longer shown is dropped. */
let asked = 0;
let timer = 0;

async function poll() {
  clearTimeout(timer);
  const turn = ++asked;
  try {
    const response = await fetch(`/page/state?as=${encodeURIComponent(me)}`);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const fresh = await response.json();
    if (turn !== asked) return;
    state = fresh;
    cameAt = performance.now();
    notice(null, "connection");
    draw();
  } catch {
    if (turn !== asked) return;
    notice("The sandbox does not answer. Is it running?", "connection");
  }
  timer = setTimeout(poll, POLL_MS);
}

let noticeAbout = "";

function notice(text, about) {
  if (text === null && noticeAbout !== about) return;
  noticeAbout = text === null ? "" : about;
  const element = byId("notice");
  element.hidden = text === null;
  if (element.textContent !== (text ?? "")) element.textContent = text ?? "";
}

// --- drawing ----------------------------------------------------------------------------------

function draw() {
  const own = state.own_messages;
  const shown = state.chat.conversations.filter((known) => known.has_app);
  if (!shown.some((known) => known.id === conversation)) conversation = conversation.startsWith("D") ? own : "C0JIT";
  drawPeople();
  drawConversations(shown);
  drawMessages(shown.find((known) => known.id === conversation));
  drawNetwork();
  drawClock();
  dialog.show(state.chat.view, me, { names, nowMs: nowMs() });
}

function drawPeople() {
  keep(byId("people"), [state.people, me], () =>
    state.people.map((person) => {
      const button = make("button", "person");
      button.type = "button";
      button.dataset.testid = `as-${person.id}`;
      button.setAttribute("aria-pressed", String(person.id === me));
      const label = make("span", "person-label", person.name);
      label.append(make("small", "", person.role));
      button.append(avatar(person.id), label);
      button.addEventListener("click", () => become(person.id));
      return button;
    }),
  );
}

function drawConversations(shown) {
  const rows = shown.map((known) => {
    const last = known.messages.at(-1)?.ts ?? "0";
    const key = `${me} ${known.id}`;
    if (known.id === conversation || !read.has(key)) read.set(key, last);
    const unread = known.messages.filter((message) => message.ts > read.get(key)).length;
    return { id: known.id, title: title(known), unread, dm: known.kind !== "public" };
  });
  keep(byId("conversations"), [rows, conversation], () =>
    rows.map((row) => {
      const button = make("button", "conversation");
      button.type = "button";
      button.dataset.testid = row.dm ? "conversation-dm" : `conversation-${row.id}`;
      button.setAttribute("aria-pressed", String(row.id === conversation));
      button.append(make("span", "sign", row.dm ? "●" : "#"), make("span", "conversation-name", row.title));
      if (row.unread > 0) {
        const badge = make("span", "badge", String(row.unread));
        badge.setAttribute("aria-label", `${row.unread} new`);
        button.append(badge);
      }
      button.addEventListener("click", () => {
        conversation = row.id;
        sessionStorage.setItem("conversation", conversation);
        notice(null, "sending");
        draw();
        byId("composer").focus();
      });
      return button;
    }),
  );
}

function title(known) {
  return known.kind === "public" ? known.name : state.app.name;
}

/** Replaces an element's children only when what they show has changed; keeps the focus. */
function keep(element, shows, build) {
  const now = JSON.stringify(shows);
  if (element.dataset.shows === now) return;
  element.dataset.shows = now;
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
  element.replaceChildren(...build());
  if (focused) element.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
}

function drawMessages(known) {
  const list = byId("messages");
  const heading = byId("conversation-title");
  const name = known.kind === "public" ? `# ${known.name}` : title(known);
  if (heading.textContent !== name) heading.textContent = name;
  byId("composer").placeholder = `Message ${name.replace("# ", "#")}`;
  const place = `${me} ${known.id}`;
  const elsewhere = drawnFor !== place;
  const atEnd = elsewhere || list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  if (elsewhere) {
    drawn = new Map();
    drawnFor = place;
    // Another person's messages are not news.
    list.setAttribute("aria-live", "off");
    list.replaceChildren();
  }
  const next = new Map();
  const ordered = inThreads(known.messages);
  const elements = ordered.map((message, index) => {
    const follows = index > 0 && sameSpeaker(ordered[index - 1], message);
    // What is ticked in it is on the page already.
    const made = JSON.stringify([{ ...message, state: undefined }, follows]);
    const before = drawn.get(message.ts);
    const element = before?.made === made ? before.element : drawMessage(message, follows);
    next.set(message.ts, { made, element });
    return element;
  });
  drawn = next;
  if (elements.length === 0) elements.push(make("p", "empty", known.kind === "public" ? "Ask for access with /jit. Whoever may approve sees it here." : "Ajar writes to you here."));
  const changed = elements.length !== list.children.length || elements.some((element, index) => list.children[index] !== element);
  if (changed) {
    for (const element of [...list.children]) if (!elements.includes(element)) element.remove();
    elements.forEach((element, index) => {
      if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
    });
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
  if (elsewhere) requestAnimationFrame(() => list.setAttribute("aria-live", "polite"));
  byId("example").hidden = me !== "U0ANA" || state.chat.conversations.some((any) => any.messages.some((message) => message.user === me));
}

/** Replies stand below the message they answer. */
function inThreads(messages) {
  const roots = messages.filter((message) => !message.thread_ts || !messages.some((other) => other.ts === message.thread_ts));
  return roots.flatMap((root) => [root, ...messages.filter((message) => message.thread_ts === root.ts && message !== root)]);
}

function sameSpeaker(before, message) {
  return before.user === message.user && before.ephemeral === message.ephemeral && !before.thread_ts && Number(message.ts) - Number(before.ts) < 300 && !message.blocks;
}

function drawMessage(message, follows) {
  const element = make("article", "message");
  element.dataset.testid = "message";
  element.dataset.ts = message.ts;
  element.classList.toggle("ephemeral", message.ephemeral);
  element.classList.toggle("follows", follows);
  element.classList.toggle("reply", Boolean(message.thread_ts && message.thread_ts !== message.ts));
  const body = make("div", "message-body");
  const head = make("div", "message-head");
  head.append(make("strong", "", names.user(message.user) ?? message.user));
  if (message.user === state.app.id) head.append(make("span", "app", "APP"));
  const at = new Date(Number(message.ts) * 1000);
  const time = make("time", "", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }));
  time.dateTime = at.toISOString();
  time.title = at.toLocaleString();
  head.append(time);
  if (message.ephemeral) {
    const only = make("div", "only", "Only visible to you");
    only.dataset.testid = "ephemeral";
    body.append(only);
  }
  body.append(head);
  if (message.command) body.append(make("code", "typed", unescapeTyped(message.text)));
  else if (message.blocks?.length) body.append(...blocks(message.blocks, readerOf(message)));
  else {
    const text = make("div", "message-text");
    text.append(...mrkdwn(message.text, names, nowMs()));
    if (message.edited) text.append(make("span", "edited", " (edited)"));
    body.append(text);
  }
  element.append(avatar(message.user), body);
  return element;
}

/** What blocks of a message need to be drawn, and what can be done with them. */
function readerOf(message) {
  return {
    names,
    nowMs: nowMs(),
    id: message.ts,
    state: message.state,
    click: (block, button, made) => click(message, block, button, made),
    choose: (block, element, chosen) => choose(message, block, element, chosen),
  };
}

function unescapeTyped(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

function avatar(id) {
  const element = make("span", "avatar", id === state.app.id ? "" : (names.user(id) ?? id).slice(0, 1));
  element.dataset.who = id;
  element.setAttribute("aria-hidden", "true");
  return element;
}

function drawNetwork() {
  const shows = JSON.stringify(state.network);
  if (shows === networkDrawn) return;
  networkDrawn = shows;
  const all = state.network.nsgs.flatMap((nsg) => nsg.rules.map((rule) => rule.name));
  const fresh = new Set(rulesSeen ? all.filter((name) => !rulesSeen.has(name)) : []);
  const gone = rulesSeen ? [...rulesSeen].filter((name) => !all.includes(name)) : [];
  rulesSeen = new Set(all);
  byId("machines").replaceChildren(...network.machines(state.network));
  byId("nsgs").replaceChildren(...network.groups(state.network, fresh, unfolded));
  const said = [...[...fresh].map((name) => `Rule ${name} was written.`), ...gone.map((name) => `Rule ${name} is gone.`)];
  if (said.length > 0) byId("spoken").textContent = said.join(" ");
  const grants = state.network.nsgs.flatMap((nsg) => nsg.rules).filter((rule) => network.isOurs(rule) && !network.isClosing(rule));
  byId("to-end").disabled = moving || grants.length === 0;
  byId("to-end").title = grants.length === 0 ? "Nothing is open" : "Move the clock to the end of the next grant";
  const badge = byId("tab-open");
  badge.hidden = grants.length === 0;
  badge.textContent = String(grants.length);
}

function drawClock() {
  if (!state) return;
  const now = new Date(nowMs());
  byId("clock").textContent = now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  byId("clock").dateTime = now.toISOString();
  const ahead = Math.round((now.getTime() - Date.now()) / 60_000);
  byId("clock-note").textContent = ahead >= 1 ? `${ahead} min ahead` : "sandbox time";
  network.tick(now.getTime());
}

// --- what a person does -----------------------------------------------------------------------

function become(id) {
  me = id;
  sessionStorage.setItem("as", me);
  // What one person began to write is not another's.
  composer.value = "";
  grow();
  notice(null, "sending");
  if (state) {
    // What the other person sees is asked for; until then nothing of the former is shown.
    byId("messages").replaceChildren();
    drawnFor = "";
    drawPeople();
  }
  poll();
}

/** What is ticked is sent in the order in which it was; a click waits for it. */
let choosing = Promise.resolve();

function choose(message, block, element, chosen) {
  const body = { as: me, channel: conversation, ts: message.ts, block_id: block.block_id, action_id: element.action_id, state: chosen };
  choosing = choosing.then(async () => {
    try {
      const answer = await send("/page/choose", body);
      if (!answer.ok) notice(`Ajar did not take what was ticked: ${answer.error}`, "sending");
    } catch (error) {
      notice(error.message, "sending");
    }
  });
}

async function click(message, block, button, element) {
  const before = element.closest(".message").querySelector(".failed");
  before?.remove();
  const buttons = element.closest(".message").querySelectorAll("button.button");
  buttons.forEach((other) => (other.disabled = true));
  element.classList.add("busy");
  let why = null;
  const body = { as: me, channel: conversation, ts: message.ts, block_id: block.block_id, action_id: button.action_id };
  await choosing;
  try {
    const answer = await send("/page/click", body);
    if (!answer.ok) why = `Ajar did not take the click: ${answer.error}`;
  } catch (error) {
    why = error.message;
  }
  buttons.forEach((other) => (other.disabled = false));
  element.classList.remove("busy");
  if (why) {
    const failed = make("p", "failed", `⚠ ${why}`);
    failed.setAttribute("role", "alert");
    element.closest(".block")?.after(failed);
  }
  poll();
}

const composer = byId("composer");

function grow() {
  composer.style.height = "auto";
  composer.style.height = `${Math.min(composer.scrollHeight, 140)}px`;
}

composer.addEventListener("input", () => {
  grow();
  notice(null, "sending");
});
composer.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId("composer-form").requestSubmit();
  }
});

byId("composer-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = composer.value.trim();
  if (text === "") return;
  composer.value = "";
  grow();
  notice(null, "sending");
  try {
    const sending = send("/page/command", { as: me, channel: conversation, text });
    setTimeout(poll, 60);
    await sending;
  } catch (error) {
    notice(error.message, "sending");
    if (composer.value === "") composer.value = text;
  }
  poll();
});

byId("example").addEventListener("click", () => {
  composer.value = byId("example").querySelector("code").textContent;
  grow();
  composer.focus();
});

let moving = false;

async function moveClock(body) {
  moving = true;
  const buttons = [byId("plus-minute"), byId("to-end")];
  buttons.forEach((button) => (button.disabled = true));
  notice(null, "clock");
  try {
    await send("/sandbox/clock", body);
  } catch (error) {
    notice(error.message, "clock");
  }
  moving = false;
  byId("plus-minute").disabled = false;
  networkDrawn = "";
  poll();
}

byId("plus-minute").addEventListener("click", () => moveClock({ advance_seconds: 60 }));
byId("to-end").addEventListener("click", () => moveClock({ to_next_end: true }));

document.addEventListener("click", async (event) => {
  const copy = event.target.closest?.("[data-copy]");
  if (!copy) return;
  await navigator.clipboard.writeText(copy.dataset.copy);
  copy.classList.add("copied");
  byId("spoken").textContent = "Copied.";
  setTimeout(() => copy.classList.remove("copied"), 1200);
});

for (const tab of ["chat", "network"]) {
  byId(`tab-${tab}`).addEventListener("click", () => {
    byId("halves").dataset.tab = tab;
    for (const other of ["chat", "network"]) byId(`tab-${other}`).setAttribute("aria-pressed", String(other === tab));
  });
}

const dialog = modal(send, poll);
setInterval(drawClock, 250);
poll();
