# The functions' code, from a folder or from an address; and the policy, as a file beside it.

locals {
  source = (
    startswith(var.artifacts, "s3://") ? "s3" :
    startswith(var.artifacts, "https://") ? "https" : "folder"
  )
  folder = trimsuffix(var.artifacts, "/")

  s3_bucket = local.source == "s3" ? split("/", local.folder)[2] : null
  s3_prefix = local.source == "s3" ? join("/", concat(slice(split("/", local.folder), 3, length(split("/", local.folder))), [""])) : ""

  files = {
    for name in keys(local.functions) : name =>
    local.source == "folder" ? "${local.folder}/${name}.zip" :
    local.source == "https" ? data.external.artifact[name].result.path : null
  }

  # Base64 of the bytes that the hexadecimal digits mean: the form in which Lambda gives the hash of its code.
  # ISO 8859-1 has one byte for each of the first 256 characters.
  code_sha256 = {
    for name in keys(local.functions) : name =>
    local.source == "folder" ? filebase64sha256("${local.folder}/${name}.zip") : textencodebase64(
      jsondecode("\"${join("", [for byte in regexall("..", var.artifacts_sha256[name]) : "\\u00${byte}"])}\""),
      "ISO-8859-1",
    )
  }
}

# Fetched while planning, on whichever machine plans, and refused unless it is what artifacts_sha256 says.
data "external" "artifact" {
  for_each = local.source == "https" ? toset(keys(local.functions)) : toset([])
  program = [
    "sh", "${path.module}/fetch.sh",
    "${local.folder}/${each.key}.zip", var.artifacts_sha256[each.key], "${path.root}/.terraform/ajar/artifacts",
  ]
}

# A file and not an item of the table: whoever can write the table must not be able to change who may open what.
data "archive_file" "policy" {
  type             = "zip"
  output_path      = "${path.root}/.terraform/ajar/${local.name}-policy.zip"
  output_file_mode = "0644"
  source {
    content  = file(var.policy_file)
    filename = "policy.toml"
  }
}

resource "aws_lambda_layer_version" "policy" {
  layer_name          = "${local.name}-policy"
  description         = "policy.toml"
  filename            = data.archive_file.policy.output_path
  source_code_hash    = data.archive_file.policy.output_base64sha256
  compatible_runtimes = ["provided.al2023"]
}
