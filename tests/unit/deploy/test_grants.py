"""The permissions of the deploying person, read from the package's own modules."""

import re

import click
import pytest

from bedside.cli.deploy.permissions import permissions as permissions_command
from bedside.config import DeploySettings
from bedside.deploy.actions import ACTIONS, ASKED, OWN
from bedside.deploy.grants import LONGEST, Where, packed, permissions, size, types_by_part
from bedside.deploy.policy import policy
from bedside.errors import ConfigError

WHERE = Where(account="123456789012", region="eu-west-1")
FULL = DeploySettings(
    name="ward",
    archive=True,
    datastore_id="0" * 32,
    identity=True,
    manage_tenants=True,
    control=True,
    control_domain="bedside.ward.example",
    alarm_email="a@example.org",
    github_repository="o/r",
)


def test_every_type_that_a_module_uses_is_known() -> None:
    types = types_by_part()
    assert {"storage", "events", "registry", "network", "ledger", "workers"} <= set(types)
    assert all(types.values())
    unknown = {part: sorted(kinds - set(ACTIONS)) for part, kinds in types.items() if kinds - set(ACTIONS)}
    assert unknown == {}


def test_a_type_that_is_not_known_is_an_error() -> None:
    with pytest.raises(ConfigError, match="module storage: the permissions of aws_efs_file_system"):
        permissions(FULL, WHERE, types={"storage": ["aws_efs_file_system"]})


def test_only_parts_that_are_used_are_granted() -> None:
    small = permissions(DeploySettings(name="ward"), WHERE)
    assert not {"archive", "budget", "ci", "control", "identity", "tenants"} & set(small)
    assert {"archive", "budget", "ci", "control", "identity", "tenants"} <= set(permissions(FULL, WHERE))


def test_names_of_the_deployment_bound_what_is_granted() -> None:
    made = permissions(FULL, WHERE)
    buckets = [s for s in made["storage"] if "s3:CreateBucket" in s["Action"]]  # type: ignore[operator]
    assert [s["Resource"] for s in buckets] == [["arn:aws:s3:::ward-*"]]
    roles = [s for s in made["workers"] if "iam:CreateRole" in s["Action"]]  # type: ignore[operator]
    assert [s["Resource"] for s in roles] == [["arn:aws:iam::123456789012:role/ward-*"]]
    # Whoever could write any role could do anything: no action of IAM is granted on everything.
    for statements in made.values():
        for one in statements:
            if one["Resource"] == ["*"]:
                assert not [a for a in one["Action"] if a.startswith("iam:")]  # type: ignore[attr-defined]
    assert not re.search(r"[{}]", str([s["Resource"] for part in made.values() for s in part]))


def test_no_study_can_be_read_or_written() -> None:
    reading = {"s3:GetObject", "s3:PutObject", "s3:*", "s3:Get*"}
    on = {
        resource
        for statements in permissions(FULL, WHERE).values()
        for one in statements
        if reading & set(one["Action"])  # type: ignore[call-overload]
        for resource in one["Resource"]  # type: ignore[attr-defined]
    }
    assert on == {
        "arn:aws:s3:::bedside-state-123456789012-eu-west-1/ward/*",
        "arn:aws:s3:::ward-*/software/*",
        "arn:aws:s3:::ward-*/input/*/bedside-verify-*",  # the phantom of a verification, by its name
    }


def test_commands_are_sent_by_one_document_to_machines_of_the_deployment() -> None:
    sending = [
        (one["Resource"], one.get("Condition"))
        for statements in permissions(FULL, WHERE).values()
        for one in statements
        if "ssm:SendCommand" in one["Action"]  # type: ignore[operator]
    ]
    assert sorted(sending, key=str) == [
        (
            ["arn:aws:ec2:eu-west-1:123456789012:instance/*"],
            {"StringEquals": {"ssm:resourceTag/bedside:deployment": "ward"}},
        ),
        (["arn:aws:ssm:eu-west-1:123456789012:document/ward-run"], None),
    ]
    asked = {a for part in permissions(FULL, WHERE).values() for s in part for a in s["Action"]}  # type: ignore[attr-defined]
    assert {"ssm:GetCommandInvocation", "ssm:CancelCommand", "ssm:DescribeInstanceInformation"} <= asked
    assert not [a for a in asked if a in {"ssm:StartSession", "ssm:*"} or a.startswith("ssmmessages:")]


def test_who_names_a_datastore_may_neither_make_nor_remove_one() -> None:
    def imaging(settings: DeploySettings) -> set[str]:
        asked = [a for s in permissions(settings, WHERE)["deploy"] for a in s["Action"]]  # type: ignore[attr-defined]
        return {action for action in asked if action.startswith("medical-imaging:")}

    own = imaging(DeploySettings(name="ward", archive=True))
    assert {"medical-imaging:CreateDatastore", "medical-imaging:DeleteImageSet"} <= own
    assert imaging(DeploySettings(name="ward")) == imaging(FULL) == set()


def test_what_reads_patients_data_is_granted_to_those_who_ask() -> None:
    def reading(*asked: str) -> set[tuple[str, str]]:
        made = permissions(FULL, WHERE, asked=asked)
        return {
            (action, resource)
            for statements in made.values()
            for one in statements
            for action in one["Action"]  # type: ignore[attr-defined]
            for resource in one["Resource"]  # type: ignore[attr-defined]
            if action in {"s3:GetObject", "medical-imaging:GetImageSetMetadata"}
            and "software" not in resource
        }

    before = reading()
    place = "arn:aws:s3:::ward-*/results/*"
    assert not [resource for _, resource in before if "results" in resource or resource.endswith("-*/*")]
    assert reading("actual") - before == {("s3:GetObject", f"{place}/result.json")}
    store = "arn:aws:medical-imaging:eu-west-1:123456789012:datastore/*"
    assert reading("image-sets") - before == {
        ("s3:GetObject", f"{place}/dicom/*"),
        ("medical-imaging:GetImageSetMetadata", store),
    }
    for whole in packed(permissions(FULL, WHERE, asked=ASKED)):
        names = [one["Sid"] for one in whole["Statement"]]  # type: ignore[attr-defined]
        assert len(set(names)) == len(names) and all(name.isalnum() for name in names)
        assert size(whole) <= LONGEST
    offered = next(p for p in permissions_command.params if p.name == "asked").type
    assert isinstance(offered, click.Choice) and set(offered.choices) == set(ASKED)


def test_a_key_of_ones_own_is_granted_and_no_other() -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/made-up"

    def granted(settings: DeploySettings) -> list[object]:
        made = permissions(settings, WHERE)["deploy"]
        return [s["Resource"] for s in made if "kms:Encrypt" in s["Action"]]  # type: ignore[operator]

    assert granted(DeploySettings(name="ward", key_arn=key)) == [[key]]
    assert granted(DeploySettings(name="ward")) == []


def test_policies_are_as_few_as_iam_permits() -> None:
    made = permissions(FULL, WHERE)
    policies = packed(made)
    assert all(size(p) <= LONGEST for p in policies)
    assert len(policies) <= 10, "IAM attaches ten to a role"
    assert [s for p in policies for s in p["Statement"]] == [s for part in made.values() for s in part]  # type: ignore[attr-defined]


def test_every_action_of_the_table_is_one_that_the_generator_takes() -> None:
    for grant in [*OWN, *(g for table in (ACTIONS, ASKED) for grants in table.values() for g in grants)]:
        policy(allow=[f"{grant.service}:{action}" for action in grant.actions.split()])


def test_the_database_may_be_looked_for_by_more_than_its_name() -> None:
    """RDS judges a search without a name as one over all machines; the provider searches by AWS's own id."""
    looking = [
        one["Resource"]
        for one in permissions(FULL, WHERE)["ledger"]
        if "rds:DescribeDBInstances" in one["Action"]  # type: ignore[operator]
    ]
    assert looking == [["arn:aws:rds:eu-west-1:123456789012:db:*"]]
