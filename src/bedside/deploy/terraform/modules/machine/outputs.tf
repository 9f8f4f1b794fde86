output "policy" {
  description = "What every machine may do, as JSON; source_policy_documents of one's own document takes it."
  value       = data.aws_iam_policy_document.this.json
}

output "trust" {
  description = "Who may take the role of a machine, as JSON: EC2."
  value       = data.aws_iam_policy_document.trust.json
}
