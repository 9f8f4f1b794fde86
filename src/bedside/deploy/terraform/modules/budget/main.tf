# A mail on the day after one that cost too much. The whole account and every region are looked at, not only
# what bears our tag: what was forgotten elsewhere is what costs.

resource "aws_budgets_budget" "daily" {
  name         = "${var.name}-daily"
  budget_type  = "COST"
  time_unit    = "DAILY"
  limit_amount = tostring(var.daily_usd)
  limit_unit   = "USD"

  # A day's budget knows no forecast.
  notification {
    comparison_operator        = "GREATER_THAN"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    notification_type          = "ACTUAL"
    subscriber_email_addresses = [var.alarm_email]
  }
}
