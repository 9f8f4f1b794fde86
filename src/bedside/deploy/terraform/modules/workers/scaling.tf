# From one machine to more, and to zero at night.

# The machines publish how many jobs wait (work.py), from the ledger: a queue also holds events of single slices.
resource "aws_cloudwatch_metric_alarm" "backlog" {
  for_each = var.pools

  alarm_name          = "${local.groups[each.key]}-backlog"
  alarm_description   = "Jobs wait in pool ${each.key}: one more machine is worth its price."
  namespace           = "bedside"
  metric_name         = "QueuedJobs"
  dimensions          = { Deployment = var.name, Pool = each.key }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.backlog_threshold
  treat_missing_data  = "notBreaching" # nobody works, so nobody counts: the waker's case
  alarm_actions       = [aws_autoscaling_policy.backlog[each.key].arn]
}

# A machine that cannot be set up ends itself, and while work waits the waker asks for the next one each minute: a
# start every few minutes is paid for, until somebody looks.
resource "aws_cloudwatch_metric_alarm" "set_up" {
  for_each = var.pools

  alarm_name          = "${local.groups[each.key]}-set-up"
  alarm_description   = "Machines of pool ${each.key} start, cannot be set up, and end: bedside deploy logs --part workers says in which line"
  namespace           = "bedside"
  metric_name         = "SetUpsFailed"
  dimensions          = { Deployment = var.name, Pool = each.key }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 3 # a network that fails once is nobody's business
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.topic_arn])
  ok_actions          = compact([var.topic_arn])
}

resource "aws_autoscaling_policy" "backlog" {
  for_each = var.pools

  name                      = "${local.groups[each.key]}-backlog"
  autoscaling_group_name    = aws_autoscaling_group.pool[each.key].name
  policy_type               = "StepScaling"
  adjustment_type           = "ChangeInCapacity"
  metric_aggregation_type   = "Maximum"
  estimated_instance_warmup = 300 # a machine that still starts counts, or each minute would add one more

  # Bounds are counted from the threshold. At 10: from 10 jobs one more, from 30 two, from 100 four.
  step_adjustment {
    metric_interval_lower_bound = 0
    metric_interval_upper_bound = var.backlog_threshold * 2
    scaling_adjustment          = 1
  }

  step_adjustment {
    metric_interval_lower_bound = var.backlog_threshold * 2
    metric_interval_upper_bound = var.backlog_threshold * 9
    scaling_adjustment          = 2
  }

  step_adjustment {
    metric_interval_lower_bound = var.backlog_threshold * 9
    scaling_adjustment          = 4
  }
}

# How a machine of a warm pool leaves: one fewer, whoever counts at the same time. The others are protected, so
# the one that is not goes, and back into the pool: terminated by name it would not come back.
resource "aws_autoscaling_policy" "leave" {
  for_each = { for pool, wish in var.pools : pool => wish if wish.warm_pool > 0 }

  name                   = local.leaving_policy
  autoscaling_group_name = aws_autoscaling_group.pool[each.key].name
  policy_type            = "SimpleScaling"
  adjustment_type        = "ChangeInCapacity"
  scaling_adjustment     = -1
  cooldown               = 0
}

# Maximum 0 is what keeps the waker from raising the pool again; each machine drains first.
resource "aws_autoscaling_schedule" "stop" {
  for_each = var.night == null ? {} : var.pools

  scheduled_action_name  = "${local.groups[each.key]}-night"
  autoscaling_group_name = aws_autoscaling_group.pool[each.key].name
  recurrence             = var.night.stop
  min_size               = 0
  max_size               = 0
  desired_capacity       = 0
}

# Only permits machines again; the waker finds within a minute whether one is needed.
resource "aws_autoscaling_schedule" "start" {
  for_each = var.night == null ? {} : var.pools

  scheduled_action_name  = "${local.groups[each.key]}-morning"
  autoscaling_group_name = aws_autoscaling_group.pool[each.key].name
  recurrence             = var.night.start
  min_size               = 0
  max_size               = each.value.max
  desired_capacity       = 0
}
