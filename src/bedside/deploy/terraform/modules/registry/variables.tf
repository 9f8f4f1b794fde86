variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
  }
}

variable "key_arn" {
  description = "KMS key that encrypts what is kept here; empty is AWS's own encryption."
  type        = string
  default     = ""
}

variable "untagged_days" {
  description = "Days after which an image that lost its tag is deleted. Releases keep a tag by their digest."
  type        = number
  default     = 30
}
