# What a person looks at, and what wakes one. Every alarm's text says what to do first.

data "aws_region" "this" {}
data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

# Alarms carry names and numbers, never patient data, so AWS's own encryption does: CloudWatch could not
# publish to a topic with the default key.
resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
}

data "aws_iam_policy_document" "alarms" {
  # Alarms of this account only, or anybody's alarm could write here.
  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email == "" ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  # By place in the list: names of queues that are made in the same run are not known before.
  count = length(var.dead_letter_names)

  alarm_name          = "${var.dead_letter_names[count.index]}-letters"
  alarm_description   = "Something failed every attempt and waits for a person: bedside deploy run -- job list --state dead"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.dead_letter_names[count.index] }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

locals {
  # AWS takes no more than a day of them.
  day_periods = 86400 / 300

  # Work may wait so long at zero machines before anybody has to come.
  permitted_s = { for pool in var.pools : pool => lookup(var.permitted_wait_s, pool, 0) }
}

# An hour, and what it may wait on purpose. A pool sleeps while its group may have no machine (the night): what waited
# until the morning then has an hour of the day, too.
resource "aws_cloudwatch_metric_alarm" "oldest" {
  for_each = toset(var.pools)

  alarm_name          = "${var.name}-${each.key}-oldest"
  alarm_description   = "Something has waited for an hour longer than it may in pool ${each.key}: bedside deploy status"
  evaluation_periods  = var.night ? 12 : 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 3600 + local.permitted_s[each.key]
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "awake"
    label       = "seconds that the oldest waits, by day"
    expression  = "IF(FILL(most, 1) > 0, FILL(age, 0), 0)"
    return_data = true
  }

  metric_query {
    id = "age"
    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = var.queue_names[each.key] }
      stat        = "Maximum"
      period      = 300
    }
  }

  metric_query {
    id = "most"
    metric {
      namespace   = "AWS/AutoScaling"
      metric_name = "GroupMaxSize"
      dimensions  = { AutoScalingGroupName = var.group_names[each.key] }
      stat        = "Minimum"
      period      = 300
    }
  }
}

# Work waits, longer than it may, and no machine is in service. A GPU machine needs minutes to start, so three quarters
# of an hour. While the pool sleeps nobody is expected.
resource "aws_cloudwatch_metric_alarm" "nobody_works" {
  for_each = toset(var.pools)

  alarm_name          = "${var.name}-${each.key}-nobody-works"
  alarm_description   = "Work waits in pool ${each.key} and no machine serves it; ${aws_cloudwatch_log_group.machines.name} says why none starts, e.g. a quota"
  evaluation_periods  = min(local.day_periods, 9 + ceil(local.permitted_s[each.key] / 300))
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "unserved"
    label       = "waiting while nobody works who should"
    expression  = "IF(FILL(most, 1) > 0, IF(FILL(serving, 0) < 1, FILL(waiting, 0), 0), 0)"
    return_data = true
  }

  metric_query {
    id = "waiting"
    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = var.queue_names[each.key] }
      stat        = "Maximum"
      period      = 300
    }
  }

  metric_query {
    id = "serving"
    metric {
      namespace   = "AWS/AutoScaling"
      metric_name = "GroupInServiceInstances"
      dimensions  = { AutoScalingGroupName = var.group_names[each.key] }
      stat        = "Maximum"
      period      = 300
    }
  }

  metric_query {
    id = "most"
    metric {
      namespace   = "AWS/AutoScaling"
      metric_name = "GroupMaxSize"
      dimensions  = { AutoScalingGroupName = var.group_names[each.key] }
      stat        = "Minimum"
      period      = 300
    }
  }
}

# One dead job is a notice. Many at once are a broken release or a full disk, and worth a call.
resource "aws_cloudwatch_metric_alarm" "many_dead" {
  for_each = toset(var.pools)

  alarm_name          = "${var.name}-${each.key}-many-dead"
  alarm_description   = "Five jobs of pool ${each.key} failed every attempt within 15 minutes: bedside deploy run -- job list --state dead"
  namespace           = "bedside"
  metric_name         = "JobsDead"
  dimensions          = { Deployment = var.name, Pool = each.key }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# Whoever waits for notices would not hear that they stopped.
resource "aws_cloudwatch_metric_alarm" "notices_lost" {
  alarm_name          = "${var.name}-notices-lost"
  alarm_description   = "A notice could not be sent: the workers' log says why, at action=notice.lost; bedside notify test"
  namespace           = "bedside"
  metric_name         = "NoticesLost"
  dimensions          = { Deployment = var.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# Why machines came and went, and why one could not: AWS keeps that for six weeks and only in its console.
resource "aws_cloudwatch_log_group" "machines" {
  name              = "/aws/events/${var.name}-machines"
  retention_in_days = var.log_days
}

resource "aws_cloudwatch_event_rule" "machines" {
  name        = "${var.name}-machines"
  description = "Machines of bedside's pools that start, end, or fail to"
  event_pattern = jsonencode({
    source = ["aws.autoscaling"]
    detail = { AutoScalingGroupName = values(var.group_names) }
  })
}

resource "aws_cloudwatch_event_target" "machines" {
  rule      = aws_cloudwatch_event_rule.machines.name
  target_id = "log"
  arn       = aws_cloudwatch_log_group.machines.arn
}

data "aws_iam_policy_document" "machines" {
  # EventBridge writes to a log group by the group's policy, not by a role. It makes streams without saying for
  # which rule, so that only writing can be held to ours.
  statement {
    actions   = ["logs:CreateLogStream"]
    resources = ["${aws_cloudwatch_log_group.machines.arn}:*"]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
    }
  }

  statement {
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.machines.arn}:*"]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.machines.arn]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "machines" {
  policy_name     = "${var.name}-machines"
  policy_document = data.aws_iam_policy_document.machines.json
}
