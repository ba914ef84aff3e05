# Ajar in both clouds from one apply. Each refers to the other: the AWS roles are whom Azure trusts, and Azure's
# client ids are the functions' configuration. No secret of Azure's exists.

module "aws" {
  source = "./modules/aws"

  installation     = var.installation
  artifacts        = var.artifacts
  artifacts_sha256 = var.artifacts_sha256
  architecture     = var.architecture
  policy_file      = var.policy_file

  azure_tenant_id     = module.azure.tenant_id
  azure_client_ids    = module.azure.client_ids
  azure_subscriptions = module.azure.subscription_ids
  ip_flow_verify      = var.ip_flow_verify

  slack_team_id = var.slack_team_id
  slack_app_id  = var.slack_app_id

  create_issuer          = var.create_issuer
  deletion_protection    = var.deletion_protection
  log_retention_days     = var.log_retention_days
  archive_retention_days = var.archive_retention_days
  archive_retention_mode = var.archive_retention_mode
  throttle               = var.throttle
  stream_parallelization = var.stream_parallelization
  reserved_concurrency   = var.reserved_concurrency
  alarm_emails           = var.alarm_emails
  alarm_thresholds       = var.alarm_thresholds
}

module "azure" {
  source = "./modules/azure"

  installation        = var.installation
  issuer_url          = module.aws.issuer_url
  role_arns           = module.aws.role_arns
  scopes              = var.azure_scopes
  reading_scopes      = var.azure_reading_scopes
  location            = var.azure_location
  resource_group_name = var.azure_resource_group
  alert_emails        = var.alarm_emails
  ip_flow_verify      = var.ip_flow_verify

  log_analytics_workspace_id       = var.azure_log_analytics_workspace_id
  log_analytics_workspace_location = var.azure_log_analytics_workspace_location
}

module "slack" {
  source = "./modules/slack"

  name            = var.slack_app_name
  command_url     = module.aws.command_url
  interaction_url = module.aws.interaction_url
}

resource "local_file" "slack_manifest" {
  count           = var.slack_manifest_file == null ? 0 : 1
  filename        = var.slack_manifest_file
  content         = module.slack.manifest
  file_permission = "0644"
}
