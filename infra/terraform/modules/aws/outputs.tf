output "role_arns" {
  description = "The roles that Azure is to trust, by function: each is the subject of one managed identity's federated credential."
  value       = { for name in ["grant", "revoke", "discover"] : name => aws_iam_role.function[name].arn }
}

output "issuer_url" {
  description = "The AWS account's issuer of tokens."
  value       = local.issuer_url
  precondition {
    condition     = startswith(coalesce(local.issuer_url, "-"), "https://")
    error_message = "The AWS account has no issuer of tokens: run `aws iam enable-outbound-web-identity-federation`, or set create_issuer."
  }
}

output "command_url" {
  description = "Where Slack sends the command."
  value       = "${aws_apigatewayv2_api.slack.api_endpoint}${local.command_path}"
}

output "interaction_url" {
  description = "Where Slack sends clicks."
  value       = "${aws_apigatewayv2_api.slack.api_endpoint}${local.interaction_path}"
}

output "secret_arn" {
  description = "The secret that holds {\"signing_secret\": …, \"bot_token\": …}. It is made empty."
  value       = aws_secretsmanager_secret.slack.arn
}

output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = aws_sns_topic.alarms.arn
}

output "table_name" {
  description = "The table."
  value       = aws_dynamodb_table.ajar.name
}

output "table" {
  description = "The table's name, ARN and stream."
  value = {
    name       = aws_dynamodb_table.ajar.name
    arn        = aws_dynamodb_table.ajar.arn
    stream_arn = aws_dynamodb_table.ajar.stream_arn
  }
}

output "api_id" {
  description = "The HTTP API."
  value       = aws_apigatewayv2_api.slack.id
}

output "function_arns" {
  description = "The functions."
  value       = { for name, function in aws_lambda_function.ajar : name => function.arn }
}

output "function_role_arns" {
  description = "The role of each function, those that Azure does not know included."
  value       = { for name, role in aws_iam_role.function : name => role.arn }
}

output "function_names" {
  description = "What the functions are called in AWS."
  value       = { for name, function in aws_lambda_function.ajar : name => function.function_name }
}

output "archive_bucket" {
  description = "Where the histories and the evidence of closed requests are kept."
  value       = aws_s3_bucket.archive.bucket
}

output "region" {
  description = "The region of all this."
  value       = data.aws_region.current.region
}

output "dead_letter_queue_url" {
  description = "Where the stream's readers put what they gave up."
  value       = aws_sqs_queue.dead_letters.url
}
