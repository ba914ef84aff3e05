# The only public door: an HTTP API in front of `request`. It holds no identity in Azure.

resource "aws_apigatewayv2_api" "slack" {
  name            = local.name
  description     = "Slack's commands and clicks for Ajar."
  protocol_type   = "HTTP"
  ip_address_type = "ipv4"
}

resource "aws_apigatewayv2_integration" "request" {
  api_id                 = aws_apigatewayv2_api.slack.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.ajar["request"].invoke_arn
  payload_format_version = "2.0"
}

locals {
  command_path     = "/slack/command"
  interaction_path = "/slack/interaction"
}

resource "aws_apigatewayv2_route" "slack" {
  for_each  = toset([local.command_path, local.interaction_path])
  api_id    = aws_apigatewayv2_api.slack.id
  route_key = "POST ${each.key}"
  target    = "integrations/${aws_apigatewayv2_integration.request.id}"
}

# API Gateway adds to one resource policy of the account for each log group that is not named so, until it is full.
resource "aws_cloudwatch_log_group" "door" {
  name              = "/aws/vendedlogs/${local.name}/door"
  retention_in_days = var.log_retention_days
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.slack.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }

  # Neither headers nor bodies: they hold signatures, and addresses that speak in the app's name.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.door.arn
    format = jsonencode({
      request_id        = "$context.requestId"
      at                = "$context.requestTime"
      source_ip         = "$context.identity.sourceIp"
      route             = "$context.routeKey"
      status            = "$context.status"
      response_bytes    = "$context.responseLength"
      latency_ms        = "$context.responseLatency"
      integration_error = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_lambda_permission" "slack" {
  statement_id  = "AjarHttpApi"
  function_name = aws_lambda_function.ajar["request"].function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.slack.execution_arn}/*/POST/slack/*"
}
