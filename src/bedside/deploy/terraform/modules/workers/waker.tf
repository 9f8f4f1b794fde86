# The waker: from zero to one, at once when something arrives and at the latest after a minute.

locals {
  patient = { for pool, wish in var.pools : pool => wish if wish.permitted_wait_s > 0 }
}

resource "aws_lambda_function" "waker" {
  function_name    = "${var.name}-waker"
  description      = "Raises bedside's pools from zero when work is there; never lowers one"
  role             = aws_iam_role.waker.arn
  filename         = var.waker_zip
  source_code_hash = filebase64sha256(var.waker_zip)
  handler          = "waker.handler"
  runtime          = "python3.13"
  architectures    = ["arm64"]
  memory_size      = 256 # less is slower for longer, and costs the same
  timeout          = 100 # a call that sees a wait end before the next one stays until then

  environment {
    variables = {
      POOLS = jsonencode({
        for pool, wish in var.pools : pool => {
          queue_url        = var.pool_queues[pool].url
          group            = local.groups[pool]
          max              = wish.max
          permitted_wait_s = wish.permitted_wait_s
          start_s          = local.start_s[pool]
          waiting          = wish.permitted_wait_s > 0 ? aws_ssm_parameter.waiting[pool].name : ""
        }
      })
    }
  }

  # What failed three times; the next minute's call does its work, so this is only a trace.
  dead_letter_config {
    target_arn = aws_sqs_queue.waker_failed.arn
  }

  depends_on = [aws_cloudwatch_log_group.waker, aws_iam_role_policy.waker]
}

resource "aws_lambda_function_event_invoke_config" "waker" {
  function_name                = aws_lambda_function.waker.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 300 # five of the schedule's calls have looked since
}

resource "aws_sqs_queue" "waker_failed" {
  name                      = "${var.name}-waker-failed"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_cloudwatch_log_group" "waker" {
  name              = "/aws/lambda/${var.name}-waker"
  retention_in_days = var.log_days
}

# Since when work waits in a pool that may let it wait. A tag on the group would be drift to Terraform, and a
# scheduled action would lower a group that grew meanwhile.
resource "aws_ssm_parameter" "waiting" {
  for_each = local.patient

  name        = "/bedside/${var.name}/waiting/${each.key}"
  description = "Since when work waits at zero machines in pool ${each.key}; - is not at all"
  type        = "String"
  value       = "-"

  lifecycle {
    ignore_changes = [value] # the waker's
  }
}

resource "aws_cloudwatch_event_rule" "arrived" {
  name        = "${var.name}-arrived"
  description = "Something was put into a drop-box"
  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    detail = {
      # The deployment's bucket, and those that tenants have for themselves.
      bucket = { name = [var.bucket, { prefix = "${var.name}-t-" }] }
      object = { key = [{ prefix = "input/" }] }
    }
  })
}

resource "aws_cloudwatch_event_rule" "minute" {
  name                = "${var.name}-minute"
  description         = "Finds work whose wake-up got lost"
  schedule_expression = "rate(1 minute)"
}

locals {
  waking_rules = { arrived = aws_cloudwatch_event_rule.arrived, minute = aws_cloudwatch_event_rule.minute }
}

resource "aws_cloudwatch_event_target" "waker" {
  for_each = local.waking_rules

  rule      = each.value.name
  target_id = "waker"
  arn       = aws_lambda_function.waker.arn
}

resource "aws_lambda_permission" "waker" {
  for_each = local.waking_rules

  statement_id  = each.key
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.waker.function_name
  principal     = "events.amazonaws.com"
  source_arn    = each.value.arn
}

# Without the waker nothing starts, so its silence matters as much as its errors.
resource "aws_cloudwatch_metric_alarm" "waker_errors" {
  alarm_name          = "${var.name}-waker-errors"
  alarm_description   = "The waker fails: see the log group /aws/lambda/${var.name}-waker."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.waker.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 3 # one hiccup is called again and is nobody's business at night
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.topic_arn])
}

resource "aws_cloudwatch_metric_alarm" "waker_silent" {
  alarm_name          = "${var.name}-waker-silent"
  alarm_description   = "The waker was not called for ten minutes: studies wait and no machine starts."
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = aws_lambda_function.waker.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = compact([var.topic_arn])
}
