# Who people are: accounts that an administrator makes, in groups that bedside knows as roles.

data "aws_region" "this" {}

locals {
  groups = {
    admin     = "Makes tenants and accounts"
    engineer  = "Publishes releases, writes rules, sees jobs"
    clinician = "Sends studies and reads results"
    viewer    = "Reads results"
  }
}

resource "aws_cognito_user_pool" "this" {
  name = var.name

  username_attributes      = ["email"]
  auto_verified_attributes = ["email"]
  mfa_configuration        = var.mfa ? "ON" : "OPTIONAL"

  # By app and not by SMS, which costs and can be taken over with the telephone number.
  software_token_mfa_configuration {
    enabled = true
  }

  # Nobody signs up alone: an account leads to patients' data.
  admin_create_user_config {
    allow_admin_create_user_only = true
  }

  password_policy {
    minimum_length                   = 14
    require_lowercase                = true
    require_uppercase                = true
    require_numbers                  = true
    require_symbols                  = false # length does more
    temporary_password_validity_days = 3
  }

  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }
}

resource "aws_cognito_user_pool_client" "this" {
  name         = var.name
  user_pool_id = aws_cognito_user_pool.this.id

  # Runs on people's own machines, where a secret would be none.
  generate_secret = false

  # The password itself is never sent.
  explicit_auth_flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]

  # "Wrong user" and "wrong password" answer alike.
  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true

  access_token_validity  = 1
  id_token_validity      = 1
  refresh_token_validity = 12 # a shift

  token_validity_units {
    access_token  = "hours"
    id_token      = "hours"
    refresh_token = "hours"
  }
}

resource "aws_cognito_user_group" "this" {
  for_each = local.groups

  name         = each.key
  description  = each.value
  user_pool_id = aws_cognito_user_pool.this.id
}
