"""The deployed shape on ministack: build, start, apply, and what there is to find afterwards.

ministack's gaps that matter here (1.5.33), so that nobody takes this test for more than it is:
- Streams: `batchItemFailures`, bisecting and the retry count are ignored; a failed batch is retried every few
  seconds until the record is too old, and one slow batch holds up every other mapping (one thread polls all).
- The mapping reads the stream, and the scheduler invokes, without asking whether the role may: run.py asks
  the deployed policies itself (iam.py).
- `lambda:SourceFunctionArn` and the condition keys of sts:GetWebIdentityToken and `dynamodb:LeadingKeys` are
  unknown: hence sts.py; a condition on LeadingKeys is met by everything, so run.py evaluates it itself.
- Resource policies of functions are not enforced: the HTTP API would reach `request` without its permission.
- Throttling, reserved concurrency, point-in-time recovery and log groups are accepted and have no effect.
- The architecture is not looked at; the binaries run on this machine, in their unzipped directory
  (which is also where the real Lambda starts them: the policy is found as `policy.toml`).
- `rate(1 minute)` is checked every ten seconds, so a tick comes up to ten seconds late.
"""
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import boto3

from processes import Process, fetch, free_ports, until

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FUNCTIONS = ["request", "grant", "revoke", "notify", "discover"]
ACCOUNT = "123456789012"
REGION = "eu-west-1"


def build(into, policy):
    """The release binaries of the functions, each zipped as Lambda wants it."""
    packages = [word for name in FUNCTIONS for word in ("-p", name)]
    subprocess.run(["cargo", "build", "--locked", "--profile", "lambda", *packages], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for name in FUNCTIONS:
        binary = target / "lambda" / name
        with zipfile.ZipFile(into / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr, entry.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, binary.read_bytes())
            archive.write(policy, "policy.toml")
        print(f"  {name:8} {binary.stat().st_size / 1e6:5.2f} MB, zipped {(into / f'{name}.zip').stat().st_size / 1e6:5.2f} MB")


class Ministack:
    """A fresh emulator on a random loopback port, with IAM enforced."""

    def __init__(self, work):
        self.port = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        temporary = work / "ministack-tmp"
        temporary.mkdir()
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(work), "TMPDIR": str(temporary), "AUTH": "true",
            "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port), "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
        }
        self.process = Process("ministack", [Path(sys.executable).parent / "ministack"], work / "ministack.log", env=environment)

    def wait(self):
        until("ministack answers", 60, lambda: self.process.alive() and fetch(self.url + "/_ministack/health")[0] == 200)

    def client(self, service, credentials=None):
        """A client as the account's root, or with somebody's session."""
        key = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} if credentials is None else {
            "aws_access_key_id": credentials.access_key, "aws_secret_access_key": credentials.secret_key,
            "aws_session_token": credentials.token}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **key)

    def apply(self, offline, work, variables, environment):
        """`terraform apply` of infra/minimal; returns its outputs. `environment` goes to every function."""
        # The functions read ../stream.json beside the module, as in the repository.
        shutil.copytree(ROOT / "infra", work / "infra", ignore=shutil.ignore_patterns(".terraform*"))
        module = work / "infra" / "minimal"
        (module / "terraform.tfvars.json").write_text(json.dumps(variables))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
        inherited |= {
            "TMPDIR": str(work), "TFSTUB_EMULATOR": self.url, "TFSTUB_ENV": json.dumps(environment), "MINISTACK_ACCOUNT_ID": ACCOUNT,
        }
        provider = [sys.executable, HERE / "apply.py", offline]
        subprocess.run([*provider, "terraform", "apply", "-auto-approve", "-input=false", "-no-color"],
                       cwd=module, env=inherited, check=True, stdout=open(work / "terraform.log", "w"))
        shown = subprocess.run(["terraform", "output", "-json"], cwd=module, env=inherited, check=True, capture_output=True)
        return {name: output["value"] for name, output in json.loads(shown.stdout).items()}
