# What each identity may do, and where. tests/infra/roles.py compares the actions with those that the
# simulated Azure lets each function have: keep them plain lists of texts.

locals {
  functions = ["grant", "revoke", "discover"]

  actions = {
    # Writes a rule, and turns its own into Deny where a lock forbids to delete it. Cannot delete.
    grant = [
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Network/networkInterfaces/read",
      "Microsoft.Network/virtualNetworks/subnets/read",
      "Microsoft.Network/publicIPAddresses/read",
      "Microsoft.Network/networkSecurityGroups/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/write",
      "Microsoft.Network/locations/operations/read",
      "Microsoft.Network/locations/operationResults/read",
    ]
    # Deletes a rule. Cannot write.
    revoke = [
      "Microsoft.Network/networkSecurityGroups/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/delete",
      "Microsoft.Network/locations/operations/read",
      "Microsoft.Network/locations/operationResults/read",
    ]
    # Only looks what machines there are.
    discover = [
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Network/networkInterfaces/read",
      "Microsoft.Network/virtualNetworks/subnets/read",
      "Microsoft.Network/publicIPAddresses/read",
      "Microsoft.Network/networkSecurityGroups/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/read",
    ]
    # Asks Network Watcher what becomes of a flow. Changes nothing.
    watch = [
      "Microsoft.Network/networkWatchers/read",
      "Microsoft.Network/networkWatchers/ipFlowVerify/action",
      "Microsoft.Network/locations/operationResults/read",
    ]
  }
  # Who may ask it.
  watching = ["grant", "revoke"]

  descriptions = {
    grant    = "Ajar ${var.installation}: reads machines and network security groups, writes security rules, deletes none."
    revoke   = "Ajar ${var.installation}: reads network security groups, deletes security rules, writes none."
    discover = "Ajar ${var.installation}: reads machines and network security groups."
    watch    = "Ajar ${var.installation}: asks Network Watcher what becomes of a flow."
  }

  # Machines and network watchers are listed by subscription.
  subscriptions = [for scope in distinct(concat(var.scopes, var.reading_scopes)) : scope if length(split("/", scope)) == 3]

  # Where each role is assigned. What writes or deletes is at `scopes` alone.
  assigned_at = {
    grant    = var.scopes
    revoke   = var.scopes
    discover = local.subscriptions
    watch    = var.ip_flow_verify ? local.subscriptions : []
  }
  roles = { for role, scopes in local.assigned_at : role => scopes if length(scopes) > 0 }
  holders = {
    grant    = ["grant"]
    revoke   = ["revoke"]
    discover = ["discover"]
    watch    = local.watching
  }
  assignments = { for one in flatten([for role, scopes in local.assigned_at :
    [for pair in setproduct(local.holders[role], scopes) : { identity = pair[0], role = role, scope = pair[1] }]
  ]) : "${one.identity} ${one.role} ${one.scope}" => one }
}

resource "azurerm_role_definition" "ajar" {
  for_each = local.roles
  # Unique in the tenant, so that two installations have roles of different names.
  name              = "Ajar ${var.installation} ${each.key}"
  description       = local.descriptions[each.key]
  scope             = each.value[0]
  assignable_scopes = each.value

  permissions {
    actions          = local.actions[each.key]
    not_actions      = []
    data_actions     = []
    not_data_actions = []
  }
}

resource "azurerm_role_assignment" "ajar" {
  for_each     = local.assignments
  scope        = each.value.scope
  principal_id = azurerm_user_assigned_identity.function[each.value.identity].principal_id
  # A role has an id in each subscription. Azure answers with that of the scope's own, and an assignment
  # that names another one would be made anew at each apply.
  role_definition_id = join("/", [
    "/subscriptions", split("/", each.value.scope)[2],
    "providers/Microsoft.Authorization/roleDefinitions", azurerm_role_definition.ajar[each.value.role].role_definition_id,
  ])
  description = local.descriptions[each.value.role]
  # The directory knows a new identity only after a while: it must not be looked up there.
  principal_type                   = "ServicePrincipal"
  skip_service_principal_aad_check = true
}
