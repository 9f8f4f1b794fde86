output "vpc_id" {
  description = "Id of the network."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "Public subnets that machines may start in, one in each zone."
  value       = aws_subnet.public[*].id
}

output "zones" {
  description = "Availability zone of each of them, in the same order."
  value       = aws_subnet.public[*].availability_zone
}

output "ledger_subnet_ids" {
  description = "Subnets of the database, without a way to the internet."
  value       = aws_subnet.ledger[*].id
}

output "worker_security_group_id" {
  description = "Security group of the workers' machines; it lets nothing in."
  value       = aws_security_group.worker.id
}

output "ledger_security_group_id" {
  description = "Security group of the database."
  value       = aws_security_group.ledger.id
}

output "control_security_group_id" {
  description = "Security group of the control machine."
  value       = aws_security_group.control.id
}
