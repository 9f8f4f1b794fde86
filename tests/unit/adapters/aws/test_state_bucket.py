"""The bucket of the state where there is TLS: nobody reads it without."""

import json
from types import SimpleNamespace
from typing import Any

from botocore import exceptions

from bedside.adapters.aws import state_bucket


class Recorder:
    """Takes every call; there is no bucket yet, unless one holds so many objects."""

    def __init__(
        self, url: str, *, holds: int | None = None, versioning: str = "", partition: str = "aws"
    ) -> None:
        self.meta = SimpleNamespace(endpoint_url=url, partition=partition)
        self.holds, self.versioning = holds, versioning
        self.calls: dict[str, dict[str, Any]] = {}

    def head_bucket(self, **_: Any) -> None:
        if self.holds is None:
            raise exceptions.ClientError({"Error": {"Code": "404"}}, "HeadBucket")

    def list_objects_v2(self, **_: Any) -> dict[str, int | None]:
        return {"KeyCount": self.holds}

    def get_bucket_versioning(self, **_: Any) -> dict[str, str]:
        return {"Status": self.versioning} if self.versioning else {}

    def __getattr__(self, name: str) -> Any:
        return lambda **arguments: self.calls.update({name: arguments})


def test_a_new_bucket_refuses_what_comes_without_tls() -> None:
    s3 = Recorder("https://s3.eu-west-1.amazonaws.com")
    assert state_bucket.ensure(s3, "b", "eu-west-1", "1")
    assert s3.calls["create_bucket"]["CreateBucketConfiguration"] == {"LocationConstraint": "eu-west-1"}
    (statement,) = json.loads(s3.calls["put_bucket_policy"]["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]


def test_an_emulator_without_tls_is_not_locked_out() -> None:
    s3 = Recorder("http://127.0.0.1:1")
    assert state_bucket.ensure(s3, "b", "us-east-1", "1")
    assert "put_bucket_policy" not in s3.calls
    assert "CreateBucketConfiguration" not in s3.calls["create_bucket"]


def test_one_that_was_made_and_not_closed_is_closed_and_somebodys_own_is_left_as_it_is() -> None:
    cut_off = Recorder("https://s3.eu-west-1.amazonaws.com", holds=0)
    assert not state_bucket.ensure(cut_off, "b", "eu-west-1", "1")
    assert {"put_public_access_block", "put_bucket_versioning", "put_bucket_policy"} <= set(cut_off.calls)
    assert "create_bucket" not in cut_off.calls
    assert list(cut_off.calls)[-1] == "put_bucket_versioning", "which tells that the rest was done"
    of_an_administrator = Recorder("https://s3.eu-west-1.amazonaws.com", holds=0, versioning="Enabled")
    assert not state_bucket.ensure(of_an_administrator, "b", "eu-west-1", "1")
    assert not of_an_administrator.calls, "who deploys may not change it"
    in_use = Recorder("https://s3.eu-west-1.amazonaws.com", holds=1)
    assert not state_bucket.ensure(in_use, "b", "eu-west-1", "1")
    assert not in_use.calls


def test_its_policy_names_it_as_its_part_of_aws_does() -> None:
    s3 = Recorder("https://s3.us-gov-west-1.amazonaws.com", partition="aws-us-gov")
    state_bucket.ensure(s3, "b", "us-gov-west-1", "1")
    (statement,) = json.loads(s3.calls["put_bucket_policy"]["Policy"])["Statement"]
    assert statement["Resource"] == ["arn:aws-us-gov:s3:::b", "arn:aws-us-gov:s3:::b/*"]
