"""What AWS says to whoever deploys, in our words: what kind of error, and what helps."""

import pytest
from botocore import exceptions

from bedside.adapters.aws.asked import asked
from bedside.errors import BedsideError, ConfigError, Unavailable


def _asked(exc: Exception) -> BedsideError:
    with pytest.raises(BedsideError) as caught, asked("s3", "listing regions"):
        raise exc
    assert caught.value.message.startswith("listing regions: ")
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind", "said", "hint"),
    [
        ("RequestExpired", ConfigError, "have expired", "aws sso login"),  # EC2's word for it
        ("ExpiredToken", ConfigError, "have expired", "aws sso login"),
        ("InvalidAccessKeyId", ConfigError, "does not know these", "aws configure"),  # S3's
        ("InvalidClientTokenId", ConfigError, "does not know these", "aws configure"),  # STS's
        ("RequestTimeTooSkewed", ConfigError, "clock", "timedatectl status"),
        ("Throttling", Unavailable, "Throttling", "try again"),
    ],
)
def test_each_refusal_says_what_helps(code: str, kind: type[BedsideError], said: str, hint: str) -> None:
    found = _asked(exceptions.ClientError({"Error": {"Code": code}}, "ListBuckets"))
    assert type(found) is kind
    assert said in found.message and hint in found.hint


@pytest.mark.parametrize(
    ("exc", "hint"),
    [
        (exceptions.NoCredentialsError(), "aws configure"),
        (exceptions.UnauthorizedSSOTokenError(), "aws sso login"),
        (exceptions.SSOTokenLoadError(error_msg="no file"), "aws sso login"),
        (exceptions.CredentialRetrievalError(provider="process", error_msg="exit 1"), "aws configure list"),
    ],
)
def test_credentials_that_do_not_come_are_no_outage(exc: Exception, hint: str) -> None:
    found = _asked(exc)
    assert isinstance(found, ConfigError)
    assert hint in found.hint
