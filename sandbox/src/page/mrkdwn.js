// Slack's mrkdwn. `parse` gives plain objects and knows nothing of the page; `nodes` makes elements
// of them, with textContent only, so that no text of a user can become markup.
// Rules: docs.slack.dev, messaging/formatting-message-text.

const EMOJI = {
  white_check_mark: "✅", x: "❌", no_entry: "⛔", lock: "🔒", unlock: "🔓", key: "🔑", door: "🚪",
  warning: "⚠️", rotating_light: "🚨", hourglass: "⌛", hourglass_flowing_sand: "⏳", alarm_clock: "⏰",
  bell: "🔔", wave: "👋", eyes: "👀", "+1": "👍", "-1": "👎", information_source: "ℹ️", shield: "🛡️",
};

/** Takes back Slack's escaping of the three characters that its markup uses. */
export function unescape(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

/** Text of a mrkdwn object as a list of tokens. */
export function parse(text, { verbatim = false } = {}) {
  const tokens = [];
  // Every second piece stands between two fences; a fence without its second is just text.
  const pieces = text.split("```");
  if (pieces.length % 2 === 0) {
    const last = pieces.pop();
    pieces[pieces.length - 1] += "```" + last;
  }
  pieces.forEach((piece, index) => {
    if (index % 2 === 1) tokens.push({ kind: "pre", text: unescape(piece.replace(/^\n|\n$/g, "")) });
    else if (piece !== "") tokens.push(...lines(piece, verbatim));
  });
  return tokens;
}

/** Runs of quoted lines, and the text between them. */
function lines(text, verbatim) {
  const tokens = [];
  const all = text.split("\n");
  let at = 0;
  while (at < all.length) {
    const quoted = quote(all[at]) !== null;
    let end = at;
    while (end < all.length && (quote(all[end]) !== null) === quoted) end += 1;
    const run = all.slice(at, end);
    if (quoted) tokens.push({ kind: "quote", children: inline(run.map(quote).join("\n"), verbatim) });
    else tokens.push(...inline(run.join("\n"), verbatim));
    at = end;
  }
  return tokens;
}

function quote(line) {
  const match = /^(?:&gt;|>) ?(.*)$/.exec(line);
  return match && match[1];
}

const MARKS = { "*": "bold", _: "italic", "~": "strike" };

function inline(text, verbatim) {
  const tokens = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") tokens.push({ kind: "text", text: unescape(plain) });
    plain = "";
  };
  const push = (token) => {
    flush();
    tokens.push(token);
  };
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    const before = at === 0 ? "" : text[at - 1];
    if (char === "\n") {
      push({ kind: "break" });
      at += 1;
      continue;
    }
    if (char === "`") {
      const end = text.indexOf("`", at + 1);
      const code = end === -1 ? "" : text.slice(at + 1, end);
      if (code !== "" && !code.includes("\n")) {
        push({ kind: "code", text: unescape(code) });
        at = end + 1;
        continue;
      }
    }
    if (char === "<") {
      const end = text.indexOf(">", at + 1);
      const token = end === -1 ? null : entity(text.slice(at + 1, end));
      if (token) {
        push(token);
        at = end + 1;
        continue;
      }
    }
    if (char in MARKS && !isWord(before)) {
      const end = closing(text, at);
      if (end !== -1) {
        push({ kind: MARKS[char], children: inline(text.slice(at + 1, end), verbatim) });
        at = end + 1;
        continue;
      }
    }
    if (char === ":") {
      const match = /^:([a-z0-9_+-]+):/.exec(text.slice(at, at + 40));
      if (match && Object.hasOwn(EMOJI, match[1])) {
        plain += EMOJI[match[1]];
        at += match[0].length;
        continue;
      }
    }
    if (char === "h" && !verbatim && !isWord(before)) {
      const match = /^https?:\/\/[^\s<>|]*[^\s<>|.,;:!?)'"]/.exec(text.slice(at));
      if (match) {
        const href = unescape(match[0]);
        push({ kind: "link", href, label: href });
        at += match[0].length;
        continue;
      }
    }
    plain += char;
    at += 1;
  }
  flush();
  return tokens;
}

function isWord(char) {
  return char !== "" && /[\p{L}\p{N}]/u.test(char);
}

/** Where the mark at `start` ends: on the same line, not after a space, not inside a word or `<...>`. */
function closing(text, start) {
  const mark = text[start];
  if (/[\s]/.test(text[start + 1] ?? " ") || text[start + 1] === mark) return -1;
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === "\n") return -1;
    const skip = text[at] === "<" ? ">" : text[at] === "`" ? "`" : "";
    if (skip !== "") {
      const end = text.indexOf(skip, at + 1);
      if (end !== -1) at = end;
    } else if (text[at] === mark && !/\s/.test(text[at - 1]) && !isWord(text[at + 1] ?? "")) {
      return at;
    }
  }
  return -1;
}

/** What stands between `<` and `>`; null when Slack would show it as it is. */
function entity(inner) {
  const bar = inner.indexOf("|");
  const target = bar === -1 ? inner : inner.slice(0, bar);
  const label = bar === -1 ? "" : unescape(inner.slice(bar + 1));
  let match;
  if ((match = /^@([UW][A-Z0-9]+)$/.exec(target))) return { kind: "user", id: match[1], label };
  if ((match = /^#([CDG][A-Z0-9]+)$/.exec(target))) return { kind: "channel", id: match[1], label };
  if ((match = /^!subteam\^(S[A-Z0-9]+)$/.exec(target))) return { kind: "group", id: match[1], label };
  if ((match = /^!(here|channel|everyone)$/.exec(target))) return { kind: "broadcast", word: match[1] };
  if ((match = /^!date\^(-?\d+)\^([^^]*)(?:\^(.*))?$/.exec(target))) {
    const link = match[3] ? unescape(match[3]) : "";
    return { kind: "date", unix: Number(match[1]), format: match[2], link, fallback: label };
  }
  if (/^(https?:\/\/|mailto:)\S+$/i.test(target)) {
    const href = unescape(target);
    return { kind: "link", href, label: label || href };
  }
  return null;
}

/** A Slack date format in the reader's own zone. */
export function formatDate(unix, format, nowMs, locale = undefined) {
  const date = new Date(unix * 1000);
  if (Number.isNaN(date.getTime())) return null;
  const show = (options) => new Intl.DateTimeFormat(locale, options).format(date);
  const day = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
  const days = Math.round((day(date) - day(new Date(nowMs))) / 86_400_000);
  const near = { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
  const capital = (word) => word && word[0].toUpperCase() + word.slice(1);
  const long = { year: "numeric", month: "long", day: "numeric" };
  const values = {
    date_num: () => [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((n) => String(n).padStart(2, "0")).join("-"),
    date: () => show(long),
    date_short: () => show({ ...long, month: "short" }),
    date_long: () => show({ ...long, weekday: "long" }),
    time: () => show({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    time_secs: () => show({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
    ago: () => ago(unix - nowMs / 1000, locale),
  };
  for (const name of ["date", "date_short", "date_long"]) values[`${name}_pretty`] = () => near ?? values[name]();
  const text = format.replace(/\{([a-z_]+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? values[name]() : whole));
  return format.startsWith("{date") && near ? text.replace(near, capital(near)) : text;
}

function ago(seconds, locale) {
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  for (const [unit, length] of [["day", 86_400], ["hour", 3_600], ["minute", 60]]) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return relative.format(Math.trunc(seconds), "second");
}

/** An element with text, the only way text gets into the page. */
export function make(name, className = "", text = undefined) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A mrkdwn text as nodes. `names` resolves ids; `nowMs` is the sandbox's clock. */
export function mrkdwn(text, names, nowMs, options = {}) {
  return nodes(parse(text, options), names, nowMs);
}

function nodes(tokens, names, nowMs) {
  return tokens.map((token) => {
    const holding = (name) => {
      const element = make(name);
      element.append(...nodes(token.children, names, nowMs));
      return element;
    };
    switch (token.kind) {
      case "text": return document.createTextNode(token.text);
      case "break": return make("br");
      case "code": return make("code", "", token.text);
      case "pre": return make("pre", "", token.text);
      case "bold": return holding("strong");
      case "italic": return holding("em");
      case "strike": return holding("s");
      case "quote": return holding("blockquote");
      case "user": return make("span", names.isMe(token.id) ? "mention me" : "mention", `@${names.user(token.id) ?? (token.label || token.id)}`);
      case "channel": return make("span", "mention", `#${names.channel(token.id) ?? (token.label || token.id)}`);
      case "group": return make("span", "mention", `@${names.group(token.id) ?? (token.label.replace(/^@/, "") || token.id)}`);
      case "broadcast": return make("span", "mention me", `@${token.word}`);
      case "date": return date(token, nowMs);
      case "link": return link(token.href, token.label);
    }
    throw new Error(`unknown token ${token.kind}`);
  });
}

function date(token, nowMs) {
  const shown = formatDate(token.unix, token.format, nowMs) ?? token.fallback;
  const element = make("time", "date", shown);
  element.title = token.fallback;
  const moment = new Date(token.unix * 1000);
  if (!Number.isNaN(moment.getTime())) element.dateTime = moment.toISOString();
  if (!/^https?:\/\//i.test(token.link)) return element;
  const anchor = link(token.link, "");
  anchor.append(element);
  return anchor;
}

function link(href, label) {
  const anchor = make("a", "", label);
  anchor.href = href;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  return anchor;
}
