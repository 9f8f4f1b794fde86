# What the role may do: push releases, and change a deployment that a person has made once.

data "aws_iam_policy_document" "release" {
  # A token for the registry belongs to no resource.
  statement {
    sid       = "Token"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  # Releases are pushed and read again; none is deleted, and no other repository is touched.
  statement {
    sid = "Push"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
      "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:ListImages", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [var.repository_arn]
  }
}

data "aws_iam_policy_document" "deploy" {
  # A plan reads what there is. Reading has no narrower resource in most of these services; no object of a
  # bucket, no message and no person's account is among it.
  statement {
    sid = "Look"
    actions = [
      "application-autoscaling:Describe*", "autoscaling:Describe*", "budgets:ViewBudget", "budgets:ListTagsForResource",
      "cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "cognito-idp:DescribeUserPool", "cognito-idp:DescribeUserPoolClient",
      "cognito-idp:GetGroup", "cognito-idp:GetUserPoolMfaConfig", "cognito-idp:ListTagsForResource", "ec2:Describe*", "ecr:Describe*", "ecr:GetAccountSetting", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource",
      "events:Describe*", "events:List*", "iam:GetInstanceProfile", "iam:GetOpenIDConnectProvider", "iam:GetRole",
      "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies",
      "lambda:Get*", "lambda:List*", "logs:Describe*",
      "logs:List*", "medical-imaging:GetDatastore", "medical-imaging:ListDatastores", "medical-imaging:ListTagsForResource",
      "rds:Describe*", "rds:ListTagsForResource", "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "scheduler:Get*", "scheduler:List*", "servicequotas:Get*", "sns:Get*",
      "sns:List*", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags", "ssm:DescribeDocument*", "ssm:DescribeInstanceInformation", "ssm:DescribeParameters",
      "ssm:GetCommandInvocation", "ssm:GetDocument", "ssm:ListTagsForResource", "sts:GetCallerIdentity", "tag:GetResources",
    ]
    resources = ["*"]
  }

  # A plan also reads the parameters, the ledger's password among them: a role that starts workers with code of
  # its choice could learn it anyway.
  statement {
    sid     = "Parameters"
    actions = ["ssm:GetParameter", "ssm:GetParameters"]
    resources = [
      format(local.own, "ssm", "parameter/${var.name}/*"),
      format(local.own, "ssm", "parameter/bedside/${var.name}/*"),
    ]
  }

  # What AWS tells everybody: the machines' images, which a group is asked for when its template changes, and
  # where HealthImaging is.
  statement {
    sid       = "Public"
    actions   = ["ssm:GetParameters", "ssm:GetParametersByPath"]
    resources = ["arn:${local.partition}:ssm:${local.region}::parameter/aws/service/*"]
  }

  # One's own key, where parameters and the bucket have one.
  dynamic "statement" {
    for_each = compact([var.key_arn])
    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }

  # `bedside deploy run`: this deployment's document, which takes no command but bedside's, on its machines.
  statement {
    sid       = "Run"
    actions   = ["ssm:SendCommand"]
    resources = [format(local.own, "ssm", "document/${var.name}-run")]
  }

  statement {
    sid       = "RunWhere"
    actions   = ["ssm:SendCommand"]
    resources = [format(local.own, "ec2", "instance/*")]

    condition {
      test     = "StringEquals"
      variable = "ssm:resourceTag/bedside:deployment"
      values   = [var.name]
    }
  }

  # What was sent is taken back by its id, for which AWS knows no resource.
  statement {
    sid       = "RunEnd"
    actions   = ["ssm:CancelCommand"]
    resources = ["*"]
  }

  # A password that the plan draws and throws away.
  statement {
    sid       = "Draw"
    actions   = ["secretsmanager:GetRandomPassword"]
    resources = ["*"]
  }

  # The state of this deployment, and the lock beside it.
  statement {
    sid       = "State"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["arn:${local.partition}:s3:::${local.state}/${var.name}/*"]
  }

  # What new machines install: no study is below this key. A workflow verifies nothing, which would need to write
  # a study and to remove its results.
  statement {
    sid       = "Software"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["arn:${local.partition}:s3:::${var.name}-*/software/*"]
  }

  # Terraform looks whether there is a state before it reads it.
  statement {
    sid       = "StateList"
    actions   = ["s3:ListBucket"]
    resources = ["arn:${local.partition}:s3:::${local.state}"]
  }

  # A plan asks whether the bucket is there, and S3 knows no right to that but the one to list; the question names
  # no prefix. A listing of everything names none either: names of objects may be patients', and whoever may start
  # machines here could read them anyway.
  statement {
    sid       = "BucketIsThere"
    actions   = ["s3:ListBucket"]
    resources = ["arn:${local.partition}:s3:::${var.name}-${local.account}-${local.region}"]

    condition {
      test     = "Null"
      variable = "s3:prefix"
      values   = ["true"]
    }
  }

  # What a new version changes: the workers' launch template, their groups and the waker. No statement lets it
  # make or delete the bucket, the database or the accounts.
  statement {
    sid = "Groups"
    actions = [
      "autoscaling:UpdateAutoScalingGroup", "autoscaling:StartInstanceRefresh", "autoscaling:CancelInstanceRefresh",
      "autoscaling:PutScalingPolicy", "autoscaling:PutLifecycleHook", "autoscaling:PutScheduledUpdateGroupAction",
      "autoscaling:DeleteScheduledAction", "autoscaling:PutWarmPool", "autoscaling:CreateOrUpdateTags",
      "autoscaling:SetDesiredCapacity", # `bedside deploy run` wakes a machine where none runs
    ]
    resources = [
      format(local.own, "autoscaling", "autoScalingGroup:*:autoScalingGroupName/${var.name}-*"),
    ]
  }

  # Templates have no name in their ARN; the tag says whose one is.
  statement {
    sid       = "Templates"
    actions   = ["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate", "ec2:DeleteLaunchTemplateVersions"]
    resources = [format(local.own, "ec2", "launch-template/*")]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/bedside:deployment"
      values   = [var.name]
    }
  }

  # A group whose template changes is asked whether it could start a machine.
  statement {
    sid       = "Start"
    actions   = ["ec2:RunInstances"]
    resources = ["*"]

    condition {
      test     = "Bool"
      variable = "ec2:IsLaunchTemplateResource"
      values   = ["true"]
    }
  }

  # The subnets are the group's, and not the template's.
  statement {
    sid       = "StartWhere"
    actions   = ["ec2:RunInstances"]
    resources = [format(local.own, "ec2", "subnet/*")]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/bedside:deployment"
      values   = [var.name]
    }
  }

  # A template tags what it starts.
  statement {
    sid     = "StartTagged"
    actions = ["ec2:CreateTags"]
    resources = [
      format(local.own, "ec2", "instance/*"),
      format(local.own, "ec2", "volume/*"),
      format(local.own, "ec2", "network-interface/*"),
    ]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["RunInstances"]
    }
  }

  statement {
    sid       = "Waker"
    actions   = ["lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"]
    resources = [format(local.own, "lambda", "function:${var.name}-*")]
  }

  # Alarms and log retention follow the settings.
  statement {
    sid     = "Alarms"
    actions = ["cloudwatch:PutMetricAlarm", "cloudwatch:PutDashboard", "logs:PutRetentionPolicy"]
    resources = [
      format(local.own, "cloudwatch", "alarm:${var.name}-*"),
      "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${var.name}*",
      format(local.own, "logs", "log-group:/bedside/${var.name}/*"),
      format(local.own, "logs", "log-group:/aws/lambda/${var.name}-*"),
    ]
  }

  # Machines and the waker get the roles that this deployment has, from the two services that use them.
  statement {
    sid       = "PassRole"
    actions   = ["iam:PassRole"]
    resources = ["arn:${local.partition}:iam::${local.account}:role/${var.name}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com", "lambda.amazonaws.com"]
    }
  }

  # Whatever else is attached to this role one day: a workflow that could write policies could do everything.
  # Changes of roles are therefore applied by a person.
  statement {
    sid    = "NoIdentities"
    effect = "Deny"
    actions = [
      "iam:Add*", "iam:Attach*", "iam:Change*", "iam:Create*", "iam:Deactivate*", "iam:Delete*", "iam:Detach*",
      "iam:Enable*", "iam:Put*", "iam:Remove*", "iam:Reset*", "iam:Resync*", "iam:Set*", "iam:Tag*", "iam:Untag*",
      "iam:Update*", "iam:Upload*", "organizations:*", "sso:*", "sso-directory:*", "identitystore:*",
    ]
    resources = ["*"]
  }
}
