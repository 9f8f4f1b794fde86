# Who may do what. Each statement says why it is there; nothing is granted "in case".

# What every machine of a deployment may do, and who may be one.
module "machine" {
  source = "../machine"

  name                      = var.name
  region                    = var.region
  bucket_arn                = var.bucket_arn
  key_arn                   = var.key_arn
  pool_queues               = var.pool_queues
  ledger_url_parameter_name = var.ledger_url_parameter_name
  node_archive_key          = var.node_archive_key
  topic_arn                 = var.topic_arn
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

  source_policy_documents = [module.machine.policy]

  statement {
    sid     = "Logs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = [
      aws_cloudwatch_log_group.worker[each.key].arn,
      "${aws_cloudwatch_log_group.worker[each.key].arn}:*",
    ]
  }

  # A worker with nothing to do takes its own machine out, and a drained one says so: in its own group only.
  statement {
    sid       = "OwnGroup"
    actions   = ["autoscaling:TerminateInstanceInAutoScalingGroup", "autoscaling:CompleteLifecycleAction"]
    resources = [local.group_arns[each.key]]
  }

  # What left its group ends itself, for the seconds until the group does so are paid for: machines of this pool only,
  # which the statement above lets it end as well.
  dynamic "statement" {
    for_each = each.value.warm_pool > 0 ? [] : [1]
    content {
      sid       = "OwnEnd"
      actions   = ["ec2:TerminateInstances"]
      resources = ["arn:${local.partition}:ec2:${var.region}:${local.account}:instance/*"]
      condition {
        test     = "StringEquals"
        variable = "aws:ResourceTag/bedside:deployment"
        values   = [var.name]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:ResourceTag/bedside:pool"
        values   = [each.key]
      }
    }
  }

  # It takes its pool's release disk when it starts and lets it go before it ends: that disk, and machines of this pool.
  # Whether it is free is told by the refusal, so that no disk need be looked at.
  dynamic "statement" {
    for_each = each.value.release_disk_gb > 0 ? [1] : []
    content {
      sid     = "ReleaseDisk"
      actions = ["ec2:AttachVolume", "ec2:DetachVolume"]
      resources = concat(
        ["arn:${local.partition}:ec2:${var.region}:${local.account}:instance/*"],
        [for volume in values(local.volumes[each.key]) : "arn:${local.partition}:ec2:${var.region}:${local.account}:volume/${volume}"],
      )
      condition {
        test     = "StringEquals"
        variable = "aws:ResourceTag/bedside:deployment"
        values   = [var.name]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:ResourceTag/bedside:pool"
        values   = [each.key]
      }
    }
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
}

resource "aws_iam_role" "worker" {
  for_each = var.pools

  name                 = "${local.groups[each.key]}-worker"
  description          = "Machines of bedside's pool ${each.key}"
  assume_role_policy   = module.machine.trust
  permissions_boundary = var.boundary_arn == "" ? null : var.boundary_arn
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
  name                 = "${var.name}-waker"
  description          = "Raises bedside's pools from zero"
  assume_role_policy   = data.aws_iam_policy_document.lambda_trust.json
  permissions_boundary = var.boundary_arn == "" ? null : var.boundary_arn
}

resource "aws_iam_role_policy" "waker" {
  name   = "waker"
  role   = aws_iam_role.waker.id
  policy = data.aws_iam_policy_document.waker.json
}
