variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
  }
}

variable "region" {
  description = "AWS region of the deployment."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of the bucket of the tenants' objects and of the software archive."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the bucket and the queues; empty is AWS's own encryption."
  type        = string
  default     = ""
}

variable "pool_queues" {
  description = "Queue of each pool: its URL and ARN."
  type        = map(object({ url = string, arn = string }))
}

variable "ledger_url_parameter_name" {
  description = "SSM parameter (SecureString) that holds the ledger's SQLAlchemy URL."
  type        = string
}

variable "node_archive_key" {
  description = "Key in the bucket of the software archive: a tar with *.whl and, beside them, bedside.toml."
  type        = string
}

variable "topic_arn" {
  description = "SNS topic of alarms and notices; empty is none."
  type        = string
  default     = ""
}
