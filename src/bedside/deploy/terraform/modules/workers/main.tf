# Pools of workers: one launch template and one auto scaling group each, from zero and back.
# Who changes the size: the waker raises it from zero (waker.tf), step scaling raises it further
# (scaling.tf), a worker with nothing to do takes its own machine out. Nothing else lowers it but the night.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  partition = data.aws_partition.this.partition
  account   = data.aws_caller_identity.this.account_id
  groups    = { for pool in keys(var.pools) : pool => "${var.name}-${pool}" }

  # Written out, because a role that could name its group by reference would need the group first.
  group_arns = {
    for pool, group in local.groups : pool =>
    "arn:${local.partition}:autoscaling:${var.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/${group}"
  }
  tags             = { "bedside:deployment" = var.name }
  terminating_hook = "drain"
  launching_hook   = "set-up"
  leaving_policy   = "leave"

  # Mixed instances are for spot and for a choice of types; a warm pool is refused with both.
  mixed = { for pool, wish in var.pools : pool => wish.spot || length(wish.instance_types) > 1 }

  # From waking to the first result, where nobody said: a stopped machine has the release on its disk, one with a
  # release disk finds it there, another one installs and pulls. docs/cost.md has what these are made of.
  start_s = {
    for pool, wish in var.pools : pool =>
    wish.start_s != null ? wish.start_s : wish.warm_pool > 0 ? (wish.gpu ? 100 : 90) : wish.release_disk_gb > 0 ? (wish.gpu ? 120 : 110) : wish.gpu ? 240 : 150
  }

  # Spot gives two minutes. Otherwise longer than most jobs, so that a new version ends none.
  grace_s = { for pool, wish in var.pools : pool => wish.spot ? 90 : 900 }

  # AWS's own image with docker; the GPU variant adds NVIDIA's driver and container runtime.
  image = {
    for pool, wish in var.pools : pool =>
    "/aws/service/ecs/optimized-ami/amazon-linux-2023/${wish.gpu ? "gpu/" : ""}recommended/image_id"
  }
}

resource "aws_launch_template" "pool" {
  for_each = var.pools

  name        = local.groups[each.key]
  description = "A machine of bedside's pool ${each.key}"
  # Resolved at each start: a machine has the newest image, and a plan does not change when AWS publishes one.
  image_id               = "resolve:ssm:${local.image[each.key]}"
  instance_type          = each.value.instance_types[0]
  update_default_version = true

  # AWS takes 16 KiB, and cloud-init what is packed. Comments are for who reads the template; those that begin with s
  # stay, shellcheck's among them.
  user_data = base64gzip(replace(templatefile("${path.module}/node.sh.tftpl", {
    region         = var.region
    bucket         = var.bucket
    archive_key    = var.node_archive_key
    ledger         = var.ledger_url_parameter_name
    deployment     = var.name
    pool           = each.key
    group          = local.groups[each.key]
    idle_s         = each.value.idle_s
    leaving_policy = each.value.warm_pool > 0 ? local.leaving_policy : ""
    prices         = lookup(var.machine_usd_per_h, each.key, {})
    work           = trimspace(file("${path.module}/work.py"))
    disk           = trimspace(file("${path.module}/disk.py"))
    volumes        = local.volumes[each.key]
    launching_hook = each.value.warm_pool > 0 ? local.launching_hook : ""
    draining_hook  = local.terminating_hook
    log_group      = aws_cloudwatch_log_group.worker[each.key].name
    stop_s         = local.grace_s[each.key] + 30
    settings = merge(
      {
        BEDSIDE_STORE_URL = "s3://${var.bucket}"
        BEDSIDE_QUEUE_URL = var.queue_url
        # A stage that ends tells the next stage's pool; a machine listens to its own pool's queue.
        BEDSIDE_QUEUE_POOLS  = join(",", [for pool, queue in var.pool_queues : "${pool}=${queue.url}"])
        BEDSIDE_SYSTEM_ROOT  = "/var/lib/bedside"
        BEDSIDE_WORKER_POOLS = each.key
        # A release runs in a container: what is inside reaches neither credentials nor the network.
        BEDSIDE_WORKER_ENGINE  = "docker"
        BEDSIDE_WORKER_DEVICE  = each.value.gpu ? "cuda" : "cpu"
        BEDSIDE_WORKER_GRACE_S = local.grace_s[each.key]

        BEDSIDE_METRICS_SINK       = "emf"
        BEDSIDE_METRICS_FILE       = "/var/log/bedside/metrics.log"
        BEDSIDE_METRICS_DEPLOYMENT = var.name
      },
      var.topic_arn == "" ? {} : { BEDSIDE_NOTIFY_TOPIC_ARN = var.topic_arn },
      var.identity == null ? {} : {
        BEDSIDE_IDENTITY_ISSUER  = var.identity.issuer
        BEDSIDE_IDENTITY_CLIENTS = var.identity.client_id
      },
      var.archive_datastore_id == "" ? {} : {
        BEDSIDE_ARCHIVE_DATASTORE = var.archive_datastore_id
        BEDSIDE_ARCHIVE_ROLE      = var.archive_role_arn
      },
    )
  }), "/(?m)^ *# [^s\\n].*\\n/", ""))

  iam_instance_profile {
    arn = aws_iam_instance_profile.worker[each.key].arn
  }

  # One hop: the answer with the credentials cannot cross docker's bridge.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # AWS's key of disks: with a key of one's own the group's service role needs a grant first, and
  # without it machines end at once with an error that says nothing. What lies here is scratch.
  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk_gb
      encrypted             = true
      delete_on_termination = true
    }
  }

  # A public address and no NAT, which would cost more than the GPU; the security group lets nothing in.
  network_interfaces {
    associate_public_ip_address = true
    security_groups             = [var.security_group_id]
    delete_on_termination       = true
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])
    content {
      resource_type = tag_specifications.value
      tags          = merge(local.tags, { Name = local.groups[each.key], "bedside:pool" = each.key })
    }
  }
}

resource "aws_autoscaling_group" "pool" {
  for_each = var.pools

  name                      = local.groups[each.key]
  min_size                  = 0
  max_size                  = contains(var.asleep, each.key) ? 0 : each.value.max # the schedule wakes it (scaling.tf)
  desired_capacity          = 0
  vpc_zone_identifier       = local.subnets[each.key]
  health_check_type         = "EC2"
  health_check_grace_period = 300
  # A machine that took itself out may leave more in one zone than in another. Evening that out would start a
  # machine for nothing and drain one that works.
  suspended_processes = ["AZRebalance"]
  # A machine that drains for long must not hold up `terraform apply`.
  wait_for_capacity_timeout = "0"
  enabled_metrics           = ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupTotalInstances"]

  # Only where one type on demand is asked for, because a warm pool is refused with the other form.
  dynamic "launch_template" {
    for_each = local.mixed[each.key] ? [] : [aws_launch_template.pool[each.key]]
    content {
      id      = launch_template.value.id
      version = launch_template.value.latest_version
    }
  }

  dynamic "mixed_instances_policy" {
    for_each = local.mixed[each.key] ? [aws_launch_template.pool[each.key]] : []
    content {
      instances_distribution {
        on_demand_base_capacity                  = 0
        on_demand_percentage_above_base_capacity = each.value.spot ? 0 : 100
        on_demand_allocation_strategy            = "prioritized"
        spot_allocation_strategy                 = "price-capacity-optimized"
      }

      launch_template {
        launch_template_specification {
          launch_template_id = mixed_instances_policy.value.id
          version            = mixed_instances_policy.value.latest_version
        }

        dynamic "override" {
          for_each = each.value.instance_types
          content {
            instance_type = override.value
          }
        }
      }
    }
  }

  dynamic "warm_pool" {
    for_each = each.value.warm_pool > 0 ? [each.value.warm_pool] : []
    content {
      pool_state = "Stopped"
      # So many machines in all, at work or stopped. A minimum of stopped ones would be made up while one works,
      # by a new machine that is set up, paid for, and one too many when the other returns.
      min_size                    = 0
      max_group_prepared_capacity = warm_pool.value

      # It comes back with the release on its disk, which is what a start is spent on. Its worker has removed
      # what jobs left, and a machine with another version is replaced by the refresh below.
      instance_reuse_policy {
        reuse_on_scale_in = true
      }
    }
  }

  # A new version of the software or the image: one machine after the other, each drained first.
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 0
      instance_warmup        = 120
      # Machines of a warm pool protect themselves while they work; a refresh drains them all the same.
      scale_in_protected_instances = "Refresh"
    }
  }

  dynamic "tag" {
    for_each = merge(local.tags, { Name = local.groups[each.key], "bedside:pool" = each.key })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false # the launch template tags machines, disks and interfaces
    }
  }

  # A machine of a warm pool starts at once, and gives up where it may not yet read its software.
  depends_on = [aws_iam_role_policy.worker]

  # A machine that is shut down in the middle of a job takes its time.
  timeouts {
    delete = "20m"
  }

  lifecycle {
    # The waker, step scaling and the workers themselves change it.
    ignore_changes = [desired_capacity]

    precondition {
      condition     = each.value.warm_pool == 0 || !each.value.spot
      error_message = "Pool ${each.key}: warm_pool is ${each.value.warm_pool} and spot is true, but AWS refuses a warm pool of spot machines. Set warm_pool = 0 or spot = false."
    }

    precondition {
      condition     = each.value.warm_pool == 0 || length(each.value.instance_types) == 1
      error_message = "Pool ${each.key}: warm_pool is ${each.value.warm_pool} with ${length(each.value.instance_types)} instance types, but AWS refuses a warm pool with a choice of types. Name one type or set warm_pool = 0."
    }

    precondition {
      condition     = each.value.warm_pool == 0 || each.value.release_disk_gb == 0
      error_message = "Pool ${each.key}: warm_pool is ${each.value.warm_pool} and release_disk_gb ${each.value.release_disk_gb}, but machines of a warm pool keep the release on their own disks. Set one of them to 0."
    }

    precondition {
      condition     = each.value.release_disk_gb == 0 || (each.value.release_disk_gb >= 20 && each.value.release_disk_zones >= 1 && each.value.release_disk_zones <= length(var.subnet_ids))
      error_message = "Pool ${each.key}: release_disk_gb is ${each.value.release_disk_gb} and release_disk_zones ${each.value.release_disk_zones}; a disk needs 20 GB, and there are ${length(var.subnet_ids)} zones."
    }

    precondition {
      condition     = contains(keys(var.pool_queues), each.key)
      error_message = "Pool ${each.key} has no queue in pool_queues."
    }
  }
}

# A machine that must go waits here until its worker has finished its job or given it back.
resource "aws_autoscaling_lifecycle_hook" "drain" {
  for_each = var.pools

  name                   = local.terminating_hook
  autoscaling_group_name = aws_autoscaling_group.pool[each.key].name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = local.grace_s[each.key] + 120
  default_result         = "CONTINUE"
}

# A machine of a warm pool is stopped when set up, and not in the middle of it.
resource "aws_autoscaling_lifecycle_hook" "set_up" {
  for_each = { for pool, wish in var.pools : pool => wish if wish.warm_pool > 0 }

  name                   = local.launching_hook
  autoscaling_group_name = aws_autoscaling_group.pool[each.key].name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_LAUNCHING"
  heartbeat_timeout      = 900
  default_result         = "ABANDON"
}

# No patient data is in these lines (job ids and UIDs only), so AWS's own encryption does.
resource "aws_cloudwatch_log_group" "worker" {
  for_each = var.pools

  name              = "/bedside/${var.name}/workers/${each.key}"
  retention_in_days = var.log_days
}
