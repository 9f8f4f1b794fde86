# What the machine may do. Each statement says why it is there; nothing is granted "in case".

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
  # What arrives is checked, unpacked and moved, and what cannot be used set aside: the tenants' areas only.
  statement {
    sid     = "Objects"
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = [
      for area in ["input", "arrivals", "results", "inferred", "rejected", "work", "shadows", ".bedside-top"] :
      "${var.bucket_arn}/${area}/*"
    ]
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
    sid     = "OwnObjects"
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = [
      for area in ["input", "arrivals", "results", "inferred", "rejected", "work", "shadows", ".bedside-top"] :
      "arn:${local.partition}:s3:::${var.name}-t-*/${area}/*"
    ]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  # The software that this machine installs. The folder and not the one archive, where it lies in one: a new archive
  # is then no other policy, which workflows may not write, and the machines of the old one can still install it.
  statement {
    sid     = "Software"
    actions = ["s3:GetObject"]
    resources = [
      "${var.bucket_arn}/${strcontains(var.node_archive_key, "/") ? "${dirname(var.node_archive_key)}/*" : var.node_archive_key}",
    ]
  }

  # The certificate and its key, for the machine after this one: Let's Encrypt gives few of a name in a week.
  # No other role reaches this area.
  statement {
    sid       = "Certificate"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.bucket_arn}/control/*"]
  }

  # What arrived, and the hints that bring workers for it: S3's events are received, hints sent to any pool.
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

  # Which release a pipeline names, and what that release accepts, stands in its manifest.
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
    for_each = local.key_arns
    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = [aws_cloudwatch_log_group.this.arn, "${aws_cloudwatch_log_group.this.arn}:*"]
  }

  # Whether it is well. Metrics have no resource; the namespace is what can be held.
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

  # The lasting address, and no other.
  statement {
    sid       = "Address"
    actions   = ["ec2:AssociateAddress"]
    resources = [aws_eip.this.arn]
  }

  # To this deployment's machines only: which one it is, nobody knows before it starts.
  statement {
    sid     = "AddressOfWhom"
    actions = ["ec2:AssociateAddress"]
    resources = [
      "arn:${local.partition}:ec2:${var.region}:${local.account}:instance/*",
      "arn:${local.partition}:ec2:${var.region}:${local.account}:network-interface/*",
    ]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/bedside:deployment"
      values   = [var.name]
    }
  }

  # A machine whose set-up failed asks to be replaced: in its own group only.
  statement {
    sid     = "Replace"
    actions = ["autoscaling:SetInstanceHealth"]
    resources = [
      "arn:${local.partition}:autoscaling:${var.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/${local.group}",
    ]
  }

  # Notices of what was rejected and of workers that went.
  dynamic "statement" {
    for_each = compact([var.topic_arn])
    content {
      sid       = "Notices"
      actions   = ["sns:Publish"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = local.group
  description        = "bedside's control machine"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  name   = "control"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_iam_instance_profile" "this" {
  name = local.group
  role = aws_iam_role.this.name
}
