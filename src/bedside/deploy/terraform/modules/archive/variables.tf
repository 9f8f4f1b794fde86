variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
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

variable "boundary_arn" {
  description = "Policy that no role made here can exceed (IAM's permissions boundary); empty is none."
  type        = string
  default     = ""
}
