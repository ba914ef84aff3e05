# Azure cannot narrow the right to write or delete a rule to rules of our names, so what the identities do
# is watched, in two ways, because one kind of alert cannot say it all.
#
# An activity-log alert compares fields with values, and knows neither `not` nor the beginning of a text: it cannot
# tell a rule of ours from another one. It tells what no role of ours permits, whatever the rule: `grant` that deletes, `revoke` that
# writes, `discover` that does anything at all. Azure lets it see only the subscription that it is in itself.
#
# A query over the activity log in a workspace tells the rest, in all subscriptions that send theirs there.

data "azurerm_subscription" "current" {}

locals {
  rule_write  = "Microsoft.Network/networkSecurityGroups/securityRules/write"
  rule_delete = "Microsoft.Network/networkSecurityGroups/securityRules/delete"

  # An operation of `null` is any.
  never = {
    grant    = { operation = local.rule_delete, says = "deleted a security rule" }
    revoke   = { operation = local.rule_write, says = "wrote a security rule" }
    discover = { operation = null, says = "changed something" }
  }
  # Which id of an identity the log calls its caller is not documented beyond "identifier", so both are watched.
  callers = merge([for function in local.functions : {
    "${function}-object" = { function = function, id = azurerm_user_assigned_identity.function[function].principal_id }
    "${function}-client" = { function = function, id = azurerm_user_assigned_identity.function[function].client_id }
  }]...)

  action_groups = [for group in azurerm_monitor_action_group.ajar : group.id]

  whose = join(", ", [for name, identity in azurerm_user_assigned_identity.function :
    "Who in (\"${lower(identity.principal_id)}\", \"${lower(identity.client_id)}\"), \"${name}\""
  ])
  # The ids are compared without case, and so are names: the log writes them in capitals or as they were sent.
  # A name is ours only as a whole, as `RuleName::request_of` reads it (functions/access/src/request.rs).
  query = <<-KQL
    AzureActivity
    | where CategoryValue =~ "Administrative"
    | extend Who = tolower(Caller)
    | extend Function = case(${local.whose}, "")
    | where Function != ""
    | extend Operation = tolower(OperationNameValue)
    | extend Target = tolower(coalesce(tostring(Authorization_d.scope), _ResourceId))
    | extend Rule = extract("/securityrules/([^/]+)$", 1, Target)
    | extend Ours = Rule matches regex "^jit-${var.installation}-[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}$"
    | where not(Ours and Function == "grant" and Operation == "${lower(local.rule_write)}")
    | where not(Ours and Function == "revoke" and Operation == "${lower(local.rule_delete)}")
    | where not(Function in ("grant", "revoke") and Operation == "microsoft.network/networkwatchers/ipflowverify/action")
    | project TimeGenerated, Function, Operation, Target, ActivityStatusValue, CallerIpAddress, CorrelationId
  KQL
}

resource "azurerm_monitor_action_group" "ajar" {
  count               = length(var.alert_emails) > 0 ? 1 : 0
  name                = "ajar-${var.installation}"
  short_name          = "ajar"
  resource_group_name = azurerm_resource_group.ajar.name
  tags                = var.tags

  dynamic "email_receiver" {
    for_each = var.alert_emails
    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_activity_log_alert" "never" {
  for_each            = local.callers
  name                = "ajar-${var.installation}-${each.key}"
  description         = "The identity of Ajar's function ${each.value.function} ${local.never[each.value.function].says}, which it never does and its role does not permit. See infra/AZURE.md, Alerts."
  resource_group_name = azurerm_resource_group.ajar.name
  location            = "global"
  scopes              = [data.azurerm_subscription.current.id]
  tags                = var.tags

  criteria {
    category       = "Administrative"
    caller         = each.value.id
    operation_name = local.never[each.value.function].operation
  }

  dynamic "action" {
    for_each = local.action_groups
    content {
      action_group_id = action.value
    }
  }
}

# A second credential would let somebody else act as the identity. Nobody but this module writes one: told are an apply
# that changes whom the identities trust, and whoever else does it.
resource "azurerm_monitor_activity_log_alert" "trust" {
  name                = "ajar-${var.installation}-trust"
  description         = "Somebody gave an identity of Ajar a credential, or changed one. Unless you have just applied a change of it, it is not yours any more. See infra/AZURE.md, Alerts."
  resource_group_name = azurerm_resource_group.ajar.name
  location            = "global"
  scopes              = [data.azurerm_subscription.current.id]
  tags                = var.tags

  criteria {
    category       = "Administrative"
    operation_name = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write"
    resource_group = azurerm_resource_group.ajar.name
  }

  dynamic "action" {
    for_each = local.action_groups
    content {
      action_group_id = action.value
    }
  }

  # The first apply is nothing to tell.
  depends_on = [azurerm_federated_identity_credential.function]
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "names" {
  count               = var.log_analytics_workspace_id == null ? 0 : 1
  name                = "ajar-${var.installation}-names"
  description         = "An identity of Ajar did something else than write (grant) or delete (revoke) a rule called jit-${var.installation}-<request id>. See infra/AZURE.md, Alerts."
  resource_group_name = azurerm_resource_group.ajar.name
  location            = coalesce(var.log_analytics_workspace_location, var.location)
  scopes              = [var.log_analytics_workspace_id]
  severity            = 1
  tags                = var.tags

  # The log arrives up to 20 minutes late. What was told once is not told again while it stays in the window.
  evaluation_frequency    = "PT5M"
  window_duration         = "PT30M"
  auto_mitigation_enabled = true
  # The workspace may be so new that it has no such table yet.
  skip_query_validation = true

  criteria {
    query                   = local.query
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0

    # Each is told by itself.
    dynamic "dimension" {
      for_each = ["Function", "Operation", "Target"]
      content {
        name     = dimension.value
        operator = "Include"
        values   = ["*"]
      }
    }
    failing_periods {
      minimum_failing_periods_to_trigger_alert = 1
      number_of_evaluation_periods             = 1
    }
  }

  dynamic "action" {
    for_each = length(local.action_groups) > 0 ? [local.action_groups] : []
    content {
      action_groups = action.value
    }
  }
}
