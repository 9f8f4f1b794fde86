"""Refusals of AWS, read: which action is missing, for whom, on what, and how to allow it.

Owns the wording only; `policy` writes the document. AWS words the same refusal in four ways, and
"not authorized" alone was the hardest part of deploying for everyone who tried.
"""

import re
from dataclasses import dataclass

from bedside.errors import ConfigError

#: Codes with which AWS's services refuse for want of a permission.
CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Forbidden",
        "NotAuthorized",
        "UnauthorizedAccess",
        "UnauthorizedOperation",
    }
)

_NOT_AUTHORIZED = re.compile(
    r"(?:User: (?P<who>\S+) )?is not authorized to perform: (?P<action>[a-z0-9-]+:\w+)"
    r"(?: on resource: (?P<resource>\S+))?(?P<rest>[^\n]*)"
)
#: ``operation error S3: CreateBucket, https response error StatusCode: 403, … AccessDenied``.
_OPERATION = re.compile(
    r"operation error (?P<service>[\w ]+): (?P<operation>\w+),.*?(?P<code>"
    + "|".join(sorted(CODES))
    + r")\b",
    re.DOTALL,
)
#: Services whose name in an error is not their prefix in a policy.
_PREFIXES = {
    "auto scaling": "autoscaling",
    "cloudwatch": "cloudwatch",
    "cloudwatch logs": "logs",
    "cognito identity provider": "cognito-idp",
    "eventbridge": "events",
    "secrets manager": "secretsmanager",
    "cloudwatch events": "events",
    "medical imaging": "medical-imaging",
    "resource groups tagging api": "tag",
    "service quotas": "servicequotas",
}
#: Operations of S3 whose permission has another name.
_ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A permission that is missing.

    Attributes:
        action: As a policy names it, e.g. ``s3:CreateBucket``.
        who: ARN of the user or role; empty where AWS did not say.
        resource: ARN; empty where AWS did not say.
        denied: A policy forbids it expressly, so that allowing it elsewhere would not help.
    """

    action: str
    who: str
    resource: str
    denied: bool

    @property
    def message(self) -> str:
        """What is missing, in words."""
        who = named(self.who) if self.who else "whoever deploys"
        on = f" on {self.resource}" if self.resource else ""
        if self.denied:
            return f"{who} is forbidden {self.action}{on}: a policy denies it expressly"
        return f"{who} is not allowed {self.action}{on}: no policy grants it"

    @property
    def fix(self) -> str:
        """The command that makes the missing policy, and how it is attached."""
        if self.denied:
            return f"ask your administrator which policy denies {self.action}; an allow does not outweigh it"
        on = f" --resource {self.resource}" if self.resource else ""
        return (
            f"bedside deploy policy --allow {self.action}{on} > missing.json; then, as an administrator: "
            f"{attach_command(self.who)}"
        )

    def error(self) -> ConfigError:
        """Return it as an error."""
        return ConfigError(self.message, hint=self.fix)


def refusal_in(text: str, *, who: str = "") -> Refusal | None:
    """Return the missing permission that a text of AWS or Terraform speaks of, or None.

    Args:
        text: An error's text, perhaps broken over several lines.
        who: ARN of the caller, for texts that do not name it.
    """
    flat = " ".join(text.split())
    if found := _NOT_AUTHORIZED.search(flat):
        resource = (found["resource"] or "").rstrip(".,")
        return Refusal(
            action=found["action"],
            who=found["who"] or who,
            resource="" if resource == "*" else resource,
            denied="explicit deny" in found["rest"],
        )
    if found := _OPERATION.search(flat):
        return Refusal(
            action=action_of(found["service"], found["operation"]), who=who, resource="", denied=False
        )
    return None


def action_of(service: str, operation: str) -> str:
    """Return the permission that an operation of an API needs, as policies name it."""
    prefix = _PREFIXES.get(service.lower(), service.lower().replace(" ", ""))
    action = f"{prefix}:{operation}"
    return _ACTIONS.get(action, action)


def named(arn: str) -> str:
    """Return an ARN as people say it: ``role deployer``, ``user eva``."""
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    name = rest.partition("/")[0] if kind == "assumed-role" else rest.rpartition("/")[2]
    if not name:
        return arn
    return f"{'role' if kind == 'assumed-role' else kind} {name}"


def attach_command(arn: str) -> str:
    """Return the AWS command that gives ``missing.json`` to a user or role."""
    kind, _, name = (named(arn) if arn else "user NAME").partition(" ")
    kind = kind if kind in {"user", "role"} else "user"
    return (
        f"aws iam put-{kind}-policy --{kind}-name {name or 'NAME'} "
        "--policy-name bedside-missing --policy-document file://missing.json"
    )
