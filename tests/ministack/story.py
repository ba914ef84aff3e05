"""One story on the deployed shape: ask, approve, open, shut. Everything it claims was read from ARM or from what Slack
received.

The sandbox is Azure, Entra and Slack's Web API only; its own functions have a table and an installation of their own.
"""
import hashlib
import hmac
import json
import re
import time
import urllib.parse

from processes import Failed, fetch, until

API_VERSION = "2024-05-01"


class Sandbox:
    """The simulated world, as /sandbox.json describes it."""

    def __init__(self, url, installation):
        self.url, self.installation = url, installation
        self.facts = json.loads(fetch(url + "/sandbox.json")[1])

    def messages(self):
        return json.loads(fetch(self.url + "/sandbox/messages")[1])

    def our_rules(self):
        """The rules of this installation, as the owner of the subscription sees them."""
        facts = self.facts
        url = (f"{facts['arm_url'].rstrip('/')}/subscriptions/{facts['subscription_id']}/resourceGroups/Contoso-IaaS/providers/"
               f"Microsoft.Network/networkSecurityGroups?api-version={API_VERSION}")
        status, body = fetch(url, headers={"Authorization": f"Bearer {facts['arm_token']}"})
        if status != 200:
            raise Failed(f"listing the rules answered {status}: {body[:300]}")
        rules = [rule for group in json.loads(body)["value"] for rule in group["properties"]["securityRules"]]
        return [rule for rule in rules if rule["name"].startswith(f"jit-{self.installation}-")]


class Door:
    """Slack, as the deployed HTTP API meets it: signed forms."""

    def __init__(self, command_url, facts):
        self.address, self.facts = command_url.removesuffix("/command"), facts

    def post(self, path, form, secret=None):
        body = urllib.parse.urlencode(form).encode()
        at = str(int(time.time()))
        key = (secret or self.facts["signing_secret"]).encode()
        signature = "v0=" + hmac.new(key, f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
        return fetch(self.address + path, data=body, headers={
            "Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": at, "X-Slack-Signature": signature})

    def response_url(self, kind):
        api = urllib.parse.urlsplit(self.facts["slack_api_url"])
        return f"{api.scheme}://{api.netloc}/{kind}/{self.facts['team_id']}/1/unused"

    def command(self, user, text, **how):
        return self.post("/command", {
            "team_id": self.facts["team_id"], "team_domain": "contoso", "channel_id": self.facts["channel"],
            "channel_name": "jit-access", "user_id": user, "user_name": "ana", "command": "/jit", "text": text,
            "api_app_id": self.facts["app_id"], "is_enterprise_install": "false",
            "response_url": self.response_url("commands"), "trigger_id": f"{time.time_ns()}.1.command"}, **how)

    def click(self, user, card, block, button):
        return self.post("/interaction", {"payload": json.dumps({
            "type": "block_actions", "team": {"id": self.facts["team_id"], "domain": "contoso"},
            "user": {"id": user, "username": "bea", "name": "bea", "team_id": self.facts["team_id"]},
            "api_app_id": self.facts["app_id"], "token": "deprecated", "trigger_id": f"{time.time_ns()}.1.click",
            "container": {"type": "message", "message_ts": card["ts"], "channel_id": card["channel"], "is_ephemeral": False},
            "channel": {"id": card["channel"], "name": "jit-access"}, "enterprise": None, "is_enterprise_install": False,
            "response_url": self.response_url("actions"), "state": {"values": {}},
            "message": {"type": "message", "ts": card["ts"], "text": card["body"]["text"], "blocks": card["body"]["blocks"]},
            "actions": [{"type": "button", "action_id": button["action_id"], "block_id": block.get("block_id", "b1"),
                         "text": button["text"], "value": button["value"], "action_ts": f"{time.time():.6f}"}]})})

    def deny(self, user, card, reason):
        """The form that Deny opens, filled in and sent off."""
        _, deny = button(card, "Deny")
        return self.post("/interaction", {"payload": json.dumps({
            "type": "view_submission", "team": {"id": self.facts["team_id"], "domain": "contoso"},
            "user": {"id": user, "username": "bea", "name": "bea", "team_id": self.facts["team_id"]},
            "api_app_id": self.facts["app_id"], "token": "deprecated", "trigger_id": f"{time.time_ns()}.1.submission",
            "enterprise": None, "is_enterprise_install": False, "response_urls": [],
            "view": {"id": "V1", "type": "modal", "callback_id": "deny", "private_metadata": deny["value"],
                     "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}}}})})


def button(entry, says):
    """The block and the button of a message that says this, if it has one."""
    for block in (entry.get("body") or {}).get("blocks") or []:
        for element in block.get("elements") or []:
            if element.get("type") == "button" and element.get("text", {}).get("text") == says:
                return block, element
    return None


def card_after(sandbox, before):
    """The first card that can be approved, of what came after so many messages."""
    for entry in sandbox.messages()[before:]:
        if entry["ok"] and entry["method"] == "chat.postMessage" and button(entry, "Approve"):
            return entry
    return None


def words(entry):
    """Every text in a message."""
    def texts(value):
        if isinstance(value, dict):
            own = [value["text"]] if isinstance(value.get("text"), str) else []
            return own + [t for v in value.values() for t in texts(v)]
        return [t for v in value for t in texts(v)] if isinstance(value, list) else []
    return "\n".join(texts(entry["body"]))


def tell(door, sandbox):
    """The whole of it."""
    before = len(sandbox.messages())

    status, body = door.command("U0ANA", "VM3 22 for 1m because patching", secret="not the signing secret")
    if status != 401:
        raise Failed(f"a forged command was answered {status}: {body[:300]}")
    status, body = door.command("U0ANA", "VM3 22 for 1m because patching")
    if status != 200:
        raise Failed(f"the command was answered {status}: {body[:500]}")
    print(f"  asked; the answer: {body[:160].decode(errors='replace')}")

    card = until("a card with Approve is in Slack", 60, lambda: card_after(sandbox, before))
    if sandbox.our_rules():
        raise Failed("there is a rule before anybody approved")

    def card_says(pattern):
        updates = [entry for entry in sandbox.messages()[before:]
                   if entry["ok"] and entry["method"] == "chat.update" and entry["ts"] == card["ts"]]
        return updates and re.search(pattern, words(updates[-1]), re.IGNORECASE)

    started = time.monotonic()
    status, body = door.click("U0BEA", card, *button(card, "Approve"))
    if status != 200:
        raise Failed(f"the click was answered {status}: {body[:500]}")
    rule = until("a rule of ours is in Azure", 60, sandbox.our_rules)[0]
    print(f"  approved; {rule['name']} after {time.monotonic() - started:.1f} s, priority {rule['properties']['priority']}")
    until("the card says open", 30, lambda: card_says(r"\bopen\b"))
    # The lease is a minute; the minute's tick takes it, and is itself up to 70 s away.
    until("no rule of ours is left", 240, lambda: not sandbox.our_rules())
    until("the card says shut", 60, lambda: card_says(r"\bshut\b"))
    print(f"  shut and said so, {time.monotonic() - started:.1f} s after the click")
