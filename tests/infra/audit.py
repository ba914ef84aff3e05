"""An auditor's commands of infra/RUNBOOK.md, word for word, on what the product archived of a request that was granted.

  audit.py       (in the repository's folder; starts the sandbox)

Then once for each thing that may be false about it: the commands must say so.
"""
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/ministack"))

from processes import Failed, Process, fetch, free_ports, until  # noqa: E402

MINUTE = {"advance_seconds": 60}


class Sandbox:
    """`cargo run`, with its data in a folder."""

    def __init__(self, data):
        self.port = free_ports(5)
        self.url = f"http://127.0.0.1:{self.port}"
        command = ["cargo", "run", "--locked", "--quiet", "--", "--port", str(self.port), "--data", data]
        self.process = Process("the sandbox", command, log=os.devnull, cwd=ROOT)
        until("the sandbox answers", 900, lambda: self.process.alive() and fetch(self.url + "/sandbox.json")[0] == 200)

    def about(self):
        return json.loads(fetch(self.url + "/sandbox.json")[1])

    def clock(self, move):
        status, body = fetch(self.url + "/sandbox/clock", json.dumps(move).encode())
        assert status == 200, body

    def slack(self, address, form):
        """What Slack sends, signed as Slack signs."""
        about, body = self.about(), urllib.parse.urlencode(form)
        text = f"v0:{about['now']}:{body}"
        signature = "v0=" + hmac.new(about["signing_secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
        status, answer = fetch(about[address], body.encode(), {"X-Slack-Request-Timestamp": str(about["now"]), "X-Slack-Signature": signature})
        assert status == 200, answer

    def card(self):
        posts = [one for one in json.loads(fetch(self.url + "/sandbox/messages")[1]) if one["method"] == "chat.postMessage"]
        return posts[-1]["body"]["blocks"][-1]["elements"][0]


def tell(sandbox):
    """Asked, approved, opened, over, settled, archived."""
    sandbox.clock(MINUTE)
    sandbox.slack("slack_command_url", {"command": "/jit", "text": "VM3 22 for 30m because patching", "user_id": "U0ANA", "team_id": "T0CONTOSO",
                                        "api_app_id": "A0AJAR", "trigger_id": "1.ana"})
    sandbox.clock({"advance_seconds": 1})
    button = sandbox.card()
    sandbox.slack("slack_interaction_url", {"payload": json.dumps({
        "type": "block_actions", "token": "verification", "team": {"id": "T0CONTOSO"}, "api_app_id": "A0AJAR", "user": {"id": "U0BEA"},
        "response_url": "https://hooks.slack.com/actions/T0CONTOSO/1/x", "trigger_id": "1.2",
        "actions": [{"action_id": button["action_id"], "value": button["value"]}]})})
    sandbox.clock({"advance_seconds": 1})
    sandbox.clock({"to_next_end": True})
    # Half an hour in which a late rule is looked for, and the quarter of an hour of the next look at everything.
    for _ in range(50):
        sandbox.clock(MINUTE)


def audit(history, evidence, secret):
    """What the commands print, and whether that is what the page says."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "history.json").write_bytes(history)
        Path(folder, "evidence.json").write_bytes(evidence)
        done = subprocess.run([ROOT / ".ci/word-for-word.py", ROOT / "infra/RUNBOOK.md", "audit"], cwd=folder, capture_output=True, text=True,
                              env=os.environ | {"SIGNING_SECRET": secret})
    return done.returncode == 0, done.stdout + done.stderr


def changed(object_, change):
    read = json.loads(object_)
    change(read)
    return json.dumps(read, indent=2).encode()


def lies(history, evidence, secret):
    """What may be false, and the words that must come of it."""
    def click(**fields):
        return changed(evidence, lambda read: read["clicks"][0].update(fields))

    def record(**fields):
        return changed(history, lambda read: read["record"].update(fields))

    body = json.loads(evidence)["clicks"][0]["body"]
    return {
        "a click of somebody else": (history, click(body=body.replace("U0BEA", "U0EVE")), secret, ["THE EVIDENCE IS ANOTHER", "NOT SIGNED"]),
        "a click at another time": (history, click(timestamp="1"), secret, ["THE EVIDENCE IS ANOTHER", "NOT SIGNED"]),
        "another signing secret": (history, evidence, "0" * 32, ["NOT SIGNED"]),
        "a wider source": (record(source="0.0.0.0/0"), evidence, secret, ["A CLICK IS FOR OTHER TERMS"]),
        "a longer time": (record(ttl_minutes=600), evidence, secret, ["A CLICK IS FOR OTHER TERMS"]),
        "the requester's own click": (record(requester="U0BEA"), evidence, secret, ["THE REQUESTER HAS CLICKED", "A CLICK IS FOR OTHER TERMS"]),
        "a break-glass that was approved": (record(break_glass=True), evidence, secret, ["A CLICK IS FOR OTHER TERMS", "SOMEBODY ELSE HAS CLICKED"]),
        "a line of another time": (changed(history, lambda read: read["history"][2]["event"].update(at=1)), evidence, secret, ["LINE 3 WAS CHANGED"]),
        "a line that is missing": (changed(history, lambda read: read["history"].pop(1)), evidence, secret, ["LINE 3 WAS CHANGED"]),
    }


def main():
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as data:
        sandbox = Sandbox(data)
        try:
            tell(sandbox)
            secret = sandbox.about()["signing_secret"]
            history, evidence = (list(Path(data, "archive", kind).rglob("*.json")) for kind in ("history", "evidence"))
            assert len(history) == len(evidence) == 1, f"archived: {history} {evidence}"
            history, evidence = history[0].read_bytes(), evidence[0].read_bytes()
        finally:
            sandbox.process.stop()
    # What people may read holds nothing that opens anything; an auditor's object holds what Slack signed.
    for hidden in (b"verification", b"hooks.slack.com", b"trigger_id"):
        assert hidden not in history and hidden in urllib.parse.unquote_to_bytes(evidence), hidden
    good, printed = audit(history, evidence, secret)
    assert good, printed
    print(printed, end="")
    for name, (one, other, key, words) in lies(history, evidence, secret).items():
        good, printed = audit(one, other, key)
        assert not good and all(word in printed.split("--- and printed", 1)[-1] for word in words), f"{name} was not noticed: {printed}"
    print(f"RUNBOOK.md: {len(lies(history, evidence, secret))} lies were noticed, {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    try:
        main()
    except Failed as problem:
        sys.exit(f"audit: {problem}")
