output "user_pool_id" {
  description = "Id of the pool of accounts."
  value       = aws_cognito_user_pool.this.id
}

output "client_id" {
  description = "Id of the client that signs people in."
  value       = aws_cognito_user_pool_client.this.id
}

output "issuer" {
  description = "Who issues the tokens (`iss`); their keys are under it."
  value       = "https://cognito-idp.${data.aws_region.this.name}.amazonaws.com/${aws_cognito_user_pool.this.id}"
}
