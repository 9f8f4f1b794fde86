# The same names as in bedside.toml, section [deploy].

variable "name" {
  description = "Begins every resource's name and is its tag."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "state_bucket" {
  description = "Bucket of the state, which workflows may read and write; empty is bedside-state-ACCOUNT-REGION."
  type        = string
  default     = ""
}

variable "boundary_arn" {
  description = "Policy that no machine's role can exceed (IAM's permissions boundary); empty is none."
  type        = string
  default     = ""
}

variable "key_arn" {
  description = "KMS key that encrypts what is kept; empty is AWS's own. Its policy must let S3 use it for the queue."
  type        = string
  default     = ""
}

variable "cors_origins" {
  description = "Web pages that may upload, besides the portal's."
  type        = list(string)
  default     = []
}

variable "rejected_days" {
  description = "Days after which rejected input is deleted."
  type        = number
  default     = 30
}

variable "ledger_url" {
  description = "URL of an existing PostgreSQL; empty makes one on RDS."
  type        = string
  default     = ""
  sensitive   = true
}

variable "ledger_class" {
  description = "Class of the RDS machine."
  type        = string
  default     = "db.t4g.micro"
}

variable "pools" {
  description = "Machines by pool; a stage's `pool` names one."
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
  default = {
    default = {
      instance_types   = ["g4dn.xlarge"]
      gpu              = true
      max              = 1
      spot             = false
      warm_pool        = 0
      idle_s           = 300
      permitted_wait_s = 0
      disk_gb          = 100
    }
  }

  validation {
    condition     = length(var.pools) > 0 && alltrue([for pool in keys(var.pools) : can(regex("^[a-z][a-z0-9-]{0,15}$", pool))])
    error_message = "pools: at least one; a pool's name is at most 16 lower-case letters, digits and hyphens."
  }
}

variable "machine_usd_per_h" {
  description = "By pool and instance type, what an hour costs; `bedside deploy` takes it from its price table."
  type        = map(map(number))
  default     = {}
}

variable "node_archive_key" {
  description = "Key in the bucket of the software a worker installs; empty until there is one."
  type        = string
  default     = ""
}

variable "waker_zip" {
  description = "Path of the waker's package; `bedside deploy` writes it beside the modules."
  type        = string
  default     = "waker.zip"
}

variable "backlog_threshold" {
  description = "Waiting jobs from which machines are added."
  type        = number
  default     = 10
}

variable "night" {
  description = "Cron (UTC) from which there are no machines, and from which there may be again; null is never."
  type        = object({ stop = string, start = string })
  default     = null
}

variable "asleep" {
  description = "Pools whose night it is: an apply leaves their maximum at zero. `bedside deploy` looks it up."
  type        = list(string)
  default     = []
}

variable "control" {
  description = "Whether to make a small machine that is always there: it takes in what arrives, behind HTTPS."
  type        = bool
  default     = false
}

variable "control_domain" {
  description = "Its name in DNS, for HTTPS."
  type        = string
  default     = ""
}

variable "control_acme_server" {
  description = "ACME directory of the authority that gives the certificate: Let's Encrypt's, or that of one of your own."
  type        = string
  default     = "https://acme-v02.api.letsencrypt.org/directory"
}

variable "control_cidrs" {
  description = "Networks that may reach it by HTTPS, e.g. 192.0.2.0/24."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.control_cidrs : can(cidrhost(cidr, 0)) && !strcontains(cidr, ":")])
    error_message = "control_cidrs: networks of IPv4, e.g. [\"192.0.2.0/24\"]."
  }
}

variable "control_machine" {
  description = "Its kind; the software is for x86."
  type        = string
  default     = "t3.small"
}

variable "dicom_from" {
  description = "Networks that may send it studies by C-STORE, e.g. 192.0.2.7/32; none opens nothing."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.dicom_from) == 0 || var.control
    error_message = "dicom_from needs control = true: the control machine receives."
  }
}

variable "dicom_port" {
  description = "Port that they connect to."
  type        = number
  default     = 11112
}

variable "dicom_tls" {
  description = "Whether they speak TLS, with the certificate of HTTPS; without it private networks only."
  type        = bool
  default     = true
}

variable "dicom_client_ca" {
  description = "Authorities (PEM text) that senders' certificates must come from; empty asks senders for none."
  type        = string
  default     = ""
}

variable "manage_tenants" {
  description = "Whether machines may make and remove tenants' buckets and groups."
  type        = bool
  default     = false
}

variable "archive" {
  description = "Whether results go into AWS HealthImaging."
  type        = bool
  default     = false
}

variable "datastore_id" {
  description = "HealthImaging datastore they go to."
  type        = string
  default     = ""
}

variable "identity" {
  description = "Whether people sign in through Cognito."
  type        = bool
  default     = false
}

variable "machine_identity" {
  description = "Whether machines are told of that pool; false where their bedside.toml names an issuer itself."
  type        = bool
  default     = true
}

variable "mfa" {
  description = "Whether they need a second factor."
  type        = bool
  default     = false
}

variable "alarm_email" {
  description = "Who is told of alarms and of days that cost too much; empty is nobody."
  type        = string
  default     = ""
}

variable "daily_usd" {
  description = "A mail is sent when a day cost more."
  type        = number
  default     = 1
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
}

variable "github_repository" {
  description = "OWNER@ID/NAME@ID, or OWNER/NAME, whose workflows may publish releases and deploy; empty is none."
  type        = string
  default     = ""
}

variable "oidc_provider_arn" {
  description = "GitHub's identity provider where the account has one (it can have only one); empty makes it."
  type        = string
  default     = ""
}

variable "availability_zones" {
  description = "Zones that machines may start in."
  type        = number
  default     = 2
}
