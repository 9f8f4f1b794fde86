variable "name" {
  description = "Name of the deployment; begins the name of every bucket of a tenant."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
  }
}

variable "bucket_arn" {
  description = "ARN of the bucket that tenants share."
  type        = string
}

variable "roles" {
  description = "Names of the machines' roles, by any name of yours."
  type        = map(string)
}

variable "groups" {
  description = "Whether tenants have groups in a Cognito pool."
  type        = bool
  default     = false
}

variable "user_pool_id" {
  description = "Id of that pool."
  type        = string
  default     = ""
}

variable "archive_datastore_id" {
  description = "HealthImaging datastore whose image sets of a tenant are removed with it; empty is none."
  type        = string
  default     = ""
}
