"""Actions on resources, and how the resources of a deployment are named."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions on resources.

    Attributes:
        service: Prefix of the actions.
        actions: Without the prefix, divided by spaces.
        on: ARNs without ``arn:PARTITION:``, divided by spaces; ``{name}``, ``{region}`` and ``{account}``
            are put in.
        tagged: Key of a condition that compares a tag of the resource with the deployment's name; empty is
            no condition.
    """

    service: str
    actions: str
    on: str = "*"
    tagged: str = ""


BUCKET = "s3:::{name}-*"
ROLE = "iam::{account}:role/{name}-*"
LOG = (
    "logs:{region}:{account}:log-group:/bedside/{name}/* "
    "logs:{region}:{account}:log-group:/aws/lambda/{name}-* "
    "logs:{region}:{account}:log-group:/aws/rds/instance/{name}-* "
    "logs:{region}:{account}:log-group:/aws/events/{name}-*"
)
GROUP = "autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{name}-*"
QUEUE = "sqs:{region}:{account}:{name}*"
TOPIC = "sns:{region}:{account}:{name}-*"
RULE = "events:{region}:{account}:rule/{name}-*"
FUNCTION = "lambda:{region}:{account}:function:{name}-*"
REGISTRY = "ecr:{region}:{account}:repository/{name}*"
POOL = "cognito-idp:{region}:{account}:userpool/*"
DOCUMENT = "ssm:{region}:{account}:document/{name}-*"
PARAMETER = "ssm:{region}:{account}:parameter/{name}/* ssm:{region}:{account}:parameter/bedside/{name}/*"


def ec2(actions: str) -> tuple[Grant, ...]:
    """Return actions on what EC2 makes, and on its tags."""
    # EC2 names a thing only once it is made, and most Describe actions know no resource at all.
    return (Grant("ec2", actions), Grant("ec2", "CreateTags DeleteTags"))
