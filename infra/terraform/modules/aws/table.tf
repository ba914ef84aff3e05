resource "aws_dynamodb_table" "ajar" {
  name             = local.name
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "pk"
  range_key        = "sk"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  # The evidence of who approved what is in it.
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = { pk = "S", sk = "S", due_shard = "S", due_at = "N", machine = "S", person = "S", status = "S" }
    content {
      name = attribute.key
      type = attribute.value
    }
  }

  # Sparse: an item without the keys is not in the index. `due` holds what still needs something, by when.
  dynamic "global_secondary_index" {
    for_each = {
      due     = { hash = "due_shard", range = "due_at" }
      machine = { hash = "machine", range = "status" }
      person  = { hash = "person", range = "status" }
    }
    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.hash
      range_key       = global_secondary_index.value.range
      projection_type = "ALL"
    }
  }

  # Purges only; never the timer of a grant.
  ttl {
    enabled        = true
    attribute_name = "purge_at"
  }

  point_in_time_recovery {
    enabled = true
  }
}

# Created empty: {"signing_secret": …, "bot_token": …} is put by hand, so that no state file holds it.
resource "aws_secretsmanager_secret" "slack" {
  name        = "${local.name}/slack"
  description = "Ajar: Slack's signing secret and the bot's token, {\"signing_secret\": …, \"bot_token\": …}"
}
