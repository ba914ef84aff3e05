terraform {
  required_version = ">= 1.9"
  required_providers {
    # 6.36 is the first with the data source of the account's outbound issuer.
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.36"
    }
    archive = {
      source  = "hashicorp/archive"
      version = ">= 2.4"
    }
    external = {
      source  = "hashicorp/external"
      version = ">= 2.3"
    }
  }
}
