"""Every assertion of infra/terraform/tests can fail: each is tried on a configuration that breaks it.

  mutants.py [WORD...]       (under tfstub.py; only those whose sentence holds one of the words)

It takes some minutes, so the gate does not run it: run it when an assertion or the modules change.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# The file, what stands there, what is put instead (or a list of such pairs), and the sentence with which the
# assertion must fail, or the run that expects a failure.
MUTANTS = [
    # rights.tftest.hcl
    ("functions.tf", "role          = aws_iam_role.function[each.key].arn", 'role          = aws_iam_role.function["grant"].arn', "A function has another's role."),
    ("main.tf", 'role_path = "/ajar/"', 'role_path = "/"', "which is the subject that Azure trusts"),
    ("outputs.tf", 'for name in ["grant", "revoke", "discover"] : name => aws_iam_role', 'for name in keys(local.functions) : name => aws_iam_role', "Azure is told of other roles"),
    ("iam.tf", 'Principal = { Service = "lambda.amazonaws.com" } }]', 'Principal = { Service = ["lambda.amazonaws.com", "ec2.amazonaws.com"] } }]', "Somebody other than Lambda"),
    ("iam.tf", 'request = { actions = ["GetItem", ', 'request = { actions = ["DeleteItem", "GetItem", ', "A role may do something else"),
    ("iam.tf", 'notify = [local.items.notify, {', 'notify = [local.items.notify, local.azure_token.grant, {', "A role may do something else"),
    ("functions.tf", "revoke = merge(local.slack_secret, ", "revoke = merge(", "A role may do something else"),
    ("iam.tf", 'Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]', 'Action   = ["logs:*"]', "A wildcard that is not listed"),
    ("iam.tf", "Resource  = local.table_arn\n    Condition = { \"ForAllValues:StringLike\"", "Resource  = \"*\"\n    Condition = { \"ForAllValues:StringLike\"", "A wildcard that is not listed"),
    ("iam.tf", "Resource = aws_secretsmanager_secret.slack.arn", "Resource = \"${aws_secretsmanager_secret.slack.arn}*\"", "A wildcard that is not listed"),
    ("iam.tf", 'Effect   = "Allow"\n    Action   = ["dynamodb:Query"]', 'Effect   = "Allow"\n    NotAction = ["dynamodb:Query"]\n    Action   = ["dynamodb:Query"]', "A wildcard that is not listed"),
    ("iam.tf", "api://AzureADTokenExchange", "*", "A token for Azure may be had"),
    ("iam.tf", '= "RS256"', '= ["RS256", "ES384"]', "A token for Azure may be had"),
    ("iam.tf", '"sts:DurationSeconds" = "300"', '"sts:DurationSeconds" = "3600"', "A token for Azure may be had"),
    ("iam.tf", 'Null                  = { "sts:IdentityTokenAudience" = "false" }\n', "", "A token for Azure may be had"),
    ("iam.tf", "local.function_arns[name] }", "local.function_arns.grant }", "A token for Azure may be had"),
    ("iam.tf", "Resource = [local.function_arns.revoke, local.function_arns.discover]", "Resource = values(local.function_arns)", "notify may start something else"),
    ("iam.tf", '"ORDER#*", "LOCKDOWN"] }\n    grant', '"ORDER#*", "LOCKDOWN", "NSG#*"] }\n    grant', "reaches other partitions"),
    ("iam.tf", 'Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = keys } }\n', "", "A function lists other partitions"),
    ("iam.tf", "local.list.request, local.index.request]", "local.list.request, local.index.grant]", "A function asks other indexes"),
    ("iam.tf", 'Sid      = "Archive"', 'Sid      = "Index"', "Two statements of a policy have the same Sid"),
    ("iam.tf", 'Action   = ["s3:PutObject"]', 'Action   = ["s3:PutObject", "s3:DeleteObject"]', "A role may do something else"),
    ("iam.tf", 'Resource = "${local.archive_arn}/*"', 'Resource = "*"', "A wildcard that is not listed"),
    ("iam.tf", 'grant  = [local.items.grant,', 'grant  = [local.items.grant, { Sid = "All", Effect = "Allow", Action = ["dynamodb:PutItem"], Resource = local.table_arn },', "without the condition on their partition"),
    ("iam.tf", "Resource = local.function_arns[each.value.function]", "Resource = local.function_arns.grant", "A schedule's role may start another"),
    ("iam.tf", 'StringEquals = { "aws:SourceAccount" = local.account }\n', "", "Schedules of others may take the role"),
    ("artifacts.tf", '"\\\\u00${byte}"', '"\\\\u00${strrev(byte)}"', "What is deployed is not what artifacts_sha256 says"),
    ("functions.tf", "source_code_hash = local.code_sha256[each.key]\n", "", "The hash of the code is not"),
    # shape.tftest.hcl
    ("archive.tf", "object_lock_enabled = true", "object_lock_enabled = false", "What is archived can be changed"),
    ("archive.tf", 'status = "Enabled"\n  }\n}', 'status = "Suspended"\n  }\n}', "What is archived can be changed"),
    ("archive.tf", "days = var.archive_retention_days\n    }", "days = 1\n    }", "What is archived can be changed"),
    ("archive.tf", "mode = var.archive_retention_mode", 'mode = "GOVERNANCE"', "The archive is not held as it was asked for"),
    ("archive.tf", "block_public_policy     = true", "block_public_policy     = false", "The archive is not private"),
    ("archive.tf", "BucketOwnerEnforced", "ObjectWriter", "The archive is not private"),
    ("archive.tf", 'Effect    = "Deny"', 'Effect    = "Allow"', "The archive answers without TLS"),
    ("archive.tf", "days = var.archive_retention_days + 1", "days = 1", "The archive lets go too early"),
    ("archive.tf", "expired_object_delete_marker = true", "expired_object_delete_marker = false", "The archive lets go too early"),
    ("functions.tf", "AJAR_ARCHIVE_BUCKET = aws_s3_bucket.archive.bucket", 'AJAR_ARCHIVE_BUCKET = "another"', "Another function than discover knows the archive"),
    ("variables.tf", "var.archive_retention_days >= 1 && ", "", "an_archive_without_a_time"),
    ("variables.tf", 'contains(["GOVERNANCE", "COMPLIANCE"], var.archive_retention_mode)', "true", "an_archive_of_another_mode"),
    ("door.tf", 'aws_lambda_function.ajar["request"].invoke_arn', '"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:other/invocations"', "The door leads elsewhere"),
    ("door.tf", '/*/POST/slack/*"', '/*"', "Others than this HTTP API may start"),
    ("door.tf", 'function_name = aws_lambda_function.ajar["request"].function_name\n  action        = "lambda:InvokeFunction"\n  principal     = "apigateway.amazonaws.com"\n  source_arn    = "${aws_apigatewayv2_api.slack.execution_arn}/*/POST', 'function_name = aws_lambda_function.ajar["request"].function_name\n  action        = "lambda:InvokeFunction"\n  principal     = "*"\n  source_arn    = "${aws_apigatewayv2_api.slack.execution_arn}/*/POST', "Others than this HTTP API may start"),
    ("door.tf", "/*/${each.key}${local.page_path}", "/*/*/*", "The page may start another function"),
    ("door.tf", '"GET ${local.page_path}", ', '"ANY ${local.page_path}", ', "The page is shown or confirmed by other routes"),
    ("door.tf", "throttling_rate_limit  = var.throttle.rate / 4", "throttling_rate_limit  = var.throttle.rate", "The page is not throttled by itself"),
    ("door.tf", 'route             = "$context.routeKey"', 'route             = "$context.path"', "The access log holds more"),
    ("door.tf", "route_key = \"POST ${each.key}\"", "route_key = \"ANY ${each.key}\"", "The door takes other requests"),
    ("door.tf", 'ip_address_type = "ipv4"', 'ip_address_type = "dualstack"', "otherwise than by HTTP over IPv4"),
    ("door.tf", "throttling_rate_limit  = var.throttle.rate\n", "throttling_rate_limit  = 10000\n", "The door is not throttled"),
    ("door.tf", "destination_arn = aws_cloudwatch_log_group.door.arn", 'destination_arn = "arn:aws:logs:eu-west-1:123456789012:log-group:other"', "The door keeps no access log"),
    ("door.tf", 'status            = "$context.status"', 'status            = "$context.status"\n      query = "$context.authorizer.body"', "The access log holds more"),
    ("stream.tf", 'stream = jsondecode(file("${path.module}/../../../stream.json"))', 'stream = merge(jsondecode(file("${path.module}/../../../stream.json")), { revoke = jsondecode(file("${path.module}/../../../stream.json")).grant })', "exactly grant and notify"),
    ("stream.tf", '["ReportBatchItemFailures"]', "[]", "A reader of the stream can block it"),
    ("stream.tf", "bisect_batch_on_function_error = each.value.bisect", "bisect_batch_on_function_error = false", "A reader of the stream can block it"),
    ("stream.tf", "maximum_retry_attempts         = each.value.maximum_retry_attempts", "maximum_retry_attempts         = -1", "A reader of the stream can block it"),
    ("stream.tf", "maximum_record_age_in_seconds  = each.value.maximum_record_age_seconds", "maximum_record_age_in_seconds  = -1", "A reader of the stream can block it"),
    ("stream.tf", 'starting_position              = "TRIM_HORIZON"', 'starting_position              = "LATEST"', "A reader of the stream can block it"),
    ("stream.tf", "destination_arn = aws_sqs_queue.dead_letters.arn", 'destination_arn = "arn:aws:sqs:eu-west-1:123456789012:other"', "loses what it gave up"),
    ("stream.tf", "pattern = jsonencode(filter.value)", 'pattern = "{}"', "woken by other changes"),
    ("schedule.tf", "rate(1 minute)", "rate(2 minutes)", "revoke does not run each minute"),
    ("schedule.tf", "maximum_retry_attempts       = 0\n      maximum_event_age", "maximum_retry_attempts       = 185\n      maximum_event_age", "The scheduler repeats ticks"),
    ("schedule.tf", "maximum_retry_attempts       = 0\n  maximum_event_age", "maximum_retry_attempts       = 2\n  maximum_event_age", "Lambda repeats ticks"),
    ("variables.tf", "default     = true\n}\n\nvariable \"log_retention_days\"", "default     = false\n}\n\nvariable \"log_retention_days\"", "The table can be deleted"),
    ("table.tf", "point_in_time_recovery {\n    enabled = true", "point_in_time_recovery {\n    enabled = false", "cannot be brought back"),
    ("table.tf", 'attribute_name = "purge_at"', 'attribute_name = "due_at"', "The table purges by something else"),
    ("table.tf", '"NEW_AND_OLD_IMAGES"', '"NEW_IMAGE"', "The stream does not hold both images"),
    ("table.tf", 'range = "due_at" }', 'range = "status" }', "The indexes are not those"),
    ("door.tf", "retention_in_days = var.log_retention_days", "retention_in_days = 0", "A log is kept for ever"),
    ("functions.tf", "architectures = [var.architecture]", 'architectures = ["x86_64"]', "A function logs elsewhere"),
    ("functions.tf", 'layers                         = contains(keys(local.environment[each.key]), "AJAR_POLICY_FILE") ?', "layers                         = true ?", "The policy does not reach exactly"),
    ("functions.tf", "local.installation, local.azure.revoke,", "local.installation, local.azure.grant,", "names another identity in Azure"),
    ("functions.tf", "request = merge(local.slack_secret,", "request = merge(local.azure.discover, local.slack_secret,", "names another identity in Azure"),
    ("functions.tf", '"/opt/policy.toml"', '"policy.toml"', "looks for the policy where"),
    ("artifacts.tf", 'slice(split("/", local.folder), 3,', 'slice(split("/", local.folder), 4,', "The code does not come from where"),
    ("alarms.tf", 'missing = "breaching"\n      }\n      ticks', 'missing = "notBreaching"\n      }\n      ticks', "A port that stays open too long"),
    ("alarms.tf", 'metric = "OverdueGrantAgeSeconds", statistic = "Maximum", period = 180', 'metric = "OverdueGrantAgeSeconds", statistic = "Maximum", period = 3600', "A port that stays open too long"),
    ("alarms.tf", "value     = each.value.value", "value     = each.value.value\n    default_value = 0", "With a default value"),
    ("alarms.tf", 'below     = 1, missing = "breaching"', 'below     = 1', "A revoke that is not started"),
    ("alarms.tf", "alarm_actions = [aws_sns_topic.alarms.arn]", "alarm_actions = []", "An alarm tells nobody"),
    ("alarms.tf", '"behind-${name}" => {', '"late-${name}" => {', "An alarm is missing"),
    ("alarms.tf", 'metric = "LoggedErrors", statistic', 'metric = "Errors", statistic', "a number that nobody writes"),
    ("alarms.tf", 'loud = { for name in keys(local.functions)', 'loud = { for name in ["request", "grant", "revoke", "notify"]', "What a function logs as an error"),
    ("alarms.tf", "QueueName = aws_sqs_queue.dead_letters.name", 'QueueName = "other"', "What a reader of the stream gave up"),
    ("alarms.tf", 'metric = "IteratorAge"', 'metric = "Duration"', "A reader that is behind"),
    ("outputs.tf", "value       = local.issuer_url", 'value       = "https://another.example"', "The account's issuer would be made"),
    ("door.tf", 'command_path     = "/slack/command"', 'command_path     = "/slack/commands"', "Slack would be told addresses"),
    ("federation.tf", [("count = var.create_issuer ? 1 : 0", "count = 0"), ("one(concat(", "coalesce(one(concat("), ("))\n}", ')), "https://none.example")\n}')], None, "The issuer is not made"),
    ("alarms.tf", "for_each  = toset(var.alarm_emails)", "for_each  = toset(slice(var.alarm_emails, 0, min(1, length(var.alarm_emails))))", "Somebody is not told of alarms"),
    ("alarms.tf", "above     = var.alarm_thresholds.overdue_seconds", "above     = 120", "A threshold is not what was given"),
    ("outputs.tf", 'startswith(coalesce(local.issuer_url, "-"), "https://")', "true || local.issuer_url == null", "an_account_without_an_issuer"),
    ("artifacts.tf", "data.external.artifact[name].result.path : null", "data.external.artifact[name].id : null", "What was fetched is not"),
    ("artifacts.tf", "var.artifacts_sha256[each.key], \"${path.root}", "\"\", \"${path.root}", "it is not compared with its hash"),
    ("variables.tf", 'can(regex("^(https|s3)://', 'can(regex("^(http|https|s3)://', "artifacts_unencrypted"),
    ("variables.tf", 'can(regex("^[0-9a-f]{64}$", var.artifacts_sha256[name]))', "name != var.artifacts", "artifacts_unseen"),
    ("variables.tf", 'can(regex("^[a-z0-9]{1,20}$", var.installation))', 'can(regex("^[a-z0-9-]{1,20}$", var.installation))', "an_installation_with_a_hyphen"),
    # root.tftest.hcl
    ("../../main.tf", "command_url     = module.aws.command_url", "command_url     = module.aws.interaction_url", "Slack sends the command elsewhere"),
    ("../../main.tf", "interaction_url = module.aws.interaction_url", "interaction_url = module.aws.command_url", "Slack sends clicks elsewhere"),
    ("../slack/main.tf", '"users:read",      # ', '"users:read", "im:write", # ', "The app asks for other scopes"),
    ("../slack/main.tf", "manifest_json=${urlencode(jsonencode(local.manifest))}", "manifest_json=${jsonencode(local.manifest)}", "The link holds another manifest"),
    ("../../main.tf", "content         = module.slack.manifest", "content         = module.slack.create_app_url", "The manifest's file holds something else"),
    ("../../outputs.tf", "scopes        = var.azure_scopes", "scopes        = module.azure.subscription_ids", "The operator's tool is told something else"),
    ("../../outputs.tf", "value       = module.azure.client_ids", "value       = module.aws.role_arns", "The clouds do not know each other"),
    ("../azure/outputs.tf", 'distinct([for scope in var.scopes : split("/", scope)[2]])', '[for scope in var.scopes : split("/", scope)[2]]', "Machines of other subscriptions"),
    ("../../main.tf", "= module.aws.role_arns", "= { grant = module.aws.role_arns.revoke, revoke = module.aws.role_arns.grant, discover = module.aws.role_arns.discover }", "An identity trusts another role"),
    ("../../main.tf", [("var.slack_manifest_file == null ? 0 : 1", "1"), ("= var.slack_manifest_file\n", '= coalesce(var.slack_manifest_file, "manifest.json")\n')], None, "A file is written that nobody asked for"),
    ("../../variables.tf", "length(var.azure_scopes) > 0 && alltrue", "length(var.azure_scopes) > 0 || alltrue", "a_scope_that_is_none"),
]


def test(folder, only):
    """The output of `terraform test` in a copy."""
    module = folder / "infra/terraform"
    environment = os.environ | {"TF_DATA_DIR": str(folder / "data")}
    setup = subprocess.run(["terraform", "init", "-backend=false", "-input=false", "-no-color"], cwd=module, env=environment, capture_output=True, text=True)
    if setup.returncode:
        return setup.stdout + setup.stderr
    done = subprocess.run(["terraform", "test", "-no-color", *only], cwd=module, env=environment, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def which(sentence):
    """The one file of tests that holds the sentence, as an option; all where it is none of an assertion."""
    for path in sorted((ROOT / "infra/terraform/tests").glob("*.tftest.hcl")):
        if sentence and sentence in path.read_text():
            return [f"-filter=tests/{path.name}"]
    return []


def main(words):
    wrong, tried = [], 0
    for file, old, new, sentence in MUTANTS:
        edits = old if isinstance(old, list) else [(old, new)]
        name = f"{file}: {edits[0][0].strip().splitlines()[0][:70]}"
        if words and not any(word in f"{name} {sentence}" for word in words):
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
            (folder / "sandbox").mkdir()
            shutil.copy(ROOT / "sandbox/policy.toml", folder / "sandbox")
            path = folder / "infra/terraform/modules/aws" / file
            text = path.read_text()
            if missing := [before for before, _ in edits if before not in text]:
                wrong.append(f"{name}: nothing to break: {missing}")
                continue
            for before, after in edits:
                text = text.replace(before, after)
            path.write_text(text)
            said = test(folder, which(sentence))
            tried += 1
            flat = re.sub(r"\s+", " ", said)
            if not said:
                wrong.append(f"{name}: not noticed ({sentence})")
            elif sentence and sentence not in flat and f'run "{sentence}"... fail' not in flat:
                errors = [line for line in said.splitlines() if line.startswith("Error")]
                wrong.append(f"{name}: noticed, but not by {sentence!r}: {errors[:2]} {flat[-300:]}")
            print("." if not wrong else "x", end="", flush=True)
    sentences = set(re.findall(r'error_message = "([^"]+)"', "".join(path.read_text() for path in (ROOT / "infra/terraform/tests").glob("*.tftest.hcl"))))
    if not words:
        wrong += [f"no mutant for the assertion {sentence!r}" for sentence in sorted(sentences) if not any(mutant[3] and mutant[3] in sentence for mutant in MUTANTS)]
    print()
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{tried} broken configurations noticed, each by its assertion")


if __name__ == "__main__":
    main(sys.argv[1:])
