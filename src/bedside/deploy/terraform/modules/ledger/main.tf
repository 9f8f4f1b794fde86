# The ledger: a small PostgreSQL on RDS, or the one whose URL is given.
# Its password is made once, goes into SSM and the database, and is in no plan and no state.

locals {
  made = nonsensitive(var.ledger_url == "")
  user = "bedside"
  url  = "/${var.name}/ledger/url"

  # Raising it makes a new password, in SSM and in the database at once.
  password_version = 1

  # What stands beside the password in the URL: raised with the words below, so that deployments are brought to them.
  url_version = local.password_version + 1
}

# A new one at each run; it is written only when the version below goes up.
ephemeral "aws_secretsmanager_random_password" "this" {
  count = local.made ? 1 : 0

  password_length     = 40
  exclude_punctuation = true # it stands in a URL
}

resource "aws_ssm_parameter" "password" {
  count = local.made ? 1 : 0

  name             = "/${var.name}/ledger/password"
  description      = "Password of bedside's database"
  type             = "SecureString"
  key_id           = var.key_arn == "" ? null : var.key_arn
  value_wo         = ephemeral.aws_secretsmanager_random_password.this[0].random_password
  value_wo_version = local.password_version
}

# Read back, so that a run that broke off and one that goes on use the same password.
ephemeral "aws_ssm_parameter" "password" {
  count = local.made ? 1 : 0

  arn             = aws_ssm_parameter.password[0].arn
  with_decryption = true
}

resource "aws_db_subnet_group" "this" {
  count = local.made ? 1 : 0

  name        = "${var.name}-ledger"
  description = "Subnets of bedside's database"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  count = local.made ? 1 : 0

  name        = "${var.name}-ledger"
  description = "bedside's database speaks TLS only"
  family      = "postgres17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
}

# Made here, because RDS would make it without an end and leave it behind.
resource "aws_cloudwatch_log_group" "this" {
  count = local.made ? 1 : 0

  name              = "/aws/rds/instance/${var.name}-ledger/postgresql"
  retention_in_days = var.log_days
}

resource "aws_db_instance" "this" {
  count = local.made ? 1 : 0

  identifier     = "${var.name}-ledger"
  engine         = "postgres"
  engine_version = "17"
  instance_class = var.ledger_class
  db_name        = "bedside"

  username            = local.user
  password_wo         = ephemeral.aws_ssm_parameter.password[0].value
  password_wo_version = local.password_version

  allocated_storage     = var.storage_gb
  max_allocated_storage = var.storage_gb * 5
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.key_arn == "" ? null : var.key_arn

  db_subnet_group_name   = aws_db_subnet_group.this[0].name
  parameter_group_name   = aws_db_parameter_group.this[0].name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false

  backup_retention_period    = var.backup_days
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true

  enabled_cloudwatch_logs_exports = ["postgresql"]

  # `bedside deploy destroy` asks, and then leaves nothing that costs or holds data.
  deletion_protection      = false
  skip_final_snapshot      = true
  delete_automated_backups = true

  depends_on = [aws_cloudwatch_log_group.this]
}

# What workers read at each start. It holds the password, therefore encrypted and in no state. The server must show
# a certificate of its own name, signed by RDS: bedside has those authorities with it.
resource "aws_ssm_parameter" "url" {
  count = local.made ? 1 : 0

  name             = local.url
  description      = "SQLAlchemy URL of bedside's ledger"
  type             = "SecureString"
  key_id           = var.key_arn == "" ? null : var.key_arn
  value_wo         = "postgresql://${local.user}:${ephemeral.aws_ssm_parameter.password[0].value}@${aws_db_instance.this[0].endpoint}/bedside?sslmode=verify-full"
  value_wo_version = local.url_version
}

# The existing database's. What its owner wrote down is in the state, as every variable of Terraform is.
resource "aws_ssm_parameter" "existing" {
  count = local.made ? 0 : 1

  name        = local.url
  description = "SQLAlchemy URL of bedside's ledger"
  type        = "SecureString"
  key_id      = var.key_arn == "" ? null : var.key_arn
  value       = var.ledger_url
}
