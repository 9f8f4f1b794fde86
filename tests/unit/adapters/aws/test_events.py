"""Every form in which a queue tells of objects and jobs, and what is malformed."""

import json
from typing import Any

import pytest

from bedside.adapters.aws.events import JobHint, Told, parse
from bedside.adapters.aws.places import Bucket
from bedside.errors import InputRejected

BUCKET = Bucket(name="hospital")
DEEP = Bucket(name="hospital", prefix="site/a/")


def record(key: str, *, name: str = "ObjectCreated:Put", bucket: str = "hospital") -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}},
    }


def records(*found: dict[str, Any]) -> str:
    return json.dumps({"Records": list(found)})


def test_any_number_of_records_with_urlencoded_keys() -> None:
    body = records(
        record("input/ward-3/M%C3%BCller+Anna%2B1.zip"),
        record("input/default/study/1.dcm", name="ObjectCreated:CompleteMultipartUpload"),
        record("input/default/study/2.dcm", name="s3:ObjectCreated:Copy"),
    )
    assert parse(body, BUCKET).objects == (
        ("ward-3", "input/Müller Anna+1.zip"),
        ("default", "input/study/1.dcm"),
        ("default", "input/study/2.dcm"),
    )
    assert parse(records(), BUCKET) == Told()


@pytest.mark.parametrize(
    "found",
    [
        record("input/default/1.dcm", bucket="another"),
        record("results/default/1.dcm"),
        record("site/a/input/default/1.dcm"),
        record("input/default/1.dcm", name="ObjectRemoved:Delete"),
        record("input/default/folder/"),
        record("input/loose.dcm"),
        record("input/No+Tenant/1.dcm"),
    ],
)
def test_what_is_no_new_object_of_a_drop_box_is_nothing(found: dict[str, Any]) -> None:
    assert parse(records(found), BUCKET) == Told()


def test_below_a_prefix() -> None:
    assert parse(records(record("site/a/input/default/1.dcm")), DEEP).objects == (("default", "input/1.dcm"),)
    assert parse(records(record("input/default/1.dcm")), DEEP) == Told()


def test_s3s_test_event_is_nothing_also_through_sns() -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "hospital"})
    assert parse(body, BUCKET) == Told()
    assert parse(json.dumps({"Type": "Notification", "TopicArn": "arn", "Message": body}), BUCKET) == Told()


def test_through_sns() -> None:
    inner = records(record("input/default/a+b.zip"), record("input/default/c.zip"))
    body = json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": inner})
    assert parse(body, BUCKET).objects == (("default", "input/a b.zip"), ("default", "input/c.zip"))


def test_eventbridge_has_plain_keys() -> None:
    body = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "hospital"}, "object": {"key": "input/default/a+b 100%25.zip"}},
    }
    assert parse(json.dumps(body), BUCKET).objects == (("default", "input/a+b 100%25.zip"),)


def test_a_hint_comes_back_as_it_was_sent() -> None:
    hint = JobHint(tenant="ward-3", job="0a1b", pool="large")
    assert parse(hint.body(), BUCKET) == Told(job=hint)
    assert json.loads(hint.body()) == {
        "bedside": "hint/1", "tenant": "ward-3", "job": "0a1b", "pool": "large"
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        "",
        "DOE^JANE",
        "[]",
        "null",
        "3",
        '"DOE^JANE"',
        "{}",
        '{"name": "DOE^JANE"}',
        '{"bedside": "hint/2", "tenant": "DOE^JANE", "job": "1", "pool": "x"}',
        '{"bedside": "hint/1", "tenant": "DOE^JANE"}',
        '{"Records": 3}',
        '{"Records": null}',
        '{"Records": [{"eventSource": "aws:sns", "s3": "DOE^JANE"}]}',
        '{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}',
        '{"Type": "Notification", "TopicArn": "a", "Message": "DOE^JANE"}',
        '{"Type": "Notification", "TopicArn": "a", "Message": 3}',
        '{"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}}',
        '{"source": "aws.s3", "detail-type": "Object Created", "detail": "DOE^JANE"}',
        "[" * 100_000,
    ],
)
def test_anything_else_is_malformed_and_quoted_nowhere(body: str) -> None:
    with pytest.raises(InputRejected) as refused:
        parse(body, BUCKET)
    assert "DOE" not in f"{refused.value}{refused.value.hint}"
    assert refused.value.__cause__ is None


def test_a_tenants_own_bucket_tells_of_that_tenant_alone() -> None:
    def owner(bucket: str) -> str:
        return "h.ct" if bucket == "own" else ""

    body = records(
        record("input/h.ct/a.zip", bucket="own"),
        record("input/default/b.zip", bucket="own"),  # in the name of another
        record("site/a/input/h.ct/c.zip", bucket="own"),  # the prefix is the shared bucket's
        record("input/h.ct/d.zip", bucket="nobodys"),
        record("site/a/input/h.ct/e.zip"),
    )
    assert parse(body, DEEP, owner).objects == (("h.ct", "input/a.zip"), ("h.ct", "input/e.zip"))
    assert parse(body, DEEP).objects == (("h.ct", "input/e.zip"),)
