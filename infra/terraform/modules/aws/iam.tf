# One role a function, and nothing in it that the function does not use.
#
# `Resource = "*"` stands in two statements only, each with its reason; a test reads every policy and knows no others.

locals {
  # Which partitions of the table a function may read and write one by one: `request` touches no lock, and
  # of a machine it writes what an admin has enabled; nobody but it, `notify` and `discover` sees replies. Nobody may delete an item: what is
  # finished is purged by `purge_at`.
  # A transaction needs the rights of the items in it and no action of its own.
  partitions = {
    request = { actions = ["GetItem", "PutItem", "UpdateItem"], keys = ["REQUEST#*", "REPLY#*", "ASK#*", "MACHINE", "ORDER#*", "LOCKDOWN"] }
    grant   = { actions = ["GetItem", "PutItem", "UpdateItem"], keys = ["REQUEST#*", "NSG#*", "ORDER#*", "CLOSING", "LOCKDOWN"] }
    revoke  = { actions = ["GetItem", "PutItem", "UpdateItem"], keys = ["REQUEST#*", "NSG#*", "ORPHAN", "ORDER#*", "CLOSING", "LOCKDOWN"] }
    # Only what it keeps beside a record, a reply, an order, an orphan and the lockdowns; it adds no item. Of a machine it
    # reads the tags and the security groups for a card that waits.
    notify = { actions = ["GetItem", "UpdateItem"], keys = ["REQUEST#*", "REPLY#*", "MACHINE", "ORPHAN", "ORDER#*", "LOCKDOWN"] }
    # What it has seen, what it answers and offers, and the end of a grant whose machine is gone.
    discover = {
      actions = ["GetItem", "PutItem", "UpdateItem"]
      keys    = ["REQUEST#*", "REPLY#*", "ASK#*", "MACHINE", "LOOK", "GROUP", "PERSON", "ORDER#*"]
    }
  }
  items = { for name, items in local.partitions : name => {
    Sid       = "Items"
    Effect    = "Allow"
    Action    = [for action in items.actions : "dynamodb:${action}"]
    Resource  = local.table_arn
    Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = items.keys } }
  } }
  # Lists that are one partition of the table each; `discover` reads a request with its history to archive it,
  # `request` to show it to whom it concerns, and `notify` to tell its steps in the thread of its card.
  list = { for name, keys in { request = ["MACHINE", "GROUP", "REQUEST#*"], revoke = ["ORPHAN"], notify = ["REQUEST#*"], discover = ["MACHINE", "GROUP", "PERSON", "REQUEST#*", "CLOSING"] } : name => {
    Sid       = "Lists"
    Effect    = "Allow"
    Action    = ["dynamodb:Query"]
    Resource  = local.table_arn
    Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = keys } }
  } }
  # `due` for `grant`: what is open in the group where it has just turned a rule into Deny; for `discover`: what is
  # settled and not archived yet; for `request`: who is in now.
  index = { for name, indexes in { request = ["person", "due"], grant = ["due"], revoke = ["due"], discover = ["machine", "due"] } : name => {
    Sid      = "Index"
    Effect   = "Allow"
    Action   = ["dynamodb:Query"]
    Resource = [for index in indexes : local.index_arns[index]]
  } }

  # The secret's ARN ends in six characters that AWS chooses.
  read_secret = {
    Sid      = "Secret"
    Effect   = "Allow"
    Action   = ["secretsmanager:GetSecretValue"]
    Resource = aws_secretsmanager_secret.slack.arn
  }

  # The token that Azure trusts: for Entra only, RS256 only, five minutes at most, from that function only.
  # The action knows no resource; what may be asked for is in the conditions.
  azure_token = { for name in ["grant", "revoke", "discover"] : name => {
    Sid      = "AzureToken"
    Effect   = "Allow"
    Action   = ["sts:GetWebIdentityToken"]
    Resource = "*"
    Condition = {
      "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = "api://AzureADTokenExchange" }
      # ForAllValues alone is also met by a request without any audience.
      Null                  = { "sts:IdentityTokenAudience" = "false" }
      StringEquals          = { "sts:SigningAlgorithm" = "RS256" }
      NumericLessThanEquals = { "sts:DurationSeconds" = "300" }
      ArnEquals             = { "lambda:SourceFunctionArn" = local.function_arns[name] }
    }
  } }

  statements = {
    request = [local.items.request, local.list.request, local.index.request]
    grant   = [local.items.grant, local.index.grant, local.azure_token.grant]
    revoke  = [local.items.revoke, local.list.revoke, local.index.revoke, local.azure_token.revoke]
    notify = [local.items.notify, local.list.notify, {
      Sid      = "Start"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [local.function_arns.revoke, local.function_arns.discover]
    }]
    # It can add to the archive, and neither read it nor say how long it is kept.
    discover = [local.items.discover, local.list.discover, local.index.discover, local.azure_token.discover, {
      Sid      = "Archive"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = "${local.archive_arn}/*"
    }]
  }
}

resource "aws_iam_role" "function" {
  for_each    = local.functions
  name        = local.function_names[each.key]
  path        = local.role_path
  description = "Ajar: the function ${each.key}."
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions
  name     = "ajar"
  role     = aws_iam_role.function[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.statements[each.key], [{
      Sid      = "Logs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "arn:${local.partition}:logs:${local.place}:log-group:/aws/lambda/${local.function_names[each.key]}:*"
    }])
  })
  depends_on = [aws_cloudwatch_log_group.function]
}

# Beside the others, because only AWS knows the secret's ARN: the rest of a role is readable in the plan.
resource "aws_iam_role_policy" "secret" {
  for_each = toset([for name, variables in local.environment : name if contains(keys(variables), "AJAR_SECRET_ID")])
  name     = "secret"
  role     = aws_iam_role.function[each.key].name
  policy   = jsonencode({ Version = "2012-10-17", Statement = [local.read_secret] })
}

# Likewise: the stream's ARN holds the time at which it was made.
resource "aws_iam_role_policy" "stream" {
  for_each = local.stream
  name     = "stream"
  role     = aws_iam_role.function[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Stream"
        Effect   = "Allow"
        Action   = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"]
        Resource = aws_dynamodb_table.ajar.stream_arn
      },
      # The action knows no resource; it answers with names only.
      { Sid = "ListStreams", Effect = "Allow", Action = ["dynamodb:ListStreams"], Resource = "*" },
      # Lambda puts what was given up there in the name of the function.
      { Sid = "DeadLetters", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = aws_sqs_queue.dead_letters.arn },
    ]
  })
}

# The scheduler's roles: each may start one function, and only a schedule of ours may take it.
resource "aws_iam_role" "schedule" {
  for_each    = local.schedules
  name        = "${local.name}-${each.key}"
  path        = local.role_path
  description = "Ajar: starts ${each.value.function}."
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals    = { "aws:SourceArn" = "arn:${local.partition}:scheduler:${local.place}:schedule-group/${local.name}" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  for_each = local.schedules
  name     = "ajar"
  role     = aws_iam_role.schedule[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Start"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = local.function_arns[each.value.function]
    }]
  })
}
