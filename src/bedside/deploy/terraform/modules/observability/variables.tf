variable "name" {
  description = "Name of the deployment."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
  }
}

variable "pools" {
  description = "Names of the pools."
  type        = list(string)
}

variable "group_names" {
  description = "Auto scaling group of each pool."
  type        = map(string)
}

variable "queue_names" {
  description = "Queue of each pool."
  type        = map(string)
}

variable "permitted_wait_s" {
  description = "By pool, how long work may wait at zero machines on purpose; of a pool that is not here, not at all."
  type        = map(number)
  default     = {}
}

variable "night" {
  description = "Whether groups sleep at times, at a maximum of zero."
  type        = bool
  default     = false
}

variable "dead_letter_names" {
  description = "Dead-letter queues."
  type        = list(string)
}

variable "alarm_email" {
  description = "Address that alarms are sent to, once it has confirmed; empty is nobody."
  type        = string
  default     = ""
}

variable "log_days" {
  description = "Days that the record of machines is kept."
  type        = number
  default     = 30
}
