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
  description = "The secret to fill with {\"signing_secret\": …, \"bot_token\": …}."
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
