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

variable "cors_origins" {
  description = "Web origins that may upload and download by presigned URL, e.g. the portal's."
  type        = list(string)
  default     = []
}

variable "rejected_days" {
  description = "Days after which rejected input is deleted."
  type        = number
  default     = 30
}

variable "noncurrent_days" {
  description = "Days for which an overwritten or deleted object can be brought back."
  type        = number
  default     = 30
}
