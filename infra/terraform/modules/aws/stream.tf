# Two readers of the stream and no more: a shard gives no more without throttling. Who they are, how they filter
# and how they retry is one file, which the sandbox reads too.

locals {
  stream = jsondecode(file("${path.module}/../../../stream.json"))
}

# What a reader gave up. It holds no item, only where in the stream it was; the record itself is still in the
# table, and the minute's tick takes it up again. So this only wakes people.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.name}-dead-letters"
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true
}

resource "aws_lambda_event_source_mapping" "stream" {
  for_each                       = local.stream
  event_source_arn               = aws_dynamodb_table.ajar.stream_arn
  function_name                  = aws_lambda_function.ajar[each.key].arn
  starting_position              = "TRIM_HORIZON" # LATEST can miss what comes while the mapping starts.
  batch_size                     = each.value.batch_size
  maximum_retry_attempts         = each.value.maximum_retry_attempts
  maximum_record_age_in_seconds  = each.value.maximum_record_age_seconds
  bisect_batch_on_function_error = each.value.bisect
  parallelization_factor         = var.stream_parallelization
  function_response_types        = ["ReportBatchItemFailures"]

  filter_criteria {
    dynamic "filter" {
      for_each = each.value.filters
      content {
        pattern = jsonencode(filter.value)
      }
    }
  }

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.dead_letters.arn
    }
  }

  # AWS refuses a mapping whose role cannot read the stream yet.
  depends_on = [aws_iam_role_policy.stream]
}
