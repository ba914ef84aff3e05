variable "installation" {
  description = "Names this installation: in the rules that it writes in Azure and in everything that it makes in AWS. No hyphen, because the names of rules are split at hyphens."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{1,20}$", var.installation))
    error_message = "An installation's name is 1 to 20 lower-case letters and digits."
  }
}

variable "artifacts" {
  description = "Where request.zip, grant.zip, revoke.zip, notify.zip and discover.zip are: a folder, https://host/folder, or s3://bucket/folder (a bucket in the region of the functions)."
  type        = string
  validation {
    condition     = !can(regex("^[a-z0-9]+://", var.artifacts)) || can(regex("^(https|s3)://[^/?#\\s]+(/[^?#\\s]*)?$", var.artifacts))
    error_message = "An address of artifacts begins with https:// or s3:// and has no query."
  }
}

variable "artifacts_sha256" {
  description = "SHA-256 of each archive in hexadecimal, by function, as in SHA256SUMS of a release. Needed where artifacts is an address, so that only what you have seen is deployed."
  type        = map(string)
  default     = {}
  validation {
    condition = !can(regex("^[a-z0-9]+://", var.artifacts)) || alltrue([
      for name in ["request", "grant", "revoke", "notify", "discover"] : can(regex("^[0-9a-f]{64}$", var.artifacts_sha256[name]))
    ])
    error_message = "Where artifacts is an address, artifacts_sha256 has the 64 lower-case hexadecimal digits for each of request, grant, revoke, notify and discover."
  }
}

variable "architecture" {
  description = "What the binaries were built for: arm64 or x86_64."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

variable "policy_file" {
  description = "The policy (TOML): who may ask for what, and who decides. It is delivered to the functions as a file."
  type        = string
  validation {
    condition     = fileexists(var.policy_file)
    error_message = "There is no such policy file."
  }
}

variable "azure_tenant_id" {
  description = "The Entra tenant of the subscriptions."
  type        = string
}

variable "azure_client_ids" {
  description = "Client ids of the managed identities: the one that writes rules, the one that deletes them, and the one that only reads."
  type        = object({ grant = string, revoke = string, discover = string })
}

variable "azure_subscriptions" {
  description = "Ids of the Azure subscriptions whose machines may be asked for."
  type        = list(string)
  validation {
    condition     = length(var.azure_subscriptions) > 0 && alltrue([for id in var.azure_subscriptions : can(regex("^[0-9A-Za-z-]{1,64}$", id))])
    error_message = "Name at least one subscription, each by its plain id, as in 00000000-0000-0000-0000-000000000000."
  }
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
  validation {
    condition     = can(regex("^([TE][A-Z0-9]+)?$", var.slack_team_id))
    error_message = "A workspace's id begins with T, an organisation's with E."
  }
}

variable "slack_app_id" {
  description = "The Slack app (A…). Empty: as the secret says."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^(A[A-Z0-9]+)?$", var.slack_app_id))
    error_message = "An app's id begins with A."
  }
}

variable "create_issuer" {
  description = "Whether to switch on outbound identity federation for the whole AWS account. Leave it false where it is on already. Destroying what this makes would switch it off for everybody in the account, so Terraform refuses to: take it out of the state first."
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
  validation {
    condition     = var.archive_retention_days >= 1 && var.archive_retention_days <= 36500 && floor(var.archive_retention_days) == var.archive_retention_days
    error_message = "The archive keeps things for 1 to 36500 whole days."
  }
}

variable "archive_retention_mode" {
  description = "GOVERNANCE: who holds s3:BypassGovernanceRetention can delete from the archive before its time; no role of ours does. COMPLIANCE: nobody can, not even the account's root, and the bucket cannot be destroyed either before the last object's time is over. That cannot be taken back, so it must be asked for."
  type        = string
  default     = "GOVERNANCE"
  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.archive_retention_mode)
    error_message = "The mode is GOVERNANCE or COMPLIANCE."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "throttle" {
  description = "What the public door lets in for each of Slack's routes: requests a second, and how many at once. The page of addresses gets a quarter and a fifth of it."
  type        = object({ rate = number, burst = number })
  default     = { rate = 20, burst = 50 }
  validation {
    condition     = var.throttle.rate > 0 && var.throttle.burst > 0
    error_message = "A door without a throttle, or one that lets nobody in, is not made."
  }
}

variable "stream_parallelization" {
  description = "How many batches of one shard a reader works on at a time. The order of one request's changes is kept."
  type        = number
  default     = 2
  validation {
    condition     = var.stream_parallelization >= 1 && var.stream_parallelization <= 10 && floor(var.stream_parallelization) == var.stream_parallelization
    error_message = "1 to 10."
  }
}

variable "reserved_concurrency" {
  description = "Concurrency set aside for functions, by name. Empty by default: an account must keep 100 unreserved, and a new one has 10 in all."
  type        = map(number)
  default     = {}
  validation {
    condition     = length(setsubtract(keys(var.reserved_concurrency), ["request", "grant", "revoke", "notify", "discover"])) == 0
    error_message = "The functions are request, grant, revoke, notify and discover."
  }
}

variable "alarm_emails" {
  description = "Who is told of alarms. Each address must confirm the message that AWS sends."
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
