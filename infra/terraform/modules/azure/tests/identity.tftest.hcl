# Whom each identity trusts: one role of the AWS account, and nobody else.

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

run "trust" {
  command = plan

  assert {
    condition     = { for name, identity in azurerm_user_assigned_identity.function : name => identity.name } == { grant = "ajar-prod-grant", revoke = "ajar-prod-revoke", discover = "ajar-prod-discover" }
    error_message = "There are other identities than three."
  }
  assert {
    condition     = toset(keys(azurerm_federated_identity_credential.function)) == toset(["grant", "revoke", "discover"])
    error_message = "There is not one credential for each identity."
  }
  assert {
    condition     = { for name, credential in azurerm_federated_identity_credential.function : name => credential.subject } == { for name, arn in var.role_arns : name => arn }
    error_message = "An identity trusts another role than that of its own function."
  }
  assert {
    condition     = alltrue([for credential in azurerm_federated_identity_credential.function : credential.issuer == var.issuer_url])
    error_message = "An identity trusts another issuer."
  }
  assert {
    condition     = alltrue([for credential in azurerm_federated_identity_credential.function : credential.audience == tolist(["api://AzureADTokenExchange"])])
    error_message = "An identity takes tokens for somebody else, or for several."
  }
  assert {
    condition     = azurerm_resource_group.ajar.name == "ajar" && azurerm_resource_group.ajar.location == "westeurope"
    error_message = "The resource group is another one."
  }
}

# To which identity each credential belongs: ids are known only after an apply, here of the mock.
run "belongs" {
  assert {
    condition = alltrue([for name, credential in azurerm_federated_identity_credential.function :
      credential.user_assigned_identity_id == azurerm_user_assigned_identity.function[name].id
    ])
    error_message = "A credential belongs to another identity, which could then be used by two roles."
  }
  assert {
    condition     = length(distinct([for identity in azurerm_user_assigned_identity.function : identity.id])) == 3
    error_message = "The mock's ids tell nothing."
  }
  assert {
    condition = output.federated_credentials["revoke"] == {
      issuer   = "https://3f1d0a52-8a0e-4c2b-9b57-5e9f6a7c1d20.tokens.sts.global.api.aws"
      subject  = "arn:aws:iam::123456789012:role/ajar/ajar-revoke"
      audience = tolist(["api://AzureADTokenExchange"])
    }
    error_message = "The output says something else."
  }
}
