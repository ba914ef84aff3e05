# What people must hear of. Each alarm is explained by its description, which comes with the message.

# Encrypted neither by AWS's own key, which CloudWatch may not use, nor by one that would have to be paid and kept:
# an alarm names a function and a number.
resource "aws_sns_topic" "alarms" {
  name = "${local.name}-alarms"
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = toset(var.alarm_emails)
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

# Numbers and sentences of the functions' own log lines (JSON, one object a line). There is no default value: where
# no line is written there is no number, and that too must be seen.
locals {
  namespace = "Ajar/${var.installation}"

  readings = {
    # Written by each tick of `revoke`, with 0 where nothing is overdue.
    OverdueGrantAgeSeconds = { function = "revoke", pattern = "{ $.overdue_grant_age_seconds >= 0 }", value = "$.overdue_grant_age_seconds" }
    OrphanRules            = { function = "revoke", pattern = "{ $.orphan_rules >= 0 }", value = "$.orphan_rules" }
    RefusedEvidence        = { function = "grant", pattern = "{ $.message = \"the evidence does not prove this grant\" }", value = "1" }
    UnsignedRequests       = { function = "request", pattern = "{ $.message = \"a request that Slack did not sign\" }", value = "1" }
  }
  # Whatever a function could handle only by saying so. All into one number: the alarm says where to look.
  loud = { for name in keys(local.functions) : "LoggedErrors-${name}" => {
    metric = "LoggedErrors", function = name, pattern = "{ $.level = \"ERROR\" }", value = "1"
  } }
  filters = merge({ for name, reading in local.readings : name => merge({ metric = name }, reading) }, local.loud)
}

resource "aws_cloudwatch_log_metric_filter" "ajar" {
  for_each       = local.filters
  name           = each.key
  log_group_name = aws_cloudwatch_log_group.function[each.value.function].name
  pattern        = each.value.pattern
  metric_transformation {
    namespace = local.namespace
    name      = each.value.metric
    value     = each.value.value
  }
}

locals {
  of_function = { for name in keys(local.functions) : name => { FunctionName = local.function_names[name] } }

  alarms = merge(
    {
      # The one that matters most. A tick that does not come is as bad as one that finds an open port.
      overdue = {
        about     = "A grant should have been shut and is not, or `revoke` has not said for 3 minutes that all are. Look at its log and at Azure's rules named jit-${var.installation}-."
        namespace = local.namespace, metric = "OverdueGrantAgeSeconds", statistic = "Maximum", period = 180
        above     = var.alarm_thresholds.overdue_seconds, missing = "breaching"
      }
      ticks = {
        about     = "`revoke` was not started for 3 minutes: nothing is shut in time. Look at the schedule ${local.name}-minute and its role."
        namespace = "AWS/Lambda", metric = "Invocations", dimensions = local.of_function.revoke, statistic = "Sum", period = 180
        below     = 1, missing = "breaching"
      }
      orphans = {
        about     = "A rule in Azure bears a name of ours, and no request answers for it. Somebody wrote it by hand, or a record is gone. It is shut at the end that it names, or at once."
        namespace = local.namespace, metric = "OrphanRules", statistic = "Maximum", period = 60, above = 0
      }
      evidence = {
        about     = "`grant` did not open a port, because the signed clicks of its record do not prove the approval. Somebody may have written the table past the app."
        namespace = local.namespace, metric = "RefusedEvidence", statistic = "Sum", period = 60, above = 0
      }
      unsigned = {
        about     = "Many requests reach the door that Slack did not sign. Somebody is trying it, or the signing secret was changed on one side only."
        namespace = local.namespace, metric = "UnsignedRequests", statistic = "Sum", period = 300, above = var.alarm_thresholds.unsigned_requests
      }
      logged-errors = {
        about     = "A function has written a line of level ERROR. Look for it in the logs of /aws/lambda/${local.name}-."
        namespace = local.namespace, metric = "LoggedErrors", statistic = "Sum", period = 60, above = 0
      }
      dead-letters = {
        about     = "A reader of the stream gave up a batch. The tick takes its records up again; look why it failed, then purge the queue."
        namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.dead_letters.name }
        statistic = "Maximum", period = 60, above = 0
      }
      door = {
        about     = "The door has answered Slack with an error of ours. People see that the command failed."
        namespace = "AWS/ApiGateway", metric = "5xx", dimensions = { ApiId = aws_apigatewayv2_api.slack.id }
        statistic = "Sum", period = 60, above = 0
      }
      slow = {
        about     = "Answers to Slack come so late that some people see a time-out; Slack waits 3 s."
        namespace = "AWS/Lambda", metric = "Duration", dimensions = local.of_function.request, statistic = "p95", period = 300
        above     = var.alarm_thresholds.request_duration_p95
      }
    },
    { for name in keys(local.functions) : "errors-${name}" => {
      about     = "`${name}` has crashed, timed out or could not start. Look at its log."
      namespace = "AWS/Lambda", metric = "Errors", dimensions = local.of_function[name], statistic = "Sum", period = 60, above = 0
    } },
    { for name in keys(local.functions) : "throttles-${name}" => {
      about     = "AWS did not run `${name}` for want of concurrency in this account."
      namespace = "AWS/Lambda", metric = "Throttles", dimensions = local.of_function[name], statistic = "Sum", period = 60, above = 0
    } },
    { for name in keys(local.stream) : "behind-${name}" => {
      about     = "`${name}` is behind the table's changes, so ports open, and people hear of it, late."
      namespace = "AWS/Lambda", metric = "IteratorAge", dimensions = local.of_function[name], statistic = "Maximum", period = 60
      above     = var.alarm_thresholds.iterator_age_ms
    } },
  )
}

resource "aws_cloudwatch_metric_alarm" "ajar" {
  for_each          = local.alarms
  alarm_name        = "${local.name}-${each.key}"
  alarm_description = each.value.about
  namespace         = each.value.namespace
  metric_name       = each.value.metric
  dimensions        = try(each.value.dimensions, null)

  statistic          = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic = startswith(each.value.statistic, "p") ? each.value.statistic : null

  period              = each.value.period
  evaluation_periods  = 1
  comparison_operator = can(each.value.below) ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = can(each.value.below) ? each.value.below : each.value.above
  treat_missing_data  = try(each.value.missing, "notBreaching")

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}
