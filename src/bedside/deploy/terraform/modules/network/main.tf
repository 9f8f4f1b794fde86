# Public subnets and closed security groups: a machine reaches AWS, and nothing reaches a machine.
# No NAT: it would cost more than the GPU does at a hundred studies a day.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

data "aws_availability_zones" "this" {
  state = "available"

  # Local zones have no GPUs and no RDS.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zones = slice(data.aws_availability_zones.this.names, 0, min(var.availability_zones, length(data.aws_availability_zones.this.names)))
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # the database is known by name

  tags = { Name = var.name }
}

# The group that a machine gets when nobody names one: it permits nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  count = length(local.zones)

  vpc_id            = aws_vpc.this.id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.cidr, 8, count.index)

  # Who needs a public address asks for it: the workers' launch template, the control machine.
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-public-${local.zones[count.index]}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  count = length(local.zones)

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

# The database's: no way to the internet, in either direction.
resource "aws_subnet" "ledger" {
  count = length(local.zones)

  vpc_id            = aws_vpc.this.id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.cidr, 8, 128 + count.index)

  tags = { Name = "${var.name}-ledger-${local.zones[count.index]}" }
}

resource "aws_route_table" "ledger" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-ledger" }
}

resource "aws_route_table_association" "ledger" {
  count = length(local.zones)

  subnet_id      = aws_subnet.ledger[count.index].id
  route_table_id = aws_route_table.ledger.id
}

# Studies go to S3 without passing the internet, and free of charge.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${data.aws_region.this.name}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.public.id]
  policy            = data.aws_iam_policy_document.s3.json

  tags = { Name = var.name }
}

data "aws_iam_policy_document" "s3" {
  # Our own bucket. Who may do what there is said by the roles; the endpoint only says where to.
  statement {
    sid       = "OwnBucket"
    actions   = ["s3:*"]
    resources = [var.bucket_arn, "${var.bucket_arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }

  # Buckets that tenants have for themselves, made while this runs: of this form, and of this account.
  statement {
    sid     = "TenantsBuckets"
    actions = ["s3:*"]
    resources = [
      "arn:${data.aws_partition.this.partition}:s3:::${var.name}-t-*",
      "arn:${data.aws_partition.this.partition}:s3:::${var.name}-t-*/*",
    ]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }

  # The layers of ECR's images and the packages of Amazon Linux lie in buckets of AWS: to be read only.
  statement {
    sid     = "Software"
    actions = ["s3:GetObject"]
    resources = [
      "arn:${data.aws_partition.this.partition}:s3:::prod-${data.aws_region.this.name}-starport-layer-bucket/*",
      "arn:${data.aws_partition.this.partition}:s3:::al2023-repos-${data.aws_region.this.name}-*/*",
    ]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}
