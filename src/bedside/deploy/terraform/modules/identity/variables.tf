variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name: at most 20 lower-case letters, digits and hyphens, and a letter first."
  }
}

variable "mfa" {
  description = "Whether everybody needs a second factor (an authenticator app); otherwise everybody may have one."
  type        = bool
  default     = false
}
