terraform {
  # 1.11: passwords that are written and never kept in the state.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = var.region

  # Everything bears the deployment's name: by this tag its cost is counted, and what is left is found.
  default_tags {
    tags = { "bedside:deployment" = var.name }
  }
}
