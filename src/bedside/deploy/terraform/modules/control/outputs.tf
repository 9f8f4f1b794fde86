output "url" {
  description = "Where the machine answers, once its name points to the address."
  value       = "https://${var.domain}"
}

output "address" {
  description = "Its lasting address: what the A record of the domain must say."
  value       = aws_eip.this.public_ip
}

output "group" {
  description = "Auto scaling group that holds the one machine."
  value       = aws_autoscaling_group.this.name
}

output "log_group" {
  description = "Log group of the machine."
  value       = aws_cloudwatch_log_group.this.name
}

output "role_name" {
  description = "Name of the machine's role."
  value       = aws_iam_role.this.name
}

output "dicom" {
  description = "HOST:PORT that studies are sent to by C-STORE; empty where nobody may."
  value       = local.dicom ? "${var.domain}:${var.dicom_port}" : ""
}
