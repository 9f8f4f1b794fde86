"""In which region a client asks."""

import pytest

from bedside.adapters.aws.account import AwsCloud
from bedside.adapters.aws.clients import make_client
from bedside.adapters.aws.medical_imaging import make_imaging_client


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    return monkeypatch


def regions() -> list[str]:
    found = [make_client("sqs").meta.region_name, make_imaging_client().meta.region_name]
    return [*found, AwsCloud().region]


def test_every_client_goes_by_either_variable(nowhere: pytest.MonkeyPatch) -> None:
    nowhere.setenv("AWS_REGION", "eu-central-1")
    assert regions() == ["eu-central-1"] * 3
    nowhere.setenv("AWS_DEFAULT_REGION", "eu-west-1")  # boto3's own comes first
    assert regions() == ["eu-west-1"] * 3


def test_a_region_that_is_named_comes_before_the_environment(nowhere: pytest.MonkeyPatch) -> None:
    nowhere.setenv("AWS_REGION", "eu-central-1")
    assert make_client("sns", region="us-west-2").meta.region_name == "us-west-2"
    assert make_imaging_client("us-west-2").meta.region_name == "us-west-2"
    assert AwsCloud("us-west-2").region == "us-west-2"
