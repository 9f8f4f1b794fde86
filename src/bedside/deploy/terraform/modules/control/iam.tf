# What the machine may do. Each statement says why it is there; nothing is granted "in case".

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

data "aws_iam_policy_document" "this" {
  source_policy_documents = [module.machine.policy]

  # The certificate and its key, for the machine after this one: Let's Encrypt gives few of a name in a week.
  # No other role reaches this area.
  statement {
    sid       = "Certificate"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.bucket_arn}/control/*"]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = [aws_cloudwatch_log_group.this.arn, "${aws_cloudwatch_log_group.this.arn}:*"]
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
}

resource "aws_iam_role" "this" {
  name                 = local.group
  description          = "bedside's control machine"
  assume_role_policy   = module.machine.trust
  permissions_boundary = var.boundary_arn == "" ? null : var.boundary_arn
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
