# What Azure answers to those who apply to it.

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
