output "dashboard" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "topic_arn" {
  description = "Topic of the alarms."
  value       = aws_sns_topic.alarms.arn
}

output "machines_log" {
  description = "Log group that says why each machine came, went, or could not start."
  value       = aws_cloudwatch_log_group.machines.name
}
