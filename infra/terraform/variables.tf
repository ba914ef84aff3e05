variable "installation" {
  description = "Names this installation: in the rules that it writes in Azure and in everything that it makes. No hyphen, because the names of rules are split at hyphens."
  type        = string
  default     = "main"
  validation {
    condition     = can(regex("^[a-z0-9]{1,20}$", var.installation))
    error_message = "An installation's name is 1 to 20 lower-case letters and digits."
  }
}

variable "artifacts" {
  description = "Where request.zip, grant.zip, revoke.zip, notify.zip and discover.zip are: a folder, https://host/folder, or s3://bucket/folder (a bucket in the region of the functions)."
  type        = string
}

variable "artifacts_sha256" {
  description = "SHA-256 of each archive in hexadecimal, by function, as in SHA256SUMS of a release. Needed where artifacts is an address, so that only what you have seen is deployed."
  type        = map(string)
  default     = {}
}

variable "architecture" {
  description = "What the binaries were built for: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "policy_file" {
  description = "The policy (TOML): who may ask for what, and who decides."
  type        = string
}

variable "azure_scopes" {
  description = "Where rules may be written: ids of subscriptions or resource groups, as /subscriptions/<uuid> or /subscriptions/<uuid>/resourceGroups/<name>. They must hold the VMs, their interfaces and networks, and every group on the way. The machines of their subscriptions may be asked for."
  type        = list(string)
  validation {
    condition     = length(var.azure_scopes) > 0 && alltrue([for scope in var.azure_scopes : can(regex("^/subscriptions/[0-9a-f-]{36}(/resourceGroups/[^/]+)?$", scope))])
    error_message = "Each scope is /subscriptions/<id> or /subscriptions/<id>/resourceGroups/<name>."
  }
}

variable "azure_reading_scopes" {
  description = "Subscriptions that may be read besides, as /subscriptions/<uuid>: those of resource groups in azure_scopes, because machines are listed by subscription."
  type        = list(string)
  default     = []
}

variable "azure_location" {
  description = "Region of the managed identities and their resource group, as in westeurope."
  type        = string
}

variable "azure_resource_group" {
  description = "Name of the resource group that is made for the managed identities and the alerts."
  type        = string
}

variable "azure_log_analytics_workspace_id" {
  description = "Workspace that the activity logs of the subscriptions are sent to. With it an alert tells of whatever the identities do beyond rules of our names. Null: no such alert."
  type        = string
  default     = null
}

variable "azure_log_analytics_workspace_location" {
  description = "Region of that workspace. Null: that of azure_location."
  type        = string
  default     = null
}

variable "ip_flow_verify" {
  description = "Whether Azure's own check (Network Watcher, IP flow verify) is asked before a port is said to be open or shut."
  type        = bool
  default     = true
}

variable "slack_team_id" {
  description = "The Slack workspace (T…). Empty: as the secret says, where the operator's tool writes it beside the others."
  type        = string
  default     = ""
}

variable "slack_app_id" {
  description = "The Slack app (A…). Empty: as the secret says."
  type        = string
  default     = ""
}

variable "slack_app_name" {
  description = "The app's name, as people see it."
  type        = string
  default     = "Ajar"
}

variable "slack_manifest_file" {
  description = "Where to write the Slack app's manifest. Null: only the output slack_manifest."
  type        = string
  default     = null
}

variable "create_issuer" {
  description = "Whether to switch on outbound identity federation for the whole AWS account. Leave it false where it is on already."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the table. Destroying shuts nothing in Azure: shut every grant, then set this to false, apply, and destroy."
  type        = bool
  default     = true
}

variable "archive_retention_days" {
  description = "How long the archive keeps what it is given. Raising it later holds only what is archived from then on."
  type        = number
  default     = 400
}

variable "archive_retention_mode" {
  description = "GOVERNANCE, or COMPLIANCE: then nobody can delete from the archive before its time, nor the bucket, and that cannot be taken back."
  type        = string
  default     = "GOVERNANCE"
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90
}

variable "throttle" {
  description = "What the public door lets in for each of Slack's routes: requests a second, and how many at once. The page of addresses gets a quarter and a fifth of it."
  type        = object({ rate = number, burst = number })
  default     = { rate = 20, burst = 50 }
}

variable "stream_parallelization" {
  description = "How many batches of one shard a reader of the stream works on at a time, 1 to 10."
  type        = number
  default     = 2
}

variable "reserved_concurrency" {
  description = "Concurrency set aside for functions, by name. Empty by default: an account must keep 100 unreserved, and a new one has 10 in all."
  type        = map(number)
  default     = {}
}

variable "alarm_emails" {
  description = "Who is told of alarms, of both clouds. Each address must confirm the message that AWS sends."
  type        = list(string)
  default     = []
}

variable "alarm_thresholds" {
  description = "Above which an alarm is raised: seconds that the oldest grant is overdue; milliseconds that a reader of the stream is behind; requests that Slack did not sign in five minutes; milliseconds in which 95 of 100 answers to Slack are given (Slack waits 3000)."
  type = object({
    overdue_seconds      = optional(number, 120)
    iterator_age_ms      = optional(number, 60000)
    unsigned_requests    = optional(number, 20)
    request_duration_p95 = optional(number, 2500)
  })
  default = {}
}
