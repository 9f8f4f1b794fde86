output "bucket" {
  description = "Bucket of the tenants' objects."
  value       = module.storage.bucket
}

output "queue_url" {
  description = "Queue that brings what arrives."
  value       = module.events.queue_url
}

output "dead_letter_url" {
  description = "Queue of what could not be handled."
  value       = module.events.dead_letter_url
}

output "pool_queues" {
  description = "Queue of each pool: its URL and ARN."
  value       = module.events.pool_queues
}

output "repository_url" {
  description = "Repository that releases are pushed to."
  value       = module.registry.repository_url
}

output "vpc_id" {
  description = "Network of the machines."
  value       = module.network.vpc_id
}

output "ledger_host" {
  description = "Machine of the database; empty where it existed before."
  value       = module.ledger.host
}

output "ledger_url_parameter" {
  description = "SSM parameter that holds the ledger's URL."
  value       = module.ledger.url_parameter_name
}

output "groups" {
  description = "Auto scaling group of each pool."
  value       = module.workers.groups
}

output "waker" {
  description = "Lambda that raises the pools from zero."
  value       = module.workers.waker_name
}

output "import_role_arn" {
  description = "Role that HealthImaging imports with; null without an archive."
  value       = one(module.archive[*].role_arn)
}

output "user_pool_id" {
  description = "Cognito's pool of accounts; null without identity."
  value       = one(module.identity[*].user_pool_id)
}

output "client_id" {
  description = "Cognito's client; null without identity."
  value       = one(module.identity[*].client_id)
}

output "issuer" {
  description = "Who issues the tokens; null without identity."
  value       = one(module.identity[*].issuer)
}

output "ci_role_arn" {
  description = "Role of the workflows; null without a repository."
  value       = one(module.ci[*].role_arn)
}

output "control" {
  description = "The control machine: url, address (its A record in DNS), group, log_group and dicom (HOST:PORT of C-STORE); null without one."
  value       = one(module.control[*])
}

output "run_document" {
  description = "Document of Systems Manager that runs a command of bedside on a machine."
  value       = module.commands.document
}

output "dashboard" {
  description = "CloudWatch's page of this deployment."
  value       = module.observability.dashboard
}

output "topic_arn" {
  description = "Topic of the alarms."
  value       = module.observability.topic_arn
}
