output "role_arn" {
  description = "Role that an import job names."
  value       = aws_iam_role.import.arn
}
