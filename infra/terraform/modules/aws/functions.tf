locals {
  # Each function gets what it reads and no more.
  slack_secret = { AJAR_SECRET_ID = aws_secretsmanager_secret.slack.arn }
  slack_app    = { AJAR_SLACK_TEAM_ID = var.slack_team_id, AJAR_SLACK_APP_ID = var.slack_app_id }
  policy       = { AJAR_POLICY_FILE = "/opt/policy.toml" } # where Lambda unpacks a layer
  installation = { AJAR_INSTALLATION = var.installation }
  azure = { for name, client_id in var.azure_client_ids : name => {
    AJAR_AZURE_TENANT_ID = var.azure_tenant_id
    AJAR_AZURE_CLIENT_ID = client_id
    AJAR_IP_FLOW_VERIFY  = var.ip_flow_verify ? "on" : "off"
  } }
  subscriptions = { AJAR_AZURE_SUBSCRIPTIONS = join(",", var.azure_subscriptions) }

  environment = {
    request = merge(local.slack_secret, local.slack_app, local.policy, local.installation)
    grant   = merge(local.slack_secret, local.slack_app, local.policy, local.installation, local.azure.grant)
    # Slack's secrets and the policy only for admins' orders to remove closing rules: it judges their clicks itself.
    revoke = merge(local.slack_secret, local.slack_app, local.policy, local.installation, local.azure.revoke, local.subscriptions)
    notify = merge(local.slack_secret, local.policy, local.installation, {
      AJAR_REVOKE_FUNCTION   = local.function_names.revoke
      AJAR_DISCOVER_FUNCTION = local.function_names.discover
    })
    discover = merge(local.slack_secret, local.policy, local.installation, local.azure.discover, local.subscriptions, {
      AJAR_ARCHIVE_BUCKET = aws_s3_bucket.archive.bucket
    })
  }
}

# Before the functions, or Lambda makes groups that keep everything for ever.
resource "aws_cloudwatch_log_group" "function" {
  for_each          = local.functions
  name              = "/aws/lambda/${local.function_names[each.key]}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "ajar" {
  for_each      = local.functions
  function_name = local.function_names[each.key]
  role          = aws_iam_role.function[each.key].arn
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]
  timeout       = each.value.timeout
  memory_size   = each.value.memory

  filename         = local.files[each.key]
  s3_bucket        = local.s3_bucket
  s3_key           = local.source == "s3" ? "${local.s3_prefix}${each.key}.zip" : null
  source_code_hash = local.code_sha256[each.key]

  layers                         = contains(keys(local.environment[each.key]), "AJAR_POLICY_FILE") ? [aws_lambda_layer_version.policy.arn] : []
  reserved_concurrent_executions = lookup(var.reserved_concurrency, each.key, -1)

  environment {
    variables = merge({ AJAR_TABLE = aws_dynamodb_table.ajar.name }, local.environment[each.key])
  }

  # The functions write JSON lines themselves; so does Lambda then.
  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  lifecycle {
    # A folder was hashed from the very files, and an address over HTTPS by fetch.sh.
    postcondition {
      condition     = local.source != "s3" || self.code_sha256 == local.code_sha256[each.key]
      error_message = "What is deployed is not what artifacts_sha256 says. Put the right archive into the bucket and apply again."
    }
  }

  # A function that starts before its role has its rights would not start.
  depends_on = [aws_iam_role_policy.function, aws_iam_role_policy.secret]
}
