# One page: is anything stuck, is anybody working, how long does it take, what does it cost.

locals {
  region = data.aws_region.this.name

  graphs = [
    {
      title = "Waiting messages"
      stat  = "Maximum"
      metrics = [
        for pool in var.pools :
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queue_names[pool], { label = pool }]
      ]
    },
    {
      title = "Age of the oldest message (s)"
      stat  = "Maximum"
      metrics = [
        for pool in var.pools :
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queue_names[pool], { label = pool }]
      ]
    },
    {
      title = "Machines in service"
      stat  = "Maximum"
      metrics = [
        for pool in var.pools :
        ["AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", var.group_names[pool], { label = pool }]
      ]
    },
    {
      title = "Jobs that wait"
      stat  = "Maximum"
      metrics = [
        for pool in var.pools :
        ["bedside", "QueuedJobs", "Deployment", var.name, "Pool", pool, { label = pool }]
      ]
    },
    {
      title = "Dead letters"
      stat  = "Maximum"
      metrics = [
        for queue in var.dead_letter_names :
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, { label = queue }]
      ]
    },
  ]

  # What workers measure. The names are those of bedside.domain.measure; a test compares them.
  measured = [
    {
      title = "Jobs that ended, and attempts that are tried again"
      stat  = "Sum"
      metrics = flatten([
        for pool in var.pools : [
          for metric in ["JobsSucceeded", "JobsRejected", "JobsDead", "JobsRetried"] :
          { metric = metric, pool = pool, label = "${pool} ${metric}", stat = "Sum" }
        ]
      ])
    },
    {
      title = "Seconds a stage takes (median, 9 of 10)"
      stat  = "p50"
      metrics = flatten([
        for pool in var.pools : [
          for stat in ["p50", "p90"] :
          { metric = "StageSeconds", pool = pool, label = "${pool} ${stat}", stat = stat }
        ]
      ])
    },
    {
      title = "Seconds that a stage waits for a worker (median, 9 of 10)"
      stat  = "p50"
      metrics = flatten([
        for pool in var.pools : [
          for stat in ["p50", "p90"] :
          { metric = "WaitSeconds", pool = pool, label = "${pool} ${stat}", stat = stat }
        ]
      ])
    },
    {
      title = "Seconds: models run and loaded, GPUs held (sum)"
      stat  = "Sum"
      metrics = flatten([
        for pool in var.pools : [
          for metric in ["RunSeconds", "LoadSeconds", "GpuSeconds"] :
          { metric = metric, pool = pool, label = "${pool} ${metric}", stat = "Sum" }
        ]
      ])
    },
    {
      title = "Studies that arrived, and what could not be used"
      stat  = "Sum"
      metrics = [
        for metric in ["Arrivals", "InputsRejected"] :
        { metric = metric, pool = "", label = metric, stat = "Sum" }
      ]
    },
    {
      title = "Received by C-STORE: instances, and who was refused"
      stat  = "Sum"
      metrics = [
        for metric in ["InstancesReceived", "InstancesRefused", "SendersRefused"] :
        { metric = metric, pool = "", label = metric, stat = "Sum" }
      ]
    },
    {
      title   = "Bytes received by C-STORE"
      stat    = "Sum"
      metrics = [{ metric = "ReceivedBytes", pool = "", label = "ReceivedBytes", stat = "Sum" }]
    },
    {
      title = "Archive, workers, notices"
      stat  = "Sum"
      metrics = [
        for metric in ["ResultsArchived", "ResultsNotArchived", "WorkersGone", "NoticesLost"] :
        { metric = metric, pool = "", label = metric, stat = "Sum" }
      ]
    },
  ]

  # From the workers' own lines, by job: ids and times, no names.
  job_seconds = join(" | ", concat(
    [for pool in var.pools : "SOURCE '/bedside/${var.name}/workers/${pool}'"],
    [
      "parse @message \"action=* \" as action",
      "parse @message \" job=* \" as job",
      "filter action in ['job.leased', 'job.succeeded']",
      "stats (max(@timestamp) - min(@timestamp)) / 1000 as seconds, max(@timestamp) as ended by job",
      "sort ended desc",
      "limit 100",
    ],
  ))

  # Charges are published in one region, for the whole account, and only where billing alerts are on.
  charges = {
    title   = "Estimated charges of the account this month (USD)"
    region  = "us-east-1"
    stat    = "Maximum"
    period  = 21600
    metrics = [["AWS/Billing", "EstimatedCharges", "Currency", "USD"]]
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = concat(
      [
        for place, graph in local.graphs : {
          type   = "metric"
          x      = (place % 2) * 12
          y      = floor(place / 2) * 6
          width  = 12
          height = 6
          properties = {
            title   = graph.title
            region  = local.region
            stat    = graph.stat
            period  = 300
            view    = "timeSeries"
            metrics = graph.metrics
          }
        }
      ],
      [{
        type   = "log"
        x      = 12
        y      = 12
        width  = 12
        height = 6
        properties = {
          title  = "Seconds per job, the last hundred"
          region = local.region
          view   = "table"
          query  = local.job_seconds
        }
      }],
      [
        for place, graph in local.measured : {
          type   = "metric"
          x      = (place % 2) * 12
          y      = 18 + floor(place / 2) * 6
          width  = 12
          height = 6
          properties = {
            title  = graph.title
            region = local.region
            stat   = graph.stat
            period = 300
            view   = "timeSeries"
            metrics = [
              for line in graph.metrics : concat(
                ["bedside", line.metric, "Deployment", var.name],
                line.pool == "" ? [] : ["Pool", line.pool],
                [{ label = line.label, stat = line.stat }],
              )
            ]
          }
        }
      ],
      [{
        type       = "metric"
        x          = 0
        y          = 18 + 6 * ceil(length(local.measured) / 2)
        width      = 24
        height     = 6
        properties = merge(local.charges, { view = "timeSeries" })
      }],
    )
  })
}
