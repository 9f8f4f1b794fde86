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

variable "domain" {
  description = "Name in DNS that the certificate is for; its A record is the output `address`. The certificate is Let's Encrypt's, whose terms of use are thereby agreed to."
  type        = string

  # It stands in nginx's configuration and in scripts.
  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.domain))
    error_message = "domain: a full name in DNS in lower case, e.g. \"bedside.hospital.example\"."
  }
}

variable "acme_server" {
  description = "Directory of the authority that gives the certificate: Let's Encrypt's, or that of one of your own."
  type        = string
  default     = "https://acme-v02.api.letsencrypt.org/directory"

  validation {
    condition     = can(regex("^https://[A-Za-z0-9.:/_-]+$", var.acme_server))
    error_message = "acme_server: the URL of an ACME directory, e.g. \"https://acme-v02.api.letsencrypt.org/directory\"."
  }
}

variable "machine" {
  description = "Kind of machine. The software is for x86: no Graviton."
  type        = string
  default     = "t3.small"

  validation {
    condition     = can(regex("^[a-z]+[0-9]+[a-z0-9-]*\\.[a-z0-9-]+$", var.machine)) && !can(regex("^[a-z]+[0-9]+g", var.machine))
    error_message = "machine: an x86 kind, e.g. \"t3.small\" or \"m7i.large\": the software's wheels are for x86 and would not run on Graviton."
  }
}

variable "disk_gb" {
  description = "Size of its encrypted disk: the largest study is unpacked there."
  type        = number
  default     = 30

  validation {
    condition     = var.disk_gb >= 20
    error_message = "disk_gb: at least 20, of which the system takes 8."
  }
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
  description = "Queue that S3's events come to."
  type        = string
}

variable "pool_queues" {
  description = "Queue of each pool: its URL and ARN. Hints of waiting jobs go there."
  type        = map(object({ url = string, arn = string }))
}

variable "subnet_ids" {
  description = "Public subnets that the machine may start in."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the machine. Who may come by HTTPS is its owner's affair; port 80 is opened here."
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

variable "identity" {
  description = "Who says who people are, as bedside.toml's section [identity] has it; null leaves that to the file."
  type        = object({ issuer = string, client_id = string })
  default     = null
}

variable "archive_datastore_id" {
  description = "HealthImaging datastore that tenants are removed from here; empty where they are not. Nothing is sent."
  type        = string
  default     = ""
}

variable "archive_role_arn" {
  description = "Role of imports into that datastore; needed with it."
  type        = string
  default     = ""
}

variable "dicom_from" {
  description = "Networks of the modalities and PACS that may send studies by C-STORE, e.g. 192.0.2.7/32; none opens nothing."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.dicom_from : can(cidrhost(cidr, 0)) && !strcontains(cidr, ":") && try(cidrsubnet(cidr, 0, 0) == cidr, false)])
    error_message = "dicom_from: networks of IPv4, e.g. [\"192.0.2.7/32\"]."
  }
}

variable "dicom_port" {
  description = "Port that they connect to."
  type        = number
  default     = 11112

  validation {
    condition     = var.dicom_port >= 1024 && var.dicom_port <= 65535 && var.dicom_port != 8081
    error_message = "dicom_port: 1024 to 65535, and not 8081, where the machine is asked for its health."
  }
}

variable "dicom_tls" {
  description = "Whether they speak TLS, with the certificate of HTTPS. Without it only private networks may be named, e.g. those behind a VPN: studies would cross the internet in the clear."
  type        = bool
  default     = true

  validation {
    condition = var.dicom_tls || alltrue([
      for cidr in var.dicom_from : anytrue([
        for private in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"] :
        try(
          tonumber(split("/", cidr)[1]) >= tonumber(split("/", private)[1]) &&
          cidrhost("${split("/", cidr)[0]}/${split("/", private)[1]}", 0) == cidrhost(private, 0),
          false,
        )
      ])
    ])
    error_message = "dicom_tls: a network in dicom_from is not private, and studies would cross the internet in the clear. Set dicom_tls = true, or name the private networks of a VPN."
  }
}

variable "dicom_client_ca" {
  description = "Authorities (PEM text) that senders' certificates must come from; empty asks senders for none."
  type        = string
  default     = ""

  validation {
    condition     = var.dicom_client_ca == "" || (can(regex("^\\s*-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n -]*-----END CERTIFICATE-----\\s*$", var.dicom_client_ca)) && length(var.dicom_client_ca) <= 4096)
    error_message = "dicom_client_ca: certificates in PEM form, 4096 characters at most."
  }

  validation {
    condition     = var.dicom_client_ca == "" || var.dicom_tls
    error_message = "dicom_client_ca means nothing where dicom_tls is false."
  }
}

variable "boundary_arn" {
  description = "Policy that no role made here can exceed (IAM's permissions boundary); empty is none."
  type        = string
  default     = ""
}
