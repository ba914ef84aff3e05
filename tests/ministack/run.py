"""One story on the deployed shape: ask, approve, open, shut, with the release binaries and IAM enforced.

ministack is AWS. The sandbox is Azure, Entra and Slack's Web API only; its own functions have a table and an
installation of their own. What ministack cannot do is listed in deployment.py.
"""
import argparse
import contextlib
import hashlib
import hmac
import json
import re
import shutil
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

import iam as policies
import sts
from deployment import ACCOUNT, FUNCTIONS, REGION, ROOT, Ministack, build
from processes import Failed, Process, fetch, free_ports, until

INSTALLATION = "minimal"  # not the sandbox's: its own sweep must not take our rules for its
API_VERSION = "2024-05-01"


class Sandbox:
    """The simulated world, as /sandbox.json describes it."""

    def __init__(self, url):
        self.url = url
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
        return [rule for rule in rules if rule["name"].startswith(f"jit-{INSTALLATION}-")]


class Door:
    """Slack, as the deployed HTTP API meets it: signed forms."""

    def __init__(self, ministack, request_url, facts):
        self.ministack, self.facts = ministack, facts
        # The API is found by its host name, which need not resolve.
        self.host = urllib.parse.urlsplit(request_url).netloc

    def post(self, path, form, secret=None):
        body = urllib.parse.urlencode(form).encode()
        at = str(int(time.time()))
        key = (secret or self.facts["signing_secret"]).encode()
        signature = "v0=" + hmac.new(key, f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
        return fetch(self.ministack.url + path, data=body, headers={
            "Host": self.host, "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": at, "X-Slack-Signature": signature})

    def response_url(self, kind):
        api = urllib.parse.urlsplit(self.facts["slack_api_url"])
        return f"{api.scheme}://{api.netloc}/{kind}/{self.facts['team_id']}/1/unused"

    def command(self, user, text, **how):
        return self.post("/slack/command", {
            "team_id": self.facts["team_id"], "team_domain": "contoso", "channel_id": self.facts["channel"],
            "channel_name": "jit-access", "user_id": user, "user_name": "ana", "command": "/jit", "text": text,
            "api_app_id": self.facts["app_id"], "is_enterprise_install": "false",
            "response_url": self.response_url("commands"), "trigger_id": f"{time.time_ns()}.1.command"}, **how)

    def click(self, user, card, block, button):
        return self.post("/slack/interaction", {"payload": json.dumps({
            "type": "block_actions", "team": {"id": self.facts["team_id"], "domain": "contoso"},
            "user": {"id": user, "username": "bea", "name": "bea", "team_id": self.facts["team_id"]},
            "api_app_id": self.facts["app_id"], "token": "deprecated", "trigger_id": f"{time.time_ns()}.1.click",
            "container": {"type": "message", "message_ts": card["ts"], "channel_id": card["channel"], "is_ephemeral": False},
            "channel": {"id": card["channel"], "name": "jit-access"}, "enterprise": None, "is_enterprise_install": False,
            "response_url": self.response_url("actions"), "state": {"values": {}},
            "message": {"type": "message", "ts": card["ts"], "text": card["body"]["text"], "blocks": card["body"]["blocks"]},
            "actions": [{"type": "button", "action_id": button["action_id"], "block_id": block.get("block_id", "b1"),
                         "text": button["text"], "value": button["value"], "action_ts": f"{time.time():.6f}"}]})})


def approve_button(entry):
    """The block and the Approve button of a message, if it has one."""
    for block in (entry.get("body") or {}).get("blocks") or []:
        for element in block.get("elements") or []:
            if element.get("type") == "button" and element.get("text", {}).get("text") == "Approve":
                return block, element
    return None


def words(entry):
    """Every text in a message."""
    def texts(value):
        if isinstance(value, dict):
            own = [value["text"]] if isinstance(value.get("text"), str) else []
            return own + [t for v in value.values() for t in texts(v)]
        return [t for v in value for t in texts(v)] if isinstance(value, list) else []
    return "\n".join(texts(entry["body"]))


def tell(ministack, sandbox, out):
    """The story. Everything it claims was read from ARM or from what Slack received."""
    door = Door(ministack, out["request_url"], sandbox.facts)
    before = len(sandbox.messages())

    status, body = door.command("U0ANA", "VM3 22 for 1m because patching", secret="not the signing secret")
    if status != 401:
        raise Failed(f"a forged command was answered {status}: {body[:300]}")
    status, body = door.command("U0ANA", "VM3 22 for 1m because patching")
    if status != 200:
        raise Failed(f"the command was answered {status}: {body[:500]}")
    print(f"  asked; the answer: {body[:160].decode(errors='replace')}")

    def card():
        for entry in sandbox.messages()[before:]:
            if entry["ok"] and entry["method"] == "chat.postMessage" and approve_button(entry):
                return entry
    card = until("a card with Approve is in Slack", 60, card)
    if sandbox.our_rules():
        raise Failed("there is a rule before anybody approved")

    def card_says(pattern):
        updates = [entry for entry in sandbox.messages()[before:]
                   if entry["ok"] and entry["method"] == "chat.update" and entry["ts"] == card["ts"]]
        return updates and re.search(pattern, words(updates[-1]), re.IGNORECASE)

    started = time.monotonic()
    status, body = door.click("U0BEA", card, *approve_button(card))
    if status != 200:
        raise Failed(f"the click was answered {status}: {body[:500]}")
    rule = until("a rule of ours is in Azure", 60, sandbox.our_rules)[0]
    print(f"  approved; {rule['name']} after {time.monotonic() - started:.1f} s, priority {rule['properties']['priority']}")
    until("the card says open", 30, lambda: card_says(r"\bopen\b"))
    # The lease is a minute; the minute's tick takes it, and is itself up to 70 s away.
    until("no rule of ours is left", 240, lambda: not sandbox.our_rules())
    until("the card says shut", 60, lambda: card_says(r"\bshut\b"))
    print(f"  shut and said so, {time.monotonic() - started:.1f} s after the click")


def refused(what, call):
    """Asserts that AWS says no for want of rights, and nothing else."""
    try:
        call()
    except ClientError as answer:
        if answer.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"):
            print(f"  refused, as it must be: {what}")
            return
        raise Failed(f"{what}: {answer}") from answer
    raise Failed(f"{what} was allowed")


def check_rights(ministack, door, functions, out):
    """Each role lacks what it must lack, asked with the functions' own sessions."""
    session = {name: sts.function_credentials(f["function_arn"], f["role_arn"]) for name, f in functions.items()}
    table, item = out["table"]["name"], {"pk": {"S": "REQUEST#00000-00000"}, "sk": {"S": "RECORD"}}
    dynamodb = {name: ministack.client("dynamodb", session[name]) for name in FUNCTIONS}
    token = {"Audience": ["api://AzureADTokenExchange"], "SigningAlgorithm": "RS256", "DurationSeconds": 300}

    def token_of(name, **other):
        client = boto3.client("sts", endpoint_url=door.url, region_name=REGION, aws_access_key_id=session[name].access_key,
                              aws_secret_access_key=session[name].secret_key, aws_session_token=session[name].token)
        return client.get_web_identity_token(**(token | other))

    for name in FUNCTIONS:  # the sessions are good: this they all may
        dynamodb[name].get_item(TableName=table, Key=item)
        refused(f"{name} deletes an item", lambda: dynamodb[name].delete_item(TableName=table, Key=item))
        refused(f"{name} scans the table", lambda: dynamodb[name].scan(TableName=table))
    refused("notify puts an item", lambda: dynamodb["notify"].put_item(TableName=table, Item=item))
    refused("request queries `due`", lambda: dynamodb["request"].query(
        TableName=table, IndexName="due", KeyConditionExpression="due_shard = :s", ExpressionAttributeValues={":s": {"S": "0"}}))
    refused("revoke queries `person`", lambda: dynamodb["revoke"].query(
        TableName=table, IndexName="person", KeyConditionExpression="person = :p", ExpressionAttributeValues={":p": {"S": "0"}}))
    refused("revoke reads the secret", lambda: ministack.client(
        "secretsmanager", session["revoke"]).get_secret_value(SecretId=out["secret_arn"]))
    for name, target in [("request", "grant"), ("request", "revoke"), ("request", "discover"), ("notify", "grant"), ("grant", "revoke"), ("discover", "grant")]:
        refused(f"{name} invokes {target}", lambda: ministack.client(
            "lambda", session[name]).invoke(FunctionName=f"ajar-{target}", Payload=b"{}"))
    for name in ("request", "notify"):
        refused(f"{name} asks for a token", lambda: token_of(name))
        refused(f"{name} asks ministack's own STS", lambda: ministack.client("sts", session[name]).get_web_identity_token(**token))
    for other in ({"SigningAlgorithm": "ES384"}, {"Audience": ["somebody else"]}, {"DurationSeconds": 900},
                  {"Audience": ["api://AzureADTokenExchange", "somebody else"]}):
        refused(f"grant asks for a token with {other}", lambda: token_of("grant", **other))

    # What ministack does without asking, and the condition that it does not know.
    iam = ministack.client("iam")
    stream = out["table"]["stream_arn"]
    kinds = ("REQUEST#1", "REPLY#1", "ASK#1", "NSG#1", "MACHINE", "LOOK", "GROUP", "PERSON")
    may_touch = {"request": {"REQUEST#1", "REPLY#1", "ASK#1"}, "grant": {"REQUEST#1", "NSG#1"}, "revoke": {"REQUEST#1", "NSG#1"},
                 "notify": {"REQUEST#1", "REPLY#1"}, "discover": set(kinds) - {"NSG#1"}}
    for name in FUNCTIONS:
        statements = policies.documents(iam, f"ajar-{name}")
        for action in ("GetItem", "PutItem", "UpdateItem"):
            may = {key for key in kinds
                   if policies.allows(statements, f"dynamodb:{action}", out["table"]["arn"], {"dynamodb:LeadingKeys": [key]})}
            wanted = set() if (name, action) == ("notify", "PutItem") else may_touch[name]
            if may != wanted:
                raise Failed(f"{name} may {action} {sorted(may)} and needs {sorted(wanted)}")
        machines = policies.allows(statements, "dynamodb:Query", out["table"]["arn"], {"dynamodb:LeadingKeys": ["MACHINE"]})
        others = policies.allows(statements, "dynamodb:Query", out["table"]["arn"], {"dynamodb:LeadingKeys": ["REQUEST#1"]})
        if others or machines != (name in ("request", "discover")):
            raise Failed(f"{name} may query partitions of the table that it does not need, or not those that it needs")
    for name in FUNCTIONS:
        may = policies.allows(policies.documents(iam, f"ajar-{name}"), "dynamodb:GetRecords", stream, {})
        if may != (name in ("grant", "notify")):
            raise Failed(f"{name} {'may' if may else 'may not'} read the stream")
        for schedule, function in [("minute", "revoke"), ("quarter", "discover")]:
            may = policies.allows(policies.documents(iam, f"ajar-{schedule}"), "lambda:InvokeFunction", functions[name]["function_arn"], {})
            if may != (name == function):
                raise Failed(f"the {schedule} {'may' if may else 'may not'} invoke {name}")
    mappings = ministack.client("lambda").list_event_source_mappings(EventSourceArn=stream)["EventSourceMappings"]
    if len(mappings) != 2:
        raise Failed(f"{len(mappings)} readers of the stream; two are read without throttling")
    if set(door.issued) != {"grant", "revoke", "discover"}:
        raise Failed(f"tokens were issued to {sorted(set(door.issued))}")


def discover(ministack, table):
    """The machine list, as the deployed function fills it: started as its schedule does."""
    answer = ministack.client("lambda").invoke(FunctionName="ajar-discover", Payload=b"{}")
    if answer.get("FunctionError"):
        raise Failed(f"discover failed: {answer['Payload'].read()[:500]}")
    items = ministack.client("dynamodb").query(TableName=table, KeyConditionExpression="pk = :m",
                                               ExpressionAttributeValues={":m": {"S": "MACHINE"}})["Items"]
    if not items:
        raise Failed("discover found no machines")
    return len(items)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--offline", required=True, help="the directory with tfstub.py")
    options.add_argument("--policy", type=Path, default=ROOT / "sandbox/policy.toml")
    options.add_argument("--artifacts", type=Path, help="a directory with ready zips; default: build them")
    options.add_argument("--sandbox", help="the page's address of a running sandbox; default: start one")
    options.add_argument("--keep", action="store_true", help="leave the logs where they are, even after success")
    options = options.parse_args()
    work = Path(tempfile.mkdtemp(prefix="ajar-ministack-"))
    began = time.monotonic()

    def step(text):
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    try:
        with contextlib.ExitStack() as stack:
            artifacts = options.artifacts
            if artifacts is None:
                step("building the functions")
                artifacts = work / "artifacts"
                artifacts.mkdir()
                build(artifacts, options.policy)

            address = options.sandbox
            if address is None:
                step("starting the sandbox (Azure, Entra and Slack)")
                port = free_ports(5)
                # `cargo run` becomes the sandbox: the signal that ends it reaches it.
                process = Process("the sandbox", ["cargo", "run", "--locked", "--quiet", "--", "--port", str(port)],
                                  work / "sandbox.log", cwd=ROOT)
                stack.callback(process.stop)
                address = f"http://127.0.0.1:{port}"
                until("the sandbox answers", 900, lambda: process.alive() and fetch(address + "/sandbox.json")[0] == 200)
            sandbox = Sandbox(address)

            step("starting ministack with IAM enforced")
            ministack = Ministack(work)
            stack.callback(ministack.process.stop)
            ministack.wait()

            facts = sandbox.facts
            identities = {one["function"]: one for one in facts["functions"]}
            functions = {name: {
                "function_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ajar-{name}",
                "role_arn": f"arn:aws:iam::{ACCOUNT}:role/ajar/ajar-{name}",
                "sandbox": identities[name],
            } for name in FUNCTIONS}
            door = sts.FrontDoor(facts["sts_url"].rstrip("/"), functions, ministack.client("iam"))
            stack.callback(door.stop)

            step("applying infra/minimal")
            out = ministack.apply(options.offline, work, {
                "installation": INSTALLATION, "artifacts": str(artifacts.resolve()), "architecture": "x86_64",
                "slack_team_id": facts["team_id"], "slack_app_id": facts["app_id"], "azure_tenant_id": facts["tenant_id"],
                "azure_client_ids": {name: identities[name]["client_id"] for name in ("grant", "revoke", "discover")},
                "subscriptions": [facts["subscription_id"]],
            }, {
                **{f"AWS_ENDPOINT_URL_{service}": ministack.url for service in ("DYNAMODB", "LAMBDA", "SECRETS_MANAGER")},
                "AWS_ENDPOINT_URL_STS": door.url,
                "AJAR_SLACK_API_URL": facts["slack_api_url"], "AJAR_ARM_URL": facts["arm_url"], "AJAR_ENTRA_URL": facts["entra_url"],
            })
            for name in FUNCTIONS:
                if (out["function_arns"][name], out["role_arns"][name]) != (functions[name]["function_arn"], functions[name]["role_arn"]):
                    raise Failed(f"{name} was deployed as {out['function_arns'][name]} with {out['role_arns'][name]}")
            ministack.client("secretsmanager").put_secret_value(SecretId=out["secret_arn"], SecretString=json.dumps(
                {"signing_secret": facts["signing_secret"], "bot_token": facts["bot_token"]}))
            step(f"discovered {discover(ministack, out['table']['name'])} machines")

            step("the story")
            tell(ministack, sandbox, out)
            step("what the roles may not")
            check_rights(ministack, door, functions, out)
            step("passed: approved, open, shut on the deployed shape, with IAM enforced")
    except BaseException as problem:
        for log in ("terraform.log", "sandbox.log", "ministack.log"):
            if (work / log).exists():
                lines = (work / log).read_text(errors="replace").splitlines()
                print(f"--- the end of {log}", *lines[-40:], sep="\n", file=sys.stderr)
        print(f"tests/ministack FAILED: {problem}; logs in {work}", file=sys.stderr)
        if isinstance(problem, (Failed, KeyboardInterrupt)):
            sys.exit(1)
        raise
    if not options.keep:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
