"""The README's commands, one story on the deployment that they make, and what breaks it: with the release binaries and
IAM enforced.

ministack is AWS. The sandbox is Azure, Entra and Slack; Entra and Azure judge by what Terraform applied. What ministack
cannot do is listed in deployment.py.
"""
import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import rights
import sts
from commands import Checkout
from deployment import ACCOUNT, FUNCTIONS, REGION, ROOT, Ministack
from processes import Failed, Process, fetch, free_ports, until
from removals import Removals
from story import Door, Sandbox, tell

INSTALLATION = "acme"  # not the sandbox's: its own sweep must not take our rules for its
RESOURCE_GROUP = "Contoso-IaaS"


def looked(ministack, told):
    """How many machines the deployed `discover` finds, started as its schedule does."""
    answer = ministack.client("lambda").invoke(FunctionName=told["functions"]["discover"], Payload=b"{}")
    if answer.get("FunctionError"):
        raise Failed(f"discover failed: {answer['Payload'].read()[:500]}")
    items = ministack.client("dynamodb").query(TableName=told["table"], KeyConditionExpression="pk = :m",
                                               ExpressionAttributeValues={":m": {"S": "MACHINE"}})["Items"]
    if not items:
        raise Failed("discover found no machines")
    return len(items)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--offline", required=True, type=lambda path: Path(path).resolve(), help="the directory with tfstub.py")
    options.add_argument("--schemas", required=True, type=lambda path: Path(path).resolve(), help="the providers' schemas")
    options.add_argument("--overlay", type=Path, help="files to lay over the clone, for what is not committed yet")
    options.add_argument("--sandbox", help="the page's address of a running sandbox; default: start one")
    options.add_argument("--keep", action="store_true", help="leave the logs where they are, even after success")
    options = options.parse_args()
    work = Path(tempfile.mkdtemp(prefix="ajar-ministack-"))
    began = time.monotonic()

    def step(text):
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    try:
        with contextlib.ExitStack() as stack:
            address, alive = options.sandbox, lambda: True
            if address is None:
                step("starting the sandbox (Azure, Entra and Slack)")
                port = free_ports(5)
                # `cargo run` becomes the sandbox: the signal that ends it reaches it.
                process = Process("the sandbox", ["cargo", "run", "--locked", "--quiet", "--", "--port", str(port)],
                                  work / "sandbox.log", cwd=ROOT)
                stack.callback(process.stop)
                address = f"http://127.0.0.1:{port}"
                alive = process.alive
            until("the sandbox answers", 900, lambda: alive() and fetch(address + "/sandbox.json")[0] == 200)
            sandbox = Sandbox(address, INSTALLATION)
            facts = sandbox.facts

            step("starting ministack with IAM enforced")
            ministack = Ministack(work)
            stack.callback(ministack.process.stop)
            ministack.wait()
            functions = {name: {
                "function_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:ajar-{INSTALLATION}-{name}",
                "role_arn": f"arn:aws:iam::{ACCOUNT}:role/ajar/ajar-{INSTALLATION}-{name}",
            } for name in FUNCTIONS}
            tokens = sts.FrontDoor(sandbox.url, facts["issuer"], functions, ministack.client("iam"))
            stack.callback(tokens.stop)
            services = {f"AWS_ENDPOINT_URL_{service}": ministack.url for service in ("DYNAMODB", "LAMBDA", "SECRETS_MANAGER", "S3")} | {
                "AWS_ENDPOINT_URL_STS": tokens.url, "AJAR_SLACK_API_URL": facts["slack_api_url"], "AJAR_ARM_URL": facts["arm_url"],
                "AJAR_ENTRA_URL": facts["entra_url"]}

            step("the commands of infra/README.md")
            checkout = Checkout(work, options.offline, options.schemas, options.overlay)
            subscription = f"/subscriptions/{facts['subscription_id']}"
            checkout.run(ministack, sandbox, services, {
                "installation": INSTALLATION, "policy_file": "../../sandbox/policy.toml",
                "azure_scopes": [f"{subscription}/resourceGroups/{RESOURCE_GROUP}"], "azure_reading_scopes": [subscription],
                "azure_location": "westeurope", "azure_resource_group": "ajar", "alarm_emails": ["ops@example.com"],
                "create_issuer": False, "archive_retention_mode": "GOVERNANCE", "archive_retention_days": 400,
            })
            told = json.loads((checkout.folder / "ajar.json").read_text())
            deployed = {one["FunctionName"]: one for one in ministack.client("lambda").list_functions()["Functions"]}
            for name, function in functions.items():
                one = deployed[told["functions"][name]]
                if (one["FunctionArn"], one["Role"]) != (function["function_arn"], function["role_arn"]):
                    raise Failed(f"{name} was deployed as {one['FunctionArn']} with {one['Role']}")

            step("the story")
            print(f"  discovered {looked(ministack, told)} machines")
            door = Door(told["command_url"], facts)
            tell(door, sandbox)
            step("what the roles may not")
            rights.check(ministack, tokens, functions, told)
            step("each action taken away")
            Removals(ministack, sandbox, door, told, work / "emulator" / "azure.json").tell()
            step("passed: from nothing to the first /jit, the story, and every way to break it")
    except BaseException as problem:
        for log in ("sandbox.log", "ministack.log"):
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
