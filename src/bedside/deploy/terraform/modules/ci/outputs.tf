output "role_arn" {
  description = "Role that a workflow names as `role-to-assume`."
  value       = aws_iam_role.ci.arn
}
