output "slack_manifest" {
  description = "The Slack app's manifest, JSON: `terraform output -raw slack_manifest`."
  value       = module.slack.manifest
}

output "slack_create_app_url" {
  description = "A link that opens Slack's form for a new app with the manifest filled in."
  value       = module.slack.create_app_url
}

output "command_url" {
  description = "Where Slack sends the command."
  value       = module.aws.command_url
}

output "interaction_url" {
  description = "Where Slack sends clicks."
  value       = module.aws.interaction_url
}

output "secret_arn" {
  description = "The secret, made empty: `ajar secret` fills it."
  value       = module.aws.secret_arn
}

output "alarm_topic_arn" {
  description = "Where AWS's alarms go."
  value       = module.aws.alarm_topic_arn
}

output "table_name" {
  description = "The table."
  value       = module.aws.table_name
}

output "issuer_url" {
  description = "The AWS account's issuer of tokens, which the managed identities trust."
  value       = module.aws.issuer_url
}

output "role_arns" {
  description = "The AWS roles that Azure trusts, by function."
  value       = module.aws.role_arns
}

output "azure_client_ids" {
  description = "The managed identities, by function."
  value       = module.azure.client_ids
}

output "archive_bucket" {
  description = "Where the histories and the evidence of closed requests are kept."
  value       = module.aws.archive_bucket
}

# No secret is in it.
output "operator" {
  description = "What the operator's tool needs to know, JSON: `terraform output -raw operator > ajar.json`."
  value = jsonencode({
    installation   = var.installation
    region         = module.aws.region
    table          = module.aws.table_name
    secret         = module.aws.secret_arn
    archive_bucket = module.aws.archive_bucket
    functions      = module.aws.function_names
    command_url    = module.aws.command_url
    azure = {
      tenant_id     = module.azure.tenant_id
      subscriptions = module.azure.subscription_ids
      scopes        = var.azure_scopes
      client_ids    = module.azure.client_ids
      principal_ids = module.azure.principal_ids
    }
  })
}
