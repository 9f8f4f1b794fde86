variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name: at most 20 lower-case letters, digits and hyphens, and a letter first."
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
