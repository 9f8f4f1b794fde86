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

variable "bucket" {
  description = "Bucket whose new objects under input/ are announced."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of that bucket."
  type        = string
}

variable "pools" {
  description = "Names of the pools of workers. The one called \"default\", or else the first, listens to the bucket."
  type        = list(string)
  default     = ["default"]

  validation {
    condition     = length(var.pools) > 0
    error_message = "pools: name at least one, e.g. [\"default\"]."
  }
}

variable "visibility_s" {
  description = "Seconds for which a received message is hidden from other workers; each heartbeat begins them anew."
  type        = number
  default     = 900
}

variable "attempts" {
  description = "Receipts after which a message goes to the dead-letter queue."
  type        = number
  default     = 5
}
