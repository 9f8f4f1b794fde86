# Who may do what. Each statement says why it is there; nothing is granted "in case".

data "aws_iam_policy_document" "machine_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "lambda_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "worker" {
  for_each = var.pools

  # Studies are read and moved, results written, and what cannot be used set aside: the tenants' areas only.
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

  # Hints and S3's events; a stage that ends sends a hint to the pool of the next one.
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

  # Releases are pulled, never pushed, and only this deployment's.
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
    sid     = "Logs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = [
      aws_cloudwatch_log_group.worker[each.key].arn,
      "${aws_cloudwatch_log_group.worker[each.key].arn}:*",
    ]
  }

  # Metrics have no resource; the namespace is what can be held.
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

  # A worker with nothing to do takes its own machine out, and a drained one says so: in its own group only.
  statement {
    sid       = "OwnGroup"
    actions   = ["autoscaling:TerminateInstanceInAutoScalingGroup", "autoscaling:CompleteLifecycleAction"]
    resources = [local.group_arns[each.key]]
  }

  # In a warm pool it protects itself while it works, and leaves by one fewer.
  dynamic "statement" {
    for_each = each.value.warm_pool > 0 ? [1] : []
    content {
      sid       = "WarmPool"
      actions   = ["autoscaling:SetInstanceProtection", "autoscaling:ExecutePolicy"]
      resources = [local.group_arns[each.key]]
    }
  }

  # What is protected must see that the night has come. AWS knows no narrower right to look at groups.
  dynamic "statement" {
    for_each = each.value.warm_pool > 0 ? [1] : []
    content {
      sid       = "Look"
      actions   = ["autoscaling:DescribeAutoScalingGroups"]
      resources = ["*"]
    }
  }

  # Results and studies go to this datastore.
  dynamic "statement" {
    for_each = var.archive_datastore_id == "" ? [] : [1]
    content {
      sid = "Archive"
      actions = [
        "medical-imaging:StartDICOMImportJob", "medical-imaging:GetDICOMImportJob",
        "medical-imaging:StoreDICOM", "medical-imaging:StoreDICOMStudy", "medical-imaging:SearchImageSets",
      ]
      resources = [
        "arn:${local.partition}:medical-imaging:${var.region}:${local.account}:datastore/${var.archive_datastore_id}",
        "arn:${local.partition}:medical-imaging:${var.region}:${local.account}:datastore/${var.archive_datastore_id}/*",
      ]
    }
  }

  # An import reads the bucket with its own role, which only HealthImaging may be handed.
  dynamic "statement" {
    for_each = var.archive_datastore_id == "" ? [] : [1]
    content {
      sid       = "ArchiveRole"
      actions   = ["iam:PassRole"]
      resources = [var.archive_role_arn]
      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["medical-imaging.amazonaws.com"]
      }
    }
  }

  # Notices of results and failures.
  dynamic "statement" {
    for_each = compact([var.topic_arn])
    content {
      sid       = "Notices"
      actions   = ["sns:Publish"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "worker" {
  for_each = var.pools

  name               = "${local.groups[each.key]}-worker"
  description        = "Machines of bedside's pool ${each.key}"
  assume_role_policy = data.aws_iam_policy_document.machine_trust.json
}

resource "aws_iam_role_policy" "worker" {
  for_each = var.pools

  name   = "worker"
  role   = aws_iam_role.worker[each.key].id
  policy = data.aws_iam_policy_document.worker[each.key].json
}

resource "aws_iam_instance_profile" "worker" {
  for_each = var.pools

  name = "${local.groups[each.key]}-worker"
  role = aws_iam_role.worker[each.key].name
}

data "aws_iam_policy_document" "waker" {
  # How much waits; nothing is received.
  statement {
    sid       = "Count"
    actions   = ["sqs:GetQueueAttributes"]
    resources = [for queue in values(var.pool_queues) : queue.arn]
  }

  # AWS knows no narrower right to look at groups.
  statement {
    sid       = "Look"
    actions   = ["autoscaling:DescribeAutoScalingGroups"]
    resources = ["*"]
  }

  statement {
    sid       = "Raise"
    actions   = ["autoscaling:SetDesiredCapacity"]
    resources = values(local.group_arns)
  }

  # Since when work waits, where it may.
  dynamic "statement" {
    for_each = length(local.patient) > 0 ? [1] : []
    content {
      sid       = "Wait"
      actions   = ["ssm:GetParameter", "ssm:PutParameter"]
      resources = [for parameter in aws_ssm_parameter.waiting : parameter.arn]
    }
  }

  statement {
    sid       = "Failed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.waker_failed.arn]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.waker.arn}:*"]
  }
}

resource "aws_iam_role" "waker" {
  name               = "${var.name}-waker"
  description        = "Raises bedside's pools from zero"
  assume_role_policy = data.aws_iam_policy_document.lambda_trust.json
}

resource "aws_iam_role_policy" "waker" {
  name   = "waker"
  role   = aws_iam_role.waker.id
  policy = data.aws_iam_policy_document.waker.json
}
