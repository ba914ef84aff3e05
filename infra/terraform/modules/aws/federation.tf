# The account's issuer of tokens, which Entra trusts. There is one an account, and others may rely on it: it is
# read, and switched on only where asked.

data "aws_iam_outbound_web_identity_federation" "account" {
  count = var.create_issuer ? 0 : 1
}

resource "aws_iam_outbound_web_identity_federation" "account" {
  count = var.create_issuer ? 1 : 0
  lifecycle {
    prevent_destroy = true
  }
}

locals {
  issuer_url = one(concat(
    data.aws_iam_outbound_web_identity_federation.account[*].issuer_identifier,
    aws_iam_outbound_web_identity_federation.account[*].issuer_identifier,
  ))
}
