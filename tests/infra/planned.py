"""What Terraform plans for AWS against what the functions are: their variables, their log lines, their doors.

  planned.py        (under tfstub.py, which brings the providers; see .ci/steps/terraform)

Each comparison is tried on a plan or on code in which it must find something wrong.
"""
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FUNCTIONS = ["request", "grant", "revoke", "notify", "discover"]

# What a function needs in its environment when it makes this call at its start; each is looked up in `edge`, below.
CALLS = {
    r"\bSlackSecrets::read\(": ("secrets.rs", {"AJAR_SECRET_ID"}, set()),
    r"\.policy\(\)": ("config.rs", {"AJAR_POLICY_FILE"}, set()),
    r"\bsecrets\.app\(env\)": ("secrets.rs", {"AJAR_SLACK_TEAM_ID", "AJAR_SLACK_APP_ID"}, set()),
    r"\bArchive::new\(": ("archive.rs", {"AJAR_ARCHIVE_BUCKET"}, set()),
    r"\benv\.installation\(\)": ("config.rs", {"AJAR_INSTALLATION"}, set()),
    r"\benv\.subscriptions\(\)": ("config.rs", {"AJAR_AZURE_SUBSCRIPTIONS"}, set()),
    r"\bSlack::new\(": ("slack.rs", set(), {"AJAR_SLACK_API_URL"}),
    r"\bArm::new\(": ("arm.rs", set(), {"AJAR_ARM_URL", "AJAR_ENTRA_URL", "AJAR_IP_FLOW_VERIFY"}),
}
# Arm::new makes the credential.
CREDENTIAL = {"AJAR_AZURE_TENANT_ID", "AJAR_AZURE_CLIENT_ID"}
# Set where the function's default may be wrong for an installation; the others are for stand-ins only.
SET_ALTHOUGH_OPTIONAL = {"AJAR_IP_FLOW_VERIFY"}
STAND_INS = {"AJAR_SLACK_API_URL", "AJAR_ARM_URL", "AJAR_ENTRA_URL", "AJAR_TIME_LIMITS_PERCENT"}

# Every type of resource there is. Whoever adds one thinks about whether it is a door or holds a secret.
TYPES = {
    "aws_apigatewayv2_api": 1, "aws_apigatewayv2_integration": 1, "aws_apigatewayv2_route": 4, "aws_apigatewayv2_stage": 1,
    "aws_cloudwatch_log_group": 6, "aws_cloudwatch_log_metric_filter": 9, "aws_cloudwatch_metric_alarm": 21,
    "aws_dynamodb_table": 1, "aws_iam_outbound_web_identity_federation": 1, "aws_iam_role": 7, "aws_iam_role_policy": 14,
    "aws_s3_bucket": 1, "aws_s3_bucket_lifecycle_configuration": 1, "aws_s3_bucket_object_lock_configuration": 1,
    "aws_s3_bucket_ownership_controls": 1, "aws_s3_bucket_policy": 1, "aws_s3_bucket_public_access_block": 1,
    "aws_s3_bucket_server_side_encryption_configuration": 1, "aws_s3_bucket_versioning": 1,
    "aws_lambda_event_source_mapping": 2, "aws_lambda_function": 5, "aws_lambda_function_event_invoke_config": 2,
    "aws_lambda_layer_version": 1, "aws_lambda_permission": 3, "aws_scheduler_schedule": 2, "aws_scheduler_schedule_group": 1,
    "aws_secretsmanager_secret": 1, "aws_sns_topic": 1, "aws_sns_topic_subscription": 1, "aws_sqs_queue": 1,
}


def code(path):
    """A file without its tests and comments."""
    source = path.read_text().split("#[cfg(test)]")[0]
    return "\n".join(line.split("//")[0] if '"' not in line else line for line in source.splitlines() if not line.strip().startswith("//"))


def sources():
    """The code of each function, and of `edge` by file."""
    of = {name: "\n".join(code(path) for path in sorted((ROOT / f"functions/{name}/src").rglob("*.rs"))) for name in FUNCTIONS}
    edge = {str(path.relative_to(ROOT / "functions/edge/src")): code(path) for path in sorted((ROOT / "functions/edge/src").rglob("*.rs"))}
    return of, edge


def variables_needed(of, edge):
    """What the environment of each function must hold, and may."""
    known = set().union(*(must | may for _, must, may in CALLS.values())) | CREDENTIAL | STAND_INS
    for file, must, may in CALLS.values():
        for name in must | may:
            assert f'"{name}"' in edge[file], f"edge/src/{file} does not read {name} any more: CALLS is behind"
    for name in CREDENTIAL:
        assert f'"{name}"' in edge["entra.rs"], f"edge/src/entra.rs does not read {name} any more"
    # What was built in is not read at the start.
    in_edge = set(re.findall(r'(?<!option_env!\()"(AJAR_\w+)"', "\n".join(edge.values())))
    assert in_edge <= known, f"edge reads {sorted(in_edge - known)}: add to CALLS who needs it"
    needed = {}
    for name, source in of.items():
        needed[name] = set(re.findall(r'\benv\.required\("(AJAR_\w+)"', source))
        for call, (_, must, may) in CALLS.items():
            if re.search(call, source):
                needed[name] |= must | (may & SET_ALTHOUGH_OPTIONAL)
        if re.search(r"\bArm::new\(", source):
            needed[name] |= CREDENTIAL
    return needed


def planned(change):
    """A resource as planned, what is not known yet as "(known after apply)"."""
    def join(value, unknown):
        if unknown is True:
            return "(known after apply)"
        if isinstance(unknown, dict):
            return {key: join((value or {}).get(key), unknown.get(key)) for key in set(value or {}) | set(unknown)}
        if isinstance(unknown, list) and unknown and isinstance(value, list):
            return [join(one, unknown[at] if at < len(unknown) else None) for at, one in enumerate(value)]
        return value
    return join(change["change"]["after"], change["change"]["after_unknown"])


def problems(plan, of, edge):
    """What is wrong, one sentence each."""
    found = []
    resources = {}
    for change in plan["resource_changes"]:
        if change["mode"] == "managed":
            resources.setdefault(change["type"], []).append((change.get("index", change["name"]), planned(change)))
    counts = {kind: len(all_of) for kind, all_of in resources.items()}
    for kind in sorted(set(counts) | set(TYPES)):
        if counts.get(kind, 0) != TYPES.get(kind, 0):
            found.append(f"{counts.get(kind, 0)} of {kind}, not {TYPES.get(kind, 0)}")

    needed = variables_needed(of, edge)
    for name, function in resources["aws_lambda_function"]:
        given = set(function["environment"][0]["variables"])
        if given != needed[name]:
            found.append(f"{name}: variables missing {sorted(needed[name] - given)}, not read {sorted(given - needed[name])}")

    # The sandbox's door has the same routes, so that what is told there holds here.
    routes = {route["route_key"] for _, route in resources["aws_apigatewayv2_route"]}
    door = re.search(r"request_routes: vec!\[([^\]]*)\]", (ROOT / "sandbox/src/host/mod.rs").read_text())
    if routes != set(re.findall(r'"([^"]+)"', door[1])):
        found.append(f"the door takes {sorted(routes)}, the sandbox's something else")

    if not re.search(r"\.json\(\)\s*\.flatten_event\(true\)", edge["report.rs"]):
        found.append("the functions do not write flat JSON lines, which the metric filters read")
    for name, metric_filter in resources["aws_cloudwatch_log_metric_filter"]:
        function = re.fullmatch(r"/aws/lambda/ajar-acme-(\w+)", metric_filter["log_group_name"])[1]
        pattern, value = metric_filter["pattern"], metric_filter["metric_transformation"][0]["value"]
        if number := re.fullmatch(r"\{ \$\.(\w+) >= 0 \}", pattern):
            written = re.search(rf"tracing::\w+!\([^;]*\b{number[1]}\s*=", of[function])
            if not written or value != f"$.{number[1]}":
                found.append(f"{name}: {function} writes no number {number[1]}")
        elif message := re.fullmatch(r'\{ \$\.message = "([^"]+)" \}', pattern):
            # `edge` drives for grant and revoke; only grant has evidence to judge.
            if f'"{message[1]}"' not in of[function] + edge["drive.rs"]:
                found.append(f"{name}: {function} writes no line {message[1]!r}")
        elif pattern != '{ $.level = "ERROR" }':
            found.append(f"{name}: a pattern that this check does not know: {pattern}")
    return found


def prepare(folder):
    """A copy of modules/aws with its variables, and archives that hold nothing."""
    shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    module = folder / "infra/terraform/modules/aws"
    for name in FUNCTIONS:
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("bootstrap", name)
    variables = {
        "installation": "acme", "artifacts": str(folder), "policy_file": str(ROOT / "sandbox/policy.toml"), "azure_tenant_id": "tenant",
        "azure_client_ids": {"grant": "writes", "revoke": "deletes", "discover": "reads"}, "azure_subscriptions": ["one", "two"],
        "slack_team_id": "T012ABCDEF", "slack_app_id": "A012ABCDEF", "alarm_emails": ["ops@example.com"], "create_issuer": True,
    }
    (module / "terraform.tfvars.json").write_text(json.dumps(variables))
    return module


def plan_of(module, data):
    """What Terraform plans for a module that lies in a folder with its variables."""
    environment = os.environ | {"TF_DATA_DIR": str(data)}
    for command in (["init", "-backend=false"], ["plan", "-out=plan"]):
        done = subprocess.run(["terraform", *command, "-input=false", "-no-color"], cwd=module, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    shown = subprocess.run(["terraform", "show", "-json", "plan"], cwd=module, env=environment, capture_output=True, text=True, check=True)
    return json.loads(shown.stdout)


def make_plan(folder):
    """The plan of modules/aws."""
    return plan_of(prepare(folder), folder / "data")


def breaks(plan, of, edge):
    """Plans and code in which something is wrong, by what it is."""
    def changed(kind, index, damage):
        broken = copy.deepcopy(plan)
        change = next(one for one in broken["resource_changes"] if one["type"] == kind and one.get("index", one["name"]) == index)
        damage(change["change"]["after"])
        return broken, of, edge

    def added(kind):
        broken = copy.deepcopy(plan)
        broken["resource_changes"].append({"mode": "managed", "type": kind, "name": "another", "change": {"after": {}, "after_unknown": {}}})
        return broken, of, edge

    def written(name, old, new):
        assert old in of[name], f"{name} has no {old}"
        return plan, of | {name: of[name].replace(old, new)}, edge

    filters = "aws_cloudwatch_log_metric_filter"
    return {
        "a function's own address": added("aws_lambda_function_url"),
        "a second permission": added("aws_lambda_permission"),
        "another route than the sandbox's": changed("aws_apigatewayv2_route", "GET /address", lambda a: a.update(route_key="ANY /address")),
        "a secret in the state": added("aws_secretsmanager_secret_version"),
        "a variable that is missing": changed("aws_lambda_function", "grant", lambda a: a["environment"][0]["variables"].pop("AJAR_POLICY_FILE")),
        "a variable that nobody reads": changed("aws_lambda_function", "request", lambda a: a["environment"][0]["variables"].update(AJAR_AZURE_CLIENT_ID="x")),
        "a new need of a function": written("notify", "env.installation()?", "env.installation()?, env.subscriptions()?"),
        "another name of the number": written("revoke", "overdue_grant_age_seconds", "overdue_age"),
        "another sentence in the log": written("request", "a request that Slack did not sign", "not signed"),
        "a filter on another field": changed(filters, "OrphanRules", lambda a: a.update(pattern="{ $.orphans >= 0 }")),
        "a filter that counts lines, not rules": changed(filters, "OrphanRules", lambda a: a["metric_transformation"][0].update(value="1")),
        "a filter on another function": changed(filters, "OrphanRules", lambda a: a.update(log_group_name="/aws/lambda/ajar-acme-grant")),
        "lines that are not flat": (plan, of, edge | {"report.rs": edge["report.rs"].replace(".flatten_event(true)", "")}),
    }


def main():
    of, edge = sources()
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(Path(folder))
    wrong = problems(plan, of, edge)
    if wrong:
        sys.exit("the plan does not fit the functions:\n  " + "\n  ".join(wrong))
    tried = breaks(plan, of, edge)
    for name, broken in tried.items():
        assert problems(*broken), f"{name} was not noticed"
    print(f"plan: {sum(TYPES.values())} resources fit the functions; {len(tried)} that do not were noticed")


if __name__ == "__main__":
    main()
