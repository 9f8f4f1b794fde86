variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
  }
}

variable "region" {
  description = "AWS region of the deployment."
  type        = string
}

variable "bucket" {
  description = "Bucket of the tenants' objects and of the software archive."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of that bucket."
  type        = string
}

variable "key_arn" {
  description = "KMS key of the bucket and the queues; empty is AWS's own encryption."
  type        = string
  default     = ""
}

variable "queue_url" {
  description = "URL of the queue that brings S3's events; machines whose pool it is watch the drop-boxes."
  type        = string
}

variable "pool_queues" {
  description = "Queue of each pool: its URL and ARN. The default pool's queue also brings S3's events."
  type        = map(object({ url = string, arn = string }))
}

variable "pools" {
  description = "Pools of workers. permitted_wait_s: from zero machines, results may take this long; start_s of it is the start. release_disk_gb: a disk that outlives machines, one in each of release_disk_zones zones; 0 is none."
  type = map(object({
    instance_types     = list(string)
    gpu                = bool
    max                = number
    spot               = bool
    warm_pool          = number
    idle_s             = number
    permitted_wait_s   = number
    start_s            = optional(number)
    disk_gb            = number
    release_disk_gb    = optional(number, 0)
    release_disk_zones = optional(number, 1)
  }))

  validation {
    condition     = alltrue([for pool in keys(var.pools) : can(regex("^[a-z][a-z0-9-]{0,15}$", pool))])
    error_message = "pools: a pool's name is at most 16 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue([for pool in var.pools : length(pool.instance_types) > 0])
    error_message = "pools: each needs at least one instance type, e.g. [\"g4dn.xlarge\"]."
  }
}

variable "machine_usd_per_h" {
  description = "By pool and instance type, what an hour costs: results say what they took. Types without one are not priced."
  type        = map(map(number))
  default     = {}
}

variable "subnet_ids" {
  description = "Public subnets that machines may start in."
  type        = list(string)
}

variable "subnet_zones" {
  description = "Availability zone of each of subnet_ids, in their order; needed where a pool has a release disk."
  type        = list(string)
  default     = []
}

variable "security_group_id" {
  description = "Security group of the machines; it lets nothing in."
  type        = string
}

variable "ledger_url_parameter_name" {
  description = "SSM parameter (SecureString) that holds the ledger's SQLAlchemy URL."
  type        = string
}

variable "node_archive_key" {
  description = "Key in the bucket of the software archive: a tar with *.whl and, beside them, bedside.toml."
  type        = string
}

variable "backlog_threshold" {
  description = "This many waiting jobs are worth one more machine."
  type        = number
  default     = 10
}

variable "night" {
  description = "Cron expressions (UTC) at which all pools go to zero and may start again; null is never."
  type        = object({ stop = string, start = string })
  default     = null
}

variable "asleep" {
  description = "Pools whose night it is just now: their maximum stays zero until night.start, whatever is applied."
  type        = list(string)
  default     = []
}

variable "waker_zip" {
  description = "Path of the waker's package, as bedside.deploy.waker.waker_zip writes it."
  type        = string
}

variable "identity" {
  description = "Who says who people are, as bedside.toml's section [identity] has it; null leaves that to the file."
  type        = object({ issuer = string, client_id = string })
  default     = null
}

variable "archive_datastore_id" {
  description = "Id of the HealthImaging datastore that results go to; empty is none."
  type        = string
  default     = ""
}

variable "archive_role_arn" {
  description = "Role that HealthImaging imports with; empty where there is no datastore."
  type        = string
  default     = ""
}

variable "topic_arn" {
  description = "SNS topic of alarms and notices; empty is none."
  type        = string
  default     = ""
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
}

variable "boundary_arn" {
  description = "Policy that no role made here can exceed (IAM's permissions boundary); empty is none."
  type        = string
  default     = ""
}
