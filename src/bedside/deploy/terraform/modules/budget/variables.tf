variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name: at most 20 lower-case letters, digits and hyphens, and a letter first."
  }
}

variable "daily_usd" {
  description = "A mail is sent when a day cost more than this."
  type        = number
  default     = 1

  validation {
    condition     = var.daily_usd > 0
    error_message = "daily_usd: more than 0."
  }
}

variable "alarm_email" {
  description = "Who is told."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+$", var.alarm_email))
    error_message = "alarm_email: an address, e.g. \"team@hospital.example\"."
  }
}
