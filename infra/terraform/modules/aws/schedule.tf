# The minute and the quarter of an hour.

locals {
  schedules = {
    minute  = { function = "revoke", rate = "rate(1 minute)", seconds = 60 }
    quarter = { function = "discover", rate = "rate(15 minutes)", seconds = 600 }
  }
}

resource "aws_scheduler_schedule_group" "ajar" {
  name = local.name
}

resource "aws_scheduler_schedule" "ajar" {
  for_each            = local.schedules
  name                = "${local.name}-${each.key}"
  group_name          = aws_scheduler_schedule_group.ajar.name
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
