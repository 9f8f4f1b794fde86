output "bucket" {
  description = "Name of the bucket."
  # From the policy's resource, so that nobody writes before the bucket is closed.
  value = aws_s3_bucket_policy.this.bucket
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}
