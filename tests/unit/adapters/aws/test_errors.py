"""What AWS says, in our words: what kind of error, what helps, and no name of an object."""

import pytest
from botocore import exceptions

from bedside.adapters.aws.errors import Changed, as_ours
from bedside.errors import BedsideError, ConfigError, NotFound, Unavailable, UsageError

ROLE = "arn:aws:sts::111122223333:assumed-role/bedside-worker/i-0abc"
SAID = (
    f"User: {ROLE} is not authorized to perform: s3:PutObject on resource: "
    '"arn:aws:s3:::bucket/input/default/DOE_JANE.zip" because no identity-based policy allows the action'
)


def refusal(code: str, operation: str = "GetObject", message: str = "") -> exceptions.ClientError:
    answer = {
        "Error": {"Code": code, "Message": message or "DOE_JANE"},
        "ResponseMetadata": {"HTTPStatusCode": 500},
    }
    return exceptions.ClientError(answer, operation)


def translated(exc: Exception) -> BedsideError:
    with pytest.raises(BedsideError) as caught, as_ours("store: cannot read"):
        raise exc
    assert "DOE" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.__cause__ is exc
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NoSuchKey", NotFound),
        ("404", NotFound),
        ("AccessDenied", Unavailable),
        ("ExpiredToken", Unavailable),
        ("PreconditionFailed", Changed),
        ("NoSuchBucket", Unavailable),
        ("KeyTooLongError", UsageError),
        ("SlowDown", Unavailable),
        ("", Unavailable),
    ],
)
def test_each_refusal_is_an_error_of_ours(code: str, kind: type[BedsideError]) -> None:
    found = translated(refusal(code))
    assert type(found) is kind
    assert found.message.startswith("store: cannot read: ")


def test_a_refusal_names_the_missing_action_and_who_lacked_it() -> None:
    found = translated(refusal("AccessDenied", "PutObject", SAID))
    assert found.message == f"store: cannot read: AWS denies s3:PutObject to {ROLE}"
    assert "permit s3:PutObject" in found.hint
    assert found.retryable  # a policy may be attached meanwhile


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("ListObjectsV2", "s3:ListBucket"),
        ("HeadObject", "s3:GetObject or s3:ListBucket"),
        ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ],
)
def test_a_refusal_without_a_reason_names_what_the_operation_needs(operation: str, action: str) -> None:
    assert f"AWS denies {action}" in translated(refusal("403", operation, "Forbidden")).message


@pytest.mark.parametrize(
    ("exc", "kind", "said"),
    [
        (exceptions.NoCredentialsError(), Unavailable, "no AWS credentials here"),
        (exceptions.ProfileNotFound(profile="x"), ConfigError, "AWS's own settings"),
        (exceptions.NoRegionError(), ConfigError, "AWS's own settings"),
        (exceptions.EndpointConnectionError(endpoint_url="https://b/DOE_JANE"), Unavailable, "not reached"),
        (exceptions.ReadTimeoutError(endpoint_url="https://b/DOE_JANE"), Unavailable, "not reached"),
    ],
)
def test_what_never_reached_aws_is_told_with_a_command(
    exc: Exception, kind: type[BedsideError], said: str
) -> None:
    found = translated(exc)
    assert type(found) is kind
    assert said in found.message
    assert found.hint


def test_other_errors_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), as_ours("store: cannot read"):
        raise ZeroDivisionError
