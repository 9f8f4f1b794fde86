"""What a plan says of data that would be lost."""

import pytest

from bedside.deploy.plan import planned


def _plan(kind: str, *actions: str) -> dict[str, object]:
    change = {"actions": list(actions), "before": {"identifier": "clinic"}, "after": {"identifier": "clinic"}}
    item = {"address": f"module.ledger.{kind}.this", "type": kind, "name": "this", "mode": "managed"}
    return {"resource_changes": [{**item, "change": change}]}


@pytest.mark.parametrize("kind", ["aws_db_instance", "aws_s3_bucket", "aws_ecr_repository"])
@pytest.mark.parametrize("actions", [("delete", "create"), ("create", "delete"), ("delete",)])
def test_what_ends_with_its_data_is_named(kind: str, actions: tuple[str, ...]) -> None:
    (lost,) = planned(_plan(kind, *actions)).lost
    assert (lost.type, lost.called) == (kind, "clinic")


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("aws_db_instance", "update"),
        ("aws_db_instance", "create"),
        ("aws_vpc", "delete"),
        ("aws_ebs_volume", "delete"),  # releases, which the registry has
    ],
)
def test_what_stays_or_holds_nothing_is_not(kind: str, action: str) -> None:
    assert planned(_plan(kind, action)).lost == ()
