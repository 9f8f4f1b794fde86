# One small machine that is always there: it takes in what arrives while no worker runs, and shows the portal by HTTPS.
# A group of exactly one, so that a machine that broke is replaced without anybody; it keeps nothing but its
# certificate, which lies in the bucket.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  partition = data.aws_partition.this.partition
  account   = data.aws_caller_identity.this.account_id
  group     = "${var.name}-control"
  tags      = { "bedside:deployment" = var.name }

  # Where nginx finds the answer of `bedside serve`.
  health = "127.0.0.1:8081"
  # And its portal.
  portal = "127.0.0.1:8080"

  # Studies by C-STORE: whatever the configuration says, closed unless somebody is named, and by TLS with the
  # certificate of HTTPS.
  dicom = length(var.dicom_from) > 0
  dicom_settings = merge(
    { BEDSIDE_DICOM_PORT = local.dicom ? var.dicom_port : 0 },
    !local.dicom ? {} : {
      BEDSIDE_DICOM_ADDRESS         = "0.0.0.0"
      BEDSIDE_DICOM_NETWORKS        = join(",", var.dicom_from)
      BEDSIDE_DICOM_TLS_CERTIFICATE = var.dicom_tls ? "/etc/bedside/tls/fullchain.pem" : ""
      BEDSIDE_DICOM_TLS_KEY         = var.dicom_tls ? "/etc/bedside/tls/privkey.pem" : ""
      BEDSIDE_DICOM_TLS_CLIENT_CA   = var.dicom_client_ca == "" ? "" : "/etc/bedside/senders.pem"
    },
  )

  nginx = templatefile("${path.module}/nginx.conf.tftpl", { name = var.name, domain = var.domain, health = local.health, portal = local.portal })
}

# Its name in DNS points here, and stays right when the machine is replaced.
resource "aws_eip" "this" {
  domain = "vpc"

  tags = { Name = local.group }
}

# Anybody may come here, because Let's Encrypt says of no address that it asks from. What answers is the proof
# that the name is ours, and the way to HTTPS.
resource "aws_vpc_security_group_ingress_rule" "acme" {
  security_group_id = var.security_group_id
  description       = "Proof for the certificate, and the way to HTTPS"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
}

# Modalities and PACS: the networks named, and nobody while none is.
resource "aws_vpc_security_group_ingress_rule" "dicom" {
  for_each = toset(var.dicom_from)

  security_group_id = var.security_group_id
  description       = "Studies by C-STORE"
  ip_protocol       = "tcp"
  from_port         = var.dicom_port
  to_port           = var.dicom_port
  cidr_ipv4         = each.value
}

resource "aws_launch_template" "this" {
  name        = local.group
  description = "bedside's control machine"
  # Resolved at each start: a machine has the newest image, and a plan does not change when AWS publishes one.
  image_id               = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
  instance_type          = var.machine
  update_default_version = true

  user_data = base64encode(templatefile("${path.module}/node.sh.tftpl", {
    region      = var.region
    deployment  = var.name
    bucket      = var.bucket
    archive_key = var.node_archive_key
    ledger      = var.ledger_url_parameter_name
    domain      = var.domain
    address     = aws_eip.this.public_ip
    allocation  = aws_eip.this.id
    acme_server = var.acme_server
    health      = local.health
    # Besides nginx, who reads the certificate's key.
    key_reader  = local.dicom && var.dicom_tls ? "bedside" : ""
    senders_ca  = trimspace(var.dicom_client_ca)
    nginx       = trimspace(local.nginx)
    certificate = trimspace(file("${path.module}/certificate.sh"))
    log_group   = aws_cloudwatch_log_group.this.name
    settings = merge(
      {
        BEDSIDE_STORE_URL    = "s3://${var.bucket}"
        BEDSIDE_QUEUE_URL    = var.queue_url
        BEDSIDE_QUEUE_POOLS  = join(",", [for pool, queue in var.pool_queues : "${pool}=${queue.url}"])
        BEDSIDE_SYSTEM_ROOT  = "/var/lib/bedside"
        BEDSIDE_SERVE_HEALTH = local.health
        # Pages, API and DICOMweb, behind HTTPS alone: cookies and links bear the name that browsers see.
        BEDSIDE_PORTAL_LISTEN  = local.portal
        BEDSIDE_PORTAL_URL     = "https://${var.domain}"
        BEDSIDE_PORTAL_PROXIES = "127.0.0.1"
        # Models run on workers, and whatever the configuration says of a worker's pools is said of them.
        BEDSIDE_WORKER_COUNT = 0
        BEDSIDE_WORKER_POOLS = ""

        BEDSIDE_METRICS_SINK       = "emf"
        BEDSIDE_METRICS_FILE       = "/var/log/bedside/metrics.log"
        BEDSIDE_METRICS_DEPLOYMENT = var.name
      },
      local.dicom_settings,
      var.topic_arn == "" ? {} : { BEDSIDE_NOTIFY_TOPIC_ARN = var.topic_arn },
      var.identity == null ? {} : {
        BEDSIDE_IDENTITY_ISSUER  = var.identity.issuer
        BEDSIDE_IDENTITY_CLIENTS = var.identity.client_id
      },
      # A removed tenant's image sets are found there. Results are sent by workers, of which there is none here.
      var.archive_datastore_id == "" ? {} : {
        BEDSIDE_ARCHIVE_DATASTORE = var.archive_datastore_id
        BEDSIDE_ARCHIVE_ROLE      = var.archive_role_arn
      },
    )
  }))

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # Else a busy hour of a small machine is paid for apart.
  dynamic "credit_specification" {
    for_each = startswith(var.machine, "t") ? [1] : []
    content {
      cpu_credits = "standard"
    }
  }

  # AWS's key of disks: with a key of one's own the group's service role needs a grant first. What lies here is
  # scratch.
  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.disk_gb
      encrypted             = true
      delete_on_termination = true
    }
  }

  # A public address until the machine has taken the lasting one.
  network_interfaces {
    associate_public_ip_address = true
    security_groups             = [var.security_group_id]
    delete_on_termination       = true
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])
    content {
      resource_type = tag_specifications.value
      tags          = merge(local.tags, { Name = local.group })
    }
  }
}

resource "aws_autoscaling_group" "this" {
  name                      = local.group
  min_size                  = 1
  max_size                  = 1
  desired_capacity          = 1
  vpc_zone_identifier       = var.subnet_ids
  health_check_type         = "EC2"
  health_check_grace_period = 300
  # It is set up when its software is in the bucket, which is after `terraform apply`.
  wait_for_capacity_timeout = "0"
  enabled_metrics           = ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupTotalInstances"]

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  # A new version of the software or of the settings is another machine. What arrives meanwhile waits in the
  # queue, or workers take it in.
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 0
      instance_warmup        = 120
    }
  }

  dynamic "tag" {
    for_each = merge(local.tags, { Name = local.group })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false # the launch template tags machines, disks and interfaces
    }
  }

  # A machine that starts before it may read its software or take its address gives up.
  depends_on = [aws_iam_role_policy.this]
}

# No patient data is in these lines (job ids and UIDs only), so AWS's own encryption does.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/bedside/${var.name}/control"
  retention_in_days = var.log_days
}

# The machine asks itself each minute, through nginx. One that is silent is not well either.
resource "aws_cloudwatch_metric_alarm" "healthy" {
  alarm_name          = "${local.group}-healthy"
  alarm_description   = "The control machine takes nothing in, or is not there: see the log group /bedside/${var.name}/control."
  namespace           = "bedside"
  metric_name         = "ControlHealthy"
  dimensions          = { Deployment = var.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 4 # a replaced machine needs a few minutes
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = compact([var.topic_arn])
  ok_actions          = compact([var.topic_arn])
}
