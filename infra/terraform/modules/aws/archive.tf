# What is kept of a closed request when the table has purged it: the history that people read, and the signed
# clicks that an auditor verifies. Nobody can change or delete either before its time.

# An installation's name is one of an account and region; a bucket's is one of the world.
resource "aws_s3_bucket" "archive" {
  bucket              = "${local.name}-archive-${local.account}-${data.aws_region.current.region}"
  object_lock_enabled = true
}

# Object Lock holds versions.
resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  versioning_configuration {
    status = "Enabled"
  }
}

# By default, so that no function needs the right to say how long.
resource "aws_s3_bucket_object_lock_configuration" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  rule {
    default_retention {
      mode = var.archive_retention_mode
      days = var.archive_retention_days
    }
  }
  depends_on = [aws_s3_bucket_versioning.archive]
}

resource "aws_s3_bucket_public_access_block" "archive" {
  bucket                  = aws_s3_bucket.archive.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_policy" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "EncryptedOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.archive_arn, "${local.archive_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
  # AWS refuses a policy that is written while the block is.
  depends_on = [aws_s3_bucket_public_access_block.archive]
}

# A day after its retention a version may go; S3 itself keeps any that is still held.
resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket.archive.bucket
  rule {
    id     = "after-retention"
    status = "Enabled"
    filter {}
    expiration {
      days = var.archive_retention_days + 1
    }
    noncurrent_version_expiration {
      noncurrent_days = 1
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
  # A rule that expires by age cannot also remove the marks that this leaves.
  rule {
    id     = "marks"
    status = "Enabled"
    filter {}
    expiration {
      expired_object_delete_marker = true
    }
  }
  depends_on = [aws_s3_bucket_versioning.archive]
}
