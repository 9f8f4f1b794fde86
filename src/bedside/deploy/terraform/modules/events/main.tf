# What arrives becomes a message; what cannot be handled waits where a person sees it.
# Messages are hints, the ledger is the truth: one that comes twice or late does no harm.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  default_pool = contains(var.pools, "default") ? "default" : sort(var.pools)[0]

  # The default pool's queue bears the deployment's name; further pools add theirs.
  queues = { for pool in var.pools : pool => pool == local.default_pool ? "${var.name}-events" : "${var.name}-${pool}" }
}

resource "aws_sqs_queue" "dead_letters" {
  for_each = local.queues

  name                      = "${each.value}-dead"
  message_retention_seconds = 1209600 # two weeks, SQS's most: longer than a holiday

  sqs_managed_sse_enabled = var.key_arn == "" ? true : null
  kms_master_key_id       = var.key_arn == "" ? null : var.key_arn
}

resource "aws_sqs_queue" "pool" {
  for_each = local.queues

  name                       = each.value
  visibility_timeout_seconds = var.visibility_s
  message_retention_seconds  = 1209600
  receive_wait_time_seconds  = 20 # a long poll is one request in 20 s instead of hundreds

  sqs_managed_sse_enabled = var.key_arn == "" ? true : null
  kms_master_key_id       = var.key_arn == "" ? null : var.key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[each.key].arn
    maxReceiveCount     = var.attempts
  })
}

# Only the queue beside it may leave its dead letters here, and only there they can be driven back to.
resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  for_each = local.queues

  queue_url = aws_sqs_queue.dead_letters[each.key].id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.pool[each.key].arn]
  })
}

data "aws_iam_policy_document" "queue" {
  for_each = local.queues

  # S3 announces objects, in the default pool's queue alone. Bucket and account are both named: a bucket's
  # name may belong to somebody else after it was deleted. Tenants' own input buckets are made while this
  # stands, so that only the form of their names is known: a policy that listed them would be taken back by
  # the next apply.
  dynamic "statement" {
    for_each = each.key == local.default_pool ? [1] : []
    content {
      sid       = "Announce"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.pool[each.key].arn]

      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = [var.bucket_arn, "arn:${data.aws_partition.this.partition}:s3:::${var.name}-t-*-input"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [data.aws_caller_identity.this.account_id]
      }
    }
  }

  # Keys of objects may hold what a sender called a file: not over a line that can be read.
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.pool[each.key].arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "pool" {
  for_each = local.queues

  queue_url = aws_sqs_queue.pool[each.key].id
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

# All of the bucket's notifications: S3 keeps one document, and whoever writes it replaces it.
resource "aws_s3_bucket_notification" "this" {
  bucket      = var.bucket
  eventbridge = true # wakes the workers, in parallel to the queue

  queue {
    id            = "arrivals"
    queue_arn     = aws_sqs_queue.pool[local.default_pool].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "input/"
  }

  # S3 tries the queue before it accepts this.
  depends_on = [aws_sqs_queue_policy.pool]
}
