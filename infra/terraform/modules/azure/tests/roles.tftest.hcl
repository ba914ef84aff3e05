# What each identity may do, and where, read off the plan.

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
  scopes = [
    "/subscriptions/11111111-0000-4000-8000-000000000000",
    "/subscriptions/22222222-0000-4000-8000-000000000000/resourceGroups/Contoso_(web)",
  ]
  reading_scopes = ["/subscriptions/22222222-0000-4000-8000-000000000000"]
}

run "actions" {
  command = plan

  assert {
    condition     = toset(keys(azurerm_role_definition.ajar)) == toset(["grant", "revoke", "discover", "watch"])
    error_message = "There are other roles than those that this test knows."
  }
  assert {
    condition = azurerm_role_definition.ajar["grant"].permissions[0].actions == tolist([
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Network/networkInterfaces/read",
      "Microsoft.Network/virtualNetworks/subnets/read",
      "Microsoft.Network/publicIPAddresses/read",
      "Microsoft.Network/networkSecurityGroups/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/write",
      "Microsoft.Network/locations/operations/read",
      "Microsoft.Network/locations/operationResults/read",
    ])
    error_message = "The role of grant permits something else."
  }
  assert {
    condition = azurerm_role_definition.ajar["revoke"].permissions[0].actions == tolist([
      "Microsoft.Network/networkSecurityGroups/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/delete",
      "Microsoft.Network/locations/operations/read",
      "Microsoft.Network/locations/operationResults/read",
    ])
    error_message = "The role of revoke permits something else."
  }
  assert {
    condition = azurerm_role_definition.ajar["discover"].permissions[0].actions == tolist([
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Network/networkInterfaces/read",
      "Microsoft.Network/virtualNetworks/subnets/read",
      "Microsoft.Network/publicIPAddresses/read",
      "Microsoft.Network/networkSecurityGroups/read",
      "Microsoft.Network/networkSecurityGroups/securityRules/read",
    ])
    error_message = "The role of discover permits something else."
  }
  assert {
    condition = azurerm_role_definition.ajar["watch"].permissions[0].actions == tolist([
      "Microsoft.Network/networkWatchers/read",
      "Microsoft.Network/networkWatchers/ipFlowVerify/action",
      "Microsoft.Network/locations/operationResults/read",
    ])
    error_message = "The role for Network Watcher permits something else."
  }

  # The same in general, so that a change of the lists above cannot slip it in.
  assert {
    condition = !anytrue(flatten([for role, definition in azurerm_role_definition.ajar :
      [for action in definition.permissions[0].actions : endswith(lower(action), "/write") if role != "grant"]
    ]))
    error_message = "Another role than that of grant permits to write."
  }
  assert {
    condition = !anytrue(flatten([for role, definition in azurerm_role_definition.ajar :
      [for action in definition.permissions[0].actions : endswith(lower(action), "/delete") if role != "revoke"]
    ]))
    error_message = "Another role than that of revoke permits to delete."
  }
  assert {
    condition = alltrue(flatten([for definition in azurerm_role_definition.ajar :
      [for action in definition.permissions[0].actions : can(regex("^[A-Za-z]+\\.[A-Za-z]+(/[A-Za-z]+)+$", action))]
    ]))
    error_message = "An action has a wildcard."
  }
  assert {
    condition = alltrue([for definition in azurerm_role_definition.ajar : (
      length(definition.permissions) == 1
      && length(definition.permissions[0].data_actions) == 0
      && length(definition.permissions[0].not_data_actions) == 0
      && length(definition.permissions[0].not_actions) == 0
    )])
    error_message = "A role has more than a list of actions."
  }
  # Two installations in one tenant.
  assert {
    condition     = alltrue([for role, definition in azurerm_role_definition.ajar : definition.name == "Ajar prod ${role}"])
    error_message = "A role's name does not tell the installation."
  }
}

run "scopes" {
  command = plan

  assert {
    condition = toset(keys(azurerm_role_assignment.ajar)) == toset([
      "grant grant /subscriptions/11111111-0000-4000-8000-000000000000",
      "grant grant /subscriptions/22222222-0000-4000-8000-000000000000/resourceGroups/Contoso_(web)",
      "revoke revoke /subscriptions/11111111-0000-4000-8000-000000000000",
      "revoke revoke /subscriptions/22222222-0000-4000-8000-000000000000/resourceGroups/Contoso_(web)",
      "discover discover /subscriptions/11111111-0000-4000-8000-000000000000",
      "discover discover /subscriptions/22222222-0000-4000-8000-000000000000",
      "grant watch /subscriptions/11111111-0000-4000-8000-000000000000",
      "grant watch /subscriptions/22222222-0000-4000-8000-000000000000",
      "revoke watch /subscriptions/11111111-0000-4000-8000-000000000000",
      "revoke watch /subscriptions/22222222-0000-4000-8000-000000000000",
    ])
    error_message = "A role is assigned elsewhere than it should be, or not where it should."
  }
  assert {
    condition     = alltrue([for key, assignment in azurerm_role_assignment.ajar : assignment.scope == reverse(split(" ", key))[0]])
    error_message = "An assignment has another scope than it is called by."
  }
  assert {
    condition     = alltrue([for role in ["grant", "revoke"] : azurerm_role_definition.ajar[role].assignable_scopes == var.scopes])
    error_message = "What writes or deletes can be assigned elsewhere than at the given scopes."
  }
  assert {
    condition = alltrue([for role in ["discover", "watch"] : azurerm_role_definition.ajar[role].assignable_scopes == tolist([
      "/subscriptions/11111111-0000-4000-8000-000000000000",
      "/subscriptions/22222222-0000-4000-8000-000000000000",
    ])])
    error_message = "What reads can be assigned elsewhere than at the given subscriptions."
  }
  assert {
    condition     = alltrue([for definition in azurerm_role_definition.ajar : contains(definition.assignable_scopes, definition.scope)])
    error_message = "A role is kept where it cannot be assigned."
  }
  assert {
    condition     = alltrue([for assignment in azurerm_role_assignment.ajar : assignment.principal_type == "ServicePrincipal" && assignment.skip_service_principal_aad_check])
    error_message = "A new identity is looked up in the directory, which may not know it yet."
  }
  assert {
    condition     = output.subscription_ids == tolist(["11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"])
    error_message = "The subscriptions to look through are others."
  }
}

# Who holds which role: ids are known only after an apply, here of the mock.
run "holders" {
  assert {
    condition = alltrue([for key, assignment in azurerm_role_assignment.ajar :
      assignment.principal_id == azurerm_user_assigned_identity.function[split(" ", key)[0]].principal_id
    ])
    error_message = "A role is assigned to another identity."
  }
  assert {
    condition = alltrue([for key, assignment in azurerm_role_assignment.ajar : assignment.role_definition_id == format(
      "/subscriptions/%s/providers/Microsoft.Authorization/roleDefinitions/%s",
      split("/", assignment.scope)[2],
      azurerm_role_definition.ajar[split(" ", key)[1]].role_definition_id,
    )])
    error_message = "Another role is assigned, or by its id in another subscription."
  }
  # Without this the two above could hold because all are alike.
  assert {
    condition = (
      length(distinct([for identity in azurerm_user_assigned_identity.function : identity.principal_id])) == 3
      && length(distinct([for definition in azurerm_role_definition.ajar : definition.role_definition_id])) == 4
    )
    error_message = "The mock's ids tell nothing."
  }
  assert {
    condition = (
      output.client_ids == { for name, identity in azurerm_user_assigned_identity.function : name => identity.client_id }
      && output.principal_ids == { for name, identity in azurerm_user_assigned_identity.function : name => identity.principal_id }
      && output.tenant_id == azurerm_user_assigned_identity.function["grant"].tenant_id
    )
    error_message = "The outputs name other identities."
  }
}

run "without_network_watcher" {
  command = plan
  variables {
    ip_flow_verify = false
  }

  assert {
    condition     = toset(keys(azurerm_role_definition.ajar)) == toset(["grant", "revoke", "discover"])
    error_message = "There is a role for Network Watcher, which was not permitted."
  }
  assert {
    condition     = !anytrue([for key in keys(azurerm_role_assignment.ajar) : strcontains(key, "watch")])
    error_message = "Network Watcher is permitted all the same."
  }
}

run "a_group_whose_subscription_may_not_be_read" {
  command = plan
  variables {
    reading_scopes = []
  }
  expect_failures = [output.subscription_ids]
}
