# Regions, accounts and logins come from the environment (AWS_REGION, AWS_PROFILE, ARM_SUBSCRIPTION_ID, `az login` …).
# The AWS provider needs no block for that; Azure's refuses to work without `features`.
#
# So this can be called as a module, but not with count, for_each or a provider of yours. Who needs those calls
# ./modules/aws, ./modules/azure and ./modules/slack, as main.tf does.

provider "azurerm" {
  features {}
}
