"""What a tenant may be called, what lies below it in the tree, and how it may end."""

from dataclasses import replace

import pytest

from bedside.domain.tenant import (
    Ending,
    Tenant,
    TenantBuckets,
    TenantState,
    check_new,
    holds,
    name_of,
    path_of,
)
from bedside.errors import UsageError
from ledger_samples import T0, at

WARD = Tenant(name="hospital.ward", state=TenantState.ACTIVE, made_at=T0)


def test_a_path_is_kept_under_a_name_with_dots_and_old_names_stay() -> None:
    assert name_of("hospital/radiology/ct") == "hospital.radiology.ct"
    assert path_of("hospital.radiology.ct") == "hospital/radiology/ct"
    assert name_of("ward-3") == path_of("ward-3") == "ward-3"
    assert name_of("hospital.ward") == "hospital.ward"


@pytest.mark.parametrize(
    "wrong", ["", "/", "a//b", "../b", ".work", "a/.b", "a/-b", "a b", "ä", "a." * 40, "x" * 64]
)
def test_what_would_lead_elsewhere_is_no_tenant(wrong: str) -> None:
    with pytest.raises(UsageError, match="tenant of"):
        name_of(wrong)


@pytest.mark.parametrize("taken", ["releases", "ledger.db", "ledger.db-wal"])
def test_what_lies_beside_the_tenants_is_no_tenant(taken: str) -> None:
    with pytest.raises(UsageError, match="has that name"):
        check_new(taken)
    assert check_new("releases-2") == "releases-2"


def test_a_node_holds_what_is_below_it_and_no_namesake() -> None:
    assert holds("", "any") and holds("a", "a") and holds("a", "a.b.c") and holds("a.b", "a.b.c")
    assert not holds("a", "ab") and not holds("a.b", "a") and not holds("a.b", "a.bc")


def test_an_archived_tenant_keeps_its_buckets_and_can_be_removed() -> None:
    own = TenantBuckets(input="i", output="o")
    archived = replace(WARD, buckets=own).closing(Ending.ARCHIVE, "s3://x").closed(at(1))
    assert (archived.state, archived.buckets, archived.closed_at) == (TenantState.CLOSED, own, at(1))
    with pytest.raises(UsageError, match="archived already, in s3://x"):
        archived.closing(Ending.ARCHIVE, "s3://y")
    removed = archived.closing(Ending.REMOVE).closed(at(2))
    assert removed.buckets is None and removed.ending is Ending.REMOVE
    with pytest.raises(UsageError, match="removed already"):
        removed.closing(Ending.REMOVE)
    with pytest.raises(UsageError, match="cannot become active"):
        removed.active()


def test_an_ending_that_broke_off_goes_on_but_a_removal_is_not_archived() -> None:
    archiving = WARD.closing(Ending.ARCHIVE, "s3://x")
    assert archiving.closing(Ending.ARCHIVE, "s3://x") == archiving
    removing = archiving.closing(Ending.REMOVE)
    assert removing.ending is Ending.REMOVE and removing.closing(Ending.REMOVE) == removing
    with pytest.raises(UsageError, match="removal has begun"):
        removing.closing(Ending.ARCHIVE, "s3://x")
