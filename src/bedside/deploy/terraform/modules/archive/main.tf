# The role with which HealthImaging fetches DICOM from the bucket. The datastore itself is no resource of the
# provider.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  # What an import is pointed at: studies as they were taken in, and results.
  read = ["arrivals", "results"]

  # Where it writes which instances it took and which it refused.
  written = "work"

  # The shared bucket; and tenants' own by the form of their names, results in the one and the rest in the other. Names
  # of buckets are shared by all of AWS, so that those must be this account's.
  places = {
    ""  = { arn = var.bucket_arn, conditions = [] }
    Own = { arn = "arn:${data.aws_partition.this.partition}:s3:::${var.name}-t-*", conditions = [1] }
  }
}

data "aws_iam_policy_document" "trust" {
  # HealthImaging alone, and only on behalf of this datastore: another customer's import cannot borrow the role.
  statement {
    sid     = "HealthImaging"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["medical-imaging.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values = [
        "arn:${data.aws_partition.this.partition}:medical-imaging:${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}:datastore/${var.datastore_id}",
      ]
    }
  }
}

data "aws_iam_policy_document" "import" {
  # An import finds its files by listing a prefix; nobody's drop-box is among them. What names no prefix is the
  # question whether the bucket is there.
  dynamic "statement" {
    for_each = local.places
    content {
      sid       = "${statement.key}List"
      actions   = ["s3:ListBucket"]
      resources = [statement.value.arn]

      condition {
        test     = "StringLikeIfExists"
        variable = "s3:prefix"
        values   = [for area in concat(local.read, [local.written]) : "${area}/*"]
      }

      dynamic "condition" {
        for_each = statement.value.conditions
        content {
          test     = "StringEquals"
          variable = "aws:ResourceAccount"
          values   = [data.aws_caller_identity.this.account_id]
        }
      }
    }
  }

  # The files themselves.
  dynamic "statement" {
    for_each = local.places
    content {
      sid       = "${statement.key}Read"
      actions   = ["s3:GetObject"]
      resources = [for area in local.read : "${statement.value.arn}/${area}/*"]

      dynamic "condition" {
        for_each = statement.value.conditions
        content {
          test     = "StringEquals"
          variable = "aws:ResourceAccount"
          values   = [data.aws_caller_identity.this.account_id]
        }
      }
    }
  }

  # The manifests of what was taken and what was refused, which the worker then reads.
  dynamic "statement" {
    for_each = local.places
    content {
      sid       = "${statement.key}Report"
      actions   = ["s3:PutObject"]
      resources = ["${statement.value.arn}/${local.written}/*"]

      dynamic "condition" {
        for_each = statement.value.conditions
        content {
          test     = "StringEquals"
          variable = "aws:ResourceAccount"
          values   = [data.aws_caller_identity.this.account_id]
        }
      }
    }
  }

  # One's own key, where the bucket has one.
  dynamic "statement" {
    for_each = compact([var.key_arn])
    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "import" {
  name                 = "${var.name}-import"
  description          = "HealthImaging reads bedside's studies and results"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.boundary_arn == "" ? null : var.boundary_arn
}

resource "aws_iam_role_policy" "import" {
  name   = "import"
  role   = aws_iam_role.import.id
  policy = data.aws_iam_policy_document.import.json
}
