# The shape of the deployment: doors, readers, clocks, what is kept, and what wakes people.

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

run "shape" {
  command = apply
  module {
    source = "./modules/aws"
  }

  # --- the one public door -----------------------------------------------------------------------------
  assert {
    condition     = aws_apigatewayv2_integration.request.integration_uri == aws_lambda_function.ajar["request"].invoke_arn && aws_apigatewayv2_integration.request.api_id == aws_apigatewayv2_api.slack.id
    error_message = "The door leads elsewhere than to request."
  }
  assert {
    condition     = aws_lambda_permission.slack.function_name == "ajar-acme-request" && aws_lambda_permission.slack.principal == "apigateway.amazonaws.com" && aws_lambda_permission.slack.action == "lambda:InvokeFunction" && aws_lambda_permission.slack.source_arn == "arn:aws:execute-api:eu-west-1:123456789012:abcdefghij/*/POST/slack/*"
    error_message = "Others than this HTTP API may start a function."
  }
  assert {
    condition     = toset([for route in aws_apigatewayv2_route.slack : route.route_key]) == toset(["POST /slack/command", "POST /slack/interaction"])
    error_message = "The door takes other requests than Slack's."
  }
  # The page on which a requester confirms an address: two routes, each with its permission, and less than Slack gets.
  assert {
    condition     = toset([for route in aws_apigatewayv2_route.page : route.route_key]) == toset(["GET /address", "POST /address"]) && toset([for route in aws_apigatewayv2_route.page : route.target]) == toset([for route in aws_apigatewayv2_route.slack : route.target])
    error_message = "The page is shown or confirmed by other routes, or elsewhere than in request."
  }
  assert {
    condition = toset([for permission in aws_lambda_permission.page : "${permission.function_name} ${permission.principal} ${permission.action} ${permission.source_arn}"]) == toset([
      for method in ["GET", "POST"] : "ajar-acme-request apigateway.amazonaws.com lambda:InvokeFunction arn:aws:execute-api:eu-west-1:123456789012:abcdefghij/*/${method}/address"
    ])
    error_message = "The page may start another function, or others than its two routes may start request."
  }
  assert {
    condition = { for settings in aws_apigatewayv2_stage.default.route_settings : settings.route_key => [settings.throttling_rate_limit, settings.throttling_burst_limit] } == {
      "GET /address" = [5, 10], "POST /address" = [5, 10]
    }
    error_message = "The page is not throttled by itself."
  }
  assert {
    condition     = aws_apigatewayv2_api.slack.protocol_type == "HTTP" && aws_apigatewayv2_api.slack.ip_address_type == "ipv4"
    error_message = "The door is reached otherwise than by HTTP over IPv4."
  }
  assert {
    condition     = aws_apigatewayv2_stage.default.default_route_settings[0].throttling_rate_limit == 20 && aws_apigatewayv2_stage.default.default_route_settings[0].throttling_burst_limit == 50
    error_message = "The door is not throttled as it should be."
  }
  assert {
    condition     = aws_apigatewayv2_stage.default.access_log_settings[0].destination_arn == aws_cloudwatch_log_group.door.arn
    error_message = "The door keeps no access log."
  }
  assert {
    condition     = length(setsubtract(values(jsondecode(aws_apigatewayv2_stage.default.access_log_settings[0].format)), ["$context.requestId", "$context.requestTime", "$context.identity.sourceIp", "$context.routeKey", "$context.status", "$context.responseLength", "$context.responseLatency", "$context.integrationErrorMessage"])) == 0
    error_message = "The access log holds more than it may: a path or a query would hold the link to the page."
  }

  # --- the stream ----------------------------------------------------------------------------------------
  assert {
    condition     = keys(aws_lambda_event_source_mapping.stream) == ["grant", "notify"]
    error_message = "A stream's shard is read without throttling by two readers: exactly grant and notify."
  }
  assert {
    condition = alltrue([for name, mapping in aws_lambda_event_source_mapping.stream : (
      mapping.event_source_arn == aws_dynamodb_table.ajar.stream_arn &&
      mapping.function_response_types == toset(["ReportBatchItemFailures"]) &&
      mapping.bisect_batch_on_function_error &&
      mapping.starting_position == "TRIM_HORIZON" &&
      mapping.maximum_retry_attempts == 5 && mapping.maximum_record_age_in_seconds == 600 &&
      mapping.batch_size == 10 && mapping.parallelization_factor == 2 &&
      mapping.destination_config[0].on_failure[0].destination_arn == aws_sqs_queue.dead_letters.arn
    )])
    error_message = "A reader of the stream can block it, or loses what it gave up."
  }
  assert {
    condition = { for name, mapping in aws_lambda_event_source_mapping.stream : name => [for filter in mapping.filter_criteria[0].filter : jsondecode(filter.pattern)] } == {
      grant  = [{ dynamodb = { NewImage = { wake = { S = ["grant"] } } } }]
      notify = [{ dynamodb = { NewImage = { tell = { S = ["notify"] } } } }]
    }
    error_message = "A reader is woken by other changes than those that name it."
  }

  # --- the clocks ----------------------------------------------------------------------------------------
  assert {
    condition     = { for name, schedule in aws_scheduler_schedule.ajar : name => schedule.schedule_expression } == { minute = "rate(1 minute)", quarter = "rate(15 minutes)" }
    error_message = "revoke does not run each minute, or discover not each 15."
  }
  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.ajar : schedule.target[0].retry_policy[0].maximum_retry_attempts == 0 && schedule.flexible_time_window[0].mode == "OFF" && schedule.group_name == "ajar-acme"])
    error_message = "The scheduler repeats ticks, or moves them."
  }
  assert {
    condition     = { for name, config in aws_lambda_function_event_invoke_config.ajar : config.function_name => [config.maximum_retry_attempts, config.maximum_event_age_in_seconds] } == { "ajar-acme-revoke" = [0, 60], "ajar-acme-discover" = [0, 600] }
    error_message = "Lambda repeats ticks, or keeps them."
  }

  # --- what is kept --------------------------------------------------------------------------------------
  assert {
    condition     = aws_dynamodb_table.ajar.deletion_protection_enabled && aws_dynamodb_table.ajar.point_in_time_recovery[0].enabled
    error_message = "The table can be deleted, or cannot be brought back."
  }
  assert {
    condition     = aws_dynamodb_table.ajar.ttl[0].enabled && aws_dynamodb_table.ajar.ttl[0].attribute_name == "purge_at"
    error_message = "The table purges by something else than purge_at."
  }
  assert {
    condition     = aws_dynamodb_table.ajar.stream_enabled && aws_dynamodb_table.ajar.stream_view_type == "NEW_AND_OLD_IMAGES"
    error_message = "The stream does not hold both images."
  }
  assert {
    condition = (
      aws_s3_bucket.archive.bucket == "ajar-acme-archive-123456789012-eu-west-1" && aws_s3_bucket.archive.object_lock_enabled && !coalesce(aws_s3_bucket.archive.force_destroy, false) &&
      aws_s3_bucket_versioning.archive.versioning_configuration[0].status == "Enabled" &&
      aws_s3_bucket_object_lock_configuration.archive.rule[0].default_retention[0].days == 400 &&
      aws_s3_bucket_object_lock_configuration.archive.rule[0].default_retention[0].mode == "GOVERNANCE"
    )
    error_message = "What is archived can be changed or deleted before its time."
  }
  assert {
    condition = (
      aws_s3_bucket_public_access_block.archive.block_public_acls && aws_s3_bucket_public_access_block.archive.block_public_policy &&
      aws_s3_bucket_public_access_block.archive.ignore_public_acls && aws_s3_bucket_public_access_block.archive.restrict_public_buckets &&
      aws_s3_bucket_ownership_controls.archive.rule[0].object_ownership == "BucketOwnerEnforced" &&
      one(one(aws_s3_bucket_server_side_encryption_configuration.archive.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    )
    error_message = "The archive is not private, or not encrypted."
  }
  assert {
    condition = jsondecode(aws_s3_bucket_policy.archive.policy).Statement == [{
      Sid      = "EncryptedOnly", Effect = "Deny", Principal = "*", Action = "s3:*", Condition = { Bool = { "aws:SecureTransport" = "false" } },
      Resource = ["arn:aws:s3:::ajar-acme-archive-123456789012-eu-west-1", "arn:aws:s3:::ajar-acme-archive-123456789012-eu-west-1/*"]
    }]
    error_message = "The archive answers without TLS, or its policy lets somebody in."
  }
  assert {
    condition = (
      [for rule in aws_s3_bucket_lifecycle_configuration.archive.rule : rule.status] == ["Enabled", "Enabled"] &&
      aws_s3_bucket_lifecycle_configuration.archive.rule[0].expiration[0].days == 401 &&
      aws_s3_bucket_lifecycle_configuration.archive.rule[0].noncurrent_version_expiration[0].noncurrent_days == 1 &&
      aws_s3_bucket_lifecycle_configuration.archive.rule[1].expiration[0].expired_object_delete_marker
    )
    error_message = "The archive lets go too early, or keeps for ever."
  }
  assert {
    condition     = { for name, function in aws_lambda_function.ajar : name => try(function.environment[0].variables.AJAR_ARCHIVE_BUCKET, "") } == { request = "", grant = "", revoke = "", notify = "", discover = "ajar-acme-archive-123456789012-eu-west-1" }
    error_message = "Another function than discover knows the archive, or discover another archive."
  }
  assert {
    condition     = { for index in aws_dynamodb_table.ajar.global_secondary_index : index.name => "${index.hash_key}/${index.range_key}/${index.projection_type}" } == { due = "due_shard/due_at/ALL", machine = "machine/status/ALL", person = "person/status/ALL" }
    error_message = "The indexes are not those that the functions ask."
  }
  assert {
    condition     = alltrue([for group in concat(values(aws_cloudwatch_log_group.function), [aws_cloudwatch_log_group.door]) : group.retention_in_days == 90])
    error_message = "A log is kept for ever, or not as long as it should be."
  }
  assert {
    condition     = alltrue([for name, function in aws_lambda_function.ajar : function.logging_config[0].log_group == "/aws/lambda/ajar-acme-${name}" && function.logging_config[0].log_format == "JSON" && function.runtime == "provided.al2023" && function.architectures == tolist(["arm64"])])
    error_message = "A function logs elsewhere, or runs on something else than it was built for."
  }
  assert {
    condition     = { for name, function in aws_lambda_function.ajar : name => length(coalesce(function.layers, [])) } == { request = 1, grant = 1, revoke = 1, notify = 1, discover = 1 }
    error_message = "The policy does not reach exactly those functions that judge by it."
  }
  assert {
    condition = { for name, function in aws_lambda_function.ajar : name => [for variable in ["AJAR_AZURE_CLIENT_ID", "AJAR_AZURE_TENANT_ID", "AJAR_AZURE_SUBSCRIPTIONS", "AJAR_IP_FLOW_VERIFY"] : try(function.environment[0].variables[variable], "")] } == {
      request  = ["", "", "", ""]
      grant    = ["writes", "tenant", "", "on"]
      revoke   = ["deletes", "tenant", "00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002", "on"]
      notify   = ["", "", "", ""]
      discover = ["reads", "tenant", "00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002", "on"]
    }
    error_message = "A function names another identity in Azure than its own, or request or notify names one."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.ajar : try(function.environment[0].variables.AJAR_POLICY_FILE, "/opt/policy.toml") == "/opt/policy.toml" && function.environment[0].variables.AJAR_TABLE == "ajar-acme"])
    error_message = "A function looks for the policy where a layer does not put it, or for another table."
  }
  assert {
    condition     = { for name, function in aws_lambda_function.ajar : name => "${function.s3_bucket}:${function.s3_key}" } == { for name in ["request", "grant", "revoke", "notify", "discover"] : name => "releases:ajar/1.0/${name}.zip" }
    error_message = "The code does not come from where artifacts says."
  }

  # --- what wakes people ---------------------------------------------------------------------------------
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.ajar["overdue"].treat_missing_data == "breaching" &&
      aws_cloudwatch_metric_alarm.ajar["overdue"].statistic == "Maximum" &&
      aws_cloudwatch_metric_alarm.ajar["overdue"].comparison_operator == "GreaterThanThreshold" &&
      aws_cloudwatch_metric_alarm.ajar["overdue"].threshold == 120 &&
      aws_cloudwatch_metric_alarm.ajar["overdue"].period * aws_cloudwatch_metric_alarm.ajar["overdue"].evaluation_periods <= 180 &&
      aws_cloudwatch_metric_alarm.ajar["overdue"].namespace == one(aws_cloudwatch_log_metric_filter.ajar["OverdueGrantAgeSeconds"].metric_transformation).namespace &&
      aws_cloudwatch_metric_alarm.ajar["overdue"].metric_name == one(aws_cloudwatch_log_metric_filter.ajar["OverdueGrantAgeSeconds"].metric_transformation).name
    )
    error_message = "A port that stays open too long, or a tick that does not come, wakes nobody."
  }
  assert {
    condition     = one(aws_cloudwatch_log_metric_filter.ajar["OverdueGrantAgeSeconds"].metric_transformation).default_value == null
    error_message = "With a default value, a tick that does not come looks like one that found nothing."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.ajar["ticks"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.ajar["ticks"].comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.ajar["ticks"].threshold == 1 && aws_cloudwatch_metric_alarm.ajar["ticks"].dimensions.FunctionName == "ajar-acme-revoke"
    error_message = "A revoke that is not started wakes nobody."
  }
  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.ajar : (
      alarm.alarm_actions == toset([aws_sns_topic.alarms.arn]) && alarm.ok_actions == toset([aws_sns_topic.alarms.arn]) &&
      length(alarm.alarm_description) > 20 && contains(["breaching", "notBreaching"], alarm.treat_missing_data)
    )])
    error_message = "An alarm tells nobody, or nothing."
  }
  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.ajar)) == toset(concat(
      ["overdue", "ticks", "orphans", "evidence", "unsigned", "logged-errors", "dead-letters", "door", "slow", "behind-grant", "behind-notify"],
      [for name in ["request", "grant", "revoke", "notify", "discover"] : "errors-${name}"],
      [for name in ["request", "grant", "revoke", "notify", "discover"] : "throttles-${name}"],
    ))
    error_message = "An alarm is missing."
  }
  assert {
    # Every number of ours that an alarm looks at is written by a filter, and the other way round.
    condition = toset([for alarm in aws_cloudwatch_metric_alarm.ajar : alarm.metric_name if alarm.namespace == "Ajar/acme"]) == toset([
      for filter in aws_cloudwatch_log_metric_filter.ajar : one(filter.metric_transformation).name if one(filter.metric_transformation).namespace == "Ajar/acme"
    ])
    error_message = "An alarm looks at a number that nobody writes, or a number is written for nobody."
  }
  assert {
    condition     = toset([for filter in aws_cloudwatch_log_metric_filter.ajar : filter.log_group_name if one(filter.metric_transformation).name == "LoggedErrors"]) == toset([for name in ["request", "grant", "revoke", "notify", "discover"] : "/aws/lambda/ajar-acme-${name}"])
    error_message = "What a function logs as an error is not counted."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.ajar["dead-letters"].dimensions.QueueName == "ajar-acme-dead-letters" && aws_cloudwatch_metric_alarm.ajar["dead-letters"].threshold == 0
    error_message = "What a reader of the stream gave up wakes nobody."
  }
  assert {
    condition     = alltrue([for name in ["grant", "notify"] : aws_cloudwatch_metric_alarm.ajar["behind-${name}"].metric_name == "IteratorAge" && aws_cloudwatch_metric_alarm.ajar["behind-${name}"].threshold == 60000 && aws_cloudwatch_metric_alarm.ajar["behind-${name}"].dimensions.FunctionName == "ajar-acme-${name}"])
    error_message = "A reader that is behind wakes nobody."
  }

  # The account's issuer is read, and nothing of it is ours.
  assert {
    condition     = length(aws_iam_outbound_web_identity_federation.account) == 0 && output.issuer_url == "https://00000000-0000-0000-0000-000000000000.tokens.sts.global.api.aws"
    error_message = "The account's issuer would be made, and so destroyed with this."
  }
  assert {
    condition     = output.command_url == "https://abcdefghij.execute-api.eu-west-1.amazonaws.com/slack/command" && output.interaction_url == "https://abcdefghij.execute-api.eu-west-1.amazonaws.com/slack/interaction"
    error_message = "Slack would be told addresses that the door does not take."
  }
}

run "issuer_on_demand" {
  command = plan
  module {
    source = "./modules/aws"
  }
  variables {
    create_issuer = true
  }
  assert {
    condition     = length(aws_iam_outbound_web_identity_federation.account) == 1 && length(data.aws_iam_outbound_web_identity_federation.account) == 0
    error_message = "The issuer is not made where it was asked for."
  }
}

run "people_to_wake" {
  command = plan
  module {
    source = "./modules/aws"
  }
  variables {
    alarm_emails     = ["ops@example.com", "night@example.com"]
    alarm_thresholds = { overdue_seconds = 300 }
  }
  assert {
    condition     = toset([for subscription in aws_sns_topic_subscription.email : "${subscription.protocol}:${subscription.endpoint}"]) == toset(["email:ops@example.com", "email:night@example.com"])
    error_message = "Somebody is not told of alarms."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.ajar["overdue"].threshold == 300 && aws_cloudwatch_metric_alarm.ajar["slow"].threshold == 2500 && aws_cloudwatch_metric_alarm.ajar["slow"].extended_statistic == "p95"
    error_message = "A threshold is not what was given, or the others lost their defaults."
  }
}

run "an_account_without_an_issuer" {
  command = plan
  module {
    source = "./modules/aws"
  }
  override_data {
    target = data.aws_iam_outbound_web_identity_federation.account
    values = { issuer_identifier = "" }
  }
  expect_failures = [output.issuer_url]
}

run "artifacts_over_https" {
  command = plan
  module {
    source = "./modules/aws"
  }
  variables {
    artifacts = "https://example.com/ajar/1.0"
  }
  override_data {
    target = data.external.artifact
    values = { result = { path = "fetched.zip" } }
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.ajar : function.filename == "fetched.zip" && function.s3_bucket == null && function.s3_key == null])
    error_message = "What was fetched is not what is deployed."
  }
  assert {
    condition     = alltrue([for name, artifact in data.external.artifact : slice(artifact.program, 2, 4) == tolist(["https://example.com/ajar/1.0/${name}.zip", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"])])
    error_message = "Something else is fetched, or it is not compared with its hash."
  }
}

run "artifacts_unencrypted" {
  command = plan
  module {
    source = "./modules/aws"
  }
  variables {
    artifacts = "http://example.com/ajar/1.0"
  }
  expect_failures = [var.artifacts]
}

run "artifacts_unseen" {
  command = plan
  module {
    source = "./modules/aws"
  }
  variables {
    artifacts_sha256 = {}
  }
  expect_failures = [var.artifacts_sha256]
}

run "an_archive_that_nobody_can_empty" {
  command = plan
  module {
    source = "./modules/aws"
  }
  variables {
    archive_retention_mode = "COMPLIANCE"
    archive_retention_days = 2557
  }
  assert {
    condition = (
      aws_s3_bucket_object_lock_configuration.archive.rule[0].default_retention[0].mode == "COMPLIANCE" &&
      aws_s3_bucket_object_lock_configuration.archive.rule[0].default_retention[0].days == 2557 &&
      aws_s3_bucket_lifecycle_configuration.archive.rule[0].expiration[0].days == 2558
    )
    error_message = "The archive is not held as it was asked for."
  }
}

run "an_archive_without_a_time" {
  command = plan
  module {
    source = "./modules/aws"
  }
  variables {
    archive_retention_days = 0
  }
  expect_failures = [var.archive_retention_days]
}

run "an_archive_of_another_mode" {
  command = plan
  module {
    source = "./modules/aws"
  }
  variables {
    archive_retention_mode = "governance"
  }
  expect_failures = [var.archive_retention_mode]
}

run "an_installation_with_a_hyphen" {
  command = plan
  module {
    source = "./modules/aws"
  }
  variables {
    installation = "a-b"
  }
  expect_failures = [var.installation]
}
