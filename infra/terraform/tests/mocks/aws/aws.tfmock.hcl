# What AWS answers to those who apply to it, in the shape that the real provider asks for.

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_region" {
  defaults = { region = "eu-west-1" }
}

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_iam_outbound_web_identity_federation" {
  defaults = { issuer_identifier = "https://00000000-0000-0000-0000-000000000000.tokens.sts.global.api.aws" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/ajar/of-a-schedule" }
}

mock_resource "aws_dynamodb_table" {
  defaults = { arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/ajar-acme", stream_arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/ajar-acme/stream/2026-01-01T00:00:00.000" }
}

mock_resource "aws_sqs_queue" {
  defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:ajar-acme-dead-letters" }
}

mock_resource "aws_secretsmanager_secret" {
  defaults = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ajar-acme/slack-AbCdEf" }
}

mock_resource "aws_lambda_layer_version" {
  defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:ajar-acme-policy:1" }
}

mock_resource "aws_lambda_function" {
  defaults = {
    arn         = "arn:aws:lambda:eu-west-1:123456789012:function:ajar-acme-any"
    invoke_arn  = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:ajar-acme-any/invocations"
    code_sha256 = "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="
  }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:any" }
}

mock_resource "aws_apigatewayv2_api" {
  defaults = { api_endpoint = "https://abcdefghij.execute-api.eu-west-1.amazonaws.com", execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:abcdefghij" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:ajar-acme-alarms" }
}

mock_resource "aws_scheduler_schedule_group" {
  defaults = { arn = "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/ajar-acme" }
}

mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::ajar-acme-archive-123456789012-eu-west-1" }
}
