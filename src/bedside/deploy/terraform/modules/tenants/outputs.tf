output "policy" {
  description = "The policy that the roles are given, as JSON."
  value       = data.aws_iam_policy_document.this.json
}
