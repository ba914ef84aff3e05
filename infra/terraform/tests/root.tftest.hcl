# How the two clouds and Slack are joined. What each module makes has tests of its own.

mock_provider "aws" {
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
}
mock_provider "archive" {
  mock_data "archive_file" {
    defaults = { output_base64sha256 = "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=" }
  }
}
mock_provider "external" {}

mock_provider "azurerm" {
  mock_data "azurerm_subscription" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001" }
  }
  mock_resource "azurerm_resource_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ajar" }
  }
  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ajar/providers/Microsoft.ManagedIdentity/userAssignedIdentities/any"
      client_id    = "00000000-0000-0000-0000-0000000000c1"
      principal_id = "00000000-0000-0000-0000-0000000000f1"
      tenant_id    = "00000000-0000-0000-0000-0000000000d1"
    }
  }
  mock_resource "azurerm_role_definition" {
    defaults = { role_definition_resource_id = "/subscriptions/00000000-0000-0000-0000-000000000001/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-0000-0000-0000000000a1" }
  }
  mock_resource "azurerm_monitor_action_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/ajar/providers/Microsoft.Insights/actionGroups/any" }
  }
}
mock_provider "local" {}

variables {
  installation         = "acme"
  artifacts            = "s3://releases/ajar/1.0"
  policy_file          = "../../sandbox/policy.toml"
  azure_scopes         = ["/subscriptions/00000000-0000-0000-0000-000000000001", "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/Contoso-IaaS", "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/Other"]
  azure_reading_scopes = ["/subscriptions/00000000-0000-0000-0000-000000000002"]
  azure_location       = "westeurope"
  azure_resource_group = "ajar"
  slack_team_id        = "T012ABCDEF"
  slack_app_id         = "A012ABCDEF"
  slack_manifest_file  = "manifest.json"
  artifacts_sha256 = {
    request  = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    grant    = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    revoke   = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    notify   = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    discover = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
  }
}

run "joined" {
  command = apply
  override_resource {
    target = module.aws.aws_iam_role.function["grant"]
    values = { arn = "arn:aws:iam::123456789012:role/ajar/ajar-acme-grant" }
  }
  override_resource {
    target = module.aws.aws_iam_role.function["revoke"]
    values = { arn = "arn:aws:iam::123456789012:role/ajar/ajar-acme-revoke" }
  }
  override_resource {
    target = module.aws.aws_iam_role.function["discover"]
    values = { arn = "arn:aws:iam::123456789012:role/ajar/ajar-acme-discover" }
  }
  override_resource {
    target = module.azure.azurerm_user_assigned_identity.function["grant"]
    values = { client_id = "writes" }
  }
  override_resource {
    target = module.azure.azurerm_user_assigned_identity.function["revoke"]
    values = { client_id = "deletes" }
  }
  override_resource {
    target = module.azure.azurerm_user_assigned_identity.function["discover"]
    values = { client_id = "reads" }
  }

  # Each identity trusts the role of its own function, by the account's issuer; and each function names its identity.
  assert {
    condition = module.azure.federated_credentials == { for name in ["discover", "grant", "revoke"] : name => {
      issuer   = "https://00000000-0000-0000-0000-000000000000.tokens.sts.global.api.aws"
      subject  = "arn:aws:iam::123456789012:role/ajar/ajar-acme-${name}"
      audience = tolist(["api://AzureADTokenExchange"])
    } }
    error_message = "An identity trusts another role, another issuer or another audience."
  }

  assert {
    condition     = jsondecode(output.slack_manifest).features.slash_commands[0].url == module.aws.command_url && module.aws.command_url == "https://abcdefghij.execute-api.eu-west-1.amazonaws.com/slack/command"
    error_message = "Slack sends the command elsewhere."
  }
  assert {
    condition     = jsondecode(output.slack_manifest).settings.interactivity == { is_enabled = true, request_url = module.aws.interaction_url }
    error_message = "Slack sends clicks elsewhere."
  }
  assert {
    condition     = toset(jsondecode(output.slack_manifest).oauth_config.scopes.bot) == toset(["chat:write", "commands", "usergroups:read", "users:read"])
    error_message = "The app asks for other scopes than the functions use."
  }
  assert {
    condition     = output.slack_create_app_url == "https://api.slack.com/apps?new_app=1&manifest_json=${urlencode(output.slack_manifest)}"
    error_message = "The link holds another manifest."
  }
  assert {
    condition     = one(local_file.slack_manifest).filename == "manifest.json" && one(local_file.slack_manifest).content == output.slack_manifest
    error_message = "The manifest's file holds something else."
  }
  assert {
    condition     = output.azure_client_ids == { grant = "writes", revoke = "deletes", discover = "reads" } && keys(output.role_arns) == ["discover", "grant", "revoke"] && startswith(output.issuer_url, "https://")
    error_message = "The clouds do not know each other."
  }
  assert {
    condition     = module.azure.subscription_ids == tolist(["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"])
    error_message = "Machines of other subscriptions than those of the scopes may be asked for."
  }
}

run "no_file_unless_asked" {
  command = plan
  variables {
    slack_manifest_file = null
  }
  assert {
    condition     = length(local_file.slack_manifest) == 0
    error_message = "A file is written that nobody asked for."
  }
}

run "a_scope_that_is_none" {
  command = plan
  variables {
    azure_scopes = ["Contoso-IaaS"]
  }
  expect_failures = [var.azure_scopes]
}
