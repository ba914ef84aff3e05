terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = {
      source = "hashicorp/azurerm"
      # 4.81 and 5.x both know `user_assigned_identity_id` of a federated credential; 5.x knows nothing else.
      version = ">= 4.81, < 6.0"
    }
  }
}
