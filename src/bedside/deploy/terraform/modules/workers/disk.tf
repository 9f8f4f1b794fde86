# Release disks: what a start would fetch again outlives the machine that fetched it. A warm pool does that for machines
# on demand only; a disk can be taken by a spot machine as well, by one at a time, in its own zone. Snapshots would go
# to every zone, and load from S3 when they are first read.

locals {
  # Pool and zone by numbers, for the zones' names may not be known yet.
  release_disks = merge([
    for pool, wish in var.pools : {
      for number in range(wish.release_disk_gb > 0 ? wish.release_disk_zones : 0) : "${pool}-${number}" => { pool = pool, number = number }
    }
  ]...)

  volumes = {
    for pool in keys(var.pools) : pool => {
      for key, disk in local.release_disks : var.subnet_zones[disk.number] => aws_ebs_volume.release[key].id if disk.pool == pool
    }
  }

  # A machine elsewhere could not take it.
  subnets = {
    for pool, wish in var.pools : pool =>
    wish.release_disk_gb > 0 ? slice(var.subnet_ids, 0, min(wish.release_disk_zones, length(var.subnet_ids))) : var.subnet_ids
  }
}

resource "aws_ebs_volume" "release" {
  for_each = local.release_disks

  availability_zone = var.subnet_zones[each.value.number]
  type              = "gp3"
  size              = var.pools[each.value.pool].release_disk_gb
  encrypted         = true # by AWS's key, as the machines' own disks

  tags = merge(local.tags, { Name = "${local.groups[each.value.pool]}-release-${each.value.number}", "bedside:pool" = each.value.pool })

  lifecycle {
    precondition {
      condition     = length(var.subnet_zones) == length(var.subnet_ids)
      error_message = "Pool ${each.value.pool}: release_disk_gb is ${var.pools[each.value.pool].release_disk_gb}, and subnet_zones names ${length(var.subnet_zones)} zones for ${length(var.subnet_ids)} subnets. Name the zone of each, in their order."
    }
  }
}
