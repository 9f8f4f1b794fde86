output "groups" {
  description = "Pool to the name of its auto scaling group."
  value       = { for pool, group in aws_autoscaling_group.pool : pool => group.name }
}

output "waker_name" {
  description = "Name of the waker Lambda."
  value       = aws_lambda_function.waker.function_name
}

output "role_arn" {
  description = "Role of each pool's machines."
  value       = { for pool, role in aws_iam_role.worker : pool => role.arn }
}

output "role_names" {
  description = "Name of the role of each pool's machines."
  value       = { for pool, role in aws_iam_role.worker : pool => role.name }
}
