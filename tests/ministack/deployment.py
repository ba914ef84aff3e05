"""AWS as ministack has it.

ministack's gaps that matter here (1.5.33), so that nobody takes this test for more than it is:
- Streams: `batchItemFailures`, bisecting and the retry count are ignored; a failed batch is retried every few
  seconds until the record is too old, and one slow batch holds up every other mapping (one thread polls all).
- The mapping reads the stream, and the scheduler invokes, without asking whether the role may: rights.py asks
  the deployed policies itself (iam.py).
- `lambda:SourceFunctionArn` and the condition keys of sts:GetWebIdentityToken and `dynamodb:LeadingKeys` are
  unknown: hence sts.py; a condition on LeadingKeys is met by everything, so rights.py evaluates it itself.
- Resource policies of functions are not enforced: the HTTP API would reach `request` without its permission.
- Throttling, reserved concurrency, point-in-time recovery and log groups are accepted and have no effect.
- The architecture is not looked at; the binaries run on this machine, in their unzipped directory. Layers are
  not unpacked for them: tests/infra/emulator.py does that, and says where in their environment.
- `rate(1 minute)` is checked every ten seconds, so a tick comes up to ten seconds late.
"""
import os
import sys
from pathlib import Path

import boto3

from processes import Process, fetch, free_ports, until

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FUNCTIONS = ["request", "grant", "revoke", "notify", "discover"]
ACCOUNT = "123456789012"
REGION = "eu-west-1"


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
