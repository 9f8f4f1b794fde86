"""IAM policies made of allowed and denied actions.

Refuses what IAM would take silently and never match: an action that is not ``service:Action``, a
resource that is not an ARN, and one action both allowed and denied on the same resources.
"""

import re
from collections.abc import Sequence

from bedside.errors import UsageError

_ACTION = re.compile(r"(\*|[a-z][a-z0-9-]*:(?:\*|[A-Z][A-Za-z0-9]*\*?))")
_ARN = re.compile(r"\*|arn:(aws[a-z-]*|\*):[a-z0-9*-]*:[a-z0-9*-]*:[0-9*]*:.+")
VERSION = "2012-10-17"


def policy(
    *, allow: Sequence[str] = (), deny: Sequence[str] = (), resources: Sequence[str] = ()
) -> dict[str, object]:
    """Return a policy document.

    Args:
        allow: Actions, e.g. ``s3:GetObject`` or ``s3:Get*``.
        deny: Actions that stay forbidden whatever else allows them.
        resources: ARNs; none means every resource.

    Raises:
        UsageError: Nothing is allowed or denied, or a name is not of its form.
    """
    if not allow and not deny:
        raise UsageError("a policy allows or denies something", hint="add --allow ACTION or --deny ACTION")
    for action in (*allow, *deny):
        _check_action(action)
    for resource in resources:
        if not _ARN.fullmatch(resource):
            raise UsageError(f"{resource!r} is no ARN", hint="--resource arn:aws:s3:::BUCKET/*")
    if both := sorted(set(allow) & set(deny)):
        raise UsageError(f"{', '.join(both)}: allowed and denied; the denial would win", hint="drop one")
    parts = (("Allow", allow), ("Deny", deny))
    return document([statement(effect, actions, resources) for effect, actions in parts if actions])


def statement(effect: str, actions: Sequence[str], resources: Sequence[str] = ()) -> dict[str, object]:
    """Return one statement, its actions sorted and said once."""
    return {
        "Sid": f"Bedside{effect}",
        "Effect": effect,
        "Action": sorted(set(actions)),
        "Resource": sorted(set(resources)) or ["*"],
    }


def document(statements: Sequence[dict[str, object]]) -> dict[str, object]:
    """Return a policy of statements."""
    return {"Version": VERSION, "Statement": list(statements)}


def _check_action(action: str) -> None:
    if _ACTION.fullmatch(action):
        return
    service, colon, name = action.partition(":")
    if not colon:
        raise UsageError(f"{action!r} is no action: it names no service", hint=f"--allow s3:{action}")
    near = f"{service.lower()}:{name[:1].upper()}{name[1:]}"
    hint = f"--allow {near}" if _ACTION.fullmatch(near) else "--allow s3:CreateBucket"
    raise UsageError(f"{action!r} is no action: expected service:Action", hint=hint)
