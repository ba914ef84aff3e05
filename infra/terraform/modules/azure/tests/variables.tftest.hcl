# What is refused before anything is made.

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

run "an_installation_with_a_hyphen" {
  command = plan
  variables {
    installation = "prod-1"
  }
  expect_failures = [var.installation]
}

run "an_installation_in_capitals" {
  command = plan
  variables {
    installation = "Prod"
  }
  expect_failures = [var.installation]
}

run "an_installation_without_a_name" {
  command = plan
  variables {
    installation = ""
  }
  expect_failures = [var.installation]
}

run "an_installation_of_21_characters" {
  command = plan
  variables {
    installation = "abcdefghijklmnopqrstu"
  }
  expect_failures = [var.installation]
}

run "an_issuer_with_a_slash_at_the_end" {
  command = plan
  variables {
    issuer_url = "https://3f1d0a52-8a0e-4c2b-9b57-5e9f6a7c1d20.tokens.sts.global.api.aws/"
  }
  expect_failures = [var.issuer_url]
}

run "an_issuer_without_tls" {
  command = plan
  variables {
    issuer_url = "http://3f1d0a52-8a0e-4c2b-9b57-5e9f6a7c1d20.tokens.sts.global.api.aws"
  }
  expect_failures = [var.issuer_url]
}

run "an_issuer_of_somebody_else" {
  command = plan
  variables {
    issuer_url = "https://3f1d0a52-8a0e-4c2b-9b57-5e9f6a7c1d20.tokens.sts.global.api.aws.example.com"
  }
  expect_failures = [var.issuer_url]
}

run "a_session_in_place_of_a_role" {
  command = plan
  variables {
    role_arns = { grant = "arn:aws:sts::123456789012:assumed-role/ajar-grant/1", revoke = "arn:aws:iam::123456789012:role/ajar/ajar-revoke", discover = "arn:aws:iam::123456789012:role/ajar/ajar-discover" }
  }
  expect_failures = [var.role_arns]
}

run "a_role_with_a_wildcard" {
  command = plan
  variables {
    role_arns = { grant = "arn:aws:iam::123456789012:role/ajar/ajar-grant", revoke = "arn:aws:iam::123456789012:role/ajar/*", discover = "arn:aws:iam::123456789012:role/ajar/ajar-discover" }
  }
  expect_failures = [var.role_arns]
}

run "one_role_for_two_functions" {
  command = plan
  variables {
    role_arns = { grant = "arn:aws:iam::123456789012:role/ajar/ajar-grant", revoke = "arn:aws:iam::123456789012:role/ajar/ajar-grant", discover = "arn:aws:iam::123456789012:role/ajar/ajar-discover" }
  }
  expect_failures = [var.role_arns]
}

run "no_scope" {
  command = plan
  variables {
    scopes = []
  }
  expect_failures = [var.scopes]
}

run "a_scope_that_is_a_name" {
  command = plan
  variables {
    scopes = ["Contoso"]
  }
  expect_failures = [var.scopes]
}

run "a_scope_with_a_slash_at_the_end" {
  command = plan
  variables {
    scopes = ["/subscriptions/11111111-0000-4000-8000-000000000000/"]
  }
  expect_failures = [var.scopes]
}

run "a_scope_that_is_a_group_of_rules" {
  command = plan
  variables {
    scopes = ["/subscriptions/11111111-0000-4000-8000-000000000000/resourceGroups/Contoso/providers/Microsoft.Network/networkSecurityGroups/vm3-nsg"]
  }
  expect_failures = [var.scopes]
}

run "a_scope_that_is_a_management_group" {
  command = plan
  variables {
    scopes = ["/providers/Microsoft.Management/managementGroups/all"]
  }
  expect_failures = [var.scopes]
}

run "a_scope_in_another_spelling" {
  command = plan
  variables {
    scopes = ["/subscriptions/11111111-0000-4000-8000-000000000000/resourcegroups/Contoso"]
  }
  expect_failures = [var.scopes]
}

run "a_scope_named_twice" {
  command = plan
  variables {
    scopes = ["/subscriptions/11111111-0000-4000-8000-000000000000/resourceGroups/Contoso", "/subscriptions/11111111-0000-4000-8000-000000000000/resourceGroups/CONTOSO"]
  }
  expect_failures = [var.scopes]
}

run "a_scope_within_another_one" {
  command = plan
  variables {
    scopes = ["/subscriptions/11111111-0000-4000-8000-000000000000", "/subscriptions/11111111-0000-4000-8000-000000000000/resourceGroups/Contoso"]
  }
  expect_failures = [var.scopes]
}

run "a_group_to_read" {
  command = plan
  variables {
    reading_scopes = ["/subscriptions/11111111-0000-4000-8000-000000000000/resourceGroups/Contoso"]
  }
  expect_failures = [var.reading_scopes]
}

run "a_scope_to_read_named_twice" {
  command = plan
  variables {
    reading_scopes = ["/subscriptions/11111111-0000-4000-8000-000000000000", "/subscriptions/11111111-0000-4000-8000-000000000000"]
  }
  expect_failures = [var.reading_scopes]
}

run "a_location_that_is_none" {
  command = plan
  variables {
    location = "west-europe!"
  }
  expect_failures = [var.location]
}

run "a_group_name_that_ends_with_a_dot" {
  command = plan
  variables {
    resource_group_name = "ajar."
  }
  expect_failures = [var.resource_group_name]
}

run "a_group_name_with_a_slash" {
  command = plan
  variables {
    resource_group_name = "ajar/prod"
  }
  expect_failures = [var.resource_group_name]
}

run "an_address_that_is_none" {
  command = plan
  variables {
    alert_emails = ["ops"]
  }
  expect_failures = [var.alert_emails]
}

run "an_address_that_is_not_whole" {
  command = plan
  variables {
    alert_emails = ["ops@example."]
  }
  expect_failures = [var.alert_emails]
}

run "an_address_named_twice" {
  command = plan
  variables {
    alert_emails = ["ops@example.com", "ops@example.com"]
  }
  expect_failures = [var.alert_emails]
}

run "a_workspace_by_its_name" {
  command = plan
  variables {
    log_analytics_workspace_id = "all"
  }
  expect_failures = [var.log_analytics_workspace_id]
}

# What looks odd and is right.
run "the_longest_and_the_oddest" {
  command = plan
  variables {
    installation        = "0abcdefghijklmnopqrs"
    resource_group_name = "-a.(b)_"
    location            = "West Europe"
    role_arns           = { grant = "arn:aws:iam::123456789012:role/ajar/ajar-grant", revoke = "arn:aws:iam::123456789012:role/ajar/ajar-revoke", discover = "arn:aws-us-gov:iam::123456789012:role/a+=,.@-_b/c" }
    scopes              = ["/subscriptions/11111111-0000-4000-8000-000000000000/resourceGroups/x.(y)-_"]
    reading_scopes      = ["/subscriptions/11111111-0000-4000-8000-000000000000"]
  }

  assert {
    condition     = length(azurerm_role_assignment.ajar) == 5
    error_message = "One group, and its subscription to read: three roles and Network Watcher's twice."
  }
}
