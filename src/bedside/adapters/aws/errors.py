"""AWS's errors in our words, in one place for every adapter of this room.

Owns the translation; refuses to repeat what AWS says, because its messages hold addresses and ARNs of
objects, and a name in the drop-box may be a patient's. What helps is kept: the code, the action that
a policy lacks, and who lacked it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions

from bedside.errors import BedsideError, ConfigError, NotFound, Unavailable, UsageError

_MISSING = frozenset(
    {"404", "NoSuchKey", "NoSuchUpload", "NoSuchVersion", "NotFound", "ResourceNotFoundException"}
)
_DENIED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "AuthorizationError",
        "UnauthorizedOperation",
    }
)
#: Codes with which AWS says that credentials were good once; EC2 has its own.
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
#: Codes with which AWS says that it does not know the credentials.
UNKNOWN = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
#: AWS takes no request that was signed minutes ago, or in the future.
SKEWED = "RequestTimeTooSkewed"
_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_CHANGED = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})
_BEYOND = frozenset({"416", "InvalidRange"})
#: AWS words a refusal so; the resource that follows is left out.
_WHO = re.compile(r"(?:User|principal):? (arn:[\w:/+=,.@-]+)")
_ACTION = re.compile(r"perform:? ([a-z0-9-]+:[A-Za-z*]+)")
#: Where a refusal does not say it (an answer to HEAD has no text): the action of each operation.
_ACTIONS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CopyObject": "s3:PutObject or s3:GetObject",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "GetObject": "s3:GetObject",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject or s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectsV2": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts",
    "Publish": "sns:Publish",
    "PutObject": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject or s3:GetObject",
}
_WHO_AM_I = "aws sts get-caller-identity"
_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
    exceptions.LoginError,
)
_MISCONFIGURED = (
    exceptions.ProfileNotFound,
    exceptions.NoRegionError,
    exceptions.InvalidConfigError,
    exceptions.InvalidRegionError,
)


class Changed(Unavailable):
    """What was asked for under a condition is another thing by now; asked anew it will do."""


class BeyondEnd(UsageError):
    """The bytes that were asked for lie behind the end of the object."""


@contextmanager
def as_ours(what: str) -> Iterator[None]:
    """Turn AWS's errors into ours.

    Args:
        what: Begins the message: whose call and what it was for, e.g. ``"store: cannot read"``.

    Raises:
        NotFound: There is no such thing.
        ConfigError: A profile or a region is wrong, before anything was sent.
        UsageError: AWS takes no such name.
        Unavailable: AWS refuses, is out of reach, or the thing changed meanwhile.
    """
    try:
        yield
    except (exceptions.ClientError, exceptions.BotoCoreError) as exc:
        raise translated(exc, what) from exc


def code_of(exc: exceptions.ClientError) -> str:
    """Return the code of a refusal, e.g. ``NoSuchKey``."""
    return str(exc.response.get("Error", {}).get("Code", ""))


def translated(exc: Exception, what: str) -> BedsideError:
    """Return an error of AWS or on the way to it as one of ours."""
    if isinstance(exc, exceptions.ClientError):
        return _refusal(exc, what)
    if isinstance(exc, _NO_CREDENTIALS):
        return Unavailable(
            f"{what}: no AWS credentials here ({type(exc).__name__})",
            hint="aws configure, or AWS_PROFILE=NAME",
        )
    if isinstance(exc, _MISCONFIGURED):
        return ConfigError(
            f"{what}: AWS's own settings are wrong ({type(exc).__name__})", hint="aws configure list"
        )
    return Unavailable(f"{what}: AWS was not reached ({type(exc).__name__})", hint="bedside doctor")


def _refusal(exc: exceptions.ClientError, what: str) -> BedsideError:
    code, operation = code_of(exc), str(exc.operation_name)
    if code in _MISSING:
        return NotFound(f"{what}: there is none")
    if code in _DENIED:
        said = str(exc.response.get("Error", {}).get("Message", ""))
        action = _ACTION.search(said)
        who = _WHO.search(said)
        wanted = action[1] if action else _ACTIONS.get(operation, operation)
        return Unavailable(
            f"{what}: AWS denies {wanted}{f' to {who[1]}' if who else ''}",
            hint=f"{_WHO_AM_I}, then permit {wanted} to that role",
        )
    if code in EXPIRED | UNKNOWN:
        return Unavailable(f"{what}: AWS does not accept these credentials ({code})", hint=_WHO_AM_I)
    if code == SKEWED:
        return Unavailable(f"{what}: this machine's clock is wrong, says AWS", hint="timedatectl status")
    if code in _CHANGED:
        return Changed(f"{what}: changed by others meanwhile")
    if code in _BEYOND:
        return BeyondEnd(f"{what}: it is not that long")
    if code in _NO_QUEUE:
        return Unavailable(f"{what}: there is no such queue", hint="bedside config show")
    if code == "NoSuchBucket":
        return Unavailable(f"{what}: there is no such bucket", hint="bedside config show")
    if code == "KeyTooLongError":
        return UsageError(f"{what}: longer than a key may be")
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "no status")
    return Unavailable(
        f"{what}: AWS answers {code or 'nothing'} to {operation} ({status})", hint="bedside doctor"
    )
