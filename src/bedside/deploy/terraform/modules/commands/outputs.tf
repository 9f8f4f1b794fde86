output "document" {
  description = "Name of the document that runs commands of bedside on the machines."
  value       = aws_ssm_document.run.name
}
