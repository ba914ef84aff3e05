"""slack-posts.py VALIDATOR MESSAGES.json: everything that Slack accepted from the app, given to the validator."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

validator, messages = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())


def parsed(value):
    return json.loads(value) if isinstance(value, str) else value


with tempfile.TemporaryDirectory() as directory:
    files = []
    for entry in messages:
        body = entry["body"]
        if not entry["ok"] or not isinstance(body, dict):
            continue
        document = parsed(body["view"]) if "view" in body else dict(body)
        if "blocks" in document:
            document["blocks"] = parsed(document["blocks"])
        file = Path(directory) / f"{entry['seq']:04}-{entry['method']}.json"
        file.write_text(json.dumps(document))
        files.append(file)
    if not files:
        sys.exit("Slack received nothing: the story was not told")
    print(f"{len(files)} posts of the app, by slack_sdk's models")
    sys.exit(subprocess.run([sys.executable, validator, *files]).returncode)
