# The only public door: an HTTP API in front of `request`. It holds no identity in Azure. Slack signs what comes by its
# two routes; a browser brings a sealed link to the page on which a requester confirms an address.

resource "aws_apigatewayv2_api" "slack" {
  name            = local.name
  description     = "Slack's commands and clicks for Ajar, and the page of addresses."
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
  # Where links lead: `request` makes them of the host and path that Slack has called.
  page_path   = "/address"
  page_routes = ["GET ${local.page_path}", "POST ${local.page_path}"]
}

resource "aws_apigatewayv2_route" "slack" {
  for_each  = toset([local.command_path, local.interaction_path])
  api_id    = aws_apigatewayv2_api.slack.id
  route_key = "POST ${each.key}"
  target    = "integrations/${aws_apigatewayv2_integration.request.id}"
}

resource "aws_apigatewayv2_route" "page" {
  for_each  = toset(local.page_routes)
  api_id    = aws_apigatewayv2_api.slack.id
  route_key = each.key
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

  # Anybody can call the page: a crowd there leaves Slack's routes what they need.
  dynamic "route_settings" {
    for_each = toset(local.page_routes)
    content {
      route_key              = route_settings.key
      throttling_rate_limit  = var.throttle.rate / 4
      throttling_burst_limit = ceil(var.throttle.burst / 5)
    }
  }

  # Neither headers nor bodies: they hold signatures, and addresses that speak in the app's name. Neither path nor query:
  # the link to the page stands there. A route's key is the same for every link.
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

  # The settings of a route can be made only where the route is.
  depends_on = [aws_apigatewayv2_route.page]
}

resource "aws_lambda_permission" "slack" {
  statement_id  = "AjarHttpApi"
  function_name = aws_lambda_function.ajar["request"].function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.slack.execution_arn}/*/POST/slack/*"
}

resource "aws_lambda_permission" "page" {
  for_each      = toset(["GET", "POST"])
  statement_id  = "AjarPage${title(lower(each.key))}"
  function_name = aws_lambda_function.ajar["request"].function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.slack.execution_arn}/*/${each.key}${local.page_path}"
}
