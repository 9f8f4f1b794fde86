"""Policies made of allowed and denied actions."""

import pytest

from bedside.deploy.policy import policy
from bedside.errors import UsageError


def test_deny_making_buckets() -> None:
    assert policy(deny=["s3:CreateBucket"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "BedsideDeny", "Effect": "Deny", "Action": ["s3:CreateBucket"], "Resource": ["*"]}
        ],
    }


def test_both_sorted_and_on_resources() -> None:
    arn = "arn:aws:s3:::b/*"
    made = policy(allow=["s3:PutObject", "s3:Get*", "s3:Get*"], deny=["s3:DeleteObject"], resources=[arn])
    assert made["Statement"] == [
        {"Sid": "BedsideAllow", "Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject"], "Resource": [arn]},
        {"Sid": "BedsideDeny", "Effect": "Deny", "Action": ["s3:DeleteObject"], "Resource": [arn]},
    ]


@pytest.mark.parametrize(
    ("actions", "hint"),
    [
        (["CreateBucket"], "--allow s3:CreateBucket"),
        (["S3:createBucket"], "--allow s3:CreateBucket"),
        (["s3:Create Bucket"], "--allow s3:CreateBucket"),
        (["s3:"], "--allow s3:CreateBucket"),
    ],
)
def test_what_iam_would_never_match_is_refused(actions: list[str], hint: str) -> None:
    with pytest.raises(UsageError, match="no action") as caught:
        policy(allow=actions)
    assert caught.value.hint == hint


def test_nothing_contradictions_and_no_arn() -> None:
    for wrong in ({}, {"allow": ["s3:*"], "deny": ["s3:*"]}, {"allow": ["s3:*"], "resources": ["bucket"]}):
        with pytest.raises(UsageError):
            policy(**wrong)  # type: ignore[arg-type]
