# How the two clouds and Slack are joined. What each module makes has tests of its own.

mock_provider "aws" {
  source = "./tests/mocks/aws"
}
mock_provider "archive" {
  source = "./tests/mocks/archive"
}
mock_provider "external" {}

mock_provider "azurerm" {
  source = "./tests/mocks/azurerm"
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
    values = { client_id = "writes", principal_id = "writer", tenant_id = "tenant" }
  }
  override_resource {
    target = module.azure.azurerm_user_assigned_identity.function["revoke"]
    values = { client_id = "deletes", principal_id = "deleter" }
  }
  override_resource {
    target = module.azure.azurerm_user_assigned_identity.function["discover"]
    values = { client_id = "reads", principal_id = "reader" }
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
    condition = jsondecode(output.operator) == {
      installation = "acme", region = "eu-west-1", table = "ajar-acme", archive_bucket = "ajar-acme-archive-123456789012-eu-west-1"
      secret       = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ajar-acme/slack-AbCdEf"
      functions    = { for name in ["request", "grant", "revoke", "notify", "discover"] : name => "ajar-acme-${name}" }
      command_url  = "https://abcdefghij.execute-api.eu-west-1.amazonaws.com/slack/command"
      azure = {
        tenant_id     = "tenant"
        subscriptions = ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"]
        scopes        = ["/subscriptions/00000000-0000-0000-0000-000000000001", "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/Contoso-IaaS", "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/Other"]
        client_ids    = { grant = "writes", revoke = "deletes", discover = "reads" }
        principal_ids = { grant = "writer", revoke = "deleter", discover = "reader" }
      }
    }
    error_message = "The operator's tool is told something else than what was made."
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
