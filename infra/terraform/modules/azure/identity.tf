# Three identities without a secret: each trusts one role of the AWS account and nobody else. They are
# managed identities and not app registrations, because nobody can add a password to one, and because making them takes
# rights in Azure only and none in the directory.

locals {
  # What Entra asks for in a token from elsewhere; AWS lets the functions ask for no other.
  audience = "api://AzureADTokenExchange"
}

resource "azurerm_resource_group" "ajar" {
  name     = var.resource_group_name
  location = var.location
  tags     = var.tags
}

resource "azurerm_user_assigned_identity" "function" {
  for_each            = toset(local.functions)
  name                = "ajar-${var.installation}-${each.key}"
  resource_group_name = azurerm_resource_group.ajar.name
  location            = azurerm_resource_group.ajar.location
  tags                = var.tags
}

# One for each identity. Azure refuses two that are written to one identity at the same time; with one
# each there is nothing to put in order.
resource "azurerm_federated_identity_credential" "function" {
  for_each                  = toset(local.functions)
  name                      = "aws-${each.key}"
  user_assigned_identity_id = azurerm_user_assigned_identity.function[each.key].id
  issuer                    = var.issuer_url
  subject                   = var.role_arns[each.key]
  audience                  = [local.audience]
}
