"""infra/terraform/modules/aws/fetch.sh: what has not the hash that was asked for is not deployed.

`curl` is a stand-in here: it takes the last argument for a file of this machine.
"""
import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent.parent / "infra/terraform/modules/aws/fetch.sh"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "grant.zip").write_bytes(b"an archive")
        hashed = hashlib.sha256(b"an archive").hexdigest()
        curl = folder / "bin" / "curl"
        curl.parent.mkdir()
        curl.write_text('#!/bin/sh\necho "$*" >>"$CURLED"\nfor at; do [ "$was" != --output ] || into=$at; was=$at; done\ncp "${was#https://}" "$into"\n')
        curl.chmod(0o755)
        environment = {"PATH": f"{curl.parent}:{os.environ['PATH']}", "CURLED": str(folder / "curled")}

        def fetch(sha256):
            return subprocess.run(["sh", SCRIPT, f"https://{folder}/grant.zip", sha256, folder / "into"], env=environment, capture_output=True, text=True)

        fetched = fetch(hashed)
        assert fetched.returncode == 0, fetched.stderr
        path = Path(json.loads(fetched.stdout)["path"])
        assert path.read_bytes() == b"an archive"
        curled = (folder / "curled").read_text()
        assert "--proto =https" in curled and "--proto-redir =https" in curled and "--fail" in curled, curled

        assert fetch(hashed).returncode == 0 and (folder / "curled").read_text() == curled, "what is there was fetched again"
        path.write_bytes(b"something else")
        assert fetch(hashed).returncode == 0 and path.read_bytes() == b"an archive", "what was altered is used"

        refused = fetch("0" * 64)
        assert refused.returncode == 1 and "not deployed" in refused.stderr and not refused.stdout, refused
        left = [one.name for one in (folder / "into").iterdir()]
        assert left == [path.name], left
    print("fetch.sh: what was asked for is kept, and refused where its hash is another")


if __name__ == "__main__":
    main()
