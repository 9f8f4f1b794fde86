"""What is told: queues, topics, rules on events, logs, alarms and the dashboard."""

from collections.abc import Mapping

from bedside.deploy.actions.grant import (
    LOG,
    QUEUE,
    RULE,
    TOPIC,
    Grant,
)

ACTIONS: Mapping[str, tuple[Grant, ...]] = {
    "aws_cloudwatch_dashboard": (
        Grant(
            "cloudwatch",
            "PutDashboard GetDashboard DeleteDashboards",
            "cloudwatch::{account}:dashboard/{name}*",
        ),
    ),
    "aws_cloudwatch_event_rule": (
        Grant(
            "events",
            "PutRule DeleteRule DescribeRule EnableRule DisableRule ListTagsForResource "
            "TagResource UntagResource",
            RULE,
        ),
    ),
    "aws_cloudwatch_event_target": (Grant("events", "PutTargets RemoveTargets ListTargetsByRule", RULE),),
    "aws_cloudwatch_log_group": (
        Grant(
            "logs",
            "CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy ListTagsForResource "
            "TagResource UntagResource AssociateKmsKey",
            LOG,
        ),
        Grant("logs", "DescribeLogGroups"),
    ),
    "aws_cloudwatch_log_resource_policy": (
        Grant("logs", "PutResourcePolicy DeleteResourcePolicy DescribeResourcePolicies"),
    ),
    "aws_cloudwatch_metric_alarm": (
        Grant(
            "cloudwatch",
            "PutMetricAlarm DeleteAlarms DescribeAlarms ListTagsForResource TagResource UntagResource",
            "cloudwatch:{region}:{account}:alarm:{name}-*",
        ),
    ),
    "aws_sns_topic": (
        Grant(
            "sns",
            "CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic ListTagsForResource TagResource "
            "UntagResource",
            TOPIC,
        ),
    ),
    "aws_sns_topic_policy": (Grant("sns", "GetTopicAttributes SetTopicAttributes", TOPIC),),
    "aws_sns_topic_subscription": (
        Grant("sns", "Subscribe", TOPIC),
        Grant("sns", "Unsubscribe GetSubscriptionAttributes SetSubscriptionAttributes"),
    ),
    "aws_sqs_queue": (
        Grant(
            "sqs",
            "CreateQueue GetQueueUrl GetQueueAttributes SetQueueAttributes DeleteQueue "
            "ListQueueTags TagQueue "
            "UntagQueue",
            QUEUE,
        ),
    ),
    "aws_sqs_queue_policy": (Grant("sqs", "GetQueueAttributes SetQueueAttributes", QUEUE),),
    "aws_sqs_queue_redrive_allow_policy": (Grant("sqs", "GetQueueAttributes SetQueueAttributes", QUEUE),),
}
