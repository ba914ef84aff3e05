# The deployed shape in one file: the table, the five functions with a role each, the public door, the
# two readers of the stream, the minute and the quarter of an hour. `tests/ministack` applies it and tells one whole story on it.
#
# Slack's, Entra's and Azure's addresses are not set here: the functions' defaults are the real ones.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.36"
    }
  }
}

variable "installation" {
  description = "Names this installation in Azure's rules; no hyphen."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,15}$", var.installation))
    error_message = "An installation's name is 1 to 16 lower-case letters and digits, and starts with a letter."
  }
}

variable "artifacts" {
  description = "Directory with request.zip, grant.zip, revoke.zip, notify.zip and discover.zip, each holding `bootstrap` and policy.toml."
  type        = string
}

variable "architecture" {
  description = "What the binaries were built for: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "slack_team_id" {
  type = string
}

variable "slack_app_id" {
  type = string
}

variable "azure_tenant_id" {
  type = string
}

variable "azure_client_ids" {
  description = "The managed identities: the one that writes rules, the one that deletes them, and the one that only reads."
  type        = object({ grant = string, revoke = string, discover = string })
}

variable "subscriptions" {
  description = "Azure subscriptions whose VMs may be asked for."
  type        = list(string)
}

locals {
  functions = {
    request = { timeout = 10, memory = 256 } # Slack waits 3 s; a slower answer still ends cleanly.
    grant   = { timeout = 60, memory = 256 }
    revoke  = { timeout = 180, memory = 256 } # A tick waits for what is due in the next two minutes.
    notify  = { timeout = 60, memory = 256 }
    # Some thousand machines: a few dozen pages, and a write for each.
    discover = { timeout = 120, memory = 256 }
  }
  stream = jsondecode(file("${path.module}/../stream.json"))

  table = aws_dynamodb_table.ajar.arn
  index = { for name in ["due", "person", "machine"] : name => "${aws_dynamodb_table.ajar.arn}/index/${name}" }

  # Statements that more than one role has.
  secret = {
    Effect   = "Allow"
    Action   = "secretsmanager:GetSecretValue"
    Resource = aws_secretsmanager_secret.slack.arn
  }
  read_stream = [
    {
      Effect   = "Allow"
      Action   = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"]
      Resource = aws_dynamodb_table.ajar.stream_arn
    },
    # Has no resource to name.
    { Effect = "Allow", Action = "dynamodb:ListStreams", Resource = "*" },
  ]
  # Which partitions of the table a function may read and write one by one: `request` touches no lock and does
  # not write machines; nobody but it and `notify` sees replies. Nobody may delete an item: what is finished
  # is purged by `purge_at`.
  # A transaction needs the rights of the items in it and no action of its own.
  partitions = {
    request = { actions = ["GetItem", "PutItem", "UpdateItem"], keys = ["REQUEST#*", "REPLY#*", "ASK#*"] }
    grant   = { actions = ["GetItem", "PutItem", "UpdateItem"], keys = ["REQUEST#*", "NSG#*"] }
    revoke  = { actions = ["GetItem", "PutItem", "UpdateItem"], keys = ["REQUEST#*", "NSG#*"] }
    # Only what it keeps beside a record and a reply; it adds no item.
    notify = { actions = ["GetItem", "UpdateItem"], keys = ["REQUEST#*", "REPLY#*"] }
    # What it has seen, what it answers, and the end of a grant whose machine is gone.
    discover = {
      actions = ["GetItem", "PutItem", "UpdateItem"]
      keys    = ["REQUEST#*", "REPLY#*", "ASK#*", "MACHINE", "LOOK", "GROUP", "PERSON"]
    }
  }
  items = { for name, items in local.partitions : name => {
    Effect    = "Allow"
    Action    = [for action in items.actions : "dynamodb:${action}"]
    Resource  = local.table
    Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = items.keys } }
  } }
  # The token that Azure trusts: for Entra only, RS256 only, five minutes at most, from that function only.
  azure_token = { for name in ["grant", "revoke", "discover"] : name => {
    Effect   = "Allow"
    Action   = "sts:GetWebIdentityToken"
    Resource = "*"
    Condition = {
      "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = "api://AzureADTokenExchange" }
      # ForAllValues alone is also met by a request without any audience.
      Null                  = { "sts:IdentityTokenAudience" = "false" }
      StringEquals          = { "sts:SigningAlgorithm" = "RS256" }
      NumericLessThanEquals = { "sts:DurationSeconds" = "300" }
      ArnEquals             = { "lambda:SourceFunctionArn" = aws_lambda_function.ajar[name].arn }
    }
  } }

  statements = {
    request = [
      local.items.request,
      { Effect = "Allow", Action = "dynamodb:Query", Resource = local.index.person },
      # The machine list is one partition of the table.
      {
        Effect    = "Allow"
        Action    = "dynamodb:Query"
        Resource  = local.table
        Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["MACHINE"] } }
      },
      local.secret,
    ]
    grant = concat(local.read_stream, [
      local.items.grant,
      local.secret,
      local.azure_token.grant,
    ])
    revoke = [
      local.items.revoke,
      { Effect = "Allow", Action = "dynamodb:Query", Resource = local.index.due },
      local.azure_token.revoke,
    ]
    notify = concat(local.read_stream, [
      local.items.notify,
      local.secret,
      {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = [for name in ["revoke", "discover"] : aws_lambda_function.ajar[name].arn]
      },
    ])
    discover = [
      local.items.discover,
      # The machine list and the people are one partition of the table each.
      {
        Effect    = "Allow"
        Action    = "dynamodb:Query"
        Resource  = local.table
        Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["MACHINE", "PERSON"] } }
      },
      { Effect = "Allow", Action = "dynamodb:Query", Resource = local.index.machine },
      local.secret,
      local.azure_token.discover,
    ]
  }

  environment = {
    AJAR_INSTALLATION        = var.installation
    AJAR_TABLE               = aws_dynamodb_table.ajar.name
    AJAR_POLICY_FILE         = "policy.toml" # beside `bootstrap`, where a function starts
    AJAR_SECRET_ID           = aws_secretsmanager_secret.slack.arn
    AJAR_SLACK_TEAM_ID       = var.slack_team_id
    AJAR_SLACK_APP_ID        = var.slack_app_id
    AJAR_AZURE_TENANT_ID     = var.azure_tenant_id
    AJAR_AZURE_SUBSCRIPTIONS = join(",", var.subscriptions)
  }
}

# --- state --------------------------------------------------------------------------------------------

resource "aws_dynamodb_table" "ajar" {
  name             = "ajar"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "pk"
  range_key        = "sk"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  dynamic "attribute" {
    for_each = { pk = "S", sk = "S", due_shard = "S", due_at = "N", machine = "S", person = "S", status = "S" }
    content {
      name = attribute.key
      type = attribute.value
    }
  }

  # What still needs something, by when.
  global_secondary_index {
    name            = "due"
    hash_key        = "due_shard"
    range_key       = "due_at"
    projection_type = "ALL"
  }
  global_secondary_index {
    name            = "machine"
    hash_key        = "machine"
    range_key       = "status"
    projection_type = "ALL"
  }
  global_secondary_index {
    name            = "person"
    hash_key        = "person"
    range_key       = "status"
    projection_type = "ALL"
  }

  # Purges only; never the timer of a grant.
  ttl {
    enabled        = true
    attribute_name = "purge_at"
  }
  point_in_time_recovery {
    enabled = true
  }
}

# Created empty: {"signing_secret": ..., "bot_token": ...} is put by hand, so that no state file holds it.
resource "aws_secretsmanager_secret" "slack" {
  name = "ajar/slack"
}

# --- functions ----------------------------------------------------------------------------------------

# Before the functions, or Lambda makes groups that keep everything for ever.
resource "aws_cloudwatch_log_group" "ajar" {
  for_each          = local.functions
  name              = "/aws/lambda/ajar-${each.key}"
  retention_in_days = 90
}

# Azure trusts the ARN of the role, so it has a path of its own that an organisation can guard.
resource "aws_iam_role" "ajar" {
  for_each = local.functions
  name     = "ajar-${each.key}"
  path     = "/ajar/"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}

resource "aws_lambda_function" "ajar" {
  for_each         = local.functions
  function_name    = "ajar-${each.key}"
  role             = aws_iam_role.ajar[each.key].arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = "${var.artifacts}/${each.key}.zip"
  source_code_hash = filebase64sha256("${var.artifacts}/${each.key}.zip")
  timeout          = each.value.timeout
  memory_size      = each.value.memory

  environment {
    variables = merge(local.environment, {
      request  = {}
      grant    = { AJAR_AZURE_CLIENT_ID = var.azure_client_ids.grant }
      revoke   = { AJAR_AZURE_CLIENT_ID = var.azure_client_ids.revoke }
      notify   = { AJAR_REVOKE_FUNCTION = "ajar-revoke", AJAR_DISCOVER_FUNCTION = "ajar-discover" }
      discover = { AJAR_AZURE_CLIENT_ID = var.azure_client_ids.discover }
    }[each.key])
  }
  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.ajar[each.key].name
  }
}

resource "aws_iam_role_policy" "ajar" {
  for_each = local.functions
  name     = "ajar"
  role     = aws_iam_role.ajar[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.statements[each.key], [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.ajar[each.key].arn}:*"
    }])
  })
}

# --- the public door ----------------------------------------------------------------------------------

resource "aws_apigatewayv2_api" "slack" {
  name          = "ajar"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "request" {
  api_id                 = aws_apigatewayv2_api.slack.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.ajar["request"].invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "slack" {
  for_each  = toset(["/slack/command", "/slack/interaction"])
  api_id    = aws_apigatewayv2_api.slack.id
  route_key = "POST ${each.key}"
  target    = "integrations/${aws_apigatewayv2_integration.request.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.slack.id
  name        = "$default"
  auto_deploy = true
  default_route_settings {
    throttling_burst_limit = 50
    throttling_rate_limit  = 20
  }
}

resource "aws_lambda_permission" "slack" {
  statement_id  = "AjarHttpApi"
  function_name = aws_lambda_function.ajar["request"].function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.slack.execution_arn}/*/POST/slack/*"
}

# --- the stream: two readers and no more, a shard gives no more without throttling --------------------

resource "aws_lambda_event_source_mapping" "stream" {
  for_each                       = local.stream
  event_source_arn               = aws_dynamodb_table.ajar.stream_arn
  function_name                  = aws_lambda_function.ajar[each.key].arn
  starting_position              = "TRIM_HORIZON"
  batch_size                     = each.value.batch_size
  maximum_retry_attempts         = each.value.maximum_retry_attempts
  maximum_record_age_in_seconds  = each.value.maximum_record_age_seconds
  bisect_batch_on_function_error = each.value.bisect
  function_response_types        = ["ReportBatchItemFailures"]

  filter_criteria {
    dynamic "filter" {
      for_each = each.value.filters
      content {
        pattern = jsonencode(filter.value)
      }
    }
  }
  # AWS refuses a mapping whose role cannot read the stream yet.
  depends_on = [aws_iam_role_policy.ajar]
}

# --- the minute and the quarter of an hour -------------------------------------------------------------

locals {
  schedules = {
    minute  = { function = "revoke", rate = "rate(1 minute)", seconds = 60 }
    quarter = { function = "discover", rate = "rate(15 minutes)", seconds = 600 }
  }
}

resource "aws_iam_role" "schedule" {
  for_each = local.schedules
  name     = "ajar-${each.key}"
  path     = "/ajar/"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "scheduler.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  for_each = local.schedules
  name     = "ajar"
  role     = aws_iam_role.schedule[each.key].name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "lambda:InvokeFunction", Resource = aws_lambda_function.ajar[each.value.function].arn }]
  })
}

resource "aws_scheduler_schedule" "ajar" {
  for_each            = local.schedules
  name                = "ajar-${each.key}"
  schedule_expression = each.value.rate
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = aws_lambda_function.ajar[each.value.function].arn
    role_arn = aws_iam_role.schedule[each.key].arn
    # The next tick does what this one could not; late ticks must not pile up.
    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = each.value.seconds
    }
  }
  depends_on = [aws_iam_role_policy.schedule]
}

# The scheduler and `notify` invoke asynchronously: without this Lambda would keep a tick for six hours.
resource "aws_lambda_function_event_invoke_config" "ajar" {
  for_each                     = local.schedules
  function_name                = aws_lambda_function.ajar[each.value.function].function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = each.value.seconds
}

output "request_url" {
  description = "Where Slack sends commands (/slack/command) and clicks (/slack/interaction)."
  value       = aws_apigatewayv2_api.slack.api_endpoint
}

output "api_id" {
  value = aws_apigatewayv2_api.slack.id
}

output "function_arns" {
  value = { for name, function in aws_lambda_function.ajar : name => function.arn }
}

output "role_arns" {
  value = { for name, role in aws_iam_role.ajar : name => role.arn }
}

output "secret_arn" {
  value = aws_secretsmanager_secret.slack.arn
}

output "table" {
  value = { name = aws_dynamodb_table.ajar.name, arn = aws_dynamodb_table.ajar.arn, stream_arn = aws_dynamodb_table.ajar.stream_arn }
}
