variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
  }
}

variable "availability_zones" {
  description = "Number of zones that machines may start in; a database needs two."
  type        = number
  default     = 2

  validation {
    condition     = var.availability_zones >= 2 && var.availability_zones <= 6
    error_message = "availability_zones: from 2, which a database needs, to 6."
  }
}

variable "cidr" {
  description = "Private addresses of the network, a /16."
  type        = string
  default     = "10.70.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.cidr, 8, 255)) && endswith(var.cidr, "/16")
    error_message = "cidr: a network of private addresses with 16 bits, e.g. \"10.70.0.0/16\"."
  }
}

variable "bucket_arn" {
  description = "Bucket that the gateway endpoint leads to besides those of AWS's own software."
  type        = string
}

variable "control_cidrs" {
  description = "Addresses that may reach the control machine by HTTPS; none opens nothing."
  type        = list(string)
  default     = []
}

variable "control_ports" {
  description = "TCP ports of the control machine that those addresses may reach."
  type        = list(number)
  default     = [443]
}
