output "tenant_id" {
  description = "The directory that gives the identities their tokens (AJAR_AZURE_TENANT_ID)."
  value       = azurerm_user_assigned_identity.function["grant"].tenant_id
}

output "client_ids" {
  description = "The identities by function, as they name themselves to Entra (AJAR_AZURE_CLIENT_ID). No secrets: they serve only who holds a token of the AWS role."
  value       = { for name, identity in azurerm_user_assigned_identity.function : name => identity.client_id }
}

output "principal_ids" {
  description = "The identities by function, as Azure's role assignments and logs name them."
  value       = { for name, identity in azurerm_user_assigned_identity.function : name => identity.principal_id }
}

output "subscription_ids" {
  description = "The subscriptions whose machines may be asked for (AJAR_AZURE_SUBSCRIPTIONS, with commas between them)."
  value       = distinct([for scope in var.scopes : split("/", scope)[2]])

  precondition {
    condition     = alltrue([for scope in var.scopes : contains(local.subscriptions, split("/resourceGroups/", scope)[0])])
    error_message = "A resource group in `scopes` is of a subscription that may not be read: name it in `reading_scopes`, or no machine in it is ever found."
  }
}

output "role_definitions" {
  description = "The custom roles: what each permits and where it can be assigned."
  value = { for role, definition in azurerm_role_definition.ajar : role => {
    name              = definition.name
    actions           = definition.permissions[0].actions
    assignable_scopes = definition.assignable_scopes
  } }
}

output "role_assignments" {
  description = "Which identity holds which role where."
  value       = values(local.assignments)
}

output "federated_credentials" {
  description = "Whom each identity trusts."
  value = { for name, credential in azurerm_federated_identity_credential.function : name => {
    issuer   = credential.issuer
    subject  = credential.subject
    audience = credential.audience
  } }
}
