"""The Slack app's manifest, as Terraform renders it, judged without Slack.

Types, limits and names are those of Slack's reference of manifests (docs.slack.dev/reference/app-manifest); the
scopes must be those that the methods need which functions/edge calls, the operator's tool included. Slack's own judge
(apps.manifest.validate) needs a token. Each check is tried on a manifest that it must refuse.
"""
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jsonschema

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "https://abcdefghij.execute-api.eu-west-1.amazonaws.com"

# What each method of the Web API needs of a bot (docs.slack.dev/reference/methods).
SCOPES = {
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "conversations.open": {"im:write"},
    "usergroups.users.list": {"usergroups:read"},
    "users.info": {"users:read"},
    "users.lookupByEmail": {"users:read.email"},
    "views.open": set(),
    "auth.test": set(),
    "bots.info": {"users:read"},
}
# The files that may call one, and how they do.
CALLERS = {"slack.rs": "(?:call|say)", "slack/token.rs": "ask"}
# The file that knows how often each may be called, and calls none.
LIMITS = "slack/pace.rs"


def text(most, least=1, **more):
    return {"type": "string", "minLength": least, "maxLength": most, **more}


def closed(required, **properties):
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


SWITCH = {"type": "boolean"}
ADDRESS = text(3000, pattern="^https://[^/]+/")
# Only what an app of ours has: whoever adds a part of a manifest adds it here, from the reference.
SCHEMA = closed(
    ["_metadata", "display_information", "features", "oauth_config", "settings"],
    _metadata=closed(["major_version"], major_version={"enum": [1, 2]}, minor_version={"type": "integer"}),
    display_information=closed(
        ["name"], name=text(35), description=text(140), long_description=text(4000, 175),
        background_color={"type": "string", "pattern": "^#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?$"}),
    features=closed(
        ["bot_user", "slash_commands"],
        bot_user=closed(["display_name"], display_name=text(80), always_online=SWITCH),
        app_home=closed([], home_tab_enabled=SWITCH, messages_tab_enabled=SWITCH, messages_tab_read_only_enabled=SWITCH),
        slash_commands={"type": "array", "minItems": 1, "maxItems": 50, "items": closed(
            ["command", "description", "url"],  # without Socket Mode a command needs its address
            command=text(32, 2, pattern="^/[^ ]+$"), description=text(2000), usage_hint=text(1000), url=ADDRESS,
            should_escape=SWITCH)}),
    oauth_config=closed(["scopes"], scopes=closed(["bot"], bot={
        "type": "array", "uniqueItems": True, "maxItems": 255, "items": {"type": "string"}})),
    settings=closed(
        ["interactivity", "socket_mode_enabled"],
        interactivity=closed(["is_enabled", "request_url"], is_enabled={"const": True}, request_url=ADDRESS,
                             message_menu_options_url=ADDRESS),
        org_deploy_enabled=SWITCH, socket_mode_enabled={"const": False}, token_rotation_enabled={"const": False}),
)


def used_methods():
    """The methods that are called, from the files that may."""
    methods, edge = set(), ROOT / "functions/edge/src"
    for file, call in CALLERS.items():
        source = (edge / file).read_text()
        named = re.findall(rf"\bself\.{call}\(\s*\"([\w.]+)\"", source)
        # What hands on the name that it was given itself makes no call of its own.
        calls = len(re.findall(rf"\bself\s*\.{call}\((?!method,)", source))
        assert named and len(named) == calls, f"{calls} calls of Slack in {file}, but only {len(named)} name their method"
        methods |= set(named)
    elsewhere = re.compile(r"\"(chat|usergroups|users|views|conversations|auth|bots)\.[a-zA-Z.]+\"")
    for path in [*(ROOT / "functions").glob("*/src/**/*.rs"), *(ROOT / "operator/src").rglob("*.rs")]:
        if path not in [edge / file for file in [*CALLERS, LIMITS]]:
            assert not elsewhere.search(path.read_text()), f"{path} names a method of Slack's; only {', '.join(CALLERS)} may"
    return methods


def problems(manifest, methods):
    """What is wrong with a manifest, one sentence each."""
    found = [f"{'/'.join(map(str, error.absolute_path)) or 'the manifest'}: {error.message}"
             for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(manifest)]
    if found:
        return found
    unknown = methods - set(SCOPES)
    if unknown:
        found.append(f"edge calls {sorted(unknown)}; look up what scopes that needs and add it to SCOPES")
    needed = {"commands"}.union(*(SCOPES[method] for method in methods - unknown))
    asked = set(manifest["oauth_config"]["scopes"]["bot"])
    if asked != needed:
        found.append(f"scopes: missing {sorted(needed - asked)}, not used {sorted(asked - needed)}")
    command = manifest["features"]["slash_commands"][0]
    if len(manifest["features"]["slash_commands"]) != 1 or command["command"] != "/jit":
        found.append("the one command is /jit")
    click = manifest["settings"]["interactivity"]["request_url"]
    if urlsplit(command["url"]).netloc != urlsplit(click)[1]:
        found.append("commands and clicks go to different hosts")
    # `request` tells them apart by the last word of the path.
    if (urlsplit(command["url"]).path, urlsplit(click).path) != ("/slack/command", "/slack/interaction"):
        found.append("the addresses are not those that the door takes")
    return found


def without(manifest, path):
    *way, last = path
    for key in way:
        manifest = manifest[key]
    del manifest[last]


def put(manifest, path, value):
    *way, last = path
    for key in way:
        manifest = manifest[key]
    manifest[last] = value


COMMAND = ["features", "slash_commands", 0]
BREAKS = {
    "an unknown key": lambda m: put(m, ["features", "colour"], "red"),
    "a name of 36 characters": lambda m: put(m, ["display_information", "name"], "x" * 36),
    "a description of 141 characters": lambda m: put(m, ["display_information", "description"], "x" * 141),
    "a command without a slash": lambda m: put(m, [*COMMAND, "command"], "jit"),
    "a command without its address": lambda m: without(m, [*COMMAND, "url"]),
    "a command over plain HTTP": lambda m: put(m, [*COMMAND, "url"], HOST.replace("https", "http") + "/slack/command"),
    "another command": lambda m: put(m, [*COMMAND, "command"], "/open"),
    "another path": lambda m: put(m, [*COMMAND, "url"], HOST + "/slack/commands"),
    "two hosts": lambda m: put(m, ["settings", "interactivity", "request_url"], "https://example.com/slack/interaction"),
    "a switch that is a word": lambda m: put(m, [*COMMAND, "should_escape"], "false"),
    "clicks switched off": lambda m: put(m, ["settings", "interactivity", "is_enabled"], False),
    "socket mode": lambda m: put(m, ["settings", "socket_mode_enabled"], True),
    "a misspelt scope": lambda m: put(m, ["oauth_config", "scopes", "bot", 0], "chat:writes"),
    "a scope too many": lambda m: m["oauth_config"]["scopes"]["bot"].append("im:write"),
    "a scope too few": lambda m: without(m, ["oauth_config", "scopes", "bot", 0]),
    "a scope twice": lambda m: m["oauth_config"]["scopes"]["bot"].append("commands"),
    "no bot": lambda m: without(m, ["features", "bot_user"]),
}


def rendered():
    """The manifest and the link, by Terraform; the module needs no provider."""
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "slack"
        shutil.copytree(ROOT / "infra/terraform/modules/slack", module, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        for command in (["init", "-input=false"], ["apply", "-auto-approve", "-input=false", f"-var=command_url={HOST}/slack/command", f"-var=interaction_url={HOST}/slack/interaction"]):
            done = subprocess.run(["terraform", *command, "-no-color"], cwd=module, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        shown = subprocess.run(["terraform", "output", "-json"], cwd=module, env=environment, capture_output=True, text=True, check=True)
    return {name: output["value"] for name, output in json.loads(shown.stdout).items()}


def main():
    if len(sys.argv) > 1:  # one that was written by `slack_manifest_file`
        outputs = {"manifest": Path(sys.argv[1]).read_text()}
    else:
        outputs = rendered()
    manifest, methods = json.loads(outputs["manifest"]), used_methods()
    wrong = problems(manifest, methods)
    if "create_app_url" in outputs:
        link = parse_qs(urlsplit(outputs["create_app_url"]).query, strict_parsing=True)
        if link != {"new_app": ["1"], "manifest_json": [outputs["manifest"]]}:
            wrong.append("the link that makes the app holds something else than the manifest")
    if wrong:
        sys.exit("the manifest is wrong:\n  " + "\n  ".join(wrong))
    for name, damage in BREAKS.items():
        broken = copy.deepcopy(manifest)
        damage(broken)
        assert problems(broken, methods), f"{name} was not noticed"
    assert problems(manifest, methods | {"conversations.open"}), "a method whose scope is not asked for was not noticed"
    assert problems(manifest, methods | {"files.upload"}), "a method whose scope is not known was not noticed"
    assert problems(manifest, methods - {"users.info", "bots.info"}), "a scope that nothing uses was not noticed"
    print(f"manifest: {len(methods)} methods ({', '.join(sorted(methods))}), "
          f"scopes {', '.join(sorted(manifest['oauth_config']['scopes']['bot']))}; {len(BREAKS) + 3} broken ones refused")


if __name__ == "__main__":
    main()
