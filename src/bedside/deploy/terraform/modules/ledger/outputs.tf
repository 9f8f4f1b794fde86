output "secret_arn" {
  description = "ARN of the parameter that holds the URL, with its password."
  value       = local.made ? aws_ssm_parameter.url[0].arn : aws_ssm_parameter.existing[0].arn
}

output "host" {
  description = "Name of the database's machine; empty where the database existed before."
  value       = local.made ? aws_db_instance.this[0].address : ""
}

output "url_parameter_name" {
  description = "Name of the SSM parameter (SecureString) that holds the ledger's SQLAlchemy URL."
  value       = local.made ? aws_ssm_parameter.url[0].name : aws_ssm_parameter.existing[0].name
}
