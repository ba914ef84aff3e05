variable "installation" {
  description = "Names this installation: 1 to 20 lower-case letters and digits, no hyphen. Its rules in Azure are called jit-<installation>-<request id>. One name serves once in a tenant, because the names of the roles are unique there."
  type        = string
  nullable    = false

  # As `Installation` in functions/access/src/request.rs.
  validation {
    condition     = can(regex("^[a-z0-9]{1,20}$", var.installation))
    error_message = "An installation's name is 1 to 20 lower-case letters and digits, without a hyphen."
  }
}

variable "issuer_url" {
  description = "The AWS account's issuer of web identity tokens: https://<uuid>.tokens.sts.global.api.aws, without a slash at the end (aws iam get-outbound-web-identity-federation-info)."
  type        = string
  nullable    = false

  # Whoever may sign for this address may act as all three identities, so only AWS's own form is taken.
  validation {
    condition     = can(regex("^https://[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\\.tokens\\.sts\\.global\\.api\\.aws$", var.issuer_url))
    error_message = "The issuer looks like https://<uuid>.tokens.sts.global.api.aws, in lower case and without a slash at the end."
  }
}

variable "role_arns" {
  description = "The AWS roles of the functions `grant`, `revoke` and `discover`. Each is the subject of one identity's only credential, compared letter by letter: a role that is renamed or moved to another path is not trusted any more."
  type        = object({ grant = string, revoke = string, discover = string })
  nullable    = false

  validation {
    condition     = alltrue([for arn in values(var.role_arns) : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "Each is the ARN of a role (arn:aws:iam::123456789012:role/...), not that of a session (arn:aws:sts::...:assumed-role/...), and without a wildcard."
  }
  # One role in two places could write and delete.
  validation {
    condition     = length(distinct(values(var.role_arns))) == 3
    error_message = "Each function has a role of its own."
  }
}

variable "scopes" {
  description = "Where rules may be written: ids of subscriptions or resource groups, as /subscriptions/<uuid> or /subscriptions/<uuid>/resourceGroups/<name>, known when planning. They must hold the VMs, their interfaces and networks, and every group on the way. The first one also holds the roles: changing it makes them anew."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.scopes) > 0
    error_message = "Without a scope nothing can be opened."
  }
  validation {
    condition     = alltrue([for scope in var.scopes : can(regex("^/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/resourceGroups/[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-])?$", scope))])
    error_message = "A scope is /subscriptions/<uuid> or /subscriptions/<uuid>/resourceGroups/<name>, spelled like this and without a slash at the end."
  }
  # Azure ignores case: the second assignment would be refused as existing.
  validation {
    condition     = length(distinct([for scope in var.scopes : lower(scope)])) == length(var.scopes)
    error_message = "A scope is named twice."
  }
  validation {
    condition     = !anytrue([for scope in var.scopes : strcontains(scope, "/resourceGroups/") && contains(var.scopes, split("/resourceGroups/", scope)[0])])
    error_message = "A resource group is named beside its whole subscription, which includes it."
  }
}

variable "reading_scopes" {
  description = "Subscriptions that may be read besides, without any right to write: /subscriptions/<uuid>. Where `scopes` names a resource group, its subscription must be here or there: machines and network watchers are listed by subscription, and Azure refuses such a list to whoever may only read one group of it."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for scope in var.reading_scopes : can(regex("^/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", scope))])
    error_message = "A reading scope is /subscriptions/<uuid>, in lower case and without a slash at the end."
  }
  validation {
    condition     = length(distinct(var.reading_scopes)) == length(var.reading_scopes)
    error_message = "A reading scope is named twice."
  }
}

variable "location" {
  description = "Azure region of the resource group and the identities, like westeurope. It must be one where user-assigned identities may have federated credentials; it need not be that of the VMs."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9 ]*$", var.location))
    error_message = "A location is the name of a region, like westeurope."
  }
}

variable "resource_group_name" {
  description = "Name of the resource group that is made for the identities and the alerts. Whoever may write in it may give the identities other credentials, so it is best a group of its own."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$", var.resource_group_name))
    error_message = "The name of a resource group is 1 to 90 letters, digits and _ ( ) . -, and does not end with a dot."
  }
}

variable "alert_emails" {
  description = "Who is told of an alert. Without any, alerts are only listed in the portal."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "That is not an email address."
  }
  validation {
    condition     = length(distinct(var.alert_emails)) == length(var.alert_emails)
    error_message = "An email address is named twice."
  }
}

variable "log_analytics_workspace_id" {
  description = "Workspace that the activity logs of all subscriptions in `scopes` are sent to. With it an alert tells of whatever the identities do beyond rules of our names; without it nothing watches the names of rules, because an activity-log alert cannot say `not`."
  type        = string
  default     = null

  validation {
    condition     = var.log_analytics_workspace_id == null || can(regex("^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft.OperationalInsights/workspaces/[A-Za-z0-9-]+$", var.log_analytics_workspace_id))
    error_message = "A workspace's id is /subscriptions/<uuid>/resourceGroups/<name>/providers/Microsoft.OperationalInsights/workspaces/<name>."
  }
}

variable "log_analytics_workspace_location" {
  description = "Region of that workspace, where the alert's rule must be too. By default that of `location`."
  type        = string
  default     = null
}

variable "ip_flow_verify" {
  description = "Whether `grant` and `revoke` may ask Network Watcher what becomes of a flow before they say open or shut. Without it they go by the rules alone, and say so."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of whatever can have them."
  type        = map(string)
  default     = {}
  nullable    = false
}
