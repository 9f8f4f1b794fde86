# GitHub's workflows come without a key: GitHub says who they are, and AWS lends them this role for an hour.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  partition = data.aws_partition.this.partition
  account   = data.aws_caller_identity.this.account_id
  region    = data.aws_region.this.name
  issuer    = "token.actions.githubusercontent.com"
  provider  = var.oidc_provider_arn == "" ? aws_iam_openid_connect_provider.github[0].arn : var.oidc_provider_arn
  state     = var.state_bucket == "" ? "bedside-state-${local.account}-${local.region}" : var.state_bucket

  # Everything of a deployment begins with its name.
  own = "arn:${local.partition}:%s:${local.region}:${local.account}:%s"
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.oidc_provider_arn == "" ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "trust" {
  # The one repository, and of it only what somebody with the right to write has pushed.
  statement {
    sid     = "GitHub"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringLike"
      variable = "${local.issuer}:sub"
      # One form of the name only. Whoever takes over an abandoned name gets other numbers, and a trust that
      # also took the name alone would let them in.
      values = [for subject in var.subjects : "repo:${var.github_repository}:${subject}"]
    }
  }
}

resource "aws_iam_role" "ci" {
  name                 = "${var.name}-ci"
  description          = "Workflows of ${var.github_repository} push releases and deploy"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "release" {
  name   = "release"
  role   = aws_iam_role.ci.id
  policy = data.aws_iam_policy_document.release.json
}

resource "aws_iam_role_policy" "deploy" {
  name   = "deploy"
  role   = aws_iam_role.ci.id
  policy = data.aws_iam_policy_document.deploy.json
}
