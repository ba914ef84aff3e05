// What the page makes of Slack's mrkdwn, as tokens: `npm test`, no browser needed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDate, parse } from "../../sandbox/src/page/mrkdwn.js";
import { endsAt, left } from "../../sandbox/src/page/network.js";

const text = (value) => ({ kind: "text", text: value });

const cases = [
  ["plain", [text("plain")]],
  ["*bold* and _it_ and ~no~", [{ kind: "bold", children: [text("bold")] }, text(" and "), { kind: "italic", children: [text("it")] }, text(" and "), { kind: "strike", children: [text("no")] }]],
  ["2*3*4 snake_case_name a * b * c", [text("2*3*4 snake_case_name a * b * c")]],
  ["*_both_*", [{ kind: "bold", children: [{ kind: "italic", children: [text("both")] }] }]],
  ["*open\nend*", [text("*open"), { kind: "break" }, text("end*")]],
  ["`VM3 *22*`", [{ kind: "code", text: "VM3 *22*" }]],
  ["a ```x\n*y*``` b", [text("a "), { kind: "pre", text: "x\n*y*" }, text(" b")]],
  ["a ``` b", [text("a ``` b")]],
  ["```a``` ``` b", [{ kind: "pre", text: "a" }, text(" ``` b")]],
  ["&lt;b&gt; &amp;lt;", [text("<b> &lt;")]],
  ["<script>alert(1)</script>", [text("<script>alert(1)</script>")]],
  ["<javascript:alert(1)|ok>", [text("<javascript:alert(1)|ok>")]],
  ["<https://a.example/?x=1&amp;y=2|here &amp; now>", [{ kind: "link", href: "https://a.example/?x=1&y=2", label: "here & now" }]],
  ["see https://a.example/b.", [text("see "), { kind: "link", href: "https://a.example/b", label: "https://a.example/b" }, text(".")]],
  ["<@U0ANA> <#C0JIT|jit-access> <!here>", [{ kind: "user", id: "U0ANA", label: "" }, text(" "), { kind: "channel", id: "C0JIT", label: "jit-access" }, text(" "), { kind: "broadcast", word: "here" }]],
  ["<!subteam^S0ONCALL|@oncall>", [{ kind: "group", id: "S0ONCALL", label: "@oncall" }]],
  ["*<@U0ANA|a*b>*", [{ kind: "bold", children: [{ kind: "user", id: "U0ANA", label: "a*b" }] }]],
  ["<!date^1392734382^{date} at {time}|then>", [{ kind: "date", unix: 1392734382, format: "{date} at {time}", link: "", fallback: "then" }]],
  ["&gt; said\n&gt; twice\nno", [{ kind: "quote", children: [text("said"), { kind: "break" }, text("twice")] }, text("no")]],
  [":lock: :nosuch: 10:30:00", [text("🔒 :nosuch: 10:30:00")]],
];

for (const [given, expected] of cases) {
  test(`mrkdwn: ${JSON.stringify(given)}`, () => assert.deepEqual(parse(given), expected));
}

test("verbatim text gets no links of its own", () => {
  assert.deepEqual(parse("https://a.example", { verbatim: true }), [text("https://a.example")]);
});

test("dates are shown in the reader's zone", () => {
  const noon = Date.UTC(2026, 2, 12, 12, 0, 0);
  assert.equal(formatDate(noon / 1000, "{date_num}", noon, "en-GB"), "2026-03-12");
  assert.equal(formatDate(noon / 1000, "{date_short_pretty}", noon, "en-GB"), "Today");
  assert.equal(formatDate(noon / 1000, "until {date_pretty}", noon + 86_400_000, "en-GB"), "until yesterday");
  assert.equal(formatDate(noon / 1000, "{ago}", noon + 3_600_000, "en-GB"), "1 hour ago");
  assert.equal(formatDate(noon / 1000, "{nonsense}", noon, "en-GB"), "{nonsense}");
});

test("a rule's end is told, or read from its description", () => {
  assert.equal(endsAt({ ends_at: 10 }), 10_000);
  assert.equal(endsAt({ ends_at: "1970-01-01T00:00:10Z" }), 10_000);
  assert.equal(endsAt({ description: "asked 2026-03-12T12:00:00Z, until 2026-03-12T12:30:00Z" }), Date.UTC(2026, 2, 12, 12, 30));
  assert.equal(endsAt({ description: "until 2026-03-12 12:30 UTC" }), Date.UTC(2026, 2, 12, 12, 30));
  assert.equal(endsAt({ description: "no end" }), null);
});

test("what is left", () => {
  assert.deepEqual([0, 1, 59_001, 1_800_000, 3_723_000, -5].map(left), ["0:00", "0:01", "1:00", "30:00", "1:02:03", "0:00"]);
});
