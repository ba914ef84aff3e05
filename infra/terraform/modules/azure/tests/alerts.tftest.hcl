# Who is told of what the identities do.

mock_provider "azurerm" {
  mock_data "azurerm_subscription" {
    defaults = { id = "/subscriptions/aaaaaaaa-0000-4000-8000-000000000000" }
  }
}

variables {
  installation        = "prod"
  issuer_url          = "https://3f1d0a52-8a0e-4c2b-9b57-5e9f6a7c1d20.tokens.sts.global.api.aws"
  location            = "westeurope"
  resource_group_name = "ajar"
  role_arns = {
    grant    = "arn:aws:iam::123456789012:role/ajar/ajar-grant"
    revoke   = "arn:aws:iam::123456789012:role/ajar/ajar-revoke"
    discover = "arn:aws:iam::123456789012:role/ajar/ajar-discover"
  }
  scopes = ["/subscriptions/11111111-0000-4000-8000-000000000000"]
}

# Conditions name identities by their ids, which are known only after an apply, here of the mock.
run "without_a_workspace" {
  assert {
    condition     = length(azurerm_monitor_scheduled_query_rules_alert_v2.names) == 0 && length(azurerm_monitor_action_group.ajar) == 0
    error_message = "Something is made that nobody asked for."
  }
  assert {
    condition = { for key, alert in azurerm_monitor_activity_log_alert.never : key => coalesce(alert.criteria[0].operation_name, "any") } == {
      "grant-object"    = "Microsoft.Network/networkSecurityGroups/securityRules/delete"
      "grant-client"    = "Microsoft.Network/networkSecurityGroups/securityRules/delete"
      "revoke-object"   = "Microsoft.Network/networkSecurityGroups/securityRules/write"
      "revoke-client"   = "Microsoft.Network/networkSecurityGroups/securityRules/write"
      "discover-object" = "any"
      "discover-client" = "any"
    }
    error_message = "Another operation is told than what an identity never does."
  }
  assert {
    condition = alltrue([for key, alert in azurerm_monitor_activity_log_alert.never : alert.criteria[0].caller == (
      endswith(key, "-object")
      ? azurerm_user_assigned_identity.function[split("-", key)[0]].principal_id
      : azurerm_user_assigned_identity.function[split("-", key)[0]].client_id
    )])
    error_message = "Another identity is watched."
  }
  assert {
    condition = alltrue([for alert in azurerm_monitor_activity_log_alert.never : (
      alert.criteria[0].category == "Administrative"
      && alert.scopes == toset(["/subscriptions/aaaaaaaa-0000-4000-8000-000000000000"])
      && length(alert.action) == 0
    )])
    error_message = "Another part of the log is watched."
  }
  assert {
    condition = (
      azurerm_monitor_activity_log_alert.trust.criteria[0].operation_name == "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write"
      && azurerm_monitor_activity_log_alert.trust.criteria[0].resource_group == "ajar"
      && azurerm_monitor_activity_log_alert.trust.criteria[0].caller == null
      && azurerm_monitor_activity_log_alert.trust.scopes == toset(["/subscriptions/aaaaaaaa-0000-4000-8000-000000000000"])
    )
    error_message = "A new credential of an identity is not told, whoever writes it."
  }
}

run "with_a_workspace_and_somebody_to_tell" {
  variables {
    alert_emails                     = ["ops@example.com", "security@example.com"]
    log_analytics_workspace_id       = "/subscriptions/11111111-0000-4000-8000-000000000000/resourceGroups/logs/providers/Microsoft.OperationalInsights/workspaces/all"
    log_analytics_workspace_location = "northeurope"
  }

  assert {
    condition     = tolist([for one in azurerm_monitor_action_group.ajar[0].email_receiver : one.email_address]) == var.alert_emails
    error_message = "Somebody else is told."
  }
  assert {
    condition = alltrue([for alert in concat(values(azurerm_monitor_activity_log_alert.never), [azurerm_monitor_activity_log_alert.trust]) :
      [for one in alert.action : one.action_group_id] == [azurerm_monitor_action_group.ajar[0].id]
    ])
    error_message = "An alert tells nobody."
  }
  assert {
    condition     = azurerm_monitor_scheduled_query_rules_alert_v2.names[0].action[0].action_groups == tolist([azurerm_monitor_action_group.ajar[0].id])
    error_message = "The alert on names tells nobody."
  }
  assert {
    condition = (
      azurerm_monitor_scheduled_query_rules_alert_v2.names[0].scopes == tolist([var.log_analytics_workspace_id])
      && azurerm_monitor_scheduled_query_rules_alert_v2.names[0].location == "northeurope"
      && azurerm_monitor_scheduled_query_rules_alert_v2.names[0].criteria[0].operator == "GreaterThan"
      && azurerm_monitor_scheduled_query_rules_alert_v2.names[0].criteria[0].threshold == 0
    )
    error_message = "Another log is watched, or what is found there is not told."
  }
  # Each function by both of its ids.
  assert {
    condition = alltrue([for name, identity in azurerm_user_assigned_identity.function : strcontains(
      azurerm_monitor_scheduled_query_rules_alert_v2.names[0].criteria[0].query,
      "Who in (\"${lower(identity.principal_id)}\", \"${lower(identity.client_id)}\"), \"${name}\"",
    )])
    error_message = "The query does not look at every identity."
  }
  assert {
    condition     = strcontains(azurerm_monitor_scheduled_query_rules_alert_v2.names[0].criteria[0].query, "matches regex \"^jit-prod-[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}$\"")
    error_message = "The query takes other names for ours."
  }
  # All that is let through, and no more.
  assert {
    condition = [for line in split("\n", azurerm_monitor_scheduled_query_rules_alert_v2.names[0].criteria[0].query) : trimspace(line) if strcontains(line, "where not")] == [
      "| where not(Ours and Function == \"grant\" and Operation == \"microsoft.network/networksecuritygroups/securityrules/write\")",
      "| where not(Ours and Function == \"revoke\" and Operation == \"microsoft.network/networksecuritygroups/securityrules/delete\")",
      "| where not(Function in (\"grant\", \"revoke\") and Operation == \"microsoft.network/networkwatchers/ipflowverify/action\")",
    ]
    error_message = "The query keeps quiet about something else."
  }
}
