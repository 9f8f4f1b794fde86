variable "name" {
  description = "Name of the deployment."
  type        = string
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
