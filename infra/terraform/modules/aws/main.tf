# The AWS side: five functions, the table that they share, and the one door from the Internet.
#
# Names and ARNs are made here from what is known before anything exists, so that a plan shows every policy in
# full: whoever reviews it sees what a role may do, not "known after apply".

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  name      = "ajar-${var.installation}"
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  place     = "${data.aws_region.current.region}:${local.account}"

  functions = {
    request = { timeout = 10, memory = 256 } # Slack waits 3 s; a slower answer still ends cleanly.
    grant   = { timeout = 60, memory = 256 }
    revoke  = { timeout = 180, memory = 256 } # A tick waits for what is due in the next two minutes.
    notify  = { timeout = 60, memory = 256 }
    # Some thousand machines: a few dozen pages, and a write for each.
    discover = { timeout = 120, memory = 256 }
  }
  function_names = { for name in keys(local.functions) : name => "${local.name}-${name}" }
  function_arns  = { for name in keys(local.functions) : name => "arn:${local.partition}:lambda:${local.place}:function:${local.function_names[name]}" }

  table_arn  = "arn:${local.partition}:dynamodb:${local.place}:table/${local.name}"
  index_arns = { for name in ["due", "person", "machine"] : name => "${local.table_arn}/index/${name}" }

  archive_arn = "arn:${local.partition}:s3:::${local.name}-archive-${local.account}-${data.aws_region.current.region}"

  # Azure trusts the ARN of a role, so the roles have a path of their own that an organisation can guard.
  role_path = "/ajar/"
}
