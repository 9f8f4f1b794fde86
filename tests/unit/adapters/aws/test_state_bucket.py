"""The bucket of the state where there is TLS: nobody reads it without."""

import json
from types import SimpleNamespace
from typing import Any

from botocore import exceptions

from bedside.adapters.aws import state_bucket


class Recorder:
    """Takes every call; there is no bucket yet."""

    def __init__(self, url: str) -> None:
        self.meta = SimpleNamespace(endpoint_url=url)
        self.calls: dict[str, dict[str, Any]] = {}

    def head_bucket(self, **_: Any) -> None:
        raise exceptions.ClientError({"Error": {"Code": "404"}}, "HeadBucket")

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
