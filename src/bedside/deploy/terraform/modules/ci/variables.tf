variable "name" {
  description = "Name of the deployment; begins the name of everything made here."
  type        = string

  validation {
    condition     = length(var.name) <= 20 && can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && !can(regex("^(aws|ssm)", var.name))
    error_message = "name: at most 20 lower-case letters, digits and single hyphens between them, and a letter first; not aws or ssm at the beginning, which AWS keeps for itself."
  }
}

variable "github_repository" {
  description = "Repository whose workflows may take the role, as GitHub's tokens name it: OWNER@ID/NAME@ID since 15 July 2026, OWNER/NAME before."
  type        = string

  # No wildcard: it would let another repository in.
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*(@[0-9]+/[A-Za-z0-9._-]+@[0-9]+|/[A-Za-z0-9._-]+)$", var.github_repository))
    error_message = "github_repository: OWNER@ID/NAME@ID or OWNER/NAME, e.g. \"hospital@1234/spleen@5678\"."
  }
}

variable "subjects" {
  description = "What of the repository may take it: branches, tags and environments, but no pull requests."
  type        = list(string)
  default     = ["ref:refs/heads/*", "ref:refs/tags/*", "environment:*"]
}

variable "oidc_provider_arn" {
  description = "GitHub's provider where the account has one (it can have only one); empty makes it."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^$|^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn: of token.actions.githubusercontent.com, as `aws iam list-open-id-connect-providers` shows."
  }
}

variable "repository_arn" {
  description = "ARN of the ECR repository that releases are pushed to."
  type        = string
}

variable "state_bucket" {
  description = "Bucket of Terraform's state; empty is bedside-state-ACCOUNT-REGION."
  type        = string
  default     = ""
}

variable "key_arn" {
  description = "KMS key of the bucket and of the parameters; empty is AWS's own encryption."
  type        = string
  default     = ""
}
