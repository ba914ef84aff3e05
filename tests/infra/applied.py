"""infra/terraform/modules/aws applied to ministack, and read back from it: what AWS's own models of its APIs refuse,
`validate` does not see. The functions hold nothing here; tests/ministack runs them.

  applied.py OFFLINE_DIR SCHEMAS_DIR
"""
import io
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ministack"))

import planned  # noqa: E402
from deployment import ACCOUNT, Ministack  # noqa: E402

HERE = Path(__file__).resolve().parent


def apply(folder, ministack, offline, schemas):
    """The outputs of an apply of the module."""
    module = planned.prepare(folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    environment |= {"TF_DATA_DIR": str(folder / "data"), "TFSTUB_EMULATOR": ministack.url, "TFSTUB_ENV": "{}", "MINISTACK_ACCOUNT_ID": ACCOUNT,
                    "EMULATOR_STATE": str(folder / "emulator")}
    for command in (["init", "-backend=false"], ["apply", "-auto-approve"]):
        done = subprocess.run([sys.executable, HERE / "emulator.py", offline, schemas, "terraform", *command, "-input=false", "-no-color"],
                              cwd=module, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    shown = subprocess.run(["terraform", "output", "-json"], cwd=module, env=environment, capture_output=True, text=True, check=True)
    return {name: output["value"] for name, output in json.loads(shown.stdout).items()}


def main(offline, schemas):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ministack = Ministack(folder)
        try:
            ministack.wait()
            outputs = apply(folder, ministack, offline, schemas)
            look(ministack, outputs)
        finally:
            ministack.process.stop()


def look(ministack, outputs):
    """What there is afterwards."""
    aws = {service: ministack.client(service) for service in ["lambda", "iam", "cloudwatch", "logs", "scheduler", "dynamodb"]}
    functions = {one["FunctionName"]: one for one in aws["lambda"].list_functions()["Functions"]}
    assert sorted(functions) == sorted(f"ajar-acme-{name}" for name in planned.FUNCTIONS), sorted(functions)
    assert len({one["Role"] for one in functions.values()}) == len(functions), "two functions share a role"
    # The ARNs that the policies name before anything exists are those that AWS then gives.
    for name, arn in outputs["function_arns"].items():
        statements = []
        for policy in aws["iam"].list_role_policies(RoleName=f"ajar-acme-{name}")["PolicyNames"]:
            statements += aws["iam"].get_role_policy(RoleName=f"ajar-acme-{name}", PolicyName=policy)["PolicyDocument"]["Statement"]
        resources = {resource for one in statements for resource in (one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]])}
        table = outputs["table"]
        known = {table["arn"], *(f"{table['arn']}/index/{index}" for index in ["due", "machine", "person"]), table["stream_arn"], outputs["secret_arn"],
                 f"arn:aws:s3:::{outputs['archive_bucket']}/*", outputs["function_arns"]["revoke"], outputs["function_arns"]["discover"], "*",
                 f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/ajar-acme-{name}:*", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:ajar-acme-dead-letters"}
        assert resources <= known, f"{name} may reach what does not exist: {resources - known}"
        for one in statements:
            if "sts:GetWebIdentityToken" in one["Action"]:
                assert one["Condition"]["ArnEquals"] == {"lambda:SourceFunctionArn": arn}, one
    layers = [layer["Arn"] for one in functions.values() for layer in one.get("Layers", [])]
    assert len(layers) == 5 and len(set(layers)) == 1, layers
    with urllib.request.urlopen(aws["lambda"].get_layer_version_by_arn(Arn=layers[0])["Content"]["Location"]) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert archive.read("policy.toml") == (planned.ROOT / "sandbox/policy.toml").read_bytes(), "the layer holds another policy"
    readers = aws["lambda"].list_event_source_mappings(EventSourceArn=outputs["table"]["stream_arn"])["EventSourceMappings"]
    assert sorted(one["FunctionArn"].rsplit("-", 1)[1] for one in readers) == ["grant", "notify"], readers
    alarms = aws["cloudwatch"].describe_alarms()["MetricAlarms"]
    assert len(alarms) == planned.TYPES["aws_cloudwatch_metric_alarm"], len(alarms)
    filters = aws["logs"].describe_metric_filters()["metricFilters"]
    assert len(filters) == planned.TYPES["aws_cloudwatch_log_metric_filter"], len(filters)
    schedules = aws["scheduler"].list_schedules(GroupName="ajar-acme")["Schedules"]
    assert sorted(one["Name"] for one in schedules) == ["ajar-acme-minute", "ajar-acme-quarter"], schedules
    table = aws["dynamodb"].describe_table(TableName=outputs["table"]["name"])["Table"]
    assert table["DeletionProtectionEnabled"] and table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES", table
    s3, bucket = ministack.client("s3"), {"Bucket": outputs["archive_bucket"]}
    lock = s3.get_object_lock_configuration(**bucket)["ObjectLockConfiguration"]
    assert lock == {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 400}}}, lock
    assert s3.get_bucket_versioning(**bucket)["Status"] == "Enabled" and all(s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"].values())
    rules = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert [rule["Expiration"] for rule in rules] == [{"Days": 401}, {"ExpiredObjectDeleteMarker": True}], rules
    print(f"applied: {len(functions)} functions, {len(alarms)} alarms, {len(filters)} filters, {len(readers)} readers; every ARN in a policy exists")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
