// The network: machines with their ports, and the rules that decide.
import { make } from "./mrkdwn.js";

/** Azure's default rules start here. */
const DEFAULT_PRIORITY = 65_000;

/** Whether Ajar wrote the rule: `jit-<installation>-<request id>`. */
export function isOurs(rule) {
  return /^jit-[a-z0-9]+-/i.test(rule.name);
}

/** Whether it is a closing rule, `jit-<installation>-shut-…`, which stands until it is ordered away. */
export function isClosing(rule) {
  return /^jit-[a-z0-9]+-shut-/i.test(rule.name);
}

/** When the rule ends, in milliseconds; null when nothing says so. */
export function endsAt(rule) {
  if (typeof rule.ends_at === "number") return rule.ends_at * 1000;
  const said = `${rule.ends_at ?? ""} ${rule.description ?? ""}`;
  const times = said.matchAll(/(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(Z|UTC|[+-]\d\d:?\d\d)/g);
  // The end is the last moment that a description tells of.
  const moments = [...times].map(([, day, time, zone]) => Date.parse(`${day}T${time}${zone === "UTC" ? "Z" : zone}`));
  const known = moments.filter((moment) => !Number.isNaN(moment));
  return known.length === 0 ? null : Math.max(...known);
}

/** `29:41`, `1:02:03`; never negative. */
export function left(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Whether a rule's ports name this one. */
function names(ports, port) {
  return String(ports).split(/,\s*/).some((range) => {
    const [from, to] = range.split("-").map(Number);
    return range === "*" || (port >= from && port <= (to ?? from));
  });
}

/** The rule of ours that opens this port of this machine, if one does. */
function grantOf(network, machine, port) {
  const rules = network.nsgs.flatMap((nsg) => nsg.rules).filter((rule) => isOurs(rule) && rule.access === "Allow");
  const here = rules.filter((rule) => String(rule.destination).split(/,\s*/).some((to) => to.replace(/\/32$/, "") === machine.private_address));
  return here.filter((rule) => names(rule.ports, port)).sort((a, b) => (endsAt(b) ?? 0) - (endsAt(a) ?? 0))[0];
}

function countdown(rule, className) {
  const end = endsAt(rule);
  if (end === null) return make("span", className, "no end is known");
  const element = make("span", className);
  element.dataset.ends = String(end);
  element.dataset.testid = "countdown";
  element.title = `until ${new Date(end).toLocaleString()}`;
  return element;
}

/** Sets every countdown on the page; called each second. */
export function tick(nowMs) {
  for (const element of document.querySelectorAll("[data-ends]")) {
    const rest = Number(element.dataset.ends) - nowMs;
    element.textContent = rest > 0 ? `${left(rest)} left` : "ending";
    element.classList.toggle("soon", rest < 60_000);
  }
}

/** The machines, as cards. */
export function machines(network) {
  return network.machines.map((machine) => {
    const card = make("article", "machine");
    card.dataset.testid = `machine-${machine.name}`;
    const head = make("header", "machine-head");
    head.append(make("h3", "", machine.name), make("span", "os", machine.os));
    const addresses = make("p", "addresses", machine.private_address);
    if (machine.public_address) addresses.append(" · ", machine.public_address);
    const list = make("ul", "ports");
    list.append(...machine.ports.map((port) => portRow(network, machine, port)));
    card.append(head, addresses);
    if (machine.listed) {
      const badge = make("p", "listed", machine.listed.says);
      badge.dataset.testid = `listed-${machine.name}`;
      badge.dataset.standing = machine.listed.standing;
      card.append(badge);
    }
    card.append(list);
    return card;
  });
}

function portRow(network, machine, port) {
  const open = port.listening;
  const grant = open ? grantOf(network, machine, port.port) : undefined;
  // In force by Azure's rules, and no packet meets it yet.
  const late = (port.allows ?? []).filter((address) => !port.lets_in?.includes(address));
  const state = open ? "open" : late.length > 0 ? "late" : "shut";
  const row = make("li", `port ${open ? "open" : "shut"}${grant ? " granted" : ""}`);
  row.dataset.testid = `port-${machine.name}-${port.port}`;
  row.dataset.state = state;
  const line = make("div", "port-line");
  line.append(door(), make("span", "port-number", String(port.port)), make("span", "port-name", port.name ?? ""));
  if (grant) line.append(countdown(grant, "countdown"));
  line.append(make("span", "state", state === "late" ? "on its way" : state));
  row.append(line);
  if (open) {
    const detail = make("div", "port-detail");
    detail.append(tryIt(machine, port));
    if (port.lets_in?.length) detail.append(make("span", "lets-in", `lets in ${port.lets_in.join(", ")}`));
    row.append(detail);
  }
  return row;
}

/** A door, drawn shut; the style sheet swings it open. */
function door() {
  const svg = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const picture = svg("svg", { viewBox: "0 0 16 18", width: "16", height: "18", class: "door", "aria-hidden": "true" });
  picture.append(
    svg("path", { class: "frame", d: "M2 17V2.200A1.200 1.200 0 0 1 3.200 1h9.600A1.200 1.200 0 0 1 14 2.200V17" }),
    svg("path", { class: "leaf", d: "M3.500 2.500h9V17h-9z" }),
  );
  return picture;
}

/** The line to type to see for oneself, with a button that copies it. */
function tryIt(machine, port) {
  const [host, number] = splitAddress(port.address);
  const line = { 22: `ssh -p ${number} labuser@${host}`, 80: `curl http://${port.address}/` }[port.port] ?? `nc -vz ${host} ${number}`;
  const button = make("button", "try");
  button.type = "button";
  button.dataset.copy = line;
  button.title = "Copy";
  button.setAttribute("aria-label", `Copy: ${line}`);
  button.append(make("code", "", line));
  return button;
}

function splitAddress(address) {
  const colon = address.lastIndexOf(":");
  return [address.slice(0, colon).replace(/^\[|\]$/g, ""), address.slice(colon + 1)];
}

/** Each network security group as a table. `fresh` holds the names of rules that just appeared. */
export function groups(network, fresh, unfolded) {
  return network.nsgs.map((nsg) => {
    const box = make("section", "nsg");
    box.dataset.testid = `nsg-${nsg.name}`;
    const sorted = [...nsg.rules].sort((a, b) => a.direction.localeCompare(b.direction) || a.priority - b.priority);
    const own = sorted.filter((rule) => rule.priority < DEFAULT_PRIORITY);
    const defaults = sorted.filter((rule) => rule.priority >= DEFAULT_PRIORITY);
    const title = make("h3", "", nsg.name);
    title.append(make("small", "", "network security group"));
    box.append(title, table(own, fresh, `Rules of ${nsg.name} by priority`));
    if (defaults.length > 0) {
      const more = make("details");
      more.open = unfolded.has(nsg.name);
      more.addEventListener("toggle", () => (more.open ? unfolded.add(nsg.name) : unfolded.delete(nsg.name)));
      more.append(make("summary", "", `${defaults.length} default rules`), table(defaults, fresh, `Default rules of ${nsg.name}`));
      box.append(more);
    }
    return box;
  });
}

function table(rules, fresh, caption) {
  const element = make("table", "rules");
  element.append(make("caption", "unseen", caption));
  const head = make("tr");
  head.append(...["Priority", "Name", "From", "To", "Ports", "Access"].map((name) => {
    const cell = make("th", "", name);
    cell.scope = "col";
    return cell;
  }));
  const top = make("thead");
  top.append(head);
  const body = make("tbody");
  if (rules.length === 0) {
    const cell = make("td", "none", "No rules");
    cell.colSpan = 6;
    const row = make("tr");
    row.append(cell);
    body.append(row);
  }
  body.append(...rules.map((rule) => ruleRow(rule, fresh)));
  element.append(top, body);
  return element;
}

function ruleRow(rule, fresh) {
  const ours = isOurs(rule);
  const row = make("tr", [ours ? "ours" : "", fresh.has(rule.name) ? "fresh" : ""].join(" ").trim());
  row.dataset.testid = `rule-${rule.name}`;
  const cell = (label, className, text) => {
    const element = make("td", className, text);
    element.dataset.label = label;
    return element;
  };
  const name = cell("Name", "rule-name", "");
  name.append(make("span", "rule-title", rule.name));
  if (rule.direction !== "Inbound") name.append(make("span", "tag", rule.direction.toLowerCase()));
  if (rule.provisioning_state && rule.provisioning_state !== "Succeeded") name.append(make("span", "tag", rule.provisioning_state.toLowerCase()));
  if (isClosing(rule)) name.append(make("span", "tag", "closing rule"));
  else if (ours) name.append(countdown(rule, "countdown"));
  if (rule.description) name.title = rule.description;
  const priority = cell("Priority", "priority", String(rule.priority));
  priority.dataset.testid = "priority";
  const access = cell("Access", "access", "");
  access.append(make("span", rule.access === "Allow" ? "allow" : "deny", rule.access));
  row.append(priority, name, cell("From", "address", rule.source), cell("To", "address", rule.destination), cell("Ports", "address", `${rule.ports}${rule.protocol && rule.protocol !== "*" ? `\u00a0${rule.protocol.toLowerCase()}` : ""}`), access);
  return row;
}
