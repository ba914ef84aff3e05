# The Slack app, as a manifest that Slack takes. It needs no provider: nothing is made here.

terraform {
  required_version = ">= 1.9"
}

variable "name" {
  description = "The app's name, as people see it."
  type        = string
  default     = "Ajar"
  validation {
    condition     = length(var.name) >= 1 && length(var.name) <= 35
    error_message = "Slack takes names of 1 to 35 characters."
  }
}

variable "command_url" {
  description = "Where Slack sends the command /jit."
  type        = string
}

variable "interaction_url" {
  description = "Where Slack sends clicks."
  type        = string
}

locals {
  manifest = {
    _metadata = { major_version = 2, minor_version = 1 }
    display_information = {
      name        = var.name
      description = "Opens a port on a machine for a while, after a colleague has approved."
    }
    features = {
      bot_user = { display_name = var.name, always_online = true }
      # Approvers and requesters are told things directly; nobody talks to the app there.
      app_home = { home_tab_enabled = false, messages_tab_enabled = true, messages_tab_read_only_enabled = true }
      slash_commands = [{
        command     = "/jit"
        url         = var.command_url
        description = "Ask for a port on a machine, for a while"
        usage_hint  = "VM3 22 from 203.0.113.7 for 30m because … | vms | help"
        # A reason stays as it was typed: the app escapes what it shows.
        should_escape = false
      }]
    }
    oauth_config = {
      scopes = {
        bot = [
          "chat:write",      # the card and what follows it
          "commands",        # /jit
          "usergroups:read", # who is in a group that the policy names
          "users:read",      # people's time zones
        ]
      }
    }
    settings = {
      interactivity          = { is_enabled = true, request_url = var.interaction_url }
      org_deploy_enabled     = false
      socket_mode_enabled    = false
      token_rotation_enabled = false
    }
  }
}

output "manifest" {
  description = "The manifest, JSON."
  value       = jsonencode(local.manifest)
}

output "create_app_url" {
  description = "A link that opens Slack's form for a new app with the manifest filled in."
  value       = "https://api.slack.com/apps?new_app=1&manifest_json=${urlencode(jsonencode(local.manifest))}"
}
