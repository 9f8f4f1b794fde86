# Lets machines make and remove what tenants have for themselves, so that `bedside deploy run -- tenant create` can:
# the ledger admits machines only, and buckets and groups go with a record there. Off unless asked for, because a
# machine that may remove a tenant may remove its studies.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  partition = data.aws_partition.this.partition
  account   = data.aws_caller_identity.this.account_id
  areas     = ["input", "arrivals", "results", "inferred", "rejected", "work", "shadows", ".bedside-top"]
}

data "aws_iam_policy_document" "this" {
  # Buckets of one tenant, by the form of their names. They are made, closed, tended, connected to the queue, and
  # removed; a bucket that is begun is found again by its tags. Where the bucket exists, it is this account's.
  statement {
    sid = "OwnBuckets"
    actions = [
      "s3:CreateBucket", "s3:DeleteBucket", "s3:GetBucketTagging", "s3:ListBucket", "s3:ListBucketVersions",
      "s3:PutBucketCORS", "s3:PutBucketNotification", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy",
      "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning",
      "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
    ]
    resources = ["arn:${local.partition}:s3:::${var.name}-t-*"]
    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  # Removing a tenant is removing every version of what it had, in its own buckets and in its part of the shared one.
  statement {
    sid     = "Versions"
    actions = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = concat(
      ["arn:${local.partition}:s3:::${var.name}-t-*/*"],
      [for area in local.areas : "${var.bucket_arn}/${area}/*"],
    )
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "ListVersions"
    actions   = ["s3:ListBucketVersions"]
    resources = [var.bucket_arn]
  }

  # What went into HealthImaging for a tenant goes with it. Image sets are told apart by the instances in them, which
  # their metadata say, and a patient's name with those; who reads nothing of the bucket reads them here.
  dynamic "statement" {
    for_each = compact([var.archive_datastore_id])
    content {
      sid = "ImageSets"
      actions = [
        "medical-imaging:DeleteImageSet", "medical-imaging:GetDICOMImportJob",
        "medical-imaging:GetImageSetMetadata", "medical-imaging:SearchImageSets",
      ]
      resources = [
        for within in ["", "/*"] :
        "arn:${local.partition}:medical-imaging:${data.aws_region.this.name}:${local.account}:datastore/${statement.value}${within}"
      ]
    }
  }

  # Groups of a tenant, where people sign in through Cognito. Accounts are nobody's business here.
  dynamic "statement" {
    for_each = var.groups ? [var.user_pool_id] : []
    content {
      sid     = "Groups"
      actions = ["cognito-idp:CreateGroup", "cognito-idp:DeleteGroup"]
      resources = [
        "arn:${local.partition}:cognito-idp:${data.aws_region.this.name}:${local.account}:userpool/${statement.value}"
      ]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  for_each = var.roles

  name   = "tenants"
  role   = each.value
  policy = data.aws_iam_policy_document.this.json
}
