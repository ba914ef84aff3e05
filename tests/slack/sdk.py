#!/usr/bin/env python3
"""sdk.py RECORDING VALIDATOR: holds Slack's own Python SDK against what was recorded between the app and the sandbox's Slack.

RECORDING is the directory that the sandbox wrote with AJAR_RECORD_SLACK. VALIDATOR checks a message or a view by slack_sdk's
models. Each message and view that the app sent is judged, also where it was an answer to a command or to a form. Of the requests
that the sandbox signed, Slack's SignatureVerifier must accept each, and none that differs in a byte or is more than five minutes off.
Prints how much of which kind there was. Ends with 1 on anything wrong, and when too little was seen.

Before that it is told things that are wrong, and ends with 1 if it does not say so.
"""
import importlib.util
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from slack_sdk.signature import SignatureVerifier

# At least so much of each, or the recording is not that of the whole suite.
FEWEST = {
    "messages by chat.postMessage": 500,
    "messages by chat.update": 500,
    "messages by response_url": 20,
    "messages by command_answer": 200,
    "views by views.open": 10,
    "views by interaction_answer": 8,
    "fields refused by interaction_answer": 6,
    "signed command": 20,
    "signed block_actions": 20,
    "signed view_submission": 15,
}
# How old a request may be (docs.slack.dev, authentication/verifying-requests-from-slack).
OLDEST_SECONDS = 300


def load(path):
    """The validator's `check`: what is wrong with a message or a view."""
    spec = importlib.util.spec_from_file_location("validator", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check


def documents(said, body):
    """What there is to judge of what the app said: pairs of what it is and the document, which is None where it says nothing
    that has a model."""
    if not isinstance(body, dict):
        # The answer to a command may be bare text.
        yield ("messages", {"text": body}) if said == "command_answer" and isinstance(body, str) else ("nonsense", body)
        return
    if said.startswith("views.") or body.get("response_action") in ("update", "push"):
        yield "views", body.get("view")
    elif body.get("response_action") == "errors":
        yield "fields refused", body.get("errors")
    elif "text" in body or "blocks" in body:
        yield "messages", body
    elif body.get("delete_original") or body.get("response_action") == "clear":
        yield "removals", None
    else:
        yield "nonsense", body


def wrong_with(what, document, check):
    """What is wrong with one of these."""
    if what == "nonsense":
        return ["neither a message nor a view"]
    if what == "removals":
        return []
    if not isinstance(document, dict):
        return [f"no object: {json.dumps(document)[:100]}"]
    if what == "fields refused":
        # slack_sdk has no model of it: a sentence for each block.
        fine = document and all(isinstance(text, str) and text for text in document.values())
        return [] if fine else ["not a sentence for each block"]
    if what == "messages" and not document.get("text"):
        return ["message: no top-level 'text' (notifications and screen readers use it)"]
    return check(document)


def kind(what, document):
    """What is alike: the blocks, with the elements in them."""
    if not isinstance(document, dict) or what == "fields refused":
        return what
    def within(block):
        parts = [block.get("accessory"), block.get("element"), *(block.get("elements") or [])]
        return [block.get("type")] + [part.get("type") for part in parts if isinstance(part, dict)]
    return json.dumps([what, [within(block) for block in document.get("blocks") or [] if isinstance(block, dict)]])


class Clock:
    """A time that stands."""

    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


def altered(text, at):
    """The text with another byte at this place."""
    return text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1:]


def wrong_with_signed(line):
    """What is wrong with a request that the sandbox signed."""
    body, timestamp, signature = line["body"], line["timestamp"], line["signature"]
    if not (body and timestamp and signature):
        yield "not signed"
        return
    at = int(timestamp)

    def accepted(body=body, timestamp=timestamp, signature=signature, now=at):
        return SignatureVerifier(line["secret"], Clock(now)).is_valid(body, timestamp, signature)

    if not accepted():
        yield "SignatureVerifier refuses it"
    for off in (-OLDEST_SECONDS, OLDEST_SECONDS):
        if not accepted(now=at + off):
            yield f"SignatureVerifier refuses it {off} s off"
    for off in (-OLDEST_SECONDS - 60, OLDEST_SECONDS + 60):
        if accepted(now=at + off):
            yield f"SignatureVerifier accepts it {off} s off"
    changes = {
        "first byte of the body": {"body": altered(body, 0)},
        "middle byte of the body": {"body": altered(body, len(body) // 2)},
        "last byte of the body": {"body": altered(body, len(body) - 1)},
        "last digit of the timestamp": {"timestamp": altered(timestamp, len(timestamp) - 1)},
        "first digit of the signature": {"signature": altered(signature, len("v0="))},
        "last digit of the signature": {"signature": altered(signature, len(signature) - 1)},
    }
    for name, change in changes.items():
        if accepted(**change):
            yield f"SignatureVerifier accepts it with another {name}"


def judge(recording, check, fewest):
    """The report, line by line, and whether all was well."""
    lines = []
    for file in sorted(Path(recording).glob("*.jsonl")):
        lines += [json.loads(text) for text in file.read_text().splitlines()]
    seen, kinds, wrong, judged = Counter(), {}, Counter(), {}
    for line in lines:
        if "signed" in line:
            seen[f"signed {line['signed']}"] += 1
            for why in wrong_with_signed(line):
                wrong[f"signed {line['signed']}: {why}: {line['body'][:200]}"] += 1
            continue
        for what, document in documents(line["said"], line["body"]):
            name = f"{what} by {line['said']}"
            seen[name] += 1
            kinds.setdefault(what, set()).add(kind(what, document))
            # Several processes may have said the very same.
            text = json.dumps([what, document], sort_keys=True)
            if text not in judged:
                judged[text] = wrong_with(what, document, check)
            for why in judged[text]:
                wrong[f"{name}: {why}: {text[:300]}"] += 1
    report = [f"  {count:6} {name}" for name, count in sorted(seen.items())]
    total = {what: sum(count for name, count in seen.items() if name.startswith(f"{what} by ")) for what in ("messages", "views")}
    report.append(", ".join(f"{count} {what} of {len(kinds.get(what, ()))} kinds" for what, count in total.items())
                  + f", {sum(count for name, count in seen.items() if name.startswith('signed '))} signed requests")
    few = [f"TOO FEW: {seen[name]} {name}, at least {least} are expected of the whole suite"
           for name, least in fewest.items() if seen[name] < least]
    violations = [f"VIOLATION ({count} times) {text}" for text, count in wrong.most_common()]
    return report + few + violations, not few and not violations


PLAIN = {"type": "plain_text", "text": "Approve"}
BUTTON = {"type": "button", "action_id": "approve", "text": PLAIN, "value": "x"}
MESSAGE = {"channel": "C0JIT", "text": "VM3 port 22", "blocks": [
    {"type": "section", "block_id": "said", "text": {"type": "mrkdwn", "text": "VM3 port 22"}},
    {"type": "actions", "block_id": "decide", "elements": [BUTTON]},
]}
VIEW = {"view": {"type": "modal", "callback_id": "ask", "title": PLAIN, "submit": PLAIN, "blocks": [
    {"type": "input", "block_id": "why", "label": PLAIN, "element": {"type": "plain_text_input", "action_id": "why"}},
]}}
# Slack's own example (docs.slack.dev, authentication/verifying-requests-from-slack) has this secret, time and signature.
SIGNED = {
    "signed": "command", "secret": "8f742231b10e8888abcd99yyyzzz85a5", "timestamp": "1531420618",
    "signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    "body": "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
            "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
            "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
            "803a0bc887a14d10d2c447fce8b6703c",
}


def changed(document, *path):
    """A copy with another value at this path; the last of it is that value."""
    document = json.loads(json.dumps(document))  # no two parts of it are the same object
    place = document
    for name in path[:-2]:
        place = place[name]
    place[path[-2]] = path[-1]
    return document


def broken():
    """Lines that are wrong, and what must be said of each."""
    message = lambda *path: {"said": "chat.postMessage", "body": changed(MESSAGE, *path)}
    view = lambda *path: {"said": "views.open", "body": changed(VIEW, *path)}
    answer = lambda body, said="interaction_answer": {"said": said, "body": body}
    yield message("blocks", 0, "type", "selection"), "unknown block type 'selection'"
    yield message("blocks", 1, "elements", 0, "type", "knob"), "unknown element 'knob'"
    yield message("blocks", 0, "text", "text", "x" * 3001), "3001 characters"
    yield message("blocks", 1, "elements", 0, "value", "x" * 2001), "value attribute cannot exceed 2000 characters"
    yield message("blocks", 1, "block_id", "said"), "block_id 'said' is not unique"
    yield message("blocks", 1, "elements", [BUTTON, BUTTON]), "action_id 'approve' twice"
    yield message("blocks", MESSAGE["blocks"][:1] * 51), "51 blocks, at most 50"
    yield message("text", ""), "no top-level 'text'"
    yield view("view", "title", "text", "x" * 25), "view: title"
    yield view("view", "submit", None), "'submit' is required with an input block"
    yield answer(changed({"response_action": "update", **VIEW}, "view", "blocks", 0, "type", "output")), "unknown block type 'output'"
    yield answer(changed(MESSAGE, "blocks", 0, "type", "selection"), "command_answer"), "unknown block type 'selection'"
    yield answer({"response_action": "errors", "errors": {"why": ""}}), "not a sentence for each block"
    yield answer({"response_action": "open"}), "neither a message nor a view"
    yield changed(SIGNED, "signature", altered(SIGNED["signature"], 9)), "SignatureVerifier refuses it"
    yield changed(SIGNED, "signature", None), "not signed"


def own_mistakes(check):
    """Whatever this would not notice."""
    def judged(lines, fewest):
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            report, well = judge(directory, check, fewest)
            return "\n".join(report), well
    right = [
        {"said": "chat.postMessage", "body": MESSAGE}, {"said": "views.open", "body": VIEW}, SIGNED,
        {"said": "interaction_answer", "body": {"response_action": "errors", "errors": {"why": "Say why."}}},
    ]
    fewest = {"messages by chat.postMessage": 1, "views by views.open": 1, "fields refused by interaction_answer": 1, "signed command": 1}
    report, well = judged(right, fewest)
    if not well:
        yield f"what is right is refused:\n{report}"
    report, well = judged([], fewest)
    if well or report.count("TOO FEW") != len(fewest):
        yield f"that nothing was recorded is not noticed:\n{report}"
    for line, expected in broken():
        report, well = judged([*right, line], fewest)
        if well or expected not in report:
            yield f"not noticed: {expected}\n{report}"


def main(recording, validator):
    check = load(validator)
    mistakes = list(own_mistakes(check))
    if mistakes:
        sys.exit("\n".join(mistakes))
    report, well = judge(recording, check, FEWEST)
    print("\n".join(report))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
