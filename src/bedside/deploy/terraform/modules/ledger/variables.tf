variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
  }
}

variable "key_arn" {
  description = "KMS key that encrypts the database and its URL; empty is AWS's own encryption."
  type        = string
  default     = ""
}

variable "ledger_url" {
  description = "SQLAlchemy URL of an existing PostgreSQL; empty makes a database on RDS."
  type        = string
  default     = ""
  sensitive   = true
}

variable "ledger_class" {
  description = "Class of the database's machine."
  type        = string
  default     = "db.t4g.micro"
}

variable "storage_gb" {
  description = "Size of the database's disk; it grows by itself up to five times this."
  type        = number
  default     = 20
}

variable "backup_days" {
  description = "Days for which the database can be set back to any second."
  type        = number
  default     = 7
}

variable "log_days" {
  description = "Days that the database's log is kept."
  type        = number
  default     = 30
}

variable "subnet_ids" {
  description = "Subnets of the database, in two zones at least."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the database."
  type        = string
}
