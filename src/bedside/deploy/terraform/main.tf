# A whole deployment. Each module can be used alone; docs/aws.md lists them.

module "storage" {
  source = "./modules/storage"

  name    = var.name
  key_arn = var.key_arn
  # The portal's pages send studies straight to the bucket.
  cors_origins  = concat(var.cors_origins, var.control ? ["https://${var.control_domain}"] : [])
  rejected_days = var.rejected_days
}

module "events" {
  source = "./modules/events"

  name       = var.name
  key_arn    = var.key_arn
  bucket     = module.storage.bucket
  bucket_arn = module.storage.bucket_arn
  pools      = keys(var.pools)
}

module "registry" {
  source = "./modules/registry"

  name    = var.name
  key_arn = var.key_arn
}

module "network" {
  source = "./modules/network"

  name               = var.name
  availability_zones = var.availability_zones
  bucket_arn         = module.storage.bucket_arn
  control_cidrs      = var.control ? var.control_cidrs : []
}

module "ledger" {
  source = "./modules/ledger"

  name              = var.name
  key_arn           = var.key_arn
  ledger_url        = var.ledger_url
  ledger_class      = var.ledger_class
  log_days          = var.log_days
  subnet_ids        = module.network.ledger_subnet_ids
  security_group_id = module.network.ledger_security_group_id
}

module "archive" {
  source = "./modules/archive"
  count  = var.archive ? 1 : 0

  name         = var.name
  boundary_arn = var.boundary_arn
  key_arn      = var.key_arn
  bucket_arn   = module.storage.bucket_arn
  datastore_id = var.datastore_id
}

module "identity" {
  source = "./modules/identity"
  count  = var.identity ? 1 : 0

  name = var.name
  mfa  = var.mfa
}

locals {
  # What a person would otherwise copy from the outputs into bedside.toml. Nothing is said twice.
  machine_identity = var.identity && var.machine_identity ? {
    issuer    = module.identity[0].issuer
    client_id = module.identity[0].client_id
  } : null
}

# Without an address nobody could be told.
module "budget" {
  source = "./modules/budget"
  count  = var.alarm_email == "" ? 0 : 1

  name        = var.name
  daily_usd   = var.daily_usd
  alarm_email = var.alarm_email
}

module "ci" {
  source = "./modules/ci"
  count  = var.github_repository == "" ? 0 : 1

  name              = var.name
  github_repository = var.github_repository
  oidc_provider_arn = var.oidc_provider_arn
  key_arn           = var.key_arn
  state_bucket      = var.state_bucket
  repository_arn    = module.registry.repository_arn
}

module "commands" {
  source = "./modules/commands"

  name = var.name
}

module "workers" {
  source = "./modules/workers"

  name                      = var.name
  boundary_arn              = var.boundary_arn
  region                    = var.region
  key_arn                   = var.key_arn
  bucket                    = module.storage.bucket
  bucket_arn                = module.storage.bucket_arn
  queue_url                 = module.events.queue_url
  pool_queues               = module.events.pool_queues
  pools                     = var.pools
  asleep                    = var.asleep
  machine_usd_per_h         = var.machine_usd_per_h
  subnet_ids                = module.network.subnet_ids
  subnet_zones              = module.network.zones
  security_group_id         = module.network.worker_security_group_id
  ledger_url_parameter_name = module.ledger.url_parameter_name
  node_archive_key          = var.node_archive_key
  waker_zip                 = var.waker_zip
  backlog_threshold         = var.backlog_threshold
  night                     = var.night
  archive_datastore_id      = var.archive ? var.datastore_id : ""
  archive_role_arn          = one(module.archive[*].role_arn) == null ? "" : one(module.archive[*].role_arn)
  topic_arn                 = module.observability.topic_arn
  identity                  = local.machine_identity
  log_days                  = var.log_days
}

module "control" {
  source = "./modules/control"
  count  = var.control ? 1 : 0

  name                      = var.name
  boundary_arn              = var.boundary_arn
  region                    = var.region
  domain                    = var.control_domain
  acme_server               = var.control_acme_server
  machine                   = var.control_machine
  dicom_from                = var.dicom_from
  dicom_port                = var.dicom_port
  dicom_tls                 = var.dicom_tls
  dicom_client_ca           = var.dicom_client_ca
  bucket                    = module.storage.bucket
  bucket_arn                = module.storage.bucket_arn
  key_arn                   = var.key_arn
  queue_url                 = module.events.queue_url
  pool_queues               = module.events.pool_queues
  subnet_ids                = module.network.subnet_ids
  security_group_id         = module.network.control_security_group_id
  ledger_url_parameter_name = module.ledger.url_parameter_name
  node_archive_key          = var.node_archive_key
  archive_datastore_id      = var.archive && var.manage_tenants ? var.datastore_id : ""
  archive_role_arn          = one(module.archive[*].role_arn) == null ? "" : one(module.archive[*].role_arn)
  topic_arn                 = module.observability.topic_arn
  identity                  = local.machine_identity
  log_days                  = var.log_days
}

# One key per machine's role, known before any is made.
module "tenants" {
  source = "./modules/tenants"
  count  = var.manage_tenants ? 1 : 0

  name                 = var.name
  bucket_arn           = module.storage.bucket_arn
  groups               = var.identity
  user_pool_id         = var.identity ? module.identity[0].user_pool_id : ""
  archive_datastore_id = var.archive ? var.datastore_id : ""
  roles = merge(
    { for pool, role in module.workers.role_names : "pool-${pool}" => role },
    { for index, machine in module.control : "control" => machine.role_name },
  )
}

module "observability" {
  source = "./modules/observability"

  name        = var.name
  pools       = keys(var.pools)
  group_names = module.workers.groups
  alarm_email = var.alarm_email
  log_days    = var.log_days

  # What waits on purpose wakes nobody.
  permitted_wait_s = { for pool, wish in var.pools : pool => wish.permitted_wait_s }
  night            = var.night != null

  # The last part of a queue's ARN is its name.
  queue_names       = { for pool, queue in module.events.pool_queues : pool => reverse(split(":", queue.arn))[0] }
  dead_letter_names = [for arn in values(module.events.dead_letter_arns) : reverse(split(":", arn))[0]]
}
