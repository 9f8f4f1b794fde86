# What every machine of a deployment may do, whatever it is for: the modules `workers` and `control` add their own
# to it. Each statement says why it is there; nothing is granted "in case". Documents only: nothing is made here.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  partition     = data.aws_partition.this.partition
  account       = data.aws_caller_identity.this.account_id
  parameter_arn = "arn:${local.partition}:ssm:${var.region}:${local.account}:parameter"
  areas         = ["input", "arrivals", "results", "inferred", "rejected", "work", "shadows", ".bedside-top"]
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  # Studies are checked, unpacked, read and moved, results written, and what cannot be used set aside: the tenants'
  # areas only.
  statement {
    sid = "Objects"
    actions = [
      "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
    ]
    resources = [for area in local.areas : "${var.bucket_arn}/${area}/*"]
  }

  # What lies in a drop-box is found by listing, and without this right a missing object reads as forbidden.
  # Uploads that broke off are found, and given up, by the second.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [var.bucket_arn]
  }

  # Buckets that tenants have for themselves (`bedside tenant create --own-buckets`): made while this runs, so
  # that their names are not known here, only their form. Nobody else's bucket of such a name is meant.
  statement {
    sid       = "OwnBuckets"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = ["arn:${local.partition}:s3:::${var.name}-t-*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid = "OwnObjects"
    actions = [
      "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
    ]
    resources = [for area in local.areas : "arn:${local.partition}:s3:::${var.name}-t-*/${area}/*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  # The software that a machine installs. The folder and not the one archive, where it lies in one: a new archive
  # is then no other policy, which workflows may not write, and the machines of the old one can still install it.
  statement {
    sid     = "Software"
    actions = ["s3:GetObject"]
    resources = [
      "${var.bucket_arn}/${strcontains(var.node_archive_key, "/") ? "${dirname(var.node_archive_key)}/*" : var.node_archive_key}",
    ]
  }

  # S3's events and hints of waiting jobs; a study that arrives and a stage that ends send a hint to any pool.
  statement {
    sid = "Queues"
    actions = [
      "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
      "sqs:SendMessage",
    ]
    resources = [for queue in values(var.pool_queues) : queue.arn]
  }

  # A token for the registry belongs to no resource.
  statement {
    sid       = "RegistryToken"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  # Which release a pipeline names, and what that release accepts, stands in its manifest. Releases are pulled, never
  # pushed, and only this deployment's.
  statement {
    sid     = "Releases"
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = [
      "arn:${local.partition}:ecr:${var.region}:${local.account}:repository/${var.name}",
      "arn:${local.partition}:ecr:${var.region}:${local.account}:repository/${var.name}/*",
    ]
  }

  # The ledger's URL holds its password, so it is read at each start and stands in no user data.
  statement {
    sid       = "Ledger"
    actions   = ["ssm:GetParameter"]
    resources = ["${local.parameter_arn}/${trimprefix(var.ledger_url_parameter_name, "/")}"]
  }

  # Commands of bedside that a person sends (module commands). The agent says that it is there and is given them over
  # the control channel, or by agents of an older kind as messages; AWS knows no resource for these. The data
  # channels of Session Manager are not among them: nobody opens a session here.
  statement {
    sid = "Commands"
    actions = [
      "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:OpenControlChannel",
      "ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage",
      "ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply",
    ]
    resources = ["*"]
  }

  # One's own key, where the bucket and the queues have one.
  dynamic "statement" {
    for_each = compact([var.key_arn])
    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }

  # How it is. Metrics have no resource; the namespace is what can be held.
  statement {
    sid       = "Metrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["bedside"]
    }
  }

  # Notices of results, of what was rejected, of failures and of workers that went.
  dynamic "statement" {
    for_each = compact([var.topic_arn])
    content {
      sid       = "Notices"
      actions   = ["sns:Publish"]
      resources = [statement.value]
    }
  }
}
