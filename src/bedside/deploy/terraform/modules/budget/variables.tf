variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
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
