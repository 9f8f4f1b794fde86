"""ECR's passwords: from moto, and where AWS has none."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws

from bedside.adapters.aws.ecr import EcrAuthority
from bedside.adapters.aws.hosts import EcrPlace, ecr_place, is_ecr
from bedside.oci.registry import Answer

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        (HOST, EcrPlace(service="ecr", region="eu-central-1", account="123456789012")),
        (
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            EcrPlace(service="ecr", region="us-gov-west-1", account="123456789012"),
        ),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            EcrPlace(service="ecr", region="cn-north-1", account="123456789012"),
        ),
        (
            "123456789012.dkr-ecr.us-east-2.on.aws",
            EcrPlace(service="ecr", region="us-east-2", account="123456789012"),
        ),
        ("public.ecr.aws", EcrPlace(service="ecr-public", region="us-east-1", account="")),
    ],
)
def test_hosts(host: str, place: EcrPlace) -> None:
    assert ecr_place(host) == place


@pytest.mark.parametrize(
    "host",
    [
        "ghcr.io",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com.example.net",
        "123456789012.dkr.ecr.eu-central-1.example.net",
        "x.123456789012.dkr.ecr.eu-central-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com:5000",
        "12345.dkr.ecr.eu-central-1.amazonaws.com",
        "a.public.ecr.aws",
    ],
)
def test_hosts_that_only_look_like_it(host: str) -> None:
    assert not is_ecr(host)
    assert EcrAuthority(now).ask(host, "a") == Answer()


@mock_aws
def test_a_password() -> None:
    credentials = EcrAuthority(now).ask(HOST, "a").credentials
    assert credentials is not None
    assert credentials.username == "AWS"
    assert credentials.password
    assert credentials.who == "user 'AWS' (from AWS in eu-central-1, account 123456789012)"
    assert credentials.password not in repr(credentials)


def test_a_password_is_asked_for_once_until_it_is_old() -> None:
    asked = []
    at = [datetime(2026, 1, 1, tzinfo=UTC)]

    class Client:
        def get_authorization_token(self) -> object:
            asked.append(1)
            expires = at[0] + timedelta(hours=12)
            return {"authorizationData": [{"authorizationToken": "QVdTOmE=", "expiresAt": expires}]}

    authority = EcrAuthority(lambda: at[0], lambda place: Client())
    for hours in (0, 11, 12):
        at[0] = datetime(2026, 1, 1, hours, tzinfo=UTC)
        credentials = authority.ask(HOST, "a").credentials
        assert credentials is not None
        assert credentials.password == "a"
    assert len(asked) == 2


def test_the_public_one_answers_in_another_form() -> None:
    class Client:
        def get_authorization_token(self) -> object:
            return {"authorizationData": {"authorizationToken": "QVdTOmE=", "expiresAt": now()}}

    credentials = EcrAuthority(now, lambda place: Client()).ask("public.ecr.aws", "a").credentials
    assert credentials is not None
    assert credentials.username == "AWS"


def refused() -> Exception:
    error = {
        "Code": "AccessDeniedException",
        "Message": "not authorized to perform ecr:GetAuthorizationToken",
    }
    return ClientError({"Error": error}, "GetAuthorizationToken")


@pytest.mark.parametrize(
    ("failed", "note"),
    [
        (NoCredentialsError(), "AWS: Unable to locate credentials"),
        (refused(), "AWS refuses: AccessDeniedException not authorized to perform ecr:GetAuthorizationToken"),
    ],
)
def test_where_aws_has_none_others_are_asked(failed: Exception, note: str) -> None:
    class Client:
        def get_authorization_token(self) -> object:
            raise failed

    assert EcrAuthority(now, lambda place: Client()).ask(HOST, "a") == Answer(notes=(note,))


@mock_aws
def test_what_moto_gives_is_what_boto3_gives() -> None:
    """The form that `EcrAuthority` reads is botocore's, not this test's."""
    data = boto3.client("ecr", region_name="eu-central-1").get_authorization_token()["authorizationData"][0]
    assert set(data) >= {"authorizationToken", "expiresAt"}
    assert data["expiresAt"].tzinfo is not None
