# Who may talk to whom. Rules are resources of their own, so that another module may add one.

resource "aws_security_group" "worker" {
  name        = "${var.name}-worker"
  description = "Machines that run models: they call, nobody calls them"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-worker" }

  lifecycle {
    create_before_destroy = true # a group in use cannot be deleted
  }
}

resource "aws_security_group" "ledger" {
  name        = "${var.name}-ledger"
  description = "The ledger's database: workers and the control machine only"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-ledger" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "control" {
  name        = "${var.name}-control"
  description = "The control machine: only the addresses named may call it"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-control" }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  callers = { worker = aws_security_group.worker.id, control = aws_security_group.control.id }

  entrances = {
    for pair in setproduct(var.control_cidrs, var.control_ports) :
    "${pair[0]}-${pair[1]}" => { cidr = pair[0], port = pair[1] }
  }
}

# AWS's interfaces, registries and packages: all speak HTTPS. Their addresses change daily, so any is allowed.
resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = local.callers

  security_group_id = each.value
  description       = "AWS, registries and packages, by HTTPS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "ledger" {
  for_each = local.callers

  security_group_id            = each.value
  description                  = "The ledger"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = aws_security_group.ledger.id
}

resource "aws_vpc_security_group_ingress_rule" "ledger" {
  for_each = local.callers

  security_group_id            = aws_security_group.ledger.id
  description                  = "From the ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = each.value
}

resource "aws_vpc_security_group_ingress_rule" "control" {
  for_each = local.entrances

  security_group_id = aws_security_group.control.id
  description       = "Who may reach the control machine"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
}
