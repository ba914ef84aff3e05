# What each role may do, read from its policies as they would be sent. Applied to mocked providers, so that the ARNs
# that only AWS knows have values; the mocks have the shape that the real providers ask for.

mock_provider "aws" {
  source = "./tests/mocks/aws"
}
mock_provider "archive" {
  source = "./tests/mocks/archive"
}
mock_provider "external" {}

variables {
  installation        = "acme"
  artifacts           = "s3://releases/ajar/1.0"
  policy_file         = "../../sandbox/policy.toml"
  azure_tenant_id     = "tenant"
  azure_client_ids    = { grant = "writes", revoke = "deletes", discover = "reads" }
  azure_subscriptions = ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"]
  slack_team_id       = "T012ABCDEF"
  slack_app_id        = "A012ABCDEF"
  # The SHA-256 of "x": what the mocked functions say is deployed.
  artifacts_sha256 = {
    request  = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    grant    = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    revoke   = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    notify   = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    discover = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
  }
}

run "roles" {
  command = apply
  module {
    source = "./modules/aws"
  }
  override_resource {
    target = aws_iam_role.function["request"]
    values = { arn = "arn:aws:iam::123456789012:role/ajar/ajar-acme-request" }
  }
  override_resource {
    target = aws_iam_role.function["grant"]
    values = { arn = "arn:aws:iam::123456789012:role/ajar/ajar-acme-grant" }
  }
  override_resource {
    target = aws_iam_role.function["revoke"]
    values = { arn = "arn:aws:iam::123456789012:role/ajar/ajar-acme-revoke" }
  }
  override_resource {
    target = aws_iam_role.function["notify"]
    values = { arn = "arn:aws:iam::123456789012:role/ajar/ajar-acme-notify" }
  }
  override_resource {
    target = aws_iam_role.function["discover"]
    values = { arn = "arn:aws:iam::123456789012:role/ajar/ajar-acme-discover" }
  }

  # Every function its own role, and each the one that bears its name.
  assert {
    condition     = { for name, function in aws_lambda_function.ajar : name => function.role } == { for name in ["request", "grant", "revoke", "notify", "discover"] : name => "arn:aws:iam::123456789012:role/ajar/ajar-acme-${name}" }
    error_message = "A function has another's role."
  }
  assert {
    condition     = alltrue([for name, role in aws_iam_role.function : role.name == "ajar-acme-${name}" && role.path == "/ajar/"])
    error_message = "A role's name or path, which is the subject that Azure trusts, is another."
  }
  assert {
    condition     = output.role_arns == { for name in ["grant", "revoke", "discover"] : name => "arn:aws:iam::123456789012:role/ajar/ajar-acme-${name}" }
    error_message = "Azure is told of other roles than those of grant, revoke and discover."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.function : jsondecode(role.assume_role_policy).Statement == [{ Action = "sts:AssumeRole", Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" } }]])
    error_message = "Somebody other than Lambda may take a function's role."
  }

  # Everything that is allowed, by role. A new right is a new line here.
  assert {
    condition = {
      for name in keys(aws_iam_role.function) : name => sort(distinct(flatten([
        for policy in concat([aws_iam_role_policy.function[name].policy], try([aws_iam_role_policy.secret[name].policy], []), try([aws_iam_role_policy.stream[name].policy], [])) :
        [for statement in jsondecode(policy).Statement : statement.Action]
      ])))
      } == {
      request = sort(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem", "logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue"])
      grant = sort(["dynamodb:DescribeStream", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
      "logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue", "sqs:SendMessage", "sts:GetWebIdentityToken"])
      revoke = sort(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem", "logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue", "sts:GetWebIdentityToken"])
      notify = sort(["dynamodb:DescribeStream", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams", "dynamodb:Query", "dynamodb:UpdateItem",
      "lambda:InvokeFunction", "logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue", "sqs:SendMessage"])
      discover = sort(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem", "logs:CreateLogStream", "logs:PutLogEvents", "s3:PutObject", "secretsmanager:GetSecretValue", "sts:GetWebIdentityToken"])
    }
    error_message = "A role may do something else than it is known to need."
  }
  assert {
    condition     = keys(aws_iam_role_policy.stream) == ["grant", "notify"] && toset(keys(aws_iam_role_policy.secret)) == toset(["discover", "grant", "notify", "request", "revoke"])
    error_message = "Others than grant and notify may read the stream, or a function lacks Slack's secrets."
  }

  # No wildcard in an action; in a resource only where the action knows no resources, a group's log streams and the
  # archive's objects.
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.function), values(aws_iam_role_policy.secret), values(aws_iam_role_policy.stream), values(aws_iam_role_policy.schedule)) : [
        for statement in jsondecode(policy.policy).Statement : concat(
          [for key in keys(statement) : contains(["Sid", "Effect", "Action", "Resource", "Condition"], key)],
          [statement.Effect == "Allow"],
          [for action in flatten([statement.Action]) : can(regex("^[a-z0-9]+:[A-Za-z]+$", action))],
          [for resource in flatten([statement.Resource]) : (
            can(regex("^arn:aws:[a-z]+:eu-west-1:123456789012:[A-Za-z0-9:/._-]+$", resource)) ||
            resource == "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/${policy.role}:*" ||
            # Whatever it adds to the archive, and nothing else there.
            (resource == "arn:aws:s3:::ajar-acme-archive-123456789012-eu-west-1/*" && join(",", flatten([statement.Action])) == "s3:PutObject" && policy.role == "ajar-acme-discover") ||
            # These two name no resource (AWS's service authorization reference).
            (resource == "*" && contains(["dynamodb:ListStreams", "sts:GetWebIdentityToken"], join(",", flatten([statement.Action]))))
          )]
        )
      ]
    ]))
    error_message = "A wildcard that is not listed with a reason."
  }

  # AWS refuses a policy in which two statements have the same Sid; the emulator does not.
  assert {
    condition = alltrue([
      for policy in concat(values(aws_iam_role_policy.function), values(aws_iam_role_policy.secret), values(aws_iam_role_policy.stream), values(aws_iam_role_policy.schedule)) :
      length(distinct(jsondecode(policy.policy).Statement[*].Sid)) == length(jsondecode(policy.policy).Statement)
    ])
    error_message = "Two statements of a policy have the same Sid."
  }

  # The token that Azure trusts.
  assert {
    condition = {
      for name, policy in aws_iam_role_policy.function : name => [for statement in jsondecode(policy.policy).Statement : statement.Condition if contains(flatten([statement.Action]), "sts:GetWebIdentityToken")]
      } == {
      request = [], notify = [],
      grant = [{
        "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = "api://AzureADTokenExchange" }, Null = { "sts:IdentityTokenAudience" = "false" }
        StringEquals                = { "sts:SigningAlgorithm" = "RS256" }, NumericLessThanEquals = { "sts:DurationSeconds" = "300" }
        ArnEquals                   = { "lambda:SourceFunctionArn" = "arn:aws:lambda:eu-west-1:123456789012:function:ajar-acme-grant" }
      }]
      revoke = [{
        "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = "api://AzureADTokenExchange" }, Null = { "sts:IdentityTokenAudience" = "false" }
        StringEquals                = { "sts:SigningAlgorithm" = "RS256" }, NumericLessThanEquals = { "sts:DurationSeconds" = "300" }
        ArnEquals                   = { "lambda:SourceFunctionArn" = "arn:aws:lambda:eu-west-1:123456789012:function:ajar-acme-revoke" }
      }]
      discover = [{
        "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = "api://AzureADTokenExchange" }, Null = { "sts:IdentityTokenAudience" = "false" }
        StringEquals                = { "sts:SigningAlgorithm" = "RS256" }, NumericLessThanEquals = { "sts:DurationSeconds" = "300" }
        ArnEquals                   = { "lambda:SourceFunctionArn" = "arn:aws:lambda:eu-west-1:123456789012:function:ajar-acme-discover" }
      }]
    }
    error_message = "A token for Azure may be had by another function, for another audience, with another algorithm or for longer."
  }
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.function["notify"].policy).Statement : statement.Resource if contains(flatten([statement.Action]), "lambda:InvokeFunction")] == [["arn:aws:lambda:eu-west-1:123456789012:function:ajar-acme-revoke", "arn:aws:lambda:eu-west-1:123456789012:function:ajar-acme-discover"]]
    error_message = "notify may start something else than revoke and discover."
  }

  # Items of the table, one by one: by partition.
  assert {
    condition = {
      for name, policy in aws_iam_role_policy.function : name => [for statement in jsondecode(policy.policy).Statement : statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] if statement.Sid == "Items"]
      } == {
      request  = [["REQUEST#*", "REPLY#*", "ASK#*", "MACHINE", "ORDER#*", "LOCKDOWN"]]
      grant    = [["REQUEST#*", "NSG#*", "ORDER#*", "CLOSING", "LOCKDOWN"]]
      revoke   = [["REQUEST#*", "NSG#*", "ORPHAN", "ORDER#*", "CLOSING", "LOCKDOWN"]]
      notify   = [["REQUEST#*", "REPLY#*", "MACHINE", "ORPHAN", "ORDER#*", "LOCKDOWN"]]
      discover = [["REQUEST#*", "REPLY#*", "ASK#*", "MACHINE", "LOOK", "GROUP", "PERSON", "ORDER#*"]]
    }
    error_message = "A function reaches other partitions of the table."
  }
  assert {
    condition = {
      for name, policy in aws_iam_role_policy.function : name => [for statement in jsondecode(policy.policy).Statement : try(statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], "all of them") if statement.Sid == "Lists"]
      } == {
      request = [["MACHINE", "GROUP", "REQUEST#*"]], grant = [], revoke = [["ORPHAN"]], notify = [["REQUEST#*"]], discover = [["MACHINE", "GROUP", "PERSON", "REQUEST#*", "CLOSING"]]
    }
    error_message = "A function lists other partitions of the table."
  }
  assert {
    condition = { for name, policy in aws_iam_role_policy.function : name => [for statement in jsondecode(policy.policy).Statement : flatten([statement.Resource]) if statement.Sid == "Index"] } == {
      request  = [["arn:aws:dynamodb:eu-west-1:123456789012:table/ajar-acme/index/person", "arn:aws:dynamodb:eu-west-1:123456789012:table/ajar-acme/index/due"]]
      grant    = [["arn:aws:dynamodb:eu-west-1:123456789012:table/ajar-acme/index/due"]]
      revoke   = [["arn:aws:dynamodb:eu-west-1:123456789012:table/ajar-acme/index/due"]]
      notify   = []
      discover = [["arn:aws:dynamodb:eu-west-1:123456789012:table/ajar-acme/index/machine", "arn:aws:dynamodb:eu-west-1:123456789012:table/ajar-acme/index/due"]]
    }
    error_message = "A function asks other indexes."
  }
  assert {
    condition = alltrue(flatten([for policy in aws_iam_role_policy.function : [
      for statement in jsondecode(policy.policy).Statement : can(statement.Condition) || alltrue([for action in flatten([statement.Action]) : !contains(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], action)])
    ]]))
    error_message = "A function reaches items of the table without the condition on their partition."
  }

  # The scheduler starts the two functions that have a clock, each by a role that only our schedules can take.
  assert {
    condition     = { for name, policy in aws_iam_role_policy.schedule : name => [for statement in jsondecode(policy.policy).Statement : statement.Resource] } == { minute = ["arn:aws:lambda:eu-west-1:123456789012:function:ajar-acme-revoke"], quarter = ["arn:aws:lambda:eu-west-1:123456789012:function:ajar-acme-discover"] }
    error_message = "A schedule's role may start another function."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.schedule : jsondecode(role.assume_role_policy).Statement[0].Condition == { StringEquals = { "aws:SourceAccount" = "123456789012" }, ArnEquals = { "aws:SourceArn" = "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/ajar-acme" } }])
    error_message = "Schedules of others may take the role."
  }

  # What is deployed is what was hashed: the hexadecimal digits and Lambda's base64 are the same bytes.
  assert {
    condition     = alltrue([for function in aws_lambda_function.ajar : function.source_code_hash == base64sha256("x")])
    error_message = "The hash of the code is not that of artifacts_sha256."
  }
}
