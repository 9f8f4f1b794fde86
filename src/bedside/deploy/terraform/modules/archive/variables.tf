variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name: at most 20 lower-case letters, digits and hyphens, and a letter first."
  }
}

variable "bucket_arn" {
  description = "ARN of the bucket that HealthImaging reads studies and results from."
  type        = string
}

variable "datastore_id" {
  description = "HealthImaging datastore that may use the role; `bedside deploy` makes it, Terraform cannot."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-z]{32}$", var.datastore_id))
    error_message = "datastore_id: 32 lower-case letters and digits, as `aws medical-imaging list-datastores` shows."
  }
}

variable "key_arn" {
  description = "KMS key of the bucket; empty is AWS's own encryption."
  type        = string
  default     = ""
}
