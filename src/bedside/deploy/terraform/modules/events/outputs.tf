output "queue_url" {
  description = "URL of the queue that the bucket's events and the default pool's hints go to."
  value       = aws_sqs_queue.pool[local.default_pool].url
}

output "queue_arn" {
  description = "ARN of that queue."
  value       = aws_sqs_queue.pool[local.default_pool].arn
}

output "dead_letter_url" {
  description = "URL of its dead-letter queue."
  value       = aws_sqs_queue.dead_letters[local.default_pool].url
}

output "dead_letter_arn" {
  description = "ARN of its dead-letter queue."
  value       = aws_sqs_queue.dead_letters[local.default_pool].arn
}

output "dead_letter_arns" {
  description = "ARNs of all pools' dead-letter queues, by pool."
  value       = { for pool, queue in aws_sqs_queue.dead_letters : pool => queue.arn }
}

output "pool_queues" {
  description = "Queue of each pool: its URL and ARN."
  value       = { for pool, queue in aws_sqs_queue.pool : pool => { url = queue.url, arn = queue.arn } }
}
