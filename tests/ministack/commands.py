"""The commands of infra/README.md, word for word, in a clean copy of the repository.

What is here in place of the clouds stands on the PATH under the names that the commands use: `terraform` is the real
one behind tests/infra/emulator.py, `az` prints the token that a login would have, and there is no `aws`.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from deployment import ACCOUNT, REGION, ROOT
from processes import Failed

MARKS = ("<!-- commands -->", "<!-- /commands -->")
# What a person types at each, where it asks for something.
TYPED = {"apply": lambda facts: "yes\n", "dist/ajar secret": lambda facts: f"{facts['signing_secret']}\n{facts['bot_token']}\n"}


def fenced(text):
    """The commands between the marks, one a line, as they are printed; words beside them are for people."""
    for mark in MARKS:
        if text.count(mark) != 1:
            raise Failed(f"infra/README.md has {text.count(mark)} times {mark}")
    between = text.split(MARKS[0])[1].split(MARKS[1])[0]
    commands = [line for block in re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```", between, re.S | re.M) for line in block.splitlines()]
    commands = [line for line in commands if line.strip() and not line.startswith("#")]
    if not commands or len(commands) > 8:
        raise Failed(f"infra/README.md has {len(commands)} commands to begin with, not 1 to 8")
    return commands


def edited(text, values):
    """example.tfvars as a person edits it: each value replaced where it stands, and none added."""
    for name, value in values.items():
        text, found = re.subn(rf"(?m)^{name}(\s*)=.*$", lambda line: f"{name}{line[1]}= {json.dumps(value)}", text)
        if found != 1:
            raise Failed(f"example.tfvars says {name} {found} times")
    left = set(re.findall(r"(?m)^(\w+)\s*=", text)) - set(values)
    if left:
        raise Failed(f"example.tfvars has values that nobody edited here: {sorted(left)}")
    return text


class Checkout:
    """What a clone holds of what is committed, with the stand-ins beside it."""

    def __init__(self, work, offline, schemas, overlay):
        self.work = work
        self.folder = Path(subprocess.run([ROOT / ".ci/checkout"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
        if overlay:
            shutil.copytree(overlay, self.folder, dirs_exist_ok=True)
        self.bin = work / "bin"
        self.bin.mkdir()
        real = shutil.which("terraform")
        behind = shlex.join(map(str, [sys.executable, ROOT / "tests/infra/emulator.py", offline, schemas, real]))
        self.program("terraform", f'exec {behind} "$@"')

    def program(self, name, line):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def run(self, ministack, sandbox, services, values):
        """All of them, one after the other. `services` is what redirects the functions, and the tool, to the stand-ins."""
        facts = sandbox.facts
        token = json.dumps({"accessToken": facts["arm_token"], "expires_on": 4102444800, "tokenType": "Bearer",
                            "subscription": facts["subscription_id"], "tenant": facts["tenant_id"]})
        self.program("az", f"[ \"$1 $2\" = 'account get-access-token' ] || exit 1\ncat <<'TOKEN'\n{token}\nTOKEN")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_", "AJAR_", "ARM_"))}
        environment |= services | {
            "PATH": f"{self.bin}:{os.environ['PATH']}", "CHECKPOINT_DISABLE": "1", "TF_CLI_ARGS": "-no-color",
            "AJAR_ARCH": os.uname().machine.replace("aarch64", "arm64"),
            "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": ministack.url,
            # The stand-in of STS knows the functions only; a person is ministack's.
            "AWS_ENDPOINT_URL_STS": ministack.url,
            "TFSTUB_EMULATOR": ministack.url, "TFSTUB_ENV": json.dumps(services), "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "EMULATOR_STATE": str(self.work / "emulator"), "EMULATOR_SANDBOX": sandbox.url,
        }
        commands = fenced((self.folder / "infra/README.md").read_text())
        said = {}
        for number, command in enumerate(commands, 1):
            print(f"         {number}. {command}", flush=True)
            typed = next((answer(facts) for what, answer in TYPED.items() if what in command), "")
            done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], cwd=self.folder, env=environment, input=typed,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            (self.work / f"command-{number}.log").write_text(done.stdout)
            for secret in (facts["signing_secret"], facts["bot_token"], facts["arm_token"]):
                if secret in done.stdout:
                    raise Failed(f"`{command}` printed a secret")
            if done.returncode != 0:
                raise Failed(f"`{command}` ended with {done.returncode}:\n{done.stdout[-3000:]}")
            said[command] = done.stdout
            if "example.tfvars" in command:
                path = self.folder / "infra/terraform/terraform.tfvars"
                path.write_text(edited(path.read_text(), values))
        return said
